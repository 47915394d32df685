//! The ingress, as PagerDuty, a script and an attacker meet it: the real program over plain sockets.

mod counting;
mod direct;
mod filters;
mod limits;
mod payloads;
mod signatures;
mod silence;
mod starting;
mod storing;
mod undecipherable;
mod wire;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::program::Program;
use crate::support::vhost::{Taker, Vhost};
use crate::support::world::World;
use wire::Request;

/// What signs the webhooks of these tests, unless a test says otherwise.
const SECRET: &str = "the-webhook-secret-of-these-tests";

/// Starts the ingress alone.
async fn ingress(world: &World, more: &[(&str, &str)]) -> Program {
    let settings = [&[("PAGERDUTY_WEBHOOK_SECRETS", SECRET)], more].concat();
    world.start("ingress", &settings).await
}

/// The envelope of an event.
fn envelope(event_type: &str, data: Value) -> Value {
    json!({"event": {
        "id": "01INGRESS00000000000000001",
        "event_type": event_type,
        "resource_type": event_type.split('.').next(),
        "occurred_at": "2026-03-01T03:00:00.000Z",
        "agent": null,
        "client": null,
        "data": data,
    }})
}

fn incident(id: &str) -> Value {
    json!({
        "id": id,
        "type": "incident",
        "status": "triggered",
        "incident_key": null,
        "title": "A customer waits longer than promised",
        "service": {"id": "PCHAT", "type": "service_reference"},
        "urgency": "high",
    })
}

/// The body of the webhook that starts an escalation.
fn triggered(id: &str) -> Vec<u8> {
    envelope("incident.triggered", incident(id))
        .to_string()
        .into_bytes()
}

/// That webhook, signed.
fn trigger(id: &str) -> Request {
    Request::webhook(triggered(id)).signed(&[SECRET])
}

/// What the ingress has stored so far, gone from the queues.
struct Stored {
    high: Vec<Value>,
    normal: Vec<Value>,
    dead: Vec<Value>,
}

impl Stored {
    async fn take(taker: &Taker) -> Self {
        Self {
            high: taker.take_json("escalations.high").await,
            normal: taker.take_json("escalations.normal").await,
            dead: taker.take_json("escalations.dead").await,
        }
    }

    async fn of(vhost: &Vhost) -> Self {
        Self::take(&vhost.taker().await).await
    }

    fn assert_empty(&self) {
        assert!(self.high.is_empty(), "{:#?}", self.high);
        assert!(self.normal.is_empty(), "{:#?}", self.normal);
        assert!(self.dead.is_empty(), "{:#?}", self.dead);
    }
}

/// A count of `escalator_webhooks_total`.
async fn webhooks(program: &Program, outcome: &str) -> f64 {
    let outcome = format!("outcome=\"{outcome}\"");
    program
        .metric(&["escalator_webhooks_total{", &outcome])
        .await
}

/// Says how much of what is optional ran; `cargo test -- --nocapture` shows it.
#[allow(clippy::print_stderr, reason = "the one place where a test talks")]
fn say(what: &str) {
    eprintln!("{what}");
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Captured and published webhooks that are kept outside this repository, where they are there.
fn facts() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/facts");
    let root = std::env::var_os("ESCALATOR_FACTS").map_or_else(beside, PathBuf::from);
    let folder = root.join("pagerduty-webhooks");
    folder.is_dir().then_some(folder)
}

fn read_json(path: &std::path::Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
