//! The metrics agree with what was sent.

use std::collections::BTreeMap;

use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::wire::{self, Request};
use super::{SECRET, envelope, ingress, trigger, webhooks};
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn every_webhook_is_counted_once_by_its_outcome() {
    let world = World::new().await;
    let program = ingress(&world, &[("PAGERDUTY_SERVICES", "PCHAT")]).await;
    let base = &program.ingress;
    let mut filtered = super::incident("QOTHER");
    filtered["service"]["id"] = json!("POTHER");
    let filtered = envelope("incident.triggered", filtered).to_string();
    let ping = envelope("pagey.ping", json!({"type": "ping"})).to_string();
    let signed = |body: String| Request::webhook(body).signed(&[SECRET]);
    let table = [
        ("accepted", 202, trigger("Q1"), 5),
        ("ignored", 202, signed(ping), 4),
        ("filtered", 202, signed(filtered), 3),
        ("not_understood", 202, signed("no JSON".to_owned()), 2),
        (
            "bad_signature",
            403,
            Request::webhook("{}").signed(&["x"]),
            6,
        ),
        ("no_signature", 400, Request::webhook("{}"), 7),
        ("too_large", 413, signed("x".repeat(256 * 1024 + 1)), 2),
    ];
    let mut sent = BTreeMap::new();
    for (outcome, status, request, times) in table {
        for _ in 0..times {
            let answer = request.send(base).await;
            assert_eq!(answer.status, status, "{outcome}: {answer:?}");
        }
        sent.insert(outcome, f64::from(times));
    }
    // A body that never comes: the connection stays open without a byte of it.
    let silent = trigger("QSILENT");
    let mut connection = wire::connect(base).await;
    let head = silent.head("Content-Length: 100");
    connection.write_all(&head).await.unwrap();
    program
        .logged("webhook.answered", |line| line["outcome"] == "late")
        .await;
    sent.insert("late", 1.0);
    world.vhost.taker().await.delete("escalations.high").await;
    trigger("QUNROUTABLE").send(base).await.assert_unavailable();
    sent.insert("not_stored", 1.0);
    // Neither of these is a webhook.
    Request::new("GET", "/webhooks/pagerduty", "")
        .send(base)
        .await;
    Request::new("POST", "/elsewhere", "").send(base).await;

    for (outcome, count) in &sent {
        assert_eq!(webhooks(&program, outcome).await, *count, "{outcome}");
        let timed = format!("escalator_webhook_seconds_count{{outcome=\"{outcome}\"");
        assert_eq!(program.metric(&[&timed]).await, *count, "{outcome}");
        let told = || {
            let lines = program.events("webhook.answered").into_iter();
            lines.filter(|line| line["outcome"] == **outcome).count() as f64
        };
        // The line may come a moment after the answer.
        program
            .logged("webhook.answered", |_| told() >= *count)
            .await;
        assert_eq!(told(), *count, "{outcome}");
    }
    let total = program.metric(&["escalator_webhooks_total{"]).await;
    assert_eq!(total, sent.values().sum::<f64>());
    for (target, outcome, count) in [
        ("high", "stored", 5.0),
        ("high", "unroutable", 1.0),
        ("dead", "stored", 2.0),
    ] {
        let labels = [
            "escalator_published_total{",
            &format!("target=\"{target}\""),
            &format!("outcome=\"{outcome}\""),
        ];
        assert_eq!(program.metric(&labels).await, count, "{target} {outcome}");
    }
    let published = program.metric(&["escalator_published_total{"]).await;
    assert_eq!(published, 8.0);
}
