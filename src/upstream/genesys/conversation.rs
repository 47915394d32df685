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
//!
//! A field of a wrong type makes nothing else unreadable, and never means that nothing is there: what stands where a session
//! should is a live one, what stands where a communication should is one that has not ended and is not connected.

use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::super::call::{CallError, Operation};
use super::super::http::{self, Reply};
use super::super::lenient::{Field, Items};
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
    reply.json::<OfferBody>()?.session(genesys.keeps_codes)
}

/// Only the id is needed. The rest is of use to whoever reads the note.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfferBody {
    id: String,
    #[serde(default)]
    join_code: Field<Value>,
    #[serde(default)]
    date_offer_ends: Field<String>,
}

impl OfferBody {
    fn session(self, keeps_code: bool) -> Result<CreatedSession, CallError> {
        let id = SessionId::try_from(self.id)
            .map_err(|e| CallError::unknown(format!("the session's answer has {e}")))?;
        let ends = self.date_offer_ends.text();
        let offer_ends = ends.and_then(|time| time.parse().ok());
        Ok(CreatedSession {
            id,
            link: self
                .join_code
                .read()
                .filter(|_| keeps_code)
                .and_then(code)
                .map(SessionLink::new),
            offer_ends,
        })
    }
}

/// A join code, which is a text of digits and might come as a number.
fn code(code: Value) -> Option<String> {
    let code = match code {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    (code.len() <= CODE_CAP && !code.chars().any(char::is_control)).then_some(code)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConversationBody {
    #[serde(default)]
    end_time: Option<IgnoredAny>,
    #[serde(default)]
    participants: Items<Participant>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Participant {
    #[serde(default)]
    purpose: Field<String>,
    #[serde(default)]
    user_id: Field<String>,
    #[serde(default)]
    connected_time: Field<String>,
    #[serde(default)]
    start_time: Field<String>,
    #[serde(default)]
    end_time: Option<IgnoredAny>,
    // A supervisor who listens or coaches is connected, and is not whom the customer talks to.
    #[serde(default)]
    monitored_participant_id: Option<IgnoredAny>,
    #[serde(default)]
    coached_participant_id: Option<IgnoredAny>,
    #[serde(default)]
    messages: Items<Communication>,
    #[serde(default)]
    calls: Items<Communication>,
    #[serde(default)]
    chats: Items<Communication>,
    #[serde(default)]
    callbacks: Items<Communication>,
    #[serde(default)]
    emails: Items<Communication>,
    // As Genesys spells it.
    #[serde(default, rename = "cobrowsesessions")]
    cobrowse: Items<CobrowseSession>,
}

#[derive(Deserialize)]
struct Communication {
    #[serde(default)]
    state: Field<String>,
    #[serde(default, rename = "type")]
    kind: Field<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CobrowseSession {
    #[serde(default)]
    state: Field<String>,
    #[serde(default)]
    connected_time: Option<IgnoredAny>,
    #[serde(default)]
    disconnected_time: Option<IgnoredAny>,
    #[serde(default)]
    cobrowse_session_id: Field<String>,
    #[serde(default)]
    viewer_url: Field<String>,
}

impl From<ConversationBody> for Conversation {
    fn from(body: ConversationBody) -> Self {
        let participants = &body.participants;
        let cobrowse = cobrowse(participants);
        Self {
            over: body.end_time.is_some() || everybody_has_left(participants),
            ended: ended(participants, &cobrowse),
            agents: agents(participants),
            cobrowse,
        }
    }
}

/// Whether people talked here, and nobody does any more. A conversation without a single communication has not begun.
fn everybody_has_left(participants: &Items<Participant>) -> bool {
    let talks = participants.readable().flat_map(Participant::talks);
    let mut talks = talks.peekable();
    talks.peek().is_some() && talks.all(|talk| talk.is_some_and(|talk| has_ended(&talk.state)))
}

fn has_ended(state: &Field<String>) -> bool {
    matches!(state.text(), Some("disconnected" | "terminated"))
}

impl Communication {
    fn is_connected(&self) -> bool {
        self.state.text() == Some("connected")
    }

    /// One that does not say over which channel a message came is taken for web messaging; one that says it in a way that
    /// cannot be read is not.
    fn is_on_web(&self) -> bool {
        matches!(
            self.kind.as_str(),
            Field::Absent | Field::Read("webmessaging")
        )
    }
}

impl Participant {
    /// What people say something over, to each other; `None` for one that cannot be read.
    fn talks(&self) -> impl Iterator<Item = Option<&Communication>> {
        [
            &self.messages,
            &self.calls,
            &self.chats,
            &self.callbacks,
            &self.emails,
        ]
        .into_iter()
        .flat_map(Items::each)
    }

    /// Connected over a medium that can be browsed along: web messaging, or a call.
    fn is_connected(&self) -> bool {
        let mut messages = self.messages.readable();
        let mut calls = self.calls.readable();
        messages.any(|talk| talk.is_connected() && talk.is_on_web())
            || calls.any(Communication::is_connected)
    }

    fn connected_agent(&self) -> Option<AgentId> {
        let works = matches!(self.purpose.text(), Some("agent" | "user"));
        let looks_on =
            self.monitored_participant_id.is_some() || self.coached_participant_id.is_some();
        if !works || looks_on || self.end_time.is_some() || !self.is_connected() {
            return None;
        }
        AgentId::parse(self.user_id.text()?).ok()
    }
}

/// The agents who are connected. The same user may stand there more than once (transfer, rejoin); the entry that came last
/// counts.
fn agents(participants: &Items<Participant>) -> Vec<AgentSeen> {
    let mut seen: Vec<AgentSeen> = Vec::new();
    for participant in participants.readable() {
        let Some(id) = participant.connected_agent() else {
            continue;
        };
        let times = [&participant.connected_time, &participant.start_time];
        let since = times.into_iter().find_map(Field::text);
        let since = since.and_then(|time| time.parse::<Timestamp>().ok());
        seen.retain(|earlier| earlier.id != id);
        seen.push(AgentSeen { id, since });
    }
    seen
}

impl CobrowseSession {
    fn has_ended(&self) -> bool {
        has_ended(&self.state) || self.disconnected_time.is_some()
    }

    /// A state that cannot be read may be this one. To take it for an offer that is shown would prove too much.
    fn is_joined(&self) -> bool {
        self.connected_time.is_some()
            || matches!(
                self.state.as_str(),
                Field::Read("connected") | Field::Foreign
            )
    }

    fn session(&self) -> Option<SessionId> {
        SessionId::parse(self.cobrowse_session_id.text()?).ok()
    }
}

/// What the participants show of sessions; `None` for what cannot be read, which may be any.
fn entries(participants: &Items<Participant>) -> impl Iterator<Item = Option<&CobrowseSession>> {
    let unknown = participants.is_foreign().then_some(None);
    let readable = participants.readable();
    readable.flat_map(|p| p.cobrowse.each()).chain(unknown)
}

/// The live sessions, each once: customer and agent both have an entry of it.
fn cobrowse(participants: &Items<Participant>) -> Vec<LiveCobrowse> {
    let mut live: Vec<LiveCobrowse> = Vec::new();
    for entry in entries(participants) {
        let entry = match entry {
            Some(entry) if entry.has_ended() => continue,
            Some(entry) => {
                let viewer = entry.viewer_url.text().filter(|link| is_web_link(link));
                LiveCobrowse {
                    session: entry.session(),
                    joined: entry.is_joined(),
                    viewer: viewer.map(|link| SessionLink::new(link.to_owned())),
                }
            }
            None => LiveCobrowse::unreadable(),
        };
        match live.iter_mut().find(|known| known.session == entry.session) {
            Some(known) => {
                known.joined |= entry.joined;
                known.viewer = known.viewer.take().or(entry.viewer);
            }
            None => live.push(entry),
        }
    }
    live
}

/// Those that are in nobody's hands any more.
fn ended(participants: &Items<Participant>, live: &[LiveCobrowse]) -> Vec<SessionId> {
    let mut ended: Vec<SessionId> = Vec::new();
    for session in entries(participants).filter_map(|entry| entry?.session()) {
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
