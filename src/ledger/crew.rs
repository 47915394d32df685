//! The pool as one: who belongs to it, and what operators have told it to do.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a process of the pool says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Its name: host and process.
    pub name: String,
    /// Its program's version.
    pub version: String,
    /// The number of the newest order that it has carried out.
    pub obeys: u64,
    /// Whether it takes nothing new.
    pub paused: bool,
    /// How many escalations it has in hand.
    pub in_hand: u64,
}

/// One that was heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// What it said.
    pub said: Presence,
    /// How long ago.
    pub seen_ago: Duration,
}

/// What an operator did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// The pool takes nothing new.
    Pause,
    /// It does again.
    Resume,
    /// A replay of dead letters was begun.
    Replay,
    /// It was told to stop.
    CancelReplay,
    /// It was gone on with, after it had been left.
    ResumeReplay,
    /// It has ended, and so it did.
    ReplayEnded,
    /// Dead letters were closed for good.
    Discard,
    /// A dead letter was exchanged for a corrected copy.
    Edit,
}

impl Deed {
    /// The name in the ledger and on the screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Replay => "replay",
            Self::CancelReplay => "cancel_replay",
            Self::ResumeReplay => "resume_replay",
            Self::ReplayEnded => "replay_ended",
            Self::Discard => "discard",
            Self::Edit => "edit",
        }
    }
}

/// A line of the audit before it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entered {
    /// What was done.
    pub deed: Deed,
    /// By whom: whom they said they were, else the user of the machine, as far as it is known.
    pub by: String,
    /// From where: the machine, or the address of who asked over HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Why, in the operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// To what, where it is not the whole pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// What came of it, where that was known at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

/// A line of the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// Its number; orders are obeyed by it.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub entered: Entered,
}

/// What the pool has to do: the newest order, if there ever was one.
pub type Orders = Option<Audited>;

/// Whether these say that nothing new is to be taken.
#[must_use]
pub fn says_pause(orders: &Orders) -> bool {
    orders
        .as_ref()
        .is_some_and(|order| order.entered.deed == Deed::Pause)
}
