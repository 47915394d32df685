//! What can be seen of the broker from outside this room.

use std::collections::BTreeMap;
use std::time::Instant;

use super::{Error, Source};

/// A snapshot: each connection of the process's role, and each queue that is subscribed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The connection of deliveries and acks; `None` if the role has none.
    pub consume: Option<ConnectionHealth>,
    /// The connection of publishes; `None` if the role has none.
    pub publish: Option<ConnectionHealth>,
    /// Subscriptions by queue; a queue that nobody here subscribed to is absent.
    pub subscriptions: BTreeMap<Source, Subscriptions>,
}

/// How one connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionHealth {
    /// Not there. Set at start and whenever the connection ends; left only by a successful connect and declare.
    Connecting {
        /// Since when.
        since: Instant,
        /// Failed attempts since then.
        failures: u32,
        /// What went wrong last, if anything did yet.
        last_error: Option<Error>,
    },
    /// Connected, and every exchange and queue is as it should be.
    Up {
        /// Since when.
        since: Instant,
        /// Host, port and virtual host.
        at: String,
    },
    /// Connected, but the broker takes nothing in: memory or disk alarm.
    Blocked {
        /// Since when.
        since: Instant,
        /// What the broker gave as the reason.
        reason: String,
    },
    /// Closed by us, for good.
    Closed,
}

/// The subscriptions of one queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subscriptions {
    /// Subscriptions made and not stopped.
    pub wanted: usize,
    /// Those of them that the broker is serving now.
    pub active: usize,
}

impl ConnectionHealth {
    /// Whether it can be used right now.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        matches!(self, Self::Up { .. })
    }
}

impl Health {
    /// Whether everything that the role needs works: each connection up, each subscription served.
    ///
    /// Consuming goes on while the broker blocks publishers; not so for the connection that publishes.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.missing().is_none()
    }

    /// The first thing that keeps [`Health::is_ready`] from being true, in words.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let consume = self
            .consume
            .as_ref()
            .and_then(|health| lacking("consuming", health, false));
        let publish = || {
            let health = self.publish.as_ref()?;
            lacking("publishing", health, true)
        };
        let subscription = || {
            self.subscriptions
                .iter()
                .find(|(_, subscriptions)| subscriptions.active < subscriptions.wanted)
                .map(|(source, _)| format!("the subscription of {source} is not active"))
        };
        consume.or_else(publish).or_else(subscription)
    }
}

fn lacking(what: &str, health: &ConnectionHealth, blocked_matters: bool) -> Option<String> {
    match health {
        ConnectionHealth::Up { .. } => None,
        ConnectionHealth::Connecting {
            last_error: Some(error),
            ..
        } => Some(format!("no connection for {what}: {error}")),
        ConnectionHealth::Connecting {
            last_error: None, ..
        } => Some(format!("no connection for {what} yet")),
        ConnectionHealth::Blocked { reason, .. } => {
            blocked_matters.then(|| format!("the broker blocks {what}: {reason}"))
        }
        ConnectionHealth::Closed => Some(format!("the connection for {what} is closed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::escalation::Lane;

    fn up() -> Option<ConnectionHealth> {
        Some(ConnectionHealth::Up {
            since: Instant::now(),
            at: "here".to_owned(),
        })
    }

    fn blocked() -> Option<ConnectionHealth> {
        Some(ConnectionHealth::Blocked {
            since: Instant::now(),
            reason: "low on memory".to_owned(),
        })
    }

    #[test]
    fn a_memory_alarm_stops_publishing_but_not_consuming() {
        let mut health = Health {
            consume: blocked(),
            publish: up(),
            ..Health::default()
        };
        assert!(health.is_ready());
        health.publish = blocked();
        assert_eq!(
            health.missing().as_deref(),
            Some("the broker blocks publishing: low on memory")
        );
    }

    #[test]
    fn an_inactive_subscription_is_not_ready_and_is_named() {
        let mut health = Health {
            consume: up(),
            ..Health::default()
        };
        let subscription = Subscriptions {
            wanted: 1,
            active: 0,
        };
        health
            .subscriptions
            .insert(Source::Lane(Lane::High), subscription);
        assert_eq!(
            health.missing().as_deref(),
            Some("the subscription of escalations.high is not active")
        );
    }
}
