//! Alerts by chance, and an oracle that is slow and obviously right.

use serde_json::{Map, Value, json};

use super::super::{Alerts, AlertsAnswer, understand};
use super::config;
use crate::tests::{Dice, Tally, for_each_case};
use crate::upstream::lenient::Object;

const CONVERSATION_FIELDS: [&str; 2] = ["conversation_id", "conversationId"];
const AGENT_FIELD: &str = "agent_id";

fn answer(dice: &mut Dice) -> Value {
    let mut body = Map::new();
    dice.field(&mut body, "more", |dice| json!(dice.percent(50)));
    dice.field(&mut body, "total", |_| json!(1));
    // Absent is an empty list; null is nothing that was ever seen.
    body.insert("alerts".to_owned(), dice.list(5, alert));
    let mut body = Value::Object(body);
    if dice.percent(10) {
        dice.spoil(&mut body);
    }
    if dice.percent(1) {
        body = json!(dice.of(&["not", "an object"]));
    }
    body
}

fn alert(dice: &mut Dice) -> Value {
    let mut alert = Map::new();
    dice.field(&mut alert, "id", |_| json!("Q1ALERT"));
    dice.field(&mut alert, "created_at", Dice::time);
    dice.field(&mut alert, "integration", |dice| dice.junk(1));
    dice.field(&mut alert, "body", |dice| {
        let mut body = Map::new();
        dice.field(&mut body, "details", details);
        dice.field(&mut body, "cef_details", |dice| {
            let mut cef = Map::new();
            dice.field(&mut cef, "details", details);
            dice.field(&mut cef, "severity", |dice| dice.junk(1));
            Value::Object(cef)
        });
        Value::Object(body)
    });
    Value::Object(alert)
}

/// Custom details in all the shapes in which senders have put them.
fn details(dice: &mut Dice) -> Value {
    match dice.below(12) {
        0 => dice.junk(2),
        1 => json!("plain words, {not JSON"),
        2 => json!("[".repeat(dice.below(500))),
        3 => json!(map(dice).to_string()),
        4 => json!({"custom_details": map(dice)}),
        5 => json!({"custom_details": map(dice).to_string()}),
        6 => json!({"custom_details": dice.junk(2)}),
        7 => {
            let mut both = map(dice);
            both["custom_details"] = map(dice);
            both
        }
        8 => {
            let mut huge = map(dice);
            huge["filler"] = json!("é".repeat(dice.below(2_000)));
            huge
        }
        _ => map(dice),
    }
}

fn map(dice: &mut Dice) -> Value {
    let mut map = Map::new();
    if dice.percent(60) {
        for name in CONVERSATION_FIELDS {
            dice.field(&mut map, name, |dice| id(dice, &["c-1", "c-1", "c-2"]));
        }
    }
    dice.field(&mut map, AGENT_FIELD, |dice| id(dice, &["a-1", "a-2"]));
    // A name that is not looked at: whoever takes it is wrong.
    dice.field(&mut map, "id", |_| json!("c-wrong"));
    dice.field(&mut map, "queue 🦀", |dice| dice.junk(1));
    Value::Object(map)
}

fn id(dice: &mut Dice, good: &[&str]) -> Value {
    let good = dice.of(good);
    match dice.below(14) {
        0 => json!(format!("  {good}\n")),
        1 => json!(12345),
        2 => json!(12.5),
        3 => json!([good]),
        4 => json!({"id": good}),
        5 => json!("../../users"),
        6 => json!("c".repeat(129)),
        7 => json!(""),
        8 => json!(true),
        _ => json!(good),
    }
}

/// An object, or a text that holds one.
fn opened(value: &Value) -> Option<Value> {
    let value = match value.as_str() {
        Some(text) => serde_json::from_str(text).ok()?,
        None => value.clone(),
    };
    value.is_object().then_some(value)
}

/// The places of one alert in which details may stand, best first.
fn places(alert: &Value) -> Vec<Value> {
    let mut places = Vec::new();
    for pointer in ["/body/details", "/body/cef_details/details"] {
        let outer = alert.pointer(pointer).and_then(opened);
        let inner = outer
            .as_ref()
            .and_then(|outer| opened(&outer["custom_details"]));
        places.extend([outer, inner].into_iter().flatten());
    }
    places
}

fn valid(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    ((1..=128).contains(&text.len()) && text.chars().all(plain)).then_some(text)
}

fn has_body(alert: &Value) -> bool {
    ["/body/details", "/body/cef_details/details"]
        .iter()
        .any(|pointer| {
            alert
                .pointer(pointer)
                .is_some_and(|details| !details.is_null())
        })
}

/// Conversation and agent as each place says them, in the order of the alerts' times; one without a time comes first.
fn said(body: &Value) -> Vec<(String, Option<String>)> {
    let mut alerts: Vec<&Value> = body["alerts"].as_array().into_iter().flatten().collect();
    alerts.sort_by_key(|alert| {
        let time = alert["created_at"].as_str();
        time.and_then(|time| time.parse::<jiff::Timestamp>().ok())
    });
    let places = alerts.into_iter().flat_map(places);
    places
        .filter_map(|place| {
            let conversation = CONVERSATION_FIELDS
                .iter()
                .find_map(|field| valid(&place[*field]))?;
            Some((conversation, valid(&place[AGENT_FIELD])))
        })
        .collect()
}

#[test]
fn of_100_000_answers_with_alerts_none_is_a_panic_a_wrong_conversation_or_a_wrong_agent() {
    let (config, tally) = (config(), Tally::default());
    for_each_case(|dice| {
        let body = answer(dice);
        let read = serde_json::from_str::<Object<AlertsAnswer>>(&body.to_string());
        let mut alerts = match read {
            Ok(Object(answer)) => answer.alerts,
            Err(error) => {
                // Whatever is in it, an object can be read.
                assert!(!body.is_object(), "{error}: {body:#}");
                tally.count("unreadable");
                return;
            }
        };
        let said = said(&body);
        let raw: Vec<&Value> = body["alerts"].as_array().into_iter().flatten().collect();
        let understood = understand(&mut alerts, &config);
        let told = || format!("{understood:?}\n{said:?}\n{body:#}");
        match &understood {
            Alerts::Found(context) => {
                let (first, _) = said.first().unwrap_or_else(|| panic!("{}", told()));
                assert_eq!(context.conversation.as_str(), first, "{}", told());
                let disagree = said.iter().any(|(other, _)| other != first);
                assert_eq!(context.ambiguous, disagree, "{}", told());
                // Only who speaks of this conversation is believed about its agent.
                let mut agents = said.iter().filter(|(other, _)| other == first);
                let agent = agents.find_map(|(_, agent)| agent.as_deref());
                assert_eq!(
                    context.agent.as_ref().map(|id| id.as_str()),
                    agent,
                    "{}",
                    told()
                );
                tally.count(if disagree {
                    "disagreement"
                } else {
                    "one conversation"
                });
                tally.count(if agent.is_some() {
                    "an agent"
                } else {
                    "no agent"
                });
            }
            Alerts::None => {
                assert!(raw.is_empty(), "{}", told());
                tally.count("no alert");
            }
            Alerts::NothingInThem => {
                assert!(
                    said.is_empty() && raw.iter().all(|alert| has_body(alert)),
                    "{}",
                    told()
                );
                tally.count("nothing in them");
            }
            Alerts::NotHydrated => {
                assert!(
                    said.is_empty() && !raw.iter().all(|alert| has_body(alert)),
                    "{}",
                    told()
                );
                tally.count("not hydrated");
            }
        }
    });
    tally.assert_met(&[
        "one conversation",
        "disagreement",
        "an agent",
        "no agent",
        "no alert",
        "nothing in them",
        "not hydrated",
        "unreadable",
    ]);
}
