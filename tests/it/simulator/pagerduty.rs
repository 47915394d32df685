//! PagerDuty's REST API.

use std::time::{Duration, Instant};

use escalator::simulator::{Config, Details, IncidentSpec, Urgency};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::{Bench, PATIENCE, body, quick};

/// The status and the code of an error.
async fn refused(answer: Response) -> (u16, u64) {
    let status = answer.status().as_u16();
    assert!(answer.headers().contains_key("x-request-id"));
    (
        status,
        body(answer).await["error"]["code"].as_u64().unwrap(),
    )
}

fn incident(bench: &Bench, details: Details) -> String {
    let spec = IncidentSpec::about_agent("conversation-1", "agent-1");
    bench.sim.open_incident(IncidentSpec { details, ..spec })
}

async fn alerts(bench: &Bench, id: &str) -> Value {
    body(bench.read(&format!("/incidents/{id}/alerts")).await).await
}

#[tokio::test]
async fn the_key_opens_only_in_exactly_the_right_form() {
    let bench = Bench::new().await;
    let with = |value: &str| {
        bench
            .http
            .get(bench.pagerduty("/abilities"))
            .header("authorization", value)
            .send()
    };
    for good in ["Token token=demo-api-token", "Bearer demo-api-token"] {
        let answer = with(good).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.headers().contains_key("x-request-id"));
        assert_eq!(answer.headers()["ratelimit-limit"], "960");
        assert_eq!(answer.headers()["ratelimit-remaining"], "959");
        assert_eq!(answer.headers()["ratelimit-reset"], "60");
        assert!(body(answer).await["abilities"].is_array());
    }
    for bad in [
        "token token=demo-api-token",
        "Token demo-api-token",
        "Token token=other",
        "demo-api-token",
    ] {
        assert_eq!(
            refused(with(bad).await.unwrap()).await,
            (401, 2006),
            "{bad}"
        );
    }
    let none = bench
        .http
        .get(bench.pagerduty("/abilities"))
        .send()
        .await
        .unwrap();
    assert_eq!(refused(none).await, (401, 2006));
    bench.sim.set_api_token("another");
    assert_eq!(
        refused(with("Token token=demo-api-token").await.unwrap()).await,
        (401, 2006)
    );
    assert_eq!(with("Token token=another").await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_incident_hydrates_in_three_thirds() {
    let hydration = Duration::from_millis(1500);
    let bench = Bench::with(Config {
        hydration,
        ..quick()
    })
    .await;
    let began = Instant::now();
    let id = incident(&bench, Details::Object);
    let mut phases = Vec::new();
    let watch = async {
        while phases.last() != Some(&"whole") {
            let read = alerts(&bench, &id).await;
            let phase = match read["alerts"].as_array().unwrap().as_slice() {
                [] => "empty",
                [alert] if alert.get("body").is_none() => "without body",
                _ => "whole",
            };
            if phases.last() != Some(&phase) {
                phases.push(phase);
            }
        }
    };
    tokio::time::timeout(PATIENCE, watch).await.unwrap();
    assert_eq!(phases, ["empty", "without body", "whole"]);
    assert!(began.elapsed() >= hydration);
}

#[tokio::test]
async fn custom_details_are_where_they_were_asked_to_be() {
    let bench = Bench::new().await;
    let read = async |details| {
        let id = incident(&bench, details);
        alerts(&bench, &id).await["alerts"][0]["body"].take()
    };
    let both = |found: &Value| (found["conversation_id"].clone(), found["agent_id"].clone());
    let ids = (json!("conversation-1"), json!("agent-1"));

    let object = read(Details::Object).await;
    assert_eq!(both(&object["details"]), ids);
    assert_eq!(both(&object["cef_details"]["details"]), ids);
    let text = read(Details::JsonString).await;
    let parsed: Value = serde_json::from_str(text["details"].as_str().unwrap()).unwrap();
    assert_eq!(both(&parsed), ids);
    assert!(text["cef_details"]["details"].is_null());
    assert_eq!(
        both(&read(Details::Nested).await["details"]["custom_details"]),
        ids
    );
    let cef = read(Details::OnlyCef).await;
    assert!(cef["details"].is_null());
    assert_eq!(both(&cef["cef_details"]["details"]), ids);
    let missing = read(Details::Missing).await;
    assert!(
        missing["details"]["queue"].is_string() && missing["details"].get("agent_id").is_none()
    );
    assert!(read(Details::NeverHydrated).await.is_null());
    assert!(read(Details::OnlyIncidentBody).await.is_null());
    let by_hand = incident(&bench, Details::NoAlerts);
    assert_eq!(alerts(&bench, &by_hand).await["alerts"], json!([]));
}

#[tokio::test]
async fn several_alerts_come_in_pages_and_only_the_last_has_the_ids() {
    let bench = Bench::new().await;
    let id = incident(&bench, Details::SeveralAlerts(130));
    let page = async |query: &str| {
        body(bench.read(&format!("/incidents/{id}/alerts?{query}")).await).await
    };
    let first = page("").await;
    assert_eq!(first["alerts"].as_array().unwrap().len(), 25);
    assert_eq!(
        (&first["limit"], &first["more"], &first["total"]),
        (&json!(25), &json!(true), &Value::Null)
    );
    let capped = page("limit=500&total=true").await;
    assert_eq!(capped["alerts"].as_array().unwrap().len(), 100);
    assert_eq!(
        (&capped["limit"], &capped["total"]),
        (&json!(100), &json!(130))
    );
    let last = page("limit=100&offset=100").await;
    assert_eq!(
        (last["more"].clone(), last["offset"].clone()),
        (json!(false), json!(100))
    );
    let last = last["alerts"].as_array().unwrap();
    assert_eq!(last.len(), 30);
    assert!(last[28]["body"]["details"].get("conversation_id").is_none());
    assert_eq!(
        last[29]["body"]["details"]["conversation_id"],
        "conversation-1"
    );
    assert_eq!(page("offset=500").await["alerts"], json!([]));
}

#[tokio::test]
async fn an_incident_is_read_by_id_or_number_and_shows_the_whole_event_only_when_asked() {
    let bench = Bench::new().await;
    let spec = IncidentSpec {
        urgency: Urgency::Low,
        details: Details::OnlyIncidentBody,
        conversation_field: "conversationId".to_owned(),
        ..IncidentSpec::about("conversation-1")
    };
    let id = bench.sim.open_incident(spec);
    let plain = body(bench.read(&format!("/incidents/{id}")).await).await;
    assert_eq!(plain["incident"]["status"], "triggered");
    assert_eq!(plain["incident"]["urgency"], "low");
    assert!(plain["incident"]["incident_key"].is_null());
    assert!(plain["incident"].get("body").is_none());
    let number = plain["incident"]["incident_number"].as_u64().unwrap();
    let by_number = body(
        bench
            .read(&format!("/incidents/{number}?include%5B%5D=body"))
            .await,
    )
    .await;
    let event = &by_number["incident"]["body"]["details"];
    assert_eq!(event["routing_key"].as_str().unwrap().len(), 32);
    assert_eq!(
        event["payload"]["custom_details"]["conversationId"],
        "conversation-1"
    );
    bench.sim.webhook(&id, "incident.resolved");
    let resolved = body(bench.read(&format!("/incidents/{id}?include[]=body")).await).await;
    assert_eq!(resolved["incident"]["status"], "resolved");
    assert!(resolved["incident"]["resolved_at"].is_string());
}

#[tokio::test]
async fn notes_are_created_listed_newest_first_rewritten_and_deleted() {
    let bench = Bench::new().await;
    let id = incident(&bench, Details::Object);
    let first = bench.post_note(&id, "first").await;
    assert_eq!(first.status(), 200);
    let first = body(first).await["note"]["id"].as_str().unwrap().to_owned();
    bench.post_note(&id, "second").await;
    let texts = async || {
        let listed = body(bench.read(&format!("/incidents/{id}/notes")).await).await;
        let notes = listed["notes"].as_array().unwrap().clone();
        notes
            .iter()
            .map(|note| note["content"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(texts().await, ["second", "first"]);

    let note = format!("/incidents/{id}/notes/{first}");
    let rewritten =
        write(&bench, Method::PUT, &note).json(&json!({ "note": { "content": "other" } }));
    let rewritten = rewritten.send().await.unwrap();
    assert_eq!(rewritten.status(), 200);
    assert_eq!(body(rewritten).await["note"]["content"], "other");
    assert_eq!(texts().await, ["second", "other"]);

    let deleted = write(&bench, Method::DELETE, &note).send().await.unwrap();
    assert_eq!(
        (
            deleted.status().as_u16(),
            deleted.bytes().await.unwrap().len()
        ),
        (204, 0)
    );
    assert_eq!(texts().await, ["second"]);
    let again = write(&bench, Method::DELETE, &note).send().await.unwrap();
    assert_eq!(refused(again).await, (404, 2100));
    let gone = write(&bench, Method::PUT, &note).json(&json!({ "note": { "content": "x" } }));
    assert_eq!(refused(gone.send().await.unwrap()).await, (404, 2100));

    let effects = bench.sim.effects();
    assert_eq!(
        (
            effects.live_notes,
            effects.notes_of(&id).len(),
            effects.notes[&id].len()
        ),
        (1, 1, 2)
    );
    assert!(
        effects.notes[&id][0].updated_at_ms.is_some()
            && effects.notes[&id][0].deleted_at_ms.is_some()
    );
}

fn write(bench: &Bench, method: Method, path: &str) -> RequestBuilder {
    let config = bench.sim.config();
    let request = bench.http.request(method, bench.pagerduty(path));
    request
        .header("authorization", format!("Token token={}", config.api_token))
        .header("from", &config.from_email)
}

#[tokio::test]
async fn each_wrong_write_of_a_note_has_its_own_code_and_no_effect() {
    let bench = Bench::new().await;
    let id = incident(&bench, Details::Object);
    let path = format!("/incidents/{id}/notes");
    let fine = json!({ "note": { "content": "text" } });
    let post = |path: &str, from: Option<&str>| {
        let request = bench.http.post(bench.pagerduty(path));
        let request = request.header("authorization", "Token token=demo-api-token");
        from.into_iter()
            .fold(request, |request, from| request.header("from", from))
    };
    let me = Some("escalator@example.invalid");
    let long = json!({ "note": { "content": "x".repeat(65_536) } });
    let cases = [
        (post(&path, None).json(&fine), 400, 2016),
        (post(&path, Some("nobody")).json(&fine), 400, 1028),
        (
            post(&path, Some("stranger@example.invalid")).json(&fine),
            400,
            1008,
        ),
        (post(&path, me).body(fine.to_string()), 400, 2001),
        (post(&path, me).json(&json!([])), 400, 2001),
        (
            post(&path, me).json(&json!({ "content": "text" })),
            400,
            2001,
        ),
        (
            post(&path, me).json(&json!({ "note": { "content": "" } })),
            400,
            2001,
        ),
        (post(&path, me).json(&long), 400, 2001),
        (post("/incidents/QNONE/notes", me).json(&fine), 404, 2100),
        (
            bench.http.post(bench.pagerduty(&path)).json(&fine),
            401,
            2006,
        ),
    ];
    for (request, status, code) in cases {
        assert_eq!(refused(request.send().await.unwrap()).await, (status, code));
    }
    let longest = json!({ "note": { "content": "x".repeat(65_535) } });
    assert_eq!(
        post(&path, me)
            .json(&longest)
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(bench.sim.effects().live_notes, 1);
}

#[tokio::test]
async fn an_incident_takes_so_many_notes_and_a_deleted_one_makes_room() {
    let bench = Bench::with(Config {
        note_limit: 2,
        ..quick()
    })
    .await;
    let id = incident(&bench, Details::Object);
    let first = body(bench.post_note(&id, "1").await).await;
    assert_eq!(bench.post_note(&id, "2").await.status(), 200);
    assert_eq!(refused(bench.post_note(&id, "3").await).await, (400, 2019));
    let note = format!(
        "/incidents/{id}/notes/{}",
        first["note"]["id"].as_str().unwrap()
    );
    write(&bench, Method::DELETE, &note).send().await.unwrap();
    assert_eq!(bench.post_note(&id, "3").await.status(), 200);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let bench = Bench::new().await;
    for path in [
        "/incidents/QNONE",
        "/incidents/QNONE/alerts",
        "/incidents/QNONE/notes",
        "/users/me",
    ] {
        let answer = bench.read(path).await;
        assert_eq!(answer.status(), 404);
        assert_eq!(
            body(answer).await,
            json!({ "error": { "message": "Not Found", "code": 2100 } })
        );
    }
}

#[tokio::test]
async fn over_the_limit_there_is_429_with_the_seconds_until_reset() {
    let bench = Bench::with(Config {
        pagerduty_per_minute: Some(1),
        ..quick()
    })
    .await;
    let first = bench.read("/abilities").await;
    assert_eq!(first.headers()["ratelimit-limit"], "1");
    assert_eq!(first.headers()["ratelimit-remaining"], "0");
    let second = bench.read("/abilities").await;
    let reset: u64 = second.headers()["ratelimit-reset"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&reset));
    assert_eq!(refused(second).await, (429, 2020));
}
