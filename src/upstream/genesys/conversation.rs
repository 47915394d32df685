//! The `conversation` contract: the one that Genesys publishes.
//!
//! - token: `POST {login}/oauth/token`, the credentials as HTTP Basic
//! - `POST {api}/api/v2/conversations/{id}/cobrowse`, without a body: offers a session in the conversation; `id`,
//!   `joinCode`, `dateOfferEnds`
//! - `GET {api}/api/v2/conversations/{id}`: `endTime`, `participants[]` with one array of communications for each medium,
//!   `cobrowsesessions[]` among them
//!
//! Any 2xx is a success. Arrays may be absent, null or empty, all of which mean the same. Enumerations are open: an unknown
//! text is not an error. `state` at the top is never filled when a conversation is read, and not looked at.

use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;

use super::super::call::{CallError, Operation};
use super::super::http::{self, Reply};
use super::call::call;
use super::sessions::is_web_link;
use super::{CreatedSession, Genesys};
use crate::escalation::{
    AgentId, AgentSeen, Conversation, ConversationId, LiveCobrowse, SessionId, SessionLink,
};

/// The longest join code that is believed to be one.
const CODE_CAP: usize = 64;

/// What an answer to `GET /api/v2/conversations/{id}` says.
pub(super) fn understand(reply: &Reply) -> Result<Conversation, CallError> {
    Ok(reply.json::<ConversationBody>()?.into())
}

/// `POST /api/v2/conversations/{id}/cobrowse`
pub(super) async fn offer_session(
    genesys: &Genesys,
    conversation: &ConversationId,
) -> Result<CreatedSession, CallError> {
    let url = http::url(
        &genesys.api,
        &[
            "api",
            "v2",
            "conversations",
            conversation.as_str(),
            "cobrowse",
        ],
    );
    let reply = call(genesys, Operation::OfferSession, Method::POST, url, None).await?;
    let answer: OfferBody = reply.json()?;
    let id = SessionId::try_from(answer.id)
        .map_err(|e| CallError::unknown(format!("the session's answer has {e}")))?;
    Ok(CreatedSession {
        id,
        link: answer
            .join_code
            .filter(|code| code.len() <= CODE_CAP && !code.chars().any(char::is_control))
            .filter(|_| genesys.keeps_codes)
            .map(SessionLink::new),
        offer_ends: answer.date_offer_ends.and_then(|time| time.parse().ok()),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfferBody {
    id: String,
    #[serde(default)]
    join_code: Option<String>,
    #[serde(default)]
    date_offer_ends: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConversationBody {
    #[serde(default)]
    end_time: Option<String>,
    #[serde(default)]
    participants: Option<Vec<Participant>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Participant {
    #[serde(default)]
    purpose: Option<String>,
    #[serde(default)]
    user_id: Option<String>,
    #[serde(default)]
    connected_time: Option<String>,
    #[serde(default)]
    start_time: Option<String>,
    #[serde(default)]
    end_time: Option<String>,
    // A supervisor who listens or coaches is connected, and is not whom the customer talks to.
    #[serde(default)]
    monitored_participant_id: Option<String>,
    #[serde(default)]
    coached_participant_id: Option<String>,
    #[serde(default)]
    messages: Option<Vec<Communication>>,
    #[serde(default)]
    calls: Option<Vec<Communication>>,
    #[serde(default)]
    chats: Option<Vec<Communication>>,
    #[serde(default)]
    callbacks: Option<Vec<Communication>>,
    #[serde(default)]
    emails: Option<Vec<Communication>>,
    // As Genesys spells it.
    #[serde(default, rename = "cobrowsesessions")]
    cobrowse: Option<Vec<CobrowseSession>>,
}

#[derive(Deserialize)]
struct Communication {
    #[serde(default)]
    state: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CobrowseSession {
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    connected_time: Option<String>,
    #[serde(default)]
    disconnected_time: Option<String>,
    #[serde(default)]
    cobrowse_session_id: Option<String>,
    #[serde(default)]
    viewer_url: Option<String>,
}

impl From<ConversationBody> for Conversation {
    fn from(body: ConversationBody) -> Self {
        let participants = body.participants.unwrap_or_default();
        Self {
            over: body.end_time.is_some() || everybody_has_left(&participants),
            ended: ended(&participants),
            cobrowse: cobrowse(&participants),
            agents: agents(&participants),
        }
    }
}

/// Whether people talked here, and nobody does any more. A conversation without a single communication has not begun.
fn everybody_has_left(participants: &[Participant]) -> bool {
    let mut talks = participants.iter().flat_map(Participant::talks).peekable();
    talks.peek().is_some() && talks.all(|talk| has_ended(talk.state.as_deref()))
}

fn has_ended(state: Option<&str>) -> bool {
    matches!(state, Some("disconnected" | "terminated"))
}

impl Participant {
    /// What people say something over, to each other.
    fn talks(&self) -> impl Iterator<Item = &Communication> {
        [
            &self.messages,
            &self.calls,
            &self.chats,
            &self.callbacks,
            &self.emails,
        ]
        .into_iter()
        .flatten()
        .flatten()
    }

    /// Connected over a medium that can be browsed along: web messaging, or a call.
    fn is_connected(&self) -> bool {
        let connected = |talk: &Communication| talk.state.as_deref() == Some("connected");
        let on_web =
            |talk: &&Communication| matches!(talk.kind.as_deref(), None | Some("webmessaging"));
        let mut messages = self.messages.iter().flatten().filter(on_web);
        let mut calls = self.calls.iter().flatten();
        messages.any(connected) || calls.any(connected)
    }

    fn connected_agent(&self) -> Option<AgentId> {
        let works = matches!(self.purpose.as_deref(), Some("agent" | "user"));
        let looks_on =
            self.monitored_participant_id.is_some() || self.coached_participant_id.is_some();
        if !works || looks_on || self.end_time.is_some() || !self.is_connected() {
            return None;
        }
        AgentId::parse(self.user_id.as_deref()?).ok()
    }
}

/// The agents who are connected. The same user may stand there more than once (transfer, rejoin); the entry that came last
/// counts.
fn agents(participants: &[Participant]) -> Vec<AgentSeen> {
    let mut seen: Vec<AgentSeen> = Vec::new();
    for participant in participants {
        let Some(id) = participant.connected_agent() else {
            continue;
        };
        let times = [&participant.connected_time, &participant.start_time];
        let since = times.into_iter().flatten().next();
        let since = since.and_then(|time| time.parse::<Timestamp>().ok());
        seen.retain(|earlier| earlier.id != id);
        seen.push(AgentSeen { id, since });
    }
    seen
}

impl CobrowseSession {
    fn has_ended(&self) -> bool {
        has_ended(self.state.as_deref()) || self.disconnected_time.is_some()
    }

    fn session(&self) -> Option<SessionId> {
        let id = self.cobrowse_session_id.clone()?;
        SessionId::try_from(id).ok()
    }
}

fn entries(participants: &[Participant]) -> impl Iterator<Item = &CobrowseSession> {
    participants
        .iter()
        .flat_map(|p| p.cobrowse.iter().flatten())
}

/// The live sessions, each once: customer and agent both have an entry of it.
fn cobrowse(participants: &[Participant]) -> Vec<LiveCobrowse> {
    let mut live: Vec<LiveCobrowse> = Vec::new();
    for entry in entries(participants).filter(|entry| !entry.has_ended()) {
        let session = entry.session();
        let joined = entry.state.as_deref() == Some("connected") || entry.connected_time.is_some();
        let viewer = entry.viewer_url.clone().filter(|link| is_web_link(link));
        let viewer = viewer.map(SessionLink::new);
        match live.iter_mut().find(|known| known.session == session) {
            Some(known) => {
                known.joined |= joined;
                known.viewer = known.viewer.take().or(viewer);
            }
            None => live.push(LiveCobrowse {
                session,
                joined,
                viewer,
            }),
        }
    }
    live
}

/// Those that are in nobody's hands any more.
fn ended(participants: &[Participant]) -> Vec<SessionId> {
    let live: Vec<_> = cobrowse(participants);
    let mut ended: Vec<SessionId> = Vec::new();
    for session in entries(participants).filter_map(CobrowseSession::session) {
        let is_live = live
            .iter()
            .any(|one| one.session.as_ref() == Some(&session));
        if !is_live && !ended.contains(&session) {
            ended.push(session);
        }
    }
    ended
}

#[cfg(test)]
mod tests;
