//! What a refusal of PagerDuty means. Its error body comes in many shapes (an object with `errors` as list, as text
//! or absent; a list; a text; nothing at all), so the status decides, then the code, and the text only explains.

use reqwest::StatusCode;
use serde_json::Value;

use super::super::call::{CallError, Operation};
use super::super::http::{Reply, clip};
use crate::escalation::Code;

/// Every answer carries this; support asks for it.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// `From` missing, malformed, or of nobody in the account.
const FROM_CODES: [u64; 3] = [2016, 1028, 1008];

/// The failure that an answer without a 2xx status stands for.
pub(super) fn failure(operation: Operation, reply: &Reply) -> CallError {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let error = body.get("error").unwrap_or(&body);
    let code = error.get("code").and_then(Value::as_u64);
    let texts = texts(error);
    let reason = reason(operation, reply, code, &texts);
    let refused = |code| CallError::Refused {
        code,
        reason: reason.clone(),
    };
    let set_up = |code| CallError::SetUp {
        code,
        reason: reason.clone(),
    };
    let unknown = |reason| CallError::Unknown {
        reason,
        // Not `ratelimit-reset`, which every answer has, whatever it says.
        retry_after: reply.wait_from(&["retry-after"]),
    };
    match reply.status {
        StatusCode::TOO_MANY_REQUESTS => CallError::Throttled {
            // `ratelimit-reset` is seconds until the reset, not a time.
            retry_after: reply.wait_from(&["retry-after", "ratelimit-reset"]),
            reason,
        },
        StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED => {
            set_up(Code::PagerdutyCredentials)
        }
        StatusCode::BAD_REQUEST if code.is_some_and(|c| FROM_CODES.contains(&c)) => {
            set_up(Code::PagerdutyCredentials)
        }
        StatusCode::BAD_REQUEST if operation == Operation::WriteNote && mentions_limit(&texts) => {
            refused(Code::NoteLimitReached)
        }
        StatusCode::FORBIDDEN => refused(Code::IncidentForbidden),
        StatusCode::NOT_FOUND => refused(Code::IncidentUnknown),
        StatusCode::CONFLICT => CallError::Conflict(reason),
        StatusCode::REQUEST_TIMEOUT => unknown(reason),
        // Nobody promises that what answers so has not done it first; `303` even says that it has.
        status if status.is_redirection() && operation.writes() => unknown(reason),
        status if status.is_redirection() => set_up(Code::PagerdutyRefused),
        status if status.is_client_error() => refused(Code::PagerdutyRefused),
        _ => unknown(reason),
    }
}

fn mentions_limit(texts: &[String]) -> bool {
    texts.iter().any(|text| {
        let text = text.to_lowercase();
        text.contains("limit") || text.contains("maximum") || text.contains("too many")
    })
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
    texts
}

fn reason(operation: Operation, reply: &Reply, code: Option<u64>, texts: &[String]) -> String {
    let mut text = format!(
        "PagerDuty answered {} with {}",
        operation.as_str(),
        reply.status.as_u16()
    );
    if let Some(code) = code {
        text.push_str(&format!(" code {code}"));
    }
    if !texts.is_empty() {
        text.push_str(&format!(": {}", clip(&texts.join("; "))));
    }
    if let Some(id) = reply.header(REQUEST_ID) {
        text.push_str(&format!(" (request id {})", clip(id)));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::wildcard_enum_match_arm
    )]
    use super::*;
    use bytes::Bytes;
    use reqwest::header::HeaderMap;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    #[test]
    fn every_shape_of_an_error_body_is_explained() {
        for (body, words) in [
            (
                r#"{"error":{"message":"Invalid Input Provided","code":2001,"errors":["params must be a Hash"]}}"#,
                "params must be a Hash",
            ),
            (
                r#"{"error":{"code":84,"message":"other message","errors":"only error"}}"#,
                "only error",
            ),
            (
                r#"{"error":["links should have at most 50 item(s)"]}"#,
                "links should have",
            ),
            (r#"{"error":"account-level access token"}"#, "account-level"),
            (
                r#"{"error":{"code":1,"errors":{"field":["bad"]}}}"#,
                "code 1",
            ),
            ("<html>Bad Gateway</html>", "with 400"),
            ("", "with 400"),
        ] {
            match failure(Operation::WriteNote, &reply(400, body)) {
                CallError::Refused {
                    code: Code::PagerdutyRefused,
                    reason,
                } => {
                    assert!(reason.contains(words), "{body}: {reason}");
                }
                other => panic!("{body}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_wrong_from_header_is_the_set_up_and_not_the_message() {
        for code in FROM_CODES {
            let body = format!(r#"{{"error":{{"message":"x","code":{code}}}}}"#);
            assert!(matches!(
                failure(Operation::WriteNote, &reply(400, &body)),
                CallError::SetUp {
                    code: Code::PagerdutyCredentials,
                    ..
                }
            ));
        }
    }

    #[test]
    fn an_answer_of_the_server_s_own_trouble_leaves_the_outcome_open() {
        for status in [302, 303, 307, 408, 500, 502, 503, 504] {
            assert!(failure(Operation::WriteNote, &reply(status, "")).may_have_taken_effect());
        }
        for status in [400, 401, 402, 403, 404, 413, 429] {
            assert!(!failure(Operation::WriteNote, &reply(status, "")).may_have_taken_effect());
        }
    }
}
