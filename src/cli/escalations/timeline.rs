//! The timeline: what the history tells, and what it does not tell, one line each.

use jiff::Timestamp;

use super::facts;
use super::words::{coloured, day, offset, time, wrapped};
use crate::escalation::{Entry, EntryKind, Step};
use crate::ledger::Known;

/// Before the text of a line, the number of the lease aside: mark, time, offset, kind, step, and what is between them.
const BEFORE_TEXT: usize = 2 + 1 + 8 + 1 + OFFSET + 2 + 1 + KIND + 1 + STEP + 1;
const OFFSET: usize = 10;
const KIND: usize = 11;
const STEP: usize = 7;
/// A text is never squeezed into less than this.
const TEXT_MIN: usize = 30;

/// A line of the history, in its context.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) entry: &'a Entry,
    /// Of a write that was about to be sent and of which nothing more is told: why.
    pub(super) unanswered: Option<Unanswered>,
}

/// Why nothing is told of a write's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// Its lease is not over.
    UnderWay,
    /// Its lease ended without being given back.
    WorkerEnded,
    /// The lease was given back, and what was known could not be recorded any more.
    NotRecorded,
}

impl Unanswered {
    fn in_words(self) -> &'static str {
        match self {
            Self::UnderWay => "no answer yet: it is under way",
            Self::WorkerEnded => "no answer known: the worker ended here",
            Self::NotRecorded => "no answer known: it could not be recorded",
        }
    }

    /// As an SGR code.
    fn colour(self) -> &'static str {
        match self {
            Self::UnderWay => "33",
            Self::WorkerEnded | Self::NotRecorded => "1;31",
        }
    }
}

/// Puts each line into its context.
pub(super) fn lines<'a>(known: &Known, history: &'a [Entry]) -> Vec<Line<'a>> {
    let mut lines = Vec::with_capacity(history.len());
    let mut rest = history;
    while let Some((entry, after)) = rest.split_first() {
        rest = after;
        let unanswered = match entry.kind {
            EntryKind::Intended => unanswered(known, entry, after),
            EntryKind::Event
            | EntryKind::Accepted
            | EntryKind::Claimed
            | EntryKind::TakenOver
            | EntryKind::Answered
            | EntryKind::Setback
            | EntryKind::Adopted
            | EntryKind::Repeatable
            | EntryKind::Later
            | EntryKind::HandedBack
            | EntryKind::Ended
            | EntryKind::LetterStored
            | EntryKind::Told
            | EntryKind::Replayed
            | EntryKind::Discarded => None,
        };
        lines.push(Line { entry, unanswered });
    }
    lines
}

/// What a lease tells after an intent is about that call, or follows from it; but that the lease was taken over says only
/// that it was never told.
fn unanswered(known: &Known, intended: &Entry, after: &[Entry]) -> Option<Unanswered> {
    let mut same_lease = after.iter().filter(|entry| entry.epoch == intended.epoch);
    match same_lease.next() {
        Some(next) if next.kind == EntryKind::TakenOver => Some(Unanswered::WorkerEnded),
        Some(_) => None,
        None if after.is_empty() && facts::is_held(known) => Some(Unanswered::UnderWay),
        None if after.is_empty() && known.holder.is_some() => Some(Unanswered::WorkerEnded),
        None => Some(Unanswered::NotRecorded),
    }
}

/// The timeline as text, with the day above each part of it.
pub(super) fn as_text(
    known: &Known,
    lines: &[Line<'_>],
    columns: Option<usize>,
    colours: bool,
) -> String {
    let layout = Layout {
        accepted_at: known.accepted_at,
        lease: known.epoch.to_string().len(),
        columns,
        colours,
    };
    let mut text = String::new();
    let mut today = None;
    for line in lines {
        let date = day(line.entry.at);
        if today.as_ref() != Some(&date) {
            let head = format!("   {date}, times in UTC; + counts from when it was accepted");
            text.push_str(&coloured(&head, "2", colours));
            text.push('\n');
            today = Some(date);
        }
        text.push_str(&layout.one(line));
    }
    text
}

/// What all lines of a timeline have in common.
struct Layout {
    accepted_at: Timestamp,
    /// The width of the lease's number.
    lease: usize,
    columns: Option<usize>,
    colours: bool,
}

impl Layout {
    fn one(&self, line: &Line<'_>) -> String {
        let entry = line.entry;
        let text_at = BEFORE_TEXT + self.lease;
        let width = self
            .columns
            .map(|all| all.saturating_sub(text_at).max(TEXT_MIN));
        let code = entry.code.map(|code| format!("{code}:"));
        // One word, so that the number is never parted from its unit.
        let took = entry.took_ms.map(|ms| format!("({ms} ms)"));
        let words = code.as_deref().into_iter();
        let words = words.chain(entry.what.split_whitespace());
        let mut pieces = wrapped(words.chain(took.as_deref()), width).into_iter();
        let lease = match entry.epoch {
            0 => String::new(),
            epoch => epoch.to_string(),
        };
        let (mark, kind, sgr) = look(entry.kind);
        let head = format!(
            "{mark:<2} {} {:>OFFSET$}  {lease:>lease_width$} {kind:<KIND$} {:<STEP$} {}",
            time(entry.at),
            offset(entry.at.duration_since(self.accepted_at)),
            entry.step.map_or("", Step::as_str),
            pieces.next().unwrap_or_default(),
            lease_width = self.lease,
        );
        let mut text = coloured(head.trim_end(), sgr, self.colours);
        text.push('\n');
        for piece in pieces {
            let piece = coloured(&piece, sgr, self.colours);
            text.push_str(&format!("{:text_at$}{piece}\n", ""));
        }
        if let Some(unanswered) = line.unanswered {
            let note = format!("{:<text_at$}{}", "??", unanswered.in_words());
            text.push_str(&coloured(&note, unanswered.colour(), self.colours));
            text.push('\n');
        }
        text
    }
}

/// How a kind of line looks: a mark for the eye, a word, a colour (an SGR code).
fn look(kind: EntryKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        EntryKind::Event => ("", "event", ""),
        EntryKind::Accepted => ("", "accepted", ""),
        EntryKind::Claimed => ("", "claimed", "36"),
        EntryKind::TakenOver => ("!!", "TAKEN OVER", "1;31"),
        EntryKind::Answered => ("", "answered", ""),
        EntryKind::Intended => ("", "sends", "1"),
        EntryKind::Setback => ("!", "setback", "33"),
        EntryKind::Adopted => ("", "found", "32"),
        EntryKind::Repeatable => ("", "may repeat", "33"),
        EntryKind::Later => ("", "later", "2"),
        EntryKind::HandedBack => ("", "handed back", "2"),
        EntryKind::Ended => ("", "ended", "1"),
        EntryKind::LetterStored => ("", "dead letter", "2"),
        EntryKind::Told => ("", "told", "2"),
        EntryKind::Replayed => ("", "replayed", "36"),
        EntryKind::Discarded => ("", "closed", "2"),
    }
}

#[cfg(test)]
mod tests;
