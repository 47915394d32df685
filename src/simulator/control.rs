//! Control routes, on both listeners under `/_simulator/`, for a simulator that runs as a process of its own.
//!
//! They ask for no credential, and one of them sends requests where it is told: listen on loopback only.

use std::sync::Arc;

use hyper::Method;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    conversation::{AgentSpec, AgentState, Channel, Conversation, ConversationSpec},
    delivery::{self, DeliveryOutcome},
    fault::Fault,
    incident::{Details, IncidentSpec, Urgency},
    reply::Answer,
    server::Shared,
    webhook::Webhook,
};

/// The body of `POST /_simulator/incidents`; `{}` is a breach in a web messaging conversation with an agent.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct NewIncident {
    agent_id: Option<String>,
    agent_state: AgentState,
    /// Nobody has taken the conversation yet, and the incident names no agent.
    waiting: bool,
    channel: Channel,
    cobrowse: bool,
    over: bool,
    urgency: Urgency,
    service_id: Option<String>,
    title: Option<String>,
    details: Details,
    /// Where the signed `incident.triggered` goes.
    webhook_url: Option<String>,
}

impl Default for NewIncident {
    fn default() -> Self {
        Self {
            agent_id: None,
            agent_state: AgentState::Connected,
            waiting: false,
            channel: Channel::WebMessaging,
            cobrowse: true,
            over: false,
            urgency: Urgency::High,
            service_id: None,
            title: None,
            details: Details::Object,
            webhook_url: None,
        }
    }
}

/// Answers a control request; `path` is what follows the prefix.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    method: &Method,
    path: &str,
    body: &[u8],
) -> Answer {
    match (method, path) {
        (&Method::POST, "incidents") => match parse(body) {
            Ok(new) => incident(shared, new).await,
            Err(refused) => refused,
        },
        // As the admin listener's, so that `escalator health --live --admin http://…/_simulator` can ask for it.
        (&Method::GET, "health/live") => Answer::json(200, json!({ "live": true })),
        (&Method::GET, "effects") => whole(&shared.read(|state| state.effects.clone())),
        (&Method::GET, "requests") => whole(&shared.read(|state| state.records.all())),
        (&Method::POST, "faults") => match parse::<Fault>(body) {
            Ok(fault) => {
                shared.change(|state| state.faults.add(fault));
                Answer::empty(204)
            }
            Err(refused) => refused,
        },
        (&Method::DELETE, "faults") => {
            shared.change(|state| state.faults.clear());
            Answer::empty(204)
        }
        _ => Answer::json(404, json!({ "error": "the simulator has no such route" })),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Answer> {
    serde_json::from_slice(body)
        .map_err(|error| Answer::json(400, json!({ "error": error.to_string() })))
}

fn whole(value: &impl Serialize) -> Answer {
    Answer::json(200, serde_json::to_value(value).unwrap_or(Value::Null))
}

async fn incident(shared: &Shared, new: NewIncident) -> Answer {
    let webhook_url = new.webhook_url.clone();
    let (mut body, webhook) = shared.change(|state| {
        let conversation_id = state.ids.uuid();
        let agent_id = (!new.waiting).then(|| new.agent_id.unwrap_or_else(|| state.ids.uuid()));
        let agents = agent_id
            .iter()
            .map(|id| AgentSpec::new(id, new.agent_state))
            .collect();
        let spec = ConversationSpec {
            channel: new.channel,
            cobrowse: new.cobrowse,
            agents,
            over: new.over,
        };
        let conversation = Conversation::open(conversation_id.clone(), spec, &mut state.ids);
        state
            .conversations
            .insert(conversation_id.clone(), conversation);

        let default = IncidentSpec::default();
        let incident_id = state.open_incident(IncidentSpec {
            conversation_id: Some(conversation_id.clone()),
            agent_id: agent_id.clone(),
            urgency: new.urgency,
            service_id: new.service_id.unwrap_or(default.service_id),
            title: new.title.unwrap_or(default.title),
            details: new.details,
            conversation_field: default.conversation_field,
            agent_field: default.agent_field,
            opened_ago: default.opened_ago,
        });
        let webhook = state.incidents.get(&incident_id).map(|incident| {
            Webhook::about(
                incident,
                "incident.triggered",
                &state.webhook_secret,
                &mut state.ids,
            )
        });
        let body = json!({
            "incident_id": incident_id, "conversation_id": conversation_id, "agent_id": agent_id,
        });
        (body, webhook)
    });
    if let (Some(url), Some(webhook)) = (webhook_url, webhook) {
        let delivered = delivery::once(&shared.client, &url, &webhook).await;
        let told = match delivered.outcome {
            DeliveryOutcome::Answered(status) => json!({ "status": status }),
            DeliveryOutcome::Failed(why) => json!({ "error": why }),
        };
        if let Some(fields) = body.as_object_mut() {
            fields.insert("delivered".to_owned(), told);
        }
    }
    Answer::json(201, body)
}
