//! `escalator escalations list` and `show`, as their users see them: what the real worker left in a real ledger.

mod lists;
mod reading;
mod timelines;

use std::path::Path;
use std::process::Output;

use escalator::simulator::{Fault, Operation, What, Which};
use serde_json::Value;
use tokio::process::Command;

use crate::support::program::Program;
use crate::support::world::{Case, World};

/// Runs `escalator escalations …` with nothing but the ledger's address.
async fn escalations(ledger: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_escalator"))
        .arg("escalations")
        .args(arguments)
        .env_clear()
        .env("DATABASE_URL", format!("sqlite://{}", ledger.display()))
        .current_dir(ledger.parent().unwrap())
        .output()
        .await
        .unwrap()
}

/// The same where it has to succeed: data and talk.
pub(crate) async fn shown(ledger: &Path, arguments: &[&str]) -> (String, String) {
    let output = escalations(ledger, arguments).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (data, talk) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{data}{talk}");
    (data, talk)
}

/// What it says where it has to fail in this way, with nothing on stdout.
async fn refused(ledger: &Path, arguments: &[&str], code: i32) -> String {
    let output = escalations(ledger, arguments).await;
    let talk = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{talk}");
    assert!(output.stdout.is_empty(), "{talk}");
    talk
}

/// The objects of JSON lines.
pub(crate) async fn objects(ledger: &Path, arguments: &[&str]) -> Vec<Value> {
    let arguments = [arguments, &["--json"]].concat();
    let (data, _) = shown(ledger, &arguments).await;
    data.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn trigger(world: &World, program: &Program, case: &Case) {
    world.deliver(program, &world.trigger(case)).await;
}

/// Waits until an attempt at this incident ended so.
async fn ended(program: &Program, case: &Case, outcome: &str) -> Value {
    let wanted =
        |line: &Value| line["incident"] == case.incident.as_str() && line["outcome"] == outcome;
    program.logged("escalation.attempt", wanted).await
}

fn next(world: &World, operation: Operation, what: What) {
    let which = Which::Nth(1);
    world.simulator.script(Fault {
        operation,
        which,
        what,
    });
}

/// Nothing that was shown holds a link that the vendors gave out.
fn assert_no_link(world: &World, texts: &[String]) {
    let sessions = world.simulator.effects().sessions;
    assert!(!sessions.is_empty(), "there was no link to be shown");
    for text in texts {
        for session in &sessions {
            assert!(!text.contains(&session.join_url), "{text}");
        }
        assert!(!text.contains("http"), "{text}");
    }
}
