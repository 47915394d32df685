//! `GET /incidents/{id}?include[]=body`: where the conversation may stand when no alert has a body.
//!
//! For an incident that an event opened, `incident.body.details` is that whole event as it was sent, with its
//! `routing_key`, which is a credential. So nothing of this answer leaves this file but the two ids: no type in here has
//! a `Debug`, and no error quotes the body.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::call::{CallError, Operation};
use super::{PagerDuty, PagerDutyConfig, details};
use crate::escalation::{Context, IncidentId};

#[derive(Deserialize)]
struct Answer {
    incident: Incident,
}

#[derive(Deserialize)]
struct Incident {
    #[serde(default)]
    body: Option<Body>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    details: Option<Value>,
}

/// `None`: the body is not there, or names no conversation, or cannot be read.
pub(super) async fn read(
    pagerduty: &PagerDuty,
    incident: &IncidentId,
) -> Result<Option<Context>, CallError> {
    let url = pagerduty.url(&["incidents", incident.as_str()]);
    let request = pagerduty
        .request(Method::GET, url)
        .query(&[("include[]", "body")]);
    let reply = pagerduty.call(Operation::ReadIncident, request).await?;
    Ok(understand(&reply.body, &pagerduty.config))
}

fn understand(body: &[u8], config: &PagerDutyConfig) -> Option<Context> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let details = answer.incident.body?.details?;
    maps_of(&details)
        .iter()
        .find_map(|map| details::context_in(map, config))
}

/// All the maps of the event in which the sender may have put the ids, best first. An incident that was made by hand or by
/// REST has a text instead, which may hold JSON.
fn maps_of(details: &Value) -> Vec<Map<String, Value>> {
    let at = |path: &[&str]| {
        path.iter()
            .try_fold(details, |value, key| value.get(key))
            .map(details::maps_of)
            .unwrap_or_default()
    };
    let mut maps = at(&["payload", "custom_details"]);
    // PagerDuty's own form of the event, and the older Events API.
    maps.extend(at(&["__pd_cef_payload", "details"]));
    maps.extend(at(&["details"]));
    maps.extend(details::maps_of(details));
    maps
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::alerts::tests::config;
    use super::*;
    use serde_json::json;

    const ROUTING_KEY: &str = "R0UT1NGKEY0123456789abcdef012345";

    fn read(details: &Value) -> Option<Context> {
        let answer = json!({"incident": {"id": "Q1", "body": {"type": "incident_body", "details": details}}});
        understand(answer.to_string().as_bytes(), &config())
    }

    #[test]
    fn the_conversation_is_found_in_every_form_of_the_original_event() {
        let ids = json!({"conversation_id": "c-1", "agent_id": "a-1"});
        for details in [
            json!({"routing_key": ROUTING_KEY, "event_action": "trigger", "payload": {"custom_details": ids}}),
            json!({"routing_key": ROUTING_KEY, "payload": {"custom_details": ids.to_string()}}),
            json!({"payload": {"custom_details": {"custom_details": ids}}}),
            json!({"__pd_cef_payload": {"details": ids}}),
            json!({"service_key": ROUTING_KEY, "event_type": "trigger", "details": ids}),
            json!({"custom_details": ids}),
            ids.clone(),
            json!(ids.to_string()),
        ] {
            let context = read(&details).unwrap();
            assert_eq!(context.conversation.as_str(), "c-1", "{details}");
            assert_eq!(context.agent.unwrap().as_str(), "a-1", "{details}");
        }
    }

    #[test]
    fn a_text_of_words_nothing_and_garbage_are_no_conversation() {
        for details in [
            json!("opened by hand"),
            json!(null),
            json!([]),
            json!({}),
            json!({"routing_key": ROUTING_KEY, "payload": null}),
        ] {
            assert_eq!(read(&details), None, "{details}");
        }
        for body in [
            "",
            "<html>",
            r#"{"incident":{}}"#,
            r#"{"incident":{"body":null}}"#,
            r#"{"incident":{"body":{"details":{"routing_key":"R0UT"#,
        ] {
            assert_eq!(understand(body.as_bytes(), &config()), None, "{body}");
        }
    }

    #[test]
    fn of_the_event_nothing_is_kept_but_the_ids() {
        let context = read(&json!({
            "routing_key": ROUTING_KEY, "client_url": "https://client.example/",
            "payload": {"custom_details": {"conversation_id": "c-1", "routing_key": ROUTING_KEY}},
        }))
        .unwrap();
        let kept = format!("{context:?} {}", serde_json::to_string(&context).unwrap());
        assert!(
            !kept.contains(ROUTING_KEY) && !kept.contains("client.example"),
            "{kept}"
        );
    }
}
