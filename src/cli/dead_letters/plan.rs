//! `escalator dead-letters plan`.

use jiff::Timestamp;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::super::exit::Failure;
use super::super::operator::Operator;
use super::super::terminal::{self, say};
use super::super::{assembly, escalations, service};
use super::filter::{Filter, chosen};
use crate::dead_letters::Planner;
use crate::dead_letters::plan::Head;
use crate::ledger::{Deed, Ledger, LetterState};
use crate::settings::{Role, Settings};
use crate::telemetry::Telemetry;

/// So many lines may wait to be written.
const LINES: usize = 64;

const MORE: &str = "\
Each letter is looked at as a worker would: its incident, its conversation and its notes are read, within the limits that all \
workers share, and nothing is written at a vendor. With 300 requests a minute to Genesys, a thousand letters take some minutes.

The plan is JSON lines: a head, an object of \"type\": \"entry\" for each letter (letter, incident, conversation, died_of, verdict, \
at, because), and an end with the counts and a hash over all lines before it. verdict is `resumes` (at says at which step), \
`nothing` (done already, or nothing to do), `refused` (it would die again, or cannot be replayed) or `unknown` (a vendor does not \
answer). `escalator dead-letters replay PLAN` applies it, and does nothing about a letter of which it is not true any more.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = MORE)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    filter: Filter,
    /// All open letters, which is also what it does without a filter.
    #[arg(long)]
    all: bool,
    /// Where the plan goes. Without it, to stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    operator: Operator,
}

/// The planner of the settings, within the pool's budgets.
pub(super) async fn planner(
    settings: &Settings,
) -> Result<(Planner, Arc<dyn Ledger>, Arc<Telemetry>), Failure> {
    let telemetry = Arc::new(Telemetry::new().map_err(Failure::failed)?);
    let ledger = service::open_ledger(settings, telemetry.clone()).await?;
    let vendors = assembly::vendors(settings, &ledger, telemetry.clone())?;
    let bounds = assembly::bounds(settings)?;
    let planner = Planner::new(ledger.clone(), vendors.genesys, vendors.pagerduty, bounds);
    Ok((planner, ledger, telemetry))
}

pub(super) async fn run(arguments: Arguments, config: Option<&Path>) -> Result<(), Failure> {
    // It begins nothing: without a filter it is about all of them.
    let all = arguments.all || arguments.filter.is_empty();
    let what = chosen(&arguments.filter, all)?;
    let settings = service::load(Role::DeadLetters, config)?;
    let mut out = match &arguments.out {
        Some(path) => Out::File(path.clone(), created(path).await?),
        None => Out::Stdout,
    };
    let (planner, ledger, _) = planner(&settings).await?;
    let filter = arguments.filter.letters(LetterState::Open);
    let total = ledger.letters().count_letters(filter.clone()).await;
    let total = total.map_err(escalations::failure)?;
    let by = arguments.operator.entered(Deed::Replay, None, None).by;
    let made_at = Timestamp::now();
    let head = Head { made_at, by, what };
    let bar = super::replay::bar(total, "planned");
    let (lines, written) = mpsc::channel(LINES);
    let writing = planner.write_plan(filter, head, lines);
    let taking = async {
        // Gone with this block: nobody makes a plan that cannot be written.
        let mut written = written;
        while let Some(line) = written.recv().await {
            out.write(&line)?;
            bar.set_position(bar.position().saturating_add(1).min(total));
        }
        Ok::<_, Failure>(())
    };
    let (counts, taken) = tokio::join!(writing, taking);
    bar.finish_and_clear();
    taken?;
    let counts = counts.map_err(escalations::failure)?;
    let counts = counts.ok_or_else(|| Failure::failed("the plan was not finished"))?;
    out.done()?;
    say(&format!(
        "{} letters: {} would go on, {} have nothing to do, {} would be refused, {} unknown",
        counts.all(),
        counts.resumes,
        counts.nothing,
        counts.refused,
        counts.unknown
    ));
    if let Some(path) = &arguments.out {
        let path = path.display();
        say(&format!(
            "apply it with: escalator dead-letters replay {path}"
        ));
    }
    Ok(())
}

enum Out {
    Stdout,
    File(PathBuf, NamedTempFile),
}

/// Under another name beside it until it is whole; so what stands under its own name is a plan.
async fn created(path: &Path) -> Result<NamedTempFile, Failure> {
    let at = |e: &dyn std::fmt::Display| Failure::failed(format!("{}: {e}", path.display()));
    if path.exists() {
        return Err(at(
            &"it is there already, and may be a plan that somebody wants to apply",
        ));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    };
    let made = tokio::task::spawn_blocking(move || NamedTempFile::new_in(folder)).await;
    made.map_err(Failure::failed)?.map_err(|e| at(&e))
}

impl Out {
    fn write(&mut self, text: &str) -> Result<(), Failure> {
        match self {
            Self::Stdout => terminal::write(text).map(|_| ()),
            Self::File(_, file) => file.write_all(text.as_bytes()),
        }
        .map_err(Failure::failed)
    }

    /// Whole: it gets its name, unless somebody has taken that meanwhile.
    fn done(self) -> Result<(), Failure> {
        match self {
            Self::Stdout => Ok(()),
            Self::File(path, file) => {
                file.as_file().sync_all().map_err(Failure::failed)?;
                let named = file.persist_noclobber(&path);
                named.map(|_| ()).map_err(Failure::failed)
            }
        }
    }
}
