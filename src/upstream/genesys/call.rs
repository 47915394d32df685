//! One call to Genesys, with everything that belongs to it: gate, token, deadline, errors. Alike in both contracts.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use url::Url;

use super::super::call::{CALL_SLACK, CallError, Operation};
use super::super::http::Reply;
use super::{Genesys, errors};

/// Within one deadline: an intent names that deadline, and nothing may be sent after it.
pub(super) async fn call(
    genesys: &Genesys,
    operation: Operation,
    method: Method,
    url: Url,
    body: Option<&Value>,
) -> Result<Reply, CallError> {
    genesys.gate.pass()?;
    // A little more than one request gets, so that its own end is told as that.
    let within = genesys.http.call_timeout() + CALL_SLACK;
    let whole = Box::pin(with_token(genesys, operation, method, url, body));
    tokio::time::timeout(within, whole)
        .await
        .unwrap_or_else(|_| Err(CallError::unknown(format!("not done within {within:?}"))))
        .map_err(|error| genesys.gate.heed(error))
}

/// Sends with a token, and once more with a new one after a 401: the token may have been revoked. A 401 is a refusal
/// before any effect, so that this is safe for writes too.
async fn with_token(
    genesys: &Genesys,
    operation: Operation,
    method: Method,
    url: Url,
    body: Option<&Value>,
) -> Result<Reply, CallError> {
    let token = genesys.tokens.get().await.map_err(before_sending)?;
    let request = |token: &str| -> RequestBuilder {
        let request = genesys
            .http
            .client()
            .request(method.clone(), url.clone())
            .bearer_auth(token)
            .header("accept", "application/json");
        match body {
            Some(body) => request.json(body),
            None => request,
        }
    };
    let mut reply = genesys
        .http
        .send(operation, request(token.secret()), errors::CORRELATION)
        .await?;
    if reply.status == StatusCode::UNAUTHORIZED {
        let token = genesys
            .tokens
            .renewed(&token)
            .await
            .map_err(before_sending)?;
        reply = genesys
            .http
            .send(operation, request(token.secret()), errors::CORRELATION)
            .await?;
    }
    if reply.status.is_success() {
        Ok(reply)
    } else {
        Err(errors::failure(operation, &reply))
    }
}

/// Without a token nothing of the call itself was sent (or it was refused), whatever became of the token's request.
fn before_sending(error: CallError) -> CallError {
    match error {
        CallError::Unknown { reason, .. } => CallError::NotSent(format!("no token: {reason}")),
        CallError::NotSent(_)
        | CallError::Throttled { .. }
        | CallError::SetUp { .. }
        | CallError::Refused { .. }
        | CallError::Conflict(_) => error,
    }
}
