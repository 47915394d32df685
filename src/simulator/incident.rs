//! Incidents of PagerDuty, with their alerts, and where the alerts keep the custom details.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{clock::with_offset, ids::Ids};

/// What an incident is opened with.
#[derive(Debug, Clone)]
pub struct IncidentSpec {
    /// The conversation that it is about; `None` leaves the field out.
    pub conversation_id: Option<String>,
    /// The agent that it names; `None` leaves the field out.
    pub agent_id: Option<String>,
    /// How urgent it is.
    pub urgency: Urgency,
    /// The service that it is on.
    pub service_id: String,
    /// Its title.
    pub title: String,
    /// Where the two ids are found.
    pub details: Details,
    /// The name of the conversation's field.
    pub conversation_field: String,
    /// The name of the agent's field.
    pub agent_field: String,
    /// How long ago it was opened, by PagerDuty's clock. Its alerts hydrate from now on.
    pub opened_ago: Duration,
}

/// An incident's urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// Someone is woken up.
    High,
    /// It can wait.
    Low,
}

/// Where the custom details are to be found once the incident is hydrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Details {
    /// An object in `body.details`, and again in `body.cef_details.details`: what Events v2 gives.
    Object,
    /// The object as text in `body.details`; no `cef_details.details`.
    JsonString,
    /// Wrapped once more: `body.details.custom_details`.
    Nested,
    /// Only in `body.cef_details.details`.
    OnlyCef,
    /// In no alert, which never gets a body; only in the incident's own body, with the whole event.
    OnlyIncidentBody,
    /// Nowhere: the details hold other things.
    Missing,
    /// Nowhere: the one alert never gets a body, nor does the incident.
    NeverHydrated,
    /// Nowhere: an incident made by hand has no alert at all, an incident key, and text for a body.
    NoAlerts,
    /// So many alerts, of which only the last has the ids.
    SeveralAlerts(usize),
}

impl Default for IncidentSpec {
    fn default() -> Self {
        Self {
            conversation_id: None,
            agent_id: None,
            urgency: Urgency::High,
            service_id: "PSIMSVC".to_owned(),
            title: "Service level breached: Support".to_owned(),
            details: Details::Object,
            conversation_field: "conversation_id".to_owned(),
            agent_field: "agent_id".to_owned(),
            opened_ago: Duration::ZERO,
        }
    }
}

impl IncidentSpec {
    /// An incident about a conversation, as an Events v2 integration opens it.
    pub fn about(conversation_id: impl Into<String>) -> Self {
        Self {
            conversation_id: Some(conversation_id.into()),
            ..Self::default()
        }
    }

    /// The same, naming an agent.
    pub fn about_agent(conversation_id: impl Into<String>, agent_id: impl Into<String>) -> Self {
        Self {
            agent_id: Some(agent_id.into()),
            ..Self::about(conversation_id)
        }
    }

    fn custom_details(&self, with_ids: bool) -> Value {
        let mut details = Map::new();
        details.insert("queue".to_owned(), json!("Support"));
        details.insert("service_level".to_owned(), json!("80/20"));
        let ids = [
            (&self.conversation_field, &self.conversation_id),
            (&self.agent_field, &self.agent_id),
        ];
        for (field, id) in ids {
            if let (true, Some(id)) = (with_ids, id) {
                details.insert(field.clone(), json!(id));
            }
        }
        Value::Object(details)
    }
}

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Triggered,
    Acknowledged,
    Resolved,
}

/// One incident as PagerDuty holds it.
pub(super) struct Incident {
    pub(super) id: String,
    pub(super) number: u64,
    pub(super) spec: IncidentSpec,
    pub(super) key: Option<String>,
    pub(super) status: Status,
    pub(super) created: Timestamp,
    pub(super) changed: Timestamp,
    pub(super) reopened: Option<Timestamp>,
    pub(super) live_notes: usize,
    opened: Instant,
    log_entry_id: String,
    routing_key: String,
    alerts: Vec<Alert>,
}

struct Alert {
    id: String,
    key: String,
    has_ids: bool,
}

/// How much of an incident can be read by now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hydration {
    NoAlerts,
    NoBody,
    Whole,
}

impl Incident {
    pub(super) fn open(id: String, number: u64, spec: IncidentSpec, ids: &mut Ids) -> Self {
        let (count, with_ids_from) = match spec.details {
            Details::Object | Details::JsonString | Details::Nested | Details::OnlyCef => (1, 0),
            Details::OnlyIncidentBody | Details::Missing | Details::NeverHydrated => (1, 1),
            Details::NoAlerts => (0, 0),
            Details::SeveralAlerts(count) => (count, count.saturating_sub(1)),
        };
        let alerts = (0..count).map(|at| Alert {
            id: ids.incident(),
            key: ids.hex(64),
            has_ids: at >= with_ids_from,
        });
        let alerts = alerts.collect();
        let now = Timestamp::now();
        let now = now.checked_sub(spec.opened_ago).unwrap_or(now);
        Self {
            id,
            number,
            key: (spec.details == Details::NoAlerts).then(|| ids.hex(32)),
            spec,
            status: Status::Triggered,
            created: now,
            changed: now,
            reopened: None,
            live_notes: 0,
            opened: Instant::now(),
            log_entry_id: ids.log_entry(),
            routing_key: ids.hex(32),
            alerts,
        }
    }

    fn hydration(&self, whole_after: Duration) -> Hydration {
        let age = self.opened.elapsed();
        let never = match self.spec.details {
            Details::NeverHydrated | Details::OnlyIncidentBody => true,
            Details::Object
            | Details::JsonString
            | Details::Nested
            | Details::OnlyCef
            | Details::Missing
            | Details::NoAlerts
            | Details::SeveralAlerts(_) => false,
        };
        if age * 3 < whole_after {
            Hydration::NoAlerts
        } else if age < whole_after || never {
            Hydration::NoBody
        } else {
            Hydration::Whole
        }
    }

    /// One page of `GET /incidents/{id}/alerts`: the alerts, whether there are more, and how many in all.
    pub(super) fn alerts(
        &self,
        offset: usize,
        limit: usize,
        whole_after: Duration,
    ) -> (Vec<Value>, bool, usize) {
        let hydration = self.hydration(whole_after);
        let known = if hydration == Hydration::NoAlerts {
            &[][..]
        } else {
            self.alerts.as_slice()
        };
        let page = known.iter().skip(offset).take(limit);
        let page = page.map(|alert| self.alert(alert, hydration == Hydration::Whole));
        (
            page.collect(),
            known.len() > offset.saturating_add(limit),
            known.len(),
        )
    }

    fn alert(&self, alert: &Alert, whole: bool) -> Value {
        let mut body = json!({
            "id": alert.id,
            "type": "alert",
            "summary": self.spec.title,
            "self": format!("https://api.pagerduty.com/alerts/{}", alert.id),
            "html_url": format!("https://simulated.pagerduty.com/alerts/{}", alert.id),
            "created_at": with_offset(self.created),
            "status": if self.status == Status::Resolved { "resolved" } else { "triggered" },
            "resolved_at": null,
            "alert_key": alert.key,
            "suppressed": false,
            "service": self.service(),
            "severity": "critical",
            "incident": self.reference(),
            "first_trigger_log_entry": self.log_entry(),
            "integration": null,
            "privilege": null,
        });
        if let (true, Some(fields)) = (whole, body.as_object_mut()) {
            fields.insert("body".to_owned(), self.alert_body(alert));
        }
        body
    }

    fn alert_body(&self, alert: &Alert) -> Value {
        let plain = self.spec.custom_details(alert.has_ids);
        let (details, cef) = match self.spec.details {
            Details::JsonString => (Value::String(plain.to_string()), Value::Null),
            Details::Nested => {
                let wrapped = json!({ "custom_details": plain });
                (wrapped.clone(), wrapped)
            }
            Details::OnlyCef => (Value::Null, plain),
            Details::Object
            | Details::OnlyIncidentBody
            | Details::Missing
            | Details::NeverHydrated
            | Details::NoAlerts
            | Details::SeveralAlerts(_) => (plain.clone(), plain),
        };
        json!({
            "type": "alert_body",
            "contexts": [],
            "details": details,
            "cef_details": {
                "client": "Genesys Cloud",
                "contexts": [],
                "dedup_key": alert.key,
                "description": self.spec.title,
                "details": cef,
                "severity": "critical",
                "source_origin": "genesys",
            },
        })
    }

    /// What `include[]=body` adds: for an event the whole of it, with its routing key, which is a credential.
    pub(super) fn body(&self, whole_after: Duration) -> Value {
        if self.opened.elapsed() < whole_after {
            return Value::Null;
        }
        match self.spec.details {
            Details::NeverHydrated => Value::Null,
            Details::NoAlerts => json!({ "type": "incident_body", "details": "made by hand" }),
            Details::Object
            | Details::JsonString
            | Details::Nested
            | Details::OnlyCef
            | Details::OnlyIncidentBody
            | Details::Missing
            | Details::SeveralAlerts(_) => {
                let with_ids = self.spec.details != Details::Missing;
                json!({ "type": "incident_body", "details": {
                    "routing_key": self.routing_key,
                    "event_action": "trigger",
                    "dedup_key": self.alerts.first().map(|alert| alert.key.as_str()),
                    "client": "Genesys Cloud",
                    "payload": {
                        "summary": self.spec.title, "source": "genesys", "severity": "critical",
                        "custom_details": self.spec.custom_details(with_ids),
                    },
                }})
            }
        }
    }

    pub(super) fn routing_key(&self) -> &str {
        &self.routing_key
    }

    pub(super) fn service(&self) -> Value {
        reference("service", "services", &self.spec.service_id, "Support")
    }

    pub(super) fn reference(&self) -> Value {
        reference(
            "incident",
            "incidents",
            &self.id,
            &format!("[#{}] {}", self.number, self.spec.title),
        )
    }

    /// Moves to the status that an event of this type leaves behind; most leave it alone.
    pub(super) fn become_after(&mut self, event_type: &str) {
        self.changed = Timestamp::now();
        match event_type {
            "incident.acknowledged" => self.status = Status::Acknowledged,
            "incident.resolved" => self.status = Status::Resolved,
            "incident.unacknowledged" => self.status = Status::Triggered,
            "incident.reopened" => {
                self.status = Status::Triggered;
                self.reopened = Some(self.changed);
            }
            _ => {}
        }
    }

    pub(super) fn log_entry(&self) -> Value {
        json!({
            "id": self.log_entry_id, "type": "trigger_log_entry_reference",
            "summary": "Triggered through the API.",
            "self": format!("https://api.pagerduty.com/log_entries/{}", self.log_entry_id),
            "html_url": null,
        })
    }

    pub(super) fn alert_count(&self) -> usize {
        self.alerts.len()
    }
}

/// A reference as PagerDuty writes them everywhere.
pub(super) fn reference(kind: &str, path: &str, id: &str, summary: &str) -> Value {
    json!({
        "id": id,
        "type": format!("{kind}_reference"),
        "summary": summary,
        "self": format!("https://api.pagerduty.com/{path}/{id}"),
        "html_url": format!("https://simulated.pagerduty.com/{path}/{id}"),
    })
}
