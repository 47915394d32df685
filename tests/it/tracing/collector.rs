//! An OTLP collector of the test's own: it reads what arrives with OpenTelemetry's own crate.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::support::program::PATIENCE;

/// What it does with requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mood {
    Takes,
    /// Takes the request and says that so many spans of it were not taken.
    Rejects(i64),
    Answers(u16),
    Hangs,
}

/// A span as it arrived, with what its resource says.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) resource: BTreeMap<String, String>,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) began: u64,
    pub(crate) ended: u64,
    pub(crate) failed: bool,
    pub(crate) said: BTreeMap<String, String>,
}

impl Seen {
    pub(crate) fn said(&self, key: &str) -> &str {
        self.said.get(key).map_or("", String::as_str)
    }

    pub(crate) fn role(&self) -> &str {
        self.resource.get("escalator.role").unwrap()
    }
}

pub(crate) struct Collector {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    mood: Mutex<Mood>,
    /// Requests that were taken.
    taken: Mutex<Vec<(HeaderMap, Bytes)>>,
    /// Requests that arrived.
    arrived: watch::Sender<usize>,
}

impl Collector {
    pub(crate) async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            mood: Mutex::new(mood),
            taken: Mutex::default(),
            arrived: watch::Sender::default(),
        });
        let router = Router::new()
            .route("/v1/traces", post(receive))
            .fallback(async |State(shared): State<Arc<Shared>>| {
                shared.arrived.send_modify(|count| *count += 1);
                StatusCode::NOT_FOUND
            })
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared }
    }

    pub(crate) fn becomes(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    /// Requests that arrived, whatever became of them.
    pub(crate) fn arrived(&self) -> usize {
        *self.shared.arrived.borrow()
    }

    /// Waits for the first request, whatever becomes of it.
    pub(crate) async fn hears(&self) {
        let mut arrived = self.shared.arrived.subscribe();
        let heard = timeout(PATIENCE, arrived.wait_for(|count| *count > 0)).await;
        assert!(matches!(heard, Ok(Ok(_))), "nobody exports anything");
    }

    /// The bytes and the headers of what was taken.
    pub(crate) fn taken(&self) -> Vec<(HeaderMap, Bytes)> {
        self.shared.taken.lock().unwrap().clone()
    }

    pub(crate) fn spans(&self) -> Vec<Seen> {
        let mut seen = Vec::new();
        for (_, body) in self.taken() {
            let request = ExportTraceServiceRequest::decode(body).unwrap();
            for of_resource in request.resource_spans {
                let resource = values(of_resource.resource.unwrap().attributes);
                for span in of_resource.scope_spans.into_iter().flat_map(|s| s.spans) {
                    seen.push(Seen {
                        resource: resource.clone(),
                        trace: hex::encode(&span.trace_id),
                        id: hex::encode(&span.span_id),
                        parent: hex::encode(&span.parent_span_id),
                        kind: format!("{:?}", span.kind()),
                        began: span.start_time_unix_nano,
                        ended: span.end_time_unix_nano,
                        failed: span.status.as_ref().is_some_and(|status| status.code == 2),
                        said: values(span.attributes.clone()),
                        name: span.name,
                    });
                }
            }
        }
        seen.sort_by_key(|span| span.began);
        seen
    }
}

fn values(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let pairs = attributes.into_iter().map(|attribute| {
        let value = match attribute.value.unwrap().value.unwrap() {
            Value::StringValue(text) => text,
            Value::IntValue(number) => number.to_string(),
            Value::BoolValue(flag) => flag.to_string(),
            other => panic!("{other:?}"),
        };
        (attribute.key, value)
    });
    pairs.collect()
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let mood = *shared.mood.lock().unwrap();
    if matches!(mood, Mood::Takes | Mood::Rejects(_)) {
        shared.taken.lock().unwrap().push((headers, body));
    }
    shared.arrived.send_modify(|count| *count += 1);
    match mood {
        Mood::Takes => ExportTraceServiceResponse::default()
            .encode_to_vec()
            .into_response(),
        Mood::Rejects(rejected_spans) => ExportTraceServiceResponse {
            partial_success: Some(ExportTracePartialSuccess {
                rejected_spans,
                error_message: "too many of them".to_owned(),
            }),
        }
        .encode_to_vec()
        .into_response(),
        Mood::Answers(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Mood::Hangs => std::future::pending().await,
    }
}

/// A trace as a tree, a span a line: how long after its beginning, how long it took, whose it is, and what it says.
pub(crate) fn tree(spans: &[Seen]) -> String {
    let mut text = String::new();
    let ids: Vec<_> = spans.iter().map(|span| span.id.as_str()).collect();
    let first = spans
        .iter()
        .map(|span| span.began)
        .min()
        .unwrap_or_default();
    for root in spans.iter().filter(|s| !ids.contains(&s.parent.as_str())) {
        branch(&mut text, spans, root, 0, first);
    }
    text
}

fn branch(text: &mut String, spans: &[Seen], span: &Seen, depth: usize, first: u64) {
    const TOLD: [&str; 8] = [
        "server.address",
        "http.response.status_code",
        "escalator.call",
        "escalator.outcome",
        "escalator.code",
        "escalator.delay_ms",
        "escalator.attempts",
        "error.type",
    ];
    let told = TOLD.iter().filter_map(|key| {
        let value = span.said.get(*key)?;
        Some(format!("{}={value}", key.rsplit('.').next().unwrap()))
    });
    let ms = |nanos: u64| Duration::from_nanos(nanos).as_secs_f64() * 1000.0;
    let name = format!("{}{}", "  ".repeat(depth), span.name);
    let kind = span.kind.to_uppercase();
    writeln!(
        text,
        "{name:<40} {kind:<8} {:<7} +{:>7.1} ms {:>7.1} ms  {}",
        span.role(),
        ms(span.began - first),
        ms(span.ended - span.began),
        told.collect::<Vec<_>>().join(" ")
    )
    .unwrap();
    for child in spans.iter().filter(|one| one.parent == span.id) {
        branch(text, spans, child, depth + 1, first);
    }
}
