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

mod claim;
mod crew;
mod desk;
mod gauges;
mod inspected;
mod letters;
mod listing;
mod operations;
mod postgres;
mod record;
mod rules;
mod sqlite;
mod watched;
mod writer;

pub use claim::{
    Arrival, Claim, ClaimRequest, ConversationClaim, ConversationRequest, Granted, Held,
    HeldConversation, IntendSession,
};
pub use crew::{Audited, Deed, Entered, Orders, Presence, Present, says_pause};
pub use gauges::{Sizes, Standing, WaitsFor};
pub use inspected::Inspected;
pub use letters::{
    Again, Closed, Closing, Discarded, Driving, Edited, EditedCopy, EntryOutcome, EntryStage,
    Ground, Keeping, Letter, LetterCursor, LetterFilter, LetterGroup, LetterState, Mark, Marked,
    NewReplay, NoticeTask, Outlook, Replay, ReplayCounts, ReplayEntry, ReplayState, Selection,
    Staged, outlook,
};
pub use listing::{Cursor, Filter, Known, Pruned, Retention, State};
pub use operations::{Gauges, Letters};
pub use postgres::{InspectedServer, Postgres};
pub use record::{CobrowseRecord, LinkChange, Record, Recorded, Then};
pub use rules::is_told;
pub use sqlite::Sqlite;
pub use watched::Watched;

use async_trait::async_trait;
use jiff::Timestamp;
use std::time::Duration;

use crate::escalation::{ConversationId, Entry, Finding, IncidentId, Key, SessionId, SessionLink};
use crate::pacing::{Exchange, Grant};

/// What the worker asks of a ledger.
///
/// Every method is durable when it returns `Ok`: what it wrote survives the crash of the process and of the machine.
/// None is safe to drop half-way and assume undone: a write whose future was dropped may still happen. All of them
/// may be repeated, except that a repeated [`claim`](Self::claim) takes a new epoch.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Dead letters and replays.
    fn letters(&self) -> &dyn Letters;

    /// How things stand, in numbers.
    fn gauges(&self) -> &dyn Gauges;

    /// Asks to act for an escalation.
    async fn claim(&self, request: ClaimRequest) -> Result<Claim, Error>;

    /// Asks to act for a conversation, while holding the claim on an escalation; with the intent to create a session, if
    /// there is one, in the same transaction.
    async fn claim_conversation(
        &self,
        request: ConversationRequest,
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

    /// Notes that the broker has confirmed the dead letter of this escalation, of this cycle.
    async fn dead_letter_published(&self, key: &Key, cycle: u32) -> Result<(), Error>;

    /// The history of an escalation, oldest first.
    async fn history(&self, key: &Key) -> Result<Vec<Entry>, Error>;

    /// All generations of an incident, oldest first.
    async fn generations(&self, incident: &IncidentId) -> Result<Vec<Known>, Error>;

    /// Escalations, those first that the ledger got to know last.
    async fn list(&self, filter: &Filter) -> Result<Vec<Known>, Error>;

    /// Forgets what is old enough. Never anything that somebody holds.
    async fn prune(&self, retention: &Retention) -> Result<Pruned, Error>;

    /// What is known of the Genesys behind this account.
    async fn finding(&self, account: &str) -> Result<Option<Finding>, Error>;

    /// Adds to what is known of it, and says what all processes know from now on.
    async fn learn(&self, account: &str, news: Finding) -> Result<Finding, Error>;

    /// Says what became of a worker's permits for this account, and asks for more: see [`pacing`](crate::pacing). Where it was
    /// not answered, what had ended is said again with the next question: heard twice, it only makes less for a minute.
    async fn exchange_permits(&self, account: &str, asked: Exchange) -> Result<Grant, Error>;

    /// A process of the pool says that it is there and what it does, and hears what it has to do.
    async fn report(&self, presence: Presence) -> Result<Orders, Error>;

    /// A process of the pool has ended in order.
    async fn leave(&self, name: &str) -> Result<(), Error>;

    /// Writes down what an operator did; an order is obeyed from then on.
    async fn enter(&self, entered: Entered) -> Result<Audited, Error>;

    /// What the pool has to do, and who of it was heard of within this time.
    async fn present(&self, within: Duration) -> Result<(Orders, Vec<Present>), Error>;

    /// What operators did, newest first.
    async fn audit(&self, limit: u32) -> Result<Vec<Audited>, Error>;

    /// Whether the ledger answers. Changes nothing.
    async fn ping(&self) -> Result<(), Error>;
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
