//! Records: what a worker writes under its claims.

use jiff::Timestamp;

use super::claim::{Held, HeldConversation};
use crate::escalation::{Cobrowse, End, Entry, Progress, SessionLink, Write};

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

impl Record {
    /// What it is for, as the crash points around it are called: the newest open thing names it.
    pub(super) fn what(&self) -> &'static str {
        match &self.then {
            Then::End { end, .. } => match end {
                End::Done => "recording the end (done)",
                End::Cancelled => "recording the end (cancelled)",
                End::Dead { .. } => "recording the end (dead)",
            },
            Then::Release { .. } => "recording the release",
            Then::Continue => {
                let cobrowse = self.cobrowse.as_ref().map(|part| &part.cobrowse);
                match (&self.progress.note, cobrowse) {
                    (Write::Intended(_), _) => "recording the note's intent",
                    (Write::Open | Write::Done { .. }, Some(cobrowse)) => {
                        match (&cobrowse.session, &cobrowse.media) {
                            (Write::Intended(_), _) => "recording the session's intent",
                            (Write::Done { .. }, Write::Intended(_)) => {
                                "recording the media's intent"
                            }
                            (Write::Done { .. }, Write::Done { .. }) => {
                                "recording the media's result"
                            }
                            (Write::Open, _) | (Write::Done { .. }, Write::Open) => "recording",
                        }
                    }
                    (Write::Open | Write::Done { .. }, None) => "recording",
                }
            }
        }
    }
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
