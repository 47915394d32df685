//! A 202 means that the message is in its queue; whatever keeps it out of there is a 503, for as long as it lasts.

use std::collections::HashSet;
use std::sync::Arc;

use secrecy::ExposeSecret;
use serde_json::json;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{SECRET, Stored, ingress, trigger, webhooks};
use crate::support::node::Node;
use crate::support::program::{PATIENCE, Program};
use crate::support::proxy::{Proxy, Reserved};
use crate::support::vhost::eventually;
use crate::support::world::World;

/// How a connection to the broker ends.
enum Trouble {
    Closed,
    CutOff,
}

/// Sends webhooks until one is taken, as PagerDuty would. All before are 503 and in time. Says whose it was.
async fn taken_again(program: &Program, name: &str) -> String {
    let trying = async {
        for count in 0.. {
            let incident = format!("{name}{count}");
            let answer = trigger(&incident).send(&program.ingress).await;
            if answer.status == 202 {
                return incident;
            }
            answer.assert_unavailable();
        }
        String::new()
    };
    timeout(PATIENCE, trying).await.expect("it heals")
}

fn incidents(messages: &[serde_json::Value]) -> HashSet<String> {
    let ids = messages.iter();
    ids.map(|message| message["incident_id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_is_silent_or_gone_each_webhook_is_503_in_time_and_then_202_again() {
    let world = World::new().await;
    let proxy = Proxy::before(world.vhost.address.clone()).await;
    let url = world.vhost.url_by(proxy.address);
    let program = ingress(&world, &[("AMQP_URL", url.expose_secret())]).await;
    let mut taken = HashSet::from([taken_again(&program, "QBEFORE").await]);
    for (name, trouble) in [
        ("QSILENT", Proxy::freeze as fn(&Proxy)),
        ("QGONE", Proxy::hang_up),
    ] {
        trouble(&proxy);
        for count in 0..3 {
            let request = trigger(&format!("{name}{count}"));
            request.send(&program.ingress).await.assert_unavailable();
        }
        // What needs no broker is answered as ever.
        let ping = super::Request::webhook(
            super::envelope("pagey.ping", json!({"type": "ping"})).to_string(),
        );
        let answer = ping.signed(&[SECRET]).send(&program.ingress).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        proxy.thaw();
        taken.insert(taken_again(&program, &format!("{name}OVER")).await);
    }
    assert!(webhooks(&program, "not_stored").await >= 6.0);
    let stored = incidents(&Stored::of(&world.vhost).await.high);
    assert!(stored.is_superset(&taken), "{taken:?} of {stored:?}");
    let (status, _) = program.terminate().await;
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_there_at_the_start_is_waited_for_and_webhooks_are_503_until_then() {
    let world = World::new().await;
    let reserved = Reserved::port();
    let url = world.vhost.url_by(reserved.address);
    let settings = world.settings(&[
        ("AMQP_URL", url.expose_secret()),
        ("PAGERDUTY_WEBHOOK_SECRETS", SECRET),
    ]);
    let program = Program::start("ingress", world.folder.path(), &settings).await;
    let (status, body) = program.readiness().await;
    assert_eq!((status, &body["broker"]["ok"]), (503, &json!(false)));
    for count in 0..2 {
        let request = trigger(&format!("QEARLY{count}"));
        request.send(&program.ingress).await.assert_unavailable();
    }
    // What was answered 503 is PagerDuty's to send again; nothing of it is kept and stored later.
    let _proxy = reserved.before(world.vhost.address.clone());
    let taken = taken_again(&program, "QLATE").await;
    program.becomes_ready(true).await;
    let stored = Stored::of(&world.vhost).await;
    assert_eq!(incidents(&stored.high), HashSet::from([taken]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_503_for_its_lane_until_there_is_room() {
    let world = World::new().await;
    let program = ingress(&world, &[]).await;
    let taker = world.vhost.taker().await;
    let policy = json!({"max-length": 1, "overflow": "reject-publish"});
    world.vhost.policy("^escalations\\.high$", policy).await;
    // The policy reaches the queue a moment after it was set, and the queue goes a little over its limit.
    let mut taken = HashSet::new();
    eventually("the queue is full", async || {
        let incident = format!("QFILL{}", taken.len());
        let answer = trigger(&incident).send(&program.ingress).await;
        if answer.status == 202 {
            taken.insert(incident);
            return None;
        }
        answer.assert_unavailable();
        Some(())
    })
    .await;
    for count in 0..5 {
        let request = trigger(&format!("QREFUSED{count}"));
        request.send(&program.ingress).await.assert_unavailable();
    }
    let low = super::envelope("incident.triggered", {
        let mut data = super::incident("QLOW");
        data["urgency"] = json!("low");
        data
    });
    let low = super::Request::webhook(low.to_string()).signed(&[SECRET]);
    assert_eq!(low.send(&program.ingress).await.status, 202);
    let stored = Stored::take(&taker).await;
    assert_eq!(incidents(&stored.high), taken);
    assert_eq!(
        incidents(&stored.normal),
        HashSet::from(["QLOW".to_owned()])
    );
    let again = taken_again(&program, "QROOM").await;
    let stored = Stored::take(&taker).await;
    assert!(incidents(&stored.high).contains(&again));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_queue_is_503_and_heals_by_itself() {
    let world = World::new().await;
    let program = ingress(&world, &[]).await;
    let taker = world.vhost.taker().await;
    for queue in ["escalations.high", "escalations.dead"] {
        taker.delete(queue).await;
        let request = match queue {
            "escalations.dead" => super::Request::webhook("no JSON").signed(&[SECRET]),
            _ => trigger("QLOST"),
        };
        request.send(&program.ingress).await.assert_unavailable();
        eventually("it is taken again", async || {
            (request.send(&program.ingress).await.status == 202).then_some(())
        })
        .await;
        assert_eq!(taker.take(queue).await.len(), 1, "{queue}");
    }
    let arguments = world.vhost.arguments("escalations.high").await;
    assert_eq!(arguments["x-queue-type"], "quorum");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_takes_nothing_in_for_want_of_memory_each_webhook_is_503() {
    let node = Node::start().await;
    let world = World::on(&node).await;
    let program = ingress(&world, &[]).await;
    let before = taken_again(&program, "QBEFORE").await;
    node.ctl(&["set_vm_memory_high_watermark", "0.0000001"])
        .await;
    // The broker tells a connection of the alarm when it next publishes; that webhook's outcome is unknown.
    eventually("the alarm is known", async || {
        let answer = trigger("QUNKNOWN").send(&program.ingress).await;
        answer.assert_unavailable();
        (program.readiness().await.0 == 503).then_some(())
    })
    .await;
    for count in 0..2 {
        let request = trigger(&format!("QALARM{count}"));
        request.send(&program.ingress).await.assert_unavailable();
    }
    node.ctl(&["set_vm_memory_high_watermark", "0.6"]).await;
    let after = taken_again(&program, "QAFTER").await;
    let mut stored = incidents(&Stored::of(&world.vhost).await.high);
    stored.remove("QUNKNOWN");
    assert_eq!(stored, HashSet::from([before, after]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_202_outlives_an_ingress_that_is_killed_the_moment_after() {
    let world = World::new().await;
    let program = ingress(&world, &[]).await;
    let answers = (0..20).map(|count| {
        let request = trigger(&format!("QKILLED{count}"));
        let base = program.ingress.clone();
        async move { request.send(&base).await }
    });
    for answer in futures_util::future::join_all(answers).await {
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    program.kill().await;
    assert_eq!(Stored::of(&world.vhost).await.high.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_202_is_in_the_queue_however_the_connection_to_the_broker_ends() {
    const EACH: usize = 300;
    let world = World::new().await;
    let proxy = Proxy::before(world.vhost.address.clone()).await;
    let url = world.vhost.url_by(proxy.address);
    let program = ingress(&world, &[("AMQP_URL", url.expose_secret())]).await;
    // Each permit is one webhook to be sent by one of eight senders.
    let permits = Arc::new(Semaphore::new(0));
    let answered = watch::Sender::new(0);
    let mut senders = JoinSet::new();
    for sender in 0..8 {
        let (base, permits, answered) = (
            program.ingress.clone(),
            Arc::clone(&permits),
            answered.clone(),
        );
        senders.spawn(async move {
            let (mut taken, mut refused) = (Vec::new(), Vec::new());
            while let Ok(permit) = permits.acquire().await {
                permit.forget();
                let incident = format!("Q{sender}x{}", taken.len() + refused.len());
                let answer = trigger(&incident).send(&base).await;
                if answer.status == 202 {
                    taken.push(incident);
                } else {
                    answer.assert_unavailable();
                    refused.push(incident);
                }
                answered.send_modify(|count| *count += 1);
            }
            (taken, refused)
        });
    }
    let until = async |wanted: usize| {
        let mut answered = answered.subscribe();
        let waiting = answered.wait_for(|count| *count >= wanted);
        drop(timeout(PATIENCE, waiting).await.unwrap().unwrap());
    };
    let mut closed = Vec::new();
    for trouble in [
        Trouble::Closed,
        Trouble::CutOff,
        Trouble::Closed,
        Trouble::CutOff,
    ] {
        let so_far = *answered.borrow();
        let downs = program.events("broker.down").len();
        match trouble {
            // In order: what was sent before is stored, though its confirm may be lost.
            Trouble::Closed => {
                // The list is a moment behind: a connection that is closed may still be in it.
                let listed = eventually("another connection is listed", async || {
                    let listed = world.vhost.connections().await.into_iter();
                    listed
                        .filter(|one| one.connection_name.starts_with("escalator/"))
                        .find(|one| !closed.contains(one))
                })
                .await;
                permits.add_permits(EACH);
                until(so_far + EACH / 4).await;
                world.vhost.close(&listed).await;
                closed.push(listed);
            }
            // On the way: what was sent last never arrives.
            Trouble::CutOff => {
                permits.add_permits(EACH);
                until(so_far + EACH / 4).await;
                proxy.freeze();
                proxy.holds_something().await;
                proxy.hang_up();
            }
        }
        let again = |_: &serde_json::Value| program.events("broker.down").len() > downs;
        program.logged("broker.down", again).await;
        proxy.thaw();
        until(so_far + EACH).await;
    }
    permits.close();
    let (mut taken, mut refused) = (HashSet::new(), HashSet::new());
    for (good, bad) in senders.join_all().await {
        taken.extend(good);
        refused.extend(bad);
    }
    let stored = Stored::of(&world.vhost).await;
    let found = incidents(&stored.high);
    assert_eq!(found.len(), stored.high.len(), "each at most once");
    let lost: Vec<_> = taken.difference(&found).collect();
    assert!(lost.is_empty(), "answered 202 and not stored: {lost:?}");
    // Whose confirm was lost with the connection may be there too; nothing else may.
    let surplus: Vec<_> = found.difference(&taken).collect();
    assert!(
        surplus.iter().all(|one| refused.contains(*one)),
        "{surplus:?}"
    );
    assert!(stored.dead.is_empty() && stored.normal.is_empty());
    assert!(taken.len() > 2 * EACH, "only {} got through", taken.len());
    let metric = webhooks(&program, "accepted").await;
    assert_eq!(metric, f64::from(u32::try_from(taken.len()).unwrap()));
}
