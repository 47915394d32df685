//! `escalator pagerduty` and `escalator catch-up`, and the incident's own body where no alert has one: the real program
//! against the simulated PagerDuty.

mod catching_up;
mod fallback;
mod pinging;
mod subscribing;

use std::process::Output;

use escalator::simulator::{Fault, Operation, What, Which};
use serde_json::Value;
use tokio::process::Command;

use crate::support::program::Program;
use crate::support::world::{Case, World};

/// Where a subscription of these tests sends to, when nothing is to arrive.
const WEBHOOKS: &str = "https://escalator.example/webhooks/pagerduty";

/// What a command said, and how it ended.
struct Said {
    code: i32,
    data: String,
    talk: String,
}

impl Said {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            data: String::from_utf8(output.stdout).unwrap(),
            talk: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// It ended so, and said these words to its user.
    #[track_caller]
    fn ends(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.data, self.talk);
        for word in words {
            assert!(self.talk.contains(word), "no {word:?} in: {}", self.talk);
        }
    }

    /// The objects of JSON lines.
    fn objects(&self) -> Vec<Value> {
        self.data
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

async fn run(world: &World, arguments: &[&str], settings: &[(&str, &str)]) -> Said {
    // Neither command is asked for what it does not need.
    let needless = ["GENESYS_CLIENT_ID", "GENESYS_CLIENT_SECRET"];
    let mut all = world.settings(settings);
    all.retain(|(name, _)| !needless.contains(&name.as_str()));
    let output = Command::new(env!("CARGO_BIN_EXE_escalator"))
        .args(arguments)
        .env_clear()
        .envs(all)
        .current_dir(world.folder.path())
        .output()
        .await
        .unwrap();
    let said = Said::of(output);
    let config = world.simulator.config();
    for secret in [&config.api_token, &config.webhook_secret] {
        let shown = said.data.contains(secret.as_str()) || said.talk.contains(secret.as_str());
        assert!(!shown, "{}{}", said.data, said.talk);
    }
    said
}

fn script(world: &World, operation: Operation, which: Which, what: What) {
    world.simulator.script(Fault {
        operation,
        which,
        what,
    });
}

fn count(world: &World, operation: Operation) -> usize {
    let requests = world.simulator.requests();
    requests.iter().filter(|r| r.operation == operation).count()
}

/// Waits until an attempt at this incident ended so.
async fn ended(program: &Program, case: &Case, outcome: &str) -> Value {
    let wanted =
        |line: &Value| line["incident"] == case.incident.as_str() && line["outcome"] == outcome;
    program.logged("escalation.attempt", wanted).await
}
