//! What follows from what the ledger knows of an escalation, for every way of showing it.

use jiff::Timestamp;
use std::time::Duration;

use crate::escalation::{
    Code, ConversationId, End, Entry, EntryKind, NoteId, Offer, SessionId, Step,
};
use crate::ledger::{Known, State};

/// Where an open escalation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// At this step, or on the way to it.
    Step(Step),
    /// Nobody has joined the conversation yet.
    WaitingForAgent,
}

impl At {
    /// The name used in listings.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Step(step) => step.as_str(),
            Self::WaitingForAgent => "waits_for_agent",
        }
    }
}

/// Where it is; nothing once it has ended.
pub(super) fn at(known: &Known) -> Option<At> {
    let progress = &known.progress;
    match known.state {
        State::Done | State::Cancelled | State::Dead => None,
        State::Open if progress.context.is_none() => Some(At::Step(Step::Context)),
        State::Open if progress.offer.is_some() => Some(At::Step(Step::Note)),
        State::Open if progress.waiting_since.is_some() && progress.agent.is_none() => {
            Some(At::WaitingForAgent)
        }
        State::Open => Some(At::Step(progress.held_up_at.unwrap_or(Step::Session))),
    }
}

/// Why it died, if it did.
pub(super) fn death(known: &Known) -> Option<(Code, &str, bool)> {
    match known.end.as_ref()? {
        End::Done | End::Cancelled => None,
        End::Dead {
            code,
            reason,
            published,
        } => Some((*code, reason, *published)),
    }
}

/// What keeps an open one from going on: its last setback, unless something went well after it.
pub(super) fn setback<'a>(known: &Known, history: &'a [Entry]) -> Option<(Code, &'a str)> {
    if known.state != State::Open {
        return None;
    }
    let last = history.iter().rev().find(|entry| match entry.kind {
        // Of the wait itself, and of the one that takes it up again.
        EntryKind::Later
        | EntryKind::Claimed
        | EntryKind::TakenOver
        | EntryKind::HandedBack
        | EntryKind::Event
        | EntryKind::Accepted => false,
        EntryKind::Answered
        | EntryKind::Intended
        | EntryKind::Setback
        | EntryKind::Adopted
        | EntryKind::Repeatable
        | EntryKind::Ended
        | EntryKind::LetterStored
        | EntryKind::Told
        | EntryKind::Replayed
        | EntryKind::Discarded => true,
    })?;
    let code = last.code.filter(|_| last.kind == EntryKind::Setback)?;
    Some((code, &last.what))
}

/// The conversation it is about, once that is known.
pub(super) fn conversation(known: &Known) -> Option<&ConversationId> {
    let context = known.progress.context.as_ref()?;
    Some(&context.conversation)
}

/// The session of ours that the note speaks of.
pub(super) fn session(known: &Known) -> Option<&SessionId> {
    match known.progress.offer.as_ref()? {
        Offer::Ours { session, .. } => Some(session),
        Offer::Running => None,
    }
}

/// The note, once it is written.
pub(super) fn note(known: &Known) -> Option<&NoteId> {
    known.progress.note.done()
}

/// Whether somebody works on it at this moment, as far as the ledger can tell.
pub(super) fn is_held(known: &Known) -> bool {
    known.state == State::Open
        && known
            .holder
            .as_ref()
            .is_some_and(|(_, left)| !left.is_zero())
}

/// How long it took, or takes already, from when the ingress accepted it.
pub(super) fn took(known: &Known, now: Timestamp) -> Duration {
    let end = known.ended_at.unwrap_or(now);
    Duration::try_from(end.duration_since(known.accepted_at)).unwrap_or_default()
}
