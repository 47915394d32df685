//! A ledger whose operations are measured, whose refusals are counted, and between whose calls a process can be told to
//! crash: whatever database is behind it.

use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{
    Audited, Claim, ClaimRequest, ConversationClaim, ConversationRequest, Entered, Error, Filter,
    Gauges, Held, HeldConversation, Known, Ledger, Letters, Orders, Presence, Present, Pruned,
    Record, Recorded, Retention,
};
use crate::crash::around;
use crate::escalation::{ConversationId, Entry, Finding, IncidentId, Key, SessionId, SessionLink};
use crate::pacing::{Exchange, Grant};
use crate::telemetry::Telemetry;

/// See the module's page.
pub struct Watched {
    inner: Arc<dyn Ledger>,
    telemetry: Arc<Telemetry>,
}

impl Watched {
    /// Watches this ledger.
    #[must_use]
    pub fn new(inner: Arc<dyn Ledger>, telemetry: Arc<Telemetry>) -> Self {
        Self { inner, telemetry }
    }

    pub(super) fn inner(&self) -> &dyn Ledger {
        &*self.inner
    }

    /// `key`: on behalf of which escalation, where it is one.
    pub(super) async fn watch<T>(
        &self,
        operation: &'static str,
        key: Option<&Key>,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let began = Instant::now();
        let result = work.await;
        let outcome = match &result {
            Ok(_) => "ok",
            Err(Error::Fenced) => {
                let key = key.map(Key::as_str).unwrap_or_default();
                self.telemetry.fenced(operation, key);
                "fenced"
            }
            Err(Error::Open(_) | Error::Unavailable(_) | Error::Corrupt(_)) => "failed",
        };
        self.telemetry
            .ledger_answered(operation, outcome, began.elapsed());
        result
    }
}

#[async_trait]
impl Ledger for Watched {
    fn letters(&self) -> &dyn Letters {
        self
    }

    fn gauges(&self) -> &dyn Gauges {
        self
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claim, Error> {
        self.watch(
            "claim",
            None,
            around("the claim", self.inner.claim(request)),
        )
        .await
    }

    async fn claim_conversation(
        &self,
        request: ConversationRequest,
    ) -> Result<ConversationClaim, Error> {
        let key = request.held.key.clone();
        let work = around(
            "the conversation's claim",
            self.inner.claim_conversation(request),
        );
        self.watch("claim_conversation", Some(&key), work).await
    }

    async fn record(&self, record: Record) -> Result<Recorded, Error> {
        let (key, what) = (record.held.key.clone(), record.what());
        self.watch(
            "record",
            Some(&key),
            around(what, self.inner.record(record)),
        )
        .await
    }

    async fn renew(
        &self,
        held: &Held,
        conversation: Option<&HeldConversation>,
        lease: Duration,
    ) -> Result<(), Error> {
        let work = around("a renewal", self.inner.renew(held, conversation, lease));
        self.watch("renew", Some(&held.key), work).await
    }

    async fn link(
        &self,
        conversation: &ConversationId,
        session: &SessionId,
    ) -> Result<Option<SessionLink>, Error> {
        self.watch(
            "link",
            None,
            around("reading the link", self.inner.link(conversation, session)),
        )
        .await
    }

    async fn resolve(&self, incident: &IncidentId, occurred_at: Timestamp) -> Result<(), Error> {
        self.watch(
            "resolve",
            None,
            around("the tombstone", self.inner.resolve(incident, occurred_at)),
        )
        .await
    }

    async fn dead_letter_published(&self, key: &Key, cycle: u32) -> Result<(), Error> {
        let work = around(
            "noting that the dead letter is out",
            self.inner.dead_letter_published(key, cycle),
        );
        self.watch("dead_letter_published", Some(key), work).await
    }

    async fn history(&self, key: &Key) -> Result<Vec<Entry>, Error> {
        self.watch(
            "history",
            Some(key),
            around("reading the history", self.inner.history(key)),
        )
        .await
    }

    async fn generations(&self, incident: &IncidentId) -> Result<Vec<Known>, Error> {
        self.watch("generations", None, self.inner.generations(incident))
            .await
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Known>, Error> {
        self.watch("list", None, self.inner.list(filter)).await
    }

    async fn prune(&self, retention: &Retention) -> Result<Pruned, Error> {
        self.watch(
            "prune",
            None,
            around("pruning", self.inner.prune(retention)),
        )
        .await
    }

    async fn finding(&self, account: &str) -> Result<Option<Finding>, Error> {
        self.watch("finding", None, self.inner.finding(account))
            .await
    }

    async fn learn(&self, account: &str, news: Finding) -> Result<Finding, Error> {
        self.watch(
            "learn",
            None,
            around("what was learned", self.inner.learn(account, news)),
        )
        .await
    }

    /// Without a crash point: when it is asked depends on what everybody does, and would change which point comes when.
    async fn exchange_permits(&self, account: &str, asked: Exchange) -> Result<Grant, Error> {
        let exchange = self.inner.exchange_permits(account, asked);
        self.watch("exchange_permits", None, exchange).await
    }

    async fn report(&self, presence: Presence) -> Result<Orders, Error> {
        self.watch("report", None, self.inner.report(presence))
            .await
    }

    async fn leave(&self, name: &str) -> Result<(), Error> {
        self.watch("leave", None, self.inner.leave(name)).await
    }

    async fn enter(&self, entered: Entered) -> Result<Audited, Error> {
        self.watch("enter", None, self.inner.enter(entered)).await
    }

    async fn present(&self, within: Duration) -> Result<(Orders, Vec<Present>), Error> {
        self.watch("present", None, self.inner.present(within))
            .await
    }

    async fn audit(&self, limit: u32) -> Result<Vec<Audited>, Error> {
        self.watch("audit", None, self.inner.audit(limit)).await
    }

    /// Without a crash point: whoever asks for the health of a process must not change which point comes when.
    async fn ping(&self) -> Result<(), Error> {
        self.watch("ping", None, self.inner.ping()).await
    }
}
