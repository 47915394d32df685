//! How long to wait before the next try: the curve, and the jitter on top of it.
//!
//! This is the only file that knows the crate `backoff`. That crate is no longer maintained and its own retry
//! loop never ends on a persistent `Retry-After`, so only its `ExponentialBackoff` is used, as a curve: who
//! counts the attempts, and when to stop, is decided by the caller. Replacing the crate means this file.

mod budget;

pub use budget::{Account, Exchange, GOOD_FOR, Grant, HEARD_WITHIN, WINDOW};

use std::time::Duration;

use backoff::backoff::Backoff;
use backoff::exponential::ExponentialBackoff;
use backoff::{SystemClock, exponential::ExponentialBackoffBuilder};

/// After so many doublings every curve of ours has long reached its cap; it bounds the loop in [`Curve::delay`].
const STEPS_MAX: u32 = 64;

/// An exponential curve: `first`, then `factor` times as much each time, never above `cap`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curve {
    /// The delay after the first failure (attempt 0).
    pub first: Duration,
    /// What each further attempt multiplies the delay by; below 1 it counts as 1.
    pub factor: f64,
    /// The delay is never longer than this, whatever the attempt.
    pub cap: Duration,
}

impl Curve {
    /// The delay before the try that follows `attempt` earlier ones (0 for the first failure).
    ///
    /// Deterministic, and never falling in `attempt`: jitter is a separate step ([`jittered`]), so that the
    /// caller can apply it after a floor such as `Retry-After`.
    #[must_use]
    pub fn delay(&self, attempt: u32) -> Duration {
        let mut schedule: ExponentialBackoff<SystemClock> = ExponentialBackoffBuilder::new()
            .with_initial_interval(self.first.min(self.cap))
            .with_multiplier(self.factor.max(1.0))
            .with_max_interval(self.cap)
            .with_randomization_factor(0.0)
            .with_max_elapsed_time(None)
            .build();
        let mut delay = self.first.min(self.cap);
        for _ in 0..=attempt.min(STEPS_MAX) {
            let Some(next) = schedule.next_backoff() else {
                return self.cap;
            };
            delay = next;
        }
        delay.min(self.cap)
    }
}

/// `delay` and up to a quarter more.
///
/// Upwards only: a delay is often a promise to wait at least so long (`Retry-After`), and jitter must not break it.
#[must_use]
pub fn jittered(delay: Duration) -> Duration {
    delay.saturating_add(delay.mul_f64(rand::random_range(0.0..=0.25)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    const CURVE: Curve = Curve {
        first: Duration::from_millis(200),
        factor: 2.0,
        cap: Duration::from_secs(4),
    };

    #[test]
    fn the_curve_doubles_up_to_its_cap() {
        let delays: Vec<u128> = (0..7)
            .map(|attempt| CURVE.delay(attempt).as_millis())
            .collect();
        assert_eq!(delays, [200, 400, 800, 1600, 3200, 4000, 4000]);
    }

    #[test]
    fn an_absurd_attempt_number_is_the_cap_and_takes_no_time() {
        assert_eq!(CURVE.delay(u32::MAX), CURVE.cap);
    }

    #[test]
    fn a_first_delay_above_the_cap_is_the_cap() {
        let curve = Curve {
            first: Duration::from_secs(60),
            ..CURVE
        };
        assert_eq!(curve.delay(0), curve.cap);
    }

    proptest! {
        #[test]
        fn a_later_attempt_never_waits_less(attempt in 0_u32..100) {
            prop_assert!(CURVE.delay(attempt) <= CURVE.delay(attempt + 1));
        }

        #[test]
        fn the_same_attempt_always_waits_the_same(attempt in 0_u32..100) {
            prop_assert_eq!(CURVE.delay(attempt), CURVE.delay(attempt));
        }

        #[test]
        fn jitter_never_shortens_and_adds_a_quarter_at_most(millis in 0_u64..100_000_000) {
            let delay = Duration::from_millis(millis);
            let jittered = jittered(delay);
            prop_assert!(jittered >= delay);
            prop_assert!(jittered <= delay + delay / 4 + Duration::from_nanos(1));
        }
    }
}
