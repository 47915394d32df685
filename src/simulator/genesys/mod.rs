//! Genesys Cloud: its token, its errors, its bearer check. Each cobrowse contract has a file of its own.

mod conversation;
mod sessions;

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use serde_json::json;

use super::{
    config::{CobrowseApi, Config},
    fault::Operation,
    limit::Admission,
    reply::{Answer, Call, Route},
    state::State,
};

/// What a method and path mean here.
pub(super) fn route(method: &Method, path: &str) -> Route {
    if (method, path) == (&Method::POST, "/oauth/token") {
        return Route::to(Operation::GenesysToken, None);
    }
    sessions::route(method, path)
        .or_else(|| conversation::route(method, path))
        .unwrap_or_else(|| Route::unknown(method, path))
}

/// 429 if the minute is full.
pub(super) fn limit(state: &mut State, call: &Call) -> Option<Answer> {
    if matches!(
        call.route.operation,
        Operation::GenesysToken | Operation::Unknown
    ) {
        return None;
    }
    match state.genesys_limit.admit(Instant::now()) {
        Admission::Taken { .. } => None,
        Admission::Refused { retry_after_s } => {
            let text = format!(
                "Rate limit exceeded the maximum. Retry the request in [{retry_after_s}] seconds"
            );
            let mut answer = error(call, 429, "too.many.requests.retry.after", &text);
            answer
                .headers
                .push(("retry-after", retry_after_s.to_string()));
            Some(answer)
        }
    }
}

/// Does what is asked, and answers.
pub(super) fn answer(state: &mut State, config: &Config, call: &Call) -> Answer {
    match call.route.operation {
        Operation::GenesysToken => token(state, config, call),
        Operation::GenesysConversation
        | Operation::GenesysCreateSession
        | Operation::GenesysAttachMedia
        | Operation::GenesysOfferSession => match (refuse(state, call), config.cobrowse_api) {
            (Some(refused), _) => refused,
            (None, CobrowseApi::Sessions) => sessions::answer(state, config, call),
            (None, CobrowseApi::Conversation) => conversation::answer(state, config, call),
        },
        Operation::PagerdutyAlerts
        | Operation::PagerdutyIncident
        | Operation::PagerdutyListNotes
        | Operation::PagerdutyCreateNote
        | Operation::PagerdutyUpdateNote
        | Operation::PagerdutyDeleteNote
        | Operation::PagerdutyAbilities
        | Operation::PagerdutySubscriptions
        | Operation::PagerdutyCreateSubscription
        | Operation::PagerdutyEnableSubscription
        | Operation::PagerdutyPingSubscription
        | Operation::PagerdutyListIncidents
        | Operation::Unknown => not_found(call, "HTTP 404 Not Found"),
    }
}

/// Client credentials: in the form under `sessions`, by HTTP Basic under `conversation`. Neither knows the other's way.
fn token(state: &mut State, config: &Config, call: &Call) -> Answer {
    if !call.is("application/x-www-form-urlencoded") {
        return token_error(
            "invalid_request",
            "content type must be application/x-www-form-urlencoded",
        );
    }
    let field = |name: &str| {
        let mut all = url::form_urlencoded::parse(&call.body);
        all.find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    match field("grant_type").as_deref() {
        Some("client_credentials") => {}
        Some(_) => return token_error("unsupported_grant_type", "grant type is not supported"),
        None => return token_error("invalid_request", "grant_type is required"),
    }
    let (id, secret) = match config.cobrowse_api {
        CobrowseApi::Sessions => (field("client_id"), field("client_secret")),
        CobrowseApi::Conversation => basic(call).unzip(),
    };
    if id.as_deref() != Some(config.client_id.as_str()) {
        return token_error("invalid_client", "client not found");
    }
    if secret.as_deref() != Some(state.client_secret.as_str()) {
        return token_error("invalid_client", "authentication failed");
    }
    let token = state.ids.token();
    state.tokens.issue(token.clone(), config.token_lifetime);
    state.effects.tokens_issued += 1;
    let lifetime_s = config.token_lifetime.as_secs();
    Answer::json(
        200,
        json!({ "access_token": token, "token_type": "bearer", "expires_in": lifetime_s }),
    )
}

/// User and password of HTTP Basic.
fn basic(call: &Call) -> Option<(String, String)> {
    let (scheme, encoded) = call.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// The login host has an error body of its own.
fn token_error(code: &str, description: &str) -> Answer {
    let body =
        json!({ "error": code, "description": description, "error_description": description });
    Answer::json(400, body)
}

/// 401 unless the bearer token is a good one.
fn refuse(state: &State, call: &Call) -> Option<Answer> {
    let given = call
        .header("authorization")
        .and_then(|value| value.split_once(' '));
    match given {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            let good = state.tokens.is_good(token.trim());
            (!good).then(|| error(call, 401, "bad.credentials", "Invalid login credentials."))
        }
        Some(_) | None => Some(error(
            call,
            401,
            "authentication.required",
            "No authentication bearer token specified.",
        )),
    }
}

/// `ErrorBody`, whose `contextId` is the correlation id of the answer.
fn error(call: &Call, status: u16, code: &str, message: &str) -> Answer {
    let body = json!({
        "message": message, "code": code, "status": status, "contextId": call.trace,
        "details": [], "errors": [],
    });
    Answer::json(status, body)
}

fn not_found(call: &Call, message: &str) -> Answer {
    error(call, 404, "not.found", message)
}
