//! `escalator explain`: the page of an error code, compiled in. It needs no settings and reaches nobody.

use serde::Serialize;

use super::escalations::words::{coloured, wrapped};
use super::exit::Failure;
use super::terminal;
use crate::escalation::{Code, Ending, Page};
use crate::settings::closest;

/// No line of a page is longer, on however wide a terminal.
const WIDTH: usize = 100;
/// Before the text of a page's part.
const TEXT_AT: usize = 3 + 8 + 2;
/// So many codes are suggested for one that there is not.
const SUGGESTED: usize = 4;

const MORE: &str = "\
How the work goes on: retried, tried again by itself; waits, until somebody has put something right, and then it goes on by \
itself; waits_then_final, for a bounded time; final, dead with a dead letter.

With --json, each code is an object of \"type\": \"code\" with code, meaning, hint, cause, steps, ending, work, seen, see_also.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = MORE)]
pub(super) struct Arguments {
    /// The code, as a dead letter, the log or `escalations show` has it. Without one, all are listed.
    #[arg(value_name = "CODE")]
    code: Option<String>,
    /// JSON lines: an object for each code.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let codes = match &arguments.code {
        Some(word) => vec![named(word)?],
        None => Code::ALL.to_vec(),
    };
    let text = if arguments.json {
        let lines: Result<Vec<_>, _> = codes.into_iter().map(json).collect();
        lines.map_err(Failure::failed)?.concat()
    } else {
        let columns = terminal::columns().unwrap_or(WIDTH).min(WIDTH);
        match codes.as_slice() {
            [code] => as_text(*code, columns, terminal::is_terminal()),
            all => list(all),
        }
    };
    terminal::write(&text).map_err(Failure::failed)?;
    Ok(())
}

/// The code of this name; a hyphen or a capital letter is no reason to send anybody away.
fn named(word: &str) -> Result<Code, Failure> {
    let name = word.trim().to_lowercase().replace(['-', ' '], "_");
    let mut all = Code::ALL.into_iter();
    all.find(|code| code.as_str() == name).ok_or_else(|| {
        let near: Vec<_> = nearest(&name, word.trim())
            .iter()
            .map(|c| format!("`{c}`"))
            .collect();
        let meant = match near.as_slice() {
            [] => String::new(),
            [one] => format!("did you mean {one}? "),
            [firsts @ .., last] => format!("did you mean {} or {last}? ", firsts.join(", ")),
        };
        Failure::usage(format!(
            "there is no code `{word}`; {meant}`escalator explain` lists all"
        ))
    })
}

/// What may have been meant: a slip of the pen, a part of a name, or what a vendor calls it (a status, a code).
fn nearest(name: &str, word: &str) -> Vec<Code> {
    if let Some(slip) = closest(name, Code::ALL.iter().map(|code| code.as_str())) {
        return Code::ALL
            .into_iter()
            .filter(|code| code.as_str() == slip)
            .collect();
    }
    let within = |text: &str, part: &str| part.len() > 2 && text.contains(part);
    let telling = |part: &&str| part.len() > 4 && !["genesys", "pagerduty"].contains(part);
    let mut near: Vec<_> = Code::ALL
        .into_iter()
        .filter_map(|code| {
            let mut parts = name.split('_').filter(telling);
            let mut seen = code.page().seen.iter();
            // The better the guess, the smaller.
            if within(code.as_str(), name) {
                Some((0, code))
            } else if parts.any(|part| within(code.as_str(), part)) {
                Some((1, code))
            } else {
                seen.any(|seen| within(seen, word)).then_some((2, code))
            }
        })
        .collect();
    near.sort_by_key(|(rank, _)| *rank);
    near.truncate(SUGGESTED);
    near.into_iter().map(|(_, code)| code).collect()
}

/// One line for each.
fn list(codes: &[Code]) -> String {
    let width = codes.iter().map(|code| code.as_str().len()).max();
    let (width, ending) = (
        width.unwrap_or_default(),
        Ending::WaitsThenFinal.as_str().len(),
    );
    let lines = codes.iter().map(|code| {
        let page = code.page();
        let name = code.as_str();
        format!(
            "{name:<width$}  {:<ending$}  {}\n",
            page.ending.as_str(),
            page.meaning
        )
    });
    lines.collect()
}

fn as_text(code: Code, columns: usize, colours: bool) -> String {
    let page = code.page();
    let mut text = coloured(code.as_str(), "1", colours);
    text.push_str(&format!("\n{}\n\n", page.meaning));
    text.push_str(&part("in short", "", code.hint(), columns));
    text.push_str(&part("cause", "", page.cause, columns));
    for (step, number) in page.steps.iter().zip(1..) {
        let name = if number == 1 { "do" } else { "" };
        text.push_str(&part(name, &format!("{number}. "), step, columns));
    }
    text.push_str(&part("the work", "", page.work, columns));
    for (seen, number) in page.seen.iter().zip(1..) {
        let name = if number == 1 { "seen as" } else { "" };
        text.push_str(&part(name, "- ", seen, columns));
    }
    if !page.see_also.is_empty() {
        let names: Vec<_> = page.see_also.iter().map(|code| code.as_str()).collect();
        text.push_str(&part("see also", "", &names.join(", "), columns));
    }
    text
}

/// A part of a page: its name beside it, a mark before its first line, the others below that line's text.
fn part(name: &str, mark: &str, words: &str, columns: usize) -> String {
    let indent = mark.len();
    let width = columns.saturating_sub(TEXT_AT + indent);
    let pieces = wrapped(words.split_whitespace(), Some(width));
    let lines = pieces.iter().enumerate().map(|(number, piece)| {
        let (name, mark) = if number == 0 { (name, mark) } else { ("", "") };
        format!("   {name:<8}  {mark:<indent$}{piece}\n")
    });
    lines.collect()
}

#[derive(Serialize)]
struct Explained {
    r#type: &'static str,
    code: &'static str,
    meaning: &'static str,
    hint: &'static str,
    cause: &'static str,
    steps: &'static [&'static str],
    ending: &'static str,
    work: &'static str,
    seen: &'static [&'static str],
    see_also: Vec<&'static str>,
}

fn json(code: Code) -> Result<String, serde_json::Error> {
    let page: &Page = code.page();
    let mut line = serde_json::to_string(&Explained {
        r#type: "code",
        code: code.as_str(),
        meaning: page.meaning,
        hint: code.hint(),
        cause: page.cause,
        steps: page.steps,
        ending: page.ending.as_str(),
        work: page.work,
        seen: page.seen,
        see_also: page.see_also.iter().map(|code| code.as_str()).collect(),
    })?;
    line.push('\n');
    Ok(line)
}

#[cfg(test)]
mod tests;
