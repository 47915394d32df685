//! RabbitMQ: the connections and their recovery, the topology, confirmed publishing, consuming, and delays.
//!
//! A process keeps up to two connections, one that consumes and acks and one that publishes; each has a
//! supervisor that rebuilds it for ever and declares the topology on it before anybody may use it. Nothing here
//! knows what a message means, and no failure of the broker is an error of the process: publishing answers with
//! its outcome, a subscription waits.
//!
//! Absent on purpose: lapin's auto-recovery, confirm channels that are shared, `multiple` acks, headers that are
//! copied from a delivery to a publication.

mod config;
mod declare;
mod delivery;
mod depth;
mod error;
mod events;
mod greeting;
mod health;
pub mod ladder;
mod link;
mod publication;
mod publisher;
mod session;
mod subscription;
mod supervisor;
pub mod topology;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::config::{Config, Role};
pub use self::declare::Depth;
pub use self::delivery::{Delivery, Died, Settled};
pub use self::error::Error;
pub use self::health::{ConnectionHealth, Health, Subscriptions};
pub use self::publication::{
    BODY_MAX, Destination, HEADER_MAX, Headers, Publication, PublishError,
};
pub use self::publisher::Publisher;
pub use self::subscription::{StopHandle, Subscription};

use self::config::Endpoint;
use self::link::{Link, Purpose, Shared};
use self::publisher::Pool;
use self::session::Session;
use crate::escalation::Lane;

/// How long each step of [`Broker::close`] may take.
const CLOSING_STEP: Duration = Duration::from_secs(5);

/// What can be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The work of a lane.
    Lane(Lane),
    /// The dead letters.
    Dead,
}

impl Source {
    /// Its place in listings: the lanes first.
    const fn rank(self) -> u8 {
        match self {
            Self::Lane(Lane::High) => 0,
            Self::Lane(Lane::Normal) => 1,
            Self::Dead => 2,
        }
    }
}

impl From<Lane> for Source {
    fn from(lane: Lane) -> Self {
        Self::Lane(lane)
    }
}

impl Ord for Source {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Source {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The name of its queue.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&topology::queue(*self))
    }
}

/// The process's way to the broker. Cheap to clone; the connections close with [`Broker::close`], or roughly when
/// the last handle ([`Broker`], [`Publisher`], [`Subscription`]) is dropped.
#[derive(Clone)]
pub struct Broker(Arc<Handle>);

/// What every public handle holds; its end is the end of the connections.
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        self.shared.shutdown.cancel();
    }
}

/// What [`Broker::check`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Host, port and virtual host that answered.
    pub at: String,
    /// The broker's version, where it says so.
    pub version: Option<String>,
    /// How many exchanges, queues and bindings are now known to be right.
    pub objects: usize,
    /// The queues among them, and how full they are.
    pub queues: Vec<Depth>,
    /// Hosts before it in the list that did not answer.
    pub skipped: Vec<Error>,
}

impl Broker {
    /// Starts connecting, in the background and for ever; never waits. To be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// Only for addresses that cannot be used as written.
    pub fn start(config: Config) -> Result<Self, Error> {
        let endpoints = Endpoint::all(&config)?;
        let role = config.role;
        let connecting = || ConnectionHealth::Connecting {
            since: Instant::now(),
            failures: 0,
            last_error: None,
        };
        let health = Health {
            consume: role.consumes().then(connecting),
            publish: role.publishes().then(connecting),
            ..Health::default()
        };
        let shared = Arc::new(Shared {
            again: Default::default(),
            pool: Pool::new(config.publish_channels),
            config,
            endpoints,
            health: watch::Sender::new(health),
            consume: watch::Sender::new(Link::Down),
            publish: watch::Sender::new(Link::Down),
            runtime: tokio::runtime::Handle::current(),
            stop: CancellationToken::new(),
            shutdown: CancellationToken::new(),
            supervisors: TaskTracker::new(),
            subscribers: TaskTracker::new(),
            settling: TaskTracker::new(),
            goodbyes: TaskTracker::new(),
        });
        for (wanted, purpose) in [
            (role.consumes(), Purpose::Consume),
            (role.publishes(), Purpose::Publish),
        ] {
            if wanted {
                shared
                    .supervisors
                    .spawn(supervisor::run(Arc::clone(&shared), purpose));
            }
        }
        Ok(Self(Arc::new(Handle { shared })))
    }

    /// A handle to publish with.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        Publisher(Arc::clone(&self.0))
    }

    /// Subscribes to a lane, or to the dead letters, with at most `prefetch` (at least 1) deliveries unsettled.
    #[must_use]
    pub fn subscribe(&self, source: impl Into<Source>, prefetch: u16) -> Subscription {
        Subscription::start(Arc::clone(&self.0), source.into(), prefetch)
    }

    /// How it is now.
    #[must_use]
    pub fn health(&self) -> Health {
        self.0.shared.health.borrow().clone()
    }

    /// The health as it changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Health> {
        self.0.shared.health.subscribe()
    }

    /// Returns as soon as the health is as wanted; waits for ever otherwise. Cancel-safe.
    pub async fn wait_until(&self, wanted: impl FnMut(&Health) -> bool) -> Health {
        let mut health = self.watch();
        let result = health.wait_for(wanted).await.map(|health| health.clone());
        // The sender lives as long as this handle.
        result.unwrap_or_else(|_| self.health())
    }

    /// Waits for everything that the role needs and every subscription made so far. Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`Error::NotReady`] with what is missing, after `within`.
    pub async fn wait_ready(&self, within: Duration) -> Result<(), Error> {
        match timeout(within, self.wait_until(Health::is_ready)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::NotReady {
                within_ms: within.as_millis(),
                why: self.health().missing().unwrap_or_default(),
            }),
        }
    }

    /// Closes in order, each step with a limit: subscriptions stop and hand back what nobody took; acks under way
    /// go out; publishes under way get their answer; channels and connections say goodbye; the tasks end.
    ///
    /// Deliveries still in somebody's hands are delivered again, so let the workers finish first. May run twice.
    pub async fn close(&self) {
        let shared = &self.0.shared;
        shared.stop.cancel();
        for tracker in [&shared.subscribers, &shared.settling] {
            tracker.close();
            let _ = timeout(CLOSING_STEP, tracker.wait()).await;
        }
        let channels = u32::try_from(shared.config.publish_channels.max(1)).unwrap_or(u32::MAX);
        let limit = shared.config.confirm_timeout.max(CLOSING_STEP);
        let idle = timeout(limit, shared.pool.permits.acquire_many(channels)).await;
        shared.pool.permits.close();
        drop(idle);
        shared.pool.clear();
        shared.goodbyes.close();
        let _ = timeout(CLOSING_STEP, shared.goodbyes.wait()).await;
        shared.shutdown.cancel();
        shared.supervisors.close();
        let _ = timeout(CLOSING_STEP, shared.supervisors.wait()).await;
    }

    /// Reaches the broker once, the hosts in turn, and declares everything. Leaves no connection behind.
    ///
    /// # Errors
    ///
    /// What the last host said, if none would do; what the declaring said, of the first that let us in.
    pub async fn check(config: Config) -> Result<Checked, Error> {
        let name = format!("{}/check", config.connection_name);
        let mut skipped = Vec::new();
        for endpoint in Endpoint::all(&config)? {
            let opening = Box::pin(Session::open(&endpoint, &name, 0, config.connect_timeout));
            match opening.await {
                Ok(session) => {
                    let declared = declare::declare(&session).await;
                    session.close().await;
                    let declared = declared?;
                    return Ok(Checked {
                        at: session.at.clone(),
                        version: greeting::version(&endpoint, config.connect_timeout).await,
                        objects: declared.objects,
                        queues: declared.queues,
                        skipped,
                    });
                }
                Err(error) => skipped.push(error),
            }
        }
        Err(skipped.pop().unwrap_or(Error::NoAddress))
    }
}
