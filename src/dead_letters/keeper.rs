//! The keeper: from the queue into the ledger, and only then acknowledged.

use jiff::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::broker::{Broker, Delivery, Settled, Source};
use crate::crash;
use crate::escalation::{Code, DeadLetter, DeadLetterOrigin};
use crate::ledger::{Error, Keeping, Ledger};
use crate::pacing::{Curve, jittered};
use crate::telemetry::{LetterKept, Telemetry};

/// So many letters at once; the ledger writes them in groups.
const AT_ONCE: u16 = 16;
/// A letter that the ledger does not take is in hand for so long, at most; then it goes back to its queue.
const IN_HAND: Duration = Duration::from_secs(60);
/// Between two tries.
const AGAIN: Curve = Curve {
    first: Duration::from_millis(200),
    factor: 2.0,
    cap: Duration::from_secs(10),
};

/// Takes dead letters into the ledger. Any number of them may do so at once.
pub struct Keeper {
    broker: Broker,
    hand: Arc<Hand>,
}

struct Hand {
    ledger: Arc<dyn Ledger>,
    telemetry: Arc<Telemetry>,
    kept: Arc<Notify>,
}

impl Keeper {
    /// Puts one together. `kept` hears of every letter that was kept.
    #[must_use]
    pub fn new(
        broker: Broker,
        ledger: Arc<dyn Ledger>,
        telemetry: Arc<Telemetry>,
        kept: Arc<Notify>,
    ) -> Self {
        let hand = Arc::new(Hand {
            ledger,
            telemetry,
            kept,
        });
        Self { broker, hand }
    }

    /// Keeps until `stop`. Without the ledger, letters stay in their queue.
    pub async fn run(self, stop: CancellationToken) {
        let mut subscription = self.broker.subscribe(Source::Dead, AT_ONCE);
        let slots = Arc::new(Semaphore::new(AT_ONCE.into()));
        let tasks = TaskTracker::new();
        loop {
            let next = async {
                let delivery = subscription.next().await?;
                let slot = slots.clone().acquire_owned().await.ok()?;
                Some((delivery, slot))
            };
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => None,
                next = next => next,
            };
            let Some((delivery, slot)) = next else { break };
            let (hand, stop) = (self.hand.clone(), stop.clone());
            tasks.spawn(async move {
                hand.keep(delivery, &stop).await;
                drop(slot);
            });
        }
        subscription.stop().await;
        tasks.close();
        tasks.wait().await;
    }
}

impl Hand {
    async fn keep(&self, delivery: Delivery, stop: &CancellationToken) {
        crash::after("a dead letter's delivery");
        let letter = read(&delivery, Timestamp::now());
        let began = Instant::now();
        for tries in 0.. {
            match self.ledger.letters().keep(letter.clone()).await {
                Ok(keeping) => {
                    self.tell(&letter, keeping);
                    crash::before("the ack of a dead letter");
                    let settled = delivery.ack().await;
                    crash::after("the ack of a dead letter");
                    // It comes again, and is known then.
                    return lost(settled);
                }
                Err(error) => self.not_kept(&letter, &error),
            }
            if !delivery.is_live() || began.elapsed() > IN_HAND {
                break;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(jittered(AGAIN.delay(tries))) => {}
            }
        }
        lost(delivery.hand_back().await);
    }

    fn tell(&self, letter: &DeadLetter, keeping: Keeping) {
        let outcome = match keeping {
            Keeping::Kept => "kept",
            Keeping::Known => "known",
            Keeping::Replaced => "replaced",
            Keeping::Closed => "closed",
        };
        self.telemetry.letter_kept(&LetterKept {
            id: letter.id.as_str(),
            outcome,
            code: letter.code,
            origin: letter.origin,
            incident: letter.message.as_ref().map(|m| m.incident_id.as_str()),
        });
        self.kept.notify_one();
    }

    fn not_kept(&self, letter: &DeadLetter, error: &Error) {
        let id = letter.id.as_str();
        tracing::warn!(event = "dead_letter.not_kept", id, %error);
    }
}

fn lost(settled: Settled) {
    match settled {
        Settled::Sent => {}
        Settled::Lost => tracing::debug!(
            event = "delivery.lost",
            "the channel is gone; the letter will be delivered again"
        ),
    }
}

/// Whatever arrives becomes a letter: one of ours, what the broker moved here by itself, or bytes that nobody can read.
fn read(delivery: &Delivery, now: Timestamp) -> DeadLetter {
    if let Some(died) = &delivery.died {
        let why = format!("{}, in {}", died.reason, died.queue);
        return DeadLetter::of_returned(&delivery.body, &why, now);
    }
    DeadLetter::decode(&delivery.body).unwrap_or_else(|why| {
        DeadLetter::of_bytes(
            &delivery.body,
            Code::MessageUndecodable,
            format!("it was among the dead letters, and is none: {why}"),
            DeadLetterOrigin::Broker,
            now,
        )
    })
}
