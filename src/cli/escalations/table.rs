//! The list, for people: a line for each escalation.

use jiff::Timestamp;

use super::facts;
use super::words::{age, coloured, cut};
use crate::ledger::{Known, State};

/// What stands above the columns.
const HEAD: [&str; COLUMNS] = [
    "incident",
    "gen",
    "state",
    "at",
    "tries",
    "age",
    "conversation",
];
const COLUMNS: usize = 7;
/// Between two columns.
const GAP: &str = "  ";
/// A reopening is known by so many letters of its event's end: the beginning is the same for all of one day.
const GENERATION: usize = 6;

/// Columns that become wider where they have to, never narrower, so that pages after the first fit below it.
pub(super) struct Table {
    widths: [usize; COLUMNS],
    columns: Option<usize>,
    colours: bool,
    begun: bool,
}

impl Table {
    /// `columns`: how many there are at most; without a number, nothing is ever cut off.
    pub(super) fn new(columns: Option<usize>, colours: bool) -> Self {
        Self {
            widths: HEAD.map(str::len),
            columns,
            colours,
            begun: false,
        }
    }

    /// The lines of one page; the first has a head above it.
    pub(super) fn page(&mut self, page: &[Known], now: Timestamp) -> String {
        let rows: Vec<_> = page.iter().map(|known| cells(known, now)).collect();
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        if !self.begun && !page.is_empty() {
            let head = self.line(&HEAD.map(str::to_owned), "");
            text.push_str(&coloured(head.trim_end(), "2", self.colours));
            text.push('\n');
            self.begun = true;
        }
        for (known, row) in page.iter().zip(&rows) {
            text.push_str(&self.line(row, colour(known.state)));
            text.push('\n');
        }
        text
    }

    fn line(&self, cells: &[String; COLUMNS], state_colour: &str) -> String {
        let mut line = String::new();
        let mut used = 0;
        for (number, (cell, width)) in cells.iter().zip(self.widths).enumerate() {
            if number + 1 == COLUMNS {
                let left = self.columns.map(|all| all.saturating_sub(used));
                line.push_str(&left.map_or_else(|| cell.clone(), |left| cut(cell, left)));
                break;
            }
            let right = matches!(HEAD.get(number), Some(&("tries" | "age")));
            let padded = if right {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            };
            let sgr = if HEAD.get(number) == Some(&"state") {
                state_colour
            } else {
                ""
            };
            line.push_str(&coloured(&padded, sgr, self.colours));
            line.push_str(GAP);
            used += width + GAP.len();
        }
        line
    }
}

fn cells(known: &Known, now: Timestamp) -> [String; COLUMNS] {
    let code = facts::death(known).map(|(code, ..)| code.as_str());
    let at = facts::at(known).map(facts::At::as_str);
    [
        known.incident.to_string(),
        generation(known.key.generation()),
        known.state.as_str().to_owned(),
        code.or(at).unwrap_or("-").to_owned(),
        known.attempts.to_string(),
        age(known.accepted_at, now),
        facts::conversation(known).map_or_else(|| "-".to_owned(), ToString::to_string),
    ]
}

fn generation(generation: &str) -> String {
    let length = generation.chars().count();
    if length <= GENERATION {
        return generation.to_owned();
    }
    let end: String = generation.chars().skip(length + 1 - GENERATION).collect();
    format!("…{end}")
}

/// The colour of a state, as an SGR code.
pub(super) fn colour(state: State) -> &'static str {
    match state {
        State::Open => "33",
        State::Done => "32",
        State::Cancelled => "2",
        State::Dead => "1;31",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reopening_is_known_by_the_end_of_its_event() {
        assert_eq!(generation("0"), "0");
        assert_eq!(generation("01BZYK8N47N5JG55J1EEEHPEJI"), "…HPEJI");
    }
}
