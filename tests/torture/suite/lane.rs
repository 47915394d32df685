//! Places where runs take place: each has a virtual host of its own, used by one run at a time. A run leaves its queues
//! empty, which is judged, so that the next may use them; after one that did not, the place is made anew.

use std::sync::Mutex;

use lapin::Channel;
use lapin::options::{QueueDeclareOptions, QueuePurgeOptions};
use lapin::types::FieldTable;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::support::vhost::Vhost;

/// Delays of more than two minutes do not come up in a run.
const RUNGS: u8 = 7;
const DEAD: &str = "escalations.dead";

/// A virtual host with a connection of the test's own.
pub(crate) struct Lane {
    /// Lent to the world of a run.
    pub(crate) vhost: Option<Vhost>,
    channel: Channel,
    _connection: lapin::Connection,
}

impl Lane {
    pub(crate) async fn new() -> Self {
        let vhost = Vhost::new().await;
        let connection = vhost.raw().await;
        Self {
            channel: connection.create_channel().await.unwrap(),
            _connection: connection,
            vhost: Some(vhost),
        }
    }

    /// Whether nothing waits to be worked on, now or later, or to be kept. Not counted: what a worker has in hand.
    pub(crate) async fn is_empty(&self) -> bool {
        for queue in queues().into_iter().chain([DEAD.to_owned()]) {
            if self.waiting_in(&queue).await > 0 {
                return false;
            }
        }
        true
    }

    async fn waiting_in(&self, queue: &str) -> u32 {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let declared = self
            .channel
            .queue_declare(queue.into(), options, FieldTable::default());
        declared.await.unwrap().message_count()
    }

    /// Throws away whatever a failed run has left.
    pub(crate) async fn purge(&self) {
        for queue in queues().into_iter().chain([DEAD.to_owned()]) {
            let purging = self
                .channel
                .queue_purge(queue.as_str().into(), QueuePurgeOptions::default());
            purging.await.unwrap();
        }
    }
}

fn queues() -> Vec<String> {
    let rungs = (0..RUNGS).map(|level| format!("escalations.delay.{level:02}"));
    let lanes = ["escalations.high", "escalations.normal"].map(str::to_owned);
    lanes.into_iter().chain(rungs).collect()
}

/// A set of them.
pub(crate) struct Lanes {
    free: Mutex<Vec<Lane>>,
    permits: Semaphore,
}

impl Lanes {
    pub(crate) async fn new(count: usize) -> Self {
        let mut free = Vec::with_capacity(count);
        for _ in 0..count {
            free.push(Lane::new().await);
        }
        Self {
            free: Mutex::new(free),
            permits: Semaphore::new(count),
        }
    }

    /// Waits for one that is free.
    pub(crate) async fn take(&self) -> (Lane, SemaphorePermit<'_>) {
        let permit = self.permits.acquire().await.unwrap();
        let lane = self.free.lock().unwrap().pop().unwrap();
        (lane, permit)
    }

    /// Gives it back; the permit goes after it.
    pub(crate) fn put_back(&self, lane: Lane, permit: SemaphorePermit<'_>) {
        self.free.lock().unwrap().push(lane);
        drop(permit);
    }
}
