//! From the queue into the ledger, and what is shown of it.

use lapin::options::{BasicGetOptions, BasicPublishOptions, BasicRejectOptions};
use lapin::{BasicProperties, Channel};
use serde_json::json;

use escalator::ledger::Ledger as _;
use escalator::ledger::Sqlite;

use super::{dead, done, is_of, says, serving, told};
use crate::support::vhost::eventually;
use crate::support::world::{World, real_notes};

async fn publish(channel: &Channel, queue: &str, body: &[u8]) {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel
        .basic_publish("".into(), queue.into(), options, body, properties)
        .await
        .unwrap()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_leaves_its_queue_for_the_ledger_and_is_shown_with_all_that_is_known() {
    let world = World::new().await;
    let program = serving(&world).await;
    let case = dead(&world, &program, 1).await.remove(0);
    let taker = world.vhost.taker().await;
    assert_eq!(taker.depth("escalations.dead").await, (0, 1));
    let list = done(&world, &["list", "--json"]).await.lines();
    assert_eq!(list.len(), 1);
    let letter = &list[0];
    assert_eq!(letter["code"], "conversation_unknown");
    assert_eq!(letter["incident"], case.incident.as_str());
    assert_eq!(letter["conversation"], case.conversation.as_str());
    assert_eq!(letter["state"], "open");
    assert_eq!(letter["told"]["notice"], "told");
    let id = letter["id"].as_str().unwrap();
    let shown = done(&world, &["show", id]).await.data;
    for words in [
        "conversation_unknown: Genesys answered read_conversation with 404",
        "escalator explain conversation_unknown",
        "would begin at session",
        "incident told yes, note P",
        "dead: Genesys answered",
        &case.conversation,
    ] {
        assert!(shown.contains(words), "{words}\n{shown}");
    }
    let whole = done(&world, &["show", id, "--json"])
        .await
        .lines()
        .remove(0);
    assert_eq!(whole["message"]["incident_id"], case.incident.as_str());
    let kinds: Vec<_> = whole["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["kind"].as_str().unwrap())
        .collect();
    assert!(
        kinds.ends_with(&["ended", "letter_stored", "told"]),
        "{kinds:?}"
    );
    let groups = done(&world, &["groups", "--json"]).await.lines();
    assert_eq!((groups.len(), &groups[0]["count"]), (1, &json!(1)));
    let reason = groups[0]["reason"].as_str().unwrap();
    let group = [
        "list",
        "--json",
        "--code",
        "conversation_unknown",
        "--reason",
        reason,
    ];
    assert_eq!(done(&world, &group).await.lines().len(), 1);
    let exported = done(&world, &["export"]).await;
    assert_eq!(exported.lines()[0]["message"], whole["message"]);
    for link in world.simulator.effects().sessions {
        assert!(!link.is_told_in(&exported.data));
    }
    let none = says(&world, &["show", "dl-0000000000000000"]).await;
    assert_eq!(none.code, Some(1), "{}", none.talk);
    let wrong = says(&world, &["show", "dl-1"]).await;
    assert_eq!(wrong.code, Some(64), "{}", wrong.talk);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_gave_up_by_itself_is_kept_with_its_message_and_can_be_replayed() {
    let world = World::new().await;
    let ingress = world.start("ingress", &[]).await;
    let policy = json!({"delivery-limit": 2});
    world
        .vhost
        .policy("^escalations\\.(high|normal)$", policy)
        .await;
    let case = world.case();
    world.deliver(&ingress, &world.trigger(&case)).await;
    // A worker that stumbles over it each time.
    let raw = world.vhost.raw().await;
    let channel = raw.create_channel().await.unwrap();
    eventually("the broker gives it up", async || {
        let get = channel.basic_get("escalations.high".into(), BasicGetOptions::default());
        if let Some(message) = get.await.unwrap() {
            let again = BasicRejectOptions { requeue: true };
            message.delivery.acker.reject(again).await.unwrap();
        }
        let taker = world.vhost.taker().await;
        (taker.depth("escalations.dead").await.0 == 1).then_some(())
    })
    .await;
    let program = serving(&world).await;
    let letter = eventually("it is kept", async || {
        world
            .kept()
            .await
            .into_iter()
            .find(|kept| is_of(kept, &case))
    })
    .await;
    assert_eq!(letter.letter.code.as_str(), "delivered_too_often");
    assert!(
        letter.letter.reason.contains("delivery_limit"),
        "{letter:?}"
    );
    done(&world, &["replay", "--code", "delivered_too_often"]).await;
    let effects = world
        .until(|effects| effects.attached == 1 && real_notes(effects) == 1)
        .await;
    crate::support::world::assert_once(&effects, &[case]);
    drop((program, ingress));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_letter_is_kept_with_its_bytes() {
    let world = World::new().await;
    let program = serving(&world).await;
    let raw = world.vhost.raw().await;
    let channel = raw.create_channel().await.unwrap();
    publish(&channel, "escalations.dead", b"what \0 is this").await;
    let letter = eventually("it is kept", async || world.kept().await.pop()).await;
    let id = letter.letter.id.as_str();
    let bytes = super::command(&world, &["show", id, "--bytes"])
        .output()
        .await
        .unwrap();
    assert_eq!(bytes.stdout, b"what \0 is this");
    let replayed = says(&world, &["replay", "--all"]).await;
    assert_eq!(replayed.code, Some(1), "{}", replayed.data);
    assert!(
        replayed.data.contains("nobody can read it"),
        "{}",
        replayed.data
    );
    // Once somebody knows what it was about, it can be.
    let case = world.case();
    let edited = done(
        &world,
        &[
            "edit",
            id,
            "--incident",
            &case.incident,
            "--conversation",
            &case.conversation,
            "--because",
            "it stood in the alert",
        ],
    )
    .await;
    done(&world, &["replay", "--id", edited.data.trim()]).await;
    let effects = world
        .until(|effects| effects.attached == 1 && real_notes(effects) == 1)
        .await;
    crate::support::world::assert_once(&effects, &[case]);
    drop(program);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_lists_touch_neither_queue_nor_delivery_count() {
    let world = World::new().await;
    let program = serving(&world).await;
    dead(&world, &program, 3).await;
    program.terminate().await;
    // Without a keeper it stays where it is.
    let raw = world.vhost.raw().await;
    let channel = raw.create_channel().await.unwrap();
    publish(&channel, "escalations.dead", b"one that waits").await;
    let ledger = Sqlite::open_to_read(&world.ledger()).unwrap();
    for round in 0..100 {
        // Most of them without the cost of a process: the same call.
        if round % 25 == 0 {
            assert_eq!(done(&world, &["list", "--json"]).await.lines().len(), 3);
        }
        let filter = escalator::ledger::LetterFilter {
            limit: 100,
            ..escalator::ledger::LetterFilter::default()
        };
        assert_eq!(
            ledger.letters().list_letters(filter).await.unwrap().len(),
            3
        );
    }
    let taker = world.vhost.taker().await;
    assert_eq!(taker.depth("escalations.dead").await, (1, 0));
    let options = BasicGetOptions { no_ack: true };
    let got = channel.basic_get("escalations.dead".into(), options).await;
    let delivery = got.unwrap().unwrap().delivery;
    assert!(!delivery.redelivered);
    let headers = delivery.properties.headers().as_ref();
    let count = headers.and_then(|headers| headers.inner().get("x-delivery-count"));
    let nobody = [None, Some(&lapin::types::AMQPValue::LongLongInt(0))];
    assert!(
        nobody.contains(&count),
        "nobody has had it before: {count:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_discarded_is_closed_with_a_reason_and_who_did_it() {
    let world = World::new().await;
    let program = serving(&world).await;
    let cases = dead(&world, &program, 2).await;
    let careless = says(&world, &["discard", "--because", "x"]).await;
    assert_eq!(careless.code, Some(64), "{}", careless.talk);
    let unexplained = says(&world, &["discard", "--all"]).await;
    assert_eq!(unexplained.code, Some(64), "{}", unexplained.talk);
    let incident = &cases[0].incident;
    let arguments = [
        "discard",
        "--incident",
        incident,
        "--because",
        "the customer has left",
        "--by",
        "robin",
    ];
    let said = done(&world, &arguments).await;
    assert_eq!(said.data, "1 dead letters discarded\n");
    assert_eq!(done(&world, &["list", "--json"]).await.lines().len(), 1);
    let closed = done(&world, &["list", "--closed", "--json"]).await.lines();
    assert_eq!(closed[0]["state"], "discarded");
    assert_eq!(closed[0]["closed"]["by"], "robin");
    assert_eq!(closed[0]["closed"]["why"], "the customer has left");
    let audit = tokio::process::Command::new(env!("CARGO_BIN_EXE_escalator"))
        .args(["audit", "--json"])
        .env_clear()
        .envs(world.settings(&[]))
        .output()
        .await
        .unwrap();
    let audit: serde_json::Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert_eq!(
        (&audit["action"], &audit["by"]),
        (&json!("discard"), &json!("robin"))
    );
    assert_eq!(audit["what"], format!("incident={incident}"));
    assert_eq!(audit["result"], "1 discarded");
    // A second webhook of it starts nothing.
    world.deliver(&program, &world.trigger(&cases[0])).await;
    let again = |line: &serde_json::Value| line["outcome"] == "ended_before";
    program.logged("escalation.attempt", again).await;
    let letter = told(&world, &cases[1]).await;
    assert_eq!(letter.closed, None);
}
