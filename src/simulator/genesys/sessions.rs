//! The contract `sessions`: create a session, attach it to the conversation, read it in the conversation's `media`.

use hyper::Method;
use serde_json::{Value, json};

use super::{error, not_found};
use crate::simulator::{
    config::Config,
    fault::Operation,
    reply::{Answer, Call, Route},
    state::State,
};

/// The routes of this contract.
pub(super) fn route(method: &Method, path: &str) -> Option<Route> {
    let segments: Vec<_> = path.strip_prefix("/api/v2/")?.split('/').collect();
    match (method, segments.as_slice()) {
        (&Method::POST, ["cobrowse", "sessions"]) => {
            Some(Route::to(Operation::GenesysCreateSession, None))
        }
        (&Method::POST, ["conversations", id, "media"]) => {
            Some(Route::to(Operation::GenesysAttachMedia, Some(id)))
        }
        (&Method::GET, ["conversations", id]) => {
            Some(Route::to(Operation::GenesysConversation, Some(id)))
        }
        _ => None,
    }
}

/// Answers a request whose token is good.
pub(super) fn answer(state: &mut State, config: &Config, call: &Call) -> Answer {
    let id = call.route.id.as_deref().unwrap_or_default();
    match call.route.operation {
        Operation::GenesysConversation => match state.conversations.get(id) {
            Some(conversation) => Answer::json(200, conversation.body(config)),
            None => unknown_conversation(call, id),
        },
        Operation::GenesysCreateSession => create(state, call),
        Operation::GenesysAttachMedia => attach(state, config, call, id),
        Operation::GenesysToken
        | Operation::GenesysOfferSession
        | Operation::PagerdutyAlerts
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

pub(super) fn unknown_conversation(call: &Call, id: &str) -> Answer {
    not_found(call, &format!("Conversation not found: {id}"))
}

/// The body as an object; an empty one is an empty object.
fn object(call: &Call) -> Result<Value, Answer> {
    if call.body.is_empty() {
        return Ok(json!({}));
    }
    if !call.is("application/json") {
        return Err(error(
            call,
            415,
            "unsupported.media.type",
            "The media type must be application/json",
        ));
    }
    match serde_json::from_slice::<Value>(&call.body) {
        Ok(body) if body.is_object() => Ok(body),
        Ok(_) | Err(_) => Err(error(
            call,
            400,
            "bad.request",
            "The request could not be understood",
        )),
    }
}

fn create(state: &mut State, call: &Call) -> Answer {
    if let Err(refused) = object(call) {
        return refused;
    }
    let id = state.ids.uuid();
    let join_url = format!("https://cobrowse.example.invalid/join/{id}");
    let body = json!({
        "id": id,
        "joinUrl": join_url,
        "viewerUrl": format!("https://cobrowse.example.invalid/view/{id}"),
    });
    state.effects.add_session(id, join_url);
    Answer::json(201, body)
}

fn attach(state: &mut State, config: &Config, call: &Call, id: &str) -> Answer {
    let body = match object(call) {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let invalid = |message: &str| error(call, 400, "invalid.value", message);
    let Some(conversation) = state.conversations.get_mut(id) else {
        return unknown_conversation(call, id);
    };
    if body.get("type").and_then(Value::as_str) != Some("cobrowse") {
        return invalid("type must be cobrowse");
    }
    if conversation.is_over() {
        return error(call, 400, "bad.request", "The conversation has ended");
    }
    if !conversation.takes_cobrowse() {
        return error(
            call,
            400,
            "bad.request",
            "The conversation does not support cobrowse",
        );
    }
    let session = body.get("cobrowseSessionId").and_then(Value::as_str);
    let Some(session) = session.and_then(|id| state.effects.session(id)) else {
        return invalid("cobrowseSessionId is not a known session");
    };
    if session.conversation_id.is_some() {
        return error(call, 409, "conflict", "The session is attached already");
    }
    // A second session of the same conversation is let through on purpose: double effects must show.
    let (session_id, media_id) = (session.id.clone(), state.ids.uuid());
    conversation.attach(
        media_id.clone(),
        session_id.clone(),
        config.media_visible_after,
    );
    state.effects.attach(id, &session_id, &media_id);
    let body = json!({
        "id": media_id, "type": "cobrowse", "cobrowseSessionId": session_id, "state": "connected",
    });
    Answer::json(201, body)
}
