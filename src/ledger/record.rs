//! Records: what a worker writes under its claims.

use jiff::Timestamp;

use super::claim::{Held, HeldConversation};
use crate::escalation::{Cobrowse, End, Entry, Progress, SessionLink};

/// One write of progress.
#[derive(Debug, Clone)]
pub struct Record {
    /// The claim it is made under.
    pub held: Held,
    /// The progress to keep.
    pub progress: Progress,
    /// Attempts spent so far.
    pub attempts: u32,
    /// The conversation's session, when that changed too.
    pub cobrowse: Option<CobrowseRecord>,
    /// What to tell of it; empty when there is nothing to tell.
    pub history: Vec<Entry>,
    /// What becomes of the claims.
    pub then: Then,
}

/// The conversation's part of a record.
#[derive(Debug, Clone)]
pub struct CobrowseRecord {
    /// The claim it is made under.
    pub held: HeldConversation,
    /// The state to keep.
    pub cobrowse: Cobrowse,
    /// What becomes of the session's link.
    pub link: LinkChange,
}

/// What a record does to the link of the conversation's session.
#[derive(Debug, Clone)]
pub enum LinkChange {
    /// Leave what is there.
    Keep,
    /// A session was created, with this link or without one.
    Set(Option<SessionLink>),
}

/// What becomes of the claims after a record.
#[derive(Debug, Clone)]
pub enum Then {
    /// Work goes on under them.
    Continue,
    /// They are given back; the escalation is still open.
    Release {
        /// The conversation to give back as well.
        conversation: Option<HeldConversation>,
    },
    /// They are given back, and the escalation has ended.
    End {
        /// How it ended.
        end: End,
        /// The conversation to give back as well.
        conversation: Option<HeldConversation>,
    },
}

/// The answer to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// When the incident was last resolved.
    pub resolved_at: Option<Timestamp>,
}
