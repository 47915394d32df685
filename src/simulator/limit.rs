//! How many requests a vendor takes in a minute.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

const WINDOW: Duration = Duration::from_secs(60);

/// A sliding window over the last 60 seconds: no 60 seconds, wherever they begin, admit more than the limit.
pub(super) struct Limit {
    allowed: Option<u32>,
    admitted: VecDeque<Instant>,
}

/// What the window says of one request.
pub(super) enum Admission {
    /// Taken; this many more would be now. `None`: there is no limit.
    Taken {
        /// How many more.
        remaining: Option<usize>,
    },
    /// Refused; the next place becomes free in so many seconds, at least 1.
    Refused {
        /// Whole seconds, rounded up.
        retry_after_s: u64,
    },
}

impl Limit {
    pub(super) fn new(allowed: Option<u32>) -> Self {
        Self {
            allowed,
            admitted: VecDeque::new(),
        }
    }

    pub(super) fn admit(&mut self, now: Instant) -> Admission {
        let Some(allowed) = self.allowed else {
            return Admission::Taken { remaining: None };
        };
        while self
            .admitted
            .front()
            .is_some_and(|at| now.duration_since(*at) >= WINDOW)
        {
            self.admitted.pop_front();
        }
        let room = (allowed as usize).saturating_sub(self.admitted.len());
        if room == 0 {
            let passed = self
                .admitted
                .front()
                .map_or(Duration::ZERO, |at| now.duration_since(*at));
            let left = WINDOW.saturating_sub(passed).as_millis().div_ceil(1000);
            return Admission::Refused {
                retry_after_s: u64::try_from(left).unwrap_or(60).max(1),
            };
        }
        self.admitted.push_back(now);
        Admission::Taken {
            remaining: Some(room - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sixty_seconds_admit_more_than_the_limit() {
        let mut limit = Limit::new(Some(2));
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        assert!(matches!(
            limit.admit(at(0)),
            Admission::Taken { remaining: Some(1) }
        ));
        assert!(matches!(
            limit.admit(at(30)),
            Admission::Taken { remaining: Some(0) }
        ));
        assert!(matches!(
            limit.admit(at(59)),
            Admission::Refused { retry_after_s: 1 }
        ));
        assert!(matches!(
            limit.admit(at(60)),
            Admission::Taken { remaining: Some(0) }
        ));
        assert!(matches!(
            limit.admit(at(61)),
            Admission::Refused { retry_after_s: 29 }
        ));
    }
}
