//! What has to exist on the broker, as one table in the order in which it is declared.
//!
//! The order matters: at-least-once dead-lettering that finds no target retries only every three minutes, so
//! whatever a queue dead-letters into stands before the queue, and the ladder is built from the bottom up.

use super::Source;
use super::ladder::{self, LEVELS};
use crate::escalation::Lane;

/// The exchange of everything that is not delayed.
pub const EXCHANGE: &str = "escalations";

/// The queue of dead letters.
pub const DEAD_QUEUE: &str = "escalations.dead";

/// Routing key of the dead letters on [`EXCHANGE`].
pub const DEAD_KEY: &str = "dead";

/// How often a message of the lanes may come back before the broker dead-letters it: the last guard against one that
/// goes round for ever, not a retry budget. Every lost connection counts against every message that was sent ahead,
/// worked on or not, so that a low number buries innocent ones in a night of flapping links; a message that ends its
/// workers is found by the ledger long before.
pub const DELIVERY_LIMIT: i64 = 1000;

/// The dead queue's delivery limit: none in effect.
///
/// A number, not the `-1` of RabbitMQ 4: there leaving it out means 20, after which dead letters would be lost,
/// and 3.10 accepts `-1` without a word and then drops a message the first time it comes back.
pub const DELIVERY_LIMIT_DEAD: i64 = 1_000_000_000;

/// One thing that has to exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A durable exchange.
    Exchange {
        /// Its name.
        name: String,
        /// Its type.
        kind: ExchangeType,
    },
    /// A durable quorum queue.
    Queue {
        /// Its name.
        name: String,
        /// Its arguments, `x-queue-type` among them.
        arguments: Vec<(&'static str, Argument)>,
    },
    /// A way from an exchange to a queue or to another exchange.
    Binding {
        /// The exchange that the message comes from.
        source: String,
        /// Where it goes.
        target: Target,
        /// Which routing keys go that way.
        key: String,
    },
}

/// The exchange types in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeType {
    /// The routing key names the queue.
    Direct,
    /// The routing key is matched by pattern.
    Topic,
}

/// The value of a queue argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A string.
    Text(String),
    /// An integer.
    Number(i64),
}

/// The end of a binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A queue.
    Queue(String),
    /// An exchange.
    Exchange(String),
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exchange { name, .. } => write!(f, "exchange '{name}'"),
            Self::Queue { name, .. } => write!(f, "queue '{name}'"),
            Self::Binding {
                source,
                target: Target::Queue(target) | Target::Exchange(target),
                key,
            } => write!(f, "binding '{source}' to '{target}' by '{key}'"),
        }
    }
}

/// The queue that a source of deliveries is.
#[must_use]
pub fn queue(source: Source) -> String {
    match source {
        Source::Lane(lane) => format!("{EXCHANGE}.{}", lane.as_str()),
        Source::Dead => DEAD_QUEUE.to_owned(),
    }
}

/// The whole table, in the order of declaration.
#[must_use]
pub fn table() -> Vec<Object> {
    let mut table = vec![
        exchange(EXCHANGE, ExchangeType::Direct),
        quorum(
            DEAD_QUEUE,
            vec![("x-delivery-limit", Argument::Number(DELIVERY_LIMIT_DEAD))],
        ),
        to_queue(EXCHANGE, DEAD_QUEUE, DEAD_KEY),
        exchange(ladder::OUT, ExchangeType::Topic),
    ];
    for lane in Lane::ALL {
        let name = queue(Source::Lane(lane));
        let mut arguments = vec![
            ("x-delivery-limit", Argument::Number(DELIVERY_LIMIT)),
            (
                "x-dead-letter-routing-key",
                Argument::Text(DEAD_KEY.to_owned()),
            ),
        ];
        arguments.extend(never_lose_on_the_way_to(EXCHANGE));
        table.extend([
            quorum(&name, arguments),
            to_queue(EXCHANGE, &name, lane.as_str()),
            to_queue(ladder::OUT, &name, &format!("#.{}", lane.as_str())),
        ]);
    }
    table.extend((0..LEVELS).flat_map(rung));
    table
}

/// One rung: its exchange, its way past, its queue, and the way into its queue.
fn rung(level: u8) -> [Object; 4] {
    let (name, below) = (ladder::rung(level), ladder::below(level));
    let mut arguments = vec![("x-message-ttl", Argument::Number(ladder::hold_ms(level)))];
    arguments.extend(never_lose_on_the_way_to(&below));
    [
        exchange(&name, ExchangeType::Topic),
        Object::Binding {
            source: name.clone(),
            target: Target::Exchange(below),
            key: ladder::pattern(level, false),
        },
        quorum(&name, arguments),
        to_queue(&name, &name, &ladder::pattern(level, true)),
    ]
}

/// Dead-lettering that keeps the message until its target confirmed it. The broker grants at-least-once only
/// together with `reject-publish`.
fn never_lose_on_the_way_to(exchange: &str) -> [(&'static str, Argument); 3] {
    [
        (
            "x-dead-letter-exchange",
            Argument::Text(exchange.to_owned()),
        ),
        (
            "x-dead-letter-strategy",
            Argument::Text("at-least-once".to_owned()),
        ),
        ("x-overflow", Argument::Text("reject-publish".to_owned())),
    ]
}

fn exchange(name: &str, kind: ExchangeType) -> Object {
    Object::Exchange {
        name: name.to_owned(),
        kind,
    }
}

fn quorum(name: &str, mut arguments: Vec<(&'static str, Argument)>) -> Object {
    arguments.insert(0, ("x-queue-type", Argument::Text("quorum".to_owned())));
    Object::Queue {
        name: name.to_owned(),
        arguments,
    }
}

fn to_queue(source: &str, queue: &str, key: &str) -> Object {
    Object::Binding {
        source: source.to_owned(),
        target: Target::Queue(queue.to_owned()),
        key: key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use super::*;
    use std::collections::HashSet;

    fn text(arguments: &[(&'static str, Argument)], name: &str) -> Option<String> {
        arguments.iter().find_map(|(key, value)| match value {
            Argument::Text(value) if *key == name => Some(value.clone()),
            Argument::Text(_) | Argument::Number(_) => None,
        })
    }

    #[test]
    fn whatever_a_thing_refers_to_stands_before_it() {
        let (mut exchanges, mut queues, mut sources) =
            (HashSet::new(), HashSet::new(), HashSet::new());
        for object in table() {
            match object {
                Object::Exchange { name, .. } => assert!(exchanges.insert(name)),
                Object::Queue { name, arguments } => {
                    if let Some(target) = text(&arguments, "x-dead-letter-exchange") {
                        assert!(exchanges.contains(&target), "{name} dies into {target}");
                        assert!(
                            sources.contains(&target),
                            "{target} leads nowhere when {name} is made"
                        );
                    }
                    assert!(queues.insert(name));
                }
                Object::Binding { source, target, .. } => {
                    assert!(exchanges.contains(&source));
                    match target {
                        Target::Queue(name) => assert!(queues.contains(&name)),
                        Target::Exchange(name) => assert!(exchanges.contains(&name)),
                    }
                    sources.insert(source);
                }
            }
        }
    }

    #[test]
    fn every_queue_is_a_quorum_queue_and_dead_letters_at_least_once() {
        for object in table() {
            let Object::Queue { name, arguments } = object else {
                continue;
            };
            assert_eq!(text(&arguments, "x-queue-type").as_deref(), Some("quorum"));
            if name == DEAD_QUEUE {
                assert_eq!(text(&arguments, "x-dead-letter-exchange"), None);
                continue;
            }
            assert_eq!(
                text(&arguments, "x-dead-letter-strategy").as_deref(),
                Some("at-least-once"),
                "{name}"
            );
            assert_eq!(
                text(&arguments, "x-overflow").as_deref(),
                Some("reject-publish"),
                "{name}"
            );
        }
    }

    #[test]
    fn the_table_has_one_queue_per_lane_and_rung_and_one_for_the_dead() {
        let queues = table()
            .iter()
            .filter(|object| matches!(object, Object::Queue { .. }))
            .count();
        assert_eq!(queues, Lane::ALL.len() + usize::from(LEVELS) + 1);
    }

    #[test]
    fn an_object_is_named_as_an_operator_would_look_for_it() {
        let table = table();
        assert_eq!(table[0].to_string(), "exchange 'escalations'");
        assert_eq!(table[1].to_string(), "queue 'escalations.dead'");
        assert_eq!(
            table[2].to_string(),
            "binding 'escalations' to 'escalations.dead' by 'dead'"
        );
    }
}
