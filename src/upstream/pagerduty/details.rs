//! Where senders put the two ids: custom details come as an object or as a text that holds JSON, and some wrap them once
//! more in `custom_details`.

use serde_json::{Map, Value};

use super::PagerDutyConfig;
use crate::escalation::{AgentId, Context, ConversationId};

/// A map, whether it came as one or as text.
pub(super) fn as_map(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(map) => Some(map.clone()),
        Value::String(text) => serde_json::from_str(text).ok(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

/// The map that these details are, and the one that is wrapped in it; best first.
pub(super) fn maps_of(value: &Value) -> Vec<Map<String, Value>> {
    let Some(map) = as_map(value) else {
        return Vec::new();
    };
    let inner = map.get("custom_details").and_then(as_map);
    std::iter::once(map).chain(inner).collect()
}

/// What one map says of the conversation, if it names one; and of the agent.
pub(super) fn context_in(
    details: &Map<String, Value>,
    config: &PagerDutyConfig,
) -> Option<Context> {
    Some(Context {
        conversation: first_id(details, &config.conversation_fields, ConversationId::parse)?,
        agent: first_id(details, &config.agent_fields, AgentId::parse),
        ambiguous: false,
    })
}

/// The first of these fields that holds a valid id. A number is one too: senders do not always quote.
fn first_id<T, E>(
    details: &Map<String, Value>,
    fields: &[String],
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<T> {
    fields.iter().find_map(|field| match details.get(field)? {
        Value::String(text) => parse(text.trim()).ok(),
        Value::Number(number) => parse(&number.to_string()).ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    })
}
