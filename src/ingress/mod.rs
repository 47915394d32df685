//! The ingress: signature, parse, filter, confirmed publish, answer. It keeps no state, calls nobody but the broker,
//! and de-duplicates nothing: the worker absorbs duplicates.
//!
//! What it answers is fixed, since PagerDuty acts on it: any 4xx but 429 drops the webhook, and three drops in a row
//! switch the subscription off for a day. So whatever is genuine gets a 2xx once it is safe, and 503 until then.

mod direct;
mod envelope;
mod signature;
mod start;
mod webhook;

pub use start::{Opened, catch_up, publish};

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::post;
use secrecy::SecretString;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::broker::{Destination, Headers, Publication, Publisher};
use crate::escalation::{DeadLetter, Message};
use crate::telemetry::{Telemetry, TraceContext};

/// The path that PagerDuty has to send to.
pub const WEBHOOK_PATH: &str = "/webhooks/pagerduty";

/// The path of a direct start.
const DIRECT_PATH: &str = "/escalations";

/// The biggest body that PagerDuty sends; it drops bigger ones itself.
const BODY_CAP: usize = 256 * 1024;
/// One budget for body, channel and confirm. PagerDuty waits 5 s.
const BUDGET: Duration = Duration::from_secs(3);
/// What a 503 asks for.
const RETRY_AFTER_SECONDS: &str = "5";

/// What the ingress lets in.
#[derive(Debug, Clone)]
pub struct IngressConfig {
    /// Any of these may have signed a webhook; at least one.
    pub webhook_secrets: Vec<SecretString>,
    /// The bearer token of `POST /escalations`; without one there is no such route.
    pub token: Option<SecretString>,
    /// Which events start an escalation.
    pub filter: Filter,
}

/// Which events start an escalation.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The event types.
    pub events: BTreeSet<String>,
    /// The services; empty: all.
    pub services: BTreeSet<String>,
    /// The urgencies; empty: all.
    pub urgencies: BTreeSet<String>,
}

impl Filter {
    /// Whether an event of this type, of an incident of this service and urgency, starts an escalation. What is not known
    /// passes only where nothing is asked of it.
    #[must_use]
    pub fn admits(&self, event: &str, service: Option<&str>, urgency: Option<&str>) -> bool {
        let fits = |filter: &BTreeSet<String>, value: Option<&str>| {
            filter.is_empty() || value.is_some_and(|value| filter.contains(value))
        };
        self.events.contains(event)
            && fits(&self.services, service)
            && fits(&self.urgencies, urgency)
    }
}

/// The trace that a request says it belongs to, as a proxy in front may. One that is given twice, or is none, is none.
fn traceparent(headers: &HeaderMap) -> Option<TraceContext> {
    let mut values = headers.get_all("traceparent").iter();
    let (value, another) = (values.next()?, values.next());
    TraceContext::parse(value.as_bytes()).filter(|_| another.is_none())
}

struct Ingress {
    config: IngressConfig,
    publisher: Publisher,
    telemetry: Arc<Telemetry>,
}

/// The routes of the ingress.
pub fn routes(config: IngressConfig, publisher: Publisher, telemetry: Arc<Telemetry>) -> Router {
    telemetry.ingress_begins();
    let direct = config.token.is_some();
    let ingress = Arc::new(Ingress {
        config,
        publisher,
        telemetry,
    });
    let mut router = Router::new().route(WEBHOOK_PATH, post(webhook::receive));
    if direct {
        router = router.route(DIRECT_PATH, post(direct::start));
    }
    router.with_state(ingress)
}

impl Ingress {
    /// Stores a message in its lane.
    async fn store(
        &self,
        message: &Message,
        id: String,
        trace: TraceContext,
        within: Duration,
    ) -> Result<(), String> {
        publish(
            &self.publisher,
            &self.telemetry,
            message,
            id,
            Some(trace),
            within,
        )
        .await
        .map_err(|e| e.to_string())
    }

    /// Stores what could not be understood.
    async fn store_dead(
        &self,
        letter: &DeadLetter,
        trace: TraceContext,
        within: Duration,
    ) -> Result<(), String> {
        let body = letter.encode().map_err(|e| e.to_string())?;
        let publication = Publication {
            to: Destination::Dead,
            message_id: letter.id.to_string(),
            body,
            headers: Headers {
                code: Some(letter.code.as_str().to_owned()),
                traceparent: Some(trace),
            },
        };
        start::send(
            &self.publisher,
            &self.telemetry,
            publication,
            "dead",
            within,
        )
        .await
        .map_err(|e| e.to_string())
    }
}
