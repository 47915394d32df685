//! `escalator dead-letters show`.

use jiff::Timestamp;
use std::path::Path;

use super::super::escalations::words::{age, coloured, wrapped};
use super::super::exit::Failure;
use super::super::{assembly, escalations, service, terminal};
use crate::dead_letters::json;
use crate::escalation::{DeadLetterId, Entry, Step};
use crate::ledger::Ground;
use crate::settings::Role;

/// Before the value of a line.
const VALUE_AT: usize = 3 + 12 + 2;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The letter's id: dl-…
    #[arg(value_name = "ID", value_parser = DeadLetterId::parse)]
    id: DeadLetterId,
    /// Print the bytes that nobody could read, as they came, and nothing else.
    #[arg(long, conflicts_with = "json")]
    bytes: bool,
    /// One JSON object, with the message and the history.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments, config: Option<&Path>) -> Result<(), Failure> {
    let settings = service::load(Role::Ledger, config)?;
    let (ledger, at) = assembly::ledger_to_read(&settings).await?;
    let id = arguments.id;
    let ground = ledger.letters().ground(id.clone()).await;
    let Some(ground) = ground.map_err(escalations::failure)? else {
        return Err(Failure::failed(format!(
            "there is no dead letter {id} in the ledger {at}: it is in the queue still, or was closed longer ago than escalation.retention"
        )));
    };
    let letter = &ground.letter.letter;
    if arguments.bytes {
        let Some(bytes) = letter.bytes() else {
            return Err(Failure::failed(format!(
                "{id} consists of no bytes, but of a message: --json has it"
            )));
        };
        terminal::print_bytes(&bytes);
        return Ok(());
    }
    let history = match (&letter.key, &ground.escalation) {
        (Some(key), Some(_)) => ledger.history(key).await.map_err(escalations::failure)?,
        (_, _) => letter.history.clone(),
    };
    if arguments.json {
        terminal::print(&json::shown(&ground, &history).to_string());
        return Ok(());
    }
    terminal::write(&in_words(&ground, &history)).map_err(Failure::failed)?;
    Ok(())
}

fn in_words(ground: &Ground, history: &[Entry]) -> String {
    let (kept, now) = (&ground.letter, Timestamp::now());
    let letter = &kept.letter;
    let colours = terminal::is_terminal();
    let id = coloured(letter.id.as_str(), "1", colours);
    let state = json::state(kept);
    let mut text = format!("{id}: {state}, died {} ago\n", age(letter.died_at, now));
    let mut facts: Vec<(&str, String)> = vec![
        ("why", format!("{}: {}", letter.code, letter.reason)),
        ("what to do", letter.hint.clone()),
        ("more", format!("escalator explain {}", letter.code)),
        ("a replay", json::outlook_in_words(ground)),
        ("incident told", kept.notice.in_words()),
    ];
    if let Some(closed) = &kept.closed {
        let mut how = format!("{} by {}, {:.0}", closed.how.as_str(), closed.by, closed.at);
        how.extend(closed.why.iter().map(|why| format!(": {why}")));
        how.extend(closed.successor.iter().map(|id| format!("; see {id}")));
        facts.push(("closed", how));
    }
    let optional = [
        ("in replay", kept.claimed_by.clone()),
        ("incident", kept.incident.as_ref().map(ToString::to_string)),
        (
            "conversation",
            kept.conversation.as_ref().map(ToString::to_string),
        ),
        ("escalation", letter.key.as_ref().map(ToString::to_string)),
        ("follows", letter.follows.as_ref().map(ToString::to_string)),
    ];
    for (name, value) in optional {
        facts.extend(value.map(|value| (name, value)));
    }
    facts.push(("attempts", letter.attempts.to_string()));
    facts.push(("written by", letter.origin.as_str().to_owned()));
    if letter.message.is_none() {
        let bytes = letter.bytes().map_or(0, |bytes| bytes.len());
        let what = format!("none: {bytes} bytes that nobody can read (--bytes prints them)");
        facts.push(("message", what));
    }
    for (name, value) in facts {
        let width = terminal::columns().map(|all| all.saturating_sub(VALUE_AT));
        for (number, piece) in wrapped(value.split_whitespace(), width).iter().enumerate() {
            let name = if number == 0 { name } else { "" };
            text.push_str(&format!("   {name:<13} {piece}\n"));
        }
    }
    if history.is_empty() {
        return text;
    }
    text.push('\n');
    for line in history {
        let step = line.step.map_or("", Step::as_str);
        let code = line
            .code
            .map(|code| format!("{code}: "))
            .unwrap_or_default();
        let at = line.at;
        text.push_str(&format!(
            "   {at:.0}  {:<12} {step:<8} {code}{}\n",
            line.kind.as_str(),
            line.what
        ));
    }
    text
}
