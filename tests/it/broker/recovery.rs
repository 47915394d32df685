//! Connections that end, and come back.

use std::time::Duration;

use escalator::broker::{Broker, Config, ConnectionHealth, Destination, Settled};
use escalator::escalation::Lane;
use secrecy::SecretString;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::{SOON, config, consume_only, depth_becomes, is_down, next, publication, ready};
use crate::support::node::Node;
use crate::support::vhost::{Listed, Vhost, eventually};

/// Both connections, as the broker lists them.
async fn both(vhost: &Vhost) -> Vec<Listed> {
    eventually("both connections are listed", async || {
        let listed = vhost.connections().await;
        (listed.len() == 2).then_some(listed)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_connections_with_their_names_and_a_heartbeat_of_ten_seconds() {
    let vhost = Vhost::new().await;
    let broker = ready(&vhost).await;
    let mut listed = both(&vhost).await;
    listed.sort_by(|a, b| a.connection_name.cmp(&b.connection_name));
    assert_eq!(listed[0].connection_name, "it/consume");
    assert_eq!(listed[1].connection_name, "it/publish");
    assert!(listed.iter().all(|one| one.heartbeat == 10), "{listed:?}");
    broker.close().await;
    eventually("no connection is left", async || {
        vhost.connections().await.is_empty().then_some(())
    })
    .await;
    assert!(!broker.health().is_ready());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_broker_closed_both_connections_publishing_and_consuming_go_on() {
    let vhost = Vhost::new().await;
    let broker = ready(&vhost).await;
    let mut subscription = broker.subscribe(Lane::High, 4);
    let publisher = broker.publisher();
    let to = Destination::Lane(Lane::High);
    publisher
        .publish(&publication(to, "before"), SOON)
        .await
        .unwrap();
    let before = next(&mut subscription).await;
    let mut health = broker.watch();
    for connection in &both(&vhost).await {
        vhost.close(connection).await;
        let down = health.wait_for(|health| {
            is_down(health.consume.as_ref()) || is_down(health.publish.as_ref())
        });
        assert!(!timeout(SOON, down).await.unwrap().unwrap().is_ready());
        timeout(SOON, health.wait_for(|health| health.is_ready()))
            .await
            .unwrap()
            .unwrap();
    }
    // What was in hand belongs to a connection that is gone.
    assert!(!before.is_live());
    assert_eq!(before.ack().await, Settled::Lost);
    let again = next(&mut subscription).await;
    assert_eq!(again.body, b"before");
    assert!(again.redelivered);
    assert_eq!(again.ack().await, Settled::Sent);
    publisher
        .publish(&publication(to, "after"), SOON)
        .await
        .unwrap();
    let after = next(&mut subscription).await;
    assert_eq!(after.body, b"after");
    assert_eq!(after.ack().await, Settled::Sent);
    broker.close().await;
    depth_becomes(&vhost, "escalations.high", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_of_a_lost_connection_that_nobody_took_are_never_handed_out() {
    let vhost = Vhost::new().await;
    let broker = ready(&vhost).await;
    let publisher = broker.publisher();
    for id in 0..4 {
        let publication = publication(Destination::Lane(Lane::High), id);
        publisher.publish(&publication, SOON).await.unwrap();
    }
    let mut subscription = broker.subscribe(Lane::High, 4);
    broker.wait_ready(SOON).await.unwrap();
    depth_becomes(&vhost, "escalations.high", 0).await;
    let mut health = broker.watch();
    let listed = both(&vhost).await;
    let consume = listed
        .iter()
        .find(|one| one.connection_name == "it/consume");
    vhost.close(consume.unwrap()).await;
    let down = health.wait_for(|health| is_down(health.consume.as_ref()));
    drop(timeout(SOON, down).await.unwrap().unwrap());
    broker.wait_ready(SOON).await.unwrap();
    for _ in 0..4 {
        let delivery = next(&mut subscription).await;
        assert!(delivery.redelivered, "a delivery of the lost connection");
        assert_eq!(delivery.ack().await, Settled::Sent);
    }
    broker.close().await;
    depth_becomes(&vhost, "escalations.high", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_gone_is_passed_over_for_the_next() {
    let vhost = Vhost::new().await;
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        vhost.url_by(listener.local_addr().unwrap())
    };
    let config = Config {
        urls: vec![gone, vhost.url()],
        ..config(vhost.url())
    };
    let checked = Broker::check(config.clone()).await.unwrap();
    assert_eq!(checked.skipped.len(), 1);
    assert_eq!(checked.skipped[0].code(), "broker_unreachable");
    let broker = Broker::start(config).unwrap();
    broker.wait_ready(SOON).await.unwrap();
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_accepts_and_stays_mute_is_left_behind_completely() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = SecretString::from(format!("amqp://u:hunter2@{address}/%2f"));
    let broker = Broker::start(Config {
        connect_timeout: Duration::from_millis(200),
        ..consume_only(url)
    })
    .unwrap();
    for _ in 0..3 {
        let (mut peer, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
        let mut heard = Vec::new();
        // It ends only when the other side has hung up.
        timeout(SOON, peer.read_to_end(&mut heard))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(heard, b"AMQP\0\0\x09\x01");
    }
    let Some(ConnectionHealth::Connecting {
        last_error: Some(error),
        ..
    }) = broker.health().consume
    else {
        panic!("{:?}", broker.health());
    };
    assert_eq!(error.code(), "broker_unreachable");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn amqps_really_speaks_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = SecretString::from(format!("amqps://u:p@localhost:{port}/%2f"));
    let broker = Broker::start(consume_only(url)).unwrap();
    let (mut peer, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    let first = timeout(SOON, peer.read_u8()).await.unwrap().unwrap();
    assert_eq!(first, 0x16, "a TLS handshake record, not the A of AMQP");
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_alarm_blocks_publishing_and_shows_but_lets_acks_through() {
    // The alarm is the whole node's, so this test has a node of its own.
    let node = Node::start().await;
    let watermark = async |value: &str| node.ctl(&["set_vm_memory_high_watermark", value]).await;
    let vhost = Vhost::on(&node).await;
    let broker = ready(&vhost).await;
    let publisher = broker.publisher();
    let to = Destination::Lane(Lane::High);
    publisher
        .publish(&publication(to, "before"), SOON)
        .await
        .unwrap();
    let mut subscription = broker.subscribe(Lane::High, 1);
    let delivery = next(&mut subscription).await;
    watermark("0.000001").await;
    // The broker blocks a connection when it publishes next.
    let within = Duration::from_millis(500);
    let outcome = publisher.publish(&publication(to, "blocked"), within).await;
    assert!(outcome.is_err(), "{outcome:?}");
    let blocked = broker
        .wait_until(|health| matches!(health.publish, Some(ConnectionHealth::Blocked { .. })));
    let health = timeout(SOON, blocked).await.unwrap();
    assert!(health.missing().unwrap().contains("memory"), "{health:?}");
    let outcome = publisher.publish(&publication(to, "blocked"), within).await;
    assert!(
        matches!(outcome, Err(escalator::broker::PublishError::NotSent(_))),
        "{outcome:?}"
    );
    let acked = timeout(Duration::from_secs(2), delivery.ack()).await;
    assert_eq!(acked.unwrap(), Settled::Sent);
    watermark("0.6").await;
    broker.wait_ready(SOON).await.unwrap();
    publisher
        .publish(&publication(to, "after"), SOON)
        .await
        .unwrap();
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_misses_a_queue_costs_nobody_a_connection_and_the_queue_comes_back() {
    let vhost = Vhost::new().await;
    let broker = ready(&vhost).await;
    let mut subscription = broker.subscribe(Lane::High, 4);
    let before = broker.wait_until(|health| health.is_ready()).await;
    assert!(broker.depths(SOON).await.is_some());
    vhost.taker().await.delete("escalations.delay.00").await;
    assert!(broker.depths(SOON).await.is_none());
    eventually("the queue is there again", async || {
        broker.depths(SOON).await
    })
    .await;
    let after = broker.health();
    assert_eq!(
        (after.consume, after.publish),
        (before.consume, before.publish)
    );
    let to = Destination::Lane(Lane::High);
    broker
        .publisher()
        .publish(&publication(to, "after"), SOON)
        .await
        .unwrap();
    assert_eq!(next(&mut subscription).await.ack().await, Settled::Sent);
}
