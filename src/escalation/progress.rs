//! How far an escalation is. The ledger keeps it; [`decide`](super::decide()) reads it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::code::Code;
use super::contract::Contract;
use super::conversation::Agent;
use super::ids::{AgentId, ConversationId, NoteId, SessionId};

/// The steps of an escalation, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Which conversation and which agent the incident is about.
    Context,
    /// An OAuth token.
    Token,
    /// A cobrowse session.
    Session,
    /// The session in the conversation.
    Media,
    /// The proof that it is there.
    Verify,
    /// The note in the incident.
    Note,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [
        Self::Context,
        Self::Token,
        Self::Session,
        Self::Media,
        Self::Verify,
        Self::Note,
    ];

    /// The name used in logs, metrics and the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Token => "token",
            Self::Session => "session",
            Self::Media => "media",
            Self::Verify => "verify",
            Self::Note => "note",
        }
    }
}

/// Everything that survives a crash, apart from the conversation's session ([`Cobrowse`](super::Cobrowse)).
///
/// No field is a secret and none is a link, so that it can be shown, exported and logged.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Set by the context step; never changed afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
    /// Set when the conversation was first seen without a connected agent; `escalation.agent_wait` counts from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Timestamp>,
    /// Set when the conversation was read with somebody connected and before anything was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
    /// Set with the first intent that this escalation recorded for the conversation. From then on the note is owed:
    /// a resolution of the incident does not cancel it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// Set when the question "which session" is settled: ours is proven to be there, or another one is running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    /// Not to be worked on before this time: a wait that was promised, to a vendor or to the schedule. A second message of
    /// the same escalation keeps it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Set when the attempts were spent and a write was still in doubt: nothing is sent any more, and what became of that
    /// write is found out before the escalation dies. Taken back if it took effect after all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gave_up: Option<GaveUp>,
    /// How many of its leases had ended without being given back when a worker last gave it back in order. Only those
    /// that ended after that, one after the other, speak against it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub takeovers_before: u32,
    /// At which step it last could not go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_up_at: Option<Step>,
    /// How often in a row it could not go on, whatever the reason; back to 0 when that step, or a later one, succeeds.
    #[serde(default)]
    pub setbacks: u32,
    /// The write of the note.
    #[serde(default)]
    pub note: Write<NoteId>,
    /// The note that tells of this escalation's death, or may: it is rewritten into the real one. Set by an operator's replay,
    /// from what the teller of that death knew. Left by the note step: when the real note stands in its place, or when it
    /// turned out that there is none, or none that can be rewritten. A crash leaves it as it was, and it is asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_note: Option<FailureNote>,
}

/// What is known of a note that tells of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureNote {
    /// This note of ours tells of it. `None`: whether there is one is to be found out, by its marker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<NoteId>,
    /// A call that wrote it, or rewrote it, was sent and is given up on our side at this time, and what became of it is not
    /// known. It may take effect a settle time longer: what is read or written before that, it may undo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_doubt_until: Option<Timestamp>,
}

impl Progress {
    /// As an operator's replay begins. What was done counts, and what is in doubt stays so; what was waited for and given up
    /// does not. The session is looked for anew, for hours may have gone by, unless a note that speaks of it was sent.
    #[must_use]
    pub fn begun_anew(&self, takeovers: u32, failure_note: Option<FailureNote>) -> Self {
        let settled = self.note.asked();
        Self {
            context: self.context.clone(),
            waiting_since: None,
            agent: self.agent.clone().filter(|_| settled),
            asked_at: self.asked_at,
            offer: self.offer.clone().filter(|_| settled),
            not_before: None,
            gave_up: None,
            takeovers_before: takeovers,
            held_up_at: None,
            setbacks: 0,
            note: self.note.clone(),
            failure_note: failure_note.or_else(|| self.failure_note.clone()),
        }
    }

    /// As one begins that an operator sends to another conversation: nothing of the old one counts.
    #[must_use]
    pub fn begun_elsewhere(&self) -> Self {
        Self {
            failure_note: self.failure_note.clone(),
            takeovers_before: self.takeovers_before,
            ..Self::default()
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
fn is_false(flag: &bool) -> bool {
    !*flag
}

fn yes() -> bool {
    true
}

/// Why nothing is sent any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GaveUp {
    /// What the last attempt failed of.
    pub code: Code,
    /// The same in words.
    pub reason: String,
}

/// What the incident is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The conversation that breached its SLA.
    pub conversation: ConversationId,
    /// The agent whom the alert named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The incident's alerts name more than one conversation; the first was taken.
    #[serde(default)]
    pub ambiguous: bool,
}

/// The session that the note speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Offer {
    /// A session of ours: seen live in the conversation, or offered there.
    Ours {
        /// Its id.
        session: SessionId,
        /// When it was created.
        started_at: Timestamp,
        /// The contract under which it was.
        #[serde(default)]
        contract: Contract,
        /// The conversation has shown it. Under [`Contract::Conversation`] it need not: that somebody was asked, and has not
        /// joined yet, is no failure.
        #[serde(default = "yes")]
        shown: bool,
        /// Until when Genesys offers it to the customer, where it says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ends: Option<Timestamp>,
        /// It had ended already when the conversation was read: declined, or over.
        #[serde(default, skip_serializing_if = "is_false")]
        ended: bool,
    },
    /// A session was live in the conversation before us. It is not ours, and a second one is not offered.
    Running,
}

/// A write to a vendor that takes no idempotency key, and so needs a record of its own on either side of the call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Write<T> {
    /// Nothing was sent. A crash leaves nothing behind.
    #[default]
    Open,
    /// Recorded durably *before* the call. Whoever finds this without a result does not know whether the call took
    /// effect, and has to find out before anything is sent again.
    Intended(Intent),
    /// The vendor said yes, or the effect was found there.
    Done {
        /// When we learned it.
        at: Timestamp,
        /// What the vendor called it.
        result: T,
    },
}

/// The record that precedes a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The lease under which it was written.
    pub epoch: u64,
    /// After this moment the call has been given up on our side. The vendor may take a settle time longer.
    pub deadline: Timestamp,
    /// When the vendor was first asked whether the effect is there, and it was not. One look proves nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent_at: Option<Timestamp>,
}

impl<T> Write<T> {
    /// The result, once there is one.
    #[must_use]
    pub fn done(&self) -> Option<&T> {
        match self {
            Self::Done { result, .. } => Some(result),
            Self::Open | Self::Intended(_) => None,
        }
    }

    /// Whether something was sent and what became of it is not known.
    #[must_use]
    pub fn in_doubt(&self) -> bool {
        matches!(self, Self::Intended(_))
    }

    /// The call of an intent was over at this time.
    pub fn ends_at(&mut self, now: Timestamp) {
        if let Self::Intended(intent) = self {
            intent.deadline = now;
        }
    }

    /// Whether something was sent, or may have been.
    #[must_use]
    pub fn asked(&self) -> bool {
        !matches!(self, Self::Open)
    }
}

/// How an escalation ended. Nothing leaves these states but an operator's replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum End {
    /// The note is in the incident.
    Done,
    /// The incident was resolved before anything was asked for.
    Cancelled,
    /// Given up.
    Dead {
        /// Why.
        code: Code,
        /// Why, in words.
        reason: String,
        /// The broker has confirmed the dead letter. Until then a redelivery publishes it again, under the same id.
        published: bool,
    },
}

impl End {
    /// Why it ended badly, if it did.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Done | Self::Cancelled => None,
            Self::Dead { code, .. } => Some(*code),
        }
    }
}
