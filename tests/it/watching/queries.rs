//! Every query of every panel and every rule, sent to a real Prometheus that has watched a run in which things went wrong.

use std::path::{Path, PathBuf};

use escalator::simulator::{ConversationSpec, Fault, Operation, What, Which};

use serde_json::json;

use super::dashboards::every_query;
use super::rules;
use crate::support::prometheus::{Options, Prometheus, Target};
use crate::support::world::{World, real_notes};

/// How many escalations get their note after a webhook; one more is started directly.
const DONE: usize = 12;
const TOKEN: &str = "of-whoever-starts-directly";

/// Panels that show nothing after this run, and why that is as it should be.
const NOTHING_TO_SHOW: &[(&str, &str)] = &[
    ("Failures a minute", "the ledger was never away"),
    ("What must never be, and was", "and was not"),
    ("Spans a minute", "they are not exported"),
];

/// A run that has met a lost answer, a 429, an outage, a death, a stranger's webhook and one that nobody understands.
async fn run(world: &World, ingress: &str) {
    let simulator = &world.simulator;
    let url = format!("{ingress}/webhooks/pagerduty");
    for (operation, which, what) in [
        (
            Operation::GenesysCreateSession,
            Which::First(2),
            What::LoseAnswer,
        ),
        (
            Operation::GenesysConversation,
            Which::First(2),
            What::status(503),
        ),
        (
            Operation::PagerdutyCreateNote,
            Which::First(2),
            What::Status {
                status: 429,
                headers: vec![("retry-after".to_owned(), "1".to_owned())],
                body: String::new(),
            },
        ),
    ] {
        simulator.script(Fault {
            operation,
            which,
            what,
        });
    }
    for _ in 0..DONE {
        let webhook = world.trigger(&world.case());
        assert!(simulator.deliver(&url, &webhook).await.is_accepted());
    }
    // Nobody is connected to this one.
    let waits = world.case_with(ConversationSpec::default());
    let webhook = world.trigger(&waits);
    assert!(simulator.deliver(&url, &webhook).await.is_accepted());
    let direct = world.case();
    let asked = reqwest::Client::new()
        .post(format!("{ingress}/escalations"))
        .bearer_auth(TOKEN)
        .json(&json!({"incident_id": direct.incident, "conversation_id": direct.conversation}));
    assert_eq!(asked.send().await.unwrap().status(), 202);
    // Dead at once: it is over.
    let over = world.case_with(ConversationSpec::with_agent("agent-1"));
    simulator.end_conversation(&over.conversation);
    let webhook = world.trigger(&over);
    assert!(simulator.deliver(&url, &webhook).await.is_accepted());
    let not_understood = simulator.webhook_with_body("{\"event\":7}");
    assert!(simulator.deliver(&url, &not_understood).await.is_accepted());
    let genuine = simulator.config().webhook_secret.clone();
    simulator.set_webhook_secret("a stranger's");
    let stranger = simulator.webhook(&over.incident, "incident.triggered");
    simulator.set_webhook_secret(genuine);
    assert_eq!(simulator.deliver(&url, &stranger).await.status(), Some(403));
    world
        .until(|effects| real_notes(effects) > DONE && effects.live_notes > DONE + 1)
        .await;
}

/// The project's own rules, whose slowest group would have to be waited for for two minutes.
fn evaluated_every_second(folder: &Path) -> PathBuf {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/rules");
    for entry in std::fs::read_dir(rules).unwrap() {
        let entry = entry.unwrap();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let lines = text
            .lines()
            .map(|line| match line.split_once("interval: ") {
                Some((before, _)) => format!("{before}interval: 1s"),
                None => line.to_owned(),
            });
        let lines: Vec<_> = lines.collect();
        std::fs::write(folder.join(entry.file_name()), lines.join("\n")).unwrap();
    }
    folder.join("*.yml")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_panel_and_every_rule_asks_a_real_prometheus_for_what_a_real_run_has() {
    let world = World::new().await;
    let ingress = world.start("ingress", &[("INGRESS_TOKEN", TOKEN)]).await;
    let worker = world.start("worker", &[]).await;
    let mut targets = vec![
        Target::of(&ingress).named("ingress-1"),
        Target::of(&worker).named("worker-1"),
    ];
    let broker = Target::broker();
    let with_broker = broker.is_some();
    targets.extend(broker);
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        rules: vec![evaluated_every_second(folder.path())],
        ..Options::default()
    };
    let prometheus = Prometheus::with(options, &targets).await;
    // What grows meanwhile has to be seen to grow.
    prometheus.becomes("sum(up{job=\"escalator\"})", 2).await;
    run(&world, &ingress.ingress).await;
    let letters = "sum(max by (code) (escalator_dead_letters_open))";
    prometheus.becomes(letters, 2).await;
    let notes = "sum(escalator_accepted_to_note_seconds_count)";
    prometheus.becomes(notes, DONE + 1).await;
    let waiting = "sum(escalator_waits_total) > 0";
    prometheus
        .wait_until(waiting, |found| !found.is_empty())
        .await;
    // The rules have been evaluated since, those of the slowest group too.
    let recorded = "escalator:slo_all:increase1d > 0";
    prometheus
        .wait_until(recorded, |found| !found.is_empty())
        .await;

    let mut faults = Vec::new();
    let mut empty = Vec::new();
    for (dashboard, title, query) in every_query("1m") {
        if !with_broker && query.contains("rabbitmq_") {
            continue;
        }
        match prometheus.query(&query).await {
            Err(error) => faults.push(format!("{dashboard}, {title}: {error}")),
            Ok(found) if found.is_empty() => empty.push((title, query)),
            Ok(_) => {}
        }
    }
    let unexpected: Vec<_> = empty
        .iter()
        .filter(|(title, _)| !NOTHING_TO_SHOW.iter().any(|(known, _)| known == title))
        .map(|(title, query)| format!("{title} shows nothing: {query}"))
        .collect();
    faults.extend(unexpected);

    let read: Vec<_> = ["recording.yml", "alerts.yml"]
        .into_iter()
        .flat_map(rules::of)
        .collect();
    let there = prometheus.rules().await;
    assert_eq!(there.len(), read.len());
    for rule in &there {
        if rule.health != "ok" || rule.last_error.is_some() {
            faults.push(format!("{rule:?}"));
        }
    }
    for rule in &read {
        match prometheus.query(&rule.query).await {
            Err(error) => faults.push(format!("{}: {error}", rule.name)),
            Ok(found) if found.is_empty() && !rule.alert => {
                faults.push(format!("{} records nothing: {}", rule.name, rule.query));
            }
            Ok(_) => {}
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));

    // What this run gives a reason for, and nothing else. Those that hold for a while need no more than that.
    let mut names: Vec<_> = prometheus
        .alerts()
        .await
        .into_iter()
        .map(|alert| alert.name)
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(names, ["EscalatorDeadLetters"]);
}
