//! A broker that delivers twice, as every broker may: one message in so many comes again.
//!
//! A queue of its own is bound beside the lanes, to the exchange and to the end of the delay ladder; what its consumer
//! draws is published once more, straight into the lane's queue, so that no copy is copied. It outlives its connection:
//! the broker may be stopped and started meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use tokio::task::JoinHandle;

/// One that works until it is dropped.
pub(crate) struct Duplicator {
    seen: Arc<AtomicU64>,
    copied: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Duplicator {
    /// Copies one in `one_in` messages of this virtual host from now on. The topology must have been declared.
    pub(crate) async fn start(url: &str, one_in: u32) -> Self {
        let (seen, copied) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let (counted, url) = ((seen.clone(), copied.clone()), url.to_owned());
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            let mut ready = Some(ready);
            loop {
                // It ends with its connection, and there is no event to wait for until the broker is back.
                let _ = copy(&url, one_in, &counted.0, &counted.1, &mut ready).await;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        is_ready.await.unwrap();
        Self { seen, copied, task }
    }

    /// How many messages it has seen, and how many of them came twice.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (count(&self.seen), count(&self.copied))
    }
}

impl Drop for Duplicator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn copy(
    url: &str,
    one_in: u32,
    seen: &AtomicU64,
    copied: &AtomicU64,
    ready: &mut Option<tokio::sync::oneshot::Sender<()>>,
) -> lapin::Result<()> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions {
        exclusive: true,
        ..QueueDeclareOptions::default()
    };
    let queue = channel
        .queue_declare("".into(), options, FieldTable::default())
        .await?;
    let queue = queue.name().clone();
    for (exchange, key) in [
        ("escalations", "high"),
        ("escalations", "normal"),
        ("escalations.delay.out", "#"),
    ] {
        channel
            .queue_bind(
                queue.clone(),
                exchange.into(),
                key.into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await?;
    }
    let options = BasicConsumeOptions {
        no_ack: true,
        ..BasicConsumeOptions::default()
    };
    let mut deliveries = channel
        .basic_consume(queue, "".into(), options, FieldTable::default())
        .await?;
    if let Some(ready) = ready.take() {
        let _ = ready.send(());
    }
    while let Some(delivery) = deliveries.next().await {
        let delivery = delivery?;
        seen.fetch_add(1, Ordering::Relaxed);
        if !rand::random_ratio(1, one_in) {
            continue;
        }
        // The last word of either routing key is the lane.
        let key = delivery.routing_key.as_str();
        let lane = key.rsplit('.').next().unwrap_or(key);
        let mut properties = BasicProperties::default().with_delivery_mode(2);
        if let Some(id) = delivery.properties.message_id() {
            properties = properties.with_message_id(id.clone());
        }
        channel
            .basic_publish(
                "".into(),
                format!("escalations.{lane}").into(),
                BasicPublishOptions::default(),
                &delivery.data,
                properties,
            )
            .await?;
        copied.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
