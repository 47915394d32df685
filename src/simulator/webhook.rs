//! Webhooks in the shape of PagerDuty's V3, signed.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    clock::{with_milliseconds, with_seconds},
    ids::Ids,
    incident::{Details, Incident, Status, reference},
};

/// One webhook, ready to be delivered; delivering it again repeats its id, its body and its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// `X-Webhook-Id`, the same for every attempt.
    pub id: String,
    /// The id of the event in the body; empty for a body made by hand.
    pub event_id: String,
    /// The body, byte for byte what is signed.
    pub body: Vec<u8>,
    /// The value of `X-PagerDuty-Signature`.
    pub signature: String,
}

/// The header value for a body: one `v1=` signature for each secret, as during a rotation.
///
/// HMAC-SHA256 with the secret's text as the key, never decoded, over the raw body; lower-case hexadecimal.
pub fn signature(secrets: &[&str], body: &[u8]) -> String {
    let signed = secrets.iter().filter_map(|secret| {
        // A key of any length is valid for HMAC, so that nothing is ever left out here.
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
        mac.update(body);
        Some(format!("v1={}", hex::encode(mac.finalize().into_bytes())))
    });
    signed.collect::<Vec<_>>().join(",")
}

impl Webhook {
    pub(super) fn about(
        incident: &Incident,
        event_type: &str,
        secret: &str,
        ids: &mut Ids,
    ) -> Self {
        let event_id = ids.event();
        let triggered = event_type == "incident.triggered";
        let by_hand = incident.spec.details == Details::NoAlerts;
        let envelope = json!({ "event": {
            "id": event_id,
            "event_type": event_type,
            "resource_type": event_type.split('.').next(),
            "occurred_at": with_milliseconds(Timestamp::now()),
            "agent": (!triggered || by_hand).then(user),
            "client": (triggered && !by_hand)
                .then(|| json!({ "name": "Genesys Cloud", "url": "https://apps.example.invalid/" })),
            "data": data(incident, event_type, ids),
        }});
        Self {
            event_id,
            ..Self::signed(envelope.to_string().into_bytes(), secret, ids)
        }
    }

    /// The test event: nothing happened, and nobody did it.
    pub(super) fn ping(secret: &str, ids: &mut Ids) -> Self {
        let event_id = ids.event();
        let envelope = json!({ "event": {
            "id": event_id,
            "event_type": "pagey.ping",
            "resource_type": "pagey",
            "occurred_at": with_milliseconds(Timestamp::now()),
            "agent": null,
            "client": null,
            "data": { "message": "Hello from your friend Pagey!", "type": "ping" },
        }});
        Self {
            event_id,
            ..Self::signed(envelope.to_string().into_bytes(), secret, ids)
        }
    }

    pub(super) fn signed(body: Vec<u8>, secret: &str, ids: &mut Ids) -> Self {
        let signature = signature(&[secret], &body);
        Self {
            id: ids.uuid(),
            event_id: String::new(),
            body,
            signature,
        }
    }
}

/// The one user of the account.
pub(super) fn user() -> Value {
    reference("user", "users", "PSIMUSR", "On-call engineer")
}

fn data(incident: &Incident, event_type: &str, ids: &mut Ids) -> Value {
    match event_type {
        "pagey.ping" => json!({ "message": "Hello from your friend Pagey!", "type": "ping" }),
        "incident.annotated" => json!({
            "incident": incident.reference(),
            "id": ids.note(),
            "content": "a note of somebody",
            "trimmed": false,
            "type": "incident_note",
        }),
        _ if event_type.starts_with("service.") => {
            let mut service = incident.service();
            if let Some(fields) = service.as_object_mut() {
                fields.insert("type".to_owned(), json!("service"));
            }
            service
        }
        _ => whole_incident(incident),
    }
}

fn whole_incident(incident: &Incident) -> Value {
    let resolved = incident.status == Status::Resolved;
    json!({
        "id": incident.id,
        "type": "incident",
        "self": format!("https://api.pagerduty.com/incidents/{}", incident.id),
        "html_url": format!("https://simulated.pagerduty.com/incidents/{}", incident.id),
        "number": incident.number,
        "status": incident.status,
        "incident_key": incident.key,
        "created_at": with_seconds(incident.created),
        "reopened_at": incident.reopened.map(with_seconds),
        "title": incident.spec.title,
        "service": incident.service(),
        "assignees": if resolved { vec![] } else { vec![user()] },
        "escalation_policy": reference("escalation_policy", "escalation_policies", "PSIMPOL", "Support"),
        "teams": [],
        "priority": null,
        "urgency": incident.spec.urgency,
        "conference_bridge": null,
        "resolve_reason": null,
        "incident_type": { "name": "incident_default" },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_hmac_sha256_as_rfc_4231_has_it() {
        // Test case 2 of RFC 4231.
        assert_eq!(
            signature(&["Jefe"], b"what do ya want for nothing?"),
            "v1=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn the_secret_is_taken_as_text_and_not_decoded() {
        // The secret is valid base64 on purpose; the value was computed with another implementation.
        let body = r#"{"event":{"id":"01SIMULATED","event_type":"pagey.ping"}}"#.as_bytes();
        assert_eq!(
            signature(&["c2ltdWxhdG9yLXNlY3JldA=="], body),
            "v1=26fd7aa18920a9559d1ea900ca4a086c65a5d4308be5ac04324b172bcc31af98"
        );
    }

    #[test]
    fn each_secret_of_a_rotation_signs() {
        let both = signature(&["old", "new"], b"{}");
        assert_eq!(
            both,
            format!(
                "{},{}",
                signature(&["old"], b"{}"),
                signature(&["new"], b"{}")
            )
        );
    }
}
