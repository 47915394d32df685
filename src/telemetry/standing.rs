//! How things stand: what goes up and down, set by whoever sees it.
//!
//! What cannot be seen at the moment is taken away. A number that was true once would be believed.

use jiff::Timestamp;
use prometheus::{IntGauge, IntGaugeVec};
use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::metrics::Telemetry;

/// A vendor that wants to be left alone for so long is news: whatever needs it waits.
const LONG_PATIENCE: Duration = Duration::from_secs(60);

/// One more, until it is dropped, whatever way the work on it ends.
#[derive(Debug)]
#[must_use]
pub struct OneMore(IntGauge);

impl OneMore {
    fn of(gauge: &IntGaugeVec, labels: &[&str]) -> Self {
        let gauge = gauge.with_label_values(labels);
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for OneMore {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A queue, as the broker counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueDepth {
    /// high, normal, delay or dead
    pub queue: &'static str,
    /// Messages that wait.
    pub messages: u64,
    /// Who takes from it, where anybody is to.
    pub consumers: Option<u64>,
}

/// What the ledger says of itself; names are labels.
#[derive(Debug, Clone, Default)]
pub struct LedgerStanding {
    /// By what they wait for: how many are open, and how old the oldest is.
    pub open: Vec<(&'static str, u64, Duration)>,
    /// Open dead letters by code.
    pub letters: Vec<(&'static str, u64)>,
    /// Open replays that are driven, and that are not.
    pub replays: (u64, u64),
    /// Letters in them that are marked, and that are staged.
    pub entries: (u64, u64),
    /// Permits in use, by vendor.
    pub budgets: Vec<(&'static str, u32)>,
}

impl Telemetry {
    /// Counts one escalation as in hand until this is dropped.
    pub fn take_in_hand(&self) -> OneMore {
        OneMore::of(&self.in_hand, &[])
    }

    /// How many escalations are in hand.
    #[must_use]
    pub fn in_hand(&self) -> i64 {
        self.in_hand.with_label_values::<&str>(&[]).get()
    }

    /// Counts one webhook as being answered until this is dropped.
    pub fn webhook_arrived(&self) -> OneMore {
        OneMore::of(&self.webhooks_in_flight, &[])
    }

    /// Counts one request as waiting for its permit until this is dropped.
    pub fn waits_for_permit(&self, vendor: &'static str) -> OneMore {
        OneMore::of(&self.permits_waiting, &[vendor])
    }

    /// A pool of so many slots begins to take.
    pub fn pool_begins(&self, slots: usize) {
        let slots = i64::try_from(slots).unwrap_or(i64::MAX);
        self.slots.with_label_values::<&str>(&[]).set(slots);
    }

    /// Something was taken from a lane, or is about to be for the first time.
    pub fn takes_from(&self, lane: &'static str) {
        let now = Timestamp::now().duration_since(Timestamp::UNIX_EPOCH);
        self.last_delivery
            .with_label_values(&[lane])
            .set(now.as_secs_f64());
    }

    /// Says whether this process takes anything new.
    pub fn paused(&self, paused: bool) {
        let gauge = self.paused.with_label_values::<&str>(&[]);
        gauge.set(i64::from(paused));
    }

    /// Whether this process takes nothing new.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused.with_label_values::<&str>(&[]).get() > 0
    }

    /// A connection to the broker can be used, or not; `established`: it was made just now.
    pub fn broker_stands(&self, connection: &'static str, up: bool, established: bool) {
        self.broker_up
            .with_label_values(&[connection])
            .set(i64::from(up));
        if established {
            self.broker_connects.with_label_values(&[connection]).inc();
        }
    }

    /// How full the queues are; `None`: nobody can say.
    pub fn queues_stand(&self, queues: Option<&[QueueDepth]>) {
        let Some(queues) = queues else {
            self.queue_messages.reset();
            self.queue_consumers.reset();
            return;
        };
        for unseen in ["high", "normal", "dead", "delay"] {
            if !queues.iter().any(|depth| depth.queue == unseen) {
                // It need not have been there.
                let _ = self.queue_messages.remove_label_values(&[unseen]);
                let _ = self.queue_consumers.remove_label_values(&[unseen]);
            }
        }
        for depth in queues {
            let messages = self.queue_messages.with_label_values(&[depth.queue]);
            messages.set(whole(depth.messages));
            if let Some(consumers) = depth.consumers {
                let gauge = self.queue_consumers.with_label_values(&[depth.queue]);
                gauge.set(whole(consumers));
            }
        }
    }

    /// Whether the ledger has just taken something from those who work with it.
    pub fn ledger_takes(&self, taken: bool) {
        let up = self.ledger_up.with_label_values::<&str>(&[]);
        up.set(i64::from(taken));
        self.ledger_refuses.store(!taken, Ordering::Relaxed);
    }

    /// Whether it did not take what was written last: it may be read all the same, as from a disk that is full.
    #[must_use]
    pub fn ledger_refuses(&self) -> bool {
        self.ledger_refuses.load(Ordering::Relaxed)
    }

    /// What the ledger says; `None`: it could not be looked at.
    pub fn ledger_stands(&self, standing: Option<&LedgerStanding>) {
        let Some(standing) = standing else {
            for gauge in [&self.open, &self.letters_open, &self.budget_used] {
                gauge.reset();
            }
            self.oldest_open.reset();
            self.replays_open.reset();
            self.replay_entries.reset();
            return;
        };
        for (waits_for, count, age) in &standing.open {
            self.open.with_label_values(&[waits_for]).set(whole(*count));
            self.oldest_open
                .with_label_values(&[waits_for])
                .set(age.as_secs_f64());
        }
        for (code, count) in &standing.letters {
            let gauge = self.letters_open.with_label_values(&[code]);
            gauge.set(whole(*count));
        }
        let ((driven, left), (marked, staged)) = (standing.replays, standing.entries);
        for (is_driven, count) in [("true", driven), ("false", left)] {
            let gauge = self.replays_open.with_label_values(&[is_driven]);
            gauge.set(whole(count));
        }
        for (stage, count) in [("marked", marked), ("staged", staged)] {
            let gauge = self.replay_entries.with_label_values(&[stage]);
            gauge.set(whole(count));
        }
        for (vendor, used) in &standing.budgets {
            let gauge = self.budget_used.with_label_values(&[vendor]);
            gauge.set(i64::from(*used));
        }
    }

    /// How large the ledger is: escalations by state, and bytes; `None`: it does not answer.
    pub fn ledger_measures(&self, sizes: Option<(&[(&'static str, u64)], u64)>) {
        let Some((escalations, bytes)) = sizes else {
            self.ledger_escalations.reset();
            self.ledger_bytes.reset();
            return;
        };
        for (state, count) in escalations {
            let gauge = self.ledger_escalations.with_label_values(&[state]);
            gauge.set(whole(*count));
        }
        let gauge = self.ledger_bytes.with_label_values::<&str>(&[]);
        gauge.set(whole(bytes));
    }

    /// How much may be asked of a vendor.
    pub fn budget_is(&self, vendor: &'static str, requests_per_minute: u32) {
        self.budget_limit
            .with_label_values(&[vendor])
            .set(requests_per_minute.into());
        self.permits_waiting.with_label_values(&[vendor]);
    }

    /// A request has waited for its permit.
    pub fn permit_waited(&self, vendor: &'static str, waited: Duration) {
        self.permit_wait
            .with_label_values(&[vendor])
            .observe(waited.as_secs_f64());
    }

    /// How a vendor stands: shut out for one of these reasons, or for none.
    pub fn vendor_stands(
        &self,
        vendor: &'static str,
        troubles: &[&'static str],
        shut: Option<&'static str>,
    ) {
        for trouble in troubles {
            self.breaker
                .with_label_values(&[vendor, trouble])
                .set(i64::from(shut == Some(trouble)));
        }
        let mut vendors = self.vendors.lock().unwrap_or_else(PoisonError::into_inner);
        vendors.insert(vendor, shut);
    }

    /// How all vendors stand that were heard of.
    pub fn vendors(&self) -> BTreeMap<&'static str, Option<&'static str>> {
        let vendors = self.vendors.lock().unwrap_or_else(PoisonError::into_inner);
        vendors.clone()
    }

    /// Tells that a vendor is not asked any more, but for probes; or that it is back.
    pub fn vendor_moved(&self, vendor: &'static str, trouble: Option<&'static str>) {
        match trouble {
            Some(trouble) => tracing::warn!(event = "vendor.shut", vendor, trouble),
            None => tracing::info!(event = "vendor.back", vendor),
        }
    }

    /// Nobody asks this vendor for so long, since it has said so.
    pub fn vendor_closed_for(&self, vendor: &'static str, span: Duration) {
        let until = Timestamp::now().duration_since(Timestamp::UNIX_EPOCH);
        self.patience
            .with_label_values(&[vendor])
            .set(until.as_secs_f64() + span.as_secs_f64());
    }

    /// It has said so itself, just now.
    pub fn vendor_asks_for_patience(&self, vendor: &'static str, span: Duration, capped: bool) {
        if span < LONG_PATIENCE {
            return;
        }
        let seconds = span.as_secs();
        tracing::warn!(event = "vendor.wants_patience", vendor, seconds, capped);
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
