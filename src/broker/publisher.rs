//! Publishing with a confirm.
//!
//! One publish at a time per channel: lapin mixes up the confirms and the returned messages of publishes that
//! share a channel, so that a message that was refused counts as stored.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Confirmation, ErrorKind};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::Handle;
use super::link::{Link, OpenChannel, Purpose, Shared};
use super::publication::{Publication, PublishError, properties};
use super::session::Session;

/// No publish waits longer, whatever its caller allows.
const LONGEST: Duration = Duration::from_secs(3600);

/// Between two attempts to get a channel from a connection that seems to be there.
const AGAIN: Duration = Duration::from_millis(50);

/// Publishes; cheap to clone, and every clone shares the same channels.
#[derive(Clone)]
pub struct Publisher(pub(super) Arc<Handle>);

/// The channels: as many as permits, made when they are first needed, used by one publish at a time.
pub(super) struct Pool {
    pub(super) permits: Semaphore,
    idle: Mutex<Vec<OpenChannel>>,
}

impl Pool {
    pub(super) fn new(channels: usize) -> Self {
        Self {
            permits: Semaphore::new(channels.max(1)),
            idle: Mutex::default(),
        }
    }

    /// A channel of this session that nobody uses; those of older sessions go.
    fn take(&self, session: u64) -> Option<OpenChannel> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|channel| channel.session == session && channel.status().connected());
        idle.pop()
    }

    fn put_back(&self, channel: OpenChannel) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(channel);
    }

    /// Lets go of every channel that nobody uses.
    pub(super) fn clear(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        drop(idle);
    }
}

impl Publisher {
    /// Has the message stored, durably, in its queue: `Ok` only after the broker confirmed that.
    ///
    /// `within` covers everything: waiting for a connection, for a channel and for the confirm, which besides has
    /// the limit of [`super::Config::confirm_timeout`]. If this future is dropped after it was polled, the outcome
    /// is the same as [`PublishError::Unknown`].
    ///
    /// # Errors
    ///
    /// [`PublishError`], by stage. Nothing is retried here after anything was sent.
    pub async fn publish(
        &self,
        publication: &Publication,
        within: Duration,
    ) -> Result<(), PublishError> {
        let deadline = Instant::now() + within.min(LONGEST);
        let shared = &self.0.shared;
        if !shared.config.role.publishes() {
            return Err(not_sent("this process keeps no connection for publishing"));
        }
        let properties = properties(publication)?;
        let (exchange, key) = publication.to.route();
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => Err(not_sent("the broker connection is closing")),
            permit = timeout_at(deadline, shared.pool.permits.acquire()) => {
                let _permit = permit
                    .map_err(|_| not_sent("no channel became free in time"))?
                    .map_err(|_| not_sent("the broker connection is closed"))?;
                Box::pin(self.attempt(&exchange, &key, publication, properties, deadline)).await
            }
        }
    }

    /// Holds one permit.
    async fn attempt(
        &self,
        exchange: &str,
        key: &str,
        publication: &Publication,
        properties: BasicProperties,
        deadline: Instant,
    ) -> Result<(), PublishError> {
        let shared = &self.0.shared;
        loop {
            let channel = self.channel(deadline).await?;
            let now = Instant::now();
            if now >= deadline {
                shared.pool.put_back(channel);
                return Err(not_sent("no time was left to publish"));
            }
            let confirm_by = deadline.min(now + shared.config.confirm_timeout);
            let sending = send(
                &channel,
                exchange,
                key,
                &publication.body,
                properties.clone(),
            );
            // Whatever does not put the channel back lets it go, for good.
            match timeout_at(confirm_by, sending).await {
                Ok(Ok(Confirmation::Ack(None))) => {
                    shared.pool.put_back(channel);
                    return Ok(());
                }
                Ok(Ok(Confirmation::Ack(Some(_)))) => {
                    shared.pool.put_back(channel);
                    shared.look_again(Purpose::Publish);
                    return Err(PublishError::Unroutable);
                }
                Ok(Ok(Confirmation::Nack(_))) => {
                    shared.pool.put_back(channel);
                    return Err(PublishError::Refused);
                }
                Ok(Ok(Confirmation::NotRequested)) => {
                    return Err(PublishError::Unknown(
                        "the channel does not confirm".to_owned(),
                    ));
                }
                Ok(Err(error)) if was_not_sent(&error) => {}
                Ok(Err(error)) => return Err(PublishError::Unknown(error.to_string())),
                Err(_) => {
                    let waited = now.elapsed().as_millis();
                    return Err(PublishError::Unknown(format!(
                        "no confirm within {waited} ms"
                    )));
                }
            }
        }
    }

    /// A channel in confirm mode that is ours alone.
    async fn channel(&self, deadline: Instant) -> Result<OpenChannel, PublishError> {
        let shared = &self.0.shared;
        let mut link = shared.link(Purpose::Publish).subscribe();
        loop {
            let session = usable(&mut link, deadline).await?;
            if let Some(channel) = shared.pool.take(session.number) {
                return Ok(channel);
            }
            match timeout_at(deadline, Box::pin(confirming(&session, shared))).await {
                Ok(Ok(channel)) => return Ok(channel),
                Ok(Err(_)) => {
                    // The connection is going down and its supervisor has not said so yet.
                    let again = (Instant::now() + AGAIN).min(deadline);
                    tokio::select! {
                        _ = link.changed() => {}
                        () = sleep_until(again) => {}
                    }
                }
                Err(_) => return Err(not_sent("the broker opened no channel in time")),
            }
        }
    }
}

/// The session, as soon as it can take a message.
async fn usable(
    link: &mut watch::Receiver<Link>,
    deadline: Instant,
) -> Result<Arc<Session>, PublishError> {
    loop {
        let why = match &*link.borrow_and_update() {
            Link::Up(session) if Instant::now() < deadline => return Ok(Arc::clone(session)),
            Link::Up(_) => "no time was left to publish",
            Link::Down => "no connection to the broker",
            Link::Blocked(_) => "the broker takes nothing in: memory or disk alarm",
            Link::Closed => return Err(not_sent("the broker connection is closed")),
        };
        if !matches!(timeout_at(deadline, link.changed()).await, Ok(Ok(()))) {
            return Err(not_sent(why));
        }
    }
}

async fn confirming(session: &Session, shared: &Arc<Shared>) -> lapin::Result<OpenChannel> {
    let channel = OpenChannel::open(session, shared).await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    Ok(channel)
}

async fn send(
    channel: &OpenChannel,
    exchange: &str,
    key: &str,
    body: &[u8],
    properties: BasicProperties,
) -> lapin::Result<Confirmation> {
    let options = BasicPublishOptions {
        mandatory: true,
        immediate: false,
    };
    channel
        .basic_publish(exchange.into(), key.into(), options, body, properties)
        .await?
        .await
}

/// lapin looks at the channel's state before it queues anything; that refusal is the one that is certain.
fn was_not_sent(error: &lapin::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidChannelState(_, "basic.publish")
    )
}

fn not_sent(why: &str) -> PublishError {
    PublishError::NotSent(why.to_owned())
}
