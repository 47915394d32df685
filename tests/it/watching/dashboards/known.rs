//! What there is to ask for.

use std::path::Path;

use escalator::telemetry::{self, Telemetry};

use crate::watching::promql::{self, Kind, Known};
use crate::watching::rules::{self, Rule};

use Kind::{Counter, Gauge};

type Metric = (&'static str, Kind, &'static [&'static str]);

/// What the client library tells of its process, beside the catalogue.
const PROCESS: &[Metric] = &[
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

const RECORDING_RULES: &str = "deploy/prometheus/rules/recording.yml";

/// Everything that a query may name.
pub(crate) fn known_metrics() -> Known {
    let mut known = Known::default();
    for (name, kind, labels) in PROCESS.iter().chain(RABBITMQ) {
        known.scraped(name, *kind, labels.iter().copied());
    }
    for metric in Telemetry::catalogue() {
        let kind = match metric.kind {
            telemetry::Kind::Counter => Counter,
            telemetry::Kind::Gauge => Gauge,
            telemetry::Kind::Histogram(_) => Kind::Histogram,
        };
        known.scraped(metric.name, kind, metric.labels.iter().copied());
    }
    known.scraped("up", Gauge, []);
    known.made("ALERTS", ["alertname", "alertstate", "severity"]);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(RECORDING_RULES);
    add_rules(&mut known, &std::fs::read_to_string(path).unwrap());
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
