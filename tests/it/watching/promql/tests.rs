use super::{Kind, Known, filled_in, read, set};

fn known() -> Known {
    let mut known = Known::default();
    known.scraped("jobs_total", Kind::Counter, ["lane", "outcome"]);
    known.scraped("job_seconds", Kind::Histogram, ["lane"]);
    known.scraped("in_hand", Kind::Gauge, []);
    known.scraped("slots", Kind::Gauge, []);
    known.made("ours:jobs:rate5m", ["lane"]);
    known
}

fn labels(query: &str) -> Vec<String> {
    let reading = read(query, &known()).unwrap_or_else(|error| panic!("{query}: {error}"));
    reading.labels.into_iter().collect()
}

fn refused(query: &str, because: &str) {
    let error = read(query, &known()).expect_err(query);
    assert!(error.contains(because), "{query}: {error}");
}

#[test]
fn an_answer_has_the_labels_that_the_query_leaves() {
    assert_eq!(labels("in_hand"), ["instance", "job"]);
    assert_eq!(labels("sum(in_hand)"), [""; 0]);
    assert_eq!(labels("sum by (lane) (rate(jobs_total[5m]))"), ["lane"]);
    assert_eq!(
        labels("sum without (instance, job) (increase(jobs_total{outcome!=\"done\"}[1h]))"),
        ["lane", "outcome"]
    );
    assert_eq!(
        labels("topk(3, ours:jobs:rate5m)"),
        ["lane"],
        "topk picks, it does not sum up"
    );
    assert_eq!(
        labels("histogram_quantile(0.95, sum by (le, lane) (rate(job_seconds_bucket[5m])))"),
        ["lane"]
    );
    assert_eq!(labels("time() - in_hand"), ["instance", "job"]);
    assert_eq!(labels("clamp_min(sum(in_hand) - 3, 0)"), [""; 0]);
    assert_eq!(labels("absent(in_hand{job=\"x\"})"), ["job"]);
    assert_eq!(labels("count_values(\"v\", in_hand)"), ["v"]);
    assert_eq!(
        labels("max_over_time(sum by (lane) (rate(jobs_total[5m]))[1h:1m])"),
        ["lane"]
    );
    assert_eq!(
        labels("sum by (lane) (ours:jobs:rate5m) or vector(0)"),
        ["lane"]
    );
    assert_eq!(
        labels("ours:jobs:rate5m / on () group_left () sum(slots)"),
        ["lane"]
    );
    assert_eq!(
        labels("rate(jobs_total[5m]) * on (instance) group_left () in_hand"),
        ["instance", "job", "lane", "outcome"]
    );
    assert_eq!(
        labels("label_replace(in_hand, \"host\", \"$1\", \"instance\", \"(.*):.*\")"),
        ["host", "instance", "job"]
    );
}

#[test]
fn what_is_not_there_is_found() {
    refused("sum(rate(job_total[5m]))", "no metric job_total");
    refused("job_seconds", "no metric job_seconds");
    refused("jobs_total{line=\"high\"}", "no label line");
    refused("in_hand and jobs_total{line=\"high\"}", "no label line");
    refused("sum by (line) (rate(jobs_total[5m]))", "no label line");
    refused(
        "sum by (lane) (sum by (outcome) (rate(jobs_total[5m])))",
        "no label lane",
    );
    refused("ours:jobs:rate5m{instance=\"a\"}", "no label instance");
    refused("{lane=\"high\"}", "no metric");
    refused("{__name__=~\"nothing_.+\"}", "no metric");
    refused("rate({__name__=~\"jobs_total|slots\"}[5m])", "no Counter");
}

#[test]
fn what_would_be_answered_with_silence_is_found() {
    refused("rate(in_hand[5m])", "no Counter");
    refused("deriv(jobs_total[5m])", "no Gauge");
    refused(
        "histogram_quantile(0.5, sum by (lane) (rate(job_seconds_bucket[5m])))",
        "without le",
    );
    refused("sum(in_hand) / slots", "can never match");
    refused(
        "sum by (lane) (rate(jobs_total[5m])) / sum(rate(jobs_total[5m]))",
        "can never match",
    );
    refused("in_hand unless on (lane) slots", "no label lane");
}

#[test]
fn what_prometheus_refuses_is_refused() {
    refused("sum(in_hand", "");
    refused("rate(jobs_total)", "expected type matrix");
    refused("nonsense(in_hand)", "");
}

#[test]
fn a_reading_names_every_metric() {
    let reading = read("sum(in_hand) / sum(slots) > bool 0.5", &known()).unwrap();
    assert_eq!(reading.metrics, set(["in_hand", "slots"]));
    let reading = read("max({__name__=~\"in_.+|slots\"})", &known()).unwrap();
    assert_eq!(reading.metrics, set(["in_hand", "slots"]));
}

#[test]
fn variables_are_filled_in_as_grafana_does() {
    let variables = [("lane", "high|normal"), ("__rate_interval", "1m")];
    assert_eq!(
        filled_in("a{lane=~\"$lane\"}[$__rate_interval]", &variables).unwrap(),
        "a{lane=~\"high|normal\"}[1m]"
    );
    assert_eq!(
        filled_in("${lane} ${lane:regex}", &variables).unwrap(),
        "high|normal high|normal"
    );
    let error = filled_in("a{lane=\"$line\"}", &variables).unwrap_err();
    assert!(error.contains("no variable $line"), "{error}");
    assert!(filled_in("${lane", &variables).is_err());
}
