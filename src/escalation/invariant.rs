//! What must never be otherwise: the one list, and its questions as far as values can answer them.
//!
//! Debug asserts, a counter in the running worker, the model and the crash suite ask the same functions, so that none of
//! them can mean something else by the same name. A function here takes facts and gives a verdict; who collects the facts
//! answers for them being true.

pub mod edge;

use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::time::Duration;

use super::dead_letter::DeadLetter;
use super::progress::{End, Write};

/// One thing that must never be otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// I1. Decided by [`attachments`].
    OneLiveAttachment,
    /// I2. Decided by [`notes`].
    OneNote,
    /// I3. Decided by [`sent`].
    IntentBeforeWrite,
    /// I4. Decided by [`sent_again`].
    SettledBeforeRepeat,
    /// I5. Decided by [`acked`].
    RecordBeforeAck,
    /// I6. Decided by [`attempts`].
    AttemptsNeverFall,
    /// I7. Decided by [`next_try`].
    RetryAfterKept,
    /// I8. Decided by [`edge`](mod@edge).
    DocumentedEdges,
    /// I9. Decided by [`accepted`].
    AcceptedIsStored,
    /// I10. Decided by [`dead_letter`].
    DeadLetterSaysWhy,
    /// I11. Decided by [`told`].
    NothingSecretTold,
    /// I12. Decided by [`drained`].
    NothingInFlightAfterDrain,
}

impl Invariant {
    /// All of them, in order.
    pub const ALL: [Self; 12] = [
        Self::OneLiveAttachment,
        Self::OneNote,
        Self::IntentBeforeWrite,
        Self::SettledBeforeRepeat,
        Self::RecordBeforeAck,
        Self::AttemptsNeverFall,
        Self::RetryAfterKept,
        Self::DocumentedEdges,
        Self::AcceptedIsStored,
        Self::DeadLetterSaysWhy,
        Self::NothingSecretTold,
        Self::NothingInFlightAfterDrain,
    ];

    /// The name used in logs and as a metric's label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneLiveAttachment => "i1_one_live_attachment",
            Self::OneNote => "i2_one_note",
            Self::IntentBeforeWrite => "i3_intent_before_write",
            Self::SettledBeforeRepeat => "i4_settled_before_repeat",
            Self::RecordBeforeAck => "i5_record_before_ack",
            Self::AttemptsNeverFall => "i6_attempts_never_fall",
            Self::RetryAfterKept => "i7_retry_after_kept",
            Self::DocumentedEdges => "i8_documented_edges",
            Self::AcceptedIsStored => "i9_accepted_is_stored",
            Self::DeadLetterSaysWhy => "i10_dead_letter_says_why",
            Self::NothingSecretTold => "i11_nothing_secret_told",
            Self::NothingInFlightAfterDrain => "i12_nothing_in_flight_after_drain",
        }
    }

    /// What it says.
    #[must_use]
    pub fn statement(self) -> &'static str {
        match self {
            Self::OneLiveAttachment => {
                "a conversation has at most one live session of ours attached"
            }
            Self::OneNote => "an escalation has at most one note of each outcome",
            Self::IntentBeforeWrite => {
                "no write is sent without a durable intent of the same epoch"
            }
            Self::SettledBeforeRepeat => {
                "no write is sent again before a look that began after the first one's deadline and the settle time"
            }
            Self::RecordBeforeAck => {
                "a delivery is acked only after a durable end or a confirmed publish of its successor"
            }
            Self::AttemptsNeverFall => "the number of attempts never falls",
            Self::RetryAfterKept => "nobody is asked again before the time that they asked for",
            Self::DocumentedEdges => "states move along documented edges only",
            Self::AcceptedIsStored => {
                "what was answered with 2xx is confirmed by the broker or needs no work"
            }
            Self::DeadLetterSaysWhy => "a dead letter has a code, a reason, an origin and a key",
            Self::NothingSecretTold => {
                "no secret, token or session link is in a log, a metric, a header or an error's text"
            }
            Self::NothingInFlightAfterDrain => {
                "after a drain has returned, no request of ours is in flight"
            }
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An invariant that does not hold. The detail is a fixed text, so that it can hold neither a secret nor a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{invariant}: {detail}")]
pub struct Violation {
    /// Which one.
    pub invariant: Invariant,
    /// What was found.
    pub detail: &'static str,
}

/// A verdict.
pub type Verdict = Result<(), Violation>;

fn must(holds: bool, invariant: Invariant, detail: &'static str) -> Verdict {
    if holds {
        Ok(())
    } else {
        Err(Violation { invariant, detail })
    }
}

/// I1, asked of the vendor: how many live sessions of ours does the conversation show?
pub fn attachments(ours_live: usize) -> Verdict {
    must(
        ours_live <= 1,
        Invariant::OneLiveAttachment,
        "more than one live session of ours is attached to the conversation",
    )
}

/// I2, asked of the vendor: how many notes carry the marker of this key and outcome?
pub fn notes(with_our_marker: usize) -> Verdict {
    must(
        with_our_marker <= 1,
        Invariant::OneNote,
        "more than one note carries the same marker",
    )
}

/// I3, asked as a write is sent: what does the ledger hold of it, and under which lease is it sent?
pub fn sent<T>(durable: &Write<T>, epoch: u64) -> Verdict {
    let detail = match durable {
        Write::Intended(intent) if intent.epoch == epoch => return Ok(()),
        Write::Intended(_) => "a write was sent on the intent of another lease",
        Write::Open => "a write was sent without a durable intent",
        Write::Done { .. } => "a write was sent although the ledger has its result",
    };
    must(false, Invariant::IntentBeforeWrite, detail)
}

/// I4, asked as a write is sent, once for every earlier call of it that may have taken effect: when was that one over on
/// our side, and when did the look begin that says it had no effect?
///
/// A session of the `sessions` contract can be looked for nowhere. For it, `look_began` is the time of sending: what must
/// be kept is the wait.
pub fn sent_again(
    earlier_deadline: Timestamp,
    settle: Duration,
    look_began: Option<Timestamp>,
) -> Verdict {
    let conclusive_from = later(earlier_deadline, settle);
    must(
        look_began.is_some_and(|began| began >= conclusive_from),
        Invariant::SettledBeforeRepeat,
        "a write was sent again while the call before it could still take effect",
    )
}

/// I5, asked as a delivery is acked: how has its escalation ended, as far as the ledger has it durably, and has the broker
/// confirmed a successor (a delayed copy, a dead letter)?
pub fn acked(ended: Option<&End>, successor_confirmed: bool) -> Verdict {
    let durable = match ended {
        Some(End::Done | End::Cancelled) => true,
        Some(End::Dead { published, .. }) => *published,
        None => false,
    };
    must(
        durable || successor_confirmed,
        Invariant::RecordBeforeAck,
        "a delivery was acked while nothing durable had taken its place",
    )
}

/// I6, asked of two records of one escalation in their order, within one replay cycle.
pub fn attempts(before: u32, after: u32) -> Verdict {
    must(
        before <= after,
        Invariant::AttemptsNeverFall,
        "the number of attempts has fallen",
    )
}

/// I7, asked as a vendor is asked again: what did the last answer for this credential ask for, when, and when is now?
pub fn next_try(answered_at: Timestamp, retry_after: Duration, now: Timestamp) -> Verdict {
    must(
        now >= later(answered_at, retry_after),
        Invariant::RetryAfterKept,
        "a vendor was asked again sooner than it allowed",
    )
}

/// I9, asked as a webhook is answered with 2xx.
pub fn accepted(confirmed: bool, needs_work: bool) -> Verdict {
    must(
        confirmed || !needs_work,
        Invariant::AcceptedIsStored,
        "a webhook was answered with 2xx and is not stored",
    )
}

/// I10, asked of a dead letter before it is published. Code and origin are there by their types.
pub fn dead_letter(letter: &DeadLetter) -> Verdict {
    let invariant = Invariant::DeadLetterSaysWhy;
    must(
        !letter.reason.trim().is_empty(),
        invariant,
        "a dead letter has no reason",
    )?;
    must(
        letter.key.is_some(),
        invariant,
        "a dead letter has no key to be found by",
    )
}

/// I11, asked of a text that is about to be told, once for every secret that is known.
pub fn told(text: &str, secret: &str) -> Verdict {
    must(
        secret.is_empty() || !text.contains(secret),
        Invariant::NothingSecretTold,
        "a text that is told holds a secret or a link",
    )
}

/// I12, asked when a drain has returned.
pub fn drained(in_flight: usize) -> Verdict {
    must(
        in_flight == 0,
        Invariant::NothingInFlightAfterDrain,
        "a request is in flight although the drain has returned",
    )
}

fn later(start: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span)
        .ok()
        .and_then(|span| start.checked_add(span).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
