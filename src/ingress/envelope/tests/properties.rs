//! Webhooks by chance: each ends as a message, as one that needs no work, or as a dead letter with its bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::super::*;
use crate::escalation::{Code, DeadLetter, DeadLetterOrigin};
use crate::tests::{Dice, Tally, for_each_case};

const STARTING: [&str; 4] = [
    "incident.triggered",
    "incident.reopened",
    "incident.escalated",
    "incident.role.assigned",
];

fn webhook(dice: &mut Dice) -> Value {
    let mut event = Map::new();
    let kind = dice.of(&[
        "incident.triggered",
        "incident.triggered",
        "incident.reopened",
        "incident.resolved",
        "incident.escalated",
        "incident.role.assigned",
        "incident.annotated",
        "pagey.ping",
        "service.updated",
        "incident.of_next_year",
    ]);
    event.insert("event_type".to_owned(), json!(kind));
    dice.field(&mut event, "id", |dice| match dice.below(8) {
        0 => json!(12_345_678_901_234_567_890_u64),
        1 => json!("no/id"),
        2 => json!("12345678901234567890123456789012345678"),
        _ => json!("01BZYK8N47N5JG55J1EEEHPEJI"),
    });
    dice.field(&mut event, "occurred_at", Dice::time);
    dice.field(&mut event, "agent", |dice| dice.junk(1));
    dice.field(&mut event, "client", |dice| dice.junk(1));
    dice.field(&mut event, "data", data);
    json!({ "event": event })
}

fn data(dice: &mut Dice) -> Value {
    let mut data = Map::new();
    dice.field(&mut data, "type", |dice| {
        json!(dice.of(&[
            "incident",
            "incident",
            "incident",
            "incident_note",
            "incident_role_assignment",
            "ping",
            "service",
        ]))
    });
    // Of anything but an incident it is the id of something else.
    dice.field(&mut data, "id", incident_id);
    dice.field(&mut data, "incident", reference);
    dice.field(&mut data, "incident_role_assignments", |dice| {
        dice.list(3, |dice| {
            let mut assignment = Map::new();
            dice.field(&mut assignment, "incident", reference);
            Value::Object(assignment)
        })
    });
    dice.field(&mut data, "service", |dice| {
        let mut service = Map::new();
        dice.field(&mut service, "id", |dice| {
            json!(dice.of(&["PMINE", "POTHER", "no/id"]))
        });
        Value::Object(service)
    });
    dice.field(&mut data, "urgency", |dice| {
        json!(dice.of(&["high", "low", "of_next_year"]))
    });
    dice.field(&mut data, "title", |dice| dice.junk(1));
    Value::Object(data)
}

fn reference(dice: &mut Dice) -> Value {
    let mut reference = Map::new();
    dice.field(&mut reference, "id", incident_id);
    Value::Object(reference)
}

fn incident_id(dice: &mut Dice) -> Value {
    json!(dice.of(&["Q1", "Q2", "Q2CKYRLH85UNN4", "../hush", ""]))
}

/// The bytes as they come in: mostly a webhook, now and then one that something happened to.
fn bytes(dice: &mut Dice) -> Vec<u8> {
    let mut body = webhook(dice);
    match dice.below(20) {
        0 | 1 => dice.spoil(&mut body),
        2 => {
            let mut bytes = body.to_string().into_bytes();
            bytes.truncate(dice.below(bytes.len()));
            return bytes;
        }
        3 => {
            return (0..dice.below(200))
                .map(|_| dice.below(256) as u8)
                .collect();
        }
        4 => return "[".repeat(dice.below(1_000)).into_bytes(),
        // By position the same, and no webhook.
        5 => {
            let event = body["event"].as_object().unwrap();
            body = json!({"event": event.values().collect::<Vec<_>>()});
        }
        6 => body = json!([body]),
        _ => {}
    }
    body.to_string().into_bytes()
}

fn filter(dice: &mut Dice) -> Filter {
    let some = |dice: &mut Dice, value: &str| {
        let chosen = dice.percent(25).then(|| value.to_owned());
        chosen.into_iter().collect()
    };
    Filter {
        events: STARTING.map(str::to_owned).into(),
        services: some(dice, "PMINE"),
        urgencies: some(dice, "high"),
    }
}

/// What has to become of it, told in the plainest way.
#[derive(Debug, PartialEq)]
enum Expected {
    Dead,
    Ignored,
    Filtered,
    Work {
        incident: String,
        resolved: bool,
        high: bool,
    },
}

fn expected(bytes: &[u8], filter: &Filter) -> Expected {
    let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let (event, data) = (&body["event"], &body["event"]["data"]);
    let Some(kind) = event["event_type"].as_str() else {
        return Expected::Dead;
    };
    let resolved = kind == "incident.resolved";
    if !resolved && !STARTING.contains(&kind) {
        return Expected::Ignored;
    }
    let admitted = |set: &std::collections::BTreeSet<String>, value: &Value| {
        set.is_empty() || set.iter().any(|one| *value == one.as_str())
    };
    let of_service = admitted(&filter.services, &data["service"]["id"]);
    let wanted = of_service && admitted(&filter.urgencies, &data["urgency"]);
    if !resolved && !wanted {
        return Expected::Filtered;
    }
    let assignments = data["incident_role_assignments"].as_array();
    let incident = match data["type"].as_str() {
        Some("incident") => data["id"].as_str(),
        Some("incident_role_assignment") => assignments
            .into_iter()
            .flatten()
            .find_map(|assignment| assignment["incident"]["id"].as_str()),
        _ => data["incident"]["id"].as_str(),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let id = |text: &&str| !text.is_empty() && text.len() <= 128 && text.chars().all(plain);
    let occurred = event["occurred_at"].as_str();
    let timed = occurred.is_some_and(|time| time.parse::<Timestamp>().is_ok());
    let named = kind != "incident.reopened" || event["id"].as_str().filter(id).is_some();
    match incident.filter(id) {
        Some(incident) if timed && named => Expected::Work {
            incident: incident.to_owned(),
            resolved,
            high: resolved || data["urgency"] != "low",
        },
        _ => Expected::Dead,
    }
}

#[test]
fn of_100_000_genuine_webhooks_each_is_a_message_or_needs_none_or_is_dead_with_its_bytes() {
    let tally = Tally::default();
    let now = Timestamp::UNIX_EPOCH;
    for_each_case(|dice| {
        let (bytes, filter) = (bytes(dice), filter(dice));
        let text = String::from_utf8_lossy(&bytes);
        let found = match read(&bytes, &filter, now) {
            Ok(Read {
                meaning: Meaning::Work(message),
                ..
            }) => {
                // What the worker gets is what was understood.
                let travelled = Message::decode(&message.encode().unwrap()).unwrap();
                assert_eq!(travelled, *message, "{text}");
                tally.count("work");
                Expected::Work {
                    incident: message.incident_id.as_str().to_owned(),
                    resolved: message.task == Task::Resolved,
                    high: message.lane == Lane::High,
                }
            }
            Ok(Read {
                meaning: Meaning::Ignored,
                ..
            }) => {
                tally.count("ignored");
                Expected::Ignored
            }
            Ok(Read {
                meaning: Meaning::Filtered,
                ..
            }) => {
                tally.count("filtered");
                Expected::Filtered
            }
            Err(reason) => {
                assert!(
                    !reason.contains("hush") && reason.len() < 200,
                    "{reason}: {text}"
                );
                let (code, origin) = (Code::WebhookNotUnderstood, DeadLetterOrigin::Ingress);
                let letter = DeadLetter::of_bytes(&bytes, code, reason, origin, now);
                let letter: Value = serde_json::from_slice(&letter.encode().unwrap()).unwrap();
                let kept = STANDARD.decode(letter["raw"].as_str().unwrap()).unwrap();
                assert_eq!(kept, bytes, "{text}");
                tally.count("dead");
                Expected::Dead
            }
        };
        assert_eq!(found, expected(&bytes, &filter), "{text}");
    });
    tally.assert_met(&["work", "ignored", "filtered", "dead"]);
}
