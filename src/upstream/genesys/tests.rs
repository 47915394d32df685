//! What the tests of both contracts share: conversations by chance, and an oracle that is slow and obviously right.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::escalation::{AgentId, Conversation, choose_agent};
use crate::tests::{Dice, Tally, for_each_case};

const USERS: [&str; 4] = ["u-1", "u-2", "u-3", "u-4"];

/// What one contract says about the raw answer, each told in the plainest way.
pub(super) struct Oracle {
    /// Whether this participant, who has the purpose and the id of an agent and has not left, is connected.
    pub(super) connected: fn(&Value) -> bool,
    /// Whether the conversation is over.
    pub(super) over: fn(&Value) -> bool,
    /// The sessions that are live, `None` for one whose id cannot be read.
    pub(super) live: fn(&Value) -> Vec<Option<String>>,
}

/// A conversation as any of the two contracts might show it. In one case of four something in it is no such thing at all, and
/// one of a hundred is no object.
fn conversation(dice: &mut Dice) -> Value {
    let mut body = Map::new();
    dice.field(&mut body, "id", |_| json!("c-1"));
    dice.field(&mut body, "startTime", Dice::time);
    if dice.percent(25) {
        dice.field(&mut body, "endTime", Dice::time);
    }
    dice.field(&mut body, "state", |dice| {
        let states = [
            "active",
            "active",
            "active",
            "disconnected",
            "terminated",
            "of_next_year",
        ];
        json!(dice.of(&states))
    });
    dice.field(&mut body, "media", |dice| dice.list(3, media));
    dice.field(&mut body, "participants", |dice| dice.list(7, participant));
    dice.field(&mut body, "divisions", |dice| dice.junk(1));
    let mut body = Value::Object(body);
    if dice.percent(25) {
        dice.spoil(&mut body);
    }
    if dice.percent(1) {
        body = json!(dice.of(&["not", "an object"]));
    }
    body
}

fn state(dice: &mut Dice) -> Value {
    json!(dice.of(&[
        "connected",
        "connected",
        "connected",
        "disconnected",
        "disconnected",
        "terminated",
        "alerting",
        "offering",
        "parked",
        "of_next_year",
    ]))
}

fn session_id(dice: &mut Dice) -> Value {
    json!(dice.of(&["s-1", "s-2", "s-3", "no/id", ""]))
}

fn media(dice: &mut Dice) -> Value {
    let mut media = Map::new();
    dice.field(&mut media, "type", |dice| {
        json!(dice.of(&["cobrowse", "cobrowse", "webchat", "of_next_year"]))
    });
    dice.field(&mut media, "state", state);
    dice.field(&mut media, "cobrowseSessionId", session_id);
    Value::Object(media)
}

fn participant(dice: &mut Dice) -> Value {
    let mut participant = Map::new();
    dice.field(&mut participant, "id", |dice| {
        // The participant's own id, which is nobody's user: taking it for one must show.
        json!(format!("p-{}", dice.below(9)))
    });
    dice.field(&mut participant, "purpose", |dice| {
        json!(dice.of(&[
            "agent",
            "agent",
            "agent",
            "user",
            "customer",
            "acd",
            "voicemail",
            "ivr",
            "external",
            "supervisor",
        ]))
    });
    dice.field(&mut participant, "userId", |dice| match dice.below(12) {
        0 => json!("../admin"),
        1 => json!(""),
        2 => json!("u".repeat(129)),
        _ => json!(dice.of(&USERS)),
    });
    for name in ["startTime", "connectedTime"] {
        dice.field(&mut participant, name, Dice::time);
    }
    if dice.percent(25) {
        dice.field(&mut participant, "endTime", Dice::time);
    }
    for name in [
        "messages",
        "calls",
        "chats",
        "callbacks",
        "emails",
        "videos",
    ] {
        if dice.percent(40) {
            dice.field(&mut participant, name, |dice| dice.list(3, communication));
        }
    }
    if dice.percent(40) {
        dice.field(&mut participant, "cobrowsesessions", |dice| {
            dice.list(2, cobrowse)
        });
    }
    dice.field(&mut participant, "consultParticipantId", |_| json!("p-1"));
    dice.field(&mut participant, "attributes", |dice| dice.junk(1));
    Value::Object(participant)
}

fn communication(dice: &mut Dice) -> Value {
    let mut communication = Map::new();
    dice.field(&mut communication, "state", state);
    dice.field(&mut communication, "type", |dice| {
        json!(dice.of(&[
            "webmessaging",
            "webmessaging",
            "sms",
            "whatsapp",
            "of_next_year"
        ]))
    });
    dice.field(&mut communication, "segments", |dice| dice.junk(1));
    Value::Object(communication)
}

fn cobrowse(dice: &mut Dice) -> Value {
    let mut session = Map::new();
    dice.field(&mut session, "id", |_| json!("communication-1"));
    dice.field(&mut session, "state", state);
    dice.field(&mut session, "cobrowseSessionId", session_id);
    dice.field(&mut session, "viewerUrl", |dice| {
        json!(dice.of(&[
            "https://view.example/1",
            "javascript:alert(1)",
            "https://a b",
            ""
        ]))
    });
    if dice.percent(30) {
        dice.field(&mut session, "disconnectedTime", Dice::time);
    }
    Value::Object(session)
}

/// Stands for whatever is where a list should be.
static NO_LIST: Value = Value::Bool(true);

/// What stands in a list, readable or not. Where there should be a list and something else stands, that is one item that
/// cannot be read.
pub(super) fn items<'a>(value: &'a Value, name: &str) -> Vec<&'a Value> {
    match &value[name] {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => vec![&NO_LIST],
    }
}

/// Those of a conversation's participants that are objects. One that stands there alone is no list of them.
pub(super) fn participants(body: &Value) -> Vec<&Value> {
    let all = body["participants"].as_array().into_iter().flatten();
    all.filter(|participant| participant.is_object()).collect()
}

/// The session's id, if it is one.
pub(super) fn session_of(value: &Value) -> Option<String> {
    value["cobrowseSessionId"]
        .as_str()
        .filter(|id| is_id(id))
        .map(str::to_owned)
}

fn is_id(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=128).contains(&text.len()) && text.chars().all(plain)
}

/// Holds what was read against what the raw answer says.
fn judge(body: &Value, read: &Conversation, oracle: &Oracle, tally: &Tally) {
    let told = || format!("{body:#}\n{read:#?}");
    assert_eq!(read.over, (oracle.over)(body), "{}", told());
    let live: Vec<_> = read
        .cobrowse
        .iter()
        .map(|live| live.session.as_ref().map(|id| id.as_str().to_owned()))
        .collect();
    assert_eq!(live, (oracle.live)(body), "{}", told());

    // Whoever is connected, with the time of the entry that came last.
    let mut connected: BTreeMap<&str, Option<Timestamp>> = BTreeMap::new();
    for participant in participants(body) {
        let user = participant["userId"].as_str().filter(|user| is_id(user));
        let works = ["agent", "user"]
            .iter()
            .any(|purpose| participant["purpose"] == *purpose);
        if let Some(user) = user
            && works
            && participant["endTime"].is_null()
            && (oracle.connected)(participant)
        {
            let times = [&participant["connectedTime"], &participant["startTime"]];
            let since = times.into_iter().find_map(Value::as_str);
            connected.insert(user, since.and_then(|time| time.parse().ok()));
        }
    }
    let agents: Vec<&str> = read.agents.iter().map(|agent| agent.id.as_str()).collect();
    let once: BTreeSet<&str> = agents.iter().copied().collect();
    assert_eq!(once.len(), agents.len(), "each agent once: {}", told());
    assert!(
        once.iter().eq(connected.keys()),
        "{connected:?}: {}",
        told()
    );

    let newest = connected.values().max();
    for named in [None, Some("u-1"), Some("u-2"), Some("stranger")] {
        let id = named.map(|named| AgentId::parse(named).unwrap());
        let chosen = choose_agent(id.as_ref(), read);
        match (chosen, named.filter(|named| connected.contains_key(named))) {
            (Some(agent), Some(named)) => {
                tally.count("the named agent");
                assert_eq!(
                    (agent.id.as_str(), agent.instead_of),
                    (named, None),
                    "{}",
                    told()
                );
            }
            (Some(agent), None) => {
                tally.count("another agent");
                assert_eq!(connected.get(agent.id.as_str()), newest, "{}", told());
                assert_eq!(agent.instead_of, id, "{}", told());
            }
            (None, _) => {
                tally.count("nobody");
                assert!(connected.is_empty(), "somebody is there: {}", told());
            }
        }
    }
    if connected.len() > 1 {
        tally.count("several agents");
    }
    tally.count(if read.over { "over" } else { "not over" });
    if live.len() > 1 {
        tally.count("several sessions");
    }
    if live.contains(&None) {
        tally.count("a session that cannot be read");
    }
}

/// Reads it as the contract does, and judges that. Only what is no object is not read.
pub(super) fn read_and_judge(read: fn(&str) -> serde_json::Result<Conversation>, oracle: &Oracle) {
    let tally = Tally::default();
    for_each_case(|dice| {
        let body = conversation(dice);
        match read(&body.to_string()) {
            Ok(read) => judge(&body, &read, oracle, &tally),
            // Then nothing is decided, and it is read again later.
            Err(error) => {
                assert!(!body.is_object(), "{error}: {body:#}");
                tally.count("unreadable");
            }
        }
    });
    tally.assert_met(MET);
}

/// What every run has to have met.
const MET: &[&str] = &[
    "the named agent",
    "another agent",
    "nobody",
    "several agents",
    "several sessions",
    "a session that cannot be read",
    "over",
    "not over",
    "unreadable",
];
