//! I8: which moves the records may make.
//!
//! Asked of two *records* of one row in their order, not of two moments in memory: between two records an attempt may have
//! drawn several conclusions, so a legal move is any path of documented edges that holds at most one call to a vendor.
//!
//! ```text
//!            recorded before the call              answer, or found there
//!   Open ───────────────────────────▶ Intended ───────────────────────────▶ Done
//!    ▲  certainly no effect, or absent  │    ▲│ given up earlier; a first look;      │
//!    └──────────────────────────────────┘    └┘ proven absent and intended again     │
//!    ▲     of a conversation only: seen once and gone now, or found to be over        │
//!    └───────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! What is known of the note of an earlier failure only gets more, until nothing is left to know: only a replay, which is no edge
//! of this kind, says that there may be one.

use jiff::Timestamp;

use super::{Invariant, Verdict, must};
use crate::escalation::cobrowse::Cobrowse;
use crate::escalation::progress::{End, Intent, Progress, Write};

fn legal(holds: bool, detail: &'static str) -> Verdict {
    must(holds, Invariant::DocumentedEdges, detail)
}

/// Two records of an escalation.
pub fn progress(before: &Progress, after: &Progress) -> Verdict {
    legal(
        before.context.is_none() || before.context == after.context,
        "the context has changed",
    )?;
    legal(
        before.waiting_since.is_none() || before.waiting_since == after.waiting_since,
        "the wait for an agent has begun anew",
    )?;
    legal(
        before.agent.is_none() || after.agent.is_some(),
        "the agent was forgotten",
    )?;
    legal(
        before.offer.is_none() || before.offer == after.offer,
        "the session that the note speaks of has changed",
    )?;
    legal(
        before.offer.is_none() || before.agent == after.agent,
        "the agent has changed after the session question was settled",
    )?;
    // Before that it may be taken back: the call was refused, certainly without an effect.
    legal(
        before.offer.is_none() || before.asked_at == after.asked_at,
        "what was asked for has changed after the session question was settled",
    )?;
    legal(
        after.offer.is_some() || !after.note.asked(),
        "a note is intended before the session question is settled",
    )?;
    write(&before.note, &after.note)?;
    if let (Write::Intended(before), Write::Intended(after)) = (&before.note, &after.note) {
        legal(
            before.epoch <= after.epoch,
            "an older lease has overwritten the note's intent",
        )?;
    }
    failure_note(before, after)
}

fn failure_note(before: &Progress, after: &Progress) -> Verdict {
    let Some(told) = &after.failure_note else {
        return Ok(());
    };
    legal(
        after.note.done().is_none(),
        "the note is there, and that of the failure is still to be replaced",
    )?;
    let Some(known) = &before.failure_note else {
        return legal(false, "a note of a failure has come up");
    };
    legal(
        known.note.is_none() || known.note == told.note,
        "the note that tells of the failure has changed",
    )?;
    legal(
        told.in_doubt_until.is_none() || known.in_doubt_until == told.in_doubt_until,
        "the doubt about the note of the failure has changed",
    )?;
    legal(
        told.note.is_some() || before.note.asked() || !after.note.asked(),
        "a note is intended before it is known whether there is one of the failure",
    )
}

/// Two records of a conversation's session.
pub fn cobrowse(before: &Cobrowse, after: &Cobrowse) -> Verdict {
    legal(
        before.possible_orphans <= after.possible_orphans,
        "a possible orphan was forgotten",
    )?;
    legal(
        after.session.done().is_some() || !after.media.asked(),
        "something is attached although there is no session",
    )?;
    legal(
        after.media.done().is_some() || after.seen_at.is_none(),
        "a session was seen that is not attached",
    )?;
    let forgotten = before.session.done().is_some() && after.session.done().is_none();
    if forgotten {
        legal(
            before.seen_at.is_some()
                // Attached by nobody, as far as anybody knows; or in doubt, and the looks that settled it are not on record.
                || before.media.done().is_none()
                // Never seen live, and found to be over since it was attached.
                || (after.over_at > before.over_at && after.over_at >= done_at(&before.media)),
            "a session was forgotten that may still appear",
        )?;
        return legal(
            !after.media.asked() && fresh(&after.session),
            "a session was forgotten and its attachment was not",
        );
    }
    write(&before.session, &after.session)?;
    if let (Write::Open, Write::Done { .. }) = (&before.media, &after.media) {
        // Found in the conversation, although nothing on record was sent to attach it.
        return Ok(());
    }
    write(&before.media, &after.media)
}

/// Two records of one write that is never forgotten.
pub fn write<T: PartialEq>(before: &Write<T>, after: &Write<T>) -> Verdict {
    match (before, after) {
        (Write::Open, Write::Open | Write::Intended(_)) => legal(
            fresh(after),
            "an intent was looked behind before it was recorded",
        ),
        (Write::Open, Write::Done { .. }) => {
            legal(false, "a write has a result and never had an intent")
        }
        (Write::Intended(_), Write::Open | Write::Done { .. }) => Ok(()),
        (Write::Intended(before), Write::Intended(after)) => intent(before, after),
        (Write::Done { .. }, Write::Done { .. }) => {
            legal(before == after, "the result of a write has changed")
        }
        (Write::Done { .. }, Write::Open | Write::Intended(_)) => {
            legal(false, "the result of a write was forgotten")
        }
    }
}

/// How an escalation has ended; `None` while it is open. A replay is no edge of this kind: it begins a new cycle.
pub fn end(before: Option<&End>, after: Option<&End>) -> Verdict {
    let holds = match (before, after) {
        (None, Some(End::Dead { published, .. })) => !published,
        (None, None | Some(End::Done | End::Cancelled)) => true,
        (
            Some(End::Dead {
                code,
                reason,
                published,
            }),
            Some(End::Dead {
                code: to,
                reason: why,
                published: out,
            }),
        ) => code == to && reason == why && published <= out,
        (Some(before), after) => Some(before) == after,
    };
    legal(holds, "an escalation that had ended has moved")
}

/// The same call, known better; or another call, which nobody has looked behind.
fn intent(before: &Intent, after: &Intent) -> Verdict {
    match after.absent_at {
        None => Ok(()),
        Some(looked) => {
            legal(
                before.epoch == after.epoch,
                "a look was put down to another call",
            )?;
            legal(
                looked >= after.deadline,
                "a look counts that began before the call was over",
            )
        }
    }
}

fn done_at<T>(write: &Write<T>) -> Option<Timestamp> {
    match write {
        Write::Done { at, .. } => Some(*at),
        Write::Open | Write::Intended(_) => None,
    }
}

/// No call, or one that nobody has looked behind.
fn fresh<T>(write: &Write<T>) -> bool {
    match write {
        Write::Intended(intent) => intent.absent_at.is_none(),
        Write::Open => true,
        Write::Done { .. } => false,
    }
}
