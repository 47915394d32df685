//! What there is to ask for.

use std::path::Path;

use crate::watching::promql::{self, Kind, Known};
use crate::watching::rules::{self, Rule};

use Kind::{Counter, Gauge, Histogram};

type Metric = (&'static str, Kind, &'static [&'static str]);

/// Our own metrics.
// TO BE REPLACED by `escalator::telemetry::catalogue()`, which is being made: this list is what it will hold.
const OURS: &[Metric] = &[
    ("escalator_webhooks_total", Counter, &["outcome"]),
    ("escalator_webhook_seconds", Histogram, &["outcome"]),
    ("escalator_webhooks_in_flight", Gauge, &[]),
    ("escalator_published_total", Counter, &["target", "outcome"]),
    ("escalator_publish_seconds", Histogram, &["target"]),
    (
        "escalator_deliveries_total",
        Counter,
        &["lane", "redelivered"],
    ),
    ("escalator_attempts_total", Counter, &["lane", "outcome"]),
    ("escalator_attempt_seconds", Histogram, &["lane", "outcome"]),
    ("escalator_accepted_to_claim_seconds", Histogram, &["lane"]),
    (
        "escalator_accepted_to_note_seconds",
        Histogram,
        &["lane", "waited"],
    ),
    ("escalator_waits_total", Counter, &["code"]),
    ("escalator_step_seconds", Histogram, &["step", "outcome"]),
    (
        "escalator_upstream_request_seconds",
        Histogram,
        &["vendor", "operation", "status"],
    ),
    ("escalator_dead_letters_total", Counter, &["code", "cause"]),
    (
        "escalator_dead_letters_kept_total",
        Counter,
        &["code", "outcome"],
    ),
    ("escalator_dead_letters_open", Gauge, &["code"]),
    ("escalator_failure_notes_total", Counter, &["outcome"]),
    (
        "escalator_unknown_outcomes_total",
        Counter,
        &["step", "settled"],
    ),
    ("escalator_duplicate_effects_total", Counter, &["step"]),
    ("escalator_possible_orphans_total", Counter, &[]),
    ("escalator_takeovers_total", Counter, &[]),
    (
        "escalator_invariant_violations_total",
        Counter,
        &["invariant"],
    ),
    ("escalator_fenced_writes_total", Counter, &["operation"]),
    (
        "escalator_ledger_seconds",
        Histogram,
        &["operation", "outcome"],
    ),
    ("escalator_ledger_up", Gauge, &[]),
    ("escalator_ledger_bytes", Gauge, &[]),
    ("escalator_ledger_escalations", Gauge, &["state"]),
    ("escalator_pruned_total", Counter, &["what"]),
    ("escalator_genesys_contract", Gauge, &["contract"]),
    ("escalator_permit_wait_seconds", Histogram, &["vendor"]),
    ("escalator_permits_waiting", Gauge, &["vendor"]),
    ("escalator_budget_limit", Gauge, &["vendor"]),
    ("escalator_budget_used", Gauge, &["vendor"]),
    ("escalator_vendor_shut", Gauge, &["vendor", "trouble"]),
    (
        "escalator_vendor_patience_until_timestamp_seconds",
        Gauge,
        &["vendor"],
    ),
    ("escalator_in_hand", Gauge, &[]),
    ("escalator_slots", Gauge, &[]),
    ("escalator_paused", Gauge, &[]),
    ("escalator_worker_panics_total", Counter, &[]),
    (
        "escalator_last_delivery_timestamp_seconds",
        Gauge,
        &["lane"],
    ),
    ("escalator_broker_up", Gauge, &["connection"]),
    ("escalator_broker_connects_total", Counter, &["connection"]),
    ("escalator_queue_messages", Gauge, &["queue"]),
    ("escalator_queue_consumers", Gauge, &["queue"]),
    ("escalator_open", Gauge, &["waits_for"]),
    ("escalator_oldest_open_seconds", Gauge, &["waits_for"]),
    ("escalator_replays_open", Gauge, &["driven"]),
    ("escalator_replay_entries_open", Gauge, &["stage"]),
    ("escalator_otlp_spans_total", Counter, &["outcome"]),
    ("escalator_build_info", Gauge, &["version"]),
    ("process_cpu_seconds_total", Counter, &[]),
    ("process_max_fds", Gauge, &[]),
    ("process_open_fds", Gauge, &[]),
    ("process_resident_memory_bytes", Gauge, &[]),
    ("process_start_time_seconds", Gauge, &[]),
    ("process_threads", Gauge, &[]),
    ("process_virtual_memory_bytes", Gauge, &[]),
];

/// RabbitMQ's, of those that are asked for: as its plug-in `rabbitmq_prometheus` 3.10.8 shows them on `/metrics`, added up for
/// each node.
const RABBITMQ: &[Metric] = &[
    ("rabbitmq_alarms_file_descriptor_limit", Gauge, &[]),
    ("rabbitmq_alarms_free_disk_space_watermark", Gauge, &[]),
    ("rabbitmq_alarms_memory_used_watermark", Gauge, &[]),
    ("rabbitmq_channels", Gauge, &[]),
    ("rabbitmq_connections", Gauge, &[]),
    ("rabbitmq_connections_closed_total", Counter, &[]),
    ("rabbitmq_connections_opened_total", Counter, &[]),
    ("rabbitmq_consumers", Gauge, &[]),
    ("rabbitmq_disk_space_available_bytes", Gauge, &[]),
    ("rabbitmq_disk_space_available_limit_bytes", Gauge, &[]),
    (
        "rabbitmq_global_messages_acknowledged_total",
        Counter,
        &["protocol", "queue_type"],
    ),
    (
        "rabbitmq_global_messages_dead_lettered_delivery_limit_total",
        Counter,
        &["queue_type", "dead_letter_strategy"],
    ),
    (
        "rabbitmq_global_messages_dead_lettered_expired_total",
        Counter,
        &["queue_type", "dead_letter_strategy"],
    ),
    (
        "rabbitmq_global_messages_delivered_total",
        Counter,
        &["protocol", "queue_type"],
    ),
    (
        "rabbitmq_global_messages_received_total",
        Counter,
        &["protocol"],
    ),
    (
        "rabbitmq_global_messages_redelivered_total",
        Counter,
        &["protocol", "queue_type"],
    ),
    (
        "rabbitmq_global_messages_unroutable_dropped_total",
        Counter,
        &["protocol"],
    ),
    (
        "rabbitmq_global_messages_unroutable_returned_total",
        Counter,
        &["protocol"],
    ),
    ("rabbitmq_process_resident_memory_bytes", Gauge, &[]),
    ("rabbitmq_queue_messages_ready", Gauge, &[]),
    ("rabbitmq_queue_messages_unacked", Gauge, &[]),
    ("rabbitmq_resident_memory_limit_bytes", Gauge, &[]),
];

/// Until there are any rules to read.
// TO BE REPLACED, together with the branch that uses it, once deploy/prometheus/rules/recording.yml is there.
const RULES: &[(&str, &[&str])] = &[
    ("escalator:slo_bad:ratio_rate5m", &[]),
    ("escalator:slo_bad:ratio_rate30m", &[]),
    ("escalator:slo_bad:ratio_rate1h", &[]),
    ("escalator:slo_bad:ratio_rate2h", &[]),
    ("escalator:slo_bad:ratio_rate6h", &[]),
    ("escalator:slo_bad:ratio_rate1d", &[]),
    ("escalator:slo_bad:ratio_rate3d", &[]),
];

const RECORDING_RULES: &str = "deploy/prometheus/rules/recording.yml";

/// Everything that a query may name.
pub(crate) fn known_metrics() -> Known {
    let mut known = Known::default();
    for (name, kind, labels) in OURS.iter().chain(RABBITMQ) {
        known.scraped(name, *kind, labels.iter().copied());
    }
    known.scraped("up", Gauge, []);
    known.made("ALERTS", ["alertname", "alertstate", "severity"]);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(RECORDING_RULES);
    match std::fs::read_to_string(path) {
        Ok(rules) => add_rules(&mut known, &rules),
        Err(_) => {
            for (name, labels) in RULES {
                known.made(name, labels.iter().copied());
            }
        }
    }
    known
}

/// Each rule with the labels that its query gives it; a rule may use those above it.
fn add_rules(known: &mut Known, text: &str) {
    for Rule { name, query, .. } in rules::read(text) {
        let reading = promql::read(&query, known)
            .unwrap_or_else(|error| panic!("{RECORDING_RULES}: {name}: {error}\n{query}"));
        known.made(&name, reading.labels.iter().map(String::as_str));
    }
}
