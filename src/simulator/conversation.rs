//! Conversations: who is in them, on which channel, and what is attached.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    clock::with_milliseconds,
    config::{CobrowseApi, Config},
    ids::Ids,
};

/// The name of every agent: nobody's, and to be found in nothing that the program tells.
pub const AGENT_NAME: &str = "Ottoline Quillfeather";
/// The name of every customer, likewise.
pub const CUSTOMER_NAME: &str = "Barnaby Thistlewhite";

/// What a conversation is opened with. The default is a customer on web messaging who waits in the queue.
#[derive(Debug, Clone)]
pub struct ConversationSpec {
    /// The medium that customer and agents talk over.
    pub channel: Channel,
    /// Whether cobrowse can be added to it.
    pub cobrowse: bool,
    /// Agents, oldest participant first; empty while the customer still waits.
    pub agents: Vec<AgentSpec>,
    /// Whether it has ended already.
    pub over: bool,
}

/// The medium of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Web messaging: `messages[]` of type `webmessaging`.
    WebMessaging,
    /// Voice: `calls[]`.
    Voice,
    /// E-mail: `emails[]`; never takes cobrowse.
    Email,
}

/// One agent of a conversation.
#[derive(Debug, Clone)]
pub struct AgentSpec {
    /// The user's id, which is not the participant's.
    pub user_id: String,
    /// Where the agent's part stands.
    pub state: AgentState,
    /// `agent` for one reached through a queue; `user` for one reached directly; `voicemail` exists too.
    pub purpose: String,
}

/// Where an agent's part of a conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Offered to the agent, not answered.
    Alerting,
    /// Talking.
    Connected,
    /// Left.
    Ended,
}

impl AgentSpec {
    /// An agent of a queue.
    pub fn new(user_id: impl Into<String>, state: AgentState) -> Self {
        Self {
            user_id: user_id.into(),
            state,
            purpose: "agent".to_owned(),
        }
    }
}

impl Default for ConversationSpec {
    fn default() -> Self {
        Self {
            channel: Channel::WebMessaging,
            cobrowse: true,
            agents: Vec::new(),
            over: false,
        }
    }
}

impl ConversationSpec {
    /// Web messaging with one connected agent.
    pub fn with_agent(user_id: impl Into<String>) -> Self {
        Self {
            agents: vec![AgentSpec::new(user_id, AgentState::Connected)],
            ..Self::default()
        }
    }
}

/// One conversation as Genesys holds it.
pub(super) struct Conversation {
    id: String,
    channel: Channel,
    cobrowse: bool,
    started: Timestamp,
    ended: Option<Timestamp>,
    participants: Vec<Participant>,
    talk_id: String,
    media: Vec<Media>,
}

struct Participant {
    id: String,
    talk_id: String,
    purpose: String,
    user_id: Option<String>,
    state: AgentState,
    started: Timestamp,
    connected: Option<Timestamp>,
    ended: Option<Timestamp>,
}

struct Media {
    id: String,
    session_id: String,
    visible_from: Instant,
    live: bool,
    /// An offer that the customer has taken up; under `sessions` every session is.
    joined: bool,
}

impl Participant {
    fn new(ids: &mut Ids, purpose: &str, user_id: Option<String>, state: AgentState) -> Self {
        let now = Timestamp::now();
        Self {
            id: ids.uuid(),
            talk_id: ids.uuid(),
            purpose: purpose.to_owned(),
            user_id,
            state,
            started: now,
            connected: (state != AgentState::Alerting).then_some(now),
            ended: (state == AgentState::Ended).then_some(now),
        }
    }

    fn connect(&mut self) {
        self.state = AgentState::Connected;
        self.connected = Some(Timestamp::now());
    }

    fn end(&mut self) {
        self.state = AgentState::Ended;
        self.ended.get_or_insert_with(Timestamp::now);
    }
}

impl Conversation {
    pub(super) fn open(id: String, spec: ConversationSpec, ids: &mut Ids) -> Self {
        let mut participants = vec![Participant::new(
            ids,
            "customer",
            None,
            AgentState::Connected,
        )];
        participants.push(Participant::new(ids, "acd", None, AgentState::Connected));
        for agent in spec.agents {
            participants.push(Participant::new(
                ids,
                &agent.purpose,
                Some(agent.user_id),
                agent.state,
            ));
        }
        let mut conversation = Self {
            id,
            channel: spec.channel,
            cobrowse: spec.cobrowse && spec.channel != Channel::Email,
            started: Timestamp::now(),
            ended: None,
            participants,
            talk_id: ids.uuid(),
            media: Vec::new(),
        };
        conversation.leave_queue();
        if spec.over {
            conversation.end();
        }
        conversation
    }

    /// The queue's own participant ends as soon as an agent talks.
    fn leave_queue(&mut self) {
        if self
            .participants
            .iter()
            .any(|p| p.user_id.is_some() && p.connected.is_some())
        {
            for queue in self.participants.iter_mut().filter(|p| p.purpose == "acd") {
                queue.end();
            }
        }
    }

    /// Connects an agent: one who is being alerted answers, anybody else joins as a new participant, as the same
    /// user does again after a transfer.
    pub(super) fn connect_agent(&mut self, user_id: &str, ids: &mut Ids) {
        let alerting = self
            .participants
            .iter_mut()
            .find(|p| p.user_id.as_deref() == Some(user_id) && p.state == AgentState::Alerting);
        match alerting {
            Some(participant) => participant.connect(),
            None => {
                let user = Some(user_id.to_owned());
                self.participants
                    .push(Participant::new(ids, "agent", user, AgentState::Connected));
            }
        }
        self.leave_queue();
    }

    pub(super) fn disconnect_agent(&mut self, user_id: &str) {
        for participant in &mut self.participants {
            if participant.user_id.as_deref() == Some(user_id) {
                participant.end();
            }
        }
    }

    pub(super) fn end(&mut self) {
        self.ended.get_or_insert_with(Timestamp::now);
        self.participants.iter_mut().for_each(Participant::end);
        self.media.iter_mut().for_each(|media| media.live = false);
    }

    pub(super) fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    pub(super) fn takes_cobrowse(&self) -> bool {
        self.cobrowse
    }

    /// Adds a session; the conversation shows it only after `hidden_for`.
    pub(super) fn attach(&mut self, media_id: String, session_id: String, hidden_for: Duration) {
        let visible_from = Instant::now() + hidden_for;
        self.media.push(Media {
            id: media_id,
            session_id,
            visible_from,
            live: true,
            joined: false,
        });
    }

    /// The customer takes up an offer. False if there is no such session.
    pub(super) fn join_cobrowse(&mut self, session_id: &str) -> bool {
        let mut all = self.media.iter_mut();
        let media = all.find(|media| media.session_id == session_id);
        media.map(|media| media.joined = true).is_some()
    }

    /// Ends one session, as the customer does. False if there is no such session.
    pub(super) fn end_cobrowse(&mut self, session_id: &str) -> bool {
        let media = self
            .media
            .iter_mut()
            .find(|media| media.session_id == session_id);
        media.map(|media| media.live = false).is_some()
    }

    /// `communicationType` of a session that is offered here.
    pub(super) fn communication_type(&self) -> &'static str {
        match self.channel {
            Channel::WebMessaging => "Message",
            Channel::Voice => "Call",
            Channel::Email => "Unknown",
        }
    }

    /// The body of `GET /api/v2/conversations/{id}`.
    pub(super) fn body(&self, config: &Config) -> Value {
        match config.cobrowse_api {
            CobrowseApi::Sessions => self.body_with_media(),
            CobrowseApi::Conversation => self.body_with_participants(config),
        }
    }

    fn state(&self) -> &'static str {
        match self.is_over() {
            true => "disconnected",
            false => "active",
        }
    }

    fn visible(&self) -> impl Iterator<Item = &Media> {
        let now = Instant::now();
        self.media
            .iter()
            .filter(move |media| media.visible_from <= now)
    }

    /// As published: no `media`, no `state`.
    fn body_with_participants(&self, config: &Config) -> Value {
        let participants = self.participants.iter().map(|participant| {
            let mut body = self.participant(participant);
            let role = match participant.user_id {
                Some(_) => "viewer",
                None => "sharer",
            };
            let shown = self.visible().filter(|media| {
                (config.shows_offers || media.joined) && role_takes_part(participant)
            });
            let sessions: Vec<Value> = shown.map(|media| cobrowse_session(media, role)).collect();
            if let Some(fields) = body.as_object_mut() {
                fields.insert("cobrowsesessions".to_owned(), json!(sessions));
            }
            body
        });
        let mut body = json!({
            "id": self.id,
            "startTime": with_milliseconds(self.started),
            "recordingState": "NONE",
            "securePause": false,
            "participants": participants.collect::<Vec<_>>(),
            "divisions": [],
            "selfUri": format!("/api/v2/conversations/{}", self.id),
        });
        if let (true, Some(fields)) = (config.shows_state, body.as_object_mut()) {
            fields.insert("state".to_owned(), json!(self.state()));
        }
        set_time(&mut body, "endTime", self.ended);
        body
    }

    fn body_with_media(&self) -> Value {
        let talk = json!({
            "id": self.talk_id,
            "type": match self.channel {
                Channel::WebMessaging => "webchat",
                Channel::Voice => "voice",
                Channel::Email => "email",
            },
            "state": media_state(!self.is_over()),
        });
        let cobrowse = self.visible().map(|media| {
            json!({
                "id": media.id,
                "type": "cobrowse",
                "cobrowseSessionId": media.session_id,
                "state": media_state(media.live),
            })
        });
        let participants = self.participants.iter().map(|p| self.participant(p));
        let mut body = json!({
            "id": self.id,
            "startTime": with_milliseconds(self.started),
            "state": self.state(),
            "recordingState": "NONE",
            "securePause": false,
            "media": std::iter::once(talk).chain(cobrowse).collect::<Vec<_>>(),
            "participants": participants.collect::<Vec<_>>(),
            "divisions": [],
            "selfUri": format!("/api/v2/conversations/{}", self.id),
        });
        set_time(&mut body, "endTime", self.ended);
        body
    }

    fn participant(&self, participant: &Participant) -> Value {
        let mut body = json!({
            "id": participant.id,
            "purpose": participant.purpose,
            "startTime": with_milliseconds(participant.started),
            "wrapupRequired": false,
            "mediaRoles": ["full"],
            "attributes": {},
            "calls": [], "callbacks": [], "chats": [], "cobrowsesessions": [], "emails": [],
            "messages": [], "screenshares": [], "socialExpressions": [], "videos": [],
        });
        set_time(&mut body, "connectedTime", participant.connected);
        set_time(&mut body, "endTime", participant.ended);
        let Some(fields) = body.as_object_mut() else {
            return body;
        };
        let mut set = |key: &str, value: Value| fields.insert(key.to_owned(), value);
        match &participant.user_id {
            Some(user_id) => {
                set("name", json!(AGENT_NAME));
                set("userId", json!(user_id));
                set("userUri", json!(format!("/api/v2/users/{user_id}")));
            }
            None if participant.purpose == "acd" => {
                set("queueId", json!("0e185c02-0000-4000-8000-2e78684e2c89"));
                set("queueName", json!("Support"));
            }
            None => {
                set("name", json!(CUSTOMER_NAME));
            }
        }
        let mut talk = json!({
            "id": participant.talk_id,
            "state": match participant.state {
                AgentState::Alerting => "alerting",
                AgentState::Connected => "connected",
                AgentState::Ended => "disconnected",
            },
            "direction": "inbound",
            "held": false,
            "segments": [],
        });
        if self.channel == Channel::WebMessaging
            && let Some(talk) = talk.as_object_mut()
        {
            talk.insert("type".to_owned(), json!("webmessaging"));
            talk.insert("provider".to_owned(), json!("PureCloud Messaging"));
            talk.insert("messages".to_owned(), json!([]));
        }
        let medium = match self.channel {
            Channel::WebMessaging => "messages",
            Channel::Voice => "calls",
            Channel::Email => "emails",
        };
        set(medium, json!([talk]));
        body
    }
}

/// Customer and agents; the queue's own part takes part in nothing.
fn role_takes_part(participant: &Participant) -> bool {
    participant.purpose != "acd"
}

fn cobrowse_session(media: &Media, role: &str) -> Value {
    let state = match (media.live, media.joined) {
        (true, false) => "offering",
        (true, true) => "connected",
        (false, _) => "disconnected",
    };
    let mut body = json!({
        "id": media.id,
        "state": state,
        "initialState": "offering",
        "cobrowseSessionId": media.session_id,
        "cobrowseRole": role,
        "controlling": [],
    });
    if let (true, Some(fields)) = (role == "viewer", body.as_object_mut()) {
        let url = format!("https://cobrowse.example.invalid/view/{}", media.session_id);
        fields.insert("viewerUrl".to_owned(), json!(url));
    }
    body
}

fn media_state(live: bool) -> &'static str {
    if live { "connected" } else { "disconnected" }
}

/// A time that has not come is absent, not null.
fn set_time(body: &mut Value, key: &str, at: Option<Timestamp>) {
    if let (Some(at), Some(fields)) = (at, body.as_object_mut()) {
        fields.insert(key.to_owned(), json!(with_milliseconds(at)));
    }
}
