//! `/webhook_subscriptions`: whether the account sends us webhooks, and having it do so.

use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;
use url::Url;

use super::super::call::{CallError, Operation};
use super::super::http::Reply;
use super::super::lenient::{Field, Object};
use super::{PagerDuty, errors};
use crate::escalation::SubscriptionId;

const PAGE: usize = 100;
/// There are at most ten subscriptions per service, team or account.
const MAX_PAGES: usize = 20;
/// `error.code`: a limit of the product is reached; here, ten subscriptions for one service, team or account.
const LIMIT_REACHED: u64 = 2019;

/// Whose incidents a subscription sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The whole account's.
    Account,
    /// One service's.
    Service(String),
    /// One team's.
    Team(String),
}

impl Scope {
    fn filter(&self) -> Value {
        match self {
            Self::Account => json!({"type": "account_reference"}),
            Self::Service(id) => json!({"type": "service_reference", "id": id}),
            Self::Team(id) => json!({"type": "team_reference", "id": id}),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account => f.write_str("the whole account"),
            Self::Service(id) => write!(f, "service {id}"),
            Self::Team(id) => write!(f, "team {id}"),
        }
    }
}

/// A webhook subscription, as far as it matters whether it sends us what we need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: String,
    /// Where it sends to; without a user and a password, which an address may carry.
    pub url: String,
    /// Switched on by its owner.
    pub active: bool,
    /// Switched off by PagerDuty for a day, after three refusals in a row.
    pub temporarily_disabled: bool,
    /// The event types that it sends.
    pub events: Vec<String>,
    /// Whose incidents it sends.
    pub scope: Scope,
}

/// What became of the wish for a subscription, where PagerDuty said so.
#[derive(Debug)]
pub enum Subscribed {
    /// It is there.
    Made {
        /// Its id.
        id: String,
        /// What it signs with: told in this answer and never again. `None`: PagerDuty left it out.
        secret: Option<SecretString>,
    },
    /// There are as many as there may be for that service, team or account.
    LimitReached {
        /// PagerDuty's words.
        reason: String,
    },
}

/// The list has to be one: an answer without does not mean that there is none.
#[derive(Deserialize)]
struct ListAnswer {
    webhook_subscriptions: Vec<Field<Object<Body>>>,
    #[serde(default)]
    more: Field<bool>,
}

#[derive(Deserialize)]
struct OneAnswer {
    webhook_subscription: Body,
}

// No `Debug`: one of them holds a secret.
#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    id: Field<String>,
    #[serde(default)]
    active: Field<bool>,
    #[serde(default)]
    delivery_method: Field<Object<DeliveryMethod>>,
    #[serde(default)]
    events: Field<Vec<Field<String>>>,
    #[serde(default)]
    filter: Field<Object<Filter>>,
}

#[derive(Deserialize, Default)]
struct DeliveryMethod {
    #[serde(default)]
    url: Field<String>,
    #[serde(default)]
    temporarily_disabled: Field<bool>,
    #[serde(default)]
    secret: Field<String>,
}

#[derive(Deserialize)]
struct Filter {
    #[serde(default)]
    id: Field<String>,
    #[serde(default, rename = "type")]
    kind: Field<String>,
}

impl Body {
    /// `None`: it cannot be read whose incidents it sends, and it must not be taken for one that sends all.
    fn read(self) -> Option<Subscription> {
        let scope = match self.filter {
            Field::Absent => Scope::Account,
            Field::Foreign => return None,
            Field::Read(Object(filter)) => match filter.kind {
                Field::Read(kind) if kind == "service_reference" => {
                    Scope::Service(filter.id.read()?)
                }
                Field::Read(kind) if kind == "team_reference" => Scope::Team(filter.id.read()?),
                Field::Read(_) | Field::Absent => Scope::Account,
                Field::Foreign => return None,
            },
        };
        let delivery = self.delivery_method.read();
        let delivery = delivery.map_or_else(DeliveryMethod::default, |Object(delivery)| delivery);
        let events = self.events.read().unwrap_or_default();
        Some(Subscription {
            id: self.id.read().unwrap_or_default(),
            url: without_password(delivery.url.text().unwrap_or_default()),
            active: self.active != Field::Read(false),
            temporarily_disabled: delivery.temporarily_disabled == Field::Read(true),
            events: events.into_iter().filter_map(Field::read).collect(),
            scope,
        })
    }
}

fn without_password(address: &str) -> String {
    match Url::parse(address) {
        Ok(mut url) if !url.username().is_empty() || url.password().is_some() => {
            // They fail for addresses that cannot have either.
            let _ = (url.set_username(""), url.set_password(None));
            url.into()
        }
        Ok(_) | Err(_) => address.to_owned(),
    }
}

pub(super) async fn list(pagerduty: &PagerDuty) -> Result<Vec<Subscription>, CallError> {
    let mut all = Vec::new();
    for page in 0..MAX_PAGES {
        let url = pagerduty.url(&["webhook_subscriptions"]);
        let request = pagerduty
            .request(Method::GET, url)
            .query(&[("limit", PAGE), ("offset", page * PAGE)]);
        let reply = pagerduty
            .call(Operation::ReadSubscriptions, request)
            .await?;
        let answer: ListAnswer = reply.json()?;
        let more = answer.more == Field::Read(true) && !answer.webhook_subscriptions.is_empty();
        all.extend(readable(answer.webhook_subscriptions));
        if !more {
            break;
        }
    }
    Ok(all)
}

/// One of an odd shape is passed over: PagerDuty shows ours as it was told to make them.
fn readable(list: Vec<Field<Object<Body>>>) -> impl Iterator<Item = Subscription> {
    let list = list.into_iter().filter_map(Field::read);
    list.filter_map(|Object(body)| body.read())
}

pub(super) async fn create(
    pagerduty: &PagerDuty,
    url: &Url,
    scope: &Scope,
    events: &[&str],
) -> Result<Subscribed, CallError> {
    let operation = Operation::CreateSubscription;
    let at = pagerduty.url(&["webhook_subscriptions"]);
    let request = pagerduty
        .request(Method::POST, at)
        .json(&json!({"webhook_subscription": {
            "type": "webhook_subscription",
            "description": "Escalator",
            "delivery_method": {"type": "http_delivery_method", "url": url.as_str()},
            "events": events,
            "filter": scope.filter(),
        }}));
    let mut limit_reached = false;
    let failure = |reply: &Reply| {
        limit_reached = error_code(&reply.body) == Some(LIMIT_REACHED);
        errors::failure(operation, reply)
    };
    let answered = pagerduty.exchange(operation, request, failure).await;
    if let Ok(reply) = &answered {
        let made = reply.json::<OneAnswer>()?.webhook_subscription;
        let delivery = made.delivery_method.read();
        let secret = delivery.and_then(|Object(delivery)| delivery.secret.read());
        return Ok(Subscribed::Made {
            id: made.id.read().unwrap_or_default(),
            secret: secret.filter(|secret| !secret.is_empty()).map(Into::into),
        });
    }
    match answered.map(drop) {
        Err(CallError::Refused { reason, .. }) if limit_reached => {
            Ok(Subscribed::LimitReached { reason })
        }
        Err(error) => Err(error),
        Ok(()) => Err(CallError::unknown("an answer that is none")),
    }
}

fn error_code(body: &[u8]) -> Option<u64> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body.get("error")?.get("code")?.as_u64()
}

pub(super) async fn enable(
    pagerduty: &PagerDuty,
    subscription: &SubscriptionId,
) -> Result<(), CallError> {
    act(
        pagerduty,
        Operation::EnableSubscription,
        subscription,
        "enable",
    )
    .await
}

pub(super) async fn ping(
    pagerduty: &PagerDuty,
    subscription: &SubscriptionId,
) -> Result<(), CallError> {
    act(pagerduty, Operation::PingSubscription, subscription, "ping").await
}

/// A request without a body, whose answer's body is of no interest.
async fn act(
    pagerduty: &PagerDuty,
    operation: Operation,
    subscription: &SubscriptionId,
    what: &str,
) -> Result<(), CallError> {
    let url = pagerduty.url(&["webhook_subscriptions", subscription.as_str(), what]);
    let request = pagerduty.request(Method::POST, url);
    pagerduty.call(operation, request).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_subscription_is_read_without_the_password_of_its_address() {
        let body: Body = serde_json::from_value(json!({
            "id": "PSUB1", "events": ["incident.triggered"],
            "delivery_method": {"url": "https://me:hidden@host.example/webhooks/pagerduty", "secret": null},
            "filter": {"type": "team_reference", "id": "PTEAM"},
        }))
        .unwrap();
        let read = body.read().unwrap();
        assert_eq!(read.url, "https://host.example/webhooks/pagerduty");
        assert_eq!(read.scope, Scope::Team("PTEAM".into()));
        assert!(read.active && !read.temporarily_disabled);
    }

    #[test]
    fn a_subscription_of_an_odd_shape_hides_no_other_and_is_not_taken_for_the_whole_account_s() {
        let filter = |filter: Value| json!({"id": "PSUB0", "filter": filter});
        let good = json!({
            "id": "PSUB1", "active": "yes", "events": [7, "incident.triggered"], "delivery_method": {"url": 7},
            "filter": {"type": "account_reference", "id": 7},
        });
        let answer = json!({"webhook_subscriptions": [
            7, null, ["PSUB0"], filter(json!("account_reference")), filter(json!({"type": 7})),
            filter(json!({"type": "service_reference", "id": 7})), filter(json!({"type": "team_reference"})), good,
        ], "more": "no"});
        let answer: ListAnswer = serde_json::from_value(answer).unwrap();
        let read: Vec<_> = readable(answer.webhook_subscriptions).collect();
        assert_eq!(read.len(), 1, "{read:?}");
        assert_eq!(
            (read[0].id.as_str(), &read[0].scope),
            ("PSUB1", &Scope::Account)
        );
        assert_eq!(read[0].events, ["incident.triggered"]);
        assert!(serde_json::from_value::<ListAnswer>(json!({})).is_err());
    }

    #[test]
    fn what_was_made_does_not_show_its_secret() {
        let made = Subscribed::Made {
            id: "PSUB1".into(),
            secret: Some("hidden-secret".to_owned().into()),
        };
        assert!(!format!("{made:?}").contains("hidden-secret"));
    }
}
