//! The history of an escalation: what somebody wants to read of it afterwards.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::code::Code;
use super::progress::Step;

/// One line of an escalation's history, written in the transaction that it tells about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, by the clock of whoever wrote it.
    pub at: Timestamp,
    /// Under which lease; 0 for what came before the first.
    pub epoch: u64,
    /// What sort of thing happened.
    pub kind: EntryKind,
    /// At which step, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Step>,
    /// What happened, in words, without a secret or a link.
    pub what: String,
    /// Why, where something went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// How long it took, where it was a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// By which the vendor's support finds the call again, where one was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
}

impl Entry {
    /// Whether it is told even of the thousandth lease: what a vendor was asked to write, and what is known of that.
    #[must_use]
    pub fn told_even_of_many(&self) -> bool {
        match self.kind {
            EntryKind::Event
            | EntryKind::Accepted
            | EntryKind::TakenOver
            | EntryKind::Intended
            | EntryKind::Adopted
            | EntryKind::Repeatable
            | EntryKind::HandedBack
            | EntryKind::Ended
            | EntryKind::LetterStored
            | EntryKind::Told
            | EntryKind::Replayed
            | EntryKind::Discarded => true,
            EntryKind::Claimed | EntryKind::Answered | EntryKind::Setback | EntryKind::Later => {
                false
            }
        }
    }
}

/// What sort of thing a line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// The event behind the escalation happened, by its vendor's clock.
    Event,
    /// The ingress accepted it.
    Accepted,
    /// A worker took a message of it and claimed it.
    Claimed,
    /// The lease before ended without being given back: its worker crashed, hung or lost the ledger.
    TakenOver,
    /// A call ended well.
    Answered,
    /// A write is about to be sent. If nothing follows, whether it took effect is not known.
    Intended,
    /// A call failed, or what is needed is not there yet.
    Setback,
    /// An earlier call's effect was found, and counts.
    Adopted,
    /// An earlier call had no effect, or none that can be reached; it may be repeated.
    Repeatable,
    /// It went back to the broker, to come again later.
    Later,
    /// Its worker was told to end, and gave it back.
    HandedBack,
    /// It has ended.
    Ended,
    /// The broker has its dead letter.
    LetterStored,
    /// The incident was told that it died, or will not be.
    Told,
    /// An operator's replay has begun it anew.
    Replayed,
    /// An operator has closed its dead letter: discarded, or exchanged for another.
    Discarded,
}

impl EntryKind {
    /// The name used in listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Accepted => "accepted",
            Self::Claimed => "claimed",
            Self::TakenOver => "taken_over",
            Self::Answered => "answered",
            Self::Intended => "intended",
            Self::Setback => "setback",
            Self::Adopted => "adopted",
            Self::Repeatable => "repeatable",
            Self::Later => "later",
            Self::HandedBack => "handed_back",
            Self::Ended => "ended",
            Self::LetterStored => "letter_stored",
            Self::Told => "told",
            Self::Replayed => "replayed",
            Self::Discarded => "discarded",
        }
    }
}
