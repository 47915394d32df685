//! The ledger on PostgreSQL: shared by workers on as many machines as there are.
//!
//! Every operation is one transaction on one of a few connections. Where the connection is lost before an answer, the
//! outcome is unknown and the error is [`Error::Unavailable`]; the next operation gets a new connection, so a restart of
//! the server costs what was under way and nothing else.
//!
//! A pooler in between (PgBouncer and the like) has to keep a session for as long as a client is connected: a session's
//! limits are set once, and its statements prepared once.

mod budgets;
mod claims;
mod conversations;
mod crew;
mod desk;
mod findings;
mod link;
mod listing;
mod pool;
mod records;
mod retention;
mod schema;
mod sql;
mod target;
mod tls;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use std::time::Duration;

use self::link::{Link, get};
use self::pool::{Pool, Work};
use self::target::{Access, Target};
use super::{
    Audited, Claim, ClaimRequest, ConversationClaim, ConversationRequest, Entered, Error, Filter,
    Gauges, Held, HeldConversation, Inspected, Known, Ledger, Letters, Orders, Presence, Present,
    Pruned, Record, Recorded, Retention,
};
use crate::escalation::{ConversationId, Entry, Finding, IncidentId, Key, SessionId, SessionLink};
use crate::pacing::{Exchange, Grant};

/// How often a row may come or go between a look and a write.
const LOOKS: usize = 5;

/// A ledger on a server.
#[derive(Debug)]
pub struct Postgres {
    pool: Pool,
}

/// What was found at a server, without a change to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedServer {
    /// Host, port and database.
    pub at: String,
    /// The server's version.
    pub version: String,
    /// Whether what it has confirmed survives the loss of power.
    pub survives_power_loss: bool,
    /// The ledger there.
    pub ledger: Inspected,
}

impl Postgres {
    /// Logs in, and makes the tables or brings them up to date as needed. Any number of processes may do so at once.
    ///
    /// # Errors
    /// [`Error::Open`] when a person has to change something: wrong password, no such database, rights that are missing,
    /// tables that are another program's or a newer one's. [`Error::Unavailable`] when it cannot be reached now. Neither
    /// text holds the password.
    pub async fn open(url: &SecretString) -> Result<Self, Error> {
        let target = Target::parse(url, Access::Work)?;
        let session = target.session().await?;
        let server = schema::bring_up_to_date(&target, &session).await?;
        if !server.survives_power_loss {
            tracing::warn!(event = "ledger.not_durable", at = target.at());
        }
        Ok(Self {
            pool: Pool::new(target),
        })
    }

    /// Opens it for somebody who only looks: it is neither made nor brought up to date, and every operation that would
    /// write fails with [`Error::Unavailable`].
    ///
    /// # Errors
    /// As [`open`](Self::open); and [`Error::Open`] where there is no ledger yet, or one of another version, since that is
    /// left to whoever runs the service.
    pub async fn open_to_read(url: &SecretString) -> Result<Self, Error> {
        let target = Target::parse(url, Access::Read)?;
        let session = target.session().await?;
        schema::must_be_up_to_date(&target, &session).await?;
        Ok(Self {
            pool: Pool::new(target),
        })
    }

    /// Where it is: host, port and database.
    #[must_use]
    pub fn at(&self) -> &str {
        self.pool.at()
    }

    /// Looks at a server without changing anything there.
    ///
    /// # Errors
    /// What would keep [`open`](Self::open) from working, told apart in the same way.
    pub async fn inspect(url: &SecretString) -> Result<InspectedServer, Error> {
        let target = Target::parse(url, Access::Work)?;
        let session = target.session().await?;
        let (server, ledger) = schema::inspect(&target, &session).await?;
        Ok(InspectedServer {
            at: target.at().to_owned(),
            version: server.version,
            survives_power_loss: server.survives_power_loss,
            ledger,
        })
    }
}

impl Postgres {
    /// Does in a transaction what is written once for both databases.
    pub(super) async fn at_desk<T: Send>(
        &self,
        work: impl for<'a> FnOnce(&'a Link) -> Work<'a, T> + Send + 'static,
    ) -> Result<T, Error> {
        self.pool
            .run(|link| {
                Box::pin(async move {
                    link.begin(async { Ok(()) }).await?;
                    let done = work(link).await?;
                    link.commit(async { Ok(()) }).await?;
                    Ok(done)
                })
            })
            .await
    }
}

#[async_trait]
impl Ledger for Postgres {
    fn letters(&self) -> &dyn Letters {
        self
    }

    fn gauges(&self) -> &dyn Gauges {
        self
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claim, Error> {
        self.pool
            .run(|link| Box::pin(claims::claim(link, request)))
            .await
    }

    async fn claim_conversation(
        &self,
        request: ConversationRequest,
    ) -> Result<ConversationClaim, Error> {
        self.pool
            .run(|link| Box::pin(conversations::claim(link, request)))
            .await
    }

    async fn record(&self, record: Record) -> Result<Recorded, Error> {
        self.pool
            .run(|link| Box::pin(records::write(link, record)))
            .await
    }

    async fn renew(
        &self,
        held: &Held,
        conversation: Option<&HeldConversation>,
        lease: Duration,
    ) -> Result<(), Error> {
        let (held, conversation) = (held.clone(), conversation.cloned());
        self.pool
            .run(|link| Box::pin(records::renew(link, held, conversation, lease)))
            .await
    }

    async fn link(
        &self,
        conversation: &ConversationId,
        session: &SessionId,
    ) -> Result<Option<SessionLink>, Error> {
        let (conversation, session) = (conversation.clone(), session.clone());
        self.pool
            .run(|link| Box::pin(records::session_link(link, conversation, session)))
            .await
    }

    async fn resolve(&self, incident: &IncidentId, occurred_at: Timestamp) -> Result<(), Error> {
        let incident = incident.clone();
        self.pool
            .run(|link| Box::pin(records::resolve(link, incident, occurred_at)))
            .await
    }

    async fn dead_letter_published(&self, key: &Key, cycle: u32) -> Result<(), Error> {
        let key = key.clone();
        self.pool
            .run(|link| Box::pin(records::dead_letter_published(link, key, cycle)))
            .await
    }

    async fn history(&self, key: &Key) -> Result<Vec<Entry>, Error> {
        let key = key.clone();
        self.pool
            .run(|link| Box::pin(listing::history(link, key)))
            .await
    }

    async fn generations(&self, incident: &IncidentId) -> Result<Vec<Known>, Error> {
        let incident = incident.clone();
        self.pool
            .run(|link| Box::pin(listing::generations(link, incident)))
            .await
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Known>, Error> {
        let filter = filter.clone();
        self.pool
            .run(|link| Box::pin(listing::list(link, filter)))
            .await
    }

    async fn prune(&self, retention: &Retention) -> Result<Pruned, Error> {
        let retention = *retention;
        self.pool
            .run(|link| Box::pin(retention::prune(link, retention)))
            .await
    }

    async fn finding(&self, account: &str) -> Result<Option<Finding>, Error> {
        let account = account.to_owned();
        self.pool
            .run(|link| Box::pin(findings::read(link, account)))
            .await
    }

    async fn learn(&self, account: &str, news: Finding) -> Result<Finding, Error> {
        let account = account.to_owned();
        self.pool
            .run(|link| Box::pin(findings::learn(link, account, news)))
            .await
    }

    async fn exchange_permits(&self, account: &str, asked: Exchange) -> Result<Grant, Error> {
        let account = account.to_owned();
        self.pool
            .run(|link| Box::pin(budgets::exchange(link, account, asked)))
            .await
    }

    async fn report(&self, presence: Presence) -> Result<Orders, Error> {
        self.pool
            .run(|link| Box::pin(crew::report(link, presence)))
            .await
    }

    async fn leave(&self, name: &str) -> Result<(), Error> {
        let name = name.to_owned();
        self.pool
            .run(|link| Box::pin(crew::leave(link, name)))
            .await
    }

    async fn enter(&self, entered: Entered) -> Result<Audited, Error> {
        self.pool
            .run(|link| Box::pin(crew::enter(link, entered)))
            .await
    }

    async fn present(&self, within: Duration) -> Result<(Orders, Vec<Present>), Error> {
        self.pool
            .run(|link| {
                Box::pin(async move {
                    Ok((
                        crew::orders(link).await?,
                        crew::present(link, within).await?,
                    ))
                })
            })
            .await
    }

    async fn audit(&self, limit: u32) -> Result<Vec<Audited>, Error> {
        self.pool
            .run(|link| Box::pin(crew::audit(link, limit)))
            .await
    }

    async fn ping(&self) -> Result<(), Error> {
        self.pool
            .run(|link| Box::pin(async { link.first(sql::PING, []).await.map(drop) }))
            .await
    }
}

/// The database's time, and when the incident was resolved. Asked after what had to be waited for.
async fn now_and_resolved(link: &Link, incident: &str) -> Result<(i64, Option<Timestamp>), Error> {
    let row = link.first(sql::NOW_AND_RESOLVED, [&incident]).await?;
    let row = row.ok_or_else(|| Error::Corrupt("the database has no time".to_owned()))?;
    let resolved_at: Option<i64> = get(&row, 1)?;
    Ok((get(&row, 0)?, resolved_at.map(timestamp).transpose()?))
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4)
}

/// Epochs stay far below the limit: they grow by one per claim.
fn number(epoch: u64) -> i64 {
    i64::try_from(epoch).unwrap_or(i64::MAX)
}

fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn timestamp(ms: i64) -> Result<Timestamp, Error> {
    Timestamp::from_millisecond(ms).map_err(|e| Error::Corrupt(e.to_string()))
}
