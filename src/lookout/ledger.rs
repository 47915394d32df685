//! What the ledger says of itself.

use std::sync::Arc;
use tokio::time::timeout;

use super::ANSWER_WITHIN;
use crate::escalation::Code;
use crate::ledger::{Ledger, State, WaitsFor};
use crate::telemetry::{LedgerStanding, Telemetry};
use std::time::Duration;

/// The ledger to look at, and whose budgets are kept there.
pub struct Watches {
    /// One that only reads: nobody who works waits behind a look.
    pub ledger: Arc<dyn Ledger>,
    /// The vendors, and under which names their budgets are kept.
    pub budgets: Vec<(&'static str, String)>,
}

impl Watches {
    pub(super) async fn look(&self, telemetry: &Telemetry) {
        let looking = timeout(ANSWER_WITHIN, self.ledger.gauges().standing()).await;
        let Ok(Ok(seen)) = looking else {
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
        let looking = timeout(ANSWER_WITHIN, self.ledger.gauges().sizes()).await;
        let Ok(Ok(sizes)) = looking else {
            return telemetry.ledger_measures(None);
        };
        let escalations = State::ALL.map(|state| {
            let seen = sizes.escalations.iter().find(|(name, _)| *name == state);
            (state.as_str(), seen.map_or(0, |(_, count)| *count))
        });
        telemetry.ledger_measures(Some((&escalations, sizes.bytes)));
    }
}
