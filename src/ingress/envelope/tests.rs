#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

use super::*;
use serde_json::json;

mod properties;

fn filter() -> Filter {
    Filter {
        events: [
            "incident.triggered",
            "incident.reopened",
            "incident.escalated",
            "incident.responder.added",
        ]
        .map(str::to_owned)
        .into(),
        ..Filter::default()
    }
}

fn webhook(event_type: &str, data: Value) -> Value {
    json!({"event": {
        "id": "01BZYK8N47N5JG55J1EEEHPEJI", "event_type": event_type, "resource_type": "incident",
        "occurred_at": "2026-11-20T03:00:00.123Z", "agent": null, "client": null, "data": data
    }})
}

fn incident(urgency: &str) -> Value {
    json!({"id": "Q1", "type": "incident", "incident_key": null, "urgency": urgency,
        "service": {"id": "PSERVICE", "type": "service_reference"}, "conference_bridge": {"conference_number": 1000}})
}

fn read_with(filter: &Filter, body: &Value) -> Result<Read, String> {
    read(body.to_string().as_bytes(), filter, Timestamp::UNIX_EPOCH)
}

fn work(body: &Value) -> Message {
    match read_with(&filter(), body).unwrap().meaning {
        Meaning::Work(message) => *message,
        other => panic!("{other:?}"),
    }
}

fn trigger_of(message: &Message) -> &Trigger {
    match &message.task {
        Task::Start(start) => &start.trigger,
        Task::Resolved => panic!("a resolution"),
    }
}

#[test]
fn a_trigger_starts_the_first_generation_in_the_lane_of_its_urgency() {
    let message = work(&webhook("incident.triggered", incident("low")));
    assert_eq!(message.lane, Lane::Normal);
    assert_eq!(trigger_of(&message), &Trigger::First);
    assert_eq!(message.incident_id.as_str(), "Q1");
    assert_eq!(
        message.event.occurred_at,
        "2026-11-20T03:00:00.123Z".parse().unwrap()
    );
    assert_eq!(
        work(&webhook("incident.triggered", incident("high"))).lane,
        Lane::High
    );
}

#[test]
fn a_reopening_is_a_generation_of_its_own_and_other_types_mean_the_running_one() {
    let reopened = work(&webhook("incident.reopened", incident("high")));
    assert!(
        matches!(trigger_of(&reopened), Trigger::Reopened { event } if event.as_str() == "01BZYK8N47N5JG55J1EEEHPEJI")
    );
    let escalated = work(&webhook("incident.escalated", incident("high")));
    assert_eq!(trigger_of(&escalated), &Trigger::Current);
}

#[test]
fn the_incident_is_found_where_data_only_names_it() {
    let body = webhook(
        "incident.responder.added",
        json!({"type": "incident_responder", "incident": {"id": "Q2"}, "user": {"id": "P1"}}),
    );
    assert_eq!(work(&body).incident_id.as_str(), "Q2");
    let body = webhook(
        "incident.responder.added",
        json!({"type": "incident_role_assignment", "incident_role_assignments": [
            {"role": {"id": "P2"}, "incident": {"id": "Q3"}}
        ]}),
    );
    assert_eq!(work(&body).incident_id.as_str(), "Q3");
}

#[test]
fn a_resolution_always_counts_and_takes_the_fast_lane() {
    let filter = Filter {
        events: ["incident.triggered".to_owned()].into(),
        services: ["OTHER".to_owned()].into(),
        urgencies: ["high".to_owned()].into(),
    };
    let read = read_with(&filter, &webhook("incident.resolved", incident("low"))).unwrap();
    assert!(
        matches!(read.meaning, Meaning::Work(m) if m.task == Task::Resolved && m.lane == Lane::High)
    );
}

#[test]
fn what_needs_no_work_is_ignored_however_little_it_carries() {
    for body in [
        webhook("pagey.ping", json!({"type": "ping", "message": "Hello"})),
        webhook(
            "incident.annotated",
            json!({"type": "incident_note", "incident": {"id": "Q1"}}),
        ),
        webhook("incident.of_next_year", Value::Null),
        json!({"event": {"event_type": "service.updated"}}),
        json!({"event": {"event_type": "incident.workflow.completed", "id": 12345678901234567890_u64, "occurred_at": 1}}),
    ] {
        let read = read_with(&filter(), &body).unwrap();
        assert!(matches!(read.meaning, Meaning::Ignored), "{body}");
    }
}

#[test]
fn filters_admit_what_is_known_to_match() {
    let only = |services: &[&str], urgencies: &[&str]| Filter {
        services: services.iter().map(|s| (*s).to_owned()).collect(),
        urgencies: urgencies.iter().map(|s| (*s).to_owned()).collect(),
        ..filter()
    };
    let body = webhook("incident.triggered", incident("high"));
    for (filter, admitted) in [
        (only(&["PSERVICE"], &[]), true),
        (only(&["OTHER"], &[]), false),
        (only(&[], &["high"]), true),
        (only(&[], &["low"]), false),
        (only(&["PSERVICE"], &["low"]), false),
    ] {
        let read = read_with(&filter, &body).unwrap();
        assert_eq!(matches!(read.meaning, Meaning::Work(_)), admitted);
    }
    let without = webhook(
        "incident.triggered",
        json!({"id": "Q1", "type": "incident"}),
    );
    let read = read_with(&only(&["PSERVICE"], &[]), &without).unwrap();
    assert!(matches!(read.meaning, Meaning::Filtered));
}

#[test]
fn a_start_that_cannot_be_understood_says_what_is_missing_and_quotes_nothing() {
    let mut no_time = webhook("incident.triggered", incident("high"));
    no_time["event"]["occurred_at"] = json!("yesterday <secret>");
    let mut no_event = webhook("incident.reopened", incident("high"));
    no_event["event"]["id"] = Value::Null;
    for (body, words) in [
        ("".to_owned(), "not a V3 webhook"),
        ("[1,2]".to_owned(), "not a V3 webhook"),
        (
            r#"{"messages":[{"event":"incident.trigger"}]}"#.to_owned(),
            "not a V3 webhook",
        ),
        ("[".repeat(10_000), "not a V3 webhook"),
        (
            r#"{"event":["service.updated","<secret>"]}"#.to_owned(),
            "it has no event",
        ),
        (r#"{"event":{"id":"<secret>"}}"#.to_owned(), "no type"),
        (
            webhook("incident.triggered", json!({"type": "incident"})).to_string(),
            "without an incident's id",
        ),
        (
            webhook(
                "incident.triggered",
                json!({"type": "incident", "id": "../<secret>"}),
            )
            .to_string(),
            "without an incident's id",
        ),
        (no_time.to_string(), "without the time"),
        (no_event.to_string(), "without the event's id"),
    ] {
        let error = read(body.as_bytes(), &filter(), Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(error.contains(words), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}
