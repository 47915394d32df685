//! `POST /escalations`: a direct start, for an Architect data action or a script that knows the conversation.
//!
//! It is the same escalation as the incident's webhook: same key, so whichever comes second finds the work done.

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Instant;

use super::{BODY_CAP, BUDGET, DIRECT_PATH, Ingress, RETRY_AFTER_SECONDS, traceparent};
use crate::escalation::{
    AgentId, ConversationId, Event, IncidentId, InvalidId, Lane, Message, Origin, Start, Task,
    Trigger,
};
use crate::listener::bears;
use crate::telemetry::TraceContext;

pub(super) async fn start(State(ingress): State<Arc<Ingress>>, request: Request<Body>) -> Response {
    let answer = answer(&ingress, request).await;
    let outcome = match answer.status() {
        StatusCode::ACCEPTED => "accepted",
        StatusCode::SERVICE_UNAVAILABLE => "not_stored",
        _ => "refused",
    };
    ingress.telemetry.started_directly(outcome);
    answer
}

async fn answer(ingress: &Ingress, request: Request<Body>) -> Response {
    let deadline = Instant::now() + BUDGET;
    let (parts, body) = request.into_parts();
    if !bears(&parts.headers, ingress.config.token.as_ref()) {
        return (
            StatusCode::UNAUTHORIZED,
            [(header::WWW_AUTHENTICATE, "Bearer")],
        )
            .into_response();
    }
    let parent = traceparent(&parts.headers);
    let mut span = ingress.telemetry.request_begins(DIRECT_PATH, parent);
    let (response, outcome, incident) = take(ingress, body, span.context(), deadline).await;
    let incident = incident.as_ref().map(IncidentId::as_str);
    span.answered(response.status().as_u16(), outcome, incident);
    response
}

/// The answer, what it comes to, and whom it is about, where that is known.
async fn take(
    ingress: &Ingress,
    body: Body,
    trace: TraceContext,
    deadline: Instant,
) -> (Response, &'static str, Option<IncidentId>) {
    let refused = |found: &[String]| (faults(found), "malformed", None);
    let collecting = Limited::new(body, BODY_CAP).collect();
    let body = match tokio::time::timeout_at(deadline.into(), collecting).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return refused(&["the body is too large or broke off".to_owned()]),
        Err(_) => return (unavailable("the body did not arrive in time"), "late", None),
    };
    let message = match read(&body, Timestamp::now()) {
        Ok(message) => message,
        Err(found) => return refused(&found),
    };
    let id = format!("direct-{}", message.incident_id);
    let left = deadline.saturating_duration_since(Instant::now());
    let (response, outcome) = match ingress.store(&message, id, trace, left).await {
        Ok(()) => (
            (
                StatusCode::ACCEPTED,
                axum::Json(json!({"outcome": "accepted"})),
            )
                .into_response(),
            "accepted",
        ),
        Err(reason) => (unavailable(&reason), "not_stored"),
    };
    (response, outcome, Some(message.incident_id))
}

fn faults(found: &[String]) -> Response {
    (
        StatusCode::BAD_REQUEST,
        axum::Json(json!({"faults": found})),
    )
        .into_response()
}

fn unavailable(reason: &str) -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, RETRY_AFTER_SECONDS)],
        axum::Json(json!({"outcome": "not_stored", "reason": reason})),
    )
        .into_response()
}

/// All faults are named at once.
fn read(body: &[u8], now: Timestamp) -> Result<Message, Vec<String>> {
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
        return Err(vec!["the body is not a JSON object".to_owned()]);
    };
    let mut found = Vec::new();
    let incident = id(&fields, "incident_id", true, IncidentId::parse, &mut found);
    let conversation = id(
        &fields,
        "conversation_id",
        true,
        ConversationId::parse,
        &mut found,
    );
    let agent = id(&fields, "agent_id", false, AgentId::parse, &mut found);
    let urgency = match fields.get("urgency") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text == "high" || text == "low" => Some(text.as_str()),
        Some(_) => {
            found.push("urgency: must be high or low".to_owned());
            None
        }
    };
    for name in fields.keys() {
        if !["incident_id", "conversation_id", "agent_id", "urgency"].contains(&name.as_str()) {
            found.push(
                "unknown field: give incident_id, conversation_id, agent_id, urgency".to_owned(),
            );
            break;
        }
    }
    match (incident, conversation) {
        (Some(incident), Some(conversation)) if found.is_empty() => Ok(Message::new(
            incident,
            now,
            Origin::Direct,
            Lane::of_urgency(urgency),
            Event {
                id: None,
                kind: "direct".to_owned(),
                occurred_at: now,
            },
            Task::Start(Start {
                trigger: Trigger::First,
                cycle: 0,
                service_id: None,
                conversation_id: Some(conversation),
                agent_id: agent,
            }),
        )),
        (Some(_) | None, _) => Err(found),
    }
}

fn id<T>(
    fields: &Map<String, Value>,
    name: &str,
    required: bool,
    parse: impl Fn(&str) -> Result<T, InvalidId>,
    found: &mut Vec<String>,
) -> Option<T> {
    match fields.get(name) {
        None | Some(Value::Null) => {
            if required {
                found.push(format!("{name}: is missing"));
            }
            None
        }
        Some(Value::String(text)) => parse(text)
            .map_err(|error| found.push(format!("{name}: {error}")))
            .ok(),
        Some(_) => {
            found.push(format!("{name}: must be a text"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_fault_is_named_at_once() {
        let faults = read(
            br#"{"conversation_id":"a/b","agent_id":7,"urgency":"medium","x":1}"#,
            Timestamp::UNIX_EPOCH,
        )
        .unwrap_err();
        for word in [
            "incident_id",
            "conversation_id",
            "agent_id",
            "urgency",
            "unknown field",
        ] {
            assert!(
                faults.iter().any(|fault| fault.contains(word)),
                "{word}: {faults:?}"
            );
        }
        assert!(read(b"[]", Timestamp::UNIX_EPOCH).is_err());
    }

    #[test]
    fn a_direct_start_is_the_first_generation_of_its_incident() {
        let message = read(
            br#"{"incident_id":"Q1","conversation_id":"c","urgency":"low"}"#,
            Timestamp::UNIX_EPOCH,
        )
        .unwrap();
        assert_eq!(message.lane, Lane::Normal);
        assert!(matches!(message.task, Task::Start(start) if start.trigger == Trigger::First));
    }
}
