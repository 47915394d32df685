//! What a metric is, and how one of each kind is made and registered.

use super::metrics::Telemetry;
use prometheus::core::Collector;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry,
};

/// Seconds, from a fast local answer to the longest call that is allowed.
pub(super) const CALLS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Seconds, from a commit that shares a flush with others to a database that is hardly there.
pub(super) const COMMITS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
];
/// Seconds, from the promise ("within a second") to a day of outage. The objective's 15 s is one of them.
pub(super) const NOTES: &[f64] = &[
    0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0,
];
/// Seconds, from an empty queue to a backlog of hours.
pub(super) const QUEUES: &[f64] = &[
    0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0,
];
/// Seconds, from an attempt that finds its work done to one that waited in hand at every step.
pub(super) const ATTEMPTS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
];

/// One metric, as the catalogue has it.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name, which begins with `escalator_`.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it counts or measures.
    pub unit: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says, with the values of its labels.
    pub help: &'static str,
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows, until the process ends.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram(&'static [f64]),
}

impl Kind {
    /// As Prometheus calls it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// A type of the library's that a metric can be.
pub(super) trait Made: Collector + Clone + Sized + 'static {
    fn make(metric: &Metric) -> prometheus::Result<Self>;

    fn registered(metric: &Metric, registry: &Registry) -> prometheus::Result<Self> {
        let made = Self::make(metric)?;
        registry.register(Box::new(made.clone()))?;
        Ok(made)
    }
}

impl Made for IntCounterVec {
    fn make(metric: &Metric) -> prometheus::Result<Self> {
        let counter = Self::new(Opts::new(metric.name, metric.help), metric.labels)?;
        if metric.labels.is_empty() {
            // A counter that appears with its first event hides that event from every alert on its increase.
            counter.with_label_values::<&str>(&[]);
        }
        Ok(counter)
    }
}

impl Made for IntGaugeVec {
    fn make(metric: &Metric) -> prometheus::Result<Self> {
        Self::new(Opts::new(metric.name, metric.help), metric.labels)
    }
}

impl Made for GaugeVec {
    fn make(metric: &Metric) -> prometheus::Result<Self> {
        Self::new(Opts::new(metric.name, metric.help), metric.labels)
    }
}

impl Made for HistogramVec {
    fn make(metric: &Metric) -> prometheus::Result<Self> {
        let opts = HistogramOpts::new(metric.name, metric.help);
        let opts = match metric.kind {
            Kind::Histogram(buckets) => opts.buckets(buckets.to_vec()),
            Kind::Counter | Kind::Gauge => opts,
        };
        let histogram = Self::new(opts, metric.labels)?;
        if metric.labels.is_empty() {
            histogram.with_label_values::<&str>(&[]);
        }
        Ok(histogram)
    }
}

/// All metrics as a Markdown table, for the runbook.
#[must_use]
pub fn metrics_as_markdown() -> String {
    let mut table = String::from(
        "| metric | kind | counts in | labels | what it says |\n| --- | --- | --- | --- | --- |\n",
    );
    for metric in Telemetry::catalogue() {
        let labels: Vec<_> = metric
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let labels = match labels.is_empty() {
            true => "—".to_owned(),
            false => labels.join(", "),
        };
        table.push_str(&format!(
            "| `{}` | {} | {} | {labels} | {} |\n",
            metric.name,
            metric.kind.as_str(),
            metric.unit,
            metric.help
        ));
    }
    table
}
