//! How long a setback waits.

use std::time::Duration;

use crate::escalation::{Cost, Wait};
use crate::pacing::{Curve, jittered};

/// Waits up to this long are spent in hand; longer ones go through the broker, so that nobody's slot waits.
const IN_HAND: Duration = Duration::from_secs(2);

/// Waits that spend no attempt have no end of their own, so they must not grow so long that the end of an outage
/// goes unnoticed.
const FREE_CAP: Duration = Duration::from_secs(30);

/// The retry schedule: the only one there is.
#[derive(Debug, Clone)]
pub struct Schedule {
    curve: Curve,
    max_attempts: u32,
}

/// What is to be done after a setback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Wait here, then go on.
    InHand(Duration),
    /// Come back through the broker.
    Later(Duration),
    /// Give up: it is final, or the attempts are spent.
    GiveUp {
        /// Whether time might have healed it, had there been more attempts.
        exhausted: bool,
    },
}

impl Schedule {
    /// A schedule that gives up after this many counted failures.
    #[must_use]
    pub fn new(max_attempts: u32) -> Self {
        Self {
            curve: Curve {
                first: Duration::from_millis(500),
                factor: 2.0,
                cap: Duration::from_secs(300),
            },
            max_attempts,
        }
    }

    /// What follows after a setback, when this many attempts had been spent before. Also says how many are spent
    /// now. `in_a_row` counts the setbacks since the last success, so that free ones slow down too; what was free does not slow
    /// down what costs an attempt.
    pub(super) fn next(&self, wait: Wait, attempts: u32, in_a_row: u32) -> (Next, u32) {
        let delayed = |delay: Duration| {
            if delay <= IN_HAND {
                Next::InHand(delay)
            } else {
                Next::Later(delay)
            }
        };
        match wait {
            Wait::Final => (Next::GiveUp { exhausted: false }, attempts),
            Wait::After(delay) => (delayed(delay), attempts),
            Wait::Between(from, to) => {
                let spread = to.saturating_sub(from);
                (
                    delayed(from + spread.mul_f64(rand::random::<f64>())),
                    attempts,
                )
            }
            Wait::Backoff { at_least, cost } => {
                let spent = match cost {
                    Cost::Attempt => attempts + 1,
                    Cost::Free => attempts,
                };
                if spent >= self.max_attempts && cost == Cost::Attempt {
                    return (Next::GiveUp { exhausted: true }, spent);
                }
                let curve = match cost {
                    Cost::Attempt => self.curve.delay(spent),
                    Cost::Free => self.curve.delay(in_a_row).min(FREE_CAP),
                };
                // The vendor's word is a floor, and jitter only adds: nothing ever comes back too early.
                let delay = jittered(curve.max(at_least.unwrap_or_default()));
                (delayed(delay), spent)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: Wait = Wait::Backoff {
        at_least: None,
        cost: Cost::Free,
    };
    const FAILED: Wait = Wait::Backoff {
        at_least: None,
        cost: Cost::Attempt,
    };

    fn delay(next: Next) -> Duration {
        match next {
            Next::InHand(delay) | Next::Later(delay) => delay,
            Next::GiveUp { .. } => Duration::MAX,
        }
    }

    #[test]
    fn the_vendor_s_word_is_never_undercut() {
        let schedule = Schedule::new(12);
        for attempts in 0..11 {
            for _ in 0..200 {
                let wait = Wait::Backoff {
                    at_least: Some(Duration::from_secs(7)),
                    cost: Cost::Free,
                };
                let (next, spent) = schedule.next(wait, attempts, 0);
                assert!(delay(next) >= Duration::from_secs(7));
                assert_eq!(spent, attempts, "being asked for patience costs nothing");
            }
        }
    }

    #[test]
    fn delays_grow_and_stop_growing() {
        let schedule = Schedule::new(100);
        let (first, _) = schedule.next(FAILED, 0, 0);
        assert!(delay(first) < Duration::from_secs(2));
        let (last, _) = schedule.next(FAILED, 40, 0);
        assert!(delay(last) >= Duration::from_secs(300) && delay(last) <= Duration::from_secs(375));
    }

    #[test]
    fn free_waits_slow_down_too_and_never_give_up() {
        let schedule = Schedule::new(3);
        let (next, spent) = schedule.next(FREE, 2, 6);
        assert!(delay(next) >= Duration::from_secs(10));
        assert_eq!(spent, 2);
    }

    #[test]
    fn what_was_free_does_not_slow_down_what_costs_an_attempt() {
        let (next, spent) = Schedule::new(12).next(FAILED, 0, 9);
        assert!(delay(next) < Duration::from_secs(2), "{next:?}");
        assert_eq!(spent, 1);
    }

    #[test]
    fn the_last_attempt_is_the_last() {
        let schedule = Schedule::new(3);
        assert!(matches!(
            schedule.next(FAILED, 1, 0),
            (Next::InHand(_) | Next::Later(_), 2)
        ));
        assert_eq!(
            schedule.next(FAILED, 2, 0),
            (Next::GiveUp { exhausted: true }, 3)
        );
        assert_eq!(
            schedule.next(Wait::Final, 0, 0),
            (Next::GiveUp { exhausted: false }, 0)
        );
    }
}
