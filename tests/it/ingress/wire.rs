//! HTTP as bytes on a socket, so that a test can send what no well-behaved client would.

use std::time::{Duration, Instant};

use escalator::simulator::signature;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::program::PATIENCE;

/// A request, to be changed and sent.
#[derive(Debug, Clone)]
pub(super) struct Request {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
    /// From before connecting to the end of the answer.
    pub(super) took: Duration,
}

impl Request {
    pub(super) fn new(method: &'static str, path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method,
            path: path.to_owned(),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// A webhook, not signed yet.
    pub(super) fn webhook(body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", "/webhooks/pagerduty", body)
            .header("Content-Type", "application/json")
            .header("User-Agent", "PagerDuty-Webhook/V3.0")
            .header("X-Webhook-Subscription", "PSUBSCR")
            .header("X-Webhook-Id", "7b3f3c3e-0c4e-4c7c-9d8e-2f5a1f0c9b11")
    }

    /// Adds a header; a second one of the same name is sent as such.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Signs it as PagerDuty would with each of these.
    pub(super) fn signed(self, secrets: &[&str]) -> Self {
        let signature = signature(secrets, &self.body);
        self.header("X-PagerDuty-Signature", signature)
    }

    /// Everything before the body. `framing` is the header that says how long the body is.
    pub(super) fn head(&self, framing: &str) -> Vec<u8> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: ingress.test\r\nConnection: close\r\n{framing}\r\n",
            self.method, self.path
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// All of it, with its length said beforehand.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let framing = format!("Content-Length: {}", self.body.len());
        [&self.head(&framing), &*self.body].concat()
    }

    /// All of it, in chunks of which nobody knows how many will come.
    pub(super) fn chunked(&self) -> Vec<u8> {
        let mut bytes = self.head("Transfer-Encoding: chunked");
        for chunk in self.body.chunks(10_000) {
            bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
            bytes.extend(chunk);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\n\r\n");
        bytes
    }

    pub(super) async fn send(&self, base: &str) -> Answer {
        send(base, &self.bytes()).await
    }
}

/// Sends these bytes on a connection of their own and reads what comes back until the other side hangs up.
pub(super) async fn send(base: &str, request: &[u8]) -> Answer {
    let started = Instant::now();
    let (mut from, mut to) = connect(base).await.into_split();
    let mut received = Vec::new();
    let talking = async {
        // An answer may come before the request is through, and then nobody takes the rest.
        let sending = async { drop(to.write_all(request).await) };
        let reading = async { drop(from.read_to_end(&mut received).await) };
        tokio::join!(sending, reading);
    };
    timeout(PATIENCE, talking).await.expect("an answer");
    Answer::parse(&received, started)
}

pub(super) async fn connect(base: &str) -> TcpStream {
    TcpStream::connect(base.strip_prefix("http://").unwrap())
        .await
        .unwrap()
}

impl Answer {
    pub(super) fn parse(received: &[u8], started: Instant) -> Self {
        let text = String::from_utf8_lossy(received);
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Self {
            status: status.unwrap_or_else(|| panic!("no status: {head:?}")),
            head: head.to_owned(),
            body: body.to_owned(),
            took: started.elapsed(),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// 503 with `Retry-After`, before PagerDuty's own patience of 5 s is over.
    pub(super) fn assert_unavailable(&self) {
        assert_eq!(self.status, 503, "{self:?}");
        let seconds: u32 = self.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{self:?}");
        // The budget is 3 s; the rest is for a machine that is busy with other tests.
        assert!(self.took < Duration::from_millis(4500), "{self:?}");
    }
}
