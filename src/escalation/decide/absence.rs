//! When a look proves that a call had no effect, and when it does not yet.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

use super::Situation;
use crate::escalation::Intent;

/// How far the proof is that a call had no effect. One look proves nothing: the request may land right after it.
pub(super) enum Absence {
    /// The call may still land: not before this time.
    TooEarly(Timestamp),
    /// It is time for a (fresh) look.
    Look,
    /// The first look after the call could land; it began at this time.
    Once(Timestamp),
    /// Two looks, a settle time apart.
    Proven,
}

pub(super) fn absence(
    intent: &Intent,
    looked: Option<Timestamp>,
    situation: &Situation<'_>,
) -> Absence {
    if let Some(until) = landed(intent, situation) {
        return Absence::TooEarly(until);
    }
    let conclusive_from = match intent.absent_at {
        None => after(intent.deadline, situation.bounds.settle),
        Some(first) => after(first, situation.bounds.settle),
    };
    match (looked, intent.absent_at) {
        (Some(at), None) if at >= conclusive_from => Absence::Once(at),
        (Some(at), Some(_)) if at >= conclusive_from => Absence::Proven,
        (Some(_) | None, _) if situation.now < conclusive_from => {
            Absence::TooEarly(conclusive_from)
        }
        (Some(_) | None, _) => Absence::Look,
    }
}

/// `Some(until)` while the intended call may still take effect.
pub(super) fn landed(intent: &Intent, situation: &Situation<'_>) -> Option<Timestamp> {
    let until = after(intent.deadline, situation.bounds.settle);
    (situation.now < until).then_some(until)
}

/// A time and a span after it; at the end of all time, that end.
pub(super) fn after(start: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span)
        .ok()
        .and_then(|span| start.checked_add(span).ok())
        .unwrap_or(Timestamp::MAX)
}

pub(super) fn elapsed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}
