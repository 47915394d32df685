//! The `sessions` contract.
//!
//! - token: `POST {api}/oauth/token`, the credentials in the form
//! - `POST {api}/api/v2/cobrowse/sessions` with `{}`: `id`, `joinUrl`
//! - `POST {api}/api/v2/conversations/{id}/media` with `{"type":"cobrowse","cobrowseSessionId":…}`
//! - `GET {api}/api/v2/conversations/{id}`: `state`, `media[]`, `participants[]`
//!
//! Any 2xx is a success. Enumerations are open: an unknown text is not an error.

use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::super::call::{CallError, Operation};
use super::super::http::{self, Reply};
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
    let answer: SessionBody = reply.json()?;
    let id = SessionId::try_from(answer.id)
        .map_err(|e| CallError::unknown(format!("the session's answer has {e}")))?;
    Ok(CreatedSession {
        id,
        link: answer
            .join_url
            .filter(|link| is_web_link(link))
            .map(SessionLink::new),
        offer_ends: None,
    })
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionBody {
    id: String,
    #[serde(default)]
    join_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConversationBody {
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    end_time: Option<String>,
    #[serde(default)]
    media: Option<Vec<Media>>,
    #[serde(default)]
    participants: Option<Vec<Participant>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Media {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    cobrowse_session_id: Option<String>,
    #[serde(default)]
    state: Option<String>,
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
    #[serde(default)]
    messages: Option<Vec<Communication>>,
    #[serde(default)]
    calls: Option<Vec<Communication>>,
    #[serde(default)]
    chats: Option<Vec<Communication>>,
}

#[derive(Deserialize)]
struct Communication {
    #[serde(default)]
    state: Option<String>,
}

impl From<ConversationBody> for Conversation {
    fn from(body: ConversationBody) -> Self {
        let media = body.media.unwrap_or_default().into_iter();
        let cobrowse = media.filter(|media| media.kind.as_deref() == Some("cobrowse"));
        let (ended, live): (Vec<_>, Vec<_>) =
            cobrowse.partition(|media| has_ended(media.state.as_deref()));
        Self {
            over: body.end_time.is_some() || has_ended(body.state.as_deref()),
            agents: agents(body.participants.unwrap_or_default()),
            cobrowse: live
                .into_iter()
                .map(|media| LiveCobrowse {
                    session: media.session(),
                    joined: true,
                    viewer: None,
                })
                .collect(),
            ended: ended.into_iter().filter_map(Media::session).collect(),
        }
    }
}

impl Media {
    fn session(self) -> Option<SessionId> {
        SessionId::try_from(self.cobrowse_session_id?).ok()
    }
}

fn has_ended(state: Option<&str>) -> bool {
    matches!(
        state,
        Some("disconnected" | "terminated" | "ended" | "closed")
    )
}

/// The agents who are connected. The same user may stand there more than once (transfer, rejoin); the entry that
/// came last counts.
fn agents(participants: Vec<Participant>) -> Vec<AgentSeen> {
    let mut seen: Vec<AgentSeen> = Vec::new();
    for participant in participants {
        let Some(id) = connected_agent(&participant) else {
            continue;
        };
        let since = participant
            .connected_time
            .or(participant.start_time)
            .and_then(|time| time.parse::<Timestamp>().ok());
        seen.retain(|earlier| earlier.id != id);
        seen.push(AgentSeen { id, since });
    }
    seen
}

fn connected_agent(participant: &Participant) -> Option<AgentId> {
    if !matches!(participant.purpose.as_deref(), Some("agent" | "user"))
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
    .flatten()
    .flatten()
    .peekable();
    // A participant whose media are not listed is taken at the word of its times.
    let connected = if media.peek().is_some() {
        media.any(|m| m.state.as_deref() == Some("connected"))
    } else {
        participant.connected_time.is_some()
    };
    if !connected {
        return None;
    }
    AgentId::parse(participant.user_id.as_deref()?).ok()
}

#[cfg(test)]
mod tests;
