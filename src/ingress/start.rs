//! The message that starts an escalation, whichever way its incident became known, and having it stored.

use jiff::Timestamp;
use std::time::{Duration, Instant};

use super::Filter;
use crate::broker::{Destination, Headers, Publication, PublishError, Publisher};
use crate::crash;
use crate::escalation::{
    Event, IncidentId, Lane, Message, Origin, ServiceId, Start, Task, Trigger,
};
use crate::telemetry::{Span, Telemetry, TraceContext};

/// The type of the event by which an incident begins.
const TRIGGERED: &str = "incident.triggered";

/// What starts an escalation.
pub(super) struct Starting {
    pub(super) incident: IncidentId,
    pub(super) origin: Origin,
    pub(super) event: Event,
    pub(super) trigger: Trigger,
    pub(super) service: Option<ServiceId>,
    pub(super) urgency: Option<String>,
}

impl Starting {
    /// The message, accepted now.
    pub(super) fn message(self, now: Timestamp) -> Message {
        Message::new(
            self.incident,
            now,
            self.origin,
            Lane::of_urgency(self.urgency.as_deref()),
            self.event,
            Task::Start(Start {
                trigger: self.trigger,
                cycle: 0,
                service_id: self.service,
                conversation_id: None,
                agent_id: None,
            }),
        )
    }
}

/// An incident that PagerDuty has, and of which no webhook is known.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The incident.
    pub incident: IncidentId,
    /// Its service.
    pub service: Option<ServiceId>,
    /// Its urgency, as PagerDuty writes it.
    pub urgency: Option<String>,
    /// When it was opened, by PagerDuty's clock.
    pub at: Timestamp,
}

/// The message that the incident's `incident.triggered` would have become: of the same key, so that it may still come.
/// `None`: the ingress would have let that event go.
#[must_use]
pub fn catch_up(opened: Opened, filter: &Filter, now: Timestamp) -> Option<Message> {
    let service = opened.service.as_ref().map(ServiceId::as_str);
    if !filter.admits(TRIGGERED, service, opened.urgency.as_deref()) {
        return None;
    }
    let starting = Starting {
        incident: opened.incident,
        origin: Origin::CatchUp,
        event: Event {
            id: None,
            kind: TRIGGERED.to_owned(),
            occurred_at: opened.at,
        },
        trigger: Trigger::First,
        service: opened.service,
        urgency: opened.urgency,
    };
    Some(starting.message(now))
}

/// Has a message stored in its lane, under this id of AMQP's, as a part of this trace. `Ok` once the broker has confirmed. Without a
/// trace the worker begins one, and decides whether it is recorded.
///
/// # Errors
/// [`PublishError`], by stage.
pub async fn publish(
    publisher: &Publisher,
    telemetry: &Telemetry,
    message: &Message,
    message_id: String,
    trace: Option<TraceContext>,
    within: Duration,
) -> Result<(), PublishError> {
    let body = message
        .encode()
        .map_err(|e| PublishError::NotSent(e.to_string()))?;
    let publication = Publication {
        to: Destination::Lane(message.lane),
        message_id,
        body,
        headers: Headers {
            code: None,
            traceparent: trace,
        },
    };
    send(
        publisher,
        telemetry,
        publication,
        message.lane.as_str(),
        within,
    )
    .await
}

pub(super) async fn send(
    publisher: &Publisher,
    telemetry: &Telemetry,
    mut publication: Publication,
    target: &'static str,
    within: Duration,
) -> Result<(), PublishError> {
    let to = publication.to.queue();
    let id = &publication.message_id;
    let span = publication
        .headers
        .traceparent
        .map(|parent| telemetry.send_begins(Some(parent), to, id, None));
    publication.headers.traceparent = span.as_ref().map(Span::context);
    crash::before("the ingress publishes");
    let began = Instant::now();
    let result = publisher.publish(&publication, within).await;
    crash::after("the ingress publishes");
    let outcome = PublishError::outcome(&result);
    telemetry.published(target, outcome, began.elapsed());
    if let Some(mut span) = span {
        span.sent(outcome);
    }
    result
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn opened() -> Opened {
        Opened {
            incident: IncidentId::parse("Q1").unwrap(),
            service: ServiceId::parse("PSVC").ok(),
            urgency: Some("low".to_owned()),
            at: Timestamp::from_second(1_000).unwrap(),
        }
    }

    fn filter(events: &[&str], services: &[&str], urgencies: &[&str]) -> Filter {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Filter {
            events: set(events),
            services: set(services),
            urgencies: set(urgencies),
        }
    }

    #[test]
    fn a_found_incident_is_the_first_generation_of_its_own_time_and_lane() {
        let now = Timestamp::from_second(9_000).unwrap();
        let message = catch_up(opened(), &filter(&[TRIGGERED], &["PSVC"], &["low"]), now).unwrap();
        assert_eq!(message.origin, Origin::CatchUp);
        assert_eq!(message.lane, Lane::Normal);
        assert_eq!(message.accepted_at, now);
        assert_eq!(message.event.occurred_at, opened().at);
        assert!(matches!(message.task, Task::Start(start) if start.trigger == Trigger::First));
    }

    #[test]
    fn what_the_ingress_would_let_go_is_not_caught_up_with() {
        for filter in [
            filter(&["incident.escalated"], &[], &[]),
            filter(&[TRIGGERED], &["POTHER"], &[]),
            filter(&[TRIGGERED], &[], &["high"]),
        ] {
            assert_eq!(catch_up(opened(), &filter, Timestamp::UNIX_EPOCH), None);
        }
    }
}
