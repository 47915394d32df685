//! Whether the picture is true: five thousand escalations, a worker killed every other second, answers lost, a vendor away for a
//! while; and then what Prometheus has counted is held against what the vendors saw, and everything that was told is searched for
//! what must never be told.
//!
//! Two things may lie between a count and the truth, and both are found out exactly. A process that is killed takes along what it has
//! counted since it was last scraped: its log still has a line for each. And it may be killed between a vendor's answer and its own
//! line: such a request ended at the vendor right before a kill.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use escalator::simulator::{
    Config, ConversationSpec, Fault, Operation, RequestRecord, What, Which,
};
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use crate::database::Database;
use crate::picture;
use crate::searched::{Search, Tap};
use crate::support::duplicator::Duplicator;
use crate::support::program::Program;
use crate::support::prometheus::{Options, Prometheus, Series, Target};
use crate::support::world::{World, assert_once, kept, real_notes};
use secrecy::ExposeSecret;

/// Unless `TRUTH_ESCALATIONS` says otherwise.
const ESCALATIONS: u32 = 5000;
/// So much comes in a minute.
const A_MINUTE: u32 = 833;
const WORKERS: usize = 4;
const KILL_EVERY: Duration = Duration::from_secs(2);
/// From its beginning: when Genesys is away, and for how long.
const AWAY: (Duration, Duration) = (Duration::from_secs(120), Duration::from_secs(40));
/// Of conversations that are over, which end as dead letters.
const OVER: usize = 30;
const PATIENCE: Duration = Duration::from_secs(900);
/// Between a line and a scrape of the same moment nobody can say which was first.
const SAME_MOMENT: f64 = 0.25;

/// One process, from its start to its end.
struct Life {
    instance: String,
    log: Vec<Value>,
    ended: f64,
}

pub(crate) async fn run() -> Vec<String> {
    let world = Arc::new(
        World::with(Config {
            client_secret: "hush-genesys-5f0c9e77".to_owned(),
            api_token: "hush-pagerduty-a81d3b52".to_owned(),
            webhook_secret: "hush-webhooks-77e2c4d9".to_owned(),
            ..Config::default()
        })
        .await,
    );
    let ledger = Database::all().pop().unwrap().fresh().await;
    lose_answers(&world);
    let settings = [
        ("DATABASE_URL", ledger.url.as_str()),
        ("LOG_LEVEL", "info,escalator=debug"),
        ("WORKER_LEASE", "3s"),
        ("WORKER_CALL_TIMEOUT", "1s"),
        ("WORKER_SETTLE", "500ms"),
        ("ADMIN_TOKEN", "hush-operators-0b6d18aa"),
        ("INGRESS_TOKEN", "hush-starters-c3f5e960"),
    ];
    let ingress = world.start("ingress", &settings).await;
    let url = format!("{}/webhooks/pagerduty", ingress.ingress);
    let tap = Tap::open(&world.vhost).await;
    let duplicator = Duplicator::start(world.vhost.url().expose_secret(), 5).await;

    // Each worker comes back on the port that its predecessor had, as a service does.
    let ports: Vec<String> = (0..WORKERS).map(|_| free_port()).collect();
    let start = async |slot: usize| {
        let mut all = settings.to_vec();
        all.push(("ADMIN_LISTEN", &ports[slot]));
        world.start("worker", &all).await
    };
    let mut workers = Vec::new();
    for slot in 0..WORKERS {
        workers.push((slot, start(slot).await));
    }
    let mut targets = vec![Target::of(&ingress).named("ingress-1")];
    targets.extend(ports.iter().zip(1..).map(|(port, number)| {
        let name = format!("worker-{number}");
        Target::at("escalator", port).named(&name)
    }));
    targets.extend(Target::broker());
    let prometheus = Prometheus::with(Options::default(), &targets).await;
    prometheus
        .becomes("sum(up{job=\"escalator\"})", WORKERS + 1)
        .await;
    let from = Timestamp::now();

    let wanted = std::env::var("TRUTH_ESCALATIONS").ok();
    let wanted = wanted.map_or(ESCALATIONS, |wanted| wanted.parse().unwrap());
    let count = usize::try_from(wanted).unwrap();
    let spread = Duration::from_secs(60) * wanted / A_MINUTE;
    let began = Instant::now();
    let cases: Vec<_> = (0..count).map(|_| world.case()).collect();
    // One after the other, all the time.
    let mut all = cases.clone();
    for number in 0..OVER {
        let over = world.case_with(ConversationSpec {
            over: true,
            ..ConversationSpec::with_agent("agent-1")
        });
        all.insert(number * count / OVER, over);
    }
    let mut delivering = JoinSet::new();
    for (number, case) in (0_u32..).zip(all.clone()) {
        let (world, url) = (Arc::clone(&world), url.clone());
        let at = began + spread * number / u32::try_from(all.len()).unwrap();
        delivering.spawn(async move {
            sleep_until(at.into()).await;
            let webhook = world.trigger(&case);
            let within = Duration::from_secs(60);
            let delivered = world.simulator.deliver_until(&url, &webhook, within).await;
            assert!(delivered.is_accepted(), "{delivered:?}");
        });
    }
    let outage = {
        let world = Arc::clone(&world);
        tokio::spawn(async move { outage(&world, began).await })
    };
    let mut search = Search::default();
    let mut lives = Vec::new();
    let mut kills = 0;
    let well = |effects: &escalator::simulator::Effects| {
        real_notes(effects) >= count && effects.live_notes >= count + OVER
    };
    while !well(&world.simulator.effects()) {
        assert!(began.elapsed() < spread + PATIENCE, "not all notes came");
        search.never(world.simulator.tokens());
        kills += 1;
        sleep_until((began + KILL_EVERY * kills).into()).await;
        let (slot, victim) = workers.remove(0);
        lives.push(killed(slot, victim).await);
        workers.push((slot, start(slot).await));
    }
    let took = began.elapsed();
    delivering.join_all().await;
    outage.await.unwrap();
    let copies = duplicator.counts();
    drop(duplicator);
    // The last lines are told, and scraped: ten scrapes, of which nobody hears.
    sleep(Duration::from_secs(10)).await;
    // Whatever comes later, the commands below make: it is not counted here, by nobody.
    let to = Timestamp::now();

    let effects = world.simulator.effects();
    assert_once(&effects, &cases);
    let letters = kept(&ledger.url).await;
    assert_eq!(letters.len(), OVER);
    draw(&prometheus, from, to).await;
    search
        .commands(&world, &settings, &ingress, &cases, &letters)
        .await;
    for (slot, worker) in workers {
        let instance = format!("worker-{}", slot + 1);
        search.metrics(&worker).await;
        lives.push(ended(instance, worker).await);
    }
    search.metrics(&ingress).await;
    lives.push(ended("ingress-1".to_owned(), ingress).await);
    let now = SystemTime::from(to);
    let then = SystemTime::from(from) - Duration::from_secs(30);
    let scraped = Scraped::of(&prometheus, then, now).await;
    let everything: Vec<_> = lives
        .iter()
        .flat_map(|life| life.log.iter().map(Value::to_string))
        .collect();
    for life in &mut lives {
        life.log.retain(|line| at(line) < unix(now));
    }

    let mut rows = vec![format!(
        "truth: {count} escalations and {OVER} of conversations that were over, within {:.0} s, {kills} kills of one of {WORKERS} workers, \
         {} of {} messages twice, one answer in fifty lost, Genesys away for {} s:\n\n  | what | vendors saw | logs tell | Prometheus counted | \
         killed with the count | killed before the line |\n  | --- | --- | --- | --- | --- | --- |",
        took.as_secs_f64(),
        copies.1,
        copies.0,
        AWAY.1.as_secs(),
    )];
    let mut records = world.simulator.requests();
    records.retain(|record| record.at_ms < to.as_millisecond());
    rows.extend(requests(&records, &lives, &scraped));
    rows.extend(outcomes(&lives, &scraped, count));
    rows.push(String::new());
    search.read("the logs", everything);
    search.read("messages on the broker", tap.close().await);
    let sessions = effects
        .sessions
        .iter()
        .map(|session| session.join_url.clone());
    search.never(sessions);
    search.never(
        all.iter()
            .filter_map(|case| world.simulator.routing_key(&case.incident)),
    );
    let config = world.simulator.config();
    search.never([
        config.client_secret.clone(),
        config.api_token.clone(),
        config.webhook_secret.clone(),
        "hush-operators-0b6d18aa".to_owned(),
        "hush-starters-c3f5e960".to_owned(),
    ]);
    vec![rows.join("\n"), search.finds_nothing()]
}

fn free_port() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().to_string()
}

/// Genesys answers 503 for a while.
async fn outage(world: &World, began: Instant) {
    sleep_until((began + AWAY.0).into()).await;
    let until = began + AWAY.0 + AWAY.1;
    let left = until.saturating_duration_since(Instant::now());
    for operation in [Operation::GenesysToken, Operation::GenesysConversation] {
        world.simulator.script(Fault {
            operation,
            which: Which::First(1_000_000),
            what: What::status(503),
        });
    }
    // Its length is what is tested.
    sleep(left).await;
    world.simulator.clear_faults();
    lose_answers(world);
}

/// One in fifty, after its effect.
fn lose_answers(world: &World) {
    for operation in [
        Operation::GenesysCreateSession,
        Operation::GenesysAttachMedia,
        Operation::PagerdutyCreateNote,
    ] {
        world.simulator.script(Fault {
            operation,
            which: Which::Share(0.02),
            what: What::LoseAnswer,
        });
    }
}

async fn killed(slot: usize, mut victim: Program) -> Life {
    victim.signal("KILL");
    victim.ended().await;
    ended_at(format!("worker-{}", slot + 1), &victim).await
}

async fn ended(instance: String, program: Program) -> Life {
    let mut program = program;
    program.signal("TERM");
    let status = program.ended().await;
    assert!(status.success(), "{status}");
    ended_at(instance, &program).await
}

async fn ended_at(instance: String, program: &Program) -> Life {
    let ended = unix(SystemTime::now());
    // What is in the pipe still is read by a task of its own.
    sleep(Duration::from_millis(50)).await;
    let log = program.log();
    let parsed = log
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok());
    Life {
        instance,
        log: parsed.collect(),
        ended,
    }
}

fn unix(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// When a line was told.
fn at(line: &Value) -> f64 {
    let at: Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
    at.as_millisecond() as f64 / 1000.0
}

/// What Prometheus has of each process.
struct Scraped {
    /// By instance, each scrape that went well: when, and when the process had begun.
    scrapes: BTreeMap<String, Vec<(f64, f64)>>,
    series: BTreeMap<&'static str, Vec<Series>>,
}

const COUNTERS: [&str; 8] = [
    "escalator_upstream_request_seconds_count",
    "escalator_attempts_total",
    "escalator_accepted_to_note_seconds_count",
    "escalator_webhooks_total",
    "escalator_unknown_outcomes_total",
    "escalator_takeovers_total",
    "escalator_dead_letters_total",
    "escalator_duplicate_effects_total",
];

impl Scraped {
    async fn of(prometheus: &Prometheus, from: SystemTime, to: SystemTime) -> Self {
        let mut scrapes: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        let begun = prometheus
            .series("process_start_time_seconds{job=\"escalator\"}", from, to)
            .await;
        for series in begun.unwrap() {
            let of_instance = scrapes
                .entry(series.labels["instance"].clone())
                .or_default();
            of_instance.extend(series.points);
        }
        let mut series = BTreeMap::new();
        for name in COUNTERS {
            series.insert(name, prometheus.series(name, from, to).await.unwrap());
        }
        Self { scrapes, series }
    }

    /// All that was counted of these series, over all lives of all processes.
    fn counted(&self, name: &str, with: &[(&str, &[&str])]) -> f64 {
        let mut sum = 0.0;
        for series in &self.series[name] {
            let is = |(label, values): &(&str, &[&str])| values.contains(&&*series.labels[*label]);
            if !with.iter().all(is) {
                continue;
            }
            let scrapes = &self.scrapes[&series.labels["instance"]];
            let mut last: BTreeMap<u64, f64> = BTreeMap::new();
            for (at, value) in &series.points {
                let scrape = scrapes.iter().find(|(when, _)| (when - at).abs() < 0.001);
                let (_, begun) = scrape.unwrap_or_else(|| panic!("{name}: {at} is no scrape"));
                last.insert(begun.to_bits(), *value);
            }
            sum += last.values().sum::<f64>();
        }
        sum
    }

    /// When a life was scraped last.
    fn last_of(&self, life: &Life) -> f64 {
        let began = life.log.first().map_or(0.0, at);
        let scrapes = self.scrapes.get(&life.instance).into_iter().flatten();
        let within = scrapes.filter(|(when, begun)| {
            *when <= life.ended && (begun - began).abs() < 3.0 && *when >= began - 1.0
        });
        within.map(|(when, _)| *when).fold(0.0, f64::max)
    }
}

/// Lines of a kind: all, those that were certainly counted in vain, and those that were perhaps.
fn lines(lives: &[Life], scraped: &Scraped, is: impl Fn(&Value) -> bool) -> (usize, usize, usize) {
    let (mut all, mut certainly, mut perhaps) = (0, 0, 0);
    for life in lives {
        let last = scraped.last_of(life);
        for line in life.log.iter().filter(|line| is(line)) {
            all += 1;
            let late = at(line) - last;
            certainly += usize::from(late > SAME_MOMENT);
            perhaps += usize::from(late > -SAME_MOMENT);
        }
    }
    (all, certainly, perhaps)
}

/// A row, held against itself.
fn row(what: &str, saw: Option<usize>, told: (usize, usize, usize), counted: f64) -> String {
    let (all, certainly, perhaps) = told;
    let counted = counted.round() as usize;
    let lost = all.checked_sub(counted);
    let lost = lost.unwrap_or_else(|| panic!("{what}: {counted} counted, {all} told"));
    assert!(
        (certainly..=perhaps).contains(&lost),
        "{what}: {all} told, {counted} counted; killed with the count: {certainly} to {perhaps}"
    );
    let (saw, unseen) = match saw {
        Some(saw) => (saw.to_string(), (saw - all).to_string()),
        None => ("".to_owned(), "".to_owned()),
    };
    format!("  | {what} | {saw} | {all} | {counted} | {lost} | {unseen} |")
}

/// Requests by operation, as the vendors saw them.
fn requests(records: &[RequestRecord], lives: &[Life], scraped: &Scraped) -> Vec<String> {
    let operations: [(&str, Operation); 8] = [
        ("token", Operation::GenesysToken),
        ("read_conversation", Operation::GenesysConversation),
        ("create_session", Operation::GenesysCreateSession),
        ("attach_media", Operation::GenesysAttachMedia),
        ("read_alerts", Operation::PagerdutyAlerts),
        ("read_incident", Operation::PagerdutyIncident),
        ("read_notes", Operation::PagerdutyListNotes),
        ("write_note", Operation::PagerdutyCreateNote),
    ];
    let ends: Vec<f64> = lives.iter().map(|life| life.ended).collect();
    let mut rows = Vec::new();
    for (name, operation) in operations {
        let seen: Vec<_> = records
            .iter()
            .filter(|record| record.operation == operation)
            .collect();
        // Whose end may have come before the line of whoever asked.
        let near = seen.iter().filter(|record| {
            let ended = record.ended_at_ms.map_or(f64::MAX, |ms| ms as f64 / 1000.0);
            ends.iter()
                .any(|end| ended > end - 0.5 && (record.at_ms as f64 / 1000.0) < end + 0.1)
        });
        let near = near.count();
        let sent = |line: &Value| {
            line["event"] == "upstream.answered"
                && line["operation"] == name
                && line["status"] != "not_sent"
        };
        let told = lines(lives, scraped, sent);
        // What was not sent nobody saw, and it is a status of its own.
        let statuses = scraped.series["escalator_upstream_request_seconds_count"]
            .iter()
            .map(|series| series.labels["status"].as_str())
            .filter(|status| *status != "not_sent");
        let statuses: Vec<&str> = statuses.collect();
        let with: [(&str, &[&str]); 2] = [("operation", &[name]), ("status", &statuses)];
        let counted = scraped.counted("escalator_upstream_request_seconds_count", &with);
        let unseen = seen.len().checked_sub(told.0);
        assert!(
            unseen.is_some_and(|unseen| unseen <= near),
            "{name}: the vendors saw {}, {} told; right before a kill: {near}",
            seen.len(),
            told.0
        );
        rows.push(row(name, Some(seen.len()), told, counted));
    }
    rows
}

/// What became of the work.
fn outcomes(lives: &[Life], scraped: &Scraped, count: usize) -> Vec<String> {
    let of = |event: &'static str, field: &'static str, value: &'static str| {
        move |line: &Value| line["event"] == event && line[field] == value
    };
    let mut rows = Vec::new();
    let done = lines(lives, scraped, of("escalation.attempt", "outcome", "done"));
    let with: [(&str, &[&str]); 1] = [("outcome", &["done"])];
    let counted = scraped.counted("escalator_attempts_total", &with);
    rows.push(row("notes (attempts done)", Some(count), done, counted));
    let counted = scraped.counted("escalator_accepted_to_note_seconds_count", &[]);
    rows.push(row("notes (time to note)", Some(count), done, counted));
    let answered = lines(
        lives,
        scraped,
        of("webhook.answered", "outcome", "accepted"),
    );
    let with: [(&str, &[&str]); 1] = [("outcome", &["accepted"])];
    let counted = scraped.counted("escalator_webhooks_total", &with);
    rows.push(row(
        "webhooks accepted",
        Some(count + OVER),
        answered,
        counted,
    ));
    let dead = lines(lives, scraped, of("escalation.attempt", "outcome", "dead"));
    let counted = scraped.counted("escalator_dead_letters_total", &[]);
    rows.push(row("dead letters", Some(OVER), dead, counted));
    let settled = |line: &Value| line["event"] == "write.unknown_settled";
    let counted = scraped.counted("escalator_unknown_outcomes_total", &[]);
    rows.push(row(
        "unknown outcomes settled",
        None,
        lines(lives, scraped, settled),
        counted,
    ));
    let recovered =
        |line: &Value| line["event"] == "escalation.attempt" && line["recovered"] == true;
    // It is counted at the claim, and told at the attempt's end, which a kill may come before.
    let told = lines(lives, scraped, recovered).0;
    let counted = scraped.counted("escalator_takeovers_total", &[]);
    rows.push(format!("  | takeovers | | {told} | {counted} | | |"));
    assert!(scraped.counted("escalator_duplicate_effects_total", &[]) < 0.5);
    rows.push("  | effects found twice | 0 | 0 | 0 | 0 | 0 |".to_owned());
    rows
}

/// The README's picture, where it is asked for.
async fn draw(prometheus: &Prometheus, from: Timestamp, to: Timestamp) {
    let Ok(path) = std::env::var("ESCALATOR_PICTURE_TO") else {
        return;
    };
    let dashboard = include_str!("../../deploy/grafana/dashboards/overview.json");
    let dashboard = serde_json::from_str(dashboard).unwrap();
    let svg = picture::draw(&prometheus.url, from, to, &dashboard).await;
    std::fs::write(path, svg).unwrap();
}
