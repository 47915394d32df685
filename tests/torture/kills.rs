//! Four workers on one ledger, of which one is killed every two seconds and started again, while one answer in twenty is
//! lost after its effect and one delivery in five comes twice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use escalator::simulator::{Effects, Fault, Operation, What, Which};
use secrecy::ExposeSecret;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::number;
use crate::suite::database::Database;
use crate::support::duplicator::Duplicator;
use crate::support::world::{World, assert_once};

const WORKERS: usize = 4;
const KILL_EVERY: Duration = Duration::from_secs(2);
/// As PagerDuty does, a webhook is delivered again until it is accepted; on a busy machine a connection may break.
const ACCEPTED: Duration = Duration::from_secs(60);
/// What is left over when everything has come in may take this long.
const PATIENCE: Duration = Duration::from_secs(600);

/// Says what came of it, as Markdown.
pub(crate) async fn run(database: &Database) -> String {
    let count = usize::try_from(number("TORTURE_ESCALATIONS", 2000)).unwrap();
    let spread = Duration::from_secs(number("TORTURE_KILL_SECONDS", 120));
    let world = Arc::new(World::new().await);
    let ledger = database.fresh().await;
    for operation in [
        Operation::GenesysCreateSession,
        Operation::GenesysAttachMedia,
        Operation::PagerdutyCreateNote,
    ] {
        world.simulator.script(Fault {
            operation,
            which: Which::Share(0.05),
            what: What::LoseAnswer,
        });
    }
    let settings = [
        ("DATABASE_URL", &*ledger.url),
        ("LOG_LEVEL", "info"),
        ("WORKER_LEASE", "3s"),
        ("WORKER_CALL_TIMEOUT", "1s"),
        ("WORKER_SETTLE", "500ms"),
    ];
    let ingress = world.start("ingress", &settings).await;
    let url = format!("{}/webhooks/pagerduty", ingress.ingress);
    let duplicator = Duplicator::start(world.vhost.url().expose_secret(), 5).await;
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(world.start("worker", &settings).await);
    }

    let began = Instant::now();
    let cases: Vec<_> = (0..count).map(|_| world.case()).collect();
    let mut delivering = JoinSet::new();
    for (number, case) in (0..).zip(cases.clone()) {
        let (world, url) = (Arc::clone(&world), url.clone());
        delivering.spawn(async move {
            sleep_until((began + spread * number / u32::try_from(count).unwrap()).into()).await;
            let webhook = world.trigger(&case);
            let at_ms = jiff::Timestamp::now().as_millisecond();
            let delivered = world
                .simulator
                .deliver_until(&url, &webhook, ACCEPTED)
                .await;
            assert!(delivered.is_accepted(), "{delivered:?}");
            (case, at_ms)
        });
    }
    let mut kills: Vec<i64> = Vec::new();
    let mut logs = Vec::new();
    while world.simulator.effects().live_notes < count {
        assert!(began.elapsed() < spread + PATIENCE, "not all notes came");
        let next = u32::try_from(kills.len() + 1).unwrap();
        sleep_until((began + KILL_EVERY * next).into()).await;
        let victim = workers.remove(kills.len() % WORKERS);
        logs.extend(victim.log());
        victim.kill().await;
        kills.push(jiff::Timestamp::now().as_millisecond());
        // At the end of the row; the next to be killed is the one that has lived longest.
        workers.push(world.start("worker", &settings).await);
    }
    let took = began.elapsed();
    let delivered = delivering.join_all().await;
    let (seen, copied) = duplicator.counts();
    for worker in workers {
        let (status, log) = worker.terminate().await;
        assert!(status.success(), "{status}");
        logs.extend(log);
    }
    let effects = world.simulator.effects();
    assert_once(&effects, &cases);
    assert_eq!((effects.attached, effects.live_notes), (count, count));
    let sessions = effects.sessions.len();
    let lost = lost_session_answers(&world);
    let killed = killed_over(&effects, &kills);
    assert!(
        sessions <= count + lost + killed,
        "{sessions} sessions, {lost} answers lost, {killed} killed calls"
    );
    let possible = logs.iter().filter(|line| {
        line.contains(r#""event":"write.unknown_settled","step":"session","settled":"repeated""#)
    });
    let possible = possible.count();
    let mut waits: Vec<i64> = delivered
        .iter()
        .map(|(case, at_ms)| effects.notes_of(&case.incident)[0].created_at_ms - at_ms)
        .collect();
    waits.sort_unstable();
    let quantile = |percent: usize| waits[(waits.len() - 1) * percent / 100] as f64 / 1000.0;
    format!(
        "{count} escalations within {:.0} s, {} kills of one of {WORKERS} workers, {copied} of {seen} messages twice: \
         {} attached, {} notes, {sessions} sessions ({lost} answers lost, {killed} calls killed; the program counts \
         {possible} possible orphans); time to note: p50 {:.2} s, p90 {:.2} s, p99 {:.2} s, max {:.2} s.",
        took.as_secs_f64(),
        kills.len(),
        effects.attached,
        effects.live_notes,
        quantile(50),
        quantile(90),
        quantile(99),
        quantile(100),
    )
}

/// Requests for a session that were not answered.
fn lost_session_answers(world: &World) -> usize {
    let requests = world.simulator.requests();
    let creating = requests
        .iter()
        .filter(|record| record.operation == Operation::GenesysCreateSession);
    creating
        .filter(|record| record.status() != Some(201))
        .count()
}

/// Sessions that nobody attached and that were made so shortly before a kill that it came before their record.
fn killed_over(effects: &Effects, kills: &[i64]) -> usize {
    const CALL_AND_RECORD_MS: i64 = 1500;
    let near = |at: i64| {
        kills
            .iter()
            .any(|kill| (0..CALL_AND_RECORD_MS).contains(&(kill - at)))
    };
    let orphans = effects.orphans();
    orphans
        .iter()
        .filter(|session| near(session.created_at_ms))
        .count()
}
