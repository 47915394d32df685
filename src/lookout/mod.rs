//! The lookout: sees to it that the metrics say how things stand, also where nobody has anything to tell.
//!
//! Queues, ledger and connections are looked at every few seconds, never when somebody asks for the metrics: a broker that does
//! not answer must not keep Prometheus waiting. Whatever cannot be seen is taken away from the metrics.

mod ledger;
mod queues;

pub use ledger::Watches;

use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, ConnectionHealth};
use crate::telemetry::Telemetry;

/// How often it looks. An operator should know within a minute; an alert that waits half of that sees six looks.
const EVERY: Duration = Duration::from_secs(5);
/// Whoever takes longer to answer cannot be seen.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// So many looks are between two at what has to be counted through.
const SIZES_EVERY: u32 = 12;

/// Looks until told to stop.
pub struct Lookout {
    broker: Broker,
    /// The ingress has none.
    ledger: Option<Watches>,
    telemetry: Arc<Telemetry>,
}

impl Lookout {
    /// Puts one together.
    #[must_use]
    pub fn new(broker: Broker, ledger: Option<Watches>, telemetry: Arc<Telemetry>) -> Self {
        Self {
            broker,
            ledger,
            telemetry,
        }
    }

    /// Looks until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let looking = async {
            tokio::join!(
                self.follow_connections(),
                self.look_at_queues(),
                self.look_at_ledger()
            )
        };
        tokio::select! {
            () = stop.cancelled() => {}
            _ = looking => {}
        }
    }

    /// Says of each connection whether it can be used, as it changes.
    async fn follow_connections(&self) {
        let mut health = self.broker.watch();
        let mut before = [false; 2];
        loop {
            let now = health.borrow_and_update().clone();
            let connections = [("consume", &now.consume), ("publish", &now.publish)];
            for ((name, connection), was_there) in connections.into_iter().zip(&mut before) {
                let Some(connection) = connection else {
                    continue;
                };
                let (there, usable) = match connection {
                    ConnectionHealth::Up { .. } => (true, true),
                    // Acks go on while publishing is stopped.
                    ConnectionHealth::Blocked { .. } => (true, name == "consume"),
                    ConnectionHealth::Connecting { .. } | ConnectionHealth::Closed => {
                        (false, false)
                    }
                };
                let established = there && !*was_there;
                self.telemetry.broker_stands(name, usable, established);
                *was_there = there;
            }
            if health.changed().await.is_err() {
                return;
            }
        }
    }

    /// Looks every few seconds, and at once when a connection has come back.
    async fn look_at_queues(&self) {
        let mut health = self.broker.watch();
        let mut ticks = ticks();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                changed = health.changed() => if changed.is_err() {
                    return;
                },
            }
            let depths = self.broker.depths(ANSWER_WITHIN).await;
            let ours = self.broker.health().subscriptions;
            let depths = depths.map(|depths| queues::by_name(&depths, &ours));
            self.telemetry.queues_stand(depths.as_deref());
        }
    }

    async fn look_at_ledger(&self) {
        let Some(ledger) = &self.ledger else { return };
        let mut ticks = ticks();
        for look in 0_u32.. {
            ticks.tick().await;
            ledger.look(&self.telemetry).await;
            if look.is_multiple_of(SIZES_EVERY) {
                ledger.measure(&self.telemetry).await;
            }
        }
    }
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
