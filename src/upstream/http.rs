//! The one HTTP policy: a deadline for everything, a cap on bodies, no redirects, no retries, no surprises.

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, RequestBuilder, StatusCode, redirect};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use url::Url;

use super::call::{CallError, Operation};
use super::lenient::Object;
use super::{heard, retry_after};
use crate::crash;
use crate::telemetry::{CallBegins, Span, Telemetry, UpstreamAnswered};

/// The biggest answer that is read. A conversation with a long history has a few hundred KiB.
const BODY_CAP: usize = 4 * 1024 * 1024;
/// How much of a vendor's own error message is quoted.
const MESSAGE_CAP: usize = 300;
/// By this header of every answer Genesys' support finds the call again.
pub(super) const CORRELATION: &str = "inin-correlation-id";
/// By this one PagerDuty's does.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// W3C's header of the trace that a request belongs to.
const TRACEPARENT: &str = "traceparent";

/// A request, or why there is none.
type Built = Result<reqwest::Request, reqwest::Error>;

/// How calls are made.
#[derive(Debug, Clone, Copy)]
pub struct HttpConfig {
    /// The longest that a call may take, from connecting to the last byte.
    pub call_timeout: Duration,
    /// The longest that connecting may take; part of the above.
    pub connect_timeout: Duration,
}

/// Makes calls. Cheap to clone; clones share the connection pool.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    config: HttpConfig,
    telemetry: Arc<Telemetry>,
}

/// An answer that arrived whole.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Http {
    /// Sets the client up.
    ///
    /// # Errors
    /// When TLS cannot be set up: no trusted certificates on this machine.
    pub fn new(config: HttpConfig, telemetry: Arc<Telemetry>) -> Result<Self, reqwest::Error> {
        // One provider of cryptography for everything; whoever installed it first is welcome to it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("escalator/", env!("CARGO_PKG_VERSION")))
            // A redirected write would be repeated, with our credentials, at a place that nobody configured.
            .redirect(redirect::Policy::none())
            // reqwest repeats some requests by itself; whether a write may be repeated is not its to say.
            .retry(reqwest::retry::never())
            .connect_timeout(config.connect_timeout)
            .pool_idle_timeout(Duration::from_secs(30))
            .tcp_keepalive(Duration::from_secs(30))
            .build()?;
        Ok(Self {
            client,
            config,
            telemetry,
        })
    }

    /// The longest that a call may take, with everything that belongs to it.
    pub(super) fn call_timeout(&self) -> Duration {
        self.config.call_timeout
    }

    pub(super) fn telemetry(&self) -> &Arc<Telemetry> {
        &self.telemetry
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a request and reads the whole answer, whatever its status.
    ///
    /// Dropping the future gives the call up on our side; the vendor may still act on it.
    pub(super) async fn send(
        &self,
        operation: Operation,
        request: RequestBuilder,
        correlation_header: &str,
    ) -> Result<Reply, CallError> {
        let (_, request) = request.build_split();
        let (request, mut span) = self.traced(operation, request);
        crash::before(operation.as_str());
        let amid = crash::amid(operation.as_str());
        let started = Instant::now();
        let result =
            match tokio::time::timeout(self.config.call_timeout, exchange(&self.client, request))
                .await
            {
                Ok(result) => result,
                Err(_) => Err(CallError::unknown(format!(
                    "no answer within {:?}",
                    self.config.call_timeout
                ))),
            };
        drop(amid);
        crash::after(operation.as_str());
        let answered = result.as_ref().ok();
        let correlation = answered.and_then(|reply| reply.header(correlation_header));
        // A foreign text like any other.
        let correlation = correlation.map(clip);
        let correlation = correlation.as_deref();
        heard::hear(correlation);
        let status = match &result {
            Ok(reply) => reply.status.as_str(),
            Err(CallError::NotSent(_)) => "not_sent",
            Err(_) => "no_answer",
        };
        if let Some(span) = &mut span {
            span.call_ended(status, correlation);
        }
        self.telemetry.upstream_answered(&UpstreamAnswered {
            vendor: operation.vendor().as_str(),
            operation: operation.as_str(),
            status,
            correlation,
            took: started.elapsed(),
        });
        result
    }

    /// The request with the `traceparent` of its span, where the work belongs to a trace.
    fn traced(&self, operation: Operation, request: Built) -> (Built, Option<Span>) {
        let Ok(mut request) = request else {
            return (request, None);
        };
        let span = self.telemetry.call_begins(&CallBegins {
            vendor: operation.vendor().as_str(),
            operation: operation.as_str(),
            method: request.method().as_str(),
            host: request.url().host_str(),
            port: request.url().port_or_known_default(),
        });
        if let Some(span) = &span
            && let Ok(value) = HeaderValue::try_from(span.context().to_string())
        {
            request.headers_mut().insert(TRACEPARENT, value);
        }
        (Ok(request), span)
    }

    /// The same by a deadline of the caller's, which an intent names. What is left of it may have been used up by waiting, or by
    /// standing still: then nothing is sent, for it could not be told from what somebody else has done since.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`CallError::Waits`].
    pub(super) async fn send_by(
        &self,
        deadline: Deadline,
        operation: Operation,
        request: RequestBuilder,
        correlation_header: &str,
    ) -> Result<Reply, CallError> {
        if deadline.left() < self.config.call_timeout / 2 {
            return Err(CallError::too_late("time"));
        }
        let sent = self.send(operation, request, correlation_header);
        let late = || Err(CallError::unknown("not done in time"));
        let sent = tokio::time::timeout_at(deadline.at, sent).await;
        sent.unwrap_or_else(|_| late())
    }
}

/// When a call has to be over, by two clocks: one stands still while the machine is asleep, the other may be set. Whichever says
/// that more time has gone by is believed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    /// By the clock that timers use.
    pub(super) at: tokio::time::Instant,
    wall: SystemTime,
}

impl Deadline {
    /// So long from now.
    pub(super) fn within(span: Duration) -> Self {
        Self {
            at: tokio::time::Instant::now() + span,
            wall: SystemTime::now() + span,
        }
    }

    fn left(&self) -> Duration {
        let asleep = self.wall.duration_since(SystemTime::now());
        let left = self
            .at
            .saturating_duration_since(tokio::time::Instant::now());
        left.min(asleep.unwrap_or_default())
    }
}

async fn exchange(client: &Client, request: Built) -> Result<Reply, CallError> {
    let request = request.map_err(|e| before_answer(&e))?;
    let response = client.execute(request).await;
    let mut response = response.map_err(|e| before_answer(&e))?;
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(None) => break,
            Ok(Some(chunk)) if body.len() + chunk.len() > BODY_CAP => {
                return Err(CallError::unknown(format!(
                    "status {} with a body of more than {BODY_CAP} bytes{}",
                    status.as_u16(),
                    found_by(&headers)
                )));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Err(error) => {
                return Err(CallError::unknown(format!(
                    "status {}, then the body broke off: {}{}",
                    status.as_u16(),
                    root_cause(&error),
                    found_by(&headers)
                )));
            }
        }
    }
    Ok(Reply {
        status,
        headers,
        body: body.freeze(),
    })
}

/// How support finds the call, where its answer says so.
fn found_by(headers: &HeaderMap) -> String {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (value(CORRELATION), value(REQUEST_ID)) {
        (Some(id), _) => format!(" (correlation id {})", clip(id)),
        (None, Some(id)) => format!(" (request id {})", clip(id)),
        (None, None) => String::new(),
    }
}

fn before_answer(error: &reqwest::Error) -> CallError {
    // `is_connect` covers name look-up, TCP and TLS: nothing of the request was written then.
    if error.is_connect() || error.is_builder() {
        CallError::NotSent(root_cause(error))
    } else {
        CallError::unknown(root_cause(error))
    }
}

/// The innermost message: the outer ones of reqwest quote the URL and say nothing else.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    clip(&cause.to_string())
}

/// Makes a foreign text fit for a log line: no line breaks, no great length, and no link, for a vendor's message may quote
/// what it refuses.
pub(super) fn clip(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .map(|word| {
            // Its slashes may be escaped, where it was quoted twice.
            if word.replace('\\', "").contains("://") {
                "(a link)"
            } else {
                word
            }
        })
        .collect();
    let text = words.join(" ");
    let mut clipped: String = text.chars().take(MESSAGE_CAP).collect();
    if clipped.len() < text.len() {
        clipped.push('…');
    }
    clipped
}

/// Reads a page of our own, such as a health check. Returns the status and the body.
///
/// # Errors
/// [`CallError`], if there is no whole answer in time.
pub async fn probe(
    base: &Url,
    segments: &[&str],
    within: Duration,
) -> Result<(u16, String), CallError> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::new();
    let request = client.get(url(base, segments)).timeout(within).build();
    let reply = exchange(&client, request).await?;
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    Ok((reply.status.as_u16(), body))
}

/// The base with these segments behind it. An id that is one of them is safe in a path by its type.
pub(super) fn url(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// Any of these headers as a time to wait.
    pub(super) fn wait_from(&self, names: &[&str]) -> Option<Duration> {
        names
            .iter()
            .filter_map(|name| self.header(name))
            .find_map(|value| retry_after::parse(value, SystemTime::now()))
    }

    /// How support finds the call; nothing where the answer does not say.
    pub(super) fn found_by(&self) -> String {
        found_by(&self.headers)
    }

    /// Whether it is a page for people: both vendors answer in JSON, so that it comes from something in between.
    pub(super) fn is_a_page(&self) -> bool {
        let said = self.header("content-type").unwrap_or_default();
        let said = said.trim_start().to_ascii_lowercase();
        let first = self.body.iter().find(|byte| !byte.is_ascii_whitespace());
        said.starts_with("text/html") || first == Some(&b'<')
    }

    /// The body of a success, an object at both vendors. One that cannot be read leaves open what happened: the status may
    /// come from a proxy.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        let read = serde_json::from_slice(&self.body);
        read.map(|Object(body)| body).map_err(|e| {
            // serde's own text quotes the input, which may hold a link; its class and position do not.
            CallError::unknown(format!(
                "status {} with an unreadable body ({:?} error at line {}, column {}){}",
                self.status.as_u16(),
                e.classify(),
                e.line(),
                e.column(),
                self.found_by()
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_text_is_one_short_line_without_a_link() {
        let text = "bad note:\nCobrowse session ready: https://join.example/secret (x)\u{7}\tend";
        assert_eq!(
            clip(text),
            "bad note: Cobrowse session ready: (a link) (x) end"
        );
        assert_eq!(clip(r#"{"at":"https:\/\/join.example\/x"}"#), "(a link)");
        assert_eq!(clip(&"é".repeat(1000)).chars().count(), MESSAGE_CAP + 1);
    }
}
