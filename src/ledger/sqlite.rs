//! The ledger on SQLite: one file, created by itself, shared by the processes of one machine.
//!
//! Write-ahead log with `synchronous = FULL`: a commit is on the disk before anybody hears of it. Leases use the
//! machine's clock, which all processes that share the file have in common.

mod budgets;
mod claims;
mod crew;
mod desk;
mod file;
mod findings;
mod listing;
mod reading;
mod records;
mod retention;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use std::time::Duration;

use self::desk::Table;
use super::rules;
use super::writer::{Writer, unavailable};
use super::{
    Audited, Claim, ClaimRequest, ConversationClaim, ConversationRequest, Entered, Error, Filter,
    Gauges, Held, HeldConversation, Known, Ledger, Letters, Orders, Presence, Present, Pruned,
    Record, Recorded, Retention,
};
use crate::escalation::{ConversationId, Entry, Finding, IncidentId, Key, SessionId, SessionLink};
use crate::pacing::{Exchange, Grant};

/// A ledger in a file.
#[derive(Debug)]
pub struct Sqlite {
    writer: Writer,
}

impl Sqlite {
    /// Does in a transaction what is written once for both databases. It never waits, so that one look at it is enough.
    pub(super) async fn at_desk<T: Send + 'static>(
        &self,
        work: impl for<'t> AsyncFnOnce(&Table<'t>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.writer
            .run(move |t| {
                let done = work(&Table(t)).now_or_never();
                done.unwrap_or_else(|| Err(Error::Corrupt("SQLite was waited for".to_owned())))
            })
            .await
    }
}

#[async_trait]
impl Ledger for Sqlite {
    fn letters(&self) -> &dyn Letters {
        self
    }

    fn gauges(&self) -> &dyn Gauges {
        self
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claim, Error> {
        self.writer.run(move |t| claims::claim(t, &request)).await
    }

    async fn claim_conversation(
        &self,
        request: ConversationRequest,
    ) -> Result<ConversationClaim, Error> {
        self.writer
            .run(move |t| claims::claim_conversation(t, &request))
            .await
    }

    async fn record(&self, record: Record) -> Result<Recorded, Error> {
        self.writer.run(move |t| records::write(t, &record)).await
    }

    async fn renew(
        &self,
        held: &Held,
        conversation: Option<&HeldConversation>,
        lease: Duration,
    ) -> Result<(), Error> {
        let (held, conversation) = (held.clone(), conversation.cloned());
        self.writer
            .run(move |t| {
                let until = now_ms() + millis(lease);
                fenced(
                    t,
                    "UPDATE escalations SET lease_until = ?3 WHERE key = ?1 AND epoch = ?2 AND state = 'open' AND owner IS NOT NULL",
                    params![held.key.as_str(), number(held.epoch), until],
                )?;
                match conversation {
                    None => Ok(()),
                    Some(c) => fenced(
                        t,
                        "UPDATE conversations SET lease_until = ?3
                         WHERE conversation_id = ?1 AND epoch = ?2 AND holder IS NOT NULL",
                        params![c.conversation.as_str(), number(c.epoch), until],
                    ),
                }
            })
            .await
    }

    async fn link(
        &self,
        conversation: &ConversationId,
        session: &SessionId,
    ) -> Result<Option<SessionLink>, Error> {
        let (conversation, session) = (conversation.clone(), session.clone());
        self.writer
            .run(move |t| {
                let row: Option<(String, Option<String>)> = t
                    .prepare_cached(
                        "SELECT cobrowse, link FROM conversations WHERE conversation_id = ?1",
                    )
                    .and_then(|mut s| {
                        s.query_row([conversation.as_str()], |r| Ok((r.get(0)?, r.get(1)?)))
                            .optional()
                    })
                    .map_err(unavailable)?;
                match row {
                    Some((cobrowse, link)) => rules::link_of(&cobrowse, link, &session),
                    None => Ok(None),
                }
            })
            .await
    }

    async fn resolve(&self, incident: &IncidentId, occurred_at: Timestamp) -> Result<(), Error> {
        let incident = incident.clone();
        self.writer
            .run(move |t| {
                t.prepare_cached(
                    "INSERT INTO resolutions (incident_id, resolved_at, noted_at) VALUES (?1, ?2, ?3)
                     ON CONFLICT (incident_id) DO UPDATE
                     SET resolved_at = max(resolved_at, excluded.resolved_at), noted_at = excluded.noted_at",
                )
                .and_then(|mut s| {
                    s.execute(params![incident.as_str(), occurred_at.as_millisecond(), now_ms()])
                })
                .map_err(unavailable)?;
                Ok(())
            })
            .await
    }

    async fn dead_letter_published(&self, key: &Key, cycle: u32) -> Result<(), Error> {
        let key = key.clone();
        self.writer
            .run(move |t| {
                let dead: Option<(i64, String)> = t
                    .prepare_cached(
                        "SELECT epoch, ending FROM escalations WHERE key = ?1 AND state = 'dead' AND cycle = ?2",
                    )
                    .and_then(|mut s| {
                        s.query_row(params![key.as_str(), cycle], |r| Ok((r.get(0)?, r.get(1)?)))
                            .optional()
                    })
                    .map_err(unavailable)?;
                let Some((epoch, ending)) = dead else {
                    return Ok(());
                };
                let ending = rules::published(&ending)?;
                t.prepare_cached("UPDATE escalations SET ending = ?2 WHERE key = ?1")
                    .and_then(|mut s| s.execute([key.as_str(), &ending]))
                    .map_err(unavailable)?;
                records::tell(t, &key, &[rules::letter_stored(epoch)])
            })
            .await
    }

    async fn history(&self, key: &Key) -> Result<Vec<Entry>, Error> {
        let key = key.clone();
        self.writer.run(move |t| listing::history(t, &key)).await
    }

    async fn generations(&self, incident: &IncidentId) -> Result<Vec<Known>, Error> {
        let incident = incident.clone();
        self.writer
            .run(move |t| listing::generations(t, &incident))
            .await
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Known>, Error> {
        let filter = filter.clone();
        self.writer.run(move |t| listing::list(t, &filter)).await
    }

    async fn prune(&self, retention: &Retention) -> Result<Pruned, Error> {
        let retention = *retention;
        self.writer
            .run(move |t| retention::prune(t, &retention))
            .await
    }

    async fn finding(&self, account: &str) -> Result<Option<Finding>, Error> {
        let account = account.to_owned();
        self.writer.run(move |t| findings::read(t, &account)).await
    }

    async fn learn(&self, account: &str, news: Finding) -> Result<Finding, Error> {
        let account = account.to_owned();
        self.writer
            .run(move |t| findings::learn(t, &account, news))
            .await
    }

    async fn exchange_permits(&self, account: &str, asked: Exchange) -> Result<Grant, Error> {
        let account = account.to_owned();
        self.writer
            .run(move |t| budgets::exchange(t, &account, &asked))
            .await
    }

    async fn report(&self, presence: Presence) -> Result<Orders, Error> {
        self.writer.run(move |t| crew::report(t, &presence)).await
    }

    async fn leave(&self, name: &str) -> Result<(), Error> {
        let name = name.to_owned();
        self.writer.run(move |t| crew::leave(t, &name)).await
    }

    async fn enter(&self, entered: Entered) -> Result<Audited, Error> {
        self.writer.run(move |t| crew::enter(t, &entered)).await
    }

    async fn present(&self, within: Duration) -> Result<(Orders, Vec<Present>), Error> {
        self.writer
            .run(move |t| Ok((crew::orders(t)?, crew::present(t, within)?)))
            .await
    }

    async fn audit(&self, limit: u32) -> Result<Vec<Audited>, Error> {
        self.writer.run(move |t| crew::audit(t, limit)).await
    }

    async fn ping(&self) -> Result<(), Error> {
        self.writer
            .run(|t| {
                t.query_row("SELECT 1 FROM escalations LIMIT 1", [], |_| Ok(()))
                    .optional()
                    .map(|_| ())
                    .map_err(unavailable)
            })
            .await
    }
}

/// Runs a statement that names an epoch; that it found no row means that the epoch is old.
fn fenced(t: &Transaction<'_>, sql: &str, values: impl rusqlite::Params) -> Result<(), Error> {
    let changed = t
        .prepare_cached(sql)
        .and_then(|mut s| s.execute(values))
        .map_err(unavailable)?;
    if changed == 0 {
        Err(Error::Fenced)
    } else {
        Ok(())
    }
}

fn resolved_at(t: &Transaction<'_>, incident: &IncidentId) -> Result<Option<Timestamp>, Error> {
    let at: Option<i64> = t
        .prepare_cached("SELECT resolved_at FROM resolutions WHERE incident_id = ?1")
        .and_then(|mut s| s.query_row([incident.as_str()], |r| r.get(0)).optional())
        .map_err(unavailable)?;
    at.map(timestamp).transpose()
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4)
}

/// Epochs stay far below the limit: they grow by one per claim.
fn number(epoch: u64) -> i64 {
    i64::try_from(epoch).unwrap_or(i64::MAX)
}

fn timestamp(ms: i64) -> Result<Timestamp, Error> {
    Timestamp::from_millisecond(ms).map_err(|e| Error::Corrupt(e.to_string()))
}
