//! PagerDuty's REST API v2.

mod account;
mod alerts;
mod authorization;
mod details;
pub(super) mod errors;
mod incident_body;
mod incidents;
mod notes;
mod subscriptions;

use reqwest::{Method, RequestBuilder};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

pub use self::alerts::Alerts;
pub use self::incidents::{Incident, IncidentList, IncidentStatus};
pub use self::subscriptions::{Scope, Subscribed, Subscription};
use super::call::Vendor;
use super::call::{CALL_SLACK, CallError, Operation};
use super::http::{self, Deadline, Http, Reply};
use super::limits::{Admission, Budget, Limits, Priority};
use crate::escalation::{Context, IncidentId, Marker, NoteContent, NoteId, SubscriptionId};

/// Where PagerDuty is, who we are there, and where an alert says what it is about.
#[derive(Debug, Clone)]
pub struct PagerDutyConfig {
    /// Base of the API, e.g. `https://api.eu.pagerduty.com/`.
    pub api_url: Url,
    /// The API key; or, written out as the header has it, `Token token=…` or `Bearer …`.
    pub api_token: SecretString,
    /// The user on whose behalf notes are written; an account's key needs one.
    pub from_email: String,
    /// The names under which an alert's details may carry the conversation id, best first.
    pub conversation_fields: Vec<String>,
    /// The same for the agent id.
    pub agent_fields: Vec<String>,
    /// What the pool may ask with this key; without one nobody counts.
    pub budget: Option<Budget>,
}

/// Calls to PagerDuty. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct PagerDuty {
    http: Http,
    config: Arc<PagerDutyConfig>,
    limits: Limits,
}

impl PagerDuty {
    /// Sets it up. Nothing is called yet.
    #[must_use]
    pub fn new(http: Http, mut config: PagerDutyConfig) -> Self {
        let account = format!(
            "{} at {}",
            authorization::nameless(&config.api_token),
            config.api_url
        );
        let limits = Limits::new(Vendor::PagerDuty, account, config.budget.take(), &http);
        Self {
            http,
            config: Arc::new(config),
            limits,
        }
    }

    /// Base of the API.
    #[must_use]
    pub fn at(&self) -> &Url {
        &self.config.api_url
    }

    /// Whether the credential is an OAuth token, which lives for 24 hours.
    #[must_use]
    pub fn has_a_token_that_ends(&self) -> bool {
        authorization::is_bearer(&self.config.api_token)
    }

    /// Reads what an incident's alerts say about the conversation. May be repeated; alerts may come late.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Refused`] when there is no such incident.
    pub async fn alerts(&self, incident: &IncidentId) -> Result<Alerts, CallError> {
        alerts::read(self, incident).await
    }

    /// Reads what the incident's own body says about the conversation: the fallback where no alert has a body. May be
    /// repeated. Of the answer, which holds a credential, nothing is kept but the ids.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn incident_body(&self, incident: &IncidentId) -> Result<Option<Context>, CallError> {
        incident_body::read(self, incident).await
    }

    /// Reads where an incident stands. May be repeated.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Refused`] when there is no such incident.
    pub async fn incident_status(
        &self,
        incident: &IncidentId,
    ) -> Result<IncidentStatus, CallError> {
        incidents::status(self, incident).await
    }

    /// Writes a note. Not idempotent; the look-up twin is [`find_note`](Self::find_note). No error quotes what in the note
    /// admits whoever has it.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn write_note(
        &self,
        incident: &IncidentId,
        content: &NoteContent,
    ) -> Result<NoteId, CallError> {
        notes::write(self, incident, content).await
    }

    /// Puts another text into a note of ours. May be repeated: done twice, it leaves what it leaves done once. Whether it took
    /// effect is seen by the text's marker, with [`find_note`](Self::find_note). No error quotes what in the note admits
    /// whoever has it.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Refused`] also when the note is not there any more, or may not be changed: then a new one
    /// can take its place.
    pub async fn rewrite_note(
        &self,
        incident: &IncidentId,
        note: &NoteId,
        content: &NoteContent,
    ) -> Result<NoteId, CallError> {
        notes::rewrite(self, incident, note, content).await
    }

    /// Searches an incident's notes for the one that carries the marker. May be repeated. Conclusive: the list is
    /// not paged. Of several, the first written is returned, with how many there are.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn find_note(
        &self,
        incident: &IncidentId,
        marker: &Marker,
    ) -> Result<Option<(NoteId, usize)>, CallError> {
        notes::find(self, incident, marker).await
    }

    /// Asks whether the key is good. Reads only.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Refused`] also for a good key that may not ask this.
    pub async fn abilities(&self) -> Result<(), CallError> {
        account::abilities(self).await
    }

    /// Lists the account's webhook subscriptions. Reads only.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Refused`] also for a good key that may not ask this.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, CallError> {
        subscriptions::list(self).await
    }

    /// Makes a webhook subscription. Not idempotent, and there is no look-up twin for its secret, which is shown in this
    /// answer only: after [`CallError::Unknown`] a person has to look.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn subscribe(
        &self,
        url: &Url,
        scope: &Scope,
        events: &[&str],
    ) -> Result<Subscribed, CallError> {
        subscriptions::create(self, url, scope, events).await
    }

    /// Enables a subscription that PagerDuty has switched off for a day. May be repeated.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn enable(&self, subscription: &SubscriptionId) -> Result<(), CallError> {
        subscriptions::enable(self, subscription).await
    }

    /// Has PagerDuty send its test event to a subscription. May be repeated: each time is one more event, which starts
    /// nothing.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn ping(&self, subscription: &SubscriptionId) -> Result<(), CallError> {
        subscriptions::ping(self, subscription).await
    }

    fn url(&self, segments: &[&str]) -> Url {
        http::url(&self.config.api_url, segments)
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.http
            .client()
            .request(method, url)
            .header("accept", "application/vnd.pagerduty+json;version=2")
            .header("from", self.config.from_email.as_str())
            .header(
                "authorization",
                authorization::header(&self.config.api_token),
            )
    }

    async fn call(
        &self,
        operation: Operation,
        request: RequestBuilder,
    ) -> Result<Reply, CallError> {
        self.exchange(operation, request, |reply| {
            errors::failure(operation, reply)
        })
        .await
    }

    /// The same, for who has another idea of what an answer that is no success means.
    async fn exchange(
        &self,
        operation: Operation,
        request: RequestBuilder,
        failure: impl FnOnce(&Reply) -> CallError,
    ) -> Result<Reply, CallError> {
        // One deadline for all of it, which the intent of a write names.
        let within = self.http.call_timeout() + CALL_SLACK;
        let deadline = Deadline::within(within);
        let admission = tokio::time::timeout_at(deadline.at, self.limits.admission()).await;
        let late = |_| CallError::too_late("permit");
        let mut admission = admission.map_err(late)??;
        admission.sends();
        let sent = self
            .http
            .send_by(deadline, operation, request, errors::REQUEST_ID)
            .await;
        let result = sent.and_then(|reply| match reply.status.is_success() {
            true => Ok(reply),
            false => Err(failure(&reply)),
        });
        let last = result.as_ref().ok().and_then(errors::last_of_the_minute);
        let result = self.limits.told(admission, result);
        if let Some(reset) = last {
            // The next one would be refused.
            self.limits.close_for(reset);
        }
        result
    }

    /// Waits until a request may be sent to PagerDuty; see [`accompanied`](super::accompanied).
    ///
    /// # Errors
    /// [`CallError`]; nothing was sent.
    pub async fn admit(&self, priority: Priority) -> Result<Admission, CallError> {
        self.limits.admit(priority).await
    }

    /// For how long nobody asks PagerDuty, not even to see whether it is back; `None`: it may be asked.
    #[must_use]
    pub fn shut_for(&self) -> Option<Duration> {
        self.limits.shut_for()
    }

    /// Under which name the ledger keeps the budget of its credential, where it has one.
    #[must_use]
    pub fn budget_account(&self) -> Option<&str> {
        self.limits.account()
    }

    /// This process ends: what it may still ask others may ask.
    pub async fn give_back(&self) {
        self.limits.give_back().await;
    }
}
