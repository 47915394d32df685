//! The breaker: after some failures in a row nobody asks a vendor any more, but for one probe at a time.
//!
//! An hour's outage must cost an hour, not messages. While the breaker is open, what needs the vendor waits and spends nothing, and
//! a vendor that struggles is not asked a thousand times what it could not answer the first time. What counts is what every
//! message would meet: no connection, no usable answer, a credential that is refused.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many failures in a row open it.
const FAILURES: u32 = 5;
/// The time between two probes is between these two.
pub(in crate::upstream) const PROBE: (Duration, Duration) =
    (Duration::from_secs(15), Duration::from_secs(30));

/// What keeps a vendor from doing anything for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It cannot be reached, or has no usable answers.
    Outage,
    /// It refuses the credential, or something about how it is used that every message would meet.
    Credential,
}

impl Trouble {
    /// All.
    pub const ALL: [Self; 2] = [Self::Outage, Self::Credential];

    /// The metric's label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::Credential => "credential",
        }
    }
}

/// What one call says of the vendor as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// It is there.
    Alive,
    /// It is not.
    Down(Trouble),
    /// It is not, and one answer is enough to know.
    Out(Trouble),
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Whoever likes may ask.
    Closed,
    /// Nobody asks, but for one probe.
    Open(Trouble),
}

/// Whether somebody may ask.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Yes.
    Free,
    /// Yes, and everything depends on it: nobody else may until it is over.
    Probe,
    /// No; for so long nobody is let in.
    Shut(Trouble, Duration),
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { trouble: Trouble, probe_at: Instant },
    Probing { trouble: Trouble },
}

#[derive(Debug)]
pub(super) struct Breaker {
    state: Mutex<State>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state: Mutex::new(State::Closed { failures: 0 }),
        }
    }
}

impl Breaker {
    /// Asked before a call.
    pub(super) fn enter(&self, now: Instant) -> Entry {
        let mut state = self.lock();
        match *state {
            State::Closed { .. } => Entry::Free,
            State::Open { trouble, probe_at } if now >= probe_at => {
                *state = State::Probing { trouble };
                Entry::Probe
            }
            State::Open { trouble, probe_at } => Entry::Shut(trouble, probe_at - now),
            State::Probing { trouble } => Entry::Shut(trouble, PROBE.0),
        }
    }

    /// Told after a call, however it was let in: one that began before the breaker opened says as much as a probe. Returns
    /// how the breaker stands, if that has changed.
    pub(super) fn told(&self, sign: Sign, probe_in: Duration, now: Instant) -> Option<Standing> {
        let mut state = self.lock();
        let before = state.standing();
        *state = match (sign, *state) {
            (Sign::Alive, _) => State::Closed { failures: 0 },
            (Sign::Down(trouble), State::Closed { failures }) if failures + 1 >= FAILURES => {
                State::Open {
                    trouble,
                    probe_at: now + probe_in,
                }
            }
            (Sign::Out(trouble), State::Closed { .. }) => State::Open {
                trouble,
                probe_at: now + probe_in,
            },
            (Sign::Down(_), State::Closed { failures }) => State::Closed {
                failures: failures + 1,
            },
            // The stragglers of what opened it; no probe was among them.
            (Sign::Down(_) | Sign::Out(_), open @ State::Open { .. }) => open,
            (Sign::Down(trouble) | Sign::Out(trouble), State::Probing { .. }) => State::Open {
                trouble,
                probe_at: now + probe_in,
            },
        };
        let after = state.standing();
        (before != after).then_some(after)
    }

    /// The probe was never sent. Somebody else may take its place.
    pub(super) fn not_probed(&self, now: Instant) {
        let mut state = self.lock();
        if let State::Probing { trouble } = *state {
            *state = State::Open {
                trouble,
                probe_at: now,
            };
        }
    }

    pub(super) fn standing(&self) -> Standing {
        self.lock().standing()
    }

    /// For how long nobody is let in; `None`: somebody would be.
    pub(super) fn shut_for(&self, now: Instant) -> Option<Duration> {
        match *self.lock() {
            State::Closed { .. } => None,
            State::Open { probe_at, .. } if now >= probe_at => None,
            State::Open { probe_at, .. } => Some(probe_at - now),
            // It may be over at any time.
            State::Probing { .. } => Some(Duration::from_secs(1)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn standing(self) -> Standing {
        match self {
            Self::Closed { .. } => Standing::Closed,
            Self::Open { trouble, .. } | Self::Probing { trouble } => Standing::Open(trouble),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);
    const DOWN: Sign = Sign::Down(Trouble::Outage);

    fn opened(now: Instant) -> Breaker {
        let breaker = Breaker::default();
        for _ in 1..FAILURES {
            assert_eq!(breaker.told(DOWN, SOON, now), None);
            assert_eq!(breaker.enter(now), Entry::Free);
        }
        let opened = Some(Standing::Open(Trouble::Outage));
        assert_eq!(breaker.told(DOWN, SOON, now), opened);
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_success_between_them_does_not() {
        let now = Instant::now();
        assert_eq!(opened(now).enter(now), Entry::Shut(Trouble::Outage, SOON));
        let breaker = Breaker::default();
        for _ in 0..3 * FAILURES {
            assert_eq!(breaker.told(DOWN, SOON, now), None);
            assert_eq!(breaker.told(Sign::Alive, SOON, now), None);
        }
        assert_eq!(breaker.enter(now), Entry::Free);
    }

    #[test]
    fn what_is_certain_opens_it_at_once() {
        let (now, breaker) = (Instant::now(), Breaker::default());
        let opened = breaker.told(Sign::Out(Trouble::Credential), SOON, now);
        assert_eq!(opened, Some(Standing::Open(Trouble::Credential)));
        assert_eq!(breaker.enter(now + SOON), Entry::Probe);
    }

    #[test]
    fn one_probe_at_a_time_and_its_success_closes_it() {
        let now = Instant::now();
        let breaker = opened(now);
        let later = now + SOON;
        assert_eq!(breaker.shut_for(later), None);
        assert_eq!(breaker.enter(later), Entry::Probe);
        assert!(matches!(breaker.enter(later), Entry::Shut(..)));
        assert_eq!(breaker.told(DOWN, SOON, later), None);
        assert_eq!(breaker.shut_for(later), Some(SOON));
        assert_eq!(breaker.enter(later + SOON), Entry::Probe);
        let closed = breaker.told(Sign::Alive, SOON, later + SOON);
        assert_eq!(closed, Some(Standing::Closed));
        assert_eq!(breaker.enter(later + SOON), Entry::Free);
    }

    #[test]
    fn a_probe_that_was_never_sent_gives_its_place_to_the_next() {
        let now = Instant::now();
        let breaker = opened(now);
        let later = now + SOON;
        assert_eq!(breaker.enter(later), Entry::Probe);
        breaker.not_probed(later);
        assert_eq!(breaker.enter(later), Entry::Probe);
    }

    #[test]
    fn stragglers_do_not_put_the_probe_off() {
        let now = Instant::now();
        let breaker = opened(now);
        let later = now + SOON / 2;
        assert_eq!(breaker.told(DOWN, SOON, later), None);
        assert_eq!(breaker.enter(now + SOON), Entry::Probe);
    }

    #[test]
    fn what_is_wrong_is_what_the_last_failure_said() {
        let now = Instant::now();
        let breaker = opened(now);
        assert_eq!(breaker.enter(now + SOON), Entry::Probe);
        let refused = breaker.told(Sign::Down(Trouble::Credential), SOON, now + SOON);
        assert_eq!(refused, Some(Standing::Open(Trouble::Credential)));
    }
}
