//! Requests as they were, for whoever compares them with what a vendor publishes. Kept only where
//! [`Config::capture`](super::Config::capture) asks for it: a run of an hour would fill the memory.

use std::{collections::BTreeMap, fmt};

use hyper::http::request::Parts;
use serde_json::Value;

use super::{
    fault::Operation,
    reply::{Answer, Call},
    server::Vendor,
};

/// More than any test sends; what comes later is not kept.
const KEPT: usize = 100_000;

/// A request as it arrived, and what it was answered.
///
/// `Debug` leaves out headers and bodies: notes hold links, and a body may hold a secret.
#[derive(Clone)]
pub struct Captured {
    /// Whether Genesys was asked; else PagerDuty.
    pub genesys: bool,
    /// What it asked for.
    pub operation: Operation,
    /// Its method.
    pub method: String,
    /// Its path, as it came.
    pub path: String,
    /// The parameters of its query, decoded, in their order.
    pub query: Vec<(String, String)>,
    /// Its headers by their names in lower case; of `authorization` only the form, the credential is `…`.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: Vec<u8>,
    /// Status and body of the answer that the vendor gives by itself; `None` where a fault or a limit answered.
    pub answer: Option<(u16, Option<Value>)>,
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captured")
            .field("operation", &self.operation)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &self.query)
            .finish_non_exhaustive()
    }
}

/// All that was captured, oldest first.
#[derive(Default)]
pub(super) struct Captures(Vec<Captured>);

impl Captures {
    /// Keeps a request; the number is for [`Self::answered`].
    pub(super) fn keep(&mut self, vendor: Vendor, head: &Parts, call: &Call) -> Option<usize> {
        if self.0.len() >= KEPT {
            return None;
        }
        let headers = head.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            let shown = if name == "authorization" {
                without_credential(&value)
            } else {
                value.into_owned()
            };
            (name.as_str().to_owned(), shown)
        });
        let query = url::form_urlencoded::parse(call.query.as_bytes());
        self.0.push(Captured {
            genesys: vendor == Vendor::Genesys,
            operation: call.route.operation,
            method: head.method.to_string(),
            path: call.path.clone(),
            query: query.into_owned().collect(),
            headers: headers.collect(),
            body: call.body.to_vec(),
            answer: None,
        });
        Some(self.0.len() - 1)
    }

    /// Says what it was answered.
    pub(super) fn answered(&mut self, number: usize, answer: &Answer) {
        if let Some(captured) = self.0.get_mut(number) {
            captured.answer = Some((answer.status, answer.body.clone()));
        }
    }

    pub(super) fn all(&self) -> Vec<Captured> {
        self.0.clone()
    }
}

/// `Token token=…`, `Bearer …`, `Basic …`.
fn without_credential(value: &str) -> String {
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    let named = rest.split_once('=').map_or("", |(name, _)| name);
    match (scheme, named) {
        ("Token", "token") => "Token token=…".to_owned(),
        ("Basic" | "Bearer", _) => format!("{scheme} …"),
        _ => "…".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_credential_only_the_form_is_kept() {
        for (given, kept) in [
            ("Token token=hush", "Token token=…"),
            ("Bearer hush", "Bearer …"),
            ("Basic aHVzaA==", "Basic …"),
            ("Token hush", "…"),
            ("hush", "…"),
        ] {
            assert_eq!(without_credential(given), kept);
        }
    }
}
