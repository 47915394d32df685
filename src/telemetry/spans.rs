//! The spans: what each is called and what is said of it, by OpenTelemetry's semantic conventions (HTTP, messaging) where they have
//! a name, else under `escalator.`.
//!
//! Names are few, ids are attributes. Never a whole address, a query, a body, a message of somebody's, a link or a person's name.

use std::fmt::Display;
use std::time::Duration;

use super::events::AttemptFinished;
use super::metrics::Telemetry;
use super::span::{Span, SpanKind};
use super::trace_context::TraceContext;
use crate::escalation::Code;

/// A request to a vendor, before it is sent.
#[derive(Debug, Clone, Copy)]
pub struct CallBegins<'a> {
    /// Whom.
    pub vendor: &'static str,
    /// What.
    pub operation: &'static str,
    /// The HTTP method.
    pub method: &'a str,
    /// The host that is asked.
    pub host: Option<&'a str>,
    /// Its port.
    pub port: Option<u16>,
}

impl Telemetry {
    /// A request that is answered, by its route; `parent`: what it says that it belongs to.
    #[must_use]
    pub fn request_begins(&self, route: &'static str, parent: Option<TraceContext>) -> Span {
        let mut span = self.open(parent, SpanKind::Server, || format!("POST {route}"));
        span.text("http.request.method", "POST");
        span.text("http.route", route);
        span.text("url.path", route);
        span.text("url.scheme", "http");
        span
    }

    /// A message that is handed to the broker: it and what it is for belong to this span's context.
    #[must_use]
    pub fn send_begins(
        &self,
        parent: Option<TraceContext>,
        queue: impl Display,
        message_id: &str,
        delay: Option<Duration>,
    ) -> Span {
        let mut span = self.open(parent, SpanKind::Producer, || format!("send {queue}"));
        span.message("send", &queue, Some(message_id));
        if let Some(delay) = delay {
            span.number("escalator.delay_ms", delay.as_millis());
        }
        span
    }

    /// A message that is worked on; `parent`: what it says that it belongs to.
    #[must_use]
    pub fn process_begins(
        &self,
        parent: Option<TraceContext>,
        queue: impl Display,
        message_id: Option<&str>,
    ) -> Span {
        let mut span = self.open(parent, SpanKind::Consumer, || format!("process {queue}"));
        span.message("process", &queue, message_id);
        span
    }

    /// A step of an attempt, waiting for a permit included. `call`: what it does.
    #[must_use]
    pub fn step_begins(&self, step: &'static str, call: &'static str) -> Option<Span> {
        let mut span = self.open_within(SpanKind::Internal, || format!("step {step}"))?;
        span.text("escalator.step", step);
        span.text("escalator.call", call);
        Some(span)
    }

    /// A request to a vendor.
    #[must_use]
    pub fn call_begins(&self, call: &CallBegins<'_>) -> Option<Span> {
        let name = || format!("{} {}", call.method, call.operation);
        let mut span = self.open_within(SpanKind::Client, name)?;
        span.text("http.request.method", call.method);
        span.text("escalator.vendor", call.vendor);
        span.text("escalator.operation", call.operation);
        if let Some(host) = call.host {
            span.text("server.address", host);
        }
        if let Some(port) = call.port {
            span.number("server.port", port);
        }
        Some(span)
    }
}

impl Span {
    fn message(&mut self, operation: &'static str, queue: &impl Display, id: Option<&str>) {
        if !self.is_recording() {
            return;
        }
        self.text("messaging.system", "rabbitmq");
        self.text("messaging.operation.type", operation);
        self.text("messaging.operation.name", operation);
        self.text("messaging.destination.name", &queue.to_string());
        if let Some(id) = id {
            self.text("messaging.message.id", id);
        }
    }

    /// The request got this answer.
    pub fn answered(&mut self, status: u16, outcome: &str, incident: Option<&str>) {
        self.number("http.response.status_code", status);
        self.text("escalator.outcome", outcome);
        if let Some(incident) = incident {
            self.text("escalator.incident", incident);
        }
        if status >= 500 {
            self.failed(outcome);
        }
    }

    /// What became of the message: `stored`, or the stage at which it failed.
    pub fn sent(&mut self, outcome: &'static str) {
        self.text("escalator.outcome", outcome);
        if outcome != "stored" {
            self.failed(outcome);
        }
    }

    /// The message could not be read.
    pub fn not_understood(&mut self, code: &'static str) {
        self.text("escalator.outcome", "dead");
        self.text("escalator.code", code);
        self.failed(code);
    }

    /// What became of the attempt: the same as its wide line says, but no reason, which may quote a vendor.
    pub fn attempted(&mut self, event: &AttemptFinished<'_>) {
        if !self.is_recording() {
            return;
        }
        for (key, value) in [
            ("escalator.outcome", Some(event.outcome)),
            ("escalator.key", event.key),
            ("escalator.incident", Some(event.incident)),
            ("escalator.conversation", event.conversation),
            ("escalator.agent", event.agent),
            ("escalator.lane", Some(event.lane)),
            ("escalator.origin", Some(event.origin)),
            ("escalator.step", event.step),
            ("escalator.code", event.code.map(Code::as_str)),
        ] {
            if let Some(value) = value {
                self.text(key, value);
            }
        }
        if let Some(delay) = event.delay {
            self.number("escalator.delay_ms", delay.as_millis());
        }
        self.number("escalator.attempts", event.attempts);
        self.number("escalator.epoch", event.epoch);
        self.number("escalator.age_ms", event.age.as_millis());
        self.flag("escalator.redelivered", event.redelivered);
        self.flag("escalator.recovered", event.recovered);
        if event.outcome == "dead" {
            self.failed(event.code.unwrap_or(Code::Internal).as_str());
        }
    }

    /// How the step ended. One that goes on later has not failed.
    pub fn step_ended(&mut self, outcome: &'static str, code: Option<&'static str>) {
        self.text("escalator.outcome", outcome);
        if let Some(code) = code {
            self.text("escalator.code", code);
        }
        if outcome == "final" {
            self.failed(code.unwrap_or("internal"));
        }
    }

    /// The vendor's status, or `not_sent`, or `no_answer`; and by which id the vendor finds the call.
    pub fn call_ended(&mut self, status: &str, correlation: Option<&str>) {
        let answered = status.parse::<u16>().ok();
        if let Some(status) = answered {
            self.number("http.response.status_code", status);
        }
        if let Some(correlation) = correlation {
            self.text("escalator.correlation", correlation);
        }
        if answered.is_none_or(|status| status >= 400) {
            self.failed(status);
        }
    }
}
