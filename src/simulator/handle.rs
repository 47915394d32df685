//! The handle that tests and commands hold.

use std::{fmt, io, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    time::{Instant, timeout_at},
};

use super::{
    capture::Captured,
    config::Config,
    conversation::{Conversation, ConversationSpec},
    delivery::{self, Delivered},
    effects::Effects,
    fault::Fault,
    incident::{Incident, IncidentSpec},
    pagerduty::Subscription,
    records::RequestRecord,
    server::{self, Shared, Vendor},
    webhook::Webhook,
};

/// A running simulator; clones are the same one. It runs until [`Simulator::stop`] or the end of the runtime.
#[derive(Clone)]
pub struct Simulator(Arc<Shared>);

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("genesys", &self.0.genesys)
            .field("pagerduty", &self.0.pagerduty)
            .finish_non_exhaustive()
    }
}

impl Simulator {
    /// Binds both listeners and serves. Fails if one of the addresses cannot be had.
    pub async fn start(config: Config) -> io::Result<Self> {
        let genesys = TcpListener::bind(config.listen_genesys).await?;
        let pagerduty = TcpListener::bind(config.listen_pagerduty).await?;
        let client = delivery::client().map_err(io::Error::other)?;
        let (at_genesys, at_pagerduty) = (genesys.local_addr()?, pagerduty.local_addr()?);
        let shared = Arc::new(Shared::new(config, at_genesys, at_pagerduty, client));
        server::listen(&shared, genesys, Vendor::Genesys);
        server::listen(&shared, pagerduty, Vendor::Pagerduty);
        Ok(Self(shared))
    }

    /// The base URL of Genesys, for its API and its login alike, without a slash at the end.
    pub fn genesys_url(&self) -> String {
        format!("http://{}", self.0.genesys)
    }

    /// The base URL of PagerDuty, without a slash at the end.
    pub fn pagerduty_url(&self) -> String {
        format!("http://{}", self.0.pagerduty)
    }

    /// What it was started with; credentials changed since then are not in here.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Opens a conversation; the answer is its id.
    pub fn open_conversation(&self, spec: ConversationSpec) -> String {
        self.0.change(|state| {
            let id = state.ids.uuid();
            let conversation = Conversation::open(id.clone(), spec, &mut state.ids);
            state.conversations.insert(id.clone(), conversation);
            id
        })
    }

    /// Opens an incident; the answer is its id. No webhook is sent.
    pub fn open_incident(&self, spec: IncidentSpec) -> String {
        self.0.change(|state| state.open_incident(spec))
    }

    /// Connects an agent, whether alerting already or new. False if there is no such conversation.
    pub fn connect_agent(&self, conversation_id: &str, user_id: &str) -> bool {
        self.0.change(|state| {
            let conversation = state.conversations.get_mut(conversation_id);
            conversation
                .map(|found| found.connect_agent(user_id, &mut state.ids))
                .is_some()
        })
    }

    /// The agent leaves. False if there is no such conversation.
    pub fn disconnect_agent(&self, conversation_id: &str, user_id: &str) -> bool {
        self.0.change(|state| {
            let conversation = state.conversations.get_mut(conversation_id);
            conversation
                .map(|found| found.disconnect_agent(user_id))
                .is_some()
        })
    }

    /// Ends a conversation, with all that is attached to it. False if there is no such conversation.
    pub fn end_conversation(&self, conversation_id: &str) -> bool {
        self.0.change(|state| {
            state
                .conversations
                .get_mut(conversation_id)
                .map(Conversation::end)
                .is_some()
        })
    }

    /// Attaches a session that nobody asked this API for, visible at once and not counted among the effects: the
    /// one that was there before. The answer is its id, or `None` if there is no such conversation.
    pub fn start_foreign_cobrowse(&self, conversation_id: &str) -> Option<String> {
        self.0.change(|state| {
            let (media_id, session_id) = (state.ids.uuid(), state.ids.uuid());
            let conversation = state.conversations.get_mut(conversation_id)?;
            conversation.attach(media_id, session_id.clone(), Duration::ZERO);
            conversation.join_cobrowse(&session_id);
            Some(session_id)
        })
    }

    /// The customer takes up an offer, under the contract `conversation`. False if it is not there.
    pub fn join_cobrowse(&self, conversation_id: &str, session_id: &str) -> bool {
        self.0.change(|state| {
            let conversation = state.conversations.get_mut(conversation_id);
            conversation.is_some_and(|found| found.join_cobrowse(session_id))
        })
    }

    /// Ends one session of a conversation, ours or foreign. False if it is not there.
    pub fn end_cobrowse(&self, conversation_id: &str, session_id: &str) -> bool {
        self.0.change(|state| {
            let conversation = state.conversations.get_mut(conversation_id);
            conversation.is_some_and(|found| found.end_cobrowse(session_id))
        })
    }

    /// A signed webhook that says what happened to an incident, and makes it so: after `incident.resolved` the
    /// incident is resolved. Every call is a new event. An unknown incident is told of like any other; reading it
    /// back answers 404.
    pub fn webhook(&self, incident_id: &str, event_type: &str) -> Webhook {
        self.0.change(|state| {
            let (ids, secret) = (&mut state.ids, state.webhook_secret.as_str());
            match state.incidents.get_mut(incident_id) {
                Some(incident) => {
                    incident.become_after(event_type);
                    Webhook::about(incident, event_type, secret, ids)
                }
                None => {
                    let spec = IncidentSpec::default();
                    let mut stranger = Incident::open(incident_id.to_owned(), 0, spec, ids);
                    stranger.become_after(event_type);
                    Webhook::about(&stranger, event_type, secret, ids)
                }
            }
        })
    }

    /// A genuine webhook with any body at all.
    pub fn webhook_with_body(&self, body: impl Into<Vec<u8>>) -> Webhook {
        self.0
            .change(|state| Webhook::signed(body.into(), &state.webhook_secret, &mut state.ids))
    }

    /// Delivers a webhook once, as PagerDuty does: POST, its headers, 5 seconds.
    pub async fn deliver(&self, url: &str, webhook: &Webhook) -> Delivered {
        delivery::once(&self.0.client, url, webhook).await
    }

    /// Delivers a webhook again and again until it is accepted or dropped, or this time is over.
    pub async fn deliver_until(&self, url: &str, webhook: &Webhook, within: Duration) -> Delivered {
        delivery::until(&self.0.client, url, webhook, Instant::now() + within).await
    }

    /// The routing key of the event that opened an incident: a credential, for whoever searches a log for it.
    pub fn routing_key(&self, incident_id: &str) -> Option<String> {
        self.0.read(|state| {
            let incident = state.incidents.get(incident_id)?;
            Some(incident.routing_key().to_owned())
        })
    }

    /// Adds a webhook subscription to the account. Nothing but its test event is sent because of it.
    pub fn add_subscription(&self, subscription: Subscription) {
        self.0
            .change(|state| state.subscriptions.push(subscription));
    }

    /// The webhook subscriptions of the account.
    pub fn subscriptions(&self) -> Vec<Subscription> {
        self.0.read(|state| state.subscriptions.clone())
    }

    /// Takes every webhook subscription away.
    pub fn clear_subscriptions(&self) {
        self.0.change(|state| state.subscriptions.clear());
    }

    /// Adds a fault to the script.
    pub fn script(&self, fault: Fault) {
        self.0.change(|state| state.faults.add(fault));
    }

    /// Empties the script. Faults that a request has met already run their course.
    pub fn clear_faults(&self) {
        self.0.change(|state| state.faults.clear());
    }

    /// From now on every token issued so far is answered with 401.
    pub fn revoke_tokens(&self) {
        self.0.change(|state| state.tokens.revoke_all());
    }

    /// The access tokens that are good now, for whoever searches a log for them.
    pub fn tokens(&self) -> Vec<String> {
        self.0.read(|state| state.tokens.good())
    }

    /// Changes the OAuth client's secret at Genesys; tokens that were issued stay good.
    pub fn set_secret(&self, client_secret: impl Into<String>) {
        self.0
            .change(|state| state.client_secret = client_secret.into());
    }

    /// Changes the API key at PagerDuty.
    pub fn set_api_token(&self, api_token: impl Into<String>) {
        self.0.change(|state| state.api_token = api_token.into());
    }

    /// Changes what webhooks made from now on are signed with.
    pub fn set_webhook_secret(&self, secret: impl Into<String>) {
        self.0.change(|state| state.webhook_secret = secret.into());
    }

    /// The effect ledger as it stands: a copy, whose cost grows with what it holds.
    pub fn effects(&self) -> Effects {
        self.0.read(|state| state.effects.clone())
    }

    /// Every request so far, oldest first: a copy, like the effects.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.0.read(|state| state.records.all())
    }

    /// Every request so far as it was, oldest first; none unless [`Config::capture`] is set.
    pub fn captured(&self) -> Vec<Captured> {
        self.0.read(|state| state.captures.all())
    }

    /// Resolves at the next effect, request or end of a request after it was first polled. Where an event could
    /// come before that, use [`Self::wait_until`].
    pub async fn changed(&self) {
        // The sender lives as long as this handle, so that an error cannot come.
        let _ = self.0.changes.subscribe().changed().await;
    }

    /// Waits until the effects are as wanted, looking again after every change; `Err` has the effects as they
    /// were when the time was over. The predicate runs under the simulator's lock and must not call the simulator.
    pub async fn wait_until(
        &self,
        within: Duration,
        mut wanted: impl FnMut(&Effects) -> bool,
    ) -> Result<Effects, Box<Effects>> {
        let deadline = Instant::now() + within;
        let mut changes = self.0.changes.subscribe();
        loop {
            changes.mark_unchanged();
            let met = self
                .0
                .read(|state| wanted(&state.effects).then(|| state.effects.clone()));
            if let Some(effects) = met {
                return Ok(effects);
            }
            if !matches!(timeout_at(deadline, changes.changed()).await, Ok(Ok(()))) {
                return Err(Box::new(self.effects()));
            }
        }
    }

    /// Closes both listeners and every connection, for all clones; late effects that have not landed never will.
    pub async fn stop(self) {
        self.0.stopping.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}
