//! The broker room against a real RabbitMQ.

mod delays;
mod faults;
mod publishing;
mod recovery;
mod subscribing;

use std::time::Duration;

use escalator::broker::{
    Broker, Config, ConnectionHealth, Delivery, Destination, Headers, Publication, Role,
    Subscription,
};
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use secrecy::SecretString;
use tokio::time::timeout;

use crate::support::vhost::{Vhost, eventually};

/// Long enough for anything that works; what takes longer hangs.
const SOON: Duration = Duration::from_secs(20);

fn config(url: SecretString) -> Config {
    Config {
        urls: vec![url],
        connection_name: "it".to_owned(),
        ..Config::default()
    }
}

/// A broker that is ready.
async fn ready(vhost: &Vhost) -> Broker {
    let broker = Broker::start(config(vhost.url())).unwrap();
    broker.wait_ready(SOON).await.unwrap();
    broker
}

fn publication(to: Destination, id: impl ToString) -> Publication {
    Publication {
        to,
        message_id: id.to_string(),
        body: id.to_string().into_bytes(),
        headers: Headers::default(),
    }
}

async fn next(subscription: &mut Subscription) -> Delivery {
    timeout(SOON, subscription.next())
        .await
        .expect("a delivery comes")
        .expect("the subscription goes on")
}

/// Messages in the queue that nobody has in hand; counted by the queue itself, so not delayed like statistics.
async fn depth(vhost: &Vhost, queue: &str) -> u32 {
    let raw = vhost.raw().await;
    let channel = raw.create_channel().await.unwrap();
    let options = QueueDeclareOptions {
        passive: true,
        durable: true,
        ..Default::default()
    };
    let declared = channel
        .queue_declare(queue.into(), options, FieldTable::default())
        .await
        .unwrap();
    let count = declared.message_count();
    raw.close(200, "counted".into()).await.unwrap();
    count
}

async fn depth_becomes(vhost: &Vhost, queue: &str, wanted: u32) {
    eventually(&format!("{queue} holds {wanted}"), async || {
        (depth(vhost, queue).await == wanted).then_some(())
    })
    .await;
}

fn is_down(health: Option<&ConnectionHealth>) -> bool {
    matches!(health, Some(ConnectionHealth::Connecting { .. }))
}

/// The error code that the consuming connection fails with, once it does.
async fn fault(broker: &Broker) -> escalator::broker::Error {
    let failed = broker.wait_until(|health| {
        matches!(
            health.consume,
            Some(ConnectionHealth::Connecting {
                last_error: Some(_),
                ..
            })
        )
    });
    match timeout(SOON, failed).await.unwrap().consume {
        Some(ConnectionHealth::Connecting {
            last_error: Some(error),
            ..
        }) => error,
        other => panic!("{other:?}"),
    }
}

fn consume_only(url: SecretString) -> Config {
    Config {
        role: Role::Consume,
        ..config(url)
    }
}
