//! The control routes of a simulator that runs as a process of its own.

use serde_json::{Value, json};

use super::{Bench, PATIENCE, body};

async fn post(bench: &Bench, path: &str, json: &Value) -> reqwest::Response {
    bench
        .http
        .post(bench.pagerduty(path))
        .json(json)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn an_incident_made_over_http_can_be_read_at_both_vendors() {
    let bench = Bench::new().await;
    for base in [bench.sim.genesys_url(), bench.sim.pagerduty_url()] {
        let made = bench.http.post(format!("{base}/_simulator/incidents"));
        let made = made
            .json(&json!({ "agent_id": "agent-9", "urgency": "low" }))
            .send()
            .await
            .unwrap();
        assert_eq!(made.status(), 201);
        let made = body(made).await;
        let (incident, conversation) = (
            made["incident_id"].as_str().unwrap(),
            made["conversation_id"].as_str().unwrap(),
        );
        let read = body(bench.read(&format!("/incidents/{incident}/alerts")).await).await;
        let details = &read["alerts"][0]["body"]["details"];
        assert_eq!(details["conversation_id"], json!(conversation));
        assert_eq!(details["agent_id"], "agent-9");
        let token = bench.token().await;
        let read = body(bench.conversation(&token, conversation).await).await;
        assert_eq!(read["participants"][2]["userId"], "agent-9");
    }
}

#[tokio::test]
async fn an_incident_can_be_made_in_other_shapes() {
    let bench = Bench::new().await;
    let shape = json!({
        "waiting": true, "channel": "voice", "cobrowse": false, "details": { "several_alerts": 3 },
        "title": "Breach", "service_id": "PSVC2",
    });
    let made = body(post(&bench, "/_simulator/incidents", &shape).await).await;
    assert!(made["agent_id"].is_null());
    let incident = made["incident_id"].as_str().unwrap();
    let read = body(bench.read(&format!("/incidents/{incident}/alerts")).await).await;
    assert_eq!(read["alerts"].as_array().unwrap().len(), 3);
    assert_eq!(read["alerts"][0]["service"]["id"], "PSVC2");
    for wrong in [
        json!({ "urgncy": "low" }),
        json!({ "urgency": "medium" }),
        json!("x"),
    ] {
        assert_eq!(
            post(&bench, "/_simulator/incidents", &wrong).await.status(),
            400
        );
    }
}

#[tokio::test]
async fn an_incident_made_over_http_is_delivered_where_it_says() {
    let bench = Bench::new().await;
    // PagerDuty's own listener is a receiver that refuses, for want of a key: what matters is that the webhook arrived there.
    let url = bench.pagerduty("/webhooks/pagerduty");
    let made = body(
        post(
            &bench,
            "/_simulator/incidents",
            &json!({ "webhook_url": url }),
        )
        .await,
    )
    .await;
    assert_eq!(made["delivered"], json!({ "status": 401 }));
    let record = bench
        .until_request(|r| r.id.as_deref() == Some("POST /webhooks/pagerduty"))
        .await;
    assert_eq!(record.status(), Some(401));
    let away = json!({ "webhook_url": "http://127.0.0.1:1/" });
    let made = body(post(&bench, "/_simulator/incidents", &away).await).await;
    assert_eq!(made["delivered"], json!({ "error": "cannot connect" }));
}

#[tokio::test]
async fn faults_are_scripted_and_cleared_and_effects_and_requests_are_shown() {
    let bench = Bench::new().await;
    let fault = json!({ "operation": "genesys_token", "which": "all", "what": { "status": { "status": 503 } } });
    assert_eq!(
        post(&bench, "/_simulator/faults", &fault).await.status(),
        204
    );
    assert_eq!(bench.ask_token(&[]).await.status(), 503);
    let cleared = bench
        .http
        .delete(bench.genesys("/_simulator/faults"))
        .send()
        .await
        .unwrap();
    assert_eq!(cleared.status(), 204);
    let token = bench.token().await;
    bench.create_session(&token).await;
    bench
        .sim
        .wait_until(PATIENCE, |seen| seen.sessions.len() == 1)
        .await
        .unwrap();

    let show =
        async |path: &str| body(bench.http.get(bench.genesys(path)).send().await.unwrap()).await;
    let effects = show("/_simulator/effects").await;
    assert_eq!(
        (
            &effects["tokens_issued"],
            effects["sessions"].as_array().unwrap().len()
        ),
        (&json!(1), 1)
    );
    let requests = show("/_simulator/requests").await;
    assert_eq!(requests[0]["outcome"], json!({ "status": 503 }));
    assert_eq!(requests[2]["operation"], "genesys_create_session");
    let wrong = post(
        &bench,
        "/_simulator/faults",
        &json!({ "operation": "coffee" }),
    )
    .await;
    assert_eq!(wrong.status(), 400);
    let nowhere = bench
        .http
        .get(bench.genesys("/_simulator/nowhere"))
        .send()
        .await
        .unwrap();
    assert_eq!(nowhere.status(), 404);
}
