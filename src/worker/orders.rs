//! What the pool was told to do: a process says that it is there, hears whether it is to take anything new, and says when it has
//! obeyed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::runner::Runner;
use crate::escalation::Lane;
use crate::ledger::{Error, Presence, says_pause};

/// Between two reports.
const REPORT_EVERY: Duration = Duration::from_secs(2);
/// Who has not heard it by then does not hear it.
const REPORT_WITHIN: Duration = Duration::from_secs(5);
/// The same while an order is being carried out.
const REPORT_SOON: Duration = Duration::from_millis(100);

/// Whether anything new is taken. Until the ledger was asked, nothing is: the pool may be paused.
pub(super) struct Orders {
    paused: watch::Sender<bool>,
    /// How many lanes take nothing now.
    holding: AtomicUsize,
}

impl Default for Orders {
    fn default() -> Self {
        Self {
            paused: watch::Sender::new(true),
            holding: AtomicUsize::new(0),
        }
    }
}

impl Orders {
    /// To be told when they change.
    pub(super) fn watch(&self) -> watch::Receiver<bool> {
        self.paused.subscribe()
    }

    /// A lane takes nothing for as long as this is kept.
    pub(super) fn hold(&self) -> Holding<'_> {
        self.holding.fetch_add(1, Ordering::SeqCst);
        Holding(self)
    }

    /// Whether every lane does as it was told.
    fn are_obeyed(&self) -> bool {
        let wanted = if *self.paused.borrow() {
            Lane::ALL.len()
        } else {
            0
        };
        self.holding.load(Ordering::SeqCst) == wanted
    }

    /// Reports and listens until told to stop.
    pub(super) async fn follow(&self, runner: &Runner, stop: CancellationToken) {
        let (mut newest, mut obeys) = (0, 0);
        let mut heard = false;
        while !stop.is_cancelled() {
            if heard && self.are_obeyed() {
                obeys = newest;
            }
            let presence = Presence {
                name: runner.config.owner.clone(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                obeys,
                paused: *self.paused.borrow(),
                in_hand: u64::try_from(runner.telemetry.in_hand()).unwrap_or_default(),
            };
            let report = timeout(REPORT_WITHIN, runner.ledger.report(presence)).await;
            let report =
                report.unwrap_or_else(|_| Err(Error::Unavailable("not in time".to_owned())));
            // Something was written, or could not be: who only reads would not notice a disk that is full.
            runner.telemetry.ledger_takes(report.is_ok());
            match report {
                Ok(orders) => {
                    let pause = says_pause(&orders);
                    newest = orders.as_ref().map_or(0, |order| order.number);
                    let moved = self
                        .paused
                        .send_if_modified(|paused| std::mem::replace(paused, pause) != pause);
                    if let (true, Some(order)) = (moved && (heard || pause), &orders) {
                        let (by, why) = (&order.entered.by, &order.entered.why);
                        let why = why.as_deref();
                        match pause {
                            true => tracing::warn!(event = "pool.paused", by, why),
                            false => tracing::info!(event = "pool.resumed", by, why),
                        }
                    }
                    runner.telemetry.paused(pause);
                    heard = true;
                }
                // What it was told last is what it does.
                Err(error) => tracing::debug!(event = "pool.not_reported", %error),
            }
            let settled = obeys == newest && self.are_obeyed();
            let pause = if heard && settled {
                REPORT_EVERY
            } else {
                REPORT_SOON
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
        if let Err(error) = runner.ledger.leave(&runner.config.owner).await {
            tracing::debug!(event = "pool.not_left", %error);
        }
    }
}

/// See [`Orders::hold`].
pub(super) struct Holding<'a>(&'a Orders);

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        self.0.holding.fetch_sub(1, Ordering::SeqCst);
    }
}
