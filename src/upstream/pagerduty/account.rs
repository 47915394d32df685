//! What an account says of itself: is the credential good, and does it send us webhooks?

use reqwest::Method;
use serde::Deserialize;

use super::super::call::{CallError, Operation};
use super::PagerDuty;

const PAGE: usize = 100;
/// There are at most ten subscriptions per service, team or account.
const MAX_PAGES: usize = 20;

/// A webhook subscription, as far as it matters whether it sends us what we need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: String,
    /// Where it sends to.
    pub url: String,
    /// Switched on by its owner.
    pub active: bool,
    /// Switched off by PagerDuty for a day, after three refusals in a row.
    pub temporarily_disabled: bool,
    /// The event types that it sends.
    pub events: Vec<String>,
    /// The one service whose incidents it sends; `None`: an account's, or a team's.
    pub service: Option<String>,
    /// It sends a team's incidents only.
    pub of_a_team: bool,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    webhook_subscriptions: Vec<Body>,
    #[serde(default)]
    more: Option<bool>,
}

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
        let kind = body
            .filter
            .as_ref()
            .map(|f| f.kind.as_str())
            .unwrap_or_default();
        let of_a_team = kind == "team_reference";
        let service = if kind == "service_reference" {
            body.filter.and_then(|filter| filter.id)
        } else {
            None
        };
        Self {
            id: body.id,
            url: delivery.url,
            active: body.active != Some(false),
            temporarily_disabled: delivery.temporarily_disabled == Some(true),
            events: body.events,
            service,
            of_a_team,
        }
    }
}

/// The cheapest call that tells whether the key is good.
pub(super) async fn abilities(pagerduty: &PagerDuty) -> Result<(), CallError> {
    let url = pagerduty.url(&["abilities"]);
    let request = pagerduty.request(Method::GET, url);
    pagerduty
        .call(Operation::ReadAbilities, request)
        .await
        .map(|_| ())
}

pub(super) async fn subscriptions(pagerduty: &PagerDuty) -> Result<Vec<Subscription>, CallError> {
    let mut all = Vec::new();
    for page in 0..MAX_PAGES {
        let url = pagerduty.url(&["webhook_subscriptions"]);
        let request = pagerduty
            .request(Method::GET, url)
            .query(&[("limit", PAGE), ("offset", page * PAGE)]);
        let reply = pagerduty
            .call(Operation::ReadSubscriptions, request)
            .await?;
        let answer: Answer = reply.json()?;
        let more = answer.more == Some(true) && !answer.webhook_subscriptions.is_empty();
        all.extend(
            answer
                .webhook_subscriptions
                .into_iter()
                .map(Subscription::from),
        );
        if !more {
            break;
        }
    }
    Ok(all)
}
