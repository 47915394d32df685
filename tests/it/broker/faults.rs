//! What is wrong is said, with the name of the thing, and tried again in its time.

use std::time::{Duration, Instant};

use escalator::broker::topology::{self, Object};
use escalator::broker::{Broker, ConnectionHealth, Destination, Error};
use escalator::escalation::Lane;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use secrecy::SecretString;
use tokio::time::timeout;

use super::{SOON, config, consume_only, depth_becomes, fault, next, publication, ready};
use crate::support::proxy::Proxy;
use crate::support::vhost::Vhost;

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_a_refused_login_and_is_tried_again_with_growing_pauses() {
    let vhost = Vhost::new().await;
    let proxy = Proxy::before(vhost.address.clone()).await;
    let url = vhost.url_as(&proxy.address.to_string(), "guest", "hunter2");
    let began = Instant::now();
    let broker = Broker::start(consume_only(url)).unwrap();
    let fourth = broker.wait_until(|health| {
        matches!(
            health.consume,
            Some(ConnectionHealth::Connecting { failures: 4.., .. })
        )
    });
    let health = timeout(SOON, fourth).await.unwrap();
    // Pauses of at least 0.2, 0.4 and 0.8 s lie between four attempts.
    assert!(
        began.elapsed() >= Duration::from_millis(1400),
        "{:?}",
        began.elapsed()
    );
    assert!(proxy.accepted() <= 5, "{} attempts", proxy.accepted());
    let error = fault(&broker).await;
    assert_eq!(error.code(), "broker_login_refused");
    assert!(error.needs_a_person());
    assert!(error.to_string().contains("'guest'"), "{error}");
    for shown in [error.to_string(), format!("{health:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_virtual_host_that_does_not_exist_is_named() {
    let vhost = Vhost::new().await;
    let url = SecretString::from(format!("amqp://guest:guest@{}/nowhere", vhost.address));
    let broker = Broker::start(consume_only(url.clone())).unwrap();
    let error = fault(&broker).await;
    assert_eq!(error.code(), "broker_virtual_host");
    assert!(error.to_string().contains("nowhere"), "{error}");
    broker.close().await;
    assert_eq!(Broker::check(config(url)).await.unwrap_err(), error);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_rights_name_the_object() {
    let vhost = Vhost::new().await;
    let user = format!("{}-user", vhost.name);
    vhost.user(&user, "secret", "^escalations$").await;
    let url = vhost.url_as(&vhost.address, &user, "secret");
    let error = Broker::check(config(url)).await.unwrap_err();
    vhost.delete_user(&user).await;
    assert!(matches!(error, Error::Forbidden { .. }), "{error:?}");
    assert!(
        error.to_string().contains("queue 'escalations.dead'"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_on_what_begins_with_escalations_are_enough_for_everything() {
    let vhost = Vhost::new().await;
    let user = format!("{}-narrow", vhost.name);
    vhost.user_with(&user, "secret", ["^escalations"; 3]).await;
    let url = vhost.url_as(&vhost.address, &user, "secret");
    let broker = Broker::start(config(url)).unwrap();
    let mut subscription = broker.subscribe(Lane::High, 1);
    broker.wait_ready(SOON).await.unwrap();
    let publisher = broker.publisher();
    let delay = Duration::from_secs(1);
    let later = Destination::Later {
        lane: Lane::High,
        delay,
    };
    for to in [Destination::Lane(Lane::High), later, Destination::Dead] {
        let publication = publication(to, "narrow");
        publisher.publish(&publication, SOON).await.unwrap();
    }
    for _ in 0..2 {
        let _ = next(&mut subscription).await.ack().await;
    }
    depth_becomes(&vhost, "escalations.dead", 1).await;
    broker.close().await;
    vhost.delete_user(&user).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_with_other_arguments_is_named_and_once_it_is_gone_all_is_well() {
    let vhost = Vhost::new().await;
    let raw = vhost.raw().await;
    let channel = raw.create_channel().await.unwrap();
    let durable = QueueDeclareOptions {
        durable: true,
        ..Default::default()
    };
    channel
        .queue_declare("escalations.normal".into(), durable, FieldTable::default())
        .await
        .unwrap();
    let broker = Broker::start(consume_only(vhost.url())).unwrap();
    let error = fault(&broker).await;
    assert!(matches!(error, Error::Mismatch { .. }), "{error:?}");
    assert!(
        error.to_string().contains("queue 'escalations.normal'"),
        "{error}"
    );
    assert!(error.to_string().contains("x-"), "which argument: {error}");
    let checked = Broker::check(config(vhost.url())).await;
    assert_eq!(checked.unwrap_err(), error);
    // The targets of dead letters come before what dies into them, so they stand although the lane is refused.
    assert!(vhost.arguments("escalations.dead").await.is_object());
    channel
        .queue_delete("escalations.normal".into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    broker.wait_ready(SOON).await.unwrap();
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_declared_is_what_the_table_says_and_declaring_it_again_changes_nothing() {
    let vhost = Vhost::new().await;
    let first = Broker::check(config(vhost.url())).await.unwrap();
    let broker = ready(&vhost).await;
    assert_eq!(Broker::check(config(vhost.url())).await.unwrap(), first);
    assert_eq!(first.objects, topology::table().len());
    for object in topology::table() {
        let Object::Queue { name, arguments } = object else {
            continue;
        };
        let found = vhost.arguments(&name).await;
        assert_eq!(found.as_object().unwrap().len(), arguments.len(), "{name}");
        assert_eq!(found["x-queue-type"], "quorum", "{name}");
    }
    broker.close().await;
}
