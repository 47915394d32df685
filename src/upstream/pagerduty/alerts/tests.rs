#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

use super::*;
use serde_json::json;

mod properties;

pub(in crate::upstream::pagerduty) fn config() -> PagerDutyConfig {
    PagerDutyConfig {
        api_url: "http://127.0.0.1/".parse().unwrap(),
        api_token: "x".into(),
        from_email: "a@b.example".into(),
        conversation_fields: vec!["conversation_id".into(), "conversationId".into()],
        agent_fields: vec!["agent_id".into()],
        budget: None,
    }
}

fn read(alerts: Value) -> Alerts {
    let mut alerts: Vec<Alert> = serde_json::from_value(alerts).unwrap();
    understand(&mut alerts, &config())
}

fn found(alerts: Value) -> Context {
    match read(alerts) {
        Alerts::Found(context) => context,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_conversation_is_found_in_every_place_where_senders_put_it() {
    let text = r#"{"conversation_id":"c-1"}"#;
    for body in [
        json!({"details": {"conversation_id": "c-1"}}),
        json!({"details": {"conversationId": " c-1 "}}),
        json!({"details": text}),
        json!({"details": {"custom_details": {"conversation_id": "c-1"}}}),
        json!({"details": {"custom_details": text}}),
        json!({"details": null, "cef_details": {"details": {"conversation_id": "c-1"}}}),
        json!({"details": "plain words", "cef_details": {"details": text}}),
    ] {
        let context = found(json!([{"body": body}]));
        assert_eq!(context.conversation.as_str(), "c-1", "{body}");
    }
}

#[test]
fn an_id_that_would_not_be_safe_in_a_path_is_no_id() {
    assert_eq!(
        read(json!([{"body": {"details": {"conversation_id": "../../users"}}}])),
        Alerts::NothingInThem
    );
}

#[test]
fn the_earliest_alert_with_an_id_wins_and_disagreement_is_reported() {
    let context = found(json!([
        {"created_at": "2026-11-20T03:00:02Z", "body": {"details": {"conversation_id": "late"}}},
        {"created_at": "2026-11-19T20:00:01-07:00", "body": {"details": {"conversation_id": "early", "agent_id": "a"}}},
        {"created_at": "2026-11-20T02:00:00Z", "body": {"details": {"other": 1}}},
    ]));
    assert_eq!(context.conversation.as_str(), "early");
    assert_eq!(context.agent.unwrap().as_str(), "a");
    assert!(context.ambiguous);
}

#[test]
fn alerts_that_agree_are_not_ambiguous_and_complete_each_other() {
    let context = found(json!([
        {"created_at": "2026-11-20T03:00:01Z", "body": {"details": {"conversation_id": "c"}}},
        {"created_at": "2026-11-20T03:00:02Z", "body": {"details": {"conversation_id": "c", "agent_id": "a"}}},
    ]));
    assert!(!context.ambiguous);
    assert_eq!(context.agent.unwrap().as_str(), "a");
}

#[test]
fn what_is_not_there_yet_is_told_from_what_will_never_be() {
    assert_eq!(read(json!([])), Alerts::None);
    assert_eq!(read(json!([{"id": "P1"}])), Alerts::NotHydrated);
    assert_eq!(read(json!([{"body": null}])), Alerts::NotHydrated);
    assert_eq!(
        read(json!([{"body": {"details": null}}])),
        Alerts::NotHydrated
    );
    // What it lacks may be in the one that has no body yet.
    assert_eq!(
        read(json!([{"body": {"details": {"other": 1}}}, {"id": "P2"}])),
        Alerts::NotHydrated
    );
    assert_eq!(
        read(json!([{"body": {"details": {}}}])),
        Alerts::NothingInThem
    );
    assert_eq!(
        read(json!([{"body": {"details": "words"}}])),
        Alerts::NothingInThem
    );
}
