//! Replays over HTTP: begun, driven, cancelled, taken up again.

use std::time::Instant;

use serde_json::{Value, json};

use super::{becomes, begun, deeds, die, open, served};
use crate::support::program::PATIENCE;
use crate::support::world::{Case, World, assert_once};

/// Waits until each of these has its session and its one note with the link.
async fn have_their_notes(world: &World, cases: &[Case]) {
    let effects = world
        .until(|effects| {
            cases.iter().all(|case| {
                let notes = effects.notes_of(&case.incident);
                let told = |session: &escalator::simulator::Session| {
                    notes.len() == 1 && session.is_told_in(&notes[0].content)
                };
                effects.sessions.iter().any(told)
            })
        })
        .await;
    assert_once(&effects, cases);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_replayed_comes_to_its_session_and_its_note_once() {
    let world = World::new().await;
    let (program, api) = served(&world, &[]).await;
    let cases = die(&world, &program, &api, 4).await;
    let body = json!({"all": true, "because": "Genesys is itself again", "by": "alex"});
    let answer = api.post("/replays", &body).await;
    let begun = answer.ok(202);
    assert_eq!(
        (&begun["marked"], &begun["refused"]),
        (&json!(4), &json!(0))
    );
    let id = begun["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), Some(&*format!("/replays/{id}")));
    let done = becomes(&api, id, "done").await;
    for (name, wanted) in [
        ("letters", json!(4)),
        ("replayed", json!(4)),
        ("left", json!(0)),
        ("by", json!("alex")),
        ("why", json!("Genesys is itself again")),
        ("what", json!("all")),
        ("per_minute", json!(300)),
        ("driver", Value::Null),
    ] {
        assert_eq!(done[name], wanted, "{name}: {done}");
    }
    have_their_notes(&world, &cases).await;
    assert!(open(&api).await.is_empty());
    assert!(world.kept().await.is_empty());
    let ended = program.logged("replay.ended", |_| true).await;
    assert_eq!(
        (&ended["id"], &ended["result"]),
        (&json!(id), &json!("4 replayed"))
    );

    // Nothing is left for a second one, and what is over is resumed by nobody.
    let second = api.post("/replays", &json!({"all": true})).await.ok(202);
    assert_eq!(second["marked"], 0);
    let second = second["id"].as_str().unwrap();
    becomes(&api, second, "done").await;
    let over = api.post(&format!("/replays/{id}/resume"), &json!({})).await;
    assert_eq!(
        over.ok(200),
        api.get(&format!("/replays/{id}")).await.ok(200)
    );
    let cancelled = api.post(&format!("/replays/{id}/cancel"), &json!({})).await;
    assert_eq!(cancelled.ok(200)["state"], "done");

    let all = api.get("/replays").await.ok(200);
    let listed: Vec<_> = all["replays"].as_array().unwrap().iter().collect();
    assert_eq!(
        (&listed[0]["id"], &listed[1]["id"]),
        (&json!(second), &json!(id))
    );
    let newest = api.get("/replays?limit=1").await.ok(200);
    assert_eq!(newest["replays"].as_array().unwrap().len(), 1);

    let path = format!("/replays/{id}/entries");
    let first = api.get(&format!("{path}?limit=3")).await.ok(200);
    assert_eq!(first["next"], 3);
    let rest = api.get(&format!("{path}?limit=3&after=3")).await.ok(200);
    let numbers = [first["entries"].clone(), rest["entries"].clone()]
        .iter()
        .flat_map(|entries| entries.as_array().unwrap().clone())
        .map(|entry| {
            assert_eq!(
                (&entry["outcome"], &entry["stage"]),
                (&json!("replayed"), &json!("over"))
            );
            entry["number"].as_u64().unwrap()
        })
        .collect::<Vec<_>>();
    assert_eq!((numbers, &rest["next"]), (vec![1, 2, 3, 4], &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_replay_lets_go_what_was_not_begun_and_soon() {
    let world = World::new().await;
    let (program, api) = served(&world, &[]).await;
    let cases = die(&world, &program, &api, 3).await;
    // The first at once, the next a minute later: nobody waits for that.
    let id = begun(&api, json!({"all": true, "per_minute": 1, "by": "alex"})).await;
    have_their_notes(&world, &cases[..1]).await;
    let running = api.get(&format!("/replays/{id}")).await.ok(200);
    assert_eq!(
        (&running["state"], &running["replayed"]),
        (&json!("running"), &json!(1))
    );
    let driver = running["driver"].as_str().unwrap();

    // Its letters are nobody else's: neither another replay's nor to be discarded, and one drives it.
    let resumed = api.post(&format!("/replays/{id}/resume"), &json!({})).await;
    assert!(resumed.errors(409)[0].contains(driver), "{resumed:?}");
    let all = json!({"all": true, "because": "a test"});
    let discarded = api.post("/dead-letters/discard", &all).await.ok(200);
    assert_eq!(discarded, json!({"discarded": 0, "in_replay": 2}));
    let second = api.post("/replays", &json!({"all": true})).await.ok(202);
    assert_eq!(
        (&second["marked"], &second["refused"]),
        (&json!(0), &json!(2))
    );
    let held = api.get("/dead-letters").await.ok(200);
    for letter in held["letters"].as_array().unwrap() {
        assert_eq!(
            (&letter["state"], &letter["replay"]),
            (&json!("in_replay"), &json!(id))
        );
    }

    let began = Instant::now();
    let body = json!({"because": "a mistake", "by": "kim"});
    let told = api
        .post(&format!("/replays/{id}/cancel"), &body)
        .await
        .ok(200);
    assert_eq!(told["state"], "cancelling");
    let cancelled = becomes(&api, &id, "cancelled").await;
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
    assert_eq!(
        (&cancelled["replayed"], &cancelled["let_go"]),
        (&json!(1), &json!(2))
    );
    let free = api.get("/dead-letters").await.ok(200);
    assert_eq!(free["total"], 2);
    for letter in free["letters"].as_array().unwrap() {
        assert_eq!(letter["state"], "open");
    }
    let done = deeds(&api).await;
    let mut cancels = done.iter().filter(|(action, ..)| action == "cancel_replay");
    let (_, by, result) = cancels.next().unwrap();
    assert_eq!(
        (by.as_str(), result.as_str()),
        ("kim", "told to stop; so far 1 replayed, 2 not done yet")
    );

    // And they can be replayed after all.
    let id = begun(&api, json!({"all": true})).await;
    becomes(&api, &id, "done").await;
    have_their_notes(&world, &cases).await;
}
