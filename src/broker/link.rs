//! What the tasks of this room share: the state of the two connections, and who still has something to do.

use std::sync::Arc;
use std::time::Duration;

use lapin::Channel;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::{Config, Endpoint};
use super::health::Health;
use super::publisher::Pool;
use super::session::Session;

/// How long closing a channel may take before it is left to its connection.
const CHANNEL_GOODBYE: Duration = Duration::from_secs(2);

/// What a connection is used for; each use has a connection of its own, since a memory alarm stops every write
/// on a connection that publishes, acks included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Consume,
    Publish,
}

impl Purpose {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Consume => "consume",
            Self::Publish => "publish",
        }
    }
}

/// A connection as its users see it. Only its supervisor changes it.
#[derive(Clone)]
pub(super) enum Link {
    /// Not there; the supervisor is at it.
    Down,
    /// There, declared and usable.
    Up(Arc<Session>),
    /// There, but the broker reads nothing more from it that publishes.
    Blocked(Arc<Session>),
    /// Closed for good.
    Closed,
}

/// Everything that the tasks share.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) health: watch::Sender<Health>,
    pub(super) consume: watch::Sender<Link>,
    pub(super) publish: watch::Sender<Link>,
    /// Asks the supervisor of consuming, and the one of publishing, to declare again.
    pub(super) again: [Notify; 2],
    pub(super) pool: Pool,
    pub(super) runtime: Handle,
    /// Phase one of closing: nothing new is taken.
    pub(super) stop: CancellationToken,
    /// Phase two: the connections go.
    pub(super) shutdown: CancellationToken,
    pub(super) supervisors: TaskTracker,
    pub(super) subscribers: TaskTracker,
    /// Acks and their like that lapin has not written yet.
    pub(super) settling: TaskTracker,
    /// Channels on their way out.
    pub(super) goodbyes: TaskTracker,
}

impl Shared {
    pub(super) const fn link(&self, purpose: Purpose) -> &watch::Sender<Link> {
        match purpose {
            Purpose::Consume => &self.consume,
            Purpose::Publish => &self.publish,
        }
    }

    pub(super) const fn again(&self, purpose: Purpose) -> &Notify {
        let [consume, publish] = &self.again;
        match purpose {
            Purpose::Consume => consume,
            Purpose::Publish => publish,
        }
    }

    /// Something that was declared is gone: somebody deleted it. Without this, a process would need a restart.
    pub(super) fn look_again(&self, purpose: Purpose) {
        self.again(purpose).notify_one();
    }
}

/// A channel that closes itself, politely, when its last user is gone.
///
/// lapin closes a dropped channel too, but if the broker closes it at that very moment, lapin takes the failed
/// close for a failure of the whole connection.
pub(super) struct OpenChannel {
    channel: Channel,
    /// The number of the session that it belongs to.
    pub(super) session: u64,
    shared: Arc<Shared>,
}

impl OpenChannel {
    pub(super) async fn open(session: &Session, shared: &Arc<Shared>) -> lapin::Result<Self> {
        Ok(Self {
            channel: session.connection.create_channel().await?,
            session: session.number,
            shared: Arc::clone(shared),
        })
    }
}

impl std::ops::Deref for OpenChannel {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        &self.channel
    }
}

impl Drop for OpenChannel {
    fn drop(&mut self) {
        if !self.channel.status().connected() {
            return;
        }
        let channel = self.channel.clone();
        let goodbye = async move {
            // A channel that does not close in time goes with its connection.
            let _ = timeout(CHANNEL_GOODBYE, channel.close(200, "done".into())).await;
        };
        self.shared.goodbyes.spawn_on(goodbye, &self.shared.runtime);
    }
}
