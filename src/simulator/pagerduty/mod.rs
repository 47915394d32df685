//! PagerDuty's REST API: who may come in, what an error looks like, and reading incidents and alerts.

mod incidents;
mod notes;
mod subscriptions;

use std::time::Instant;

use hyper::Method;
use serde_json::json;

pub use self::subscriptions::Subscription;

use super::{
    config::Config,
    fault::Operation,
    incident::Incident,
    limit::Admission,
    reply::{Answer, Call, Route},
    state::State,
};

/// What the account may do in a minute, as the headers say it where no limit is set.
const DEFAULT_PER_MINUTE: u32 = 960;

/// What a method and path mean here.
pub(super) fn route(method: &Method, path: &str) -> Route {
    let segments: Vec<_> = path.split('/').skip(1).collect();
    match (method, segments.as_slice()) {
        (&Method::GET, ["abilities"]) => Route::to(Operation::PagerdutyAbilities, None),
        (&Method::GET, ["webhook_subscriptions"]) => {
            Route::to(Operation::PagerdutySubscriptions, None)
        }
        (&Method::POST, ["webhook_subscriptions"]) => {
            Route::to(Operation::PagerdutyCreateSubscription, None)
        }
        (&Method::POST, ["webhook_subscriptions", id, "enable"]) => {
            Route::to(Operation::PagerdutyEnableSubscription, Some(id))
        }
        (&Method::POST, ["webhook_subscriptions", id, "ping"]) => {
            Route::to(Operation::PagerdutyPingSubscription, Some(id))
        }
        (&Method::GET, ["incidents"]) => Route::to(Operation::PagerdutyListIncidents, None),
        (&Method::GET, ["incidents", id]) => Route::to(Operation::PagerdutyIncident, Some(id)),
        (&Method::GET, ["incidents", id, "alerts"]) => {
            Route::to(Operation::PagerdutyAlerts, Some(id))
        }
        (_, ["incidents", id, "notes"]) => match *method {
            Method::GET => Route::to(Operation::PagerdutyListNotes, Some(id)),
            Method::POST => Route::to(Operation::PagerdutyCreateNote, Some(id)),
            _ => Route::unknown(method, path),
        },
        (_, ["incidents", id, "notes", note]) => {
            let operation = match *method {
                Method::PUT => Operation::PagerdutyUpdateNote,
                Method::DELETE => Operation::PagerdutyDeleteNote,
                _ => return Route::unknown(method, path),
            };
            Route {
                note_id: Some((*note).to_owned()),
                ..Route::to(operation, Some(id))
            }
        }
        _ => Route::unknown(method, path),
    }
}

/// The headers that say how much of the minute is left, and 429 if nothing is.
pub(super) fn limit(
    state: &mut State,
    config: &Config,
) -> (Vec<(&'static str, String)>, Option<Answer>) {
    let allowed = config.pagerduty_per_minute.unwrap_or(DEFAULT_PER_MINUTE);
    let (remaining, reset_s, refused) = match state.pagerduty_limit.admit(Instant::now()) {
        Admission::Taken { remaining } => (remaining.unwrap_or(allowed as usize - 1), 60, None),
        Admission::Refused { retry_after_s } => (
            0,
            retry_after_s,
            Some(error(429, 2020, "Rate Limit Exceeded", &[])),
        ),
    };
    let headers = vec![
        ("ratelimit-limit", allowed.to_string()),
        ("ratelimit-remaining", remaining.to_string()),
        ("ratelimit-reset", reset_s.to_string()),
    ];
    (headers, refused)
}

/// Does what is asked, and answers.
pub(super) fn answer(state: &mut State, config: &Config, call: &Call) -> Answer {
    if !is_authorized(state, call) {
        return error(401, 2006, "Authentication failed", &[]);
    }
    let id = call.route.id.as_deref().unwrap_or_default();
    match call.route.operation {
        Operation::PagerdutyAbilities => Answer::json(
            200,
            json!({ "abilities": ["teams", "read_only_users", "urgencies"] }),
        ),
        Operation::PagerdutySubscriptions => subscriptions::list(state),
        Operation::PagerdutyCreateSubscription => subscriptions::create(state, call),
        Operation::PagerdutyEnableSubscription => subscriptions::enable(state, id),
        Operation::PagerdutyPingSubscription => subscriptions::ping(state, id),
        Operation::PagerdutyListIncidents => incidents::list(state, call),
        Operation::PagerdutyIncident => match state.incident(id) {
            Some(incident) => incidents::one(incident, config, call),
            None => not_found(),
        },
        Operation::PagerdutyAlerts => match state.incident(id) {
            Some(incident) => alerts_body(incident, config, call),
            None => not_found(),
        },
        Operation::PagerdutyListNotes => notes::list(state, id),
        Operation::PagerdutyCreateNote => notes::create(state, config, call, id),
        Operation::PagerdutyUpdateNote => notes::update(state, config, call, id),
        Operation::PagerdutyDeleteNote => notes::delete(state, call, id),
        Operation::GenesysToken
        | Operation::GenesysConversation
        | Operation::GenesysCreateSession
        | Operation::GenesysAttachMedia
        | Operation::GenesysOfferSession
        | Operation::Unknown => not_found(),
    }
}

/// `Token token=KEY`, precisely so, or a bearer token.
fn is_authorized(state: &State, call: &Call) -> bool {
    let given = call.header("authorization").unwrap_or_default();
    let key = given
        .strip_prefix("Token token=")
        .or_else(|| given.strip_prefix("Bearer "));
    key == Some(state.api_token.as_str())
}

fn error(status: u16, code: u32, message: &str, errors: &[&str]) -> Answer {
    let mut inner = json!({ "message": message, "code": code });
    if let (false, Some(fields)) = (errors.is_empty(), inner.as_object_mut()) {
        fields.insert("errors".to_owned(), json!(errors));
    }
    Answer::json(status, json!({ "error": inner }))
}

fn not_found() -> Answer {
    error(404, 2100, "Not Found", &[])
}

/// `limit` and `offset` of a list.
fn page(call: &Call) -> (usize, usize) {
    let number = |name: &str| {
        call.parameter(name)
            .and_then(|text| text.parse::<usize>().ok())
    };
    let limit = number("limit").unwrap_or(25).clamp(1, 100);
    (limit, number("offset").unwrap_or(0))
}

fn alerts_body(incident: &Incident, config: &Config, call: &Call) -> Answer {
    let (limit, offset) = page(call);
    let (alerts, more, total) = incident.alerts(offset, limit, config.hydration);
    let counted = call.has_parameter("total", "true");
    Answer::json(
        200,
        json!({
            "alerts": alerts, "limit": limit, "offset": offset, "more": more,
            "total": counted.then_some(total),
        }),
    )
}
