//! What a refusal of Genesys means. The body is an `ErrorBody`; every field of it may be missing, and an answer of
//! something in between may not be JSON at all, so the status decides and the body explains.

use reqwest::StatusCode;
use serde::Deserialize;

use super::super::call::{CallError, Operation};
use super::super::http::{Reply, clip};
use crate::escalation::Code;

/// Every answer carries this; support asks for it.
pub(super) const CORRELATION: &str = "inin-correlation-id";

#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorBody {
    code: Option<String>,
    message: Option<String>,
    #[serde(rename = "contextId")]
    context_id: Option<String>,
    // The login host's own shape.
    error: Option<String>,
    description: Option<String>,
}

/// The failure that an answer without a 2xx status stands for.
pub(super) fn failure(operation: Operation, reply: &Reply) -> CallError {
    let body: ErrorBody = serde_json::from_slice(&reply.body).unwrap_or_default();
    let code = body.code.or(body.error).unwrap_or_default();
    let reason = reason(
        operation,
        reply,
        &code,
        body.message.or(body.description),
        body.context_id,
    );
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
        retry_after: reply.wait_from(&["retry-after"]),
    };
    match reply.status {
        StatusCode::TOO_MANY_REQUESTS => CallError::Throttled {
            reason,
            retry_after: reply.wait_from(&["retry-after"]),
        },
        StatusCode::UNAUTHORIZED => set_up(Code::GenesysCredentials),
        // The login host answers a wrong id or secret with 400.
        status if operation == Operation::Token && status.is_client_error() => {
            set_up(Code::GenesysCredentials)
        }
        // A division is a matter of this conversation; any other permission is a matter of the client.
        StatusCode::FORBIDDEN if code.contains("division") => {
            refused(Code::GenesysPermissionMissing)
        }
        StatusCode::FORBIDDEN => set_up(Code::GenesysPermissionMissing),
        StatusCode::NOT_FOUND => match operation {
            Operation::ReadConversation | Operation::AttachMedia => {
                refused(Code::ConversationUnknown)
            }
            // Its path names nothing that could be unknown: the route itself is.
            Operation::CreateSession | Operation::Token => set_up(Code::GenesysRouteUnknown),
            // The conversation was read a moment before, so it is the route that is not there; or it has just ended, which
            // the next read will tell.
            Operation::OfferSession => set_up(Code::GenesysRouteUnknown),
            Operation::ReadAlerts
            | Operation::ReadNotes
            | Operation::WriteNote
            | Operation::ReadAbilities
            | Operation::ReadSubscriptions => refused(Code::GenesysRefused),
        },
        StatusCode::BAD_REQUEST
            if matches!(operation, Operation::AttachMedia | Operation::OfferSession) =>
        {
            refused(Code::CobrowseNotPossible)
        }
        StatusCode::CONFLICT => CallError::Conflict(reason),
        StatusCode::REQUEST_TIMEOUT => unknown(reason),
        // Nobody promises that what answers so has not done it first; `303` even says that it has.
        status if status.is_redirection() && operation.writes() => unknown(reason),
        status if status.is_redirection() => set_up(Code::GenesysRouteUnknown),
        status if status.is_client_error() => refused(Code::GenesysRefused),
        _ => unknown(reason),
    }
}

fn reason(
    operation: Operation,
    reply: &Reply,
    code: &str,
    message: Option<String>,
    context: Option<String>,
) -> String {
    let mut text = format!(
        "Genesys answered {} with {}",
        operation.as_str(),
        reply.status.as_u16()
    );
    if !code.is_empty() {
        text.push_str(&format!(" {}", clip(code)));
    }
    if let Some(message) = message {
        text.push_str(&format!(": {}", clip(&message)));
    }
    let correlation = reply.header(CORRELATION).map(str::to_owned).or(context);
    if let Some(correlation) = correlation {
        text.push_str(&format!(" (correlation id {})", clip(&correlation)));
    }
    text
}
