//! What is published, where to, and how it can end.

use std::borrow::Cow;
use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::{Source, ladder, topology};
use crate::escalation::Lane;
use crate::telemetry::TraceContext;

/// No header value is longer, in bytes. A header table larger than a frame ends the whole connection.
pub const HEADER_MAX: usize = 4096;

/// No body is longer, in bytes; the largest that is ever meant is a webhook of 256 KiB.
pub const BODY_MAX: usize = 4 * 1024 * 1024;

/// Header of the error code of a dead letter.
pub(super) const CODE: &str = "x-escalator-code";

/// Header of the trace context, as W3C names it.
pub(super) const TRACEPARENT: &str = "traceparent";

/// A message to be stored by the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Which queue it is meant for, and when.
    pub to: Destination,
    /// AMQP's message id, at most 255 bytes.
    pub message_id: String,
    /// The bytes, as they are; at most [`BODY_MAX`].
    pub body: Vec<u8>,
    /// The headers.
    pub headers: Headers,
}

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To be worked on now.
    Lane(Lane),
    /// To be worked on after a while, at the earliest: rounded up to whole seconds, at least 1, at most 8191.
    Later {
        /// The lane that it comes back to.
        lane: Lane,
        /// After how long.
        delay: Duration,
    },
    /// Given up.
    Dead,
}

impl Destination {
    /// The queue in which it is found in the end.
    #[must_use]
    pub const fn queue(self) -> Source {
        match self {
            Self::Lane(lane) | Self::Later { lane, .. } => Source::Lane(lane),
            Self::Dead => Source::Dead,
        }
    }

    /// The exchange and the routing key.
    pub(super) fn route(self) -> (String, String) {
        let direct = |key: &str| (topology::EXCHANGE.to_owned(), key.to_owned());
        match self {
            Self::Lane(lane) => direct(lane.as_str()),
            Self::Later { lane, delay } => ladder::route(lane, delay),
            Self::Dead => direct(topology::DEAD_KEY),
        }
    }
}

/// All headers there are. Nothing received is ever copied: `x-death` on a republished message makes RabbitMQ
/// 3.10 drop it in the ladder without a word. Longer values are cut to [`HEADER_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// `x-escalator-code`: why a message is a dead letter.
    pub code: Option<String>,
    /// `traceparent`: the trace that the message belongs to.
    pub traceparent: Option<TraceContext>,
}

/// How a publish ended, when it did not end well. The variants are its stages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Nothing was sent; it may be published again without a second copy.
    #[error("nothing was published: {0}")]
    NotSent(String),
    /// The broker refused to store it: the queue is full or not available. It may be published again.
    #[error("the broker refused the message: its queue is full or not available")]
    Refused,
    /// No queue is bound there; the message is not stored. Somebody changed the topology; it is being declared
    /// again. It may be published again.
    #[error(
        "no queue takes this message: somebody deleted a queue or a binding; it is being declared again"
    )]
    Unroutable,
    /// It may be stored or not; published again, there may be two.
    #[error("the broker may have stored the message or not: {0}")]
    Unknown(String),
}

impl PublishError {
    /// The name of the outcome of a publish in metrics.
    #[must_use]
    pub const fn outcome(result: &Result<(), Self>) -> &'static str {
        match result {
            Ok(()) => "stored",
            Err(Self::NotSent(_)) => "not_sent",
            Err(Self::Refused) => "refused",
            Err(Self::Unroutable) => "unroutable",
            Err(Self::Unknown(_)) => "unknown",
        }
    }
}

/// Properties that the broker gets, or why these cannot be sent at all.
pub(super) fn properties(publication: &Publication) -> Result<BasicProperties, PublishError> {
    if publication.body.len() > BODY_MAX {
        return Err(PublishError::NotSent(format!(
            "the body is longer than {BODY_MAX} bytes"
        )));
    }
    // lapin panics on a longer one.
    let message_id = ShortString::try_new(publication.message_id.as_str())
        .map_err(|_| PublishError::NotSent("the message id is longer than 255 bytes".to_owned()))?;
    let mut table = FieldTable::default();
    let traceparent = publication.headers.traceparent;
    for (name, value) in [
        (CODE, publication.headers.code.as_deref().map(Cow::Borrowed)),
        (
            TRACEPARENT,
            traceparent.map(|trace| trace.to_string().into()),
        ),
    ] {
        if let Some(value) = value {
            table.insert(name.into(), AMQPValue::LongString(capped(&value).into()));
        }
    }
    Ok(BasicProperties::default()
        .with_delivery_mode(2)
        .with_message_id(message_id)
        .with_headers(table))
}

/// As much of `value` as fits, cut between characters.
fn capped(value: &str) -> &str {
    let mut end = value.len().min(HEADER_MAX);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    value.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_header_is_cut_between_characters() {
        let long = format!("a{}", "é".repeat(HEADER_MAX));
        let cut = capped(&long);
        assert_eq!(cut.len(), HEADER_MAX - 1);
        assert!(cut.ends_with('é'));
        assert_eq!(capped("short"), "short");
    }

    #[test]
    fn what_the_broker_could_not_take_is_never_sent() {
        let publication = Publication {
            to: Destination::Dead,
            message_id: "m".repeat(256),
            body: Vec::new(),
            headers: Headers::default(),
        };
        assert!(matches!(
            properties(&publication),
            Err(PublishError::NotSent(_))
        ));
        let publication = Publication {
            message_id: "m".to_owned(),
            body: vec![0; BODY_MAX + 1],
            ..publication
        };
        assert!(matches!(
            properties(&publication),
            Err(PublishError::NotSent(_))
        ));
    }
}
