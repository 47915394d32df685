//! Claims: what a worker asks for before it acts, and what it hears.

use jiff::Timestamp;
use std::time::Duration;

use crate::escalation::{
    Cobrowse, Contract, ConversationId, End, Entry, EventId, IncidentId, Intent, Key, Lane, Origin,
    Progress, SessionId, Trigger,
};

/// What a worker wants to act for.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// The incident.
    pub incident: IncidentId,
    /// Which generation of it.
    pub trigger: Trigger,
    /// How often an operator had replayed it when this message was made. The ledger's own number counts, where it has one.
    pub cycle: u32,
    /// When the ingress accepted the message.
    pub accepted_at: Timestamp,
    /// When the event happened.
    pub occurred_at: Timestamp,
    /// How the message came here; told in the history.
    pub arrival: Arrival,
    /// Who asks; shown to operators.
    pub owner: String,
    /// For how long.
    pub lease: Duration,
    /// How old an escalation may grow.
    pub expires_after: Duration,
}

/// How a message came to the worker that claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Which way it came in.
    pub origin: Origin,
    /// The lane.
    pub lane: Lane,
    /// The type of the event behind it.
    pub event_kind: String,
    /// The id of that event.
    pub event: Option<EventId>,
    /// The broker had delivered it before.
    pub redelivered: bool,
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
    /// An operator has begun it anew since this message was made, and another message goes on with it.
    Outdated {
        /// The escalation.
        key: Key,
    },
    /// It has ended.
    Ended {
        /// The escalation.
        key: Key,
        /// How.
        end: End,
        /// How many attempts it took.
        attempts: u32,
        /// In which cycle.
        cycle: u32,
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
    /// How often an operator has replayed it.
    pub cycle: u32,
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

/// What a worker wants of a conversation.
#[derive(Debug, Clone)]
pub struct ConversationRequest {
    /// The claim that it holds on an escalation.
    pub held: Held,
    /// The conversation.
    pub conversation: ConversationId,
    /// For how long.
    pub lease: Duration,
    /// The intent to create a session there, recorded with the claim in one transaction; but only if the ledger knows of
    /// no session in the conversation, and the incident was not resolved meanwhile.
    pub intend: Option<Box<IntendSession>>,
}

/// An intent to create a session, and what is recorded with it.
#[derive(Debug, Clone)]
pub struct IntendSession {
    /// The intent.
    pub intent: Intent,
    /// The contract under which the session will be asked for.
    pub contract: Contract,
    /// The sessions that the conversation showed before.
    pub there_before: Vec<SessionId>,
    /// The escalation's progress, should the intent be recorded.
    pub progress: Progress,
    /// Attempts spent so far.
    pub attempts: u32,
    /// What to tell, should the intent be recorded.
    pub history: Vec<Entry>,
    /// When the escalation's event happened: a resolution since then forbids the intent.
    pub occurred_at: Timestamp,
}

/// The answer to a claim on a conversation.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is answered once, and taken apart at once"
)]
pub enum ConversationClaim {
    /// It is ours.
    Granted {
        /// The claim itself.
        held: HeldConversation,
        /// What is known of its session; with the intent in it, if that was recorded.
        cobrowse: Cobrowse,
        /// When the incident was last resolved.
        resolved_at: Option<Timestamp>,
        /// Whether the intent was recorded.
        intended: bool,
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
