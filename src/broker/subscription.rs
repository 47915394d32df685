//! A stream of deliveries that outlives the connections under it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use lapin::Consumer;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::error::refusal;
use super::link::{Link, OpenChannel, Purpose, Shared};
use super::session::Session;
use super::{Delivery, Handle, Source, events, topology};
use crate::pacing::{Curve, jittered};

/// Between attempts to subscribe on a connection that is there.
const RESUBSCRIBE: Curve = Curve {
    first: Duration::from_millis(100),
    factor: 2.0,
    cap: Duration::from_secs(4),
};

/// A subscription that lasted so long has proven itself; a queue that is deleted again and again has not.
const PROVEN: Duration = Duration::from_secs(10);

/// How long opening the channel and subscribing may take.
const SUBSCRIBE_LIMIT: Duration = Duration::from_secs(10);

/// How long the broker may take to end a subscription and let out what it had sent ahead.
const CANCEL_LIMIT: Duration = Duration::from_secs(3);

/// Deliveries of one queue, over all reconnects. Dropping it stops it.
pub struct Subscription {
    shelf: Arc<Shelf>,
    stop: CancellationToken,
    /// Keeps the connections: they close when the last handle is gone.
    _handle: Arc<Handle>,
}

/// Stops a [`Subscription`] from elsewhere.
#[derive(Clone, Debug)]
pub struct StopHandle(CancellationToken);

impl StopHandle {
    /// No delivery is handed out from now on; [`Subscription::next`] answers `None` once what the broker had sent
    /// ahead is handed back.
    pub fn stop(&self) {
        self.0.cancel();
    }
}

impl Subscription {
    pub(super) fn start(handle: Arc<Handle>, source: Source, prefetch: u16) -> Self {
        let shared = &handle.shared;
        let stop = shared.stop.child_token();
        let shelf = Arc::new(Shelf::default());
        if shared.config.role.consumes() {
            let subscriber = Subscriber {
                shared: Arc::clone(shared),
                source,
                // 0 would mean without limit.
                prefetch: prefetch.max(1),
                stop: stop.clone(),
                shelf: Arc::clone(&shelf),
            };
            shared
                .subscribers
                .spawn_on(subscriber.run(), &shared.runtime);
        } else {
            shelf.end();
        }
        Self {
            shelf,
            stop,
            _handle: handle,
        }
    }

    /// The next delivery. Waits through lost connections; deliveries of a lost one that nobody has taken yet are
    /// left out, since the broker has them back. Cancel-safe.
    ///
    /// `None` only when the subscription was stopped, and everything not handed out is back in the queue (or the
    /// process's role has no connection for it).
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            let changed = self.shelf.changed.notified();
            match self.shelf.take(self.stop.is_cancelled()) {
                Taken::Delivery(delivery) => return Some(*delivery),
                Taken::Ended => return None,
                Taken::Nothing => changed.await,
            }
        }
    }

    /// Stops, and returns when what the broker had sent ahead is back in the queue. Deliveries handed out before
    /// stay valid and can be settled.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        loop {
            let changed = self.shelf.changed.notified();
            if self.shelf.ended.load(Ordering::Acquire) {
                return;
            }
            changed.await;
        }
    }

    /// A handle that stops this subscription.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(self.stop.clone())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Where deliveries lie until somebody takes them: never more than the prefetch.
#[derive(Default)]
struct Shelf {
    deliveries: Mutex<VecDeque<Delivery>>,
    ended: AtomicBool,
    changed: Notify,
}

enum Taken {
    Delivery(Box<Delivery>),
    Nothing,
    Ended,
}

impl Shelf {
    fn put(&self, delivery: Delivery) {
        self.lock().push_back(delivery);
        self.changed.notify_one();
    }

    fn take(&self, stopped: bool) -> Taken {
        if self.ended.load(Ordering::Acquire) {
            return Taken::Ended;
        }
        if stopped {
            // What lies here is about to be handed back.
            return Taken::Nothing;
        }
        let mut deliveries = self.lock();
        while let Some(delivery) = deliveries.pop_front() {
            if delivery.is_live() {
                return Taken::Delivery(Box::new(delivery));
            }
        }
        Taken::Nothing
    }

    fn take_all(&self) -> VecDeque<Delivery> {
        std::mem::take(&mut *self.lock())
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        // One permit is kept for a reader that is not waiting yet; there is one reader at most.
        self.changed.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Delivery>> {
        self.deliveries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task behind a subscription.
struct Subscriber {
    shared: Arc<Shared>,
    source: Source,
    prefetch: u16,
    stop: CancellationToken,
    shelf: Arc<Shelf>,
}

impl Subscriber {
    async fn run(self) {
        self.count(|all| all.wanted += 1);
        let stopped = self.stop.clone();
        let mut attempt = 0;
        while let Some(session) = self.session().await {
            let began = Instant::now();
            let why = Box::pin(self.serve(&session)).await;
            if self.stop.is_cancelled() {
                break;
            }
            events::unsubscribed(self.source, &why);
            if began.elapsed() >= PROVEN {
                attempt = 0;
            }
            tokio::select! {
                () = stopped.cancelled() => break,
                () = sleep(jittered(RESUBSCRIBE.delay(attempt))) => attempt += 1,
            }
        }
        self.hand_back_the_shelf().await;
        self.shelf.end();
        self.count(|all| all.wanted = all.wanted.saturating_sub(1));
    }

    /// A connection, blocked or not: deliveries and acks flow either way. `None` when it is time to stop.
    async fn session(&self) -> Option<Arc<Session>> {
        let mut link = self.shared.link(Purpose::Consume).subscribe();
        loop {
            match &*link.borrow_and_update() {
                Link::Up(session) | Link::Blocked(session) => return Some(Arc::clone(session)),
                Link::Closed => return None,
                Link::Down => {}
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                changed = link.changed() => changed.ok()?,
            }
        }
    }

    /// Subscribes and puts deliveries on the shelf until the subscription ends; returns why it did.
    async fn serve(&self, session: &Session) -> String {
        let subscribing = timeout(SUBSCRIBE_LIMIT, self.subscribe(session));
        let subscribed = tokio::select! {
            biased;
            () = self.stop.cancelled() => return "stopped".to_owned(),
            subscribed = subscribing => subscribed,
        };
        let (channel, mut consumer) = match subscribed {
            Ok(Ok(subscribed)) => subscribed,
            Ok(Err(error)) => {
                if matches!(refusal(&error), Some((404, _))) {
                    self.shared.look_again(Purpose::Consume);
                }
                return format!("cannot subscribe: {error}");
            }
            Err(_) => return "cannot subscribe: no answer".to_owned(),
        };
        let _active = Active::new(self);
        loop {
            let delivery = tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    self.drain(&channel, consumer).await;
                    return "stopped".to_owned();
                }
                delivery = consumer.next() => delivery,
            };
            match delivery {
                Some(Ok(delivery)) => {
                    let delivery = Delivery::new(self.source, delivery, &channel, &self.shared);
                    self.shelf.put(delivery);
                }
                Some(Err(error)) => return error.to_string(),
                // The queue was deleted, or a delivery was held for too long; the channel may well be alive, and
                // closes with the last delivery that is still in hand.
                None => return "ended by the broker".to_owned(),
            }
        }
    }

    async fn subscribe(&self, session: &Session) -> lapin::Result<(Arc<OpenChannel>, Consumer)> {
        let channel = OpenChannel::open(session, &self.shared).await?;
        channel
            .basic_qos(self.prefetch, BasicQosOptions::default())
            .await?;
        let consumer = channel
            .basic_consume(
                topology::queue(self.source).into(),
                // The broker chooses a tag.
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await?;
        Ok((Arc::new(channel), consumer))
    }

    /// Ends the subscription and hands back, oldest first, what the broker had sent ahead.
    async fn drain(&self, channel: &Arc<OpenChannel>, mut consumer: Consumer) {
        let draining = async {
            // First of all: otherwise what is handed back would come straight here again.
            let cancelled = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
            if cancelled.await.is_err() {
                return;
            }
            self.hand_back_the_shelf().await;
            while let Some(Ok(delivery)) = consumer.next().await {
                let delivery = Delivery::new(self.source, delivery, channel, &self.shared);
                let _ = delivery.hand_back().await;
            }
        };
        // Past the limit the connection is as good as gone, and with it everything goes back.
        let _ = timeout(CANCEL_LIMIT, draining).await;
    }

    async fn hand_back_the_shelf(&self) {
        for delivery in self.shelf.take_all() {
            let _ = delivery.hand_back().await;
        }
    }

    fn count(&self, change: impl FnOnce(&mut super::Subscriptions)) {
        self.shared
            .health
            .send_modify(|health| change(health.subscriptions.entry(self.source).or_default()));
    }
}

/// Counts a subscription as active for as long as it lives.
struct Active<'a>(&'a Subscriber);

impl<'a> Active<'a> {
    fn new(subscriber: &'a Subscriber) -> Self {
        subscriber.count(|all| all.active += 1);
        Self(subscriber)
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0
            .count(|all| all.active = all.active.saturating_sub(1));
    }
}
