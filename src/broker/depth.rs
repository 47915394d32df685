//! How full the queues are, as the broker says.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use tokio::time::timeout;

use super::Broker;
use super::declare::Depth;
use super::link::{Link, Purpose};
use super::session::Session;
use super::topology::{self, Object};

impl Broker {
    /// Asks for every queue of the topology, without changing anything. `None`: no connection, no answer in time, or a queue
    /// is gone.
    pub async fn depths(&self, within: Duration) -> Option<Vec<Depth>> {
        let session = self.session()?;
        timeout(within, Box::pin(every_queue(&session)))
            .await
            .ok()?
    }

    /// That of the deliveries before that of the publishes: a broker whose alarm is on does not listen on the latter.
    fn session(&self) -> Option<Arc<Session>> {
        let shared = &self.0.shared;
        let of = |purpose| match &*shared.link(purpose).borrow() {
            Link::Up(session) | Link::Blocked(session) => Some(Arc::clone(session)),
            Link::Down | Link::Closed => None,
        };
        of(Purpose::Consume).or_else(|| of(Purpose::Publish))
    }
}

async fn every_queue(session: &Session) -> Option<Vec<Depth>> {
    let channel = session.connection.create_channel().await.ok()?;
    let passively = QueueDeclareOptions {
        passive: true,
        ..Default::default()
    };
    let mut depths = Vec::new();
    for object in topology::table() {
        let Object::Queue { name, .. } = object else {
            continue;
        };
        let declared =
            channel.queue_declare(name.as_str().into(), passively, FieldTable::default());
        // A queue that is not there closes the channel; the supervisor hears of that and declares again.
        let queue = declared.await.ok()?;
        depths.push(Depth {
            queue: name,
            messages: queue.message_count(),
            consumers: queue.consumer_count(),
        });
    }
    // Whatever comes of that, nobody uses it any more.
    let _ = channel.close(200, "looked".into()).await;
    Some(depths)
}
