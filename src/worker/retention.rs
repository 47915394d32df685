//! Retention: the ledger forgets what is old, in small bites, so that nobody who works waits long behind it.
//!
//! Every worker does it, at different times; two at once only share the work.

use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::ledger::{Error, Ledger, Pruned, Retention};
use crate::pacing::jittered;
use crate::telemetry::{LedgerPruned, Telemetry};

/// Between the start and the first round: the backlog that a restart leaves comes first. Jitter keeps workers that were
/// started together apart.
const FIRST: (Duration, Duration) = (Duration::from_secs(120), Duration::from_secs(300));
/// Between two rounds.
const ROUND: Duration = Duration::from_secs(3600);
/// Between two bites of a round.
const PAUSE: Duration = Duration::from_millis(250);
/// How much of each kind one bite takes.
const BITE: u32 = 500;
/// How long the link of a session is kept at least, after anybody last asked for it.
const LINKS: Duration = Duration::from_secs(24 * 3600);

/// The task that forgets.
pub struct Forgetting {
    ledger: Arc<dyn Ledger>,
    telemetry: Arc<Telemetry>,
    retention: Retention,
}

/// What follows a bite.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Another one, after this pause.
    Bite(Duration),
    /// Nothing: the next round is the next time.
    RoundOver,
}

impl Forgetting {
    /// Puts one together. `escalations` is how long what has ended is kept, `expires_after` how old one may become that
    /// has not.
    #[must_use]
    pub fn new(
        ledger: Arc<dyn Ledger>,
        telemetry: Arc<Telemetry>,
        escalations: Duration,
        expires_after: Duration,
    ) -> Self {
        Self {
            ledger,
            telemetry,
            retention: retention(escalations, expires_after),
        }
    }

    /// Forgets now and then until `stop`. A bite that has begun is finished.
    pub async fn run(self, stop: CancellationToken) {
        let mut wait = first(rand::random());
        while waited(wait, &stop).await {
            self.round(&stop).await;
            wait = jittered(ROUND);
        }
    }

    /// One round: bite after bite until nothing old is left, or until `stop`. A failure is told, and ends the round.
    pub async fn round(&self, stop: &CancellationToken) -> Pruned {
        let mut all = Pruned::default();
        loop {
            let bite = self.ledger.prune(&self.retention).await;
            match &bite {
                Ok(bite) => all = sum(all, *bite),
                Err(error) => tracing::warn!(event = "ledger.not_pruned", %error),
            }
            match next(&bite, &self.retention) {
                Next::Bite(pause) if waited(pause, stop).await => {}
                Next::Bite(_) | Next::RoundOver => break,
            }
        }
        self.telemetry.ledger_pruned(&LedgerPruned {
            escalations: all.escalations,
            conversations: all.conversations,
            resolutions: all.resolutions,
            links: all.links,
            letters: all.letters,
        });
        all
    }
}

/// A link is kept as long as an escalation may still have to write it into its note.
fn retention(escalations: Duration, expires_after: Duration) -> Retention {
    Retention {
        escalations,
        links: LINKS.max(expires_after),
        at_most: BITE,
    }
}

/// When the first round comes; `random` is between 0 and 1.
fn first(random: f64) -> Duration {
    let (from, to) = FIRST;
    from + to.saturating_sub(from).mul_f64(random.clamp(0.0, 1.0))
}

fn next(bite: &Result<Pruned, Error>, retention: &Retention) -> Next {
    match bite {
        Ok(bite) if bite.is_full(retention) => Next::Bite(PAUSE),
        Ok(_) | Err(_) => Next::RoundOver,
    }
}

fn sum(one: Pruned, other: Pruned) -> Pruned {
    Pruned {
        history: one.history + other.history,
        escalations: one.escalations + other.escalations,
        conversations: one.conversations + other.conversations,
        resolutions: one.resolutions + other.resolutions,
        links: one.links + other.links,
        letters: one.letters + other.letters,
    }
}

/// Waits; `false` if it was told to stop before.
async fn waited(span: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        () = tokio::time::sleep(span) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn the_first_round_comes_a_few_minutes_after_the_start_and_not_everywhere_at_once() {
        assert_eq!(first(0.0), Duration::from_secs(120));
        assert_eq!(first(0.5), Duration::from_secs(210));
        assert_eq!(first(1.0), Duration::from_secs(300));
    }

    #[test]
    fn a_full_bite_is_followed_by_another_after_a_pause_and_nothing_else_is() {
        let retention = retention(90 * DAY, DAY);
        let bite = |links| Pruned {
            links,
            ..Pruned::default()
        };
        assert_eq!(next(&Ok(bite(500)), &retention), Next::Bite(PAUSE));
        assert_eq!(next(&Ok(bite(499)), &retention), Next::RoundOver);
        let away = Err(Error::Unavailable("away".to_owned()));
        assert_eq!(next(&away, &retention), Next::RoundOver);
    }

    #[test]
    fn a_link_outlives_every_escalation_that_may_still_need_it() {
        assert_eq!(retention(90 * DAY, DAY / 2).links, DAY);
        assert_eq!(retention(90 * DAY, 3 * DAY).links, 3 * DAY);
    }
}
