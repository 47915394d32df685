//! `escalator dead-letters groups`.

use jiff::Timestamp;
use std::path::Path;

use super::super::escalations::words::{age, coloured, wrapped};
use super::super::exit::Failure;
use super::super::{assembly, escalations, service, terminal};
use super::filter::Filter;
use crate::dead_letters::json;
use crate::ledger::{LetterFilter, LetterGroup, LetterState};
use crate::settings::Role;

/// More kinds of trouble than these nobody reads.
const GROUPS: u32 = 1_000;

const MORE: &str = "\
Letters of one code whose reasons differ only in ids, times and counts are one group. The words under a code are the reason, \
with … for what differs; --code and --reason of the other commands take both.

With --json, each line is an object of \"type\": \"group\": code, reason, hint, count, oldest, newest.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = MORE)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    filter: Filter,
    /// JSON lines, one object for each group.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments, config: Option<&Path>) -> Result<(), Failure> {
    let settings = service::load(Role::Ledger, config)?;
    let (ledger, _) = assembly::ledger_to_read(&settings).await?;
    let filter = LetterFilter {
        limit: GROUPS,
        ..arguments.filter.letters(LetterState::Open)
    };
    let groups = ledger.letters().groups(filter).await;
    let groups = groups.map_err(escalations::failure)?;
    let now = Timestamp::now();
    let text: String = match arguments.json {
        true => groups
            .iter()
            .map(|group| format!("{}\n", json::group(group)))
            .collect(),
        false => groups.iter().map(|group| in_words(group, now)).collect(),
    };
    terminal::write(&text).map_err(Failure::failed)?;
    let letters: u64 = groups.iter().map(|group| group.count).sum();
    terminal::say(&match letters {
        0 => "no open dead letters".to_owned(),
        letters => format!("{letters} open dead letters in {} groups", groups.len()),
    });
    Ok(())
}

fn in_words(group: &LetterGroup, now: Timestamp) -> String {
    let colours = terminal::is_terminal();
    let code = coloured(group.code.as_str(), "1;31", colours);
    let mut text = format!(
        "{:>7}  {code}, the oldest {} ago, the newest {} ago\n",
        group.count,
        age(group.oldest, now),
        age(group.newest, now)
    );
    let width = terminal::columns().map(|columns| columns.saturating_sub(9));
    let hint = format!("→ {}", group.code.hint());
    for (words, sgr) in [(group.theme.as_str(), ""), (hint.as_str(), "2")] {
        for line in wrapped(words.split_whitespace(), width) {
            text.push_str(&format!("         {}\n", coloured(&line, sgr, colours)));
        }
    }
    text
}
