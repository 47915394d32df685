//! Keeps one connection: connects, declares, watches, and begins again, for as long as the process lives.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use lapin::Event;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::declare::declare;
use super::error::refusal;
use super::events;
use super::health::{ConnectionHealth, Health};
use super::link::{Link, Purpose, Shared};
use super::session::Session;
use super::{Error, config::Endpoint};
use crate::pacing::{Curve, jittered};

/// Between attempts. Jitter adds a quarter, so that the longest wait is 5 s.
const RECONNECT: Curve = Curve {
    first: Duration::from_millis(200),
    factor: 2.0,
    cap: Duration::from_secs(4),
};

/// A session that lasted so long has proven itself: the next loss is answered quickly again. A broker that
/// accepts us and throws us out at once is not.
const PROVEN: Duration = Duration::from_secs(10);

/// Declaring again is asked for by whoever finds something missing, so maybe by many at once.
const DECLARE_AGAIN: Duration = Duration::from_secs(1);

/// lapin reports the end of a connection as an event; this is how often it is looked for besides.
const LOOK: Duration = Duration::from_secs(1);

/// Runs until the shutdown; cancel-safe in no other way.
pub(super) async fn run(shared: Arc<Shared>, purpose: Purpose) {
    let keeper = Keeper { shared, purpose };
    keeper.keep().await;
    keeper.set(Link::Closed, ConnectionHealth::Closed);
}

struct Keeper {
    shared: Arc<Shared>,
    purpose: Purpose,
}

/// AMQP's reply code of what does not exist.
const NOT_FOUND: u16 = 404;

fn is_not_found(error: &lapin::Error) -> bool {
    matches!(refusal(error), Some((NOT_FOUND, _)))
}

/// How a session ended.
enum Ended {
    Shutdown,
    Lost(Error),
}

impl Keeper {
    async fn keep(&self) {
        let shutdown = &self.shared.shutdown;
        let (mut host, mut number) = (0_usize, 0_u64);
        let (mut attempt, mut failures) = (0_u32, 0_u32);
        let (mut since, mut told) = (Instant::now(), None);
        // Round and round over the hosts; there is at least one.
        while let Some(endpoint) = self.endpoint(host) {
            number += 1;
            let opened = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                opened = Box::pin(self.open(endpoint, number)) => opened,
            };
            let error = match opened {
                Ok((session, events)) => {
                    let began = Instant::now();
                    (failures, told) = (0, None);
                    events::up(self.purpose, &session.at);
                    let ended = Box::pin(self.watch(&session, events)).await;
                    session.close().await;
                    since = Instant::now();
                    if began.elapsed() >= PROVEN {
                        attempt = 0;
                    }
                    match ended {
                        Ended::Shutdown => return,
                        Ended::Lost(error) => error,
                    }
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    host = host.wrapping_add(1);
                    error
                }
            };
            if told.as_ref() != Some(&error) {
                events::down(self.purpose, &error);
                told = Some(error.clone());
            }
            let health = ConnectionHealth::Connecting {
                since,
                failures,
                last_error: Some(error),
            };
            self.set(Link::Down, health);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = sleep(jittered(RECONNECT.delay(attempt))) => {}
            }
            attempt = attempt.saturating_add(1);
        }
    }

    fn endpoint(&self, turn: usize) -> Option<&Endpoint> {
        let hosts = &self.shared.endpoints;
        hosts.get(turn.checked_rem(hosts.len())?)
    }

    /// Connects, listens for what the broker says about the connection, and declares.
    async fn open(
        &self,
        endpoint: &Endpoint,
        number: u64,
    ) -> Result<(Arc<Session>, BoxStream<'static, Event>), Error> {
        let config = &self.shared.config;
        let name = format!("{}/{}", config.connection_name, self.purpose.as_str());
        let session = Session::open(endpoint, &name, number, config.connect_timeout).await?;
        // Before the declaring, so that an alarm that is on already is heard.
        let events = session.connection.events_listener().boxed();
        match declare(&session).await {
            Ok(_) => Ok((Arc::new(session), events)),
            Err(error) => {
                session.close().await;
                Err(error)
            }
        }
    }

    /// Shows the session to its users and stays with it until it ends.
    async fn watch(&self, session: &Arc<Session>, mut events: BoxStream<'static, Event>) -> Ended {
        let status = session.connection.status();
        let up = || ConnectionHealth::Up {
            since: Instant::now(),
            at: session.at.clone(),
        };
        let blocked = |reason: String| ConnectionHealth::Blocked {
            since: Instant::now(),
            reason,
        };
        if status.blocked() {
            self.set(
                Link::Blocked(Arc::clone(session)),
                blocked("no reason given".to_owned()),
            );
        } else {
            self.set(Link::Up(Arc::clone(session)), up());
        }
        let mut declared = Instant::now();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let lost = |why: String| {
            Ended::Lost(Error::Lost {
                at: session.at.clone(),
                why,
            })
        };
        loop {
            tokio::select! {
                biased;
                () = self.shared.shutdown.cancelled() => return Ended::Shutdown,
                event = events.next() => match event {
                    Some(Event::ConnectionBlocked(reason)) => {
                        events::blocked(self.purpose, &reason);
                        self.set(Link::Blocked(Arc::clone(session)), blocked(reason));
                    }
                    Some(Event::ConnectionUnblocked) => {
                        events::unblocked(self.purpose);
                        self.set(Link::Up(Arc::clone(session)), up());
                    }
                    // Said to one channel, which is closed now: something of the topology is gone. The connection is well.
                    Some(Event::Error(error)) if is_not_found(&error) => {
                        self.shared.look_again(self.purpose);
                    }
                    Some(Event::Error(error)) => return lost(error.to_string()),
                    None => return lost("it ended".to_owned()),
                    // Connected, flow control, and whatever lapin adds: nothing that a user of ours acts on.
                    Some(_) => {}
                },
                () = self.shared.again(self.purpose).notified() => {
                    if declared.elapsed() < DECLARE_AGAIN {
                        continue;
                    }
                    if let Err(error) = Box::pin(declare(session)).await {
                        return Ended::Lost(error);
                    }
                    declared = Instant::now();
                    events::declared_again(self.purpose);
                }
                _ = look.tick() => {
                    if !status.connected() {
                        return lost("it ended without a word".to_owned());
                    }
                }
            }
        }
    }

    fn set(&self, link: Link, health: ConnectionHealth) {
        self.shared.link(self.purpose).send_replace(link);
        self.shared.health.send_modify(|all: &mut Health| {
            let slot = match self.purpose {
                Purpose::Consume => &mut all.consume,
                Purpose::Publish => &mut all.publish,
            };
            *slot = Some(health);
        });
    }
}
