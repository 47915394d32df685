//! What a refusal of Genesys means. The body is an `ErrorBody`; every field of it may be missing, and an answer of
//! something in between may not be JSON at all, so the status decides and the body explains.

use reqwest::StatusCode;
use serde_json::Value;

use super::super::call::{CallError, Operation, Subject};
pub(super) use super::super::http::CORRELATION;
use super::super::http::{Reply, clip};
use crate::escalation::Code;

/// The failure that an answer without a 2xx status stands for.
pub(in crate::upstream) fn failure(operation: Operation, reply: &Reply) -> CallError {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let said = Said::of(&body);
    let reason = said.reason(operation, reply);
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
        retry_after: reply.wait_from(&["retry-after"]),
        in_outage: false,
    };
    match reply.status {
        StatusCode::TOO_MANY_REQUESTS => CallError::Throttled {
            reason,
            retry_after: reply.wait_from(&["retry-after"]),
        },
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => unknown(),
        // Nobody promises that what answers so has not done it first; `303` even says that it has.
        status if status.is_redirection() && operation.writes() => unknown(),
        status if status.is_redirection() => set_up(Code::GenesysRouteUnknown),
        status if !status.is_client_error() => unknown(),
        StatusCode::UNAUTHORIZED => set_up(Code::GenesysCredentials),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => set_up(Code::AnsweredByAnother),
        // Whoever has no such route may well say so with a page: the other contract is tried then.
        StatusCode::NOT_FOUND if operation.subject() == Subject::Route && operation.writes() => {
            CallError::NoRoute {
                page: reply.is_a_page(),
                reason,
            }
        }
        _ if reply.is_a_page() => set_up(Code::AnsweredByAnother),
        StatusCode::NOT_FOUND if operation.subject() == Subject::Route => {
            set_up(Code::GenesysRouteUnknown)
        }
        StatusCode::METHOD_NOT_ALLOWED => set_up(Code::GenesysRouteUnknown),
        StatusCode::NOT_FOUND => refused(Code::ConversationUnknown),
        // The login host answers a wrong id or secret with 400. Whatever else is refused there, every other escalation
        // would hear the same.
        StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN if operation == Operation::Token => {
            set_up(Code::GenesysCredentials)
        }
        _ if operation == Operation::Token => set_up(Code::GenesysRouteUnknown),
        StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN if said.wants_a_user() => {
            refused(Code::GenesysUserRequired)
        }
        // A division is a matter of this conversation; any other permission is a matter of the client.
        StatusCode::FORBIDDEN if said.code.contains("division") => {
            refused(Code::GenesysDivisionMissing)
        }
        StatusCode::FORBIDDEN => set_up(Code::GenesysPermissionMissing),
        StatusCode::BAD_REQUEST if operation.offers() => refused(Code::CobrowseNotPossible),
        // There is nothing in that request but the id.
        StatusCode::BAD_REQUEST if operation == Operation::ReadConversation => {
            refused(Code::ConversationUnknown)
        }
        StatusCode::CONFLICT => CallError::Conflict(reason),
        StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::NOT_ACCEPTABLE
        | StatusCode::LENGTH_REQUIRED
        | StatusCode::URI_TOO_LONG
        | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => refused(Code::RequestUnacceptable),
        _ => refused(Code::GenesysRefused),
    }
}

/// What the body says, as far as it says anything. A field of an unexpected type is as good as none: the others count.
struct Said {
    code: String,
    texts: Vec<String>,
    context_id: Option<String>,
}

impl Said {
    fn of(body: &Value) -> Self {
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let nested = |list: &str, name: &str| {
            let first = body.get(list).and_then(Value::as_array)?.first()?;
            first.get(name)?.as_str().map(str::to_owned)
        };
        // `error` and `description` are the login host's own shape.
        let message = text("message").or_else(|| text("description"));
        let more = [nested("errors", "message"), nested("details", "errorCode")];
        let mut texts: Vec<_> = message.into_iter().collect();
        for said in more.into_iter().flatten() {
            if !texts.contains(&said) {
                texts.push(said);
            }
        }
        Self {
            code: text("code").or_else(|| text("error")).unwrap_or_default(),
            texts,
            context_id: text("contextId"),
        }
    }

    /// Some calls are for users only, and say so in words, under the same codes as other refusals.
    fn wants_a_user(&self) -> bool {
        let mut texts = self.texts.iter();
        texts.any(|text| text.to_lowercase().contains("user context"))
    }

    fn reason(&self, operation: Operation, reply: &Reply) -> String {
        let mut text = format!(
            "Genesys answered {} with {}",
            operation.as_str(),
            reply.status.as_u16()
        );
        if reply.is_a_page() {
            text.push_str(" and a page instead of JSON");
        }
        if !self.code.is_empty() {
            text.push_str(&format!(" {}", clip(&self.code)));
        }
        if !self.texts.is_empty() {
            text.push_str(&format!(": {}", clip(&self.texts.join("; "))));
        }
        match (&self.context_id, reply.header(CORRELATION)) {
            // They are the same, and the header is there also where the body cannot be read.
            (_, Some(_)) => text.push_str(&reply.found_by()),
            (Some(id), None) => text.push_str(&format!(" (correlation id {})", clip(id))),
            (None, None) => {}
        }
        text
    }
}
