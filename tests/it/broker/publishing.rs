//! Confirms, and what they say.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use escalator::broker::{
    Config, Destination, HEADER_MAX, Headers, Publication, PublishError, Role, Settled, Source,
};
use escalator::escalation::Lane;
use escalator::telemetry::TraceContext;
use lapin::options::QueueBindOptions;
use lapin::types::FieldTable;
use serde_json::json;
use tokio::task::JoinSet;

use super::{SOON, config, depth, next, publication, ready};
use crate::support::proxy::Proxy;
use crate::support::vhost::Vhost;
use escalator::broker::Broker;

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_publish_is_in_its_queue_with_its_headers_and_nothing_else() {
    let vhost = Vhost::new().await;
    let broker = ready(&vhost).await;
    let trace = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let trace = TraceContext::parse(trace).unwrap();
    let publication = Publication {
        headers: Headers {
            code: Some("conversation_gone".to_owned()),
            traceparent: Some(trace),
        },
        ..publication(Destination::Dead, "one")
    };
    broker
        .publisher()
        .publish(&publication, SOON)
        .await
        .unwrap();
    let mut dead = broker.subscribe(Source::Dead, 1);
    let delivery = next(&mut dead).await;
    assert_eq!(delivery.body, b"one");
    assert_eq!(delivery.message_id.as_deref(), Some("one"));
    assert_eq!(delivery.code.as_deref(), Some("conversation_gone"));
    assert_eq!(delivery.traceparent, Some(trace));
    assert_eq!(delivery.died, None);
    assert_eq!((delivery.redelivered, delivery.deliveries), (false, 0));
    assert_eq!(delivery.ack().await, Settled::Sent);
    broker.close().await;
    assert_eq!(depth(&vhost, "escalations.dead").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_value_that_is_too_long_is_cut_and_the_connection_lives() {
    let vhost = Vhost::new().await;
    let broker = ready(&vhost).await;
    let publication = Publication {
        headers: Headers {
            code: Some("x".repeat(300_000)),
            traceparent: None,
        },
        ..publication(Destination::Lane(Lane::High), "long")
    };
    broker
        .publisher()
        .publish(&publication, SOON)
        .await
        .unwrap();
    let delivery = next(&mut broker.subscribe(Lane::High, 1)).await;
    assert_eq!(delivery.code.as_ref().unwrap().len(), HEADER_MAX);
    assert_eq!(delivery.ack().await, Settled::Sent);
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_thousands_of_concurrent_publishes_those_that_were_confirmed_are_stored_and_no_others() {
    const PUBLISHERS: usize = 16;
    const EACH: usize = 300;
    let vhost = Vhost::new().await;
    let broker = ready(&vhost).await;
    // Somebody keeps taking the binding of the normal lane away and putting it back.
    let (raw, over) = (vhost.raw().await, Arc::new(AtomicBool::new(false)));
    let channel = raw.create_channel().await.unwrap();
    let until = Arc::clone(&over);
    let vandal = tokio::spawn(async move {
        while !until.load(Ordering::Relaxed) {
            let (queue, exchange) = ("escalations.normal", "escalations");
            let none = FieldTable::default;
            channel
                .queue_unbind(queue.into(), exchange.into(), "normal".into(), none())
                .await
                .unwrap();
            // Vandalism has its own pace; nothing waits for it.
            tokio::time::sleep(Duration::from_millis(5)).await;
            let options = QueueBindOptions::default();
            channel
                .queue_bind(
                    queue.into(),
                    exchange.into(),
                    "normal".into(),
                    options,
                    none(),
                )
                .await
                .unwrap();
            // As above.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let mut publishers = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let handle = broker.publisher();
        publishers.spawn(async move {
            let (mut stored, mut returned) = (Vec::new(), 0);
            for count in 0..EACH {
                let lane = Lane::ALL[(publisher + count) % 2];
                let id = format!("{}-{publisher}-{count}", lane.as_str());
                let outcome = handle
                    .publish(&publication(Destination::Lane(lane), &id), SOON)
                    .await;
                match outcome {
                    Ok(()) => stored.push(id),
                    Err(PublishError::Unroutable) => {
                        assert_eq!(lane, Lane::Normal, "the other lane is always bound");
                        returned += 1;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            (stored, returned)
        });
    }
    let (mut confirmed, mut returned) = (BTreeSet::new(), 0);
    for (stored, back) in publishers.join_all().await {
        confirmed.extend(stored);
        returned += back;
    }
    over.store(true, Ordering::Relaxed);
    vandal.await.unwrap();
    assert!(returned > 100, "only {returned} were unroutable: no proof");
    let half = PUBLISHERS * EACH / 2;
    assert!(confirmed.len() > half + 100, "the lane was never bound");
    let mut found = BTreeSet::new();
    for lane in Lane::ALL {
        let queue = format!("escalations.{}", lane.as_str());
        let waiting = depth(&vhost, &queue).await;
        let mut subscription = broker.subscribe(lane, 100);
        for _ in 0..waiting {
            let delivery = next(&mut subscription).await;
            assert!(found.insert(delivery.message_id.clone().unwrap()));
            assert_eq!(delivery.ack().await, Settled::Sent);
        }
        subscription.stop().await;
    }
    assert_eq!(found, confirmed);
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_and_keeps_only_what_it_confirmed() {
    let vhost = Vhost::new().await;
    let broker = ready(&vhost).await;
    vhost
        .policy("^escalations\\.high$", json!({"max-length": 3}))
        .await;
    let publisher = broker.publisher();
    let (mut stored, mut refused) = (0, 0);
    // The policy takes effect a moment after it was set, and the limit overshoots by a little.
    while refused < 5 {
        let outcome = publisher
            .publish(&publication(Destination::Lane(Lane::High), stored), SOON)
            .await;
        match outcome {
            Ok(()) => stored += 1,
            Err(PublishError::Refused) => refused += 1,
            Err(error) => panic!("{error}"),
        }
        assert!(stored < 1000, "the limit never took effect");
    }
    assert_eq!(depth(&vhost, "escalations.high").await, stored);
    // The other lane is not affected.
    let normal = publication(Destination::Lane(Lane::Normal), "normal");
    publisher.publish(&normal, SOON).await.unwrap();
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_falls_silent_costs_one_deadline_and_the_next_publish_works() {
    let vhost = Vhost::new().await;
    let proxy = Proxy::before(vhost.address.clone()).await;
    let broker = Broker::start(Config {
        role: Role::Publish,
        confirm_timeout: Duration::from_millis(400),
        ..config(vhost.url_by(proxy.address))
    })
    .unwrap();
    broker.wait_ready(SOON).await.unwrap();
    let publisher = broker.publisher();
    let to = Destination::Lane(Lane::Normal);
    publisher.publish(&publication(to, 1), SOON).await.unwrap();

    proxy.freeze();
    let began = Instant::now();
    let outcome = publisher.publish(&publication(to, 2), SOON).await;
    assert!(
        matches!(outcome, Err(PublishError::Unknown(_))),
        "{outcome:?}"
    );
    assert!(began.elapsed() >= Duration::from_millis(400));
    assert!(
        began.elapsed() < Duration::from_millis(1500),
        "{:?}",
        began.elapsed()
    );

    // The channel was thrown away, and a new one does not open: nothing was sent.
    let began = Instant::now();
    let outcome = publisher
        .publish(&publication(to, 3), Duration::from_millis(300))
        .await;
    assert!(
        matches!(outcome, Err(PublishError::NotSent(_))),
        "{outcome:?}"
    );
    assert!(
        began.elapsed() < Duration::from_millis(1500),
        "{:?}",
        began.elapsed()
    );

    proxy.thaw();
    publisher.publish(&publication(to, 4), SOON).await.unwrap();
    assert_eq!(proxy.accepted(), 1, "the connection itself was never lost");
    broker.close().await;
    // The first and the last were confirmed; the unknown one had been sent and landed late; the third never went.
    assert_eq!(depth(&vhost, "escalations.normal").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_channel_counts_against_the_time_given() {
    let vhost = Vhost::new().await;
    let proxy = Proxy::before(vhost.address.clone()).await;
    let broker = Broker::start(Config {
        role: Role::Publish,
        publish_channels: 1,
        confirm_timeout: Duration::from_secs(2),
        ..config(vhost.url_by(proxy.address))
    })
    .unwrap();
    broker.wait_ready(SOON).await.unwrap();
    let (first, second) = (broker.publisher(), broker.publisher());
    let to = Destination::Lane(Lane::High);
    first.publish(&publication(to, 1), SOON).await.unwrap();
    proxy.freeze();
    let (one, two) = (publication(to, 2), publication(to, 3));
    let (one, two) = tokio::join!(
        first.publish(&one, SOON),
        second.publish(&two, Duration::from_millis(200))
    );
    assert!(matches!(one, Err(PublishError::Unknown(_))), "{one:?}");
    assert!(matches!(two, Err(PublishError::NotSent(_))), "{two:?}");
    proxy.thaw();
    broker.close().await;
}

#[tokio::test]
async fn without_a_broker_a_publish_ends_in_its_time_and_says_that_nothing_was_sent() {
    // A port that was free a moment ago: nobody listens there.
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let url = secrecy::SecretString::from(format!("amqp://u:hunter2@127.0.0.1:{port}/%2f"));
    let broker = Broker::start(config(url)).unwrap();
    let outcome = broker
        .publisher()
        .publish(
            &publication(Destination::Lane(Lane::High), 1),
            Duration::from_millis(200),
        )
        .await;
    assert!(
        matches!(outcome, Err(PublishError::NotSent(_))),
        "{outcome:?}"
    );
    broker.close().await;
    let outcome = broker
        .publisher()
        .publish(&publication(Destination::Lane(Lane::High), 1), SOON)
        .await;
    assert!(
        matches!(outcome, Err(PublishError::NotSent(_))),
        "{outcome:?}"
    );
}
