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

fn on_web(state: &str) -> Value {
    json!([{"id": "m-1", "type": "webmessaging", "state": state}])
}

fn agent(user: &str, extra: &Value) -> Value {
    let mut agent = json!({
        "id": "not-the-user", "purpose": "agent", "userId": user,
        "connectedTime": "2026-11-20T03:00:00Z", "messages": on_web("connected"),
    });
    let fields = agent.as_object_mut().unwrap();
    for (key, value) in extra.as_object().unwrap() {
        fields.insert(key.clone(), value.clone());
    }
    agent
}

fn ids(conversation: &Conversation) -> Vec<&str> {
    conversation.agents.iter().map(|a| a.id.as_str()).collect()
}

#[test]
fn absent_null_and_empty_are_alike() {
    for body in [
        json!({}),
        json!({"participants": null, "endTime": null, "state": "terminated", "media": [{"type": "cobrowse"}]}),
        json!({"participants": []}),
        json!({"participants": [{}, {"purpose": "a purpose of next year"}]}),
        json!({"participants": [{"messages": null, "calls": [], "cobrowsesessions": null}]}),
    ] {
        assert_eq!(read(body), Conversation::default());
    }
}

#[test]
fn it_is_over_with_its_end_time_or_when_nobody_talks_any_more() {
    assert!(read(json!({"endTime": "2026-11-20T03:00:00Z"})).over);
    let left = json!({"purpose": "customer", "messages": on_web("disconnected")});
    let there = json!({"purpose": "customer", "calls": [{"state": "a state of next year"}]});
    assert!(read(json!({"participants": [left]})).over);
    assert!(!read(json!({"participants": [left, there]})).over);
    assert!(!read(json!({"participants": [{"purpose": "acd"}]})).over);
}

#[test]
fn an_agent_is_whoever_is_connected_by_web_messaging_or_a_call() {
    let conversation = read(json!({"participants": [
        agent("a-web", &json!({})),
        agent("a-call", &json!({"messages": [], "calls": [{"state": "connected"}]})),
        agent("a-direct", &json!({"purpose": "user"})),
        agent("a-alerting", &json!({"messages": on_web("alerting")})),
        agent("a-gone", &json!({"endTime": "2026-11-20T03:05:00Z"})),
        agent("a-sms", &json!({"messages": [{"type": "sms", "state": "connected"}]})),
        agent("a-mail", &json!({"messages": null, "emails": [{"state": "connected"}]})),
        agent("a-voicemail", &json!({"purpose": "voicemail"})),
        agent("a-nothing", &json!({"messages": null})),
        {"purpose": "agent", "messages": on_web("connected")},
        {"purpose": "customer", "userId": "c-1", "messages": on_web("connected")},
    ]}));
    assert_eq!(ids(&conversation), ["a-web", "a-call", "a-direct"]);
}

#[test]
fn of_several_entries_of_a_user_the_last_one_that_is_connected_counts() {
    let conversation = read(json!({"participants": [
        agent("a-1", &json!({"connectedTime": "2026-11-20T01:00:00Z"})),
        agent("a-2", &json!({"connectedTime": "2026-11-20T02:00:00Z"})),
        agent("a-1", &json!({"connectedTime": "2026-11-20T03:00:00Z"})),
        agent("a-1", &json!({"endTime": "2026-11-20T03:30:00Z"})),
    ]}));
    assert_eq!(ids(&conversation), ["a-2", "a-1"]);
    let since = conversation.agents.last().unwrap().since;
    assert_eq!(since, "2026-11-20T03:00:00Z".parse().ok());
}

#[test]
fn a_session_that_customer_and_agent_both_show_is_one() {
    let entry = |id: &str, more: Value| {
        let mut entry = json!({"cobrowseSessionId": id, "state": "connected"});
        let fields = entry.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        entry
    };
    let link = "https://view.example/s-1";
    let conversation = read(json!({"participants": [
        {"purpose": "customer", "cobrowsesessions": [entry("s-1", json!({"cobrowseRole": "sharer"}))]},
        {"purpose": "agent", "cobrowsesessions": [
            entry("s-1", json!({"viewerUrl": link})),
            entry("s-2", json!({"state": "disconnected"})),
            entry("s-3", json!({"disconnectedTime": "2026-11-20T03:00:00Z"})),
            entry("s-4", json!({"state": "a state of next year", "viewerUrl": "javascript:alert(1)"})),
        ]},
    ]}));
    let s_1 = SessionId::parse("s-1").unwrap();
    assert_eq!(conversation.times_shown(&s_1), 1);
    let live: Vec<_> = conversation
        .cobrowse
        .iter()
        .map(|live| {
            let id = live.session.as_ref().map(SessionId::as_str);
            (id, live.viewer.as_ref().map(SessionLink::reveal))
        })
        .collect();
    assert_eq!(live, [(Some("s-1"), Some(link)), (Some("s-4"), None)]);
    let ended: Vec<_> = conversation.ended.iter().map(SessionId::as_str).collect();
    assert_eq!(ended, ["s-2", "s-3"]);
}

/// Under this contract.
const ORACLE: Oracle = Oracle {
    connected: |participant| {
        let mut messages = items(participant, "messages");
        let mut calls = items(participant, "calls");
        let connected = |talk: &Value| talk["state"] == "connected";
        let on_web = |talk: &Value| talk["type"].is_null() || talk["type"] == "webmessaging";
        messages.any(|talk| connected(talk) && on_web(talk)) || calls.any(connected)
    },
    over: |body| {
        let media = ["messages", "calls", "chats", "callbacks", "emails"];
        let talks: Vec<&Value> = items(body, "participants")
            .flat_map(|participant| media.into_iter().flat_map(|name| items(participant, name)))
            .collect();
        let live = talks.iter().any(|talk| !has_gone(talk));
        !body["endTime"].is_null() || (!talks.is_empty() && !live)
    },
    live: |body| {
        let mut live = Vec::new();
        for participant in items(body, "participants") {
            for entry in items(participant, "cobrowsesessions") {
                let session = session_of(entry);
                let over = has_gone(entry) || !entry["disconnectedTime"].is_null();
                // Customer and agent both have an entry of it.
                if !over && !live.contains(&session) {
                    live.push(session);
                }
            }
        }
        live
    },
};

fn has_gone(value: &Value) -> bool {
    value["state"] == "disconnected" || value["state"] == "terminated"
}

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

#[test]
fn a_session_is_joined_once_either_side_is_connected() {
    let joined = |entry: Value| {
        let offered = json!({"cobrowseSessionId": "s-1", "state": "offering"});
        let body = json!({"participants": [
            {"cobrowsesessions": [offered]}, {"cobrowsesessions": [entry]},
        ]});
        read(body).cobrowse[0].joined
    };
    let s_1 = |state: &str| json!({"cobrowseSessionId": "s-1", "state": state});
    assert!(!joined(s_1("offering")));
    assert!(joined(s_1("connected")));
    let mut since = s_1("a state of next year");
    since["connectedTime"] = "2026-11-20T03:00:00Z".into();
    assert!(joined(since));
}

#[test]
fn whoever_only_looks_on_is_not_whom_the_customer_talks_to() {
    let conversation = read(json!({"participants": [
        agent("a-1", &json!({"monitoredParticipantId": null})),
        agent("a-2", &json!({"monitoredParticipantId": "p-1"})),
        agent("a-3", &json!({"coachedParticipantId": "p-1"})),
    ]}));
    assert_eq!(ids(&conversation), ["a-1"]);
}
