//! What the ledger says of itself.

use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::ANSWER_WITHIN;
use crate::escalation::Code;
use crate::ledger::{Ledger, Sizes, Standing, State, WaitsFor};
use crate::telemetry::{LedgerStanding, Telemetry};

/// Opens the ledger for somebody who only looks; `None`: not now.
type Opens = Box<dyn Fn() -> BoxFuture<'static, Option<Arc<dyn Ledger>>> + Send + Sync>;

/// The ledger to look at, and whose budgets are kept there.
pub struct Watches {
    open: Opens,
    /// One that only reads: nobody who works waits behind a look, and nobody's start depends on it.
    opened: OnceCell<Arc<dyn Ledger>>,
    budgets: Vec<(&'static str, String)>,
}

impl Watches {
    /// `open` is asked until it succeeds. `budgets`: the vendors, and under which names their budgets are kept.
    #[must_use]
    pub fn new(open: Opens, budgets: Vec<(&'static str, String)>) -> Self {
        Self {
            open,
            opened: OnceCell::new(),
            budgets,
        }
    }

    async fn ledger(&self) -> Option<&Arc<dyn Ledger>> {
        let opening = self
            .opened
            .get_or_try_init(|| async { (self.open)().await.ok_or(()) });
        opening.await.ok()
    }

    async fn standing(&self) -> Option<Standing> {
        self.ledger().await?.gauges().standing().await.ok()
    }

    async fn sizes(&self) -> Option<Sizes> {
        self.ledger().await?.gauges().sizes().await.ok()
    }

    pub(super) async fn look(&self, telemetry: &Telemetry) {
        let Ok(Some(seen)) = timeout(ANSWER_WITHIN, self.standing()).await else {
            return telemetry.ledger_stands(None);
        };
        let open = WaitsFor::ALL.map(|waits_for| {
            let seen = seen.open.iter().find(|(name, ..)| *name == waits_for);
            let (count, age) = seen.map_or((0, Duration::ZERO), |(_, count, age)| (*count, *age));
            (waits_for.as_str(), count, age)
        });
        let letters = Code::ALL.map(|code| {
            let seen = seen.letters.iter().find(|(name, _)| *name == code);
            (code.as_str(), seen.map_or(0, |(_, count)| *count))
        });
        let budgets = self.budgets.iter().map(|(vendor, account)| {
            let seen = seen.budgets.iter().find(|(name, _)| name == account);
            (*vendor, seen.map_or(0, |(_, used)| *used))
        });
        telemetry.ledger_stands(Some(&LedgerStanding {
            open: open.to_vec(),
            letters: letters.to_vec(),
            replays: (seen.driven, seen.left),
            entries: (seen.marked, seen.staged),
            budgets: budgets.collect(),
        }));
    }

    pub(super) async fn measure(&self, telemetry: &Telemetry) {
        let Ok(Some(sizes)) = timeout(ANSWER_WITHIN, self.sizes()).await else {
            return telemetry.ledger_measures(None);
        };
        let escalations = State::ALL.map(|state| {
            let seen = sizes.escalations.iter().find(|(name, _)| *name == state);
            (state.as_str(), seen.map_or(0, |(_, count)| *count))
        });
        telemetry.ledger_measures(Some((&escalations, sizes.bytes)));
    }
}
