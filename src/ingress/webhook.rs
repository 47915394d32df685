//! `POST /webhooks/pagerduty`.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::envelope::{self, Meaning, Read};
use super::{BODY_CAP, BUDGET, Ingress, RETRY_AFTER_SECONDS, WEBHOOK_PATH, signature, traceparent};
use crate::escalation::{Code, DeadLetter, DeadLetterOrigin, EventId, IncidentId};
use crate::telemetry::{TraceContext, WebhookAnswered};

/// A UUID has 36 characters; PagerDuty does not promise that it is one.
const LONGEST_WEBHOOK_ID: usize = 128;

/// The longest type that is documented has 36 letters.
const EVENT_TYPE_TOLD: usize = 100;

/// The outcome of a webhook whose body did not arrive.
const LATE: &str = "late";

/// The answer, and what is told about it.
struct Answer {
    status: StatusCode,
    outcome: &'static str,
    event_type: Option<String>,
    incident: Option<IncidentId>,
    reason: Option<String>,
}

impl Answer {
    fn new(status: StatusCode, outcome: &'static str) -> Self {
        Self {
            status,
            outcome,
            event_type: None,
            incident: None,
            reason: None,
        }
    }

    fn because(self, reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..self
        }
    }

    /// A type is short; only what is told of a longer one is cut.
    fn about(self, mut event_type: String, incident: Option<IncidentId>) -> Self {
        event_type = event_type.chars().take(EVENT_TYPE_TOLD).collect();
        Self {
            event_type: Some(event_type),
            incident,
            ..self
        }
    }
}

pub(super) async fn receive(
    State(ingress): State<Arc<Ingress>>,
    request: Request<Body>,
) -> Response {
    let started = Instant::now();
    let _in_flight = ingress.telemetry.webhook_arrived();
    let (parts, body) = request.into_parts();
    let parent = traceparent(&parts.headers);
    let mut span = ingress.telemetry.request_begins(WEBHOOK_PATH, parent);
    let trace = span.context();
    let answer = handle(&ingress, &parts.headers, body, trace, started + BUDGET).await;
    let (status, incident) = (answer.status.as_u16(), answer.incident.as_ref());
    span.answered(status, answer.outcome, incident.map(IncidentId::as_str));
    if answer.status.is_client_error() || answer.outcome == LATE {
        // Whoever is not known does not decide what is recorded; its line in the log is enough. A body that did not come was
        // signed by nobody.
        span.forget();
    }
    ingress.telemetry.webhook_answered(&WebhookAnswered {
        outcome: answer.outcome,
        status: answer.status.as_u16(),
        event_type: answer.event_type.as_deref(),
        incident: answer.incident.as_ref().map(IncidentId::as_str),
        webhook: webhook_id(&parts.headers),
        trace: trace.trace_id(),
        reason: answer.reason.as_deref(),
        took: started.elapsed(),
    });
    let mut response = (
        answer.status,
        [(header::CONTENT_TYPE, "application/json")],
        format!("{{\"outcome\":\"{}\"}}\n", answer.outcome),
    )
        .into_response();
    if answer.status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(
            header::RETRY_AFTER,
            HeaderValue::from_static(RETRY_AFTER_SECONDS),
        );
    }
    response
}

async fn handle(
    ingress: &Ingress,
    headers: &HeaderMap,
    body: Body,
    trace: TraceContext,
    deadline: Instant,
) -> Answer {
    let values = headers.get_all(signature::HEADER);
    let Ok(signatures) = signature::signatures(values.iter().map(HeaderValue::as_bytes)) else {
        return Answer::new(StatusCode::BAD_REQUEST, "no_signature")
            .because("the signature header is missing or malformed");
    };
    let body = match read_body(body, deadline).await {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    if signature::verify(&signatures, &body, &ingress.config.webhook_secrets).is_err() {
        return Answer::new(StatusCode::FORBIDDEN, "bad_signature").because(
            "no signature matches; compare pagerduty.webhook_secrets with the subscription's",
        );
    }
    let now = Timestamp::now();
    match envelope::read(&body, &ingress.config.filter, now) {
        Ok(read) => act(ingress, read, trace, deadline).await,
        Err(reason) => bury(ingress, &body, reason, now, trace, deadline).await,
    }
}

/// PagerDuty's id of the webhook, for the log. Whoever sends the request sends this too, and it is told before anybody
/// knows who that is: so nothing that is not short and plain.
fn webhook_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get("x-webhook-id")?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (id.len() <= LONGEST_WEBHOOK_ID && id.bytes().all(plain)).then_some(id)
}

/// Reads the whole body, in time and within the cap.
async fn read_body(body: Body, deadline: Instant) -> Result<Bytes, Answer> {
    let late = || Answer::new(StatusCode::SERVICE_UNAVAILABLE, LATE);
    let too_large = || {
        Answer::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large")
            .because(format!("the body has more than {BODY_CAP} bytes"))
    };
    // A length that was announced need not be waited for.
    if body.size_hint().lower() > u64::try_from(BODY_CAP).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let collecting = Limited::new(body, BODY_CAP).collect();
    match tokio::time::timeout_at(deadline.into(), collecting).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(late().because("the body broke off")),
        Err(_) => Err(late().because("the body did not arrive in time")),
    }
}

async fn act(ingress: &Ingress, read: Read, trace: TraceContext, deadline: Instant) -> Answer {
    let answer = match read.meaning {
        Meaning::Ignored => Answer::new(StatusCode::ACCEPTED, "ignored"),
        Meaning::Filtered => Answer::new(StatusCode::ACCEPTED, "filtered"),
        Meaning::Work(message) => {
            let id = read
                .event
                .as_ref()
                .map(EventId::to_string)
                .unwrap_or_default();
            match ingress.store(&message, id, trace, left(deadline)).await {
                Ok(()) => Answer::new(StatusCode::ACCEPTED, "accepted"),
                Err(reason) => {
                    Answer::new(StatusCode::SERVICE_UNAVAILABLE, "not_stored").because(reason)
                }
            }
        }
    };
    answer.about(read.event_type, read.incident)
}

/// Genuine, and not understood: kept with its bytes where a person will find it.
async fn bury(
    ingress: &Ingress,
    body: &[u8],
    reason: String,
    now: Timestamp,
    trace: TraceContext,
    deadline: Instant,
) -> Answer {
    let code = Code::WebhookNotUnderstood;
    let letter = DeadLetter::of_bytes(body, code, reason.clone(), DeadLetterOrigin::Ingress, now);
    match ingress.store_dead(&letter, trace, left(deadline)).await {
        Ok(()) => {
            ingress.telemetry.dead_letter_written(code);
            Answer::new(StatusCode::ACCEPTED, "not_understood").because(reason)
        }
        Err(error) => Answer::new(StatusCode::SERVICE_UNAVAILABLE, "not_stored").because(error),
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
