//! PagerDuty's lists of incidents and of webhook subscriptions.

use std::time::Duration;

use escalator::simulator::{IncidentSpec, Subscription, Urgency};
use reqwest::Response;
use serde_json::{Value, json};

use super::{Bench, body};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn opened(bench: &Bench, days_ago: u32, urgency: Urgency, service: &str) -> String {
    bench.sim.open_incident(IncidentSpec {
        opened_ago: DAY * days_ago,
        urgency,
        service_id: service.to_owned(),
        ..IncidentSpec::default()
    })
}

async fn ids(bench: &Bench, query: &str) -> (Vec<String>, Value) {
    let mut answer = body(bench.read(&format!("/incidents?{query}")).await).await;
    let incidents = answer["incidents"].take();
    let ids = incidents.as_array().unwrap().iter();
    let ids = ids.map(|one| one["id"].as_str().unwrap().to_owned());
    (ids.collect(), answer)
}

async fn post(bench: &Bench, path: &str, request: &Value) -> Response {
    let key = format!("Token token={}", bench.sim.config().api_token);
    let url = bench.pagerduty(path);
    let request = bench
        .http
        .post(url)
        .header("authorization", key)
        .json(request);
    request.send().await.unwrap()
}

#[tokio::test]
async fn incidents_are_listed_by_span_status_service_and_urgency_in_pages() {
    let bench = Bench::new().await;
    let old = opened(&bench, 100, Urgency::High, "A");
    let third = opened(&bench, 1, Urgency::Low, "A");
    let second = opened(&bench, 2, Urgency::High, "B");
    let first = opened(&bench, 3, Urgency::High, "A");
    bench.sim.webhook(&second, "incident.resolved");
    let oldest_first = "sort_by=created_at:asc";
    // Without a span: a month.
    let (all, page) = ids(&bench, oldest_first).await;
    assert_eq!(all, [first.clone(), second.clone(), third.clone()]);
    assert_eq!((&page["more"], &page["limit"]), (&json!(false), &json!(25)));
    let (by_number, _) = ids(&bench, "").await;
    assert_eq!(by_number, [third.clone(), second.clone(), first.clone()]);
    for (query, expected) in [
        ("service_ids[]=A", vec![&first, &third]),
        (
            "service_ids[]=A&service_ids[]=B&urgencies[]=high",
            vec![&first, &second],
        ),
        (
            "statuses[]=triggered&statuses[]=acknowledged",
            vec![&first, &third],
        ),
        ("limit=1&offset=1", vec![&second]),
    ] {
        let (found, _) = ids(&bench, &format!("{oldest_first}&{query}")).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    let (_, page) = ids(&bench, "limit=2").await;
    assert_eq!(page["more"], true);
    let (found, _) = ids(
        &bench,
        "since=2020-01-01T00:00:00Z&until=2020-05-01T00:00:00Z",
    )
    .await;
    assert!(found.is_empty() && !old.is_empty());
}

#[tokio::test]
async fn a_list_beyond_its_end_or_of_too_long_a_span_is_refused() {
    let bench = Bench::new().await;
    for query in [
        "limit=100&offset=9901",
        "since=2026-01-01T00:00:00Z&until=2026-12-01T00:00:00Z",
        "since=yesterday",
        "since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z",
    ] {
        let answer = bench.read(&format!("/incidents?{query}")).await;
        assert_eq!(answer.status(), 400, "{query}");
        assert_eq!(body(answer).await["error"]["code"], 2001, "{query}");
    }
    let last = bench.read("/incidents?limit=100&offset=9900").await;
    assert_eq!(last.status(), 200);
}

#[tokio::test]
async fn a_subscription_tells_its_secret_once_and_ten_are_enough() {
    let bench = Bench::new().await;
    let wanted = json!({"webhook_subscription": {
        "type": "webhook_subscription",
        "delivery_method": {"type": "http_delivery_method", "url": "https://one.example/hooks"},
        "events": ["incident.triggered"],
        "filter": {"type": "account_reference"},
    }});
    let made = body(post(&bench, "/webhook_subscriptions", &wanted).await).await;
    let made = &made["webhook_subscription"];
    assert!(made["delivery_method"]["secret"].as_str().unwrap().len() > 30);
    let listed = body(bench.read("/webhook_subscriptions").await).await;
    let listed = &listed["webhook_subscriptions"][0];
    assert_eq!(listed["id"], made["id"]);
    assert_eq!(listed["delivery_method"]["secret"], Value::Null);
    for _ in 1..10 {
        assert_eq!(
            post(&bench, "/webhook_subscriptions", &wanted)
                .await
                .status(),
            200
        );
    }
    let refused = post(&bench, "/webhook_subscriptions", &wanted).await;
    assert_eq!(refused.status(), 400);
    assert_eq!(body(refused).await["error"]["code"], 2019);
    let mut other = wanted.clone();
    other["webhook_subscription"]["filter"] = json!({"type": "service_reference", "id": "A"});
    assert_eq!(
        post(&bench, "/webhook_subscriptions", &other)
            .await
            .status(),
        200
    );
    for wrong in ["type", "delivery_method", "events", "filter"] {
        let mut request = wanted.clone();
        request["webhook_subscription"]
            .as_object_mut()
            .unwrap()
            .remove(wrong);
        let answer = post(&bench, "/webhook_subscriptions", &request).await;
        assert_eq!(answer.status(), 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_subscription_is_enabled_and_what_is_not_there_is_not_found() {
    let bench = Bench::new().await;
    bench.sim.add_subscription(Subscription {
        temporarily_disabled: true,
        ..Subscription::to("https://one.example/hooks")
    });
    let enabled = post(&bench, "/webhook_subscriptions/PSUB001/enable", &json!({})).await;
    assert_eq!(enabled.status(), 200);
    assert!(!bench.sim.subscriptions()[0].temporarily_disabled);
    for path in ["PSUB002/enable", "PSUB002/ping"] {
        let path = format!("/webhook_subscriptions/{path}");
        assert_eq!(
            post(&bench, &path, &json!({})).await.status(),
            404,
            "{path}"
        );
    }
}
