//! Every metric of the program, with its name, unit, labels and help.

use super::events::Settled;
use crate::escalation::invariant::Invariant;
use crate::escalation::{Code, Contract, Step};
use std::collections::BTreeMap;
use std::sync::Mutex;

use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

/// Seconds, from a fast local answer to the longest call that is allowed.
const CALL_BUCKETS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Seconds, from a commit that shares a flush with others to a database that is hardly there.
const LEDGER_BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
];
/// Seconds, from the promise ("within a second") to a day of outage.
const NOTE_BUCKETS: &[f64] = &[
    0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0,
];

/// The handle through which everything is counted and told. One per process, shared by `Arc`.
#[derive(Debug)]
pub struct Telemetry {
    registry: Registry,
    pub(super) webhooks: IntCounterVec,
    pub(super) webhook_seconds: HistogramVec,
    pub(super) published: IntCounterVec,
    pub(super) deliveries: IntCounterVec,
    pub(super) attempts: IntCounterVec,
    pub(super) steps: HistogramVec,
    pub(super) upstream: HistogramVec,
    pub(super) accepted_to_note: HistogramVec,
    pub(super) dead_letters: IntCounterVec,
    pub(super) letters_kept: IntCounterVec,
    pub(super) failure_notes: IntCounterVec,
    pub(super) unknown_outcomes: IntCounterVec,
    pub(super) duplicate_effects: IntCounterVec,
    pub(super) possible_orphans: IntCounter,
    pub(super) takeovers: IntCounter,
    pub(super) violations: IntCounterVec,
    pub(super) fenced: IntCounterVec,
    pub(super) ledger: HistogramVec,
    pub(super) pruned: IntCounterVec,
    pub(super) genesys_contract: IntGaugeVec,
    pub(super) permit_wait: HistogramVec,
    pub(super) breaker: IntGaugeVec,
    pub(super) patience: GaugeVec,
    pub(super) vendors: Mutex<BTreeMap<&'static str, Option<&'static str>>>,
    in_hand: IntGauge,
    paused: IntGauge,
}

impl Telemetry {
    /// Registers everything.
    ///
    /// # Errors
    /// Only by a mistake in this file: a malformed or doubled name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let histogram = |name: &str, help: &str, labels: &[&str], buckets: &[f64]| {
            let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            let histogram = HistogramVec::new(opts, labels)?;
            registry.register(Box::new(histogram.clone()))?;
            Ok::<_, prometheus::Error>(histogram)
        };
        let in_hand = IntGauge::new(
            "escalator_in_hand",
            "Escalations that this process is working on at this moment.",
        )?;
        registry.register(Box::new(in_hand.clone()))?;
        let paused = IntGauge::new(
            "escalator_paused",
            "1 while this process takes nothing new, since an operator has paused the pool.",
        )?;
        registry.register(Box::new(paused.clone()))?;
        let build = IntGaugeVec::new(
            Opts::new(
                "escalator_build_info",
                "Always 1; the labels say what is running.",
            ),
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.register(Box::new(build))?;
        #[cfg(target_os = "linux")]
        registry.register(Box::new(
            prometheus::process_collector::ProcessCollector::for_self(),
        ))?;
        let genesys_contract = IntGaugeVec::new(
            Opts::new(
                "escalator_genesys_contract",
                "1 for the cobrowse contract that Genesys speaks, as far as this process knows; 0 for all: not decided yet.",
            ),
            &["contract"],
        )?;
        registry.register(Box::new(genesys_contract.clone()))?;
        for contract in Contract::ALL {
            genesys_contract.with_label_values(&[contract.as_str()]);
        }
        let breaker = IntGaugeVec::new(
            Opts::new(
                "escalator_vendor_shut",
                "1 while this process asks a vendor nothing but a probe now and then, by vendor and by what is wrong (outage, credential).",
            ),
            &["vendor", "trouble"],
        )?;
        registry.register(Box::new(breaker.clone()))?;
        let patience = GaugeVec::new(
            Opts::new(
                "escalator_vendor_patience_until_timestamp_seconds",
                "Until when this vendor has asked to be left alone, as this process heard it; in the past or 0: it may be asked.",
            ),
            &["vendor"],
        )?;
        registry.register(Box::new(patience.clone()))?;
        let dead_letters = counter(
            "escalator_dead_letters_total",
            "Dead letters written, by code.",
            &["code"],
        )?;
        // A counter that appears with its first event hides that event from every alert on its increase.
        for code in Code::ALL {
            dead_letters.with_label_values(&[code.as_str()]);
        }
        let failure_notes = counter(
            "escalator_failure_notes_total",
            "Incidents that were told of their escalation's death, or could not be, by outcome (told, not_told).",
            &["outcome"],
        )?;
        for outcome in ["told", "not_told"] {
            failure_notes.with_label_values(&[outcome]);
        }
        let duplicate_effects = counter(
            "escalator_duplicate_effects_total",
            "Effects found twice at a vendor. Must stay 0.",
            &["step"],
        )?;
        let unknown_outcomes = counter(
            "escalator_unknown_outcomes_total",
            "Writes whose outcome was not known, by step and by how that was settled (adopted, repeated).",
            &["step", "settled"],
        )?;
        for step in [Step::Session, Step::Media, Step::Note] {
            duplicate_effects.with_label_values(&[step.as_str()]);
            for settled in Settled::ALL {
                unknown_outcomes.with_label_values(&[step.as_str(), settled.as_str()]);
            }
        }
        let single = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let violations = counter(
            "escalator_invariant_violations_total",
            "Times that something was otherwise than it must ever be, by invariant. Must stay 0.",
            &["invariant"],
        )?;
        for invariant in Invariant::ALL {
            violations.with_label_values(&[invariant.as_str()]);
        }
        Ok(Self {
            violations,
            webhooks: counter(
                "escalator_webhooks_total",
                "Webhooks answered, by outcome.",
                &["outcome"],
            )?,
            webhook_seconds: histogram(
                "escalator_webhook_seconds",
                "Time from a webhook's header to its answer.",
                &["outcome"],
                CALL_BUCKETS,
            )?,
            published: counter(
                "escalator_published_total",
                "Messages handed to the broker, by target and outcome (stored, not_sent, refused, unroutable, unknown).",
                &["target", "outcome"],
            )?,
            deliveries: counter(
                "escalator_deliveries_total",
                "Messages taken from the broker, by lane and by whether they had been delivered before.",
                &["lane", "redelivered"],
            )?,
            attempts: counter(
                "escalator_attempts_total",
                "Deliveries worked on, by lane and outcome.",
                &["lane", "outcome"],
            )?,
            steps: histogram(
                "escalator_step_seconds",
                "Time that one step took, by step and outcome.",
                &["step", "outcome"],
                CALL_BUCKETS,
            )?,
            upstream: histogram(
                "escalator_upstream_request_seconds",
                "Time that one request to a vendor took, by vendor, operation and status (or not_sent, no_answer).",
                &["vendor", "operation", "status"],
                CALL_BUCKETS,
            )?,
            accepted_to_note: histogram(
                "escalator_accepted_to_note_seconds",
                "Time from accepting an escalation to its note, by lane.",
                &["lane"],
                NOTE_BUCKETS,
            )?,
            dead_letters,
            letters_kept: counter(
                "escalator_dead_letters_kept_total",
                "Dead letters taken from their queue into the ledger, by code and by what became of them (kept, known, replaced, closed).",
                &["code", "outcome"],
            )?,
            failure_notes,
            unknown_outcomes,
            duplicate_effects,
            possible_orphans: single(
                "escalator_possible_orphans_total",
                "Sessions that may exist at Genesys, attached to nothing and reachable by nobody, since the answer that would have named them was lost.",
            )?,
            takeovers: single(
                "escalator_takeovers_total",
                "Claims on an escalation whose lease before had ended without being given back: its worker crashed, hung, or lost the ledger.",
            )?,
            fenced: counter(
                "escalator_fenced_writes_total",
                "Writes to the ledger that were refused since a newer claim exists, by operation.",
                &["operation"],
            )?,
            ledger: histogram(
                "escalator_ledger_seconds",
                "Time that an operation of the ledger took, commit included, by operation and outcome (ok, fenced, failed).",
                &["operation", "outcome"],
                LEDGER_BUCKETS,
            )?,
            pruned: counter(
                "escalator_pruned_total",
                "What the ledger has forgotten since it was old, by what it was (escalations, conversations, resolutions, links, dead_letters).",
                &["what"],
            )?,
            genesys_contract,
            permit_wait: histogram(
                "escalator_permit_wait_seconds",
                "Time that a request waited for its permit under the pool's budget, by vendor.",
                &["vendor"],
                CALL_BUCKETS,
            )?,
            breaker,
            patience,
            vendors: Mutex::default(),
            in_hand,
            paused,
            registry,
        })
    }

    /// The registry in Prometheus' text format.
    ///
    /// # Errors
    /// Only by a mistake in this file: inconsistent labels.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// Counts one escalation as in hand until the guard is dropped, whatever way the work on it ends.
    #[must_use]
    pub fn take_in_hand(&self) -> InHand {
        self.in_hand.inc();
        InHand(self.in_hand.clone())
    }

    /// Says whether this process takes anything new.
    pub fn paused(&self, paused: bool) {
        self.paused.set(i64::from(paused));
    }

    /// Whether this process takes nothing new.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused.get() > 0
    }

    /// How many escalations are in hand.
    #[must_use]
    pub fn in_hand(&self) -> i64 {
        self.in_hand.get()
    }
}

/// See [`Telemetry::take_in_hand`].
#[derive(Debug)]
pub struct InHand(IntGauge);

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn all_names_are_ours_and_the_text_is_complete() {
        let telemetry = Telemetry::new().unwrap();
        telemetry.webhooks.with_label_values(&["accepted"]).inc();
        let _in_hand = telemetry.take_in_hand();
        let text = telemetry.render().unwrap();
        assert!(text.contains("escalator_webhooks_total{outcome=\"accepted\"} 1"));
        assert!(text.contains("escalator_in_hand 1"));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            assert!(
                line.starts_with("escalator_") || line.starts_with("process_"),
                "{line}"
            );
        }
    }
}
