//! Replays that this process drives in the background, for whoever began or resumed them and went on to do something else.
//!
//! What is driven here is nobody's job but this process's while it runs, and anybody's afterwards: a process that ends gives
//! the replay up between two letters, and one that crashed is thought gone after `worker.lease`. Then it waits for
//! somebody to resume it; no process takes it up by itself, since whoever stopped it may have had a reason.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::planner::Planner;
use super::replayer::{Letters, Replayer, Stopped};
use crate::broker::Publisher;
use crate::ledger::{Error, Ledger, Marked, NewReplay, Replay};
use crate::pacing::{Curve, jittered};

/// Before it goes on after the ledger or the broker was away.
const AGAIN: Curve = Curve {
    first: Duration::from_secs(1),
    factor: 2.0,
    cap: Duration::from_secs(30),
};

/// Drives replays until they end, or until the process does.
#[derive(Clone)]
pub struct Drivers {
    ledger: Arc<dyn Ledger>,
    publisher: Publisher,
    planner: Planner,
    /// This process's name.
    process: String,
    /// For how long a replay is thought to be driven without a word of it.
    lease: Duration,
    /// Each drive has a name of its own: one replay resumed twice in one process is driven once, too.
    count: Arc<AtomicU64>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Drivers {
    /// Puts them together. `process`: a name that no other process has; `lease`: after so long without a word of a replay others may
    /// drive it. What is driven is among `tasks`, and is given up
    /// once `stop` is cancelled.
    #[must_use]
    pub fn new(
        ledger: Arc<dyn Ledger>,
        publisher: Publisher,
        planner: Planner,
        process: String,
        lease: Duration,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self {
            ledger,
            publisher,
            planner,
            process,
            lease,
            count: Arc::new(AtomicU64::new(1)),
            tasks,
            stop,
        }
    }

    /// Begins a replay and returns once its letters are its own; it is driven from then on. It goes on where this call is
    /// dropped.
    ///
    /// # Errors
    /// Why it was not begun as a whole. What was marked by then is the replay's, which can be resumed or cancelled.
    pub async fn begin(&self, new: NewReplay, letters: Letters) -> Result<Marked, Stopped> {
        let (id, replayer) = (new.id.clone(), self.replayer());
        let own = replayer.clone();
        let first = async move {
            let marked = own.begin(new, letters, |_| {}).await?;
            Ok((marked, true))
        };
        self.spawn(id, replayer, first).await
    }

    /// Takes a replay up that nobody drives, and returns once that is known; says where it is. One that is over is left as it
    /// is. It goes on where this call is dropped.
    ///
    /// # Errors
    /// There is no such replay, or somebody drives it, or the ledger's.
    pub async fn resume(&self, id: String) -> Result<Replay, Stopped> {
        let replayer = self.replayer();
        let (own, taken) = (replayer.clone(), id.clone());
        let first = async move {
            let replay = own.take(&taken).await?;
            let goes_on = !replay.state.is_over();
            Ok((replay, goes_on))
        };
        self.spawn(id, replayer, first).await
    }

    /// Does something first, says what came of it, and drives the replay if that says so.
    async fn spawn<T: Send + 'static>(
        &self,
        id: String,
        replayer: Arc<Replayer>,
        first: impl Future<Output = Result<(T, bool), Stopped>> + Send + 'static,
    ) -> Result<T, Stopped> {
        let (tell, told) = oneshot::channel();
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let result = tokio::select! {
                biased;
                () = stop.cancelled() => Err(Stopped::Interrupted),
                result = first => result,
            };
            let (result, goes_on) = match result {
                Ok((result, goes_on)) => (Ok(result), goes_on),
                Err(stopped) => (Err(stopped), false),
            };
            // Whoever asked may have gone; the replay has begun all the same.
            let _ = tell.send(result);
            match goes_on {
                true => drive(&replayer, &id, &stop).await,
                false => replayer.give_up(&id).await,
            }
        });
        told.await.unwrap_or(Err(Stopped::Interrupted))
    }

    fn replayer(&self) -> Arc<Replayer> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        Arc::new(Replayer::new(
            self.ledger.clone(),
            self.publisher.clone(),
            self.planner.clone(),
            format!("{}/{number}", self.process),
            self.lease,
        ))
    }
}

/// Drives it to its end; over any time that the ledger or the broker is away, as long as nobody else takes it meanwhile.
async fn drive(replayer: &Replayer, id: &str, stop: &CancellationToken) {
    for tries in 0.. {
        let stopped = match replayer.drive(id, stop, |_| {}).await {
            Ok(replay) => {
                let (state, result) = (replay.state.as_str(), replay.counts.in_words());
                tracing::info!(event = "replay.ended", id, state, result);
                return;
            }
            Err(stopped) => stopped,
        };
        match &stopped {
            Stopped::Ledger(Error::Unavailable(_)) | Stopped::Broker(_) => {
                tracing::warn!(event = "replay.held_up", id, reason = %stopped);
            }
            Stopped::Ledger(Error::Fenced | Error::Open(_) | Error::Corrupt(_))
            | Stopped::Busy(_)
            | Stopped::Unknown
            | Stopped::Interrupted => {
                tracing::warn!(event = "replay.left", id, reason = %stopped);
                return;
            }
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = tokio::time::sleep(jittered(AGAIN.delay(tries))) => {}
        }
    }
}
