//! The contract `conversation`: one call offers a session, and the conversation's participants show it.

use hyper::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::sessions::unknown_conversation;
use super::{error, not_found};
use crate::simulator::{
    clock::with_milliseconds,
    config::Config,
    fault::Operation,
    reply::{Answer, Call, Route},
    state::State,
};

/// How long an offer stands.
const OFFER: SignedDuration = SignedDuration::from_secs(60);

/// The route that only this contract has.
pub(super) fn route(method: &Method, path: &str) -> Option<Route> {
    let segments: Vec<_> = path.strip_prefix("/api/v2/")?.split('/').collect();
    match (method, segments.as_slice()) {
        (&Method::POST, ["conversations", id, "cobrowse"]) => {
            Some(Route::to(Operation::GenesysOfferSession, Some(id)))
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
        Operation::GenesysOfferSession => offer(state, config, call, id),
        Operation::GenesysToken
        | Operation::GenesysCreateSession
        | Operation::GenesysAttachMedia
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

fn offer(state: &mut State, config: &Config, call: &Call, id: &str) -> Answer {
    let refused = |message: &str| error(call, 400, "bad.request", message);
    if !call.body.is_empty() {
        return refused("The request takes no body");
    }
    let Some(conversation) = state.conversations.get_mut(id) else {
        return unknown_conversation(call, id);
    };
    if conversation.is_over() {
        return refused("The conversation has ended");
    }
    if !conversation.takes_cobrowse() {
        return refused("The conversation does not support cobrowse");
    }
    // A second session of the same conversation is let through on purpose: double effects must show.
    let (session_id, media_id) = (state.ids.uuid(), state.ids.uuid());
    let join_code = state.ids.join_code();
    let hidden_for = config.media_visible_after;
    conversation.attach(media_id.clone(), session_id.clone(), hidden_for);
    state
        .effects
        .add_session(session_id.clone(), join_code.clone());
    state.effects.attach(id, &session_id, &media_id);
    let ends = Timestamp::now().saturating_add(OFFER);
    let body = json!({
        "id": session_id,
        "joinCode": join_code,
        "websocketUrl": format!("wss://cobrowse.example.invalid/{session_id}"),
        "dateOfferEnds": ends.map(with_milliseconds).unwrap_or_default(),
        "communicationType": conversation.communication_type(),
        "selfUri": format!("/api/v2/conversations/{id}/cobrowse"),
    });
    Answer::json(200, body)
}
