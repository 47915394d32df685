//! The message on the queue: versioned JSON, written by the ingress, read by the worker.
//!
//! Version 1. A reader ignores fields that it does not know, so a field may be added without a new version; a field
//! that changes its meaning needs one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{AgentId, ConversationId, EventId, IncidentId, ServiceId};
use super::lane::Lane;

/// The version that this program writes, and the newest that it reads.
const VERSION: u32 = 1;

/// One message of the work lanes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    version: u32,
    /// The incident it is about.
    pub incident_id: IncidentId,
    /// When the ingress accepted it. `escalation.expires_after` counts from here, never from the vendor's clock.
    pub accepted_at: Timestamp,
    /// Which way it came in.
    #[serde(flatten)]
    pub origin: Origin,
    /// The lane it travels in; a delayed copy goes back to the same one.
    pub lane: Lane,
    /// The vendor's event behind it.
    pub event: Event,
    /// What is to be done.
    #[serde(flatten)]
    pub task: Task,
}

/// Which way a message came in. For logs and the timeline: nothing is decided by it.
///
/// It travels as two fields. `origin` is one of the two that every reader of version 1 knows, and a reader that knew only
/// these would take a third for a message that it cannot read; so whatever comes after them says `direct`, which is to say
/// that it was no webhook, and adds what it is in `by`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OriginOnTheWay", into = "OriginOnTheWay")]
pub enum Origin {
    /// PagerDuty's webhook.
    Webhook,
    /// `POST /escalations`.
    Direct,
    /// `escalator catch-up`, which found the incident in PagerDuty's list.
    CatchUp,
}

#[derive(Serialize, Deserialize)]
struct OriginOnTheWay {
    origin: Known,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<By>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Known {
    Webhook,
    Direct,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum By {
    CatchUp,
    /// Written by a newer program.
    #[serde(other, skip_serializing)]
    Other,
}

impl From<OriginOnTheWay> for Origin {
    fn from(found: OriginOnTheWay) -> Self {
        match (found.origin, found.by) {
            (Known::Webhook, _) => Self::Webhook,
            (Known::Direct, Some(By::CatchUp)) => Self::CatchUp,
            (Known::Direct, Some(By::Other) | None) => Self::Direct,
        }
    }
}

impl From<Origin> for OriginOnTheWay {
    fn from(origin: Origin) -> Self {
        let (origin, by) = match origin {
            Origin::Webhook => (Known::Webhook, None),
            Origin::Direct => (Known::Direct, None),
            Origin::CatchUp => (Known::Direct, Some(By::CatchUp)),
        };
        Self { origin, by }
    }
}

impl Origin {
    /// The name used in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Direct => "direct",
            Self::CatchUp => "catch_up",
        }
    }
}

/// The vendor's event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// PagerDuty's id of the event; a direct start has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<EventId>,
    /// The event's type, an open set.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened, by the vendor's clock; compared only with other times of the same clock.
    pub occurred_at: Timestamp,
}

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// Start (or go on with) an escalation.
    Start(Start),
    /// The incident was resolved: what has not been written yet is not wanted any more.
    Resolved,
}

/// The particulars of a start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Which generation of the incident is meant.
    #[serde(flatten)]
    pub trigger: Trigger,
    /// How often an operator has replayed it. Part of a dead letter's id.
    #[serde(default)]
    pub cycle: u32,
    /// The incident's service, for the logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<ServiceId>,
    /// The conversation, where the sender knew it. A webhook never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// The agent, where the sender knew one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
}

/// Which generation of an incident a start means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "trigger", rename_all = "snake_case")]
pub enum Trigger {
    /// `incident.triggered` or a direct start: generation 0, however often and by whichever way it comes.
    First,
    /// `incident.reopened`: a generation of its own.
    Reopened {
        /// The event that reopened it; part of the key, so that a second delivery of it is the same generation.
        #[serde(rename = "reopened_by")]
        event: EventId,
    },
    /// Any other configured type: the running or finished generation if there is one, else generation 0.
    Current,
}

/// Why a message of the queue could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    /// Not our JSON.
    #[error("the message is not readable: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Written by a newer program.
    #[error("the message has version {0}, this program reads up to {VERSION}: upgrade the workers")]
    TooNew(u32),
}

impl Message {
    /// A message of the version that this program writes.
    #[must_use]
    pub fn new(
        incident_id: IncidentId,
        accepted_at: Timestamp,
        origin: Origin,
        lane: Lane,
        event: Event,
        task: Task,
    ) -> Self {
        Self {
            version: VERSION,
            incident_id,
            accepted_at,
            origin,
            lane,
            event,
            task,
        }
    }

    /// In which cycle it starts an escalation; 0 for what starts none.
    #[must_use]
    pub fn cycle(&self) -> u32 {
        match &self.task {
            Task::Start(start) => start.cycle,
            Task::Resolved => 0,
        }
    }

    /// The same, asking for this.
    #[must_use]
    pub fn asking(self, task: Task) -> Self {
        Self { task, ..self }
    }

    /// The bytes that travel.
    ///
    /// # Errors
    /// None in practice: every field is text, a number or a map with text keys.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads what came from the queue.
    ///
    /// # Errors
    /// [`Undecodable`], for bytes that are not ours or are newer than this program.
    pub fn decode(bytes: &[u8]) -> Result<Self, Undecodable> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_slice(bytes)?;
        if version > VERSION {
            return Err(Undecodable::TooNew(version));
        }
        Ok(serde_json::from_slice(bytes)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn start() -> Message {
        Message::new(
            IncidentId::parse("Q1").unwrap(),
            "2026-11-20T07:00:00.123Z".parse().unwrap(),
            Origin::Webhook,
            Lane::High,
            Event {
                id: Some(EventId::parse("01X").unwrap()),
                kind: "incident.reopened".into(),
                occurred_at: "2026-11-20T06:59:59Z".parse().unwrap(),
            },
            Task::Start(Start {
                trigger: Trigger::Reopened {
                    event: EventId::parse("01X").unwrap(),
                },
                cycle: 0,
                service_id: None,
                conversation_id: None,
                agent_id: None,
            }),
        )
    }

    /// Messages outlive the program that wrote them: the text of version 1 is pinned here.
    #[test]
    fn version_1_stays_readable() {
        let text = r#"{"version":1,"incident_id":"Q1","accepted_at":"2026-11-20T07:00:00.123Z","origin":"webhook","lane":"high","event":{"id":"01X","type":"incident.reopened","occurred_at":"2026-11-20T06:59:59Z"},"task":"start","trigger":"reopened","reopened_by":"01X","cycle":0}"#;
        assert_eq!(Message::decode(text.as_bytes()).unwrap(), start());
        assert_eq!(String::from_utf8(start().encode().unwrap()).unwrap(), text);
        let resolved = r#"{"version":1,"incident_id":"Q1","accepted_at":"2026-11-20T07:00:00Z","origin":"webhook","lane":"high","event":{"type":"incident.resolved","occurred_at":"2026-11-20T06:59:59Z"},"task":"resolved","a_later_field":1}"#;
        assert_eq!(
            Message::decode(resolved.as_bytes()).unwrap().task,
            Task::Resolved
        );
    }

    /// The way it came in is for the log. A reader of before there was a third way reads it as one of the two that it knows.
    #[test]
    fn an_incident_that_was_caught_up_with_is_readable_for_older_programs_and_an_unknown_way_for_this_one()
     {
        let message = Message {
            origin: Origin::CatchUp,
            ..start()
        };
        let text = String::from_utf8(message.encode().unwrap()).unwrap();
        assert!(
            text.contains(r#""origin":"direct","by":"catch_up""#),
            "{text}"
        );
        assert_eq!(Message::decode(text.as_bytes()).unwrap(), message);
        let newer = text.replace("catch_up", "a_later_way");
        assert_eq!(
            Message::decode(newer.as_bytes()).unwrap().origin,
            Origin::Direct
        );
    }

    #[test]
    fn a_newer_version_is_refused_by_its_number() {
        let error = Message::decode(br#"{"version":2,"shape":"unknown"}"#).unwrap_err();
        assert!(matches!(error, Undecodable::TooNew(2)));
    }
}
