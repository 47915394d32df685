//! Dead letters, as operators and on-call engineers meet them: the real program, the real broker, both vendors simulated.

mod crashing;
mod keeping;
mod planning;
mod replaying;
mod telling;

use std::process::Output;

use escalator::ledger::Letter;
use escalator::simulator::{Fault, Operation, What, Which};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::program::Program;
use crate::support::vhost::eventually;
use crate::support::world::{Case, World};

/// Genesys answers as if there were no such conversation.
fn unknown() -> What {
    What::Status {
        status: 404,
        headers: Vec::new(),
        body: json!({"message": "not here", "code": "not.found", "status": 404}).to_string(),
    }
}

async fn serving(world: &World) -> Program {
    world.start("serve", &[]).await
}

/// So many escalations that are dead although their conversations are well: a replay would succeed.
async fn dead(world: &World, program: &Program, count: usize) -> Vec<Case> {
    world.simulator.script(Fault {
        operation: Operation::GenesysConversation,
        which: Which::First(count as u64),
        what: unknown(),
    });
    let mut cases = Vec::with_capacity(count);
    for _ in 0..count {
        let case = world.case();
        world.deliver(program, &world.trigger(&case)).await;
        cases.push(case);
    }
    for case in &cases {
        told(world, case).await;
    }
    cases
}

/// The open letter of this case, once its incident was told, or will not be.
async fn told(world: &World, case: &Case) -> Letter {
    eventually("the incident is told", async || {
        let mut letters = world.kept().await;
        letters.retain(|letter| is_of(letter, case) && !letter.notice.is_due());
        letters.pop()
    })
    .await
}

fn is_of(letter: &Letter, case: &Case) -> bool {
    let incident = letter.incident.as_ref();
    incident.is_some_and(|id| id.as_str() == case.incident)
}

/// `escalator dead-letters …`, as an operator gives it.
fn command(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_escalator"));
    command
        .arg("dead-letters")
        .args(arguments)
        .env_clear()
        .envs(world.settings(&[("DEAD_LETTERS_EDIT", "true")]))
        .env("USER", "alex")
        .current_dir(world.folder.path())
        .kill_on_drop(true);
    command
}

/// What it says, and how it ends.
struct Said {
    code: Option<i32>,
    data: String,
    talk: String,
}

impl Said {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code(),
            data: text(output.stdout),
            talk: text(output.stderr),
        }
    }

    fn lines(&self) -> Vec<Value> {
        let lines = self.data.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

async fn says(world: &World, arguments: &[&str]) -> Said {
    Said::of(command(world, arguments).output().await.unwrap())
}

/// The same where it has to end well.
async fn done(world: &World, arguments: &[&str]) -> Said {
    let said = says(world, arguments).await;
    assert_eq!(
        said.code,
        Some(0),
        "{arguments:?}\n{}\n{}",
        said.data,
        said.talk
    );
    said
}

/// The id of the replay that it names.
fn replay_of(said: &Said) -> String {
    let mut words = said.talk.split_whitespace();
    let id = words.find(|word| word.starts_with("rp-"));
    id.unwrap_or_else(|| panic!("{}", said.talk)).to_owned()
}
