//! The ledger: what every escalation knows of itself, shared by all workers.
//!
//! It answers one question before all others: *may this worker act for this key now?* A claim is a lease with a
//! growing epoch. Every later write names its epoch and is refused once a newer claim exists, so a worker that was
//! thought dead and wakes up again can still read, but can write nothing ([`Error::Fenced`]).
//!
//! Session and media run under a second claim, of the *conversation*, for two incidents may be about one. Lock order:
//! escalation first, then conversation.
//!
//! The vendor's state is the truth; the ledger saves look-ups, keeps order and tells the story.

mod sqlite;
mod writer;

pub use sqlite::{Inspected, Sqlite};

use async_trait::async_trait;
use jiff::Timestamp;
use std::time::Duration;

use crate::escalation::{
    Cobrowse, ConversationId, End, Entry, IncidentId, Key, Progress, SessionId, SessionLink,
    Trigger,
};

/// What the worker asks of a ledger.
///
/// Every method is durable when it returns `Ok`: what it wrote survives the crash of the process and of the machine.
/// None is safe to drop half-way and assume undone: a write whose future was dropped may still happen. All of them
/// may be repeated, except that a repeated [`claim`](Self::claim) takes a new epoch.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Asks to act for an escalation.
    async fn claim(&self, request: ClaimRequest) -> Result<Claim, Error>;

    /// Asks to act for a conversation, while holding the claim on an escalation.
    async fn claim_conversation(
        &self,
        held: &Held,
        conversation: &ConversationId,
        lease: Duration,
    ) -> Result<ConversationClaim, Error>;

    /// Records progress under both claims, in one transaction, and says whether the incident was resolved meanwhile.
    async fn record(&self, record: Record) -> Result<Recorded, Error>;

    /// Prolongs the leases of both claims. A claim that was given back cannot be prolonged: whoever asks too late must
    /// not lock out the next one.
    async fn renew(
        &self,
        held: &Held,
        conversation: Option<&HeldConversation>,
        lease: Duration,
    ) -> Result<(), Error>;

    /// The link of this session, for the note; none if the conversation has another session by now.
    async fn link(
        &self,
        conversation: &ConversationId,
        session: &SessionId,
    ) -> Result<Option<SessionLink>, Error>;

    /// Sets the tombstone of an incident: it was resolved at this time (of PagerDuty's clock). The latest time wins,
    /// whatever the order of arrival; nothing needs to have been claimed before.
    async fn resolve(&self, incident: &IncidentId, occurred_at: Timestamp) -> Result<(), Error>;

    /// Notes that the broker has confirmed the dead letter of this escalation.
    async fn dead_letter_published(&self, key: &Key) -> Result<(), Error>;

    /// The history of an escalation, oldest first.
    async fn history(&self, key: &Key) -> Result<Vec<Entry>, Error>;

    /// Whether the ledger answers. Changes nothing.
    async fn ping(&self) -> Result<(), Error>;
}

/// What a worker wants to act for.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// The incident.
    pub incident: IncidentId,
    /// Which generation of it.
    pub trigger: Trigger,
    /// When the ingress accepted the message.
    pub accepted_at: Timestamp,
    /// When the event happened.
    pub occurred_at: Timestamp,
    /// Who asks; shown to operators.
    pub owner: String,
    /// For how long.
    pub lease: Duration,
    /// How old an escalation may grow.
    pub expires_after: Duration,
}

/// The answer to a claim.
#[derive(Debug)]
pub enum Claim {
    /// It is ours.
    Granted(Box<Granted>),
    /// Another live worker holds it.
    Held {
        /// The escalation.
        key: Key,
        /// When its lease ends, unless it is renewed.
        free_in: Duration,
    },
    /// An earlier generation of the incident has not ended.
    Waits {
        /// The escalation that has to wait.
        key: Key,
        /// The one that it waits for.
        earlier: Key,
    },
    /// It has ended.
    Ended {
        /// The escalation.
        key: Key,
        /// How.
        end: End,
        /// How many attempts it took.
        attempts: u32,
    },
}

/// A granted claim, and what the ledger knows.
#[derive(Debug)]
pub struct Granted {
    /// The claim itself.
    pub held: Held,
    /// How far the escalation is.
    pub progress: Progress,
    /// How many attempts were spent.
    pub attempts: u32,
    /// When the ingress accepted the first message of this key.
    pub accepted_at: Timestamp,
    /// When its event happened.
    pub occurred_at: Timestamp,
    /// When the incident was last resolved.
    pub resolved_at: Option<Timestamp>,
    /// How many leases of it ended without being given back.
    pub takeovers: u32,
    /// The lease before this one ended without being given back: its worker crashed, hung, or lost the ledger.
    pub recovered: bool,
}

/// A claim on an escalation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The escalation.
    pub key: Key,
    /// Its incident.
    pub incident: IncidentId,
    /// The lease's number; only ever grows.
    pub epoch: u64,
}

/// The answer to a claim on a conversation.
#[derive(Debug)]
pub enum ConversationClaim {
    /// It is ours.
    Granted {
        /// The claim itself.
        held: HeldConversation,
        /// What is known of its session.
        cobrowse: Cobrowse,
        /// When the incident was last resolved.
        resolved_at: Option<Timestamp>,
    },
    /// Another escalation holds it.
    Held {
        /// When its lease ends, unless it is renewed.
        free_in: Duration,
    },
}

/// A claim on a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldConversation {
    /// The conversation.
    pub conversation: ConversationId,
    /// The lease's number; only ever grows.
    pub epoch: u64,
}

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

/// What can go wrong with a ledger.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A newer claim exists. Whoever gets this must stop acting for the key at once.
    #[error("another worker has taken over")]
    Fenced,
    /// It could not be opened, or is of a newer program.
    #[error("the ledger cannot be opened: {0}")]
    Open(String),
    /// It did not answer, or refused.
    #[error("the ledger does not answer: {0}")]
    Unavailable(String),
    /// It holds something that this program cannot read.
    #[error("the ledger holds something unreadable: {0}")]
    Corrupt(String),
}
