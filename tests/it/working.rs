//! The worker, at work: the real program against both vendors, with everything that can go wrong there.
//!
//! What counts is what the vendors' side shows; then what the worker says of it (one wide line an attempt), the dead
//! letter, and how often it asked.

mod alerts;
mod contracts;
mod conversations;
mod credentials;
mod ending;
mod faults;
mod generations;
mod losing;
mod patience;
mod postgres;
mod refusals;
mod replacing;
mod secrecy;
mod sharing;
mod together;
mod verifying;

use std::time::Duration;

use escalator::escalation::{DeadLetterId, IncidentId, Key, Trigger};
use escalator::simulator::{
    ConversationSpec, Details, Fault, IncidentSpec, Operation, RequestRecord, What, Which,
};
use serde_json::Value;

use crate::support::program::{PATIENCE, Program};
use crate::support::vhost::eventually;
use crate::support::world::{Case, World};

/// A conversation with an agent, and an incident whose alert says so in this way.
fn case_of(world: &World, details: Details) -> Case {
    let spec = ConversationSpec::with_agent("agent-1");
    let conversation = world.simulator.open_conversation(spec);
    let incident = world.simulator.open_incident(IncidentSpec {
        details,
        ..IncidentSpec::about(conversation.clone())
    });
    Case {
        incident,
        conversation,
    }
}

/// Delivers the webhook of a triggered incident.
async fn trigger(world: &World, program: &Program, case: &Case) {
    world.deliver(program, &world.trigger(case)).await;
}

/// Opens so many cases and triggers them.
async fn triggered(world: &World, program: &Program, count: usize) -> Vec<Case> {
    let mut cases = Vec::with_capacity(count);
    for _ in 0..count {
        let case = world.case();
        trigger(world, program, &case).await;
        cases.push(case);
    }
    cases
}

/// The next request of this operation, and that one only.
fn next(world: &World, operation: Operation, what: What) {
    nth(world, operation, 1, what);
}

fn nth(world: &World, operation: Operation, nth: u64, what: What) {
    world.simulator.script(Fault {
        operation,
        which: Which::Nth(nth),
        what,
    });
}

fn always(world: &World, operation: Operation, what: What) {
    world.simulator.script(Fault {
        operation,
        which: Which::All,
        what,
    });
}

/// What the program said of its attempts at an incident.
fn attempts(program: &Program, case: &Case) -> Vec<Value> {
    let mut all = program.events("escalation.attempt");
    all.retain(|attempt| attempt["incident"] == case.incident.as_str());
    all
}

/// Waits until an attempt at this incident ended so.
async fn ended(program: &Program, case: &Case, outcome: &str) -> Value {
    let wanted =
        |line: &Value| line["incident"] == case.incident.as_str() && line["outcome"] == outcome;
    program.logged("escalation.attempt", wanted).await
}

async fn all_ended(program: &Program, cases: &[Case], outcome: &str) {
    for case in cases {
        ended(program, case, outcome).await;
    }
}

/// Waits until it waits for this reason, at no cost of an attempt.
async fn parked(program: &Program, case: &Case, code: &str) -> Value {
    let wanted = |line: &Value| {
        line["incident"] == case.incident.as_str()
            && line["outcome"] == "later"
            && line["code"] == code
    };
    let attempt = program.logged("escalation.attempt", wanted).await;
    assert_eq!(attempt["attempts"], 0, "{attempt}");
    attempt
}

/// The wait of an attempt that goes on later.
fn delay(attempt: &Value) -> Duration {
    Duration::from_millis(attempt["delay_ms"].as_u64().unwrap())
}

/// Waits until the escalation is dead, and for its letter.
async fn dead(world: &World, program: &Program, case: &Case, code: &str, attempts: u32) -> Value {
    let said = ended(program, case, "dead").await;
    assert_eq!(said["code"], code, "{said}");
    assert_eq!(said["attempts"], attempts, "{said}");
    let letter = letter(world).await;
    assert_letter(&letter, case, code, attempts);
    assert_eq!(letter["reason"], said["reason"]);
    letter
}

/// The open dead letters, once there are so many; they are published after the line that tells of them.
async fn letters(world: &World, count: usize) -> Vec<Value> {
    let letters = eventually("the dead letters", async || {
        let letters = world.dead_letters().await;
        (letters.len() >= count).then_some(letters)
    })
    .await;
    assert_eq!(letters.len(), count, "{letters:#?}");
    letters
}

async fn letter(world: &World) -> Value {
    letters(world, 1).await.remove(0)
}

/// A dead letter of a first generation says all that it has to say.
fn assert_letter(letter: &Value, case: &Case, code: &str, attempts: u32) {
    let key = Key::of(&IncidentId::parse(&case.incident).unwrap(), &Trigger::First);
    let id = DeadLetterId::of(&key, 0);
    assert_eq!(letter["code"], code, "{letter:#}");
    assert_eq!(letter["attempts"], attempts, "{letter:#}");
    assert_eq!(letter["key"], key.as_str(), "{letter:#}");
    assert_eq!(letter["id"], id.as_str(), "{letter:#}");
    assert_eq!(letter["origin"], "worker", "{letter:#}");
    assert_eq!(
        letter["message"]["incident_id"],
        case.incident.as_str(),
        "{letter:#}"
    );
    for words in ["reason", "hint"] {
        assert!(letter[words].as_str().unwrap().len() > 10, "{letter:#}");
    }
    let history = letter["history"].as_array().unwrap();
    let last = history.iter().rfind(|line| line["kind"] == "ended");
    let last = last.expect("a dead letter has a history");
    assert_eq!(last["code"], code, "{letter:#}");
    assert!(last["what"].as_str().unwrap().starts_with("dead"), "{last}");
}

/// The requests of one operation, oldest first.
fn requests(world: &World, operation: Operation) -> Vec<RequestRecord> {
    let mut all = world.simulator.requests();
    all.retain(|request| request.operation == operation);
    all
}

/// How often somebody asked for this.
fn count(world: &World, operation: Operation) -> usize {
    requests(world, operation).len()
}

/// How often anything was asked of Genesys.
fn asked_genesys(world: &World) -> usize {
    [
        Operation::GenesysToken,
        Operation::GenesysConversation,
        Operation::GenesysCreateSession,
        Operation::GenesysAttachMedia,
    ]
    .map(|operation| count(world, operation))
    .iter()
    .sum()
}

/// Milliseconds between one request and the next.
fn gaps(requests: &[RequestRecord]) -> Vec<i64> {
    requests
        .windows(2)
        .map(|two| two[1].at_ms - two[0].at_ms)
        .collect()
}

/// Waits until the vendors were asked for this so often.
async fn asked(world: &World, operation: Operation, times: usize) {
    let waiting = async {
        while count(world, operation) < times {
            // A request between the count and this call would be missed, and one that hangs never ends: so it is
            // counted again now and then.
            let again = Duration::from_millis(50);
            let _ = tokio::time::timeout(again, world.simulator.changed()).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "not asked {times} times for {operation:?}");
}
