//! PagerDuty's V3 envelope, as far as it decides what to do. The set of event types is open, most fields may be null
//! or absent, and nothing is asked of an event that needs no work.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Filter;
use super::start::Starting;
use crate::escalation::{
    Event, EventId, IncidentId, Lane, Message, Origin, ServiceId, Task, Trigger,
};

/// What a genuine webhook means to us.
#[derive(Debug)]
pub(super) enum Meaning {
    /// It is of a kind that needs no work.
    Ignored,
    /// It is of a kind that does, of an incident that does not.
    Filtered,
    /// This is to be done.
    Work(Box<Message>),
}

/// A genuine webhook, read as far as it could be.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) event_type: String,
    pub(super) incident: Option<IncidentId>,
    pub(super) event: Option<EventId>,
    pub(super) meaning: Meaning,
}

/// The part of the event that is looked at.
struct EventBody {
    event_type: String,
    id: Value,
    occurred_at: Value,
    data: Value,
}

/// Read as maps: serde would take an array for a struct as well, by position, and so take for an event of an unknown type
/// what is no event at all.
fn event(body: &[u8]) -> Result<EventBody, String> {
    let mut body: Map<String, Value> = serde_json::from_slice(body).map_err(|e| {
        format!(
            "not a V3 webhook ({:?} error at line {}, column {})",
            e.classify(),
            e.line(),
            e.column()
        )
    })?;
    let Some(Value::Object(mut event)) = body.remove("event") else {
        return Err("not a V3 webhook (it has no event)".to_owned());
    };
    let mut field = |name: &str| event.remove(name).unwrap_or_default();
    let Value::String(event_type) = field("event_type") else {
        return Err("not a V3 webhook (its event has no type)".to_owned());
    };
    Ok(EventBody {
        event_type,
        id: field("id"),
        occurred_at: field("occurred_at"),
        data: field("data"),
    })
}

/// Reads a body whose signature was found valid.
///
/// # Errors
/// What could not be understood, in words that quote nothing of the body.
pub(super) fn read(body: &[u8], filter: &Filter, now: Timestamp) -> Result<Read, String> {
    let event = event(body)?;
    let incident = incident_id(&event.data);
    let id = event.id.as_str().and_then(|id| EventId::parse(id).ok());
    let done = |meaning, incident, event_type| Read {
        event_type,
        incident,
        event: id.clone(),
        meaning,
    };
    let resolved = event.event_type == "incident.resolved";
    if !resolved && !filter.events.contains(&event.event_type) {
        return Ok(done(Meaning::Ignored, incident, event.event_type));
    }
    let service = text(&event.data, &["service", "id"]);
    let urgency = text(&event.data, &["urgency"]);
    if !resolved && !filter.admits(&event.event_type, service, urgency) {
        return Ok(done(Meaning::Filtered, incident, event.event_type));
    }
    let incident =
        incident.ok_or_else(|| format!("a {} without an incident's id", event.event_type))?;
    let occurred_at: Timestamp = event
        .occurred_at
        .as_str()
        .and_then(|time| time.parse().ok())
        .ok_or_else(|| format!("a {} without the time it occurred", event.event_type))?;
    let happened = Event {
        id: id.clone(),
        kind: event.event_type.clone(),
        occurred_at,
    };
    let message = if resolved {
        let task = Task::Resolved;
        Message::new(
            incident.clone(),
            now,
            Origin::Webhook,
            Lane::High,
            happened,
            task,
        )
    } else {
        let starting = Starting {
            incident: incident.clone(),
            origin: Origin::Webhook,
            trigger: trigger(&event.event_type, id.as_ref())?,
            event: happened,
            service: service.and_then(|id| ServiceId::parse(id).ok()),
            urgency: urgency.map(str::to_owned),
        };
        starting.message(now)
    };
    Ok(done(
        Meaning::Work(Box::new(message)),
        Some(incident),
        event.event_type,
    ))
}

fn trigger(event_type: &str, id: Option<&EventId>) -> Result<Trigger, String> {
    match event_type {
        "incident.triggered" => Ok(Trigger::First),
        "incident.reopened" => id
            .map(|event| Trigger::Reopened {
                event: event.clone(),
            })
            .ok_or_else(|| "an incident.reopened without the event's id".to_owned()),
        _ => Ok(Trigger::Current),
    }
}

/// `data` is the incident itself, or something that names it; a role assignment names it in each of its entries, all
/// of one incident.
fn incident_id(data: &Value) -> Option<IncidentId> {
    let id = match text(data, &["type"]) {
        Some("incident") => text(data, &["id"]),
        Some("incident_role_assignment") => {
            let assignments = data.get("incident_role_assignments")?.as_array()?;
            assignments
                .iter()
                .find_map(|assignment| text(assignment, &["incident", "id"]))
        }
        Some(_) | None => text(data, &["incident", "id"]),
    };
    IncidentId::parse(id?).ok()
}

fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    path.iter()
        .try_fold(value, |value, key| value.get(key))?
        .as_str()
}

#[cfg(test)]
mod tests;
