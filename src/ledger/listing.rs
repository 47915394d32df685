//! What operators ask of the ledger.

use jiff::Timestamp;
use std::time::Duration;

use crate::escalation::{Code, ConversationId, End, IncidentId, Key, Progress};

/// Where an escalation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It has not ended: a message of it is in a queue or in hand.
    Open,
    /// Its note is written.
    Done,
    /// Its incident was resolved before anything was asked for.
    Cancelled,
    /// It was given up.
    Dead,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Open, Self::Done, Self::Cancelled, Self::Dead];

    /// The name used in the ledger, on the command line and in listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Dead => "dead",
        }
    }

    /// The state that an end leads to.
    #[must_use]
    pub fn after(end: &End) -> Self {
        match end {
            End::Done => Self::Done,
            End::Cancelled => Self::Cancelled,
            End::Dead { .. } => Self::Dead,
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Which escalations to list. Every part that is there has to fit.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those that died of this.
    pub code: Option<Code>,
    /// Only those about this conversation.
    pub conversation: Option<ConversationId>,
    /// Only those that the ledger has known since this time or later.
    pub since: Option<Timestamp>,
    /// Only those that come after this one in the order of the list.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: u32,
}

/// A place in the list: newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// When the ledger got to know the escalation there.
    pub created_at: Timestamp,
    /// The escalation.
    pub key: Key,
}

/// What the ledger knows of an escalation, apart from its history. No link is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The escalation.
    pub key: Key,
    /// Its incident.
    pub incident: IncidentId,
    /// Where it is.
    pub state: State,
    /// How it ended.
    pub end: Option<End>,
    /// How often it was claimed.
    pub epoch: u64,
    /// Who holds it, and for how long yet; after that time anybody may take it.
    pub holder: Option<(String, Duration)>,
    /// Attempts spent.
    pub attempts: u32,
    /// How many leases of it ended without being given back.
    pub takeovers: u32,
    /// When the ingress accepted it.
    pub accepted_at: Timestamp,
    /// When its event happened, by PagerDuty's clock.
    pub occurred_at: Timestamp,
    /// When the ledger got to know it.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When the incident was last resolved, by PagerDuty's clock.
    pub resolved_at: Option<Timestamp>,
    /// How far it is.
    pub progress: Progress,
}

impl Known {
    /// Its place in the list.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor {
            created_at: self.created_at,
            key: self.key.clone(),
        }
    }
}

/// What may be forgotten.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Escalations that ended this long ago, with their history; what an incident's resolution left; and what was never
    /// brought to an end since its message is gone.
    pub escalations: Duration,
    /// Links of sessions that were last asked for this long ago.
    pub links: Duration,
    /// At most so many of each kind in one call, so that nobody waits long behind it.
    pub at_most: u32,
}

impl Retention {
    /// How many rows of history one call takes at most.
    pub(super) fn history(&self) -> u64 {
        u64::from(self.at_most).saturating_mul(20)
    }
}

/// What was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Escalations, with their history.
    pub escalations: u64,
    /// Rows of history. An escalation whose history is longer than one call may take goes in a later one.
    pub history: u64,
    /// Conversations that no escalation is about any more.
    pub conversations: u64,
    /// Tombstones of incidents.
    pub resolutions: u64,
    /// Links.
    pub links: u64,
    /// Dead letters that were closed.
    pub letters: u64,
}

impl Pruned {
    /// Whether there may be more to forget.
    #[must_use]
    pub fn is_full(&self, retention: &Retention) -> bool {
        [self.escalations, self.resolutions, self.links, self.letters]
            .iter()
            .any(|count| *count >= u64::from(retention.at_most))
            || self.history >= retention.history()
    }
}
