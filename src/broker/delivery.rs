//! One message in hand, and the three ways to let it go.

use std::sync::Arc;
use std::time::Duration;

use lapin::Acker;
use lapin::options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions};
use lapin::types::{AMQPValue, FieldTable};
use tokio::time::timeout;

use super::Source;
use super::link::{OpenChannel, Shared};
use super::publication::{CODE, TRACEPARENT};
use crate::escalation::Lane;
use crate::telemetry::TraceContext;

/// How long an ack may wait for the socket. A connection that is ending may never take it.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);

/// A message from a queue, until it is settled.
///
/// Dropped without being settled (a panic, an abandoned task) it is rejected and so comes back, counted as a
/// failure.
pub struct Delivery {
    /// The queue that it came from.
    pub source: Source,
    /// The bytes as they were published.
    pub body: Vec<u8>,
    /// Whether the broker has delivered it before.
    pub redelivered: bool,
    /// How often it came back as a failure, as the broker counts (which differs between versions): a hint about a
    /// message that kills its worker, never an attempt count.
    pub deliveries: u64,
    /// AMQP's message id.
    pub message_id: Option<String>,
    /// Header `x-escalator-code`.
    pub code: Option<String>,
    /// Header `traceparent`, where it is one.
    pub traceparent: Option<TraceContext>,
    /// What the broker says about having dead-lettered it here itself; absent on what we published.
    pub died: Option<Died>,
    claim: Option<Claim>,
}

/// Why the broker moved a message by itself: the latest entry of its `x-death`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Died {
    /// The queue that it was in.
    pub queue: String,
    /// `delivery_limit`, `expired`, `rejected` or `maxlen`.
    pub reason: String,
}

/// What became of an ack, as far as it can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a lost ack means that the message will be delivered again"]
pub enum Settled {
    /// It went out. The broker does not confirm it; if the connection breaks now, the message comes again.
    Sent,
    /// The channel was gone, the message will be delivered again. That is no error: whoever gets it finds the
    /// work done.
    Lost,
}

/// The right to settle, and the channel, which stays open for as long as somebody holds a delivery of it.
struct Claim {
    acker: Acker,
    channel: Arc<OpenChannel>,
    shared: Arc<Shared>,
}

#[derive(Clone, Copy)]
enum How {
    Ack,
    HandBack,
    Reject,
}

impl Delivery {
    pub(super) fn new(
        source: Source,
        delivery: lapin::message::Delivery,
        channel: &Arc<OpenChannel>,
        shared: &Arc<Shared>,
    ) -> Self {
        let properties = &delivery.properties;
        let none = FieldTable::default();
        let headers = properties.headers().as_ref().unwrap_or(&none);
        Self {
            source,
            redelivered: delivery.redelivered,
            deliveries: number(headers, "x-delivery-count").unwrap_or_default(),
            message_id: properties.message_id().as_ref().map(ToString::to_string),
            code: text(headers, CODE),
            traceparent: text(headers, TRACEPARENT)
                .and_then(|text| TraceContext::parse(text.as_bytes())),
            died: match source {
                // On the lanes it is only ever the ladder's own "expired".
                Source::Lane(_) => None,
                Source::Dead => died(headers),
            },
            body: delivery.data,
            claim: Some(Claim {
                acker: delivery.acker,
                channel: Arc::clone(channel),
                shared: Arc::clone(shared),
            }),
        }
    }

    /// The lane that it came by; `None` for a dead letter.
    #[must_use]
    pub const fn lane(&self) -> Option<Lane> {
        match self.source {
            Source::Lane(lane) => Some(lane),
            Source::Dead => None,
        }
    }

    /// Whether it can still be settled. If not, the broker has it back already, and may have given it to
    /// another worker.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.claim
            .as_ref()
            .is_some_and(|claim| claim.acker.usable())
    }

    /// Done with: the broker deletes it. Goes out even if this future is dropped after its first poll.
    pub async fn ack(mut self) -> Settled {
        self.settle(How::Ack).await
    }

    /// Untouched: it goes back to the queue, and from RabbitMQ 4.3 on that does not count as a failure.
    pub async fn hand_back(mut self) -> Settled {
        self.settle(How::HandBack).await
    }

    /// Failed: it goes back to the queue and counts towards the delivery limit.
    pub async fn reject(mut self) -> Settled {
        self.settle(How::Reject).await
    }

    async fn settle(&mut self, how: How) -> Settled {
        let Some(claim) = self.claim.take() else {
            return Settled::Lost;
        };
        // A task of its own, so that it ends however its caller ends, and so that closing can wait for it.
        let settling = claim.shared.settling.clone();
        let runtime = claim.shared.runtime.clone();
        let task = settling.spawn_on(claim.settle(how), &runtime);
        task.await.unwrap_or(Settled::Lost)
    }
}

impl Claim {
    async fn settle(self, how: How) -> Settled {
        let (ack, nack, reject) = (
            BasicAckOptions { multiple: false },
            BasicNackOptions {
                multiple: false,
                requeue: true,
            },
            BasicRejectOptions { requeue: true },
        );
        let settling = async {
            match how {
                How::Ack => self.acker.ack(ack).await,
                How::HandBack => self.acker.nack(nack).await,
                How::Reject => self.acker.reject(reject).await,
            }
        };
        // It waits for the socket; one that takes nothing any more is as good as gone, and so is the delivery.
        let result = timeout(SETTLE_LIMIT, settling).await;
        drop(self.channel);
        match result {
            Ok(Ok(true)) => Settled::Sent,
            Ok(Ok(false) | Err(_)) | Err(_) => Settled::Lost,
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take().filter(|claim| claim.acker.usable()) {
            let settling = claim.shared.settling.clone();
            let runtime = claim.shared.runtime.clone();
            settling.spawn_on(claim.settle(How::Reject), &runtime);
        }
    }
}

/// Without the body: it is a customer's.
impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery")
            .field("source", &self.source)
            .field("message_id", &self.message_id)
            .field("redelivered", &self.redelivered)
            .field("deliveries", &self.deliveries)
            .field("code", &self.code)
            .field("died", &self.died)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

fn died(headers: &FieldTable) -> Option<Died> {
    let Some(AMQPValue::FieldArray(deaths)) = headers.inner().get("x-death") else {
        return None;
    };
    // The broker keeps the latest first.
    let Some(AMQPValue::FieldTable(latest)) = deaths.as_slice().first() else {
        return None;
    };
    Some(Died {
        queue: text(latest, "queue")?,
        reason: text(latest, "reason")?,
    })
}

// AMQP's value types are many and theirs; a header of an unexpected type counts as absent.
#[allow(clippy::wildcard_enum_match_arm)]
fn text(headers: &FieldTable, name: &str) -> Option<String> {
    match headers.inner().get(name)? {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

#[allow(clippy::wildcard_enum_match_arm)]
fn number(headers: &FieldTable, name: &str) -> Option<u64> {
    match headers.inner().get(name)? {
        AMQPValue::LongLongInt(number) => u64::try_from(*number).ok(),
        AMQPValue::LongInt(number) => u64::try_from(*number).ok(),
        AMQPValue::LongUInt(number) => Some(u64::from(*number)),
        AMQPValue::ShortInt(number) => u64::try_from(*number).ok(),
        AMQPValue::ShortUInt(number) => Some(u64::from(*number)),
        AMQPValue::ShortShortInt(number) => u64::try_from(*number).ok(),
        AMQPValue::ShortShortUInt(number) => Some(u64::from(*number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_death_is_told_and_a_malformed_one_is_not() {
        let death = |queue: &str, reason: &str| {
            let mut table = FieldTable::default();
            table.insert("queue".into(), AMQPValue::LongString(queue.into()));
            table.insert("reason".into(), AMQPValue::LongString(reason.into()));
            AMQPValue::FieldTable(table)
        };
        let mut headers = FieldTable::default();
        assert_eq!(died(&headers), None);
        let deaths = vec![
            death("escalations.high", "delivery_limit"),
            death("escalations.delay.00", "expired"),
        ];
        headers.insert("x-death".into(), AMQPValue::FieldArray(deaths.into()));
        let expected = Died {
            queue: "escalations.high".to_owned(),
            reason: "delivery_limit".to_owned(),
        };
        assert_eq!(died(&headers), Some(expected));
        headers.insert("x-death".into(), AMQPValue::LongString("no array".into()));
        assert_eq!(died(&headers), None);
    }

    #[test]
    fn a_count_of_any_integer_type_is_read_and_nothing_else() {
        let mut headers = FieldTable::default();
        for (value, expected) in [
            (AMQPValue::LongLongInt(3), Some(3)),
            (AMQPValue::ShortShortUInt(4), Some(4)),
            (AMQPValue::LongLongInt(-1), None),
            (AMQPValue::LongString("5".into()), None),
        ] {
            headers.insert("n".into(), value);
            assert_eq!(number(&headers, "n"), expected);
        }
    }
}
