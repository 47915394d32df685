//! `/webhook_subscriptions`: whether the account sends us webhooks, and having it do so.

use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;
use url::Url;

use super::super::call::{CallError, Operation};
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

#[derive(Deserialize)]
struct ListAnswer {
    #[serde(default)]
    webhook_subscriptions: Vec<Body>,
    #[serde(default)]
    more: Option<bool>,
}

#[derive(Deserialize)]
struct OneAnswer {
    webhook_subscription: Body,
}

// No `Debug`: one of them holds a secret.
#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    id: String,
    #[serde(default)]
    active: Option<bool>,
    #[serde(default)]
    delivery_method: Option<DeliveryMethod>,
    #[serde(default)]
    events: Vec<String>,
    #[serde(default)]
    filter: Option<Filter>,
}

#[derive(Deserialize, Default)]
struct DeliveryMethod {
    #[serde(default)]
    url: String,
    #[serde(default)]
    temporarily_disabled: Option<bool>,
    #[serde(default)]
    secret: Option<String>,
}

#[derive(Deserialize)]
struct Filter {
    #[serde(default)]
    id: Option<String>,
    #[serde(default, rename = "type")]
    kind: String,
}

impl From<Body> for Subscription {
    fn from(body: Body) -> Self {
        let delivery = body.delivery_method.unwrap_or_default();
        let scope = match body.filter {
            Some(Filter { id: Some(id), kind }) if kind == "service_reference" => {
                Scope::Service(id)
            }
            Some(Filter { id: Some(id), kind }) if kind == "team_reference" => Scope::Team(id),
            Some(_) | None => Scope::Account,
        };
        Self {
            id: body.id,
            url: without_password(&delivery.url),
            active: body.active != Some(false),
            temporarily_disabled: delivery.temporarily_disabled == Some(true),
            events: body.events,
            scope,
        }
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
        let more = answer.more == Some(true) && !answer.webhook_subscriptions.is_empty();
        let page = answer.webhook_subscriptions.into_iter();
        all.extend(page.map(Subscription::from));
        if !more {
            break;
        }
    }
    Ok(all)
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
    let reply = pagerduty.exchange(operation, request).await?;
    if reply.status.is_success() {
        let made = reply.json::<OneAnswer>()?.webhook_subscription;
        let secret = made.delivery_method.and_then(|delivery| delivery.secret);
        return Ok(Subscribed::Made {
            id: made.id,
            secret: secret.filter(|secret| !secret.is_empty()).map(Into::into),
        });
    }
    let error = pagerduty.gate.heed(errors::failure(operation, &reply));
    if let CallError::Refused { reason, .. } = &error
        && error_code(&reply.body) == Some(LIMIT_REACHED)
    {
        let reason = reason.clone();
        return Ok(Subscribed::LimitReached { reason });
    }
    Err(error)
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
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_subscription_is_read_without_the_password_of_its_address() {
        let body: Body = serde_json::from_value(json!({
            "id": "PSUB1", "events": ["incident.triggered"],
            "delivery_method": {"url": "https://me:hidden@host.example/webhooks/pagerduty", "secret": null},
            "filter": {"type": "team_reference", "id": "PTEAM"},
        }))
        .unwrap();
        let read = Subscription::from(body);
        assert_eq!(read.url, "https://host.example/webhooks/pagerduty");
        assert_eq!(read.scope, Scope::Team("PTEAM".into()));
        assert!(read.active && !read.temporarily_disabled);
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
