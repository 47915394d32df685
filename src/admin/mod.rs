//! The admin listener: metrics, health, and what an operator reaches over HTTP.
//!
//! Live means that the process can answer at all. Ready means that it can do its job here and now: broker and ledger.
//! A vendor that is down makes nobody unready, nor does a pause: taking the workers away would not bring it back. Both are told.
//!
//! An operator has a token, and reaches what `escalator dead-letters`, `escalator audit` do on the command line. Without a
//! token in the settings these routes do not exist. `openapi.json` describes all of them.

mod answer;
mod dead_letters;
mod fields;
mod operator;
mod replays;
mod selection;

pub use operator::{Office, Operator};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use self::operator::Desk;
use crate::broker::Broker;
use crate::ledger::Ledger;
use crate::telemetry::Telemetry;

/// A dependency that takes longer than this to say that it is there is not there.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// What describes the routes.
const DOCUMENT: &str = include_str!("openapi.json");

/// What the admin listener looks at.
#[derive(Clone)]
pub struct Admin {
    /// For the metrics.
    pub telemetry: Arc<Telemetry>,
    /// Every role has one.
    pub broker: Broker,
    /// The ingress has none.
    pub ledger: Option<Arc<dyn Ledger>>,
    /// Who may look at dead letters and replay them; nobody, where there is no token.
    pub operator: Option<Operator>,
    /// Cancelled when the process has begun to end.
    pub draining: CancellationToken,
}

/// A route, and what answers it.
struct Route<S>(&'static str, &'static str, MethodRouter<S>);

/// Those for everybody.
fn open() -> [Route<Admin>; 3] {
    [
        Route("GET", "/metrics", get(metrics)),
        Route("GET", "/health/live", get(live)),
        Route("GET", "/health/ready", get(ready)),
    ]
}

/// Those that are there where there is an operator, and for whom no token is needed.
fn described() -> [Route<Arc<Desk>>; 1] {
    [Route("GET", "/openapi.json", get(document))]
}

/// Those for an operator with the token.
fn guarded() -> [Route<Arc<Desk>>; 13] {
    [
        Route("GET", "/dead-letters", get(dead_letters::list)),
        Route("GET", "/dead-letters/groups", get(dead_letters::groups)),
        Route("POST", "/dead-letters/discard", post(dead_letters::discard)),
        Route("POST", "/dead-letters/plan", post(dead_letters::plan)),
        Route("GET", "/dead-letters/{id}", get(dead_letters::show)),
        Route("POST", "/dead-letters/{id}/edit", post(dead_letters::edit)),
        Route("GET", "/replays", get(replays::list)),
        Route("POST", "/replays", post(replays::begin)),
        Route("GET", "/replays/{id}", get(replays::show)),
        Route("GET", "/replays/{id}/entries", get(replays::entries)),
        Route("POST", "/replays/{id}/cancel", post(replays::cancel)),
        Route("POST", "/replays/{id}/resume", post(replays::resume)),
        Route("GET", "/audit", get(dead_letters::audit)),
    ]
}

/// Every route by method and path, as `openapi.json` has to have it, and whether it needs the token.
#[must_use]
pub fn table() -> Vec<(&'static str, &'static str, bool)> {
    fn names<S, const N: usize>(
        routes: [Route<S>; N],
        token: bool,
    ) -> [(&'static str, &'static str, bool); N] {
        routes.map(|Route(method, path, _)| (method, path, token))
    }
    let mut all = Vec::from(names(open(), false));
    all.extend(names(described(), false));
    all.extend(names(guarded(), true));
    all
}

/// The routes of the admin listener.
pub fn routes(admin: Admin) -> Router {
    let operator = admin.operator.clone();
    let draining = admin.draining.clone();
    let router = router_of(open()).with_state(admin);
    let Some(operator) = operator else {
        return router;
    };
    let desk = Arc::new(Desk::new(operator, draining));
    let guard = axum::middleware::from_fn_with_state(desk.clone(), operator::guard);
    let operators = router_of(guarded())
        .route_layer(guard)
        .merge(router_of(described()));
    router.merge(operators.with_state(desk))
}

fn router_of<S: Clone + Send + Sync + 'static, const N: usize>(routes: [Route<S>; N]) -> Router<S> {
    routes
        .into_iter()
        .fold(Router::new(), |router, Route(_, path, handler)| {
            router.route(path, handler)
        })
}

async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
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
            Ok(Ok(())) if admin.telemetry.ledger_refuses() => {
                json!({"ok": false, "missing": "it can be read, and takes nothing: look at its disk, and whether something else has locked it"})
            }
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
