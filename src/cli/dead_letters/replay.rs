//! `escalator dead-letters replay`.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

use super::super::exit::Failure;
use super::super::operator::Operator;
use super::super::signals::Signals;
use super::super::terminal::{self, say};
use super::super::{assembly, escalations, service};
use super::filter::{Filter, chosen};
use super::plan::planner;
use super::replays;
use crate::crash;
use crate::dead_letters::json;
use crate::dead_letters::plan::Plan;
use crate::dead_letters::{Letters, PER_MINUTE, Replayer, Step, Stopped, new_replay_id};
use crate::ledger::{
    Deed, EntryOutcome, Ledger, LetterState, NewReplay, Replay, ReplayEntry, ReplayState,
};
use crate::settings::{Role, Settings};

const PAGE: u32 = 200;

const MORE: &str = "\
A replay has an id. Its letters are marked as its own first; then each is staged (its escalation is open again, attempts at 0), \
published with the broker's confirm on the normal lane, and closed. Every one of these steps may be repeated: whatever crashes, \
`replay resume ID` goes on, and nothing is begun twice. Two operators never have the same letter. Ctrl-C stops after the letter in \
hand; `replay cancel ID` lets go what was not begun.

Each letter is a line: `replayed`, `nothing_to_do`, `refused` or `let_go`, and why. With --json, each line is an object of \"type\": \
\"replay_entry\" (replay, number, letter, stage, outcome, detail), the last one of \"type\": \"replay\". What becomes of what was \
begun, `escalator escalations show INCIDENT` tells.

Exit code 1 says that one was refused, or that the replay did not come to its end.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = MORE, args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    command: Option<replays::Command>,
    /// A plan, as `escalator dead-letters plan --out PLAN` wrote it.
    #[arg(value_name = "PLAN")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    filter: Filter,
    /// All open letters.
    #[arg(long)]
    all: bool,
    /// At most so many a minute.
    #[arg(long, value_name = "N", default_value_t = PER_MINUTE, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    per_minute: u32,
    /// Why, for the audit.
    #[arg(long, value_name = "TEXT")]
    because: Option<String>,
    #[command(flatten)]
    operator: Operator,
    /// JSON lines, one object for each letter.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments, config: Option<&Path>) -> Result<(), Failure> {
    if let Some(command) = arguments.command {
        return replays::run(command, config).await;
    }
    let (what, letters) = match &arguments.plan {
        Some(path) => {
            if !arguments.filter.is_empty() || arguments.all {
                return Err(Failure::usage(
                    "a plan says which letters: leave filters and --all out",
                ));
            }
            let plan = read(path)?;
            (plan.in_words(), Letters::Planned(plan.entries))
        }
        None => (
            chosen(&arguments.filter, arguments.all)?,
            Letters::Fitting(arguments.filter.letters(LetterState::Open)),
        ),
    };
    let settings = service::load(Role::DeadLetters, config)?;
    crash::arm();
    let parts = Parts::new(&settings, arguments.json).await?;
    let new = NewReplay {
        id: new_replay_id(),
        what,
        per_minute: arguments.per_minute,
        entered: arguments
            .operator
            .entered(Deed::Replay, None, arguments.because),
    };
    let id = new.id.clone();
    say(&format!("replay {id}"));
    let marked = parts.replayer.begin(new, letters, |_| {}).await;
    let marked = marked.map_err(|stopped| failure(&id, &stopped))?;
    if marked.refused > 0 {
        parts.tell_refused(&id).await?;
    }
    let replay = parts.drive(&id, marked.taken).await?;
    told(&replay, arguments.json)
}

fn read(path: &Path) -> Result<Plan, Failure> {
    let at = |e: &dyn std::fmt::Display| Failure::usage(format!("{}: {e}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| at(&e))?;
    Plan::read(&text).map_err(|e| at(&e))
}

/// What drives a replay from this terminal.
pub(super) struct Parts {
    ledger: Arc<dyn Ledger>,
    replayer: Replayer,
    broker: crate::broker::Broker,
    json: bool,
}

impl Parts {
    pub(super) async fn new(settings: &Settings, json: bool) -> Result<Self, Failure> {
        let (planner, ledger, _) = planner(settings).await?;
        let broker = assembly::broker(Role::DeadLetters, settings)?;
        // Two containers may have one name and number.
        let driver = format!(
            "{}/{}/{:04x}",
            assembly::host(),
            std::process::id(),
            rand::random::<u16>()
        );
        let lease = settings.worker()?.lease;
        let replayer = Replayer::new(ledger.clone(), broker.publisher(), planner, driver, lease);
        Ok(Self {
            ledger,
            replayer,
            broker,
            json,
        })
    }

    /// Those that were not to be had: each gets its line too.
    async fn tell_refused(&self, id: &str) -> Result<(), Failure> {
        let mut behind = 0;
        loop {
            let letters = self.ledger.letters();
            let entries = letters.replay_entries(id.to_owned(), false, behind, PAGE);
            let entries = entries.await.map_err(escalations::failure)?;
            let Some(last) = entries.last() else {
                return Ok(());
            };
            behind = last.number;
            for entry in entries.iter().filter(|entry| entry.outcome.is_some()) {
                terminal::print(&line(id, entry, self.json));
            }
        }
    }

    /// Drives it to its end, with a bar on a terminal and a line for each letter.
    pub(super) async fn drive(self, id: &str, letters: u64) -> Result<Replay, Failure> {
        let stop = CancellationToken::new();
        let mut signals = Signals::listen()?;
        let stopping = stop.clone();
        let listening = tokio::spawn(async move {
            signals.next().await;
            stopping.cancel();
        });
        let bar = bar(letters, "over");
        let tell = |step: Step<'_>| {
            if let Step::Over { entry, .. } = step {
                bar.suspend(|| terminal::print(&line(id, entry, self.json)));
                bar.inc(1);
            }
        };
        let driven = self.replayer.drive(id, &stop, tell).await;
        bar.finish_and_clear();
        listening.abort();
        self.broker.close().await;
        driven.map_err(|stopped| failure(id, &stopped))
    }
}

fn line(id: &str, entry: &ReplayEntry, as_json: bool) -> String {
    if as_json {
        return json::entry(id, entry).to_string();
    }
    let outcome = entry.outcome.map_or("", EntryOutcome::as_str);
    let detail = entry.detail.as_deref().unwrap_or_default();
    format!("{}  {outcome:<13}  {detail}", entry.letter)
}

/// How it ended. That one was refused is a failure, so that scripts notice; and so is that it did not come to its end.
pub(super) fn told(replay: &Replay, as_json: bool) -> Result<(), Failure> {
    if as_json {
        terminal::print(&json::replay(replay).to_string());
    }
    let text = format!(
        "replay {} is {}: {}",
        replay.id,
        replay.state.as_str(),
        replay.counts.in_words()
    );
    let text = match replay.marked {
        true => text,
        false => {
            format!("{text}; not all letters that were chosen are in it: its beginning was cut off")
        }
    };
    match (replay.counts.refused, replay.state) {
        (0, ReplayState::Done) => {
            say(&text);
            Ok(())
        }
        (
            _,
            ReplayState::Running
            | ReplayState::Cancelling
            | ReplayState::Done
            | ReplayState::Cancelled,
        ) => Err(Failure::failed(text)),
    }
}

pub(super) fn failure(id: &str, stopped: &Stopped) -> Failure {
    let again = format!("go on with: escalator dead-letters replay resume {id}");
    match stopped {
        Stopped::Unknown => Failure::failed(format!(
            "there is no replay {id}: `escalator dead-letters replay status` lists them"
        )),
        Stopped::Busy(other) => Failure::failed(format!(
            "{other} drives replay {id} just now; if that has ended, try again after worker.lease"
        )),
        Stopped::Interrupted => Failure::failed(format!("replay {id} was interrupted; {again}")),
        Stopped::Broker(error) => Failure::unavailable(format!(
            "the broker does not take a message: {error}; replay {id} is left as it is, {again}"
        )),
        Stopped::Ledger(error) => {
            let text = format!("{error}; replay {id} is left as it is, {again}");
            match escalations::failure_of(error) {
                Failure::Unavailable(_) => Failure::unavailable(text),
                Failure::Usage(_) | Failure::Failed(_) => Failure::failed(text),
            }
        }
    }
}

/// A bar on stderr, on a terminal; nothing elsewhere.
pub(super) fn bar(length: u64, what: &str) -> ProgressBar {
    use std::io::IsTerminal;
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    let template = format!("{{bar:40}} {{pos}} of {{len}} {what}, {{per_sec}}, {{eta}} left");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}
