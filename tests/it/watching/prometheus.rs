//! Scraping, and the Prometheus that the other tests here rest on.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime};

use escalator::simulator::Operation;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::support::node::Node;
use crate::support::program::Program;
use crate::support::prometheus::{Options, Prometheus, State, Target};
use crate::support::world::{World, assert_once};

/// What the program calls an operation, and what the simulator does.
const OPERATIONS: &[(&str, Operation)] = &[
    ("token", Operation::GenesysToken),
    ("read_conversation", Operation::GenesysConversation),
    ("create_session", Operation::GenesysCreateSession),
    ("attach_media", Operation::GenesysAttachMedia),
    ("read_alerts", Operation::PagerdutyAlerts),
    ("write_note", Operation::PagerdutyCreateNote),
];

/// Waits until the worker has told so many attempts with this outcome. On a busy machine there may be others.
async fn told(worker: &Program, outcome: &str, count: usize) {
    let enough = |_: &Value| {
        let attempts = worker.events("escalation.attempt").into_iter();
        attempts.filter(|one| one["outcome"] == outcome).count() >= count
    };
    worker.logged("escalation.attempt", enough).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_scraped_agrees_with_what_the_vendors_saw() {
    let world = World::new().await;
    let ingress = world.start("ingress", &[]).await;
    let worker = world.start("worker", &[]).await;
    let broker = Target::broker();
    let targets: Vec<_> = [
        Target::of(&ingress).named("ingress"),
        Target::of(&worker).named("worker"),
    ]
    .into_iter()
    .chain(broker.clone())
    .collect();
    let prometheus = Prometheus::start(&targets).await;
    for instance in ["ingress", "worker"] {
        let up = format!("up{{job=\"escalator\",instance=\"{instance}\"}}");
        prometheus.becomes(&up, 1).await;
    }
    if broker.is_some() {
        prometheus.becomes("up{job=\"rabbitmq\"}", 1).await;
        let alarm = "rabbitmq_alarms_memory_used_watermark";
        prometheus.becomes(alarm, 0).await;
    }

    let cases: Vec<_> = (0..5).map(|_| world.case()).collect();
    let again = world.trigger(&cases[0]);
    world.deliver(&ingress, &again).await;
    for case in &cases[1..] {
        world.deliver(&ingress, &world.trigger(case)).await;
    }
    told(&worker, "done", 5).await;
    world.deliver(&ingress, &again).await;
    told(&worker, "ended_before", 1).await;
    assert_once(&world.simulator.effects(), &cases);

    // Each is counted where it happens, and nowhere else.
    let attempts = worker.events("escalation.attempt").len();
    for (metric, wanted) in [
        (
            "escalator_webhooks_total{instance=\"ingress\",outcome=\"accepted\"}",
            6,
        ),
        ("escalator_webhooks_total", 6),
        ("escalator_deliveries_total{instance=\"worker\"}", attempts),
        ("escalator_attempts_total", attempts),
        ("escalator_attempts_total{outcome=\"done\"}", 5),
        ("escalator_attempts_total{outcome=\"ended_before\"}", 1),
        ("escalator_accepted_to_note_seconds_count", 5),
    ] {
        let sum = format!("sum({metric})");
        prometheus.becomes(&sum, wanted).await;
    }
    let requests = world.simulator.requests();
    for (name, operation) in OPERATIONS {
        let seen = requests.iter().filter(|one| one.operation == *operation);
        let seen = seen.count();
        assert!(seen > 0, "{name}");
        let sum = format!(
            "sum(escalator_upstream_request_seconds_count{{operation=\"{name}\",status!=\"not_sent\"}})"
        );
        prometheus.becomes(&sum, seen).await;
    }
    // Nothing that was never to happen.
    for metric in [
        "escalator_duplicate_effects_total",
        "escalator_invariant_violations_total",
    ] {
        let sum = format!("sum({metric}) or vector(0)");
        prometheus.becomes(&sum, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_ends_with_its_test_also_where_that_panics() {
    let prometheus = Prometheus::start(&[]).await;
    let address = prometheus.url.strip_prefix("http://").unwrap().to_owned();
    assert!(TcpStream::connect(&address).await.is_ok());
    let panicking = AssertUnwindSafe(|| {
        let _prometheus = prometheus;
        panic!("as a test that fails would");
    });
    std::panic::catch_unwind(panicking).unwrap_err();
    assert!(TcpStream::connect(&address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_was_down_is_scraped_again_where_it_was() {
    let node = Node::start().await;
    let prometheus = Prometheus::start(&[Target::node(&node)]).await;
    prometheus.becomes("up{job=\"rabbitmq\"}", 1).await;
    node.kill().await;
    prometheus.becomes("up{job=\"rabbitmq\"}", 0).await;
    node.start_again().await;
    prometheus.becomes("up{job=\"rabbitmq\"}", 1).await;
}

fn rules(expression: &str) -> String {
    json!({"groups": [{"name": "of-the-test", "rules": [
        {"record": "test:up", "expr": "max by (instance) (up)"},
        {"alert": "TestDown", "expr": expression, "for": "3s", "labels": {"severity": "page"},
         "annotations": {"summary": "{{ $labels.instance }} is down"}},
    ]}]})
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_pending_then_firing_then_over_and_a_wrong_rule_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yml");
    std::fs::write(&file, rules("up == 0")).unwrap();
    let options = Options {
        rules: vec![file.clone()],
        ..Options::default()
    };
    // Nobody listens on port 1.
    let gone = Target::at("escalator", "127.0.0.1:1").named("gone");
    let prometheus = Prometheus::with(options, &[gone]).await;
    let with = [("instance", "gone"), ("severity", "page")];
    prometheus.alerted("TestDown", &with, State::Pending).await;
    let alert = prometheus.alerted("TestDown", &with, State::Firing).await;
    assert_eq!(alert.annotations["summary"], "gone is down");

    let rules_of = prometheus.rules().await;
    let names: Vec<_> = rules_of.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["test:up", "TestDown"]);
    for rule in &rules_of {
        assert_eq!((rule.health.as_str(), &rule.last_error), ("ok", &None));
    }
    let now = SystemTime::now();
    let before = now - Duration::from_secs(60);
    let raw = prometheus.series("test:up", before, now).await.unwrap();
    assert_eq!(raw.len(), 1, "{raw:?}");
    assert!(raw[0].points.len() > 2, "{raw:?}");
    let step = Duration::from_secs(1);
    let ranged = prometheus.query_range("test:up + 1", before, now, step);
    let ranged = ranged.await.unwrap();
    assert!(ranged[0].points.iter().all(|(_, value)| *value > 0.5));

    let told = prometheus.query("sum(up").await.unwrap_err();
    assert!(
        told.contains("sum(up: ") && told.contains("parse error"),
        "{told}"
    );
    std::fs::write(&file, rules("up ==")).unwrap();
    prometheus.reload().await.unwrap_err();
    std::fs::write(&file, rules("up == 2")).unwrap();
    prometheus.reload().await.unwrap();
    prometheus.wait_until("ALERTS", <[_]>::is_empty).await;

    // A target that comes later.
    let itself = prometheus.url.strip_prefix("http://").unwrap();
    prometheus.scrape(&[Target::at("escalator", itself)]);
    prometheus.becomes("up == 1", 1).await;
    prometheus
        .wait_until("up{instance=\"gone\"}", <[_]>::is_empty)
        .await;
}
