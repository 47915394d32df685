//! A few connections, lent to one operation at a time.
//!
//! Their number is what a group commit can have in it: PostgreSQL writes its log once for all who commit at the same
//! time. A connection on which anything went wrong, or whose operation was dropped half-way, is closed and not used
//! again: the server then rolls back what was open on it, and the next operation gets a new one.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::Error;
use super::link::{Link, silent};
use super::target::Target;

/// Connections of one process, at most, made as they are needed: one for each escalation in hand by default. Measured
/// with 64 writers: twice what eight bring, and four fifths of what thirty-two do. Six processes fit into PostgreSQL's
/// default of a hundred.
const CONNECTIONS: usize = 16;
/// How long an operation may wait until a connection is free, and then work on it; and how long it may take in all, with
/// a new connection that had to be made. That is shorter than a third of the default lease; see the limits of a session.
const LENT_WITHIN: Duration = Duration::from_secs(3);
const DONE_WITHIN: Duration = Duration::from_secs(5);
const WITHIN: Duration = Duration::from_secs(8);

pub(super) struct Pool {
    target: Target,
    slots: Semaphore,
    idle: Mutex<Vec<Link>>,
}

/// A connection in somebody's hand; closed when dropped, unless it was given back.
struct Lent<'a> {
    pool: &'a Pool,
    link: Link,
    _slot: SemaphorePermit<'a>,
}

/// An operation on a connection. It ends its transaction if it ends well; otherwise that is done for it.
pub(super) type Work<'a, T> = futures_util::future::BoxFuture<'a, Result<T, Error>>;

impl Pool {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            slots: Semaphore::new(CONNECTIONS),
            idle: Mutex::default(),
        }
    }

    pub(super) fn at(&self) -> &str {
        self.target.at()
    }

    /// Does something on a connection. Where the future is dropped, that is undone, or, during its last round trip,
    /// unknown.
    pub(super) async fn run<T>(
        &self,
        work: impl for<'a> FnOnce(&'a Link) -> Work<'a, T>,
    ) -> Result<T, Error> {
        let until = Instant::now() + WITHIN;
        let lent = match timeout_at(until, self.lend()).await {
            Ok(lent) => lent?,
            Err(_) => return Err(silent(WITHIN)),
        };
        let working = async {
            let result = work(&lent.link).await;
            // What is known to be refused leaves the connection as good as before; after any other error nobody knows.
            match &result {
                Err(Error::Fenced | Error::Corrupt(_)) => lent.link.roll_back().await?,
                Ok(_) | Err(Error::Open(_) | Error::Unavailable(_)) => {}
            }
            result
        };
        let done = until.min(Instant::now() + DONE_WITHIN);
        let result = match timeout_at(done, working).await {
            Ok(result) => result,
            Err(_) => Err(silent(DONE_WITHIN)),
        };
        if !matches!(result, Err(Error::Open(_) | Error::Unavailable(_))) {
            lent.give_back();
        }
        result
    }

    async fn lend(&self) -> Result<Lent<'_>, Error> {
        let waiting = tokio::time::timeout(LENT_WITHIN, self.slots.acquire());
        let slot = match waiting.await {
            Ok(Ok(slot)) => slot,
            Ok(Err(_)) | Err(_) => {
                let text = format!("no connection was free within {LENT_WITHIN:?}");
                return Err(Error::Unavailable(text));
            }
        };
        // One that the server has closed meanwhile, as all are after its restart, is dropped here.
        while let Some(link) = self.take() {
            if link.is_idle() {
                return Ok(self.lent(link, slot));
            }
        }
        let link = Link::open(&self.target)
            .await
            .map_err(|error| match error {
                // While work goes on, a password that was changed is an outage like any other.
                Error::Open(text) => Error::Unavailable(text),
                Error::Fenced | Error::Unavailable(_) | Error::Corrupt(_) => error,
            })?;
        Ok(self.lent(link, slot))
    }

    fn lent<'a>(&'a self, link: Link, slot: SemaphorePermit<'a>) -> Lent<'a> {
        Lent {
            pool: self,
            link,
            _slot: slot,
        }
    }

    fn take(&self) -> Option<Link> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop()
    }
}

impl Lent<'_> {
    fn give_back(self) {
        if self.link.is_idle() {
            let idle = self.pool.idle.lock();
            idle.unwrap_or_else(PoisonError::into_inner).push(self.link);
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pool").field(&self.target).finish()
    }
}
