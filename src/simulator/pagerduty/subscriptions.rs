//! `/webhook_subscriptions`: list, create, enable, ping.

use std::fmt;

use serde_json::{Map, Value, json};

use super::{error, not_found};
use crate::simulator::{
    reply::{Answer, Call},
    state::State,
    webhook::Webhook,
};

/// So many may be for one service, one team or the account.
const AT_MOST: usize = 10;

/// A webhook subscription of the account.
#[derive(Clone)]
pub struct Subscription {
    /// Where it sends to.
    pub url: String,
    /// The event types that it sends.
    pub events: Vec<String>,
    /// Switched on by its owner.
    pub active: bool,
    /// Switched off by PagerDuty for a day, after three refusals in a row.
    pub temporarily_disabled: bool,
    /// Only incidents of this service; `None`: of the whole account, or a team.
    pub service_id: Option<String>,
    /// Only incidents of this team; `None`: of the whole account, or a service.
    pub team_id: Option<String>,
    /// What it signs with; `None`: what all webhooks here are signed with.
    pub secret: Option<String>,
}

impl fmt::Debug for Subscription {
    /// Without its secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("url", &self.url)
            .field("events", &self.events)
            .field("active", &self.active)
            .field("temporarily_disabled", &self.temporarily_disabled)
            .field("service_id", &self.service_id)
            .field("team_id", &self.team_id)
            .finish_non_exhaustive()
    }
}

impl Subscription {
    /// One that sends everything an escalation needs.
    pub fn to(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            events: [
                "incident.triggered",
                "incident.reopened",
                "incident.resolved",
            ]
            .map(str::to_owned)
            .to_vec(),
            active: true,
            temporarily_disabled: false,
            service_id: None,
            team_id: None,
            secret: None,
        }
    }
}

pub(super) fn list(state: &State) -> Answer {
    let all: Vec<Value> = state
        .subscriptions
        .iter()
        .zip(1..)
        .map(|(subscription, number)| body(subscription, number, None))
        .collect();
    Answer::json(
        200,
        json!({
            "webhook_subscriptions": all, "limit": 100, "offset": 0, "more": false, "total": null,
        }),
    )
}

pub(super) fn create(state: &mut State, call: &Call) -> Answer {
    let mut made = match wanted(call) {
        Ok(wanted) => wanted,
        Err(why) => return error(400, 2001, "Invalid Input Provided", &[why]),
    };
    let of_its_own = state
        .subscriptions
        .iter()
        .filter(|one| (&one.service_id, &one.team_id) == (&made.service_id, &made.team_id));
    if of_its_own.count() >= AT_MOST {
        let limit = "You have reached the limit of webhook subscriptions for this filter";
        return error(400, 2019, "Product limit reached", &[limit]);
    }
    let secret = state.ids.hex(64);
    made.secret = Some(secret.clone());
    let number = state.subscriptions.len() + 1;
    let answer = body(&made, number, Some(&secret));
    state.subscriptions.push(made);
    Answer::json(200, json!({ "webhook_subscription": answer }))
}

/// What a request to create one asks for.
fn wanted(call: &Call) -> Result<Subscription, &'static str> {
    let request: Value = match call.is("application/json") {
        true => serde_json::from_slice(&call.body).unwrap_or_default(),
        false => Value::Null,
    };
    let wanted = request
        .get("webhook_subscription")
        .and_then(Value::as_object)
        .ok_or("webhook_subscription must be a Hash")?;
    let text = |map: &Map<String, Value>, key: &str| {
        map.get(key).and_then(Value::as_str).map(str::to_owned)
    };
    if text(wanted, "type").as_deref() != Some("webhook_subscription") {
        return Err("type is not included in the list");
    }
    let method = wanted.get("delivery_method").and_then(Value::as_object);
    let method = method.ok_or("delivery_method must be a Hash")?;
    if text(method, "type").as_deref() != Some("http_delivery_method") {
        return Err("delivery_method.type is not included in the list");
    }
    let url = text(method, "url").ok_or("delivery_method.url cannot be empty")?;
    let events = wanted.get("events").and_then(Value::as_array);
    let events: Vec<_> = events
        .into_iter()
        .flatten()
        .filter_map(|event| event.as_str().map(str::to_owned))
        .collect();
    if events.is_empty() {
        return Err("events cannot be empty");
    }
    let filter = wanted.get("filter").and_then(Value::as_object);
    let filter = filter.ok_or("filter must be a Hash")?;
    let (service_id, team_id) = match (text(filter, "type").as_deref(), text(filter, "id")) {
        (Some("account_reference"), None) => (None, None),
        (Some("service_reference"), Some(id)) => (Some(id), None),
        (Some("team_reference"), Some(id)) => (None, Some(id)),
        _ => return Err("filter is not valid"),
    };
    Ok(Subscription {
        events,
        service_id,
        team_id,
        ..Subscription::to(url)
    })
}

pub(super) fn enable(state: &mut State, id: &str) -> Answer {
    match numbered(state, id) {
        Some((number, subscription)) => {
            subscription.temporarily_disabled = false;
            Answer::json(
                200,
                json!({ "webhook_subscription": body(subscription, number, None) }),
            )
        }
        None => not_found(),
    }
}

/// The answer says that it will be sent, not that it arrived.
pub(super) fn ping(state: &mut State, id: &str) -> Answer {
    let Some((_, subscription)) = numbered(state, id) else {
        return not_found();
    };
    let (url, secret) = (subscription.url.clone(), subscription.secret.clone());
    let secret = secret.unwrap_or_else(|| state.webhook_secret.clone());
    let webhook = Webhook::ping(&secret, &mut state.ids);
    state.outbox.push((url, webhook));
    Answer::empty(202)
}

fn numbered<'a>(state: &'a mut State, id: &str) -> Option<(usize, &'a mut Subscription)> {
    let mut all = (1..).zip(&mut state.subscriptions);
    all.find(|(number, _)| id_of(*number) == id)
}

fn id_of(number: usize) -> String {
    format!("PSUB{number:03}")
}

fn body(subscription: &Subscription, number: usize, secret: Option<&str>) -> Value {
    json!({
        "id": id_of(number),
        "type": "webhook_subscription",
        "active": subscription.active,
        "description": "",
        "delivery_method": {
            "id": format!("PDEL{number:03}"),
            "secret": secret,
            "temporarily_disabled": subscription.temporarily_disabled,
            "type": "http_delivery_method",
            "url": subscription.url,
            "custom_headers": [],
        },
        "events": subscription.events,
        "filter": match (&subscription.service_id, &subscription.team_id) {
            (Some(id), _) => json!({ "id": id, "type": "service_reference" }),
            (None, Some(id)) => json!({ "id": id, "type": "team_reference" }),
            (None, None) => json!({ "type": "account_reference" }),
        },
    })
}
