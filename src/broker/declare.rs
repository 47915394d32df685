//! Puts the topology table onto the broker; what is there already is thereby compared.

use std::time::Duration;

use lapin::options::{
    ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};
use tokio::time::timeout;

use super::Error;
use super::error::refusal;
use super::session::Session;
use super::topology::{self, Argument, ExchangeType, Object, Target};

/// For the whole table. One node takes a tenth of a second; a cluster that just lost a member may take long to
/// place a new quorum queue.
const LIMIT: Duration = Duration::from_secs(30);

/// Declares everything. May run any number of times.
pub(super) async fn declare(session: &Session) -> Result<Declared, Error> {
    let declaring = timeout(LIMIT, Box::pin(every_object(session))).await;
    declaring.unwrap_or_else(|_| {
        Err(Error::Broker {
            at: session.at.clone(),
            doing: "declaring exchanges and queues".to_owned(),
            why: format!("no answer within {} s", LIMIT.as_secs()),
        })
    })
}

/// What stands on the broker now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) objects: usize,
    pub(super) queues: Vec<Depth>,
}

/// How much a queue holds, as the broker counted it when it was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth {
    /// The queue.
    pub queue: String,
    /// Messages that wait, without those that somebody has in hand.
    pub messages: u32,
    /// Who takes from it.
    pub consumers: u32,
}

async fn every_object(session: &Session) -> Result<Declared, Error> {
    let channel = session
        .connection
        .create_channel()
        .await
        .map_err(|error| failed(&error, "opening a channel".to_owned(), session))?;
    let table = topology::table();
    let mut declared = Declared {
        objects: table.len(),
        queues: Vec::new(),
    };
    for object in &table {
        let depth = one(&channel, object)
            .await
            .map_err(|error| refused(&error, object, session))?;
        declared.queues.extend(depth);
    }
    // Everything stands; a channel that does not close in time goes with its connection.
    let _ = channel.close(200, "declared".into()).await;
    Ok(declared)
}

async fn one(channel: &Channel, object: &Object) -> lapin::Result<Option<Depth>> {
    match object {
        Object::Exchange { name, kind } => {
            let kind = match kind {
                ExchangeType::Direct => ExchangeKind::Direct,
                ExchangeType::Topic => ExchangeKind::Topic,
            };
            let options = ExchangeDeclareOptions {
                durable: true,
                ..Default::default()
            };
            channel
                .exchange_declare(name.as_str().into(), kind, options, FieldTable::default())
                .await
                .map(|()| None)
        }
        Object::Queue { name, arguments } => {
            let options = QueueDeclareOptions {
                durable: true,
                ..Default::default()
            };
            channel
                .queue_declare(name.as_str().into(), options, fields(arguments))
                .await
                .map(|queue| {
                    Some(Depth {
                        queue: name.clone(),
                        messages: queue.message_count(),
                        consumers: queue.consumer_count(),
                    })
                })
        }
        Object::Binding {
            source,
            target: Target::Queue(queue),
            key,
        } => channel
            .queue_bind(
                queue.as_str().into(),
                source.as_str().into(),
                key.as_str().into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
            .map(|()| None),
        Object::Binding {
            source,
            target: Target::Exchange(exchange),
            key,
        } => channel
            .exchange_bind(
                exchange.as_str().into(),
                source.as_str().into(),
                key.as_str().into(),
                ExchangeBindOptions::default(),
                FieldTable::default(),
            )
            .await
            .map(|()| None),
    }
}

fn fields(arguments: &[(&'static str, Argument)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        let value = match value {
            Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
            Argument::Number(number) => AMQPValue::LongLongInt(*number),
        };
        table.insert((*name).into(), value);
    }
    table
}

fn refused(error: &lapin::Error, object: &Object, session: &Session) -> Error {
    let at = session.at.clone();
    match refusal(error) {
        Some((403, why)) => Error::Forbidden {
            at,
            object: object.to_string(),
            why,
        },
        Some((406, why)) => Error::Mismatch {
            at,
            object: object.to_string(),
            why,
        },
        Some(_) | None => failed(error, format!("declaring {object}"), session),
    }
}

fn failed(error: &lapin::Error, doing: String, session: &Session) -> Error {
    let at = session.at.clone();
    match refusal(error) {
        Some((_, why)) => Error::Broker { at, doing, why },
        None => Error::Lost {
            at,
            why: format!("while {doing}: {error}"),
        },
    }
}
