//! The same work, with the ledger on PostgreSQL.

use std::time::Duration;

use escalator::simulator::Config;

use super::{ended, trigger, triggered};
use crate::support::database::{Database, Server};
use crate::support::program::Program;
use crate::support::world::{World, assert_once};

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_comes_to_its_note_and_its_link_is_in_no_other_place() {
    let world = World::new().await;
    let database = Database::new().await;
    let program = world
        .start("serve", &[("DATABASE_URL", database.url.as_str())])
        .await;
    let case = world.case();
    trigger(&world, &program, &case).await;
    ended(&program, &case, "done").await;
    let effects = world.simulator.effects();
    let link = effects.sessions[0].join_url.clone();
    assert_once(&effects, &[case]);
    assert!(!world.ledger().exists(), "there is no second ledger");
    let log = program.log().join("\n");
    assert!(!log.contains(&link));
    assert!(!log.contains(database.url.password().unwrap()), "{log}");
    let kept = "SELECT (SELECT count(*) FROM conversations WHERE link = $1),
                       (SELECT count(*) FROM conversations c WHERE cobrowse LIKE '%http%')
                     + (SELECT count(*) FROM history WHERE entries LIKE '%http%')
                     + (SELECT count(*) FROM escalations e WHERE e::text LIKE '%http%')";
    let client = database.client().await;
    let row = client.query_one(kept, &[&link]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_the_work_and_do_nothing_twice() {
    let world = World::with(Config {
        latency: Duration::from_millis(20),
        ..Config::default()
    })
    .await;
    let database = Database::new().await;
    let settings = [("DATABASE_URL", database.url.as_str())];
    let ingress = world.start("ingress", &[]).await;
    let workers = [
        world.start("worker", &settings).await,
        world.start("worker", &settings).await,
    ];
    let cases = triggered(&world, &ingress, 60).await;
    let done = |worker: &Program| {
        let all = worker.events("escalation.attempt");
        all.iter().filter(|a| a["outcome"] == "done").count()
    };
    let enough = |_: &serde_json::Value| done(&workers[0]) + done(&workers[1]) >= 60;
    tokio::select! {
        _ = workers[0].logged("escalation.attempt", enough) => {}
        _ = workers[1].logged("escalation.attempt", enough) => {}
    }
    let effects = world.simulator.effects();
    assert_eq!((effects.sessions.len(), effects.attached), (60, 60));
    assert_once(&effects, &cases);
    let shares = workers.each_ref().map(done);
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
}

/// Results that could not be recorded are looked up, claims that could not be given back run out; nothing is guessed.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_crashes_and_comes_back_in_the_middle_loses_and_doubles_nothing() {
    let server = Server::start().await;
    let database = Database::on(&server).await;
    let world = World::with(Config {
        latency: Duration::from_millis(100),
        ..Config::default()
    })
    .await;
    let settings = [
        ("DATABASE_URL", database.url.as_str()),
        ("WORKER_CONCURRENCY", "8"),
    ];
    let ingress = world.start("ingress", &[]).await;
    let workers = [
        world.start("worker", &settings).await,
        world.start("worker", &settings).await,
    ];
    let cases = triggered(&world, &ingress, 40).await;
    world.until(|effects| effects.attached >= 10).await;
    server.kill().await;
    let (unready, _) = workers[0].readiness().await;
    assert_eq!(unready, 503, "whoever asks is told");
    server.start_again().await;
    let effects = world.until(|effects| effects.live_notes >= 40).await;
    assert_once(&effects, &cases);
    assert_eq!(effects.attached, 40);
    for worker in workers {
        worker.becomes_ready(true).await;
        let (status, log) = worker.terminate().await;
        assert!(status.success(), "{status} {log:#?}");
    }
}
