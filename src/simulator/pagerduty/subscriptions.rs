//! `GET /webhook_subscriptions`.

use serde_json::{Value, json};

use super::super::{reply::Answer, state::State};

/// A webhook subscription of the account.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// Where it sends to.
    pub url: String,
    /// The event types that it sends.
    pub events: Vec<String>,
    /// Switched on by its owner.
    pub active: bool,
    /// Switched off by PagerDuty for a day, after three refusals in a row.
    pub temporarily_disabled: bool,
    /// Only incidents of this service; `None`: of the whole account.
    pub service_id: Option<String>,
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
        }
    }
}

pub(super) fn list(state: &State) -> Answer {
    let all: Vec<Value> = state.subscriptions.iter().zip(1..).map(body).collect();
    Answer::json(
        200,
        json!({
            "webhook_subscriptions": all, "limit": 100, "offset": 0, "more": false, "total": null,
        }),
    )
}

fn body((subscription, number): (&Subscription, u32)) -> Value {
    json!({
        "id": format!("PSUB{number:03}"),
        "type": "webhook_subscription",
        "active": subscription.active,
        "description": "",
        "delivery_method": {
            "id": format!("PDEL{number:03}"),
            "secret": null,
            "temporarily_disabled": subscription.temporarily_disabled,
            "type": "http_delivery_method",
            "url": subscription.url,
            "custom_headers": [],
        },
        "events": subscription.events,
        "filter": match &subscription.service_id {
            Some(id) => json!({ "id": id, "type": "service_reference" }),
            None => json!({ "type": "account_reference" }),
        },
    })
}
