//! What an edit makes of a letter's message.

use jiff::Timestamp;

use crate::escalation::{
    AgentId, ConversationId, DeadLetter, Event, IncidentId, Lane, Message, Origin, Start, Task,
    Trigger,
};

/// What a letter should have said, in types that cannot hold a wrong value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// The conversation that it is about.
    pub conversation: ConversationId,
    /// The agent, where one is to be named.
    pub agent: Option<AgentId>,
    /// The incident, of a letter that names none.
    pub incident: Option<IncidentId>,
}

/// Why a letter cannot be corrected so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCorrected {
    /// It is about another incident.
    #[error(
        "the letter is of incident {0}: another incident is started by `POST /escalations` or `escalator catch-up`"
    )]
    OtherIncident(IncidentId),
    /// It is about none, and none was given.
    #[error("the letter names no incident: say which")]
    NoIncident,
}

/// The message as it should have been. Of a letter that names no incident, one that is accepted `now`.
///
/// # Errors
/// Where the letter is of another incident, or of none.
pub fn corrected(
    letter: &DeadLetter,
    correction: &Correction,
    now: Timestamp,
) -> Result<Message, NotCorrected> {
    let conversation_id = Some(correction.conversation.clone());
    let agent_id = correction.agent.clone();
    match (letter.start(), &correction.incident) {
        (Some((message, _)), Some(incident)) if *incident != message.incident_id => {
            Err(NotCorrected::OtherIncident(message.incident_id.clone()))
        }
        (Some((message, start)), _) => Ok(message.clone().asking(Task::Start(Start {
            conversation_id,
            // Whom the message named it names still, unless another one is named.
            agent_id: agent_id.or_else(|| start.agent_id.clone()),
            ..start.clone()
        }))),
        (None, None) => Err(NotCorrected::NoIncident),
        (None, Some(incident)) => Ok(Message::new(
            incident.clone(),
            now,
            Origin::Direct,
            Lane::Normal,
            Event {
                id: None,
                kind: "dead_letter.edited".to_owned(),
                occurred_at: letter.died_at,
            },
            Task::Start(Start {
                trigger: Trigger::First,
                cycle: 0,
                service_id: None,
                conversation_id,
                agent_id,
            }),
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::escalation::{Code, DeadLetterOrigin, Key};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn correction(incident: Option<&str>) -> Correction {
        Correction {
            conversation: ConversationId::parse("c-right").unwrap(),
            agent: None,
            incident: incident.map(|id| IncidentId::parse(id).unwrap()),
        }
    }

    fn bytes() -> DeadLetter {
        let why = "no JSON".to_owned();
        let code = Code::MessageUndecodable;
        DeadLetter::of_bytes(b"?", code, why, DeadLetterOrigin::Broker, NOW)
    }

    #[test]
    fn bytes_that_nobody_can_read_become_a_message_once_somebody_says_of_which_incident() {
        let none = corrected(&bytes(), &correction(None), NOW);
        assert_eq!(none, Err(NotCorrected::NoIncident));
        let message = corrected(&bytes(), &correction(Some("Q1")), NOW).unwrap();
        assert_eq!(message.incident_id.as_str(), "Q1");
        let Task::Start(start) = message.task else {
            panic!()
        };
        assert_eq!(start.conversation_id.unwrap().as_str(), "c-right");
    }

    #[test]
    fn a_letter_stays_with_its_incident() {
        let message = corrected(&bytes(), &correction(Some("Q1")), NOW).unwrap();
        let key = Key::of(&message.incident_id, &Trigger::First);
        let letter = DeadLetter::of_escalation(
            key,
            0,
            message,
            Code::ConversationUnknown,
            "it is unknown".to_owned(),
            0,
            NOW,
            Vec::new(),
        );
        assert!(corrected(&letter, &correction(None), NOW).is_ok());
        assert!(corrected(&letter, &correction(Some("Q1")), NOW).is_ok());
        let other = corrected(&letter, &correction(Some("Q2")), NOW);
        let own = IncidentId::parse("Q1").unwrap();
        assert_eq!(other, Err(NotCorrected::OtherIncident(own)));
    }
}
