//! Everything the simulator knows, behind one lock that is never held over an await.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::{
    capture::Captures,
    config::Config,
    conversation::Conversation,
    effects::Effects,
    fault::Faults,
    ids::Ids,
    incident::{Incident, IncidentSpec},
    limit::Limit,
    pagerduty::Subscription,
    records::Records,
    webhook::Webhook,
};

/// The world of the two vendors.
pub(super) struct State {
    pub(super) ids: Ids,
    pub(super) faults: Faults,
    pub(super) records: Records,
    pub(super) captures: Captures,
    pub(super) effects: Effects,
    pub(super) tokens: Tokens,
    pub(super) conversations: HashMap<String, Conversation>,
    pub(super) incidents: HashMap<String, Incident>,
    incident_ids: HashMap<u64, String>,
    pub(super) client_secret: String,
    pub(super) api_token: String,
    pub(super) webhook_secret: String,
    pub(super) genesys_limit: Limit,
    pub(super) pagerduty_limit: Limit,
    pub(super) subscriptions: Vec<Subscription>,
    /// Webhooks to be sent once the answer is made, with where they go.
    pub(super) outbox: Vec<(String, Webhook)>,
}

impl State {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            ids: Ids::new(config.seed),
            faults: Faults::default(),
            records: Records::default(),
            captures: Captures::default(),
            effects: Effects::default(),
            tokens: Tokens::default(),
            conversations: HashMap::new(),
            incidents: HashMap::new(),
            incident_ids: HashMap::new(),
            client_secret: config.client_secret.clone(),
            api_token: config.api_token.clone(),
            webhook_secret: config.webhook_secret.clone(),
            genesys_limit: Limit::new(config.genesys_per_minute),
            pagerduty_limit: Limit::new(config.pagerduty_per_minute),
            subscriptions: Vec::new(),
            outbox: Vec::new(),
        }
    }

    pub(super) fn open_incident(&mut self, spec: IncidentSpec) -> String {
        let id = self.ids.incident();
        let number = self.incident_ids.len() as u64 + 1;
        let incident = Incident::open(id.clone(), number, spec, &mut self.ids);
        self.incident_ids.insert(number, id.clone());
        self.incidents.insert(id.clone(), incident);
        id
    }

    /// An incident by its id or by its number.
    pub(super) fn incident(&self, id_or_number: &str) -> Option<&Incident> {
        self.incidents.get(id_or_number).or_else(|| {
            let id = self.incident_ids.get(&id_or_number.parse().ok()?)?;
            self.incidents.get(id)
        })
    }
}

/// Access tokens that were issued and are still good.
#[derive(Default)]
pub(super) struct Tokens {
    good_until: HashMap<String, Instant>,
    issued: VecDeque<(String, Instant)>,
}

impl Tokens {
    pub(super) fn issue(&mut self, token: String, lifetime: Duration) {
        let now = Instant::now();
        // All live equally long, so that the oldest is always the first to go.
        while self.issued.front().is_some_and(|(_, until)| *until <= now) {
            if let Some((old, _)) = self.issued.pop_front() {
                self.good_until.remove(&old);
            }
        }
        self.good_until.insert(token.clone(), now + lifetime);
        self.issued.push_back((token, now + lifetime));
    }

    pub(super) fn is_good(&self, token: &str) -> bool {
        self.good_until
            .get(token)
            .is_some_and(|until| Instant::now() < *until)
    }

    pub(super) fn good(&self) -> Vec<String> {
        let mut good: Vec<_> = self.good_until.keys().cloned().collect();
        good.retain(|token| self.is_good(token));
        good
    }

    pub(super) fn revoke_all(&mut self) {
        self.good_until.clear();
        self.issued.clear();
    }
}
