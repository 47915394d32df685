//! `escalator dead-letters list`.

use jiff::Timestamp;
use std::path::Path;

use super::super::escalations::words::{age, coloured, cut};
use super::super::exit::Failure;
use super::super::{assembly, escalations, service, terminal};
use super::filter::Filter;
use crate::dead_letters::json;
use crate::ledger::{Letter, LetterFilter, LetterState};
use crate::settings::Role;

/// So many are read and shown at a time.
const PAGE: u64 = 200;
/// So many are shown to a person who did not say how many.
const FOR_A_PERSON: u64 = 50;
const HEAD: [&str; 6] = ["letter", "code", "incident", "age", "state", "reason"];

const MORE: &str = "\
Reads the ledger and nothing else: the queue escalations.dead is not touched, however often it is asked.

With --json, each line is an object of \"type\": \"dead_letter\": id, state (open, in_replay, or how it was closed: replayed, \
nothing_to_do, discarded, edited), code, reason, hint, theme (the reason without what differs from letter to letter), origin \
(worker, ingress, broker, operator), incident, conversation, service, key, attempts, cycle, follows, died_at, kept_at, replay, \
closed, told.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = MORE)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    filter: Filter,
    /// Those that were closed, instead of those that are open.
    #[arg(long, conflicts_with = "any")]
    closed: bool,
    /// Both.
    #[arg(long)]
    any: bool,
    /// At most so many. Without it a person sees the newest 50, and --json is everything.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// JSON lines, one object for each letter.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments, config: Option<&Path>) -> Result<(), Failure> {
    let settings = service::load(Role::Ledger, config)?;
    let (ledger, _) = assembly::ledger_to_read(&settings).await?;
    let letters = ledger.letters();
    let state = match (arguments.closed, arguments.any) {
        (true, _) => LetterState::Closed,
        (false, true) => LetterState::Any,
        (false, false) => LetterState::Open,
    };
    let filter = arguments.filter.letters(state);
    let total = letters.count_letters(filter.clone()).await;
    let total = total.map_err(escalations::failure)?;
    let mut left = match (arguments.limit, arguments.json) {
        (Some(limit), _) => limit,
        (None, true) => u64::MAX,
        (None, false) => FOR_A_PERSON,
    };
    let mut filter = LetterFilter {
        limit: u32::try_from(PAGE).unwrap_or(u32::MAX),
        ..filter
    };
    let (mut shown, mut head) = (0_u64, true);
    while left > 0 {
        let mut page = letters
            .list_letters(filter.clone())
            .await
            .map_err(escalations::failure)?;
        let Some(last) = page.last() else { break };
        filter.after = Some(last.cursor());
        page.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left -= page.len() as u64;
        shown += page.len() as u64;
        let text = match arguments.json {
            true => page
                .iter()
                .map(|one| format!("{}\n", json::letter(one)))
                .collect(),
            false => table(&page, Timestamp::now(), std::mem::take(&mut head)),
        };
        if !terminal::write(&text).map_err(Failure::failed)? {
            return Ok(());
        }
    }
    terminal::say(&in_words(shown, total, state));
    Ok(())
}

fn in_words(shown: u64, total: u64, state: LetterState) -> String {
    let what = match state {
        LetterState::Open => "open dead letters",
        LetterState::Closed => "closed dead letters",
        LetterState::Any => "dead letters",
    };
    match (shown, total) {
        (_, 0) => format!("no {what}"),
        (shown, total) if shown < total => format!(
            "{shown} of {total} {what}; there are more: --limit N shows N of them, --json all"
        ),
        (_, total) => format!("{total} {what}"),
    }
}

fn table(page: &[Letter], now: Timestamp, head: bool) -> String {
    let rows: Vec<[String; 6]> = page
        .iter()
        .map(|kept| {
            [
                kept.letter.id.to_string(),
                kept.letter.code.to_string(),
                kept.incident
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), ToString::to_string),
                age(kept.letter.died_at, now),
                json::state(kept).to_owned(),
                kept.letter.reason.clone(),
            ]
        })
        .collect();
    let mut widths = HEAD.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let (columns, colours) = (terminal::columns(), terminal::is_terminal());
    let line = |cells: [&str; 6]| {
        let mut text = String::new();
        for (number, (cell, width)) in cells.iter().zip(widths).enumerate() {
            match number {
                5 => text.push_str(cell),
                3 => text.push_str(&format!("{cell:>width$}  ")),
                _ => text.push_str(&format!("{cell:<width$}  ")),
            }
        }
        match columns {
            Some(columns) => cut(text.trim_end(), columns),
            None => text.trim_end().to_owned(),
        }
    };
    let mut text = String::new();
    if head {
        text.push_str(&coloured(&line(HEAD), "2", colours));
        text.push('\n');
    }
    for row in &rows {
        text.push_str(&line(row.each_ref().map(String::as_str)));
        text.push('\n');
    }
    text
}
