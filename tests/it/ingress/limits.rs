//! Bodies that are too big, too slow, or break off; and everything that is not a webhook.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::wire::{self, Answer, Request};
use super::{SECRET, Stored, envelope, incident, ingress, trigger, webhooks};
use crate::support::program::PATIENCE;
use crate::support::world::World;

const CAP: usize = 256 * 1024;

/// A genuine trigger of exactly this many bytes.
fn trigger_of(bytes: usize) -> Request {
    let with_title = |title: String| {
        let mut data = incident("QBIG");
        data["title"] = json!(title);
        envelope("incident.triggered", data).to_string()
    };
    let padding = bytes - with_title(String::new()).len();
    let body = with_title("x".repeat(padding));
    assert_eq!(body.len(), bytes);
    Request::webhook(body).signed(&[SECRET])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_256_kib_is_taken_and_one_byte_more_is_413_however_it_is_sent() {
    let world = World::new().await;
    let program = ingress(&world, &[]).await;
    let (fits, too_big) = (trigger_of(CAP), trigger_of(CAP + 1));
    for (bytes, status) in [
        (fits.bytes(), 202),
        (fits.chunked(), 202),
        (too_big.bytes(), 413),
        (too_big.chunked(), 413),
    ] {
        let answer = wire::send(&program.ingress, &bytes).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    assert_eq!(webhooks(&program, "too_large").await, 2.0);
    let stored = Stored::of(&world.vhost).await;
    assert_eq!(stored.high.len(), 2);
    assert!(stored.dead.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_an_end_is_413_after_256_kib() {
    let world = World::new().await;
    let program = ingress(&world, &[]).await;
    let request = Request::webhook("").signed(&[SECRET]);
    let (mut from, mut to) = wire::connect(&program.ingress).await.into_split();
    let head = request.head("Transfer-Encoding: chunked");
    to.write_all(&head).await.unwrap();
    let chunk = [b"2800\r\n".as_slice(), &[b'x'; 0x2800], b"\r\n"].concat();
    let pouring = tokio::spawn(async move {
        let mut poured = 0;
        while to.write_all(&chunk).await.is_ok() {
            poured += chunk.len();
        }
        poured
    });
    let started = Instant::now();
    let mut received = vec![0; 4096];
    let read = timeout(PATIENCE, from.read(&mut received))
        .await
        .unwrap()
        .unwrap();
    let answer = Answer::parse(&received[..read], started);
    assert_eq!(answer.status, 413, "{answer:?}");
    drop(from);
    // What the program did not read, the kernel may have buffered; it does not go on for ever.
    timeout(PATIENCE, pouring).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_drips_is_503_after_three_seconds_and_nobody_else_waits_for_it() {
    let world = World::new().await;
    let program = ingress(&world, &[]).await;
    let slow = trigger("QSLOW");
    let head = slow.head(&format!("Content-Length: {}", slow.body().len()));
    let (mut from, mut to) = wire::connect(&program.ingress).await.into_split();
    let started = Instant::now();
    to.write_all(&head).await.unwrap();
    let body = slow.body().to_vec();
    let dripping = tokio::spawn(async move {
        for byte in body {
            if to.write_all(&[byte]).await.is_err() {
                return;
            }
            // The slowness is what is tested.
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    let over = Arc::new(AtomicBool::new(false));
    let (base, until) = (program.ingress.clone(), Arc::clone(&over));
    let meanwhile = tokio::spawn(async move {
        let mut served = 0;
        while !until.load(Ordering::Relaxed) {
            let answer = trigger(&format!("QQUICK{served}")).send(&base).await;
            assert_eq!(answer.status, 202);
            assert!(answer.took < Duration::from_secs(2), "{answer:?}");
            served += 1;
        }
        served
    });
    let mut received = Vec::new();
    let reading = timeout(PATIENCE, from.read_to_end(&mut received));
    // A reset after the answer is as good as an orderly end.
    drop(reading.await.unwrap());
    let answer = Answer::parse(&received, started);
    over.store(true, Ordering::Relaxed);
    dripping.abort();
    answer.assert_unavailable();
    assert!(answer.took > Duration::from_millis(2500), "{answer:?}");
    let served = meanwhile.await.unwrap();
    assert!(served > 5, "only {served} while one dripped");
    assert_eq!(webhooks(&program, "late").await, 1.0);
    let stored = Stored::of(&world.vhost).await;
    assert_eq!(stored.high.len(), served);
    let slow = |message: &&serde_json::Value| message["incident_id"] == "QSLOW";
    assert_eq!(stored.high.iter().filter(slow).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_bodies_that_never_come_do_not_keep_a_webhook_out() {
    let world = World::new().await;
    let program = ingress(&world, &[]).await;
    let request = trigger("QNEVER");
    let head = request.head(&format!("Content-Length: {}", request.body().len()));
    let mut idle = Vec::new();
    for _ in 0..300 {
        let mut connection = wire::connect(&program.ingress).await;
        connection.write_all(&head).await.unwrap();
        idle.push(connection);
    }
    let answer = trigger("QQUICK").send(&program.ingress).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert!(answer.took < Duration::from_secs(2), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_in_the_middle_leaves_nothing_behind() {
    let world = World::new().await;
    let program = ingress(&world, &[]).await;
    let request = trigger("QGONE");
    let bytes = request.bytes();
    let half = &bytes[..bytes.len() - 40];
    // One says that no more will come and waits for an answer …
    let (mut from, mut to) = wire::connect(&program.ingress).await.into_split();
    let started = Instant::now();
    to.write_all(half).await.unwrap();
    to.shutdown().await.unwrap();
    let mut received = Vec::new();
    drop(
        timeout(PATIENCE, from.read_to_end(&mut received))
            .await
            .unwrap(),
    );
    if !received.is_empty() {
        Answer::parse(&received, started).assert_unavailable();
    }
    // … another just goes, and a third resets the connection.
    let mut gone = wire::connect(&program.ingress).await;
    gone.write_all(half).await.unwrap();
    drop(gone);
    let mut reset = wire::connect(&program.ingress).await;
    reset.write_all(half).await.unwrap();
    reset.set_zero_linger().unwrap();
    drop(reset);
    let answer = trigger("QSTAYS").send(&program.ingress).await;
    assert_eq!(answer.status, 202);
    program.becomes_ready(true).await;
    let stored = Stored::of(&world.vhost).await;
    assert_eq!(stored.high.len(), 1, "{:#?}", stored.high);
    assert!(stored.dead.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_are_405_and_other_paths_404() {
    let world = World::new().await;
    let program = ingress(&world, &[]).await;
    for method in ["GET", "PUT", "DELETE", "PATCH", "HEAD"] {
        let request = Request::new(method, "/webhooks/pagerduty", "");
        let answer = request.send(&program.ingress).await;
        assert_eq!(answer.status, 405, "{method}: {answer:?}");
    }
    // The admin listener's routes are not on this one.
    for path in [
        "/",
        "/webhooks",
        "/webhooks/pagerduty/",
        "/webhooks/pagerduty/x",
        "/metrics",
        "/health/live",
    ] {
        let genuine = Request::new("POST", path, super::triggered("Q1")).signed(&[SECRET]);
        let answer = genuine.send(&program.ingress).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        let answer = Request::new("GET", path, "").send(&program.ingress).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    Stored::of(&world.vhost).await.assert_empty();
}
