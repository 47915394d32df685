//! Webhooks: their shape, their signature, and how they are delivered.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, http::HeaderMap, http::StatusCode, routing::post};
use escalator::simulator::{
    Delivered, DeliveryOutcome, Details, IncidentSpec, Urgency, Webhook, signature,
};
use serde_json::{Value, json};

use super::{Bench, PATIENCE};

type Seen = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// Answers with these statuses in turn, then with 202, and keeps what came.
async fn receiver<const N: usize>(statuses: [u16; N]) -> (String, Seen) {
    let seen = Seen::default();
    let (own, mut left) = (seen.clone(), statuses.into_iter());
    let next = Arc::new(Mutex::new(move || left.next().unwrap_or(202)));
    let take = async move |headers: HeaderMap, body: Bytes| {
        own.lock().unwrap().push((headers, body));
        StatusCode::from_u16((next.lock().unwrap())()).unwrap()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://{}/webhooks/pagerduty",
        listener.local_addr().unwrap()
    );
    let app = Router::new().route("/webhooks/pagerduty", post(take));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, seen)
}

fn event(webhook: &Webhook) -> Value {
    serde_json::from_slice::<Value>(&webhook.body).unwrap()["event"].take()
}

#[tokio::test]
async fn a_triggered_event_is_the_whole_v3_envelope_without_any_detail_of_the_alert() {
    let bench = Bench::new().await;
    let spec = IncidentSpec {
        urgency: Urgency::Low,
        ..IncidentSpec::about("conversation-1")
    };
    let id = bench.sim.open_incident(spec);
    let webhook = bench.sim.webhook(&id, "incident.triggered");
    let event = event(&webhook);
    assert_eq!(event["id"], json!(webhook.event_id));
    assert_eq!(event["resource_type"], "incident");
    assert!(event["agent"].is_null() && event["data"]["incident_key"].is_null());
    let occurred = event["occurred_at"].as_str().unwrap();
    assert_eq!((occurred.len(), occurred.ends_with('Z')), (24, true));
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        keys(&event),
        "agent client data event_type id occurred_at resource_type"
    );
    assert_eq!(
        keys(&event["data"]),
        "assignees conference_bridge created_at escalation_policy html_url id incident_key incident_type \
         number priority reopened_at resolve_reason self service status teams title type urgency"
    );
    assert_eq!(event["data"]["id"], json!(id));
    assert_eq!(event["data"]["created_at"].as_str().unwrap().len(), 20);
    assert_eq!(event["data"]["urgency"], "low");
    assert_eq!(event["data"]["service"]["id"], "PSIMSVC");
    assert!(
        !String::from_utf8(webhook.body)
            .unwrap()
            .contains("conversation-1")
    );
}

#[tokio::test]
async fn each_call_is_a_new_event_and_leaves_the_incident_as_it_says() {
    let bench = Bench::new().await;
    let id = bench
        .sim
        .open_incident(IncidentSpec::about("conversation-1"));
    let first = bench.sim.webhook(&id, "incident.triggered");
    let second = bench.sim.webhook(&id, "incident.triggered");
    assert_ne!((&first.id, &first.event_id), (&second.id, &second.event_id));
    let resolved = event(&bench.sim.webhook(&id, "incident.resolved"));
    assert_eq!(
        (&resolved["data"]["status"], &resolved["data"]["assignees"]),
        (&json!("resolved"), &json!([]))
    );
    assert_eq!(resolved["agent"]["type"], "user_reference");
    let reopened = event(&bench.sim.webhook(&id, "incident.reopened"));
    assert_eq!(reopened["data"]["status"], "triggered");
    assert!(reopened["data"]["reopened_at"].is_string());
}

#[tokio::test]
async fn other_events_carry_the_data_of_their_kind() {
    let bench = Bench::new().await;
    let id = bench
        .sim
        .open_incident(IncidentSpec::about("conversation-1"));
    let annotated = event(&bench.sim.webhook(&id, "incident.annotated"));
    assert_eq!(annotated["data"]["type"], "incident_note");
    assert_eq!(annotated["data"]["incident"]["id"], json!(id));
    let ping = event(&bench.sim.webhook(&id, "pagey.ping"));
    assert_eq!(
        (&ping["resource_type"], &ping["data"]["type"]),
        (&json!("pagey"), &json!("ping"))
    );
    let service = event(&bench.sim.webhook(&id, "service.updated"));
    assert_eq!(
        (&service["resource_type"], &service["data"]["type"]),
        (&json!("service"), &json!("service"))
    );
    let unknown = event(&bench.sim.webhook("QSTRANGER", "incident.triggered"));
    assert_eq!(unknown["data"]["id"], "QSTRANGER");
    let spec = IncidentSpec {
        details: Details::NoAlerts,
        ..IncidentSpec::default()
    };
    let by_hand = bench.sim.open_incident(spec);
    let by_hand = event(&bench.sim.webhook(&by_hand, "incident.triggered"));
    assert_eq!(by_hand["data"]["incident_key"].as_str().unwrap().len(), 32);
    assert!(by_hand["agent"].is_object() && by_hand["client"].is_null());
}

#[tokio::test]
async fn a_delivery_has_the_headers_of_pagerduty_and_repeats_itself_exactly() {
    let bench = Bench::new().await;
    let (url, seen) = receiver([]).await;
    let id = bench
        .sim
        .open_incident(IncidentSpec::about("conversation-1"));
    let webhook = bench.sim.webhook(&id, "incident.triggered");
    for _ in 0..2 {
        let delivered = bench.sim.deliver(&url, &webhook).await;
        assert_eq!(
            delivered,
            Delivered {
                outcome: DeliveryOutcome::Answered(202),
                attempts: 1
            }
        );
        assert!(delivered.is_accepted());
    }
    let seen = seen.lock().unwrap();
    for (headers, body) in seen.iter() {
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["accept"], "application/json");
        assert_eq!(headers["user-agent"], "PagerDuty-Webhook/V3.0");
        assert_eq!(headers["x-webhook-id"], webhook.id.as_str());
        assert_eq!(headers["x-webhook-subscription"], "PSIMSUB");
        assert_eq!(
            headers["x-pagerduty-signature"],
            signature(&["demo-webhook-secret"], body).as_str()
        );
    }
    assert_eq!(seen[0].1, seen[1].1);
}

#[tokio::test]
async fn a_changed_secret_signs_what_is_made_from_then_on() {
    let bench = Bench::new().await;
    bench.sim.set_webhook_secret("rotated");
    let webhook = bench.sim.webhook_with_body("not json at all");
    assert_eq!(webhook.body, b"not json at all");
    assert_eq!(
        webhook.signature,
        signature(&["rotated"], b"not json at all")
    );
}

#[tokio::test]
async fn refusals_of_the_server_are_retried_and_refusals_of_the_request_are_dropped() {
    let bench = Bench::new().await;
    let webhook = bench.sim.webhook("Q1", "incident.triggered");
    let (url, seen) = receiver([503, 429, 500]).await;
    let delivered = bench.sim.deliver_until(&url, &webhook, PATIENCE).await;
    assert_eq!((delivered.status(), delivered.attempts), (Some(202), 4));
    assert_eq!(seen.lock().unwrap().len(), 4);
    let (url, _) = receiver([403]).await;
    let dropped = bench.sim.deliver_until(&url, &webhook, PATIENCE).await;
    assert_eq!((dropped.status(), dropped.attempts), (Some(403), 1));
}

#[tokio::test]
async fn a_receiver_that_is_away_is_tried_until_the_deadline() {
    let bench = Bench::new().await;
    let webhook = bench.sim.webhook("Q1", "incident.triggered");
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{gone}/");
    let once = bench.sim.deliver(&url, &webhook).await;
    assert_eq!(
        once.outcome,
        DeliveryOutcome::Failed("cannot connect".to_owned())
    );
    let delivered = bench
        .sim
        .deliver_until(&url, &webhook, Duration::from_millis(450))
        .await;
    assert!(
        delivered.attempts > 1 && delivered.status().is_none(),
        "{delivered:?}"
    );
}
