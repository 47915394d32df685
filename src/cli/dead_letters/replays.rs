//! `escalator dead-letters replay status`, `cancel`, `resume`.

use std::path::Path;
use std::time::Duration;

use super::super::exit::Failure;
use super::super::operator::Operator;
use super::super::{assembly, escalations, service, terminal};
use super::replay::{Parts, failure, told};
use crate::crash;
use crate::dead_letters::Stopped;
use crate::dead_letters::json;
use crate::ledger::{Deed, Ledger, Replay, ReplayState};
use crate::settings::Role;

/// So many replays are listed.
const LISTED: u32 = 50;
/// How often it is looked whether a replay has stopped.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const PAGE: u32 = 200;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Where replays are: all of late, or one with what became of each letter.
    Status {
        /// The replay's id: rp-…
        #[arg(value_name = "ID")]
        id: Option<String>,
        /// JSON lines, one object for each replay, and of one replay for each letter.
        #[arg(long)]
        json: bool,
    },
    /// Stop a replay: what was begun is published, what was not is let go.
    Cancel {
        /// The replay's id: rp-…
        #[arg(value_name = "ID")]
        id: String,
        /// Why, for the audit.
        #[arg(long, value_name = "TEXT")]
        because: Option<String>,
        #[command(flatten)]
        operator: Operator,
        /// JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Go on with a replay that was interrupted.
    Resume {
        /// The replay's id: rp-…
        #[arg(value_name = "ID")]
        id: String,
        /// Why, for the audit.
        #[arg(long, value_name = "TEXT")]
        because: Option<String>,
        #[command(flatten)]
        operator: Operator,
        /// JSON lines, one object for each letter.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command, config: Option<&Path>) -> Result<(), Failure> {
    match command {
        Command::Status { id, json } => status(id, json, config).await,
        Command::Cancel {
            id,
            because,
            operator,
            json,
        } => {
            let settings = service::load(Role::Ledger, config)?;
            let ledger = assembly::ledger(&settings).await?;
            let entered = operator.entered(Deed::CancelReplay, None, because);
            let cancelled = ledger.letters().cancel_replay(id.clone(), entered).await;
            let Some(replay) = cancelled.map_err(escalations::failure)? else {
                return Err(failure(&id, &Stopped::Unknown));
            };
            let replay = stopped(&*ledger, replay).await?;
            drop(ledger);
            let replay = match replay.state.is_over() {
                true => replay,
                false => drive(&id, &replay, json, config).await?,
            };
            cancelled_told(&replay, json);
            Ok(())
        }
        Command::Resume {
            id,
            because,
            operator,
            json,
        } => {
            let settings = service::load(Role::Ledger, config)?;
            let ledger = assembly::ledger(&settings).await?;
            let replay = one(&*ledger, &id).await?;
            if replay.state.is_over() {
                return told(&replay, json);
            }
            if let Some((driver, _)) = replay.driver {
                return Err(failure(&id, &Stopped::Busy(driver)));
            }
            let entered = operator.entered(Deed::ResumeReplay, Some(id.clone()), because);
            ledger.enter(entered).await.map_err(escalations::failure)?;
            drop(ledger);
            let replay = drive(&id, &replay, json, config).await?;
            told(&replay, json)
        }
    }
}

/// Until whoever drives it has stopped it; or is thought gone, and nobody drives it.
async fn stopped(ledger: &dyn Ledger, mut replay: Replay) -> Result<Replay, Failure> {
    if let Some((driver, _)) = replay.driver.as_ref().filter(|_| !replay.state.is_over()) {
        terminal::say(&format!(
            "{driver} drives it, and stops after the letter in hand"
        ));
    }
    while !replay.state.is_over() && replay.driver.is_some() {
        tokio::time::sleep(LOOK_EVERY).await;
        replay = one(ledger, &replay.id).await?;
    }
    Ok(replay)
}

fn cancelled_told(replay: &Replay, as_json: bool) {
    if as_json {
        terminal::print(&json::replay(replay).to_string());
    }
    let (state, result) = (replay.state.as_str(), replay.counts.in_words());
    terminal::say(&format!("replay {} is {state}: {result}", replay.id));
}

async fn drive(
    id: &str,
    replay: &Replay,
    json: bool,
    config: Option<&Path>,
) -> Result<Replay, Failure> {
    let settings = service::load(Role::DeadLetters, config)?;
    crash::arm();
    let parts = Parts::new(&settings, json).await?;
    parts.drive(id, replay.counts.left()).await
}

async fn one(ledger: &dyn Ledger, id: &str) -> Result<Replay, Failure> {
    let found = ledger.letters().replay(id.to_owned()).await;
    let found = found.map_err(escalations::failure)?;
    found.ok_or_else(|| failure(id, &Stopped::Unknown))
}

async fn status(id: Option<String>, as_json: bool, config: Option<&Path>) -> Result<(), Failure> {
    let settings = service::load(Role::Ledger, config)?;
    let (ledger, _) = assembly::ledger_to_read(&settings).await?;
    let Some(id) = id else {
        let replays = ledger.letters().replays(LISTED).await;
        let replays = replays.map_err(escalations::failure)?;
        if replays.is_empty() {
            terminal::say("nothing was ever replayed");
        }
        for replay in &replays {
            terminal::print(&in_words(replay, as_json));
        }
        return Ok(());
    };
    let replay = one(&*ledger, &id).await?;
    terminal::print(&in_words(&replay, as_json));
    let mut behind = 0;
    loop {
        let entries = ledger
            .letters()
            .replay_entries(id.clone(), false, behind, PAGE)
            .await
            .map_err(escalations::failure)?;
        let Some(last) = entries.last() else {
            return Ok(());
        };
        behind = last.number;
        let text: String = entries
            .iter()
            .map(|entry| match as_json {
                true => format!("{}\n", json::entry(&id, entry)),
                false => {
                    let outcome = entry.outcome.map_or(entry.stage.as_str(), |o| o.as_str());
                    let detail = entry.detail.as_deref().unwrap_or_default();
                    format!("   {}  {outcome:<13}  {detail}\n", entry.letter)
                }
            })
            .collect();
        if !terminal::write(&text).map_err(Failure::failed)? {
            return Ok(());
        }
    }
}

fn in_words(replay: &Replay, as_json: bool) -> String {
    if as_json {
        return json::replay(replay).to_string();
    }
    let driven = match (&replay.driver, replay.state) {
        (Some((driver, _)), _) => format!(", driven by {driver}"),
        (None, ReplayState::Running | ReplayState::Cancelling) => format!(
            ", driven by nobody: escalator dead-letters replay resume {}",
            replay.id
        ),
        (None, ReplayState::Done | ReplayState::Cancelled) => String::new(),
    };
    format!(
        "{}  {}{driven}\n   {}; by {}, {:.0}: {}",
        replay.id,
        replay.state.as_str(),
        replay.counts.in_words(),
        replay.entered.by,
        replay.began_at,
        replay.what
    )
}
