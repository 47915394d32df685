//! What a Prometheus has recorded, continued, and asked of `promtool`.
//!
//! A rule that looks at a day cannot be waited for. So the series of a run are taken as they are, and go on as they did in their last
//! minute: what grew in it grows on at the same rate, what went up and down does so again. `promtool` then evaluates the rules over
//! all of it, as Prometheus would have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::json;
use tokio::process::Command;

use crate::support::prometheus::Prometheus;

/// The span that is repeated.
const TILE: Duration = Duration::from_secs(60);

/// One series, a value a step; `None`: it was not there.
pub(crate) struct Recorded {
    labels: BTreeMap<String, String>,
    values: Vec<Option<f64>>,
    step: Duration,
}

/// All that the rules ask for, between two moments.
pub(crate) async fn of(
    prometheus: &Prometheus,
    from: SystemTime,
    to: SystemTime,
    step: Duration,
) -> Vec<Recorded> {
    let steps = to.duration_since(from).unwrap().as_secs() / step.as_secs();
    let mut all = Vec::new();
    for name in asked_for() {
        // Without what Prometheus fills in behind the end of a series.
        let selector = format!(
            "last_over_time({{__name__=\"{name}\"}}[{}s])",
            step.as_secs().max(15)
        );
        let found = prometheus.query_range(&selector, from, to, step).await;
        for mut series in found.unwrap() {
            let start = from
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap()
                .as_secs_f64();
            let mut values = vec![None; usize::try_from(steps + 1).unwrap()];
            for (at, value) in series.points {
                let index = ((at - start) / step.as_secs_f64()).round();
                // For `promtool`, time begins with the series.
                let since = if is_a_moment(&name) && value > 0.0 {
                    start
                } else {
                    0.0
                };
                if let Some(slot) = values.get_mut(index as usize) {
                    *slot = Some(value - since);
                }
            }
            series.labels.insert("__name__".to_owned(), name.clone());
            all.push(Recorded {
                labels: series.labels,
                values,
                step,
            });
        }
    }
    assert!(all.len() > 100, "{} series were recorded", all.len());
    all
}

/// The names of what is scraped that stand in the rules.
fn asked_for() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/rules");
    let mut names = BTreeSet::new();
    for file in ["recording.yml", "alerts.yml"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
        let scraped = words.filter(|word| {
            word.starts_with("escalator_") || word.starts_with("process_") || *word == "up"
        });
        names.extend(scraped.map(str::to_owned));
    }
    names
}

/// Lets them go on for so long.
pub(crate) fn go_on(mut series: Vec<Recorded>, on: Duration) -> Vec<Recorded> {
    for one in &mut series {
        let tile = usize::try_from((TILE.as_secs() / one.step.as_secs()).max(1)).unwrap();
        let more = usize::try_from(on.as_secs() / one.step.as_secs()).unwrap();
        let last: Vec<_> = one.values[one.values.len() - tile - 1..].to_vec();
        let mut grows = grows(&last);
        if grows > 0.0 && is_a_moment(&one.labels["__name__"]) {
            // A moment goes along with time, however far apart the last two of them happened to be.
            grows = tile as f64 * one.step.as_secs_f64();
        }
        for number in 0..more {
            let (round, place) = (number / tile + 1, number % tile + 1);
            let value = last[place].map(|value| value + grows * round as f64);
            one.values.push(value);
        }
    }
    series
}

/// Seconds since 1970.
fn is_a_moment(name: &str) -> bool {
    name.ends_with("_timestamp_seconds") || name == "process_start_time_seconds"
}

/// By how much it grew in its last tile, if it only ever grew.
fn grows(tile: &[Option<f64>]) -> f64 {
    let there: Option<Vec<f64>> = tile.iter().copied().collect();
    match there.as_deref() {
        Some(there @ [first, .., last]) if there.is_sorted() => last - first,
        _ => 0.0,
    }
}

/// Whether these alerts fire at the end, and no others.
pub(crate) async fn fires_at_the_end(
    what: &str,
    series: &[Recorded],
    expected: &[&str],
) -> Result<(), String> {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/rules");
    let step = series[0].step;
    let seconds = step.as_secs() * u64::try_from(series[0].values.len() - 1).unwrap();
    let input: Vec<_> = series
        .iter()
        .map(|one| json!({"series": notation(&one.labels), "values": values(&one.values)}))
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|name| json!({"labels": format!("{{alertname=\"{name}\"}}"), "value": 1}))
        .collect();
    // YAML is a superset of it.
    let test = json!({
        "rule_files": [rules.join("recording.yml"), rules.join("alerts.yml")],
        "evaluation_interval": "15s",
        "group_eval_order": ["escalator_slo", "escalator_slo_days", "escalator_golden", "escalator_alerts"],
        "tests": [{
            "name": what,
            "interval": format!("{}s", step.as_secs()),
            "input_series": input,
            "promql_expr_test": [{
                "expr": "group by (alertname) (ALERTS{alertstate=\"firing\"})",
                "eval_time": format!("{seconds}s"),
                "exp_samples": expected,
            }],
        }],
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recorded.yml");
    std::fs::write(&path, test.to_string()).unwrap();
    let output = Command::new("promtool")
        .args(["test", "rules"])
        .arg(&path)
        .output()
        .await
        .unwrap();
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{what}, if it goes on like that:\n{said}"))
}

fn notation(labels: &BTreeMap<String, String>) -> String {
    let pairs = labels.iter().filter(|(label, _)| *label != "__name__");
    let pairs: Vec<_> = pairs
        .map(|(label, value)| format!("{label}={value:?}"))
        .collect();
    format!("{}{{{}}}", labels["__name__"], pairs.join(","))
}

fn values(values: &[Option<f64>]) -> String {
    let words: Vec<_> = values
        .iter()
        .map(|value| value.map_or_else(|| "_".to_owned(), |value| value.to_string()))
        .collect();
    words.join(" ")
}
