#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::super::super::lenient::Object;
use super::super::tests::{Oracle, items, read_and_judge, session_of};
use super::*;
use serde_json::{Value, json};

fn read_text(body: &str) -> serde_json::Result<Conversation> {
    let body = serde_json::from_str::<Object<ConversationBody>>(body);
    body.map(|Object(body)| body.into())
}

fn read(body: Value) -> Conversation {
    read_text(&body.to_string()).unwrap()
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
        let talks: Vec<&Value> = ["messages", "calls", "chats"]
            .into_iter()
            .flat_map(|name| items(participant, name))
            .collect();
        if talks.is_empty() {
            return !participant["connectedTime"].is_null();
        }
        talks.iter().any(|talk| talk["state"] == "connected")
    },
    over: |body| {
        let finals = ["disconnected", "terminated", "ended", "closed"];
        !body["endTime"].is_null() || finals.iter().any(|state| body["state"] == *state)
    },
    live: |body| {
        let live = items(body, "media").into_iter().filter(|media| {
            let kind = &media["type"];
            let is_other = kind.is_null() || (kind.is_string() && kind != "cobrowse");
            let gone = media["state"] == "disconnected" || media["state"] == "terminated";
            !media.is_object() || !(is_other || gone)
        });
        live.map(session_of).collect()
    },
};

#[test]
fn of_100_000_conversations_none_is_a_panic_a_wrong_agent_or_a_wrong_session() {
    read_and_judge(read_text, &ORACLE);
}

#[test]
fn what_stands_where_a_medium_should_is_a_live_session_that_cannot_be_read() {
    for odd in [
        json!("cobrowse"),
        json!({"type": "webchat"}),
        json!([7]),
        json!([null]),
        json!([["cobrowse", "s-1", "disconnected"]]),
        json!([{"type": "cobrowse", "cobrowseSessionId": 7, "state": 7}]),
        json!([{"type": ["cobrowse"]}]),
    ] {
        let read = read(json!({"state": "active", "media": odd}));
        assert_eq!(read.cobrowse, [LiveCobrowse::unreadable()], "{odd}");
    }
}

#[test]
fn a_field_of_a_wrong_type_hides_neither_an_agent_nor_an_end() {
    let read_one =
        |one: Value| read(json!({"state": {"name": "active"}, "participants": [7, null, one]}));
    let odd = json!({"startTime": 7, "messages": [7, {"state": "connected"}], "chats": "none"});
    assert_eq!(read_one(agent("a-1", &odd)).agents.len(), 1);
    assert_eq!(
        read_one(agent("a-1", &json!({"connectedTime": 7})))
            .agents
            .len(),
        1
    );
    // Its media are listed, and cannot be read: nobody knows that it is connected.
    assert_eq!(
        read_one(agent("a-1", &json!({"messages": "connected"})))
            .agents
            .len(),
        0
    );
    assert_eq!(
        read_one(agent("a-1", &json!({"endTime": 7}))).agents.len(),
        0
    );
    assert!(read(json!({"endTime": 1_795_000_000, "participants": 7})).over);
}

#[test]
fn of_the_answer_with_a_session_only_the_id_is_needed() {
    for link in [
        json!(7),
        json!(["https://join.example/x"]),
        json!("javascript:x"),
    ] {
        let body: SessionBody =
            serde_json::from_value(json!({"id": "s-1", "joinUrl": link})).unwrap();
        let session = body.session().unwrap();
        assert_eq!((session.id.as_str(), session.link), ("s-1", None));
    }
}
