//! Every metric of the program: its name, what it counts in, its labels, and what it says.
//!
//! A label has few values, and all of them are known here or in an enum: never an id, never a foreign text. What several
//! processes see of one thing (a queue, the ledger) each of them tells, so that none is missed when it is away: take the
//! largest, never the sum. What cannot be seen at the moment is not there; a number that was true once is a lie.

use prometheus::{
    GaugeVec, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Registry, TextEncoder,
};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};

use super::kinds::{ATTEMPTS, CALLS, COMMITS, Kind, Made, Metric, NOTES, QUEUES};
use super::span::Queue;
use super::values;

macro_rules! metrics {
    ($($field:ident: $made:ident, $kind:expr, $name:literal, $unit:literal, [$($label:literal),*], $help:literal;)*) => {
        /// All of them.
        const CATALOGUE: &[Metric] = &[$(Metric {
            name: $name,
            kind: $kind,
            unit: $unit,
            labels: &[$($label),*],
            help: $help,
        }),*];

        /// The handle through which everything is counted and told. One per process, shared by `Arc`.
        #[derive(Debug)]
        pub struct Telemetry {
            registry: Registry,
            pub(super) vendors: Mutex<BTreeMap<&'static str, Option<&'static str>>>,
            /// The ledger did not take what was written to it last.
            pub(super) ledger_refuses: AtomicBool,
            /// Where spans go while they are exported.
            pub(super) exporting: OnceLock<Arc<Queue>>,
            $(pub(super) $field: $made,)*
        }

        impl Telemetry {
            fn registered(registry: Registry) -> Result<Self, prometheus::Error> {
                let mut catalogue = CATALOGUE.iter();
                let mut next = || {
                    catalogue.next().ok_or_else(|| prometheus::Error::Msg("the catalogue is too short".to_owned()))
                };
                Ok(Self {
                    $($field: $made::registered(next()?, &registry)?,)*
                    vendors: Mutex::default(),
                    ledger_refuses: AtomicBool::default(),
                    exporting: OnceLock::new(),
                    registry,
                })
            }
        }
    };
}

metrics! {
    // What runs.
    build: IntGaugeVec, Kind::Gauge, "escalator_build_info", "1", ["version"],
        "Always 1; the label says what is running.";

    // The ingress.
    webhooks: IntCounterVec, Kind::Counter, "escalator_webhooks_total", "webhooks", ["outcome"],
        "Webhooks answered, by outcome (accepted, ignored, filtered, not_understood: genuine, answered 202; no_signature, bad_signature, too_large: refused for good; late, not_stored: 503, PagerDuty sends them again).";
    webhook_seconds: HistogramVec, Kind::Histogram(CALLS), "escalator_webhook_seconds", "seconds", ["outcome"],
        "Time from a webhook's header to its answer, by the same outcome.";
    webhooks_in_flight: IntGaugeVec, Kind::Gauge, "escalator_webhooks_in_flight", "webhooks", [],
        "Webhooks that are being answered at this moment.";
    direct_starts: IntCounterVec, Kind::Counter, "escalator_direct_starts_total", "requests", ["outcome"],
        "Requests to start an escalation without a webhook (POST /escalations), by outcome (accepted, refused, not_stored).";

    // The broker.
    published: IntCounterVec, Kind::Counter, "escalator_published_total", "messages", ["target", "outcome"],
        "Messages handed to the broker, by target (high, normal, later, dead) and outcome (stored, not_sent, refused, unroutable, unknown).";
    publish_seconds: HistogramVec, Kind::Histogram(CALLS), "escalator_publish_seconds", "seconds", ["target"],
        "Time from handing a message over to the broker's confirm, or to giving up on it, by target.";
    broker_up: IntGaugeVec, Kind::Gauge, "escalator_broker_up", "1 or 0", ["connection"],
        "1 while this connection to the broker (consume, publish) can be used; 0 also while the broker's memory or disk alarm stops publishing.";
    broker_connects: IntCounterVec, Kind::Counter, "escalator_broker_connects_total", "connections", ["connection"],
        "Connections to the broker that were made and found everything as it has to be, by use (consume, publish).";
    queue_messages: IntGaugeVec, Kind::Gauge, "escalator_queue_messages", "messages", ["queue"],
        "Messages that wait in a queue (high, normal, dead; delay: all rungs of the ladder), as the broker counts them, without those in hand. Every process tells it: take the largest.";
    queue_consumers: IntGaugeVec, Kind::Gauge, "escalator_queue_consumers", "consumers", ["queue"],
        "Who takes from a queue (high, normal, dead), as the broker counts them. Every process tells it: take the largest.";

    // The pool.
    deliveries: IntCounterVec, Kind::Counter, "escalator_deliveries_total", "messages", ["lane", "redelivered"],
        "Messages taken from the broker, by lane and by whether they had been delivered before.";
    last_delivery: GaugeVec, Kind::Gauge, "escalator_last_delivery_timestamp_seconds", "unix time", ["lane"],
        "When this process last took a message from a lane; until it has, when it began to.";
    slots: IntGaugeVec, Kind::Gauge, "escalator_slots", "escalations", [],
        "How many escalations this process works on at once (worker.concurrency).";
    in_hand: IntGaugeVec, Kind::Gauge, "escalator_in_hand", "escalations", [],
        "Escalations that this process is working on at this moment.";
    paused: IntGaugeVec, Kind::Gauge, "escalator_paused", "1 or 0", [],
        "1 while this process takes nothing new, since an operator has paused the pool.";
    attempts: IntCounterVec, Kind::Counter, "escalator_attempts_total", "attempts", ["lane", "outcome"],
        "Deliveries worked on, by lane and outcome (done, cancelled, dead, later, handed_back, ended_before: somebody had done it, noted: a resolution).";
    attempt_seconds: HistogramVec, Kind::Histogram(ATTEMPTS), "escalator_attempt_seconds", "seconds", ["lane", "outcome"],
        "Time that working on one delivery took, waits in hand included, by lane and outcome.";
    waits: IntCounterVec, Kind::Counter, "escalator_waits_total", "attempts", ["code"],
        "Attempts that could not go on and come again, by code: what the work waits for.";
    steps: HistogramVec, Kind::Histogram(CALLS), "escalator_step_seconds", "seconds", ["step", "outcome"],
        "Time that one step took, by step (context, token, session, media, verify, note) and outcome (ok; later; final: it cannot be done; ledger_away, in_other_hands, interrupted).";
    panics: IntCounterVec, Kind::Counter, "escalator_worker_panics_total", "attempts", [],
        "Attempts that stumbled over themselves: a defect of escalator. The delivery comes again.";

    // The promise.
    accepted_to_claim: HistogramVec, Kind::Histogram(QUEUES), "escalator_accepted_to_claim_seconds", "seconds", ["lane"],
        "Time from accepting an escalation to its first claim by a worker: how long it lay in its queue.";
    accepted_to_note: HistogramVec, Kind::Histogram(NOTES), "escalator_accepted_to_note_seconds", "seconds", ["lane", "waited"],
        "Time from accepting an escalation to its note, by lane and by whether it waited for people on the way (no; agent: nobody was connected to the conversation at first).";
    duplicate_effects: IntCounterVec, Kind::Counter, "escalator_duplicate_effects_total", "effects", ["step"],
        "Effects found twice at a vendor, by step. Must stay 0.";
    violations: IntCounterVec, Kind::Counter, "escalator_invariant_violations_total", "violations", ["invariant"],
        "Times that something was otherwise than it must ever be, by invariant. Must stay 0.";
    unknown_outcomes: IntCounterVec, Kind::Counter, "escalator_unknown_outcomes_total", "writes", ["step", "settled"],
        "Writes whose outcome was not known, by step and by how that was settled (adopted: it had taken effect; repeated: it had not, or nobody can reach what it made).";
    possible_orphans: IntCounterVec, Kind::Counter, "escalator_possible_orphans_total", "sessions", [],
        "Sessions that may exist at Genesys, attached to nothing and reachable by nobody, since the answer that would have named them was lost.";
    takeovers: IntCounterVec, Kind::Counter, "escalator_takeovers_total", "claims", [],
        "Claims on an escalation whose lease before had ended without being given back: its worker crashed, hung, or lost the ledger.";
    fenced: IntCounterVec, Kind::Counter, "escalator_fenced_writes_total", "writes", ["operation"],
        "Writes to the ledger that were refused since a newer claim exists, by operation.";

    // The vendors.
    upstream: HistogramVec, Kind::Histogram(CALLS), "escalator_upstream_request_seconds", "seconds", ["vendor", "operation", "status"],
        "Time that one request to a vendor (genesys, pagerduty) took, by operation and HTTP status (or not_sent, no_answer).";
    throttled: IntCounterVec, Kind::Counter, "escalator_throttled_total", "answers", ["vendor"],
        "Answers 429 of a vendor: it found that we ask too often.";
    breaker: IntGaugeVec, Kind::Gauge, "escalator_vendor_shut", "1 or 0", ["vendor", "trouble"],
        "1 while this process asks a vendor nothing but a probe now and then, by vendor and by what is wrong (outage, credential).";
    patience: GaugeVec, Kind::Gauge, "escalator_vendor_patience_until_timestamp_seconds", "unix time", ["vendor"],
        "Until when this vendor has asked to be left alone, as this process heard it; in the past or 0: it may be asked.";
    budget_limit: IntGaugeVec, Kind::Gauge, "escalator_budget_limit", "requests per minute", ["vendor"],
        "How many requests a minute all workers together may send to a vendor with this credential (the setting).";
    budget_used: IntGaugeVec, Kind::Gauge, "escalator_budget_used", "requests", ["vendor"],
        "How many of them are used or handed out at this moment, over all workers, from the ledger. Every worker tells it: take the largest.";
    permits_waiting: IntGaugeVec, Kind::Gauge, "escalator_permits_waiting", "requests", ["vendor"],
        "Requests of this process that wait for a permit at this moment.";
    permit_wait: HistogramVec, Kind::Histogram(CALLS), "escalator_permit_wait_seconds", "seconds", ["vendor"],
        "Time that a request waited for its permit under the pool's budget, by vendor.";
    genesys_contract: IntGaugeVec, Kind::Gauge, "escalator_genesys_contract", "1 or 0", ["contract"],
        "1 for the cobrowse contract that Genesys speaks, as far as this process knows; 0 for all: not decided yet.";

    // The ledger.
    ledger_up: IntGaugeVec, Kind::Gauge, "escalator_ledger_up", "1 or 0", [],
        "1 while the ledger takes what this process writes: that it is there, every two seconds.";
    ledger: HistogramVec, Kind::Histogram(COMMITS), "escalator_ledger_seconds", "seconds", ["operation", "outcome"],
        "Time that an operation of the ledger took, commit included, by operation and outcome (ok, fenced, failed).";
    open: IntGaugeVec, Kind::Gauge, "escalator_open", "escalations", ["waits_for"],
        "Escalations in the ledger that have not ended, by whether they wait for an agent to connect (agent) or for nobody (nobody). Every worker tells it: take the largest.";
    oldest_open: GaugeVec, Kind::Gauge, "escalator_oldest_open_seconds", "seconds", ["waits_for"],
        "Age of the oldest of them, since it was accepted; 0 where there is none. Every worker tells it: take the largest.";
    ledger_escalations: IntGaugeVec, Kind::Gauge, "escalator_ledger_escalations", "escalations", ["state"],
        "Escalations in the ledger by state (open, done, cancelled, dead), once a minute. Every worker tells it: take the largest.";
    ledger_bytes: IntGaugeVec, Kind::Gauge, "escalator_ledger_bytes", "bytes", [],
        "How much the ledger takes on disk, once a minute. Every worker tells it: take the largest.";
    pruned: IntCounterVec, Kind::Counter, "escalator_pruned_total", "rows", ["what"],
        "What the ledger has forgotten since it was old, by what it was (escalations, conversations, resolutions, links, dead_letters).";

    // Traces.
    otlp_spans: IntCounterVec, Kind::Counter, "escalator_otlp_spans_total", "spans", ["outcome"],
        "Spans that the OTLP collector took, or that were dropped: no room, refused, or not taken in time, by outcome (sent, dropped). Only while they are exported.";

    // Dead letters.
    dead_letters: IntCounterVec, Kind::Counter, "escalator_dead_letters_total", "dead letters", ["code", "cause"],
        "Dead letters written, by code and by where its cause is (case: the conversation or the incident was such; set_up: a credential, a permission, an address; vendor; ours).";
    letters_kept: IntCounterVec, Kind::Counter, "escalator_dead_letters_kept_total", "dead letters", ["code", "outcome"],
        "Dead letters taken from their queue into the ledger, by code and by what became of them (kept, known, replaced, closed).";
    letters_open: IntGaugeVec, Kind::Gauge, "escalator_dead_letters_open", "dead letters", ["code"],
        "Dead letters in the ledger that nobody has closed, by code. Every worker tells it: take the largest.";
    failure_notes: IntCounterVec, Kind::Counter, "escalator_failure_notes_total", "incidents", ["outcome"],
        "Incidents that were told of their escalation's death, or could not be, by outcome (told, not_told).";
    replays_open: IntGaugeVec, Kind::Gauge, "escalator_replays_open", "replays", ["driven"],
        "Replays that are not over, by whether somebody drives them (true, false). Every worker tells it: take the largest.";
    replay_entries: IntGaugeVec, Kind::Gauge, "escalator_replay_entries_open", "dead letters", ["stage"],
        "Dead letters in these replays that are not over, by stage (marked: nothing has happened yet; staged: begun). Every worker tells it: take the largest.";
}

impl Telemetry {
    /// Registers everything.
    ///
    /// # Errors
    /// Only by a mistake in this file: a malformed or doubled name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let telemetry = Self::registered(Registry::new())?;
        #[cfg(target_os = "linux")]
        telemetry.registry.register(Box::new(
            prometheus::process_collector::ProcessCollector::for_self(),
        ))?;
        values::show_from_the_start(&telemetry);
        Ok(telemetry)
    }

    /// What there is to see, with names, units, labels and help.
    #[must_use]
    pub fn catalogue() -> &'static [Metric] {
        CATALOGUE
    }

    /// Shows what is counted only while spans are exported.
    pub(super) fn exported_spans(&self) -> ExportedSpans {
        ExportedSpans {
            sent: self.otlp_spans.with_label_values(&["sent"]),
            dropped: self.otlp_spans.with_label_values(&["dropped"]),
        }
    }

    /// The registry in Prometheus' text format.
    ///
    /// # Errors
    /// Only by a mistake in this file: inconsistent labels.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// What became of spans.
#[derive(Debug, Clone)]
pub(super) struct ExportedSpans {
    sent: IntCounter,
    dropped: IntCounter,
}

impl ExportedSpans {
    pub(super) fn sent(&self, spans: u64) {
        self.sent.inc_by(spans);
    }

    pub(super) fn dropped(&self, spans: u64) {
        self.dropped.inc_by(spans);
    }

    pub(super) fn all_dropped(&self) -> u64 {
        self.dropped.get()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

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

    #[test]
    fn a_name_says_what_it_is_as_is_the_custom() {
        let mut names = BTreeSet::new();
        for metric in CATALOGUE {
            let (name, kind) = (metric.name, metric.kind);
            assert!(names.insert(name), "{name} is there twice");
            assert!(name.starts_with("escalator_"), "{name}");
            assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
            let times = ["seconds", "unix time"].contains(&metric.unit);
            assert_eq!(name.ends_with("_seconds"), times, "{name}");
            assert_eq!(name.ends_with("_bytes"), metric.unit == "bytes", "{name}");
            assert!(metric.help.ends_with('.'), "{name}");
            assert!(metric.labels.len() <= 3, "{name}");
        }
    }

    /// An alert on a counter's increase does not see the event that makes it appear.
    #[test]
    fn every_counter_that_an_alert_may_watch_is_there_from_the_start() {
        let telemetry = Telemetry::new().unwrap();
        telemetry.ingress_begins();
        let text = telemetry.render().unwrap();
        // Only while spans are exported.
        let later = ["escalator_otlp_spans_total"];
        for metric in CATALOGUE {
            if metric.kind == Kind::Counter && !later.contains(&metric.name) {
                assert!(
                    text.contains(&format!("\n{}", metric.name)),
                    "{}",
                    metric.name
                );
            }
        }
    }
}
