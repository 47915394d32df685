//! The one thread that writes to SQLite.
//!
//! SQLite has one writer at a time anyway, and a commit costs a disk flush. So all writes go through one thread that
//! takes whatever is waiting, runs it in a single transaction (each job in a savepoint of its own, so that a failing
//! one takes nobody along), commits once, and only then tells everybody. The more there is to do, the cheaper each
//! write gets; a lone write waits for nobody.

use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

use super::Error;

/// At most this many jobs share a commit.
const GROUP: usize = 64;
/// At most this many jobs wait; more callers wait in `send`.
const QUEUE: usize = 1024;

/// Runs inside the transaction (or hears why there is none), then returns what is left to do once that is committed
/// or has failed.
type Job = Box<dyn FnOnce(Result<&Transaction<'_>, Error>) -> Verdict + Send>;
/// Tells the caller. The argument is the fate of the commit.
type Verdict = Box<dyn FnOnce(Result<(), Error>)>;

/// How its transactions begin.
#[derive(Debug, Clone, Copy)]
pub(super) enum Access {
    /// With the lock that writing takes: another process may write too, and a transaction that only later finds that out
    /// would have to fail.
    Write,
    /// Without a lock: the connection reads only, and keeps nobody waiting.
    Read,
}

/// A handle on the writing thread. The thread ends when the last handle is gone.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread on a connection that is set up already.
    pub(super) fn start(connection: Connection, access: Access) -> Result<Self, Error> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("ledger".into())
            .spawn(move || write(connection, access, queue))
            .map_err(|e| Error::Open(format!("cannot start its thread: {e}")))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Runs a job in a transaction and returns its answer once that is committed.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let gone = || Error::Unavailable("its thread has ended".into());
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |transaction| {
            let outcome = transaction.and_then(|t| in_savepoint(t, job));
            Box::new(move |committed: Result<(), Error>| {
                // A caller who has gone away is no reason to undo anything.
                let _ = answer.send(committed.and(outcome));
            })
        });
        self.jobs
            .as_ref()
            .ok_or_else(gone)?
            .send(job)
            .await
            .map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

impl Drop for Writer {
    /// Waits for the last commit: nothing that was handed over is lost by a clean end.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn in_savepoint<T>(
    transaction: &Transaction<'_>,
    job: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    transaction
        .execute_batch("SAVEPOINT job")
        .map_err(unavailable)?;
    let outcome = job(transaction);
    let close = match outcome {
        Ok(_) => "RELEASE job",
        Err(_) => "ROLLBACK TO job; RELEASE job",
    };
    transaction.execute_batch(close).map_err(unavailable)?;
    outcome
}

fn write(mut connection: Connection, access: Access, mut queue: mpsc::Receiver<Job>) {
    let mut group: Vec<Job> = Vec::with_capacity(GROUP);
    while queue.blocking_recv_many(&mut group, GROUP) > 0 {
        let mut verdicts: Vec<Verdict> = Vec::with_capacity(group.len());
        let committed = commit(&mut connection, access, &mut group, &mut verdicts);
        let failure = committed.err().map(|error| {
            tracing::warn!(event = "ledger.commit_failed", %error);
            error.to_string()
        });
        let fate = || match &failure {
            None => Ok(()),
            Some(text) => Err(Error::Unavailable(text.clone())),
        };
        // When the transaction could not even begin, the jobs are still here, and hear why.
        verdicts.extend(
            group
                .drain(..)
                .map(|job| job(Err(Error::Unavailable(failure.clone().unwrap_or_default())))),
        );
        for verdict in verdicts {
            verdict(fate());
        }
    }
}

fn commit(
    connection: &mut Connection,
    access: Access,
    group: &mut Vec<Job>,
    verdicts: &mut Vec<Verdict>,
) -> rusqlite::Result<()> {
    let behaviour = match access {
        Access::Write => TransactionBehavior::Immediate,
        Access::Read => TransactionBehavior::Deferred,
    };
    let transaction = connection.transaction_with_behavior(behaviour)?;
    verdicts.extend(group.drain(..).map(|job| job(Ok(&transaction))));
    transaction.commit()
}

/// Any error of SQLite that is not about what we stored.
pub(super) fn unavailable(error: rusqlite::Error) -> Error {
    Error::Unavailable(error.to_string())
}
