//! The admin listener: metrics and health.
//!
//! Live means that the process can answer at all. Ready means that it can do its job here and now: broker and ledger.
//! A vendor that is down makes nobody unready, nor does a pause: taking the workers away would not bring it back. Both are told.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;
use crate::ledger::Ledger;
use crate::telemetry::Telemetry;

/// A dependency that takes longer than this to say that it is there is not there.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// What the admin listener looks at.
#[derive(Clone)]
pub struct Admin {
    /// For the metrics.
    pub telemetry: Arc<Telemetry>,
    /// Every role has one.
    pub broker: Broker,
    /// The ingress has none.
    pub ledger: Option<Arc<dyn Ledger>>,
    /// Cancelled when the process has begun to end.
    pub draining: CancellationToken,
}

/// The routes of the admin listener.
pub fn routes(admin: Admin) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .with_state(admin)
}

async fn metrics(State(admin): State<Admin>) -> Response {
    match admin.telemetry.render() {
        Ok(text) => (
            [(
                header::CONTENT_TYPE,
                "text/plain; version=0.0.4; charset=utf-8",
            )],
            text,
        )
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn live() -> Response {
    axum::Json(json!({"live": true})).into_response()
}

async fn ready(State(admin): State<Admin>) -> Response {
    let broker = match admin.broker.health().missing() {
        None => json!({"ok": true}),
        Some(missing) => json!({"ok": false, "missing": missing}),
    };
    let ledger = match &admin.ledger {
        None => Value::Null,
        Some(ledger) => match tokio::time::timeout(ANSWER_WITHIN, ledger.ping()).await {
            Ok(Ok(())) => json!({"ok": true}),
            Ok(Err(error)) => json!({"ok": false, "missing": error.to_string()}),
            Err(_) => {
                json!({"ok": false, "missing": format!("no answer within {ANSWER_WITHIN:?}")})
            }
        },
    };
    let draining = admin.draining.is_cancelled();
    let ok = |part: &Value| part.is_null() || part.get("ok") == Some(&Value::Bool(true));
    let ready = ok(&broker) && ok(&ledger) && !draining;
    let mut body = json!({"ready": ready, "broker": broker, "draining": draining});
    if let (Some(map), false) = (body.as_object_mut(), ledger.is_null()) {
        map.insert("ledger".to_owned(), ledger);
        let vendors = admin.telemetry.vendors().into_iter();
        let vendors = vendors.map(|(vendor, shut)| (vendor.to_owned(), json!({"shut": shut})));
        map.insert("vendors".to_owned(), Value::Object(vendors.collect()));
        map.insert("paused".to_owned(), admin.telemetry.is_paused().into());
    }
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, axum::Json(body)).into_response()
}
