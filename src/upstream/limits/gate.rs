//! The vendor's own word, kept for everybody: after a `Retry-After` nobody asks with that credential before its time.
//!
//! It is a property of the credential, not of the message that happened to hear it. Whoever comes earlier is told what the
//! vendor said, without a request.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::super::call::{CallError, THROTTLED_DEFAULT};

/// One credential's gate.
#[derive(Debug, Default)]
pub(in crate::upstream) struct Gate {
    closed_until: Mutex<Option<Instant>>,
}

impl Gate {
    /// Whether a request may go out now.
    ///
    /// # Errors
    /// [`CallError::Throttled`], with what is left of the time.
    pub(in crate::upstream) fn pass(&self) -> Result<(), CallError> {
        let closed_until = *self.lock();
        let left = closed_until
            .map(|until| until.saturating_duration_since(Instant::now()))
            .unwrap_or_default();
        if left.is_zero() {
            return Ok(());
        }
        Err(CallError::Throttled {
            reason: format!(
                "the vendor asked for patience, {:.1} s of it are left",
                left.as_secs_f64()
            ),
            retry_after: Some(left),
        })
    }

    /// Takes the vendor's word from a failure, and says what it was.
    pub(in crate::upstream) fn heed(&self, error: &CallError) -> Option<Duration> {
        let wait = match error {
            CallError::Throttled { retry_after, .. } => retry_after.unwrap_or(THROTTLED_DEFAULT),
            CallError::Unknown {
                retry_after: Some(wait),
                ..
            } => *wait,
            CallError::Unknown { .. }
            | CallError::NotSent(_)
            | CallError::Blocked { .. }
            | CallError::SetUp { .. }
            | CallError::NoRoute { .. }
            | CallError::Refused { .. }
            | CallError::Conflict(_) => return None,
        };
        self.close_for(wait);
        Some(wait)
    }

    /// Nobody passes for so long.
    pub(super) fn close_for(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut closed_until = self.lock();
        *closed_until = Some(closed_until.map_or(until, |known| known.max(until)));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.closed_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled(seconds: u64) -> CallError {
        CallError::Throttled {
            reason: String::new(),
            retry_after: Some(Duration::from_secs(seconds)),
        }
    }

    #[test]
    fn after_the_vendor_s_word_nobody_passes_and_a_shorter_word_does_not_shorten_it() {
        let gate = Gate::default();
        assert_eq!(gate.pass(), Ok(()));
        gate.heed(&throttled(100));
        gate.heed(&throttled(1));
        let left = match gate.pass() {
            Err(CallError::Throttled { retry_after, .. }) => retry_after,
            Ok(()) | Err(_) => None,
        };
        assert!(left > Some(Duration::from_secs(98)), "{left:?}");
    }

    #[test]
    fn a_failure_without_a_word_closes_nothing() {
        let gate = Gate::default();
        assert_eq!(gate.heed(&CallError::unknown("503")), None);
        assert_eq!(gate.heed(&CallError::NotSent(String::new())), None);
        assert_eq!(gate.pass(), Ok(()));
    }
}
