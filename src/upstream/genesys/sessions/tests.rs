#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::super::tests::{MET, Oracle, conversation, items, judge, session_of};
use super::*;
use crate::tests::{Tally, for_each_case};
use serde_json::{Value, json};

fn read(body: Value) -> Conversation {
    serde_json::from_value::<ConversationBody>(body)
        .unwrap()
        .into()
}

fn agent(user: &str, extra: &Value) -> Value {
    let mut agent =
        json!({"purpose": "agent", "userId": user, "connectedTime": "2026-11-20T03:00:00Z"});
    for (key, value) in extra.as_object().unwrap() {
        agent
            .as_object_mut()
            .unwrap()
            .insert(key.clone(), value.clone());
    }
    agent
}

#[test]
fn absent_null_and_empty_are_alike() {
    for body in [
        json!({}),
        json!({"media": null, "participants": null, "state": null, "endTime": null}),
        json!({"media": [], "participants": [], "state": "active"}),
        json!({"state": "a state of next year", "participants": [{}], "media": [{}]}),
    ] {
        assert_eq!(read(body), Conversation::default());
    }
}

#[test]
fn an_end_time_or_a_final_state_means_over() {
    assert!(read(json!({"endTime": "2026-11-20T03:00:00Z"})).over);
    assert!(read(json!({"state": "disconnected"})).over);
    assert!(!read(json!({"state": "active"})).over);
}

#[test]
fn only_live_cobrowse_media_count() {
    let conversation = read(json!({"media": [
        {"type": "cobrowse", "cobrowseSessionId": "s-1", "state": "connected"},
        {"type": "cobrowse", "cobrowseSessionId": "s-2", "state": "disconnected"},
        {"type": "cobrowse", "cobrowseSessionId": "s-3"},
        {"type": "webchat", "cobrowseSessionId": "s-4", "state": "connected"},
        {"type": "cobrowse", "cobrowseSessionId": "not an id", "state": "connected"},
    ]}));
    let ids: Vec<_> = conversation
        .cobrowse
        .iter()
        .map(|live| live.session.as_ref().map(SessionId::as_str))
        .collect();
    assert_eq!(ids, [Some("s-1"), Some("s-3"), None]);
}

#[test]
fn an_agent_is_whoever_is_connected_as_agent_at_this_moment() {
    let conversation = read(json!({"participants": [
        {"purpose": "customer", "connectedTime": "2026-11-20T03:00:00Z", "messages": [{"state": "connected"}]},
        {"purpose": "acd", "userId": "queue", "connectedTime": "2026-11-20T03:00:00Z"},
        agent("left", &json!({"endTime": "2026-11-20T03:01:00Z"})),
        agent("alerting", &json!({"messages": [{"state": "alerting"}]})),
        agent("here", &json!({"messages": [{"state": "disconnected"}, {"state": "connected"}]})),
        agent("on-the-phone", &json!({"calls": [{"state": "connected"}]})),
        agent("twice", &json!({"messages": [{"state": "disconnected"}]})),
        agent("twice", &json!({"messages": [{"state": "connected"}], "connectedTime": "2026-11-20T04:00:00Z"})),
        {"purpose": "agent", "userId": "never-connected"},
    ]}));
    let ids: Vec<_> = conversation.agents.iter().map(|a| a.id.as_str()).collect();
    assert_eq!(ids, ["here", "on-the-phone", "twice"]);
    assert_eq!(
        conversation.agents.last().unwrap().since,
        Some("2026-11-20T04:00:00Z".parse().unwrap())
    );
}

#[test]
fn a_link_that_is_no_web_page_is_not_taken() {
    assert!(is_web_link("https://join.example/x"));
    for bad in [
        "javascript:alert(1)",
        "wss://x",
        "https://a\nSession: forged",
        "https://a b",
        "",
    ] {
        assert!(!is_web_link(bad), "{bad:?}");
    }
}

/// Under this contract.
const ORACLE: Oracle = Oracle {
    connected: |participant| {
        let mut talks = ["messages", "calls", "chats"]
            .into_iter()
            .flat_map(|name| items(participant, name))
            .peekable();
        if talks.peek().is_none() {
            return !participant["connectedTime"].is_null();
        }
        talks.any(|talk| talk["state"] == "connected")
    },
    over: |body| {
        let finals = ["disconnected", "terminated", "ended", "closed"];
        !body["endTime"].is_null() || finals.iter().any(|state| body["state"] == *state)
    },
    live: |body| {
        let live = items(body, "media").filter(|media| {
            media["type"] == "cobrowse"
                && media["state"] != "disconnected"
                && media["state"] != "terminated"
        });
        live.map(session_of).collect()
    },
};

#[test]
fn of_100_000_conversations_none_is_a_panic_a_wrong_agent_or_a_wrong_session() {
    let tally = Tally::default();
    for_each_case(|dice| {
        let (body, spoilt) = conversation(dice);
        match serde_json::from_str::<ConversationBody>(&body.to_string()) {
            Ok(read) => judge(&body, &read.into(), &ORACLE, &tally),
            // Then nothing is decided, and it is read again later.
            Err(error) => {
                assert!(spoilt, "{error}: {body:#}");
                tally.count("unreadable");
            }
        }
    });
    tally.assert_met(MET);
}
