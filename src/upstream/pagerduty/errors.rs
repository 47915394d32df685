//! What a refusal of PagerDuty means. Its error body comes in many shapes (an object with `errors` as list, as text
//! or absent; a list; a text; nothing at all), so the status decides, then the code, and the text only explains.

use reqwest::StatusCode;
use serde_json::Value;
use std::time::Duration;

use super::super::call::{CallError, Operation, Subject};
pub(super) use super::super::http::REQUEST_ID;
use super::super::http::{Reply, clip};
use crate::escalation::{Code, NoteContent};

/// `From` missing, malformed, or of nobody in the account.
const FROM_CODES: [u64; 3] = [2016, 1028, 1008];
const AUTHENTICATION_FAILED: u64 = 2006;
const ACCESS_DENIED: u64 = 2010;
const ACCESS_LOST: u64 = 2018;
const PRODUCT_LIMIT: u64 = 2019;
const RATE_LIMIT: u64 = 2020;
const NOT_FOUND: [u64; 2] = [2100, 5001];

/// The failure that an answer without a 2xx status stands for.
pub(in crate::upstream) fn failure(operation: Operation, reply: &Reply) -> CallError {
    failure_of_a_note(operation, reply, &NoteContent::default())
}

/// The same for an answer that may quote this note, and with it what admits whoever has it.
pub(super) fn failure_of_a_note(
    operation: Operation,
    reply: &Reply,
    content: &NoteContent,
) -> CallError {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let error = body.get("error").unwrap_or(&body);
    let code = error.get("code").and_then(number);
    let texts = texts(error);
    // What it means is read from what was said; what is told of that goes into log, history and dead letter.
    let told = texts.iter().map(|text| match content.is_quoted_by(text) {
        true => "(quotes the note)",
        false => text.as_str(),
    });
    let reason = reason(operation, reply, code, &told.collect::<Vec<_>>());
    let refused = |code| CallError::Refused {
        code,
        reason: reason.clone(),
    };
    let set_up = |code| CallError::SetUp {
        code,
        reason: reason.clone(),
    };
    let unknown = || CallError::Unknown {
        reason: reason.clone(),
        // Not `ratelimit-reset`, which every answer has, whatever it says.
        retry_after: reply.wait_from(&["retry-after"]),
        in_outage: false,
    };
    // A code says what a refusal is about. Beside a status of the server's own trouble it says nothing: 2016 stands there
    // for something that took too long.
    let has = |codes: &[u64]| code.is_some_and(|code| codes.contains(&code));
    let says = |words: &[&str]| texts.iter().any(|text| mentions(text, words));
    let one_more_note = operation == Operation::WriteNote;
    let note = one_more_note || operation == Operation::RewriteNote;
    match reply.status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => unknown(),
        // Nobody promises that what answers so has not done it first; `303` even says that it has.
        status if status.is_redirection() && operation.writes() => unknown(),
        status if status.is_redirection() => set_up(Code::PagerdutyRouteUnknown),
        status if !status.is_client_error() => unknown(),
        status if status == StatusCode::TOO_MANY_REQUESTS || has(&[RATE_LIMIT]) => {
            CallError::Throttled {
                // `ratelimit-reset` is seconds until the reset, not a time.
                retry_after: reply.wait_from(&["retry-after", "ratelimit-reset"]),
                reason,
            }
        }
        status if status == StatusCode::UNAUTHORIZED || has(&[AUTHENTICATION_FAILED]) => {
            set_up(Code::PagerdutyCredentials)
        }
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => set_up(Code::AnsweredByAnother),
        _ if reply.is_a_page() => set_up(Code::AnsweredByAnother),
        _ if has(&[ACCESS_LOST]) => refused(Code::IncidentAccessLost),
        // The one limit that a note can meet is the number of notes.
        _ if one_more_note && has(&[PRODUCT_LIMIT]) => refused(Code::NoteLimitReached),
        StatusCode::PAYMENT_REQUIRED => set_up(Code::PagerdutyAbilityMissing),
        StatusCode::BAD_REQUEST if has(&FROM_CODES) => set_up(Code::PagerdutyFromRefused),
        StatusCode::PAYLOAD_TOO_LARGE if note => refused(Code::NoteTooLong),
        // Before the other limit: "is too long (maximum is …)".
        StatusCode::BAD_REQUEST if note && says(&["too long", "65535", "65,535"]) => {
            refused(Code::NoteTooLong)
        }
        StatusCode::BAD_REQUEST if one_more_note && says(&["limit", "maximum", "too many"]) => {
            refused(Code::NoteLimitReached)
        }
        status if status == StatusCode::FORBIDDEN || has(&[ACCESS_DENIED]) => {
            match operation.subject() {
                // It is the token's, and no other incident fares better.
                Subject::Incident if says(&["scope", "read-only", "read only"]) => {
                    set_up(Code::PagerdutyPermissionMissing)
                }
                Subject::Incident => refused(Code::IncidentForbidden),
                // Asked on nobody's behalf: one that may not be asked this may still do its work.
                Subject::Route | Subject::Conversation | Subject::Subscription => {
                    refused(Code::PagerdutyPermissionMissing)
                }
            }
        }
        status if status == StatusCode::NOT_FOUND || has(&NOT_FOUND) => match operation.subject() {
            Subject::Incident => refused(Code::IncidentUnknown),
            // What it says is all there is to say; a person reads it at once.
            Subject::Subscription => refused(Code::PagerdutyRefused),
            Subject::Route | Subject::Conversation => set_up(Code::PagerdutyRouteUnknown),
        },
        // What may not be changed can be written anew: nobody need wait for a person.
        StatusCode::METHOD_NOT_ALLOWED if operation == Operation::RewriteNote => {
            refused(Code::PagerdutyRefused)
        }
        StatusCode::METHOD_NOT_ALLOWED => set_up(Code::PagerdutyRouteUnknown),
        StatusCode::CONFLICT => CallError::Conflict(reason),
        StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::NOT_ACCEPTABLE
        | StatusCode::LENGTH_REQUIRED
        | StatusCode::URI_TOO_LONG
        | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => refused(Code::RequestUnacceptable),
        _ => refused(Code::PagerdutyRefused),
    }
}

/// The account's limit for this minute is reached: until when.
pub(super) fn last_of_the_minute(reply: &Reply) -> Option<Duration> {
    let none_left = reply.header("ratelimit-remaining") == Some("0");
    none_left.then(|| reply.wait_from(&["ratelimit-reset"]))?
}

fn mentions(text: &str, words: &[&str]) -> bool {
    let text = text.to_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// A code, which is a number and might come as text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// All that the body says in words, wherever it says it.
fn texts(error: &Value) -> Vec<String> {
    let mut texts = Vec::new();
    let mut push = |value: &Value| match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => {
            texts.extend(items.iter().filter_map(Value::as_str).map(str::to_owned))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
    };
    push(error);
    if let Some(message) = error.get("message") {
        push(message);
    }
    if let Some(errors) = error.get("errors") {
        push(errors);
    }
    if let Some(scopes) = error.get("required_scopes") {
        push(scopes);
    }
    texts
}

fn reason(operation: Operation, reply: &Reply, code: Option<u64>, texts: &[&str]) -> String {
    let mut text = format!(
        "PagerDuty answered {} with {}",
        operation.as_str(),
        reply.status.as_u16()
    );
    if reply.is_a_page() {
        text.push_str(" and a page instead of JSON");
    }
    if let Some(code) = code {
        text.push_str(&format!(" code {code}"));
    }
    if !texts.is_empty() {
        text.push_str(&format!(": {}", clip(&texts.join("; "))));
    }
    text.push_str(&reply.found_by());
    text
}

#[cfg(test)]
mod tests;
