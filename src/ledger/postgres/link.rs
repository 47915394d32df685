//! One connection, and the shape of every transaction on it.
//!
//! A transaction has two round trips, however many statements it has: `BEGIN` and the statements that lock and look,
//! sent in one go; then, once their answers are in hand, those that write, and `COMMIT`, again in one go. Nothing is
//! committed before everything that could forbid it was looked at. So an operation whose caller has gone, or whose
//! connection was lost, before the second trip has changed nothing; during the second, its outcome is unknown, and its
//! rows stay locked until it is settled: nothing that is sent later can overtake it.
//!
//! Isolation is READ COMMITTED. Every decision rests on rows that the transaction has locked before it looked, and a
//! statement sees whatever was committed before *it* began, so a lock that had to be waited for shows the row as it is
//! after the wait. What is read without a lock (a resolution, an earlier generation) may change right after; that is as
//! if the change had come later, which every caller has to bear anyway.
//!
//! Lock order: escalation, then conversation, and one of each at most; so no two of them ever wait for each other.

use futures_util::future::try_join_all;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio_postgres::types::{FromSqlOwned, ToSql};
use tokio_postgres::{Client, Row, Statement};

use super::Error;
use super::sql;
use super::target::{Access, Target, text};

/// What stands for `$1` and so on.
pub(super) type Value<'a> = &'a (dyn ToSql + Sync);

/// How long setting a session up may take, once it is there.
const PREPARE_WITHIN: Duration = Duration::from_secs(3);

/// A connection with everything prepared that will ever be asked on it.
pub(in crate::ledger) struct Link {
    client: Client,
    /// Prepared at the start, not at first use: a statement that had to be prepared first would be overtaken by those
    /// sent along with it.
    statements: HashMap<&'static str, Statement>,
    in_transaction: AtomicBool,
}

impl Link {
    pub(super) async fn open(target: &Target) -> Result<Self, Error> {
        let client = target.session().await?;
        let preparing = async {
            let standby = "SELECT current_setting('transaction_read_only') = 'on'";
            let (read_only, statements) = tokio::try_join!(
                client.query_typed_one(standby, &[]),
                try_join_all(sql::ALL.map(|sql| client.prepare(sql))),
            )?;
            Ok((read_only.try_get(0)?, statements))
        };
        let (read_only, statements) = tokio::time::timeout(PREPARE_WITHIN, preparing)
            .await
            .map_err(|_| silent(PREPARE_WITHIN))?
            .map_err(unavailable)?;
        // After a failover the address may still lead to what is now the standby.
        if read_only && target.access() == Access::Work {
            let text = "the server takes no writes; it is a standby, most likely";
            return Err(Error::Unavailable(text.to_owned()));
        }
        Ok(Self {
            client,
            statements: sql::ALL.into_iter().zip(statements).collect(),
            in_transaction: AtomicBool::new(false),
        })
    }

    /// Whether it can be used by somebody else.
    pub(super) fn is_idle(&self) -> bool {
        !self.client.is_closed() && !self.in_transaction.load(Ordering::Relaxed)
    }

    /// Begins a transaction, together with its first statements. Sent in the order in which they are polled first.
    pub(super) async fn begin<T>(
        &self,
        first: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.in_transaction.store(true, Ordering::Relaxed);
        let (begun, first) = tokio::join!(biased; self.simple("BEGIN"), first);
        begun?;
        first
    }

    /// Ends it well, together with its last statements. Each of these has to be one that says by an error that it cannot
    /// be: then the server rolls all of it back. Nothing else may keep it from being committed any more.
    pub(super) async fn commit<T>(
        &self,
        last: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut last = pin!(last);
        let sent = poll_fn(|context| Poll::Ready(last.as_mut().poll(context))).await;
        let (last, committed) = match sent {
            // What fails before it is sent would be missing in what is committed.
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Ready(Ok(last)) => (Ok(last), self.simple("COMMIT").await),
            Poll::Pending => tokio::join!(biased; last, self.simple("COMMIT")),
        };
        let last = last?;
        committed?;
        self.in_transaction.store(false, Ordering::Relaxed);
        Ok(last)
    }

    /// Undoes it.
    pub(super) async fn roll_back(&self) -> Result<(), Error> {
        if self.in_transaction.load(Ordering::Relaxed) {
            self.simple("ROLLBACK").await?;
            self.in_transaction.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// How many rows it changed.
    pub(super) async fn execute<const N: usize>(
        &self,
        sql: &'static str,
        values: [Value<'_>; N],
    ) -> Result<u64, Error> {
        let statement = self.statement(sql)?;
        // Boxed, since several of them stand side by side in one transaction.
        let changed = Box::pin(self.client.execute(statement, &values)).await;
        changed.map_err(unavailable)
    }

    pub(super) async fn all<const N: usize>(
        &self,
        sql: &'static str,
        values: [Value<'_>; N],
    ) -> Result<Vec<Row>, Error> {
        let statement = self.statement(sql)?;
        let rows = Box::pin(self.client.query(statement, &values)).await;
        rows.map_err(unavailable)
    }

    pub(super) async fn first<const N: usize>(
        &self,
        sql: &'static str,
        values: [Value<'_>; N],
    ) -> Result<Option<Row>, Error> {
        Ok(self.all(sql, values).await?.into_iter().next())
    }

    /// For what is put together of parts.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    fn statement(&self, sql: &'static str) -> Result<&Statement, Error> {
        let unknown = || Error::Corrupt(format!("a statement was not prepared: {sql}"));
        self.statements.get(sql).ok_or_else(unknown)
    }

    async fn simple(&self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql).await.map_err(unavailable)
    }
}

/// A statement that names an epoch changed so many rows: none means that the epoch is old.
pub(super) fn fenced(changed: u64) -> Result<(), Error> {
    match changed {
        0 => Err(Error::Fenced),
        _ => Ok(()),
    }
}

/// A column of a row.
pub(super) fn get<T: FromSqlOwned>(row: &Row, column: usize) -> Result<T, Error> {
    row.try_get(column).map_err(|e| Error::Corrupt(text(&e)))
}

/// Any error of the server's, or of the way there.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands in map_err, which gives it away"
)]
pub(super) fn unavailable(error: tokio_postgres::Error) -> Error {
    Error::Unavailable(text(&error))
}

pub(super) fn silent(within: Duration) -> Error {
    Error::Unavailable(format!("the database did not answer within {within:?}"))
}
