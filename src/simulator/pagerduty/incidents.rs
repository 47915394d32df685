//! `GET /incidents` and `GET /incidents/{id}`.

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::{error, page};
use crate::simulator::{
    clock::with_seconds,
    config::Config,
    incident::{Incident, Status, Urgency, reference},
    reply::{Answer, Call},
    state::State,
    webhook::user,
};

/// No list goes beyond this.
const CEILING: usize = 10_000;
/// The longest span that may be asked for, in days: six months.
const LONGEST_DAYS: i64 = 184;
/// The span of a list without one, in days.
const USUAL_DAYS: i64 = 30;

/// One page of those that fit.
pub(super) fn list(state: &State, call: &Call) -> Answer {
    let invalid = |why: &str| error(400, 2001, "Invalid Input Provided", &[why]);
    let (limit, offset) = page(call);
    if offset + limit > CEILING {
        return invalid("Offset must be less than or equal to 10000 minus the limit");
    }
    let Some((since, until)) = span(call) else {
        return invalid("The date range is not valid");
    };
    let fits = |name: &str, value: &str| {
        let mut asked = call.parameters(name).peekable();
        asked.peek().is_none() || asked.any(|one| one == value)
    };
    let mut found: Vec<&Incident> = state.incidents.values().collect();
    found.retain(|incident| {
        let created = seconds(incident.created);
        created >= seconds(since)
            && created < seconds(until).saturating_add(1)
            && fits("statuses[]", status(incident.status))
            && fits("service_ids[]", &incident.spec.service_id)
            && fits("urgencies[]", urgency(incident.spec.urgency))
    });
    found.sort_by_key(|incident| (incident.created, incident.number));
    if call.parameter("sort_by").as_deref() != Some("created_at:asc") {
        found.sort_by_key(|incident| incident.number);
    }
    let more = found.len() > offset + limit;
    let incidents: Vec<Value> = found
        .into_iter()
        .skip(offset)
        .take(limit)
        .map(whole)
        .collect();
    Answer::json(
        200,
        json!({
            "incidents": incidents, "limit": limit, "offset": offset, "more": more, "total": null,
        }),
    )
}

/// `since` and `until`, or the last month; `None`: not times, or too far apart.
fn span(call: &Call) -> Option<(Timestamp, Timestamp)> {
    let day = |days: i64| (days * 24).hours();
    let time = |name: &str| call.parameter(name).map(|text| text.parse().ok());
    let until = time("until").unwrap_or_else(|| Some(Timestamp::now()))?;
    let since = time("since").unwrap_or_else(|| until.checked_sub(day(USUAL_DAYS)).ok())?;
    let longest = since.checked_add(day(LONGEST_DAYS)).ok()?;
    (since <= until && until <= longest).then_some((since, until))
}

/// Times are told, and compared, in whole seconds.
fn seconds(time: Timestamp) -> i64 {
    time.as_second()
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Triggered => "triggered",
        Status::Acknowledged => "acknowledged",
        Status::Resolved => "resolved",
    }
}

fn urgency(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::High => "high",
        Urgency::Low => "low",
    }
}

/// One incident, with the event that opened it if that is asked for.
pub(super) fn one(incident: &Incident, config: &Config, call: &Call) -> Answer {
    let mut body = whole(incident);
    if let (true, Some(fields)) = (
        call.has_parameter("include[]", "body"),
        body.as_object_mut(),
    ) {
        fields.insert("body".to_owned(), incident.body(config.hydration));
    }
    Answer::json(200, json!({ "incident": body }))
}

fn whole(incident: &Incident) -> Value {
    let resolved = incident.status == Status::Resolved;
    let changed = with_seconds(incident.changed);
    let count = incident.alert_count();
    json!({
        "id": incident.id,
        "type": "incident",
        "summary": format!("[#{}] {}", incident.number, incident.spec.title),
        "self": format!("https://api.pagerduty.com/incidents/{}", incident.id),
        "html_url": format!("https://simulated.pagerduty.com/incidents/{}", incident.id),
        "incident_number": incident.number,
        "title": incident.spec.title,
        "description": incident.spec.title,
        "created_at": with_seconds(incident.created),
        "updated_at": changed,
        "status": incident.status,
        "incident_key": incident.key,
        "service": incident.service(),
        "assignments": if resolved {
            vec![]
        } else {
            vec![json!({ "at": with_seconds(incident.created), "assignee": user() })]
        },
        "assigned_via": "escalation_policy",
        "last_status_change_at": changed,
        "resolved_at": resolved.then_some(changed.as_str()),
        "first_trigger_log_entry": incident.log_entry(),
        "alert_counts": {
            "all": count,
            "triggered": if resolved { 0 } else { count },
            "resolved": if resolved { count } else { 0 },
        },
        "is_mergeable": true,
        "incident_type": { "name": "incident_default" },
        "escalation_policy":
            reference("escalation_policy", "escalation_policies", "PSIMPOL", "Support"),
        "teams": [],
        "impacted_services": [incident.service()],
        "pending_actions": [],
        "acknowledgements": [],
        "alert_grouping": null,
        "last_status_change_by": incident.service(),
        "priority": null,
        "resolve_reason": null,
        "incidents_responders": [],
        "responder_requests": [],
        "subscriber_requests": [],
        "urgency": incident.spec.urgency,
    })
}
