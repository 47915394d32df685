//! The export of spans: OTLP over HTTP, protobuf, to one collector, if the settings name one.
//!
//! It must never hurt. Spans wait in a queue with an end, one task sends them in batches, and what finds no room, or is not taken in
//! time, is dropped and counted. The task's own requests have no spans. It is ours, and not OpenTelemetry's SDK, whose batches are sent
//! by a thread that has no tokio, whose losses cannot be counted, and which listens to the environment (`OTEL_…`).

mod encode;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::metrics::{ExportedSpans, Telemetry};
use super::span::{Queue, Record};
use crate::pacing::{Curve, jittered};

/// Spans that wait at most; an escalation without troubles has about twenty.
const ROOM: usize = 4096;
/// Spans in one request at most.
const BATCH: usize = 512;
/// How long the first span of a batch waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// How long one request may take, connecting included.
const POST_WITHIN: Duration = Duration::from_secs(5);
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// The pause after a collector that was not there, or asked for one.
const AGAIN: Curve = Curve {
    first: Duration::from_millis(500),
    factor: 2.0,
    cap: Duration::from_secs(15),
};
/// For how long a batch is offered to it. Then it makes room for newer ones.
const OFFER_FOR: Duration = Duration::from_secs(60);
/// How long the end of the process may take because of all this.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);
/// More of an answer is not read.
const ANSWER_CAP: usize = 64 * 1024;

/// Where spans go, and what they say of the process.
#[derive(Debug, Clone)]
pub struct OtlpConfig {
    /// Where requests are sent: the collector's address, with `/v1/traces`.
    pub url: String,
    /// Headers of every request, such as a credential.
    pub headers: Vec<(SecretString, SecretString)>,
    /// The share of the traces that begin here and are recorded, 0 to 1.
    pub sample_ratio: f64,
    /// What this process does.
    pub role: &'static str,
    /// Which one it is.
    pub instance: String,
}

/// Why spans cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// A header is none.
    #[error("otlp.headers: one of them is no HTTP header")]
    Header,
    /// TLS cannot be set up.
    #[error("no client for otlp.endpoint: {0}")]
    Client(#[from] reqwest::Error),
    /// A mistake of ours.
    #[error("spans are exported already")]
    Twice,
}

/// The running export; see [`Telemetry::export`].
#[derive(Debug)]
pub struct Exporting {
    closing: CancellationToken,
    task: JoinHandle<()>,
}

struct Exporter {
    client: Client,
    url: String,
    headers: HeaderMap,
    resource: wire::Resource,
    spans: mpsc::Receiver<Record>,
    counts: ExportedSpans,
    closing: CancellationToken,
    /// Dropped when the trouble began that has been told of, if there is one.
    failing: Option<u64>,
}

/// A batch was not taken.
struct NotTaken {
    reason: String,
    /// It may be offered again, after so long at least.
    again: Option<Duration>,
}

impl Telemetry {
    /// Exports spans from now on. To be called inside a tokio runtime, once.
    ///
    /// # Errors
    /// [`OtlpError`]
    pub fn export(&self, config: OtlpConfig) -> Result<Exporting, OtlpError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("escalator/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_WITHIN)
            .timeout(POST_WITHIN)
            .build()?;
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            let name = HeaderName::try_from(name.expose_secret()).map_err(|_| OtlpError::Header)?;
            let value = HeaderValue::from_str(value.expose_secret());
            let mut value = value.map_err(|_| OtlpError::Header)?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        headers.insert(
            "content-type",
            HeaderValue::from_static("application/x-protobuf"),
        );
        let counts = self.exported_spans();
        let (waiting, spans) = mpsc::channel(ROOM);
        let queue = Queue {
            waiting,
            counts: counts.clone(),
            below: Queue::bound(config.sample_ratio),
        };
        let queue = self.exporting.set(Arc::new(queue));
        queue.map_err(|_| OtlpError::Twice)?;
        let closing = CancellationToken::new();
        let exporter = Exporter {
            client,
            url: config.url,
            headers,
            resource: encode::resource(&[
                ("service.name", "escalator"),
                ("service.version", env!("CARGO_PKG_VERSION")),
                ("service.instance.id", &config.instance),
                ("escalator.role", config.role),
            ]),
            spans,
            counts,
            closing: closing.clone(),
            failing: None,
        };
        Ok(Exporting {
            closing,
            task: tokio::spawn(exporter.run()),
        })
    }
}

impl Exporting {
    /// Sends what is left, each batch once, and ends; in 2 s, whatever the collector does.
    pub async fn flush(mut self) {
        self.closing.cancel();
        if timeout(FLUSH_WITHIN, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Exporter {
    async fn run(mut self) {
        let closing = self.closing.clone();
        let mut batch = Vec::new();
        while !closing.is_cancelled() {
            let first = tokio::select! {
                biased;
                () = closing.cancelled() => break,
                count = self.spans.recv_many(&mut batch, BATCH) => count,
            };
            if first == 0 {
                return;
            }
            let until = Instant::now() + GATHER;
            while batch.len() < BATCH {
                let room = BATCH - batch.len();
                tokio::select! {
                    biased;
                    () = closing.cancelled() => break,
                    () = sleep_until(until) => break,
                    count = self.spans.recv_many(&mut batch, room) => if count == 0 { break },
                }
            }
            self.offer(std::mem::take(&mut batch)).await;
        }
        // What is ended from here on finds no room, and is counted as that.
        self.spans.close();
        while self.spans.recv_many(&mut batch, BATCH).await > 0 {
            self.offer(std::mem::take(&mut batch)).await;
        }
    }

    /// Offers a batch until it is taken, refused, or too old; while the process ends, once.
    async fn offer(&mut self, batch: Vec<Record>) {
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let body = bytes::Bytes::from(encode::request(&self.resource, batch));
        let began = Instant::now();
        for attempt in 0.. {
            let not_taken = match self.post(body.clone()).await {
                Ok(rejected) => {
                    let rejected = rejected.min(count);
                    self.counts.sent(count - rejected);
                    self.counts.dropped(rejected);
                    return match rejected {
                        0 => self.back(),
                        _ => self.fails("the collector took the request and not all spans"),
                    };
                }
                Err(not_taken) => not_taken,
            };
            self.fails(&not_taken.reason);
            let wait = not_taken
                .again
                .map(|least| jittered(AGAIN.delay(attempt).max(least)))
                .filter(|wait| began.elapsed() + *wait < OFFER_FOR);
            let Some(wait) = wait.filter(|_| !self.closing.is_cancelled()) else {
                return self.counts.dropped(count);
            };
            tokio::select! {
                () = sleep(wait) => {}
                () = self.closing.cancelled() => {}
            }
        }
    }

    /// How many spans of it the collector has rejected.
    async fn post(&self, body: bytes::Bytes) -> Result<u64, NotTaken> {
        let request = self.client.post(&self.url).headers(self.headers.clone());
        let not_there = |error: &reqwest::Error| NotTaken {
            // The error's own text quotes the address, and its causes may quote what was answered.
            reason: match (error.is_connect(), error.is_timeout()) {
                (true, _) => "no connection".to_owned(),
                (false, true) => "no answer in time".to_owned(),
                (false, false) => "no usable answer".to_owned(),
            },
            again: Some(Duration::ZERO),
        };
        let response = request.body(body).send().await;
        let mut response = response.map_err(|error| not_there(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(NotTaken {
                reason: format!("status {}", status.as_u16()),
                again: may_come_again(status).then(|| pause(response.headers())),
            });
        }
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| not_there(&error))? {
            if answer.len() + chunk.len() > ANSWER_CAP {
                break;
            }
            answer.extend_from_slice(&chunk);
        }
        // An answer that is no message was a success all the same.
        let answer = wire::Response::decode(answer.as_slice()).unwrap_or_default();
        let rejected = answer.partial_success.map(|part| part.rejected_spans);
        Ok(u64::try_from(rejected.unwrap_or_default()).unwrap_or_default())
    }

    /// Tells of it once, until it is over.
    fn fails(&mut self, reason: &str) {
        if self.failing.is_none() {
            self.failing = Some(self.counts.all_dropped());
            tracing::warn!(
                event = "otlp.failing",
                url = self.url,
                reason,
                "spans are kept for a while, then dropped; nothing else is concerned"
            );
        }
    }

    fn back(&mut self) {
        if let Some(before) = self.failing.take() {
            let dropped = self.counts.all_dropped().saturating_sub(before);
            tracing::info!(event = "otlp.back", url = self.url, dropped);
        }
    }
}

/// Those that OTLP names; whatever else is refused, is refused for good.
fn may_come_again(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// What the collector asks for, in seconds.
fn pause(headers: &HeaderMap) -> Duration {
    let text = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let seconds = text.and_then(|text| text.trim().parse().ok());
    // Longer than anything is offered is never.
    let seconds = seconds.map_or(Duration::ZERO, Duration::from_secs);
    seconds.min(OFFER_FOR)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_collector_that_wants_an_eternity_gets_no_more_than_spans_are_offered_for() {
        let asked = |value: &str| {
            let value = HeaderValue::from_str(value).unwrap();
            pause(&HeaderMap::from_iter([(RETRY_AFTER, value)]))
        };
        assert_eq!(asked("18446744073709551615"), OFFER_FOR);
        assert_eq!(asked("2"), Duration::from_secs(2));
        assert_eq!(asked("soon"), Duration::ZERO);
    }
}
