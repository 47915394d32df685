//! `GET /incidents/{id}/alerts`: where an incident says which conversation it is about.
//!
//! The webhook does not carry an alert's custom details. They are in the alert's body, which may be filled in a
//! moment after the incident was opened, and they come in several shapes: an object, a text that holds JSON, either
//! of them under `cef_details`, and either wrapped once more in `custom_details`.

use jiff::Timestamp;
use reqwest::Method;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::super::call::{CallError, Operation};
use super::{PagerDuty, PagerDutyConfig, details};
use crate::escalation::{Context, IncidentId};

/// PagerDuty would give 100. But each alert carries its details twice, and an answer of more than 4 MiB is not read: an incident
/// whose alerts are large would never be.
const PAGE: usize = 25;
/// An incident with more alerts than these pages hold names its conversation in the first of them, or not at all.
const MAX_PAGES: usize = 40;

/// What an incident's alerts say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alerts {
    /// This is what the incident is about.
    Found(Context),
    /// Every alert has its body, and none of the fields that are looked at holds a valid conversation id.
    NothingInThem,
    /// No conversation id so far, and an alert that has no body yet.
    NotHydrated,
    /// There is no alert.
    None,
}

/// A page of them. What has an odd shape in it is as good as not there: it must hide nothing else, and be waited for no longer
/// than an alert that never comes.
#[derive(Deserialize)]
struct AlertsAnswer {
    #[serde(default, deserialize_with = "list")]
    alerts: Vec<Alert>,
    #[serde(default)]
    more: Value,
}

/// An alert, as far as it matters.
#[derive(Deserialize)]
#[serde(from = "Value")]
struct Alert {
    created_at: Option<Timestamp>,
    /// Wherever its details stand, best first.
    details: Vec<Value>,
}

impl From<Value> for Alert {
    fn from(alert: Value) -> Self {
        let created_at = alert.get("created_at").and_then(Value::as_str);
        let places = ["/body/details", "/body/cef_details/details"];
        let details = places.into_iter().filter_map(|place| alert.pointer(place));
        Self {
            created_at: created_at.and_then(|time| time.parse().ok()),
            details: details.filter(|value| !value.is_null()).cloned().collect(),
        }
    }
}

fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Alert>, D::Error> {
    let mut alerts = Value::deserialize(deserializer)?;
    let items = alerts.as_array_mut().map(std::mem::take);
    Ok(items.into_iter().flatten().map(Alert::from).collect())
}

pub(super) async fn read(
    pagerduty: &PagerDuty,
    incident: &IncidentId,
) -> Result<Alerts, CallError> {
    let mut alerts = Vec::new();
    for page in 0..MAX_PAGES {
        let url = pagerduty.url(&["incidents", incident.as_str(), "alerts"]);
        let request = pagerduty.request(Method::GET, url).query(&[
            ("limit", PAGE.to_string()),
            ("offset", (page * PAGE).to_string()),
            ("sort_by", "created_at:asc".to_owned()),
        ]);
        let reply = pagerduty.call(Operation::ReadAlerts, request).await?;
        let answer: AlertsAnswer = reply.json()?;
        let more = answer.more == true && !answer.alerts.is_empty();
        alerts.extend(answer.alerts);
        let found = understand(&mut alerts, &pagerduty.config);
        if !more || matches!(found, Alerts::Found(_)) {
            return Ok(found);
        }
    }
    Ok(understand(&mut alerts, &pagerduty.config))
}

fn understand(alerts: &mut [Alert], config: &PagerDutyConfig) -> Alerts {
    alerts.sort_by_key(|alert| alert.created_at);
    let mut found: Option<Context> = None;
    let said = alerts.iter().flat_map(details_of);
    for said in said.filter_map(|details| details::context_in(&details, config)) {
        match &mut found {
            None => found = Some(said),
            Some(context) if context.conversation != said.conversation => context.ambiguous = true,
            Some(context) => context.agent = context.agent.take().or(said.agent),
        }
    }
    match found {
        Some(context) => Alerts::Found(context),
        None if alerts.is_empty() => Alerts::None,
        None if alerts.iter().all(|alert| !alert.details.is_empty()) => Alerts::NothingInThem,
        None => Alerts::NotHydrated,
    }
}

/// All the maps in which this alert may carry its fields, best first.
fn details_of(alert: &Alert) -> Vec<Map<String, Value>> {
    alert.details.iter().flat_map(details::maps_of).collect()
}

#[cfg(test)]
pub(super) mod tests;
