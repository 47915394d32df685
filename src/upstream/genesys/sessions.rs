//! The `sessions` contract.
//!
//! - token: `POST {api}/oauth/token`, the credentials in the form
//! - `POST {api}/api/v2/cobrowse/sessions` with `{}`: `id`, `joinUrl`
//! - `POST {api}/api/v2/conversations/{id}/media` with `{"type":"cobrowse","cobrowseSessionId":…}`
//! - `GET {api}/api/v2/conversations/{id}`: `state`, `media[]`, `participants[]`
//!
//! Any 2xx is a success. Enumerations are open: an unknown text is not an error. A field of a wrong type makes nothing else
//! unreadable, and never means that nothing is there: what stands where a medium should is a live session.

use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::super::call::{CallError, Operation};
use super::super::http::{self, Reply};
use super::super::lenient::{Field, Items};
use super::call::call;
use super::{CreatedSession, Genesys};
use crate::escalation::{
    AgentId, AgentSeen, Conversation, ConversationId, LiveCobrowse, SessionId, SessionLink,
};

/// What an answer to `GET /api/v2/conversations/{id}` says.
pub(super) fn understand(reply: &Reply) -> Result<Conversation, CallError> {
    Ok(reply.json::<ConversationBody>()?.into())
}

/// `POST /api/v2/cobrowse/sessions`
pub(super) async fn create_session(genesys: &Genesys) -> Result<CreatedSession, CallError> {
    let url = http::url(&genesys.api, &["api", "v2", "cobrowse", "sessions"]);
    let body = json!({});
    let reply = call(
        genesys,
        Operation::CreateSession,
        Method::POST,
        url,
        Some(&body),
    )
    .await?;
    reply.json::<SessionBody>()?.session()
}

/// `POST /api/v2/conversations/{id}/media`
pub(super) async fn attach_media(
    genesys: &Genesys,
    conversation: &ConversationId,
    session: &SessionId,
) -> Result<(), CallError> {
    let url = http::url(
        &genesys.api,
        &["api", "v2", "conversations", conversation.as_str(), "media"],
    );
    let body = json!({"type": "cobrowse", "cobrowseSessionId": session});
    call(
        genesys,
        Operation::AttachMedia,
        Method::POST,
        url,
        Some(&body),
    )
    .await?;
    // The answer names the media; nothing in it is needed, and the proof is another read anyway.
    Ok(())
}

/// A link goes into a note that people click on: only what a browser opens as a page, without a line break that
/// would let it write further lines.
pub(super) fn is_web_link(link: &str) -> bool {
    (link.starts_with("https://") || link.starts_with("http://"))
        && !link.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// Only the id is needed: without a link the note says where else to join.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionBody {
    id: String,
    #[serde(default)]
    join_url: Field<String>,
}

impl SessionBody {
    fn session(self) -> Result<CreatedSession, CallError> {
        let id = SessionId::try_from(self.id)
            .map_err(|e| CallError::unknown(format!("the session's answer has {e}")))?;
        let link = self.join_url.read().filter(|link| is_web_link(link));
        Ok(CreatedSession {
            id,
            link: link.map(SessionLink::new),
            offer_ends: None,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConversationBody {
    #[serde(default)]
    state: Field<String>,
    #[serde(default)]
    end_time: Option<IgnoredAny>,
    #[serde(default)]
    media: Items<Media>,
    #[serde(default)]
    participants: Items<Participant>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Media {
    #[serde(default, rename = "type")]
    kind: Field<String>,
    #[serde(default)]
    cobrowse_session_id: Field<String>,
    #[serde(default)]
    state: Field<String>,
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
    #[serde(default)]
    messages: Items<Communication>,
    #[serde(default)]
    calls: Items<Communication>,
    #[serde(default)]
    chats: Items<Communication>,
}

#[derive(Deserialize)]
struct Communication {
    #[serde(default)]
    state: Field<String>,
}

impl From<ConversationBody> for Conversation {
    fn from(body: ConversationBody) -> Self {
        let mut read = Self {
            over: body.end_time.is_some() || has_ended(&body.state),
            agents: agents(&body.participants),
            cobrowse: Vec::new(),
            ended: Vec::new(),
        };
        for media in body.media.each() {
            match media {
                None => read.cobrowse.push(LiveCobrowse::unreadable()),
                Some(media) if !media.may_be_cobrowse() => {}
                Some(media) if has_ended(&media.state) => read.ended.extend(media.session()),
                Some(media) => read.cobrowse.push(LiveCobrowse {
                    session: media.session(),
                    joined: true,
                    viewer: None,
                }),
            }
        }
        read
    }
}

impl Media {
    /// A type that cannot be read may be this one.
    fn may_be_cobrowse(&self) -> bool {
        matches!(self.kind.as_str(), Field::Read("cobrowse") | Field::Foreign)
    }

    fn session(&self) -> Option<SessionId> {
        SessionId::parse(self.cobrowse_session_id.text()?).ok()
    }
}

fn has_ended(state: &Field<String>) -> bool {
    matches!(
        state.text(),
        Some("disconnected" | "terminated" | "ended" | "closed")
    )
}

/// The agents who are connected. The same user may stand there more than once (transfer, rejoin); the entry that
/// came last counts.
fn agents(participants: &Items<Participant>) -> Vec<AgentSeen> {
    let mut seen: Vec<AgentSeen> = Vec::new();
    for participant in participants.readable() {
        let Some(id) = connected_agent(participant) else {
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

fn connected_agent(participant: &Participant) -> Option<AgentId> {
    if !matches!(participant.purpose.text(), Some("agent" | "user"))
        || participant.end_time.is_some()
    {
        return None;
    }
    let mut media = [
        &participant.messages,
        &participant.calls,
        &participant.chats,
    ]
    .into_iter()
    .flat_map(Items::each)
    .peekable();
    // A participant whose media are not listed is taken at the word of its times. Media that cannot be read are listed, and
    // none of them is connected.
    let connected = if media.peek().is_some() {
        media.any(|medium| medium.is_some_and(|medium| medium.state.text() == Some("connected")))
    } else {
        participant.connected_time != Field::Absent
    };
    if !connected {
        return None;
    }
    AgentId::parse(participant.user_id.text()?).ok()
}

#[cfg(test)]
mod tests;
