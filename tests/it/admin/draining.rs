//! A process that ends gives its replays up, and another one takes them up when it is told to.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::api::Api;
use super::{TOKEN, becomes, begun, die, served};
use crate::support::database::Database;
use crate::support::proxy::Proxy;
use crate::support::world::{World, assert_once};

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_ends_gives_its_replay_up_and_another_goes_on_when_told() {
    let world = World::new().await;
    let (program, api) = served(&world, &[]).await;
    let cases = die(&world, &program, &api, 2).await;
    let id = begun(&api, json!({"all": true, "per_minute": 1})).await;
    world.until(|effects| effects.attached == 1).await;

    let began = Instant::now();
    let (status, log) = program.terminate().await;
    assert_eq!(status.code(), Some(0), "{log:#?}");
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    let left = log.iter().find(|line| line.contains("\"replay.left\""));
    assert!(left.is_some_and(|line| line.contains(&id)), "{log:#?}");

    let (worker, api) = {
        let settings = [("ADMIN_TOKEN", TOKEN), ("GENESYS_COBROWSE_API", "sessions")];
        let worker = world.start("worker", &settings).await;
        let api = Api::of(&worker, Some(TOKEN));
        (worker, api)
    };
    let path = format!("/replays/{id}");
    let waiting = api.get(&path).await.ok(200);
    assert_eq!(
        (&waiting["state"], &waiting["driver"], &waiting["left"]),
        (&json!("running"), &Value::Null, &json!(1)),
        "no process takes it up by itself"
    );
    let resumed = api
        .post(&format!("{path}/resume"), &json!({}))
        .await
        .ok(202);
    assert!(resumed["driver"].is_string(), "{resumed}");
    let done = becomes(&api, &id, "done").await;
    assert_eq!(done["replayed"], 2);
    worker
        .logged("replay.ended", |line| line["id"] == id.as_str())
        .await;
    let effects = world
        .until(|effects| {
            effects.attached == 2
                && cases.iter().all(|case| {
                    let notes = effects.notes_of(&case.incident);
                    let told = |session: &escalator::simulator::Session| {
                        notes.len() == 1 && session.is_told_in(&notes[0].content)
                    };
                    effects.sessions.iter().any(told)
                })
        })
        .await;
    assert_once(&effects, &cases);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_whose_process_is_gone_is_cancelled_by_whoever_is_there() {
    let world = World::new().await;
    let (program, api) = served(&world, &[]).await;
    die(&world, &program, &api, 2).await;
    let id = begun(&api, json!({"all": true, "per_minute": 1})).await;
    world.until(|effects| effects.attached == 1).await;
    let (status, _) = program.terminate().await;
    assert_eq!(status.code(), Some(0));

    let (_program, api) = served(&world, &[]).await;
    let told = api.post(&format!("/replays/{id}/cancel"), &json!({})).await;
    assert_eq!(told.ok(200)["state"], "cancelling");
    let cancelled = becomes(&api, &id, "cancelled").await;
    assert_eq!(
        (&cancelled["replayed"], &cancelled["let_go"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_was_away_holds_a_replay_up_and_no_longer() {
    let world = World::new().await;
    let database = Database::new().await;
    let url = &database.url;
    let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let proxy = Proxy::before(target).await;
    let by = database.by(proxy.address);
    let (program, api) = served(&world, &[("DATABASE_URL", by.expose_secret())]).await;
    die(&world, &program, &api, 2).await;
    let id = begun(&api, json!({"all": true, "per_minute": 1})).await;
    world.until(|effects| effects.attached == 1).await;
    // While it waits for the second one's turn, it is heard of.
    proxy.hang_up();
    let held_up = program.logged("replay.held_up", |_| true).await;
    assert_eq!(held_up["id"], id.as_str());
    proxy.thaw();
    program.becomes_ready(true).await;
    let done = becomes(&api, &id, "done").await;
    assert_eq!(done["replayed"], 2);
    world.until(|effects| effects.attached == 2).await;
}
