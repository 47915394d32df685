//! What Prometheus says.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

/// About as many points as a panel has pixels to show.
const POINTS: i64 = 160;
/// Four scrapes at the 15 s that Grafana takes for granted: the shortest time over which it asks for a rate.
const SHORTEST_RATE_SECONDS: i64 = 60;
const PATIENCE: Duration = Duration::from_secs(30);

/// One line: its name, its labels as Prometheus knows them, and its values, of which those that are no number are left out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) labels: Value,
    /// Seconds since 1970, and the value.
    pub(super) points: Vec<(f64, f64)>,
}

impl Series {
    pub(super) fn last(&self) -> Option<f64> {
        self.points.last().map(|(_, value)| *value)
    }
}

/// A Prometheus, and the time about which it is asked.
pub(super) struct Prometheus {
    base: String,
    client: reqwest::Client,
    from: i64,
    to: i64,
}

impl Prometheus {
    pub(super) fn new(base: &str, from: Timestamp, to: Timestamp) -> Self {
        assert!(from < to, "from {from} to {to}");
        // reqwest wants one even for plain HTTP; whoever was first has set it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            base: base.trim_end_matches('/').to_owned(),
            client: reqwest::Client::new(),
            from: from.as_second(),
            to: to.as_second(),
        }
    }

    pub(super) fn step(&self) -> i64 {
        ((self.to - self.from) / POINTS).max(1)
    }

    /// The answers to all queries of a panel, one after the other.
    pub(super) async fn answers(&self, panel: &Value) -> Vec<Series> {
        let mut all = Vec::new();
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            let legend = target["legendFormat"].as_str().unwrap();
            all.extend(self.answer(query, legend).await);
        }
        all
    }

    pub(super) async fn answer(&self, query: &str, legend: &str) -> Vec<Series> {
        let query = self.filled_in(query);
        let parameters = [
            ("query", query.clone()),
            ("start", self.from.to_string()),
            ("end", self.to.to_string()),
            ("step", self.step().to_string()),
        ];
        let asked = self
            .client
            .get(format!("{}/api/v1/query_range", self.base))
            .query(&parameters)
            .timeout(PATIENCE)
            .send()
            .await;
        let answer: Value = asked.unwrap().json().await.unwrap();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let results = answer["data"]["result"].as_array().unwrap();
        results
            .iter()
            .map(|result| series(result, legend))
            .collect()
    }

    /// All processes and both lanes.
    fn filled_in(&self, query: &str) -> String {
        let rate = SHORTEST_RATE_SECONDS.max(4 * self.step());
        let filled = query
            .replace("$__rate_interval", &format!("{rate}s"))
            .replace("$__range", &format!("{}s", self.to - self.from))
            .replace("$instance", ".*")
            .replace("$lane", ".*");
        assert!(!filled.contains('$'), "a variable is left: {filled}");
        filled
    }
}

fn series(result: &Value, legend: &str) -> Series {
    let labels = result["metric"].clone();
    let values = result["values"].as_array().unwrap().iter();
    let points = values.filter_map(|pair| {
        let value: f64 = pair[1].as_str().unwrap().parse().unwrap();
        value
            .is_finite()
            .then_some((pair[0].as_f64().unwrap(), value))
    });
    Series {
        name: named(legend, &labels),
        points: points.collect(),
        labels,
    }
}

/// `{{code}} ({{cause}})`, filled in.
fn named(legend: &str, labels: &Value) -> String {
    let mut parts = legend.split("{{");
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (label, rest) = part.split_once("}}").unwrap();
        name.push_str(labels[label.trim()].as_str().unwrap_or_default());
        name.push_str(rest);
    }
    name
}
