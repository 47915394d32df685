#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::super::super::lenient::Object;
use super::super::tests::{Oracle, items, participants, read_and_judge, session_of};
use super::*;
use serde_json::{Value, json};

fn read_text(body: &str) -> serde_json::Result<Conversation> {
    let body = serde_json::from_str::<Object<ConversationBody>>(body);
    body.map(|Object(body)| body.into())
}

fn read(body: Value) -> Conversation {
    read_text(&body.to_string()).unwrap()
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
        let connected = |talk: &Value| talk["state"] == "connected";
        let on_web = |talk: &Value| talk["type"].is_null() || talk["type"] == "webmessaging";
        let looks_on = ["monitoredParticipantId", "coachedParticipantId"];
        let mut messages = items(participant, "messages").into_iter();
        let mut calls = items(participant, "calls").into_iter();
        looks_on.iter().all(|name| participant[name].is_null())
            && (messages.any(|talk| connected(talk) && on_web(talk)) || calls.any(connected))
    },
    over: |body| {
        let media = ["messages", "calls", "chats", "callbacks", "emails"];
        let participants = participants(body).into_iter();
        let talks: Vec<&Value> = participants
            .flat_map(|participant| media.into_iter().flat_map(|name| items(participant, name)))
            .collect();
        let live = talks.iter().any(|talk| !has_gone(talk));
        !body["endTime"].is_null() || (!talks.is_empty() && !live)
    },
    live: |body| {
        let mut live = Vec::new();
        for participant in participants(body) {
            for entry in items(participant, "cobrowsesessions") {
                let session = session_of(entry);
                let over = has_gone(entry) || !entry["disconnectedTime"].is_null();
                // Customer and agent both have an entry of it.
                if !over && !live.contains(&session) {
                    live.push(session);
                }
            }
        }
        // Whoever should be listed here may show any.
        let list = &body["participants"];
        if !list.is_null() && !list.is_array() && !live.contains(&None) {
            live.push(None);
        }
        live
    },
};

fn has_gone(value: &Value) -> bool {
    value["state"] == "disconnected" || value["state"] == "terminated"
}

#[test]
fn of_100_000_conversations_none_is_a_panic_a_wrong_agent_or_a_wrong_session() {
    read_and_judge(read_text, &ORACLE);
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

#[test]
fn what_stands_where_a_session_should_is_a_live_one_that_cannot_be_read() {
    for odd in [
        json!({"cobrowsesessions": "busy"}),
        json!({"cobrowsesessions": {"cobrowseSessionId": "s-1", "state": "disconnected"}}),
        json!({"cobrowsesessions": [7]}),
        json!({"cobrowsesessions": [null]}),
        json!({"cobrowsesessions": [["s-1", "disconnected"]]}),
        json!({"cobrowsesessions": [{"cobrowseSessionId": 7, "state": {"name": "disconnected"}}]}),
    ] {
        let read = read(json!({"participants": [odd, {"purpose": "customer"}]}));
        assert_eq!(read.cobrowse, [LiveCobrowse::unreadable()], "{odd}");
    }
    let list = read(json!({"participants": {"0": {"cobrowsesessions": []}}}));
    assert_eq!(list.cobrowse, [LiveCobrowse::unreadable()]);
    // A time that cannot be read is one all the same.
    let ended = json!({"cobrowseSessionId": "s-1", "state": "connected", "disconnectedTime": 1_795_000_000});
    let read = read(json!({"participants": [{"cobrowsesessions": [ended]}]}));
    assert_eq!((read.cobrowse.len(), read.ended.len()), (0, 1));
}

#[test]
fn an_entry_whose_state_cannot_be_read_does_not_prove_that_offers_are_shown() {
    let read = read(json!({"participants": [
        {"cobrowsesessions": [{"cobrowseSessionId": "s-1", "state": 3}]},
    ]}));
    assert!(read.cobrowse[0].joined);
}

#[test]
fn a_communication_that_cannot_be_read_has_not_ended_and_is_not_connected() {
    for odd in [
        json!("connected"),
        json!({"state": "connected"}),
        json!([7]),
        json!([null]),
        json!([["connected", "webmessaging"]]),
        json!([{"state": ["disconnected"]}]),
        json!([{"type": ["webmessaging"], "state": "connected"}]),
    ] {
        let left = json!({"purpose": "customer", "calls": [{"state": "disconnected"}]});
        let there = agent("a-1", &json!({"messages": odd}));
        let read = read(json!({"participants": [left, there]}));
        assert!(!read.over && read.agents.is_empty(), "{odd}");
    }
}

#[test]
fn a_field_of_a_wrong_type_hides_neither_an_agent_nor_an_end() {
    let odd = json!({
        "startTime": 7, "connectedTime": {"at": 7}, "monitoredParticipantId": null,
        "chats": "none", "cobrowsesessions": [],
    });
    let there =
        read(json!({"participants": [7, null, ["agent"], {"userId": 7}, agent("a-1", &odd)]}));
    assert_eq!(ids(&there), ["a-1"]);
    assert_eq!(there.agents[0].since, None);
    assert!(read(json!({"endTime": 1_795_000_000, "participants": 7})).over);
    for field in ["endTime", "monitoredParticipantId", "coachedParticipantId"] {
        let gone = agent("a-1", &json!({field: {"id": 7}}));
        assert_eq!(
            ids(&read(json!({"participants": [gone]}))),
            [""; 0],
            "{field}"
        );
    }
}

#[test]
fn of_the_answer_to_an_offer_only_the_id_is_needed() {
    let offered = |answer: Value, keeps: bool| {
        let body: OfferBody = serde_json::from_value(answer).unwrap();
        body.session(keeps)
    };
    let odd = json!({"id": "s-1", "joinCode": 482_913, "dateOfferEnds": 123});
    let session = offered(odd.clone(), true).unwrap();
    assert_eq!(session.id.as_str(), "s-1");
    assert_eq!(session.link.unwrap().reveal(), "482913");
    assert_eq!(session.offer_ends, None);
    assert!(offered(odd, false).unwrap().link.is_none());
    for code in [
        json!(null),
        json!(["482913"]),
        json!("4\n8"),
        json!("9".repeat(65)),
    ] {
        let answer =
            json!({"id": "s-1", "joinCode": code, "dateOfferEnds": "2026-11-20T03:00:00Z"});
        let session = offered(answer, true).unwrap();
        assert!(session.link.is_none() && session.offer_ends.is_some());
    }
    // Which session it is cannot be guessed: then it is looked up.
    assert!(
        offered(json!({"id": "no/id"}), true)
            .unwrap_err()
            .may_have_taken_effect()
    );
}
