//! The pool: takes deliveries from both lanes, hands them to the [`Runner`], and settles them.
//!
//! A delivery ends in exactly one way, and only here: acknowledged, acknowledged after its successor was confirmed, or
//! given back. Nothing is acknowledged before what follows from it is durable.

use jiff::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::orders::Orders;
use super::runner::{Disposition, Runner};
use crate::broker::{
    Broker, Delivery, Destination, Headers, Publication, PublishError, Publisher, Settled,
    Subscription,
};
use crate::crash;
use crate::escalation::{Code, DeadLetter, DeadLetterOrigin, Lane, Message};
use crate::pacing::{Curve, jittered};
use crate::telemetry::{Telemetry, TraceContext};

/// How long taking leave of the pool may take: giving permits back, not being there any more.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);
/// How long one publish may take, from waiting for a channel to the confirm.
const PUBLISH_WITHIN: Duration = Duration::from_secs(6);
/// How long a successor is tried to be published before the message is given back instead.
const PUBLISH_PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two such tries.
const PUBLISH_AGAIN: Curve = Curve {
    first: Duration::from_millis(200),
    factor: 2.0,
    cap: Duration::from_secs(5),
};

/// How the pool works.
#[derive(Debug, Clone, Copy)]
pub struct PoolConfig {
    /// Escalations in hand at once.
    pub concurrency: u16,
    /// How long what is in hand may take after the pool was told to stop.
    pub drain_timeout: Duration,
}

/// The pool of one process.
pub struct Pool {
    broker: Broker,
    shared: Arc<Shared>,
    config: PoolConfig,
}

struct Shared {
    runner: Arc<Runner>,
    publisher: Publisher,
    telemetry: Arc<Telemetry>,
    /// All slots. A quarter of them is out of the normal lane's reach, so that an urgent incident never waits for a
    /// backlog of others to finish.
    slots: Arc<Semaphore>,
    normal_slots: Arc<Semaphore>,
    tasks: TaskTracker,
    /// Tells what is in hand to give itself back at the next step boundary.
    give_back: CancellationToken,
    orders: Orders,
}

impl Pool {
    /// Puts one together. Nothing is taken yet.
    #[must_use]
    pub fn new(
        broker: Broker,
        runner: Arc<Runner>,
        telemetry: Arc<Telemetry>,
        config: PoolConfig,
    ) -> Self {
        let all = usize::from(config.concurrency.max(1));
        let shared = Shared {
            runner,
            publisher: broker.publisher(),
            telemetry,
            slots: Arc::new(Semaphore::new(all)),
            normal_slots: Arc::new(Semaphore::new((all - all / 4).max(1))),
            tasks: TaskTracker::new(),
            give_back: CancellationToken::new(),
            orders: Orders::default(),
        };
        Self {
            broker,
            shared: Arc::new(shared),
            config,
        }
    }

    /// Works until `stop`, then drains in two phases. First it stops taking: what the broker had sent ahead goes back.
    /// Then what is in hand may finish, for half of the time; for the other half it is asked to give itself back at its
    /// next step, which costs no attempt. Returns how much was left in hand all the same: of that, requests may be under
    /// way, and the broker delivers it again.
    pub async fn run(self, stop: CancellationToken) -> usize {
        let telemetry = &self.shared.telemetry;
        telemetry.pool_begins(self.config.concurrency.max(1).into());
        for lane in Lane::ALL {
            telemetry.takes_from(lane.as_str());
        }
        let lanes = TaskTracker::new();
        let following = {
            let (shared, stop) = (self.shared.clone(), stop.clone());
            tokio::spawn(async move { shared.orders.follow(&shared.runner, stop).await })
        };
        for lane in Lane::ALL {
            lanes.spawn(take(
                self.broker.clone(),
                self.shared.clone(),
                lane,
                self.config.concurrency.max(1),
                stop.clone(),
            ));
        }
        lanes.close();
        stop.cancelled().await;
        let began = Instant::now();
        lanes.wait().await;
        let in_hand = || self.shared.tasks.len();
        telemetry.drain_phase("stop_taking", began.elapsed(), in_hand());

        let began = Instant::now();
        self.shared.tasks.close();
        let half = self.config.drain_timeout / 2;
        if timeout(half, self.shared.tasks.wait()).await.is_err() {
            self.shared.give_back.cancel();
            let _ = timeout(half, self.shared.tasks.wait()).await;
        }
        // None of this is needed by anybody for long: it comes back, and is forgotten, by itself.
        let leaving = async { tokio::join!(self.shared.runner.give_back(), following) };
        let _ = timeout(LEAVE_WITHIN, leaving).await;
        telemetry.drain_phase("finish_or_give_back", began.elapsed(), in_hand());
        in_hand()
    }
}

/// Takes deliveries of one lane until told to stop.
async fn take(
    broker: Broker,
    shared: Arc<Shared>,
    lane: Lane,
    prefetch: u16,
    stop: CancellationToken,
) {
    let mut paused = shared.orders.watch();
    while !stop.is_cancelled() {
        {
            let _holding = shared.orders.hold();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = paused.wait_for(|paused| !paused) => {}
            }
        }
        let mut subscription = broker.subscribe(lane, prefetch);
        take_until_paused(&mut subscription, &shared, lane, &mut paused, &stop).await;
        subscription.stop().await;
    }
}

/// Takes deliveries of one lane until told to stop, or to pause.
async fn take_until_paused(
    subscription: &mut Subscription,
    shared: &Arc<Shared>,
    lane: Lane,
    paused: &mut watch::Receiver<bool>,
    stop: &CancellationToken,
) {
    loop {
        // While both vendors are shut out nothing could be done with it. What the broker has sent ahead waits here.
        while let Some(shut_for) = shared.runner.shut_for() {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = paused.wait_for(|paused| *paused) => return,
                () = tokio::time::sleep(shut_for) => {}
            }
        }
        let delivery = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = paused.wait_for(|paused| *paused) => return,
            delivery = subscription.next() => delivery,
        };
        let Some(delivery) = delivery else { return };
        let slots = async {
            // The narrower one first: nobody sits on a common slot while waiting for it.
            let normal = match lane {
                Lane::High => None,
                Lane::Normal => Some(shared.normal_slots.clone().acquire_owned().await),
            };
            (normal, shared.slots.clone().acquire_owned().await)
        };
        let slots = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            _ = paused.wait_for(|paused| *paused) => None,
            slots = slots => Some(slots),
        };
        let Some(slots) = slots else {
            let _ = delivery.hand_back().await;
            return;
        };
        let worker = shared.clone();
        shared.tasks.spawn(async move {
            worker.work(lane, delivery).await;
            drop(slots);
        });
    }
}

impl Shared {
    /// Works on one delivery and settles it.
    async fn work(self: Arc<Self>, lane: Lane, delivery: Delivery) {
        // Until it is settled: what cannot be published yet holds its slot.
        let _in_hand = self.telemetry.take_in_hand();
        crash::after("a delivery");
        self.telemetry
            .delivered(lane.as_str(), delivery.redelivered);
        let (parent, id) = (delivery.traceparent, delivery.message_id.as_deref());
        let mut span = self.telemetry.process_begins(parent, delivery.source, id);
        let trace = span.context();
        let message = match Message::decode(&delivery.body) {
            Ok(message) => Arc::new(message),
            Err(error) => {
                let letter = DeadLetter::of_bytes(
                    &delivery.body,
                    Code::MessageUndecodable,
                    error.to_string(),
                    DeadLetterOrigin::Worker,
                    Timestamp::now(),
                );
                tracing::warn!(event = "message.undecodable", lane = lane.as_str(), id = %letter.id, %error);
                self.telemetry.dead_letter_written(letter.code);
                span.not_understood(letter.code.as_str());
                return self
                    .settle(lane, delivery, trace, Disposition::Dead(Box::new(letter)))
                    .await;
            }
        };
        // A task of its own: a panic, which is a defect of ours, must not take the delivery with it unsettled.
        let task = {
            let (this, message) = (self.clone(), message.clone());
            let redelivered = delivery.redelivered;
            tokio::spawn(async move {
                let handling =
                    this.runner
                        .handle(&message, redelivered, &mut span, &this.give_back);
                (handling.await, span)
            })
        };
        match task.await {
            Ok((disposition, _span)) => {
                self.settle(message.lane, delivery, trace, disposition)
                    .await;
            }
            Err(error) => {
                self.telemetry
                    .panicked(message.incident_id.as_str(), &error);
                // Its claim is not given back, which counts as a takeover: should it panic every time, the ledger ends it.
                let _ = delivery.reject().await;
            }
        }
    }

    /// A successor belongs where its message did; where that belonged nowhere, where its first attempt does (`trace`).
    async fn settle(
        &self,
        lane: Lane,
        delivery: Delivery,
        trace: TraceContext,
        disposition: Disposition,
    ) {
        let traceparent = Some(delivery.traceparent.unwrap_or(trace));
        let settled = match disposition {
            Disposition::Done => ack(delivery).await,
            Disposition::HandBack => delivery.hand_back().await,
            Disposition::Later(delay) => {
                let publication = Publication {
                    to: Destination::Later { lane, delay },
                    message_id: delivery.message_id.clone().unwrap_or_default(),
                    body: delivery.body.clone(),
                    headers: Headers {
                        code: None,
                        traceparent,
                    },
                };
                if self.publish(&publication, &delivery, trace, "later").await {
                    ack(delivery).await
                } else {
                    delivery.hand_back().await
                }
            }
            Disposition::Dead(letter) => match letter.encode() {
                Ok(body) => {
                    let publication = Publication {
                        to: Destination::Dead,
                        message_id: letter.id.to_string(),
                        body,
                        headers: Headers {
                            code: Some(letter.code.as_str().to_owned()),
                            traceparent,
                        },
                    };
                    if self.publish(&publication, &delivery, trace, "dead").await {
                        self.runner.letter_is_out(&letter).await;
                        ack(delivery).await
                    } else {
                        delivery.hand_back().await
                    }
                }
                Err(error) => {
                    tracing::error!(event = "dead_letter.unwritable", id = %letter.id, %error);
                    delivery.reject().await
                }
            },
        };
        match settled {
            Settled::Sent => {}
            Settled::Lost => tracing::debug!(
                event = "delivery.lost",
                "the channel is gone; the message will be delivered again"
            ),
        }
    }

    /// Publishes a successor; stays at it while the original is still ours. `false`: it is not certainly stored.
    async fn publish(
        &self,
        publication: &Publication,
        delivery: &Delivery,
        trace: TraceContext,
        target: &'static str,
    ) -> bool {
        let what = match publication.to {
            Destination::Dead => "publishing the dead letter",
            Destination::Later { .. } | Destination::Lane(_) => "publishing the successor",
        };
        let delay = match publication.to {
            Destination::Later { delay, .. } => Some(delay),
            Destination::Dead | Destination::Lane(_) => None,
        };
        let (queue, id) = (publication.to.queue(), &publication.message_id);
        let mut span = self.telemetry.send_begins(Some(trace), queue, id, delay);
        let began = Instant::now();
        for attempt in 0.. {
            crash::before(what);
            let handed = Instant::now();
            let result = self.publisher.publish(publication, PUBLISH_WITHIN).await;
            crash::after(what);
            let outcome = PublishError::outcome(&result);
            self.telemetry.published(target, outcome, handed.elapsed());
            let Err(error) = result else {
                span.sent(outcome);
                return true;
            };
            tracing::warn!(event = "publish.failed", target, %error);
            let over = !delivery.is_live() || began.elapsed() > PUBLISH_PATIENCE;
            if over || self.give_back.is_cancelled() {
                span.sent(outcome);
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(jittered(PUBLISH_AGAIN.delay(attempt))) => {}
                () = self.give_back.cancelled() => {
                    span.sent(outcome);
                    break;
                }
            }
        }
        false
    }
}

async fn ack(delivery: Delivery) -> Settled {
    crash::before("the ack");
    let settled = delivery.ack().await;
    crash::after("the ack");
    settled
}
