//! What keeps an escalation from going on, and what that costs it.

use std::time::Duration;

use super::code::Code;

/// Why it cannot go on now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setback {
    /// The name of the reason.
    pub code: Code,
    /// The reason in words, without a secret or a link.
    pub reason: String,
    /// What happens next.
    pub wait: Wait,
}

/// What happens after a setback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Never: nothing that time changes. The escalation is dead.
    Final,
    /// By the schedule, but never before `at_least` (the vendor's own word).
    Backoff {
        /// The vendor's `Retry-After`, where it gave one.
        at_least: Option<Duration>,
        /// Whether this spends an attempt.
        cost: Cost,
    },
    /// After this time.
    After(Duration),
    /// After a while, chosen at random between the two so that many do not come back at once; costs no attempt.
    Between(Duration, Duration),
}

/// Whether a failure spends one of `escalation.max_attempts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// It may be the message's fault.
    Attempt,
    /// It is certainly not the message's fault: nobody was reached, or somebody asked for patience.
    Free,
}

impl Setback {
    /// A failure that no retry heals.
    #[must_use]
    pub fn last(code: Code, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            wait: Wait::Final,
        }
    }

    /// A failure that a retry may heal, and that spends an attempt.
    #[must_use]
    pub fn failed(code: Code, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            wait: Wait::Backoff {
                at_least: None,
                cost: Cost::Attempt,
            },
        }
    }

    /// Something outside of this message's control: it waits a while, at no cost.
    #[must_use]
    pub fn parked(code: Code, reason: impl Into<String>, wait: Wait) -> Self {
        Self {
            code,
            reason: reason.into(),
            wait,
        }
    }
}
