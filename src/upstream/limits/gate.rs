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
    /// [`CallError::Waits`], with what is left of the time.
    pub(in crate::upstream) fn pass(&self) -> Result<(), CallError> {
        let closed_until = *self.lock();
        let left = closed_until
            .map(|until| until.saturating_duration_since(Instant::now()))
            .unwrap_or_default();
        if left.is_zero() {
            return Ok(());
        }
        Err(waits(left))
    }

    /// Takes the vendor's word from a failure.
    pub(in crate::upstream) fn heed(&self, error: &CallError) {
        if let Some(span) = patience(error) {
            self.close_for(span);
        }
    }

    /// Nobody passes for so long, or for as long as was said before. How long that is.
    pub(super) fn close_for(&self, wait: Duration) -> Duration {
        let now = Instant::now();
        let mut closed_until = self.lock();
        let until = closed_until.map_or(now + wait, |known| known.max(now + wait));
        *closed_until = Some(until);
        until - now
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.closed_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is told to whoever comes too early.
pub(super) fn waits(left: Duration) -> CallError {
    CallError::Waits {
        reason: format!(
            "the vendor asked for patience, {:.1} s of it are left",
            left.as_secs_f64()
        ),
        left,
    }
}

/// The vendor's word in a failure.
pub(super) fn patience(error: &CallError) -> Option<Duration> {
    match error {
        CallError::Throttled { retry_after, .. } => Some(retry_after.unwrap_or(THROTTLED_DEFAULT)),
        CallError::Unknown { retry_after, .. } => *retry_after,
        CallError::NotSent(_)
        | CallError::Blocked { .. }
        | CallError::Waits { .. }
        | CallError::SetUp { .. }
        | CallError::NoRoute { .. }
        | CallError::Refused { .. }
        | CallError::Conflict(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_vendor_s_word_nobody_passes_and_a_shorter_word_does_not_shorten_it() {
        let gate = Gate::default();
        assert_eq!(gate.pass(), Ok(()));
        gate.close_for(Duration::from_secs(100));
        gate.close_for(Duration::from_secs(1));
        let left = match gate.pass() {
            Err(CallError::Waits { left, .. }) => left,
            Ok(()) | Err(_) => Duration::ZERO,
        };
        assert!(left > Duration::from_secs(98), "{left:?}");
    }

    #[test]
    fn only_a_vendor_that_slows_us_down_is_waited_for_without_a_word() {
        let silent = CallError::Throttled {
            reason: String::new(),
            retry_after: None,
        };
        assert_eq!(patience(&silent), Some(THROTTLED_DEFAULT));
        assert_eq!(patience(&CallError::unknown("503")), None);
        assert_eq!(patience(&CallError::NotSent(String::new())), None);
    }
}
