//! `POST /escalations`.

use serde_json::{Value, json};

use super::wire::{Answer, Request};
use super::{SECRET, Stored, ingress, trigger};
use crate::support::program::Program;
use crate::support::proxy::Proxy;
use crate::support::world::World;
use secrecy::ExposeSecret;

const TOKEN: &str = "the-token-of-direct-starts";

fn start(body: impl Into<Vec<u8>>) -> Request {
    Request::new("POST", "/escalations", body).header("Content-Type", "application/json")
}

fn with_token(body: &Value) -> Request {
    start(body.to_string()).header("Authorization", format!("Bearer {TOKEN}"))
}

fn faults(answer: &Answer) -> Vec<String> {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    serde_json::from_value(body["faults"].clone()).unwrap()
}

fn good() -> Value {
    json!({"incident_id": "QDIRECT", "conversation_id": "c-1"})
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_in_the_settings_there_is_no_such_route() {
    let world = World::new().await;
    for token in [None, Some(("INGRESS_TOKEN", ""))] {
        let program = ingress(&world, token.as_slice()).await;
        for request in [
            with_token(&good()),
            start(good().to_string()),
            start(good().to_string()).header("Authorization", "Bearer "),
        ] {
            assert_eq!(request.send(&program.ingress).await.status, 404);
        }
    }
    Stored::of(&world.vhost).await.assert_empty();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_nobody_gets_in_and_no_fault_is_named() {
    let world = World::new().await;
    let program = ingress(&world, &[("INGRESS_TOKEN", TOKEN)]).await;
    let upper = TOKEN.to_uppercase();
    let longer = format!("Bearer {TOKEN}x");
    for authorization in [
        None,
        Some(""),
        Some("Bearer"),
        Some("Bearer "),
        Some("Bearer wrong"),
        Some(&*format!("Bearer {}", &TOKEN[..TOKEN.len() - 1])),
        Some(&longer),
        Some(&*format!("Bearer {upper}")),
        Some(TOKEN),
        Some(&*format!("Basic {TOKEN}")),
        Some(&*format!("Token token={TOKEN}")),
    ] {
        for body in [good().to_string(), "no JSON".to_owned()] {
            let mut request = start(body);
            if let Some(value) = authorization {
                request = request.header("Authorization", value);
            }
            let answer = request.send(&program.ingress).await;
            assert_eq!(answer.status, 401, "{authorization:?}: {answer:?}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            assert!(answer.body.is_empty(), "{answer:?}");
        }
    }
    // A webhook's signature opens this door no more than the token opens the other.
    let signed = start(good().to_string()).signed(&[SECRET]);
    assert_eq!(signed.send(&program.ingress).await.status, 401);
    let webhook =
        Request::webhook(super::triggered("Q1")).header("Authorization", format!("Bearer {TOKEN}"));
    assert_eq!(webhook.send(&program.ingress).await.status, 400);
    let get = Request::new("GET", "/escalations", "");
    assert_eq!(get.send(&program.ingress).await.status, 405);
    Stored::of(&world.vhost).await.assert_empty();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_wrong_is_400_with_every_fault_named() {
    let world = World::new().await;
    let program = ingress(&world, &[("INGRESS_TOKEN", TOKEN)]).await;
    let ask = async |body: Value| {
        let answer = with_token(&body).send(&program.ingress).await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        faults(&answer)
    };
    let all = json!({"conversation_id": "a/b", "agent_id": 7, "urgency": "medium", "priority": 1});
    let found = ask(all).await;
    assert_eq!(found.len(), 5, "{found:?}");
    for name in ["incident_id", "conversation_id", "agent_id", "urgency"] {
        let named = |fault: &String| fault.starts_with(&format!("{name}:"));
        assert!(found.iter().any(named), "{name}: {found:?}");
    }
    for (body, wanted) in [
        (json!({}), 2),
        (json!({"incident_id": null, "conversation_id": ""}), 2),
        (json!({"incident_id": "Q1"}), 1),
        (json!({"incident_id": "Q 1", "conversation_id": "c-1"}), 1),
        (
            json!({"incident_id": "Q1", "conversation_id": "c-1", "urgency": "HIGH"}),
            1,
        ),
        (
            json!({"incident_id": "Q1", "conversation_id": "x".repeat(129)}),
            1,
        ),
        (json!([good()]), 1),
        (json!("text"), 1),
    ] {
        let found = ask(body.clone()).await;
        assert_eq!(found.len(), wanted, "{body}: {found:?}");
    }
    let big = json!({"incident_id": "Q1", "conversation_id": "x".repeat(300_000)});
    assert_eq!(ask(big).await.len(), 1);
    Stored::of(&world.vhost).await.assert_empty();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_right_is_202_and_a_message_in_the_lane_of_its_urgency() {
    let world = World::new().await;
    let program = ingress(&world, &[("INGRESS_TOKEN", TOKEN)]).await;
    let taker = world.vhost.taker().await;
    for (more, lane) in [
        (json!({}), "high"),
        (json!({"urgency": "high", "agent_id": "a-1"}), "high"),
        (json!({"urgency": null, "agent_id": null}), "high"),
        (json!({"urgency": "low"}), "normal"),
    ] {
        let mut body = good();
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let answer = with_token(&body).send(&program.ingress).await;
        assert_eq!(answer.status, 202, "{body}: {answer:?}");
        let stored = Stored::take(&taker).await;
        let (found, none) = match lane {
            "high" => (stored.high, stored.normal),
            _ => (stored.normal, stored.high),
        };
        assert!(none.is_empty() && stored.dead.is_empty(), "{body}");
        assert_eq!(found.len(), 1, "{body}");
        let message = &found[0];
        assert_eq!(message["incident_id"], "QDIRECT");
        assert_eq!(message["conversation_id"], "c-1");
        assert_eq!(message["agent_id"], more["agent_id"]);
        assert_eq!(message["origin"], "direct");
        assert_eq!(
            (&message["task"], &message["trigger"]),
            (&json!("start"), &json!("first"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_start_that_could_not_be_stored_is_503_in_time() {
    let world = World::new().await;
    let proxy = Proxy::before(world.vhost.address.clone()).await;
    let url = world.vhost.url_by(proxy.address);
    let settings = [("INGRESS_TOKEN", TOKEN), ("AMQP_URL", url.expose_secret())];
    let program = ingress(&world, &settings).await;
    proxy.hang_up();
    program.becomes_ready(false).await;
    let answer = with_token(&good()).send(&program.ingress).await;
    answer.assert_unavailable();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_started_directly_and_by_webhook_has_one_session_and_one_note() {
    let world = World::new().await;
    let settings = [
        ("INGRESS_TOKEN", TOKEN),
        ("PAGERDUTY_WEBHOOK_SECRETS", SECRET),
    ];
    let program = world.start("serve", &settings).await;
    let cases: Vec<_> = (0..10).map(|_| world.case()).collect();
    for (count, case) in cases.iter().enumerate() {
        let direct = with_token(
            &json!({"incident_id": case.incident, "conversation_id": case.conversation}),
        );
        let webhook = trigger(&case.incident);
        let send = async |request: Request| request.send(&program.ingress).await.status;
        let (first, second) = match count % 3 {
            0 => (send(direct).await, send(webhook).await),
            1 => (send(webhook).await, send(direct).await),
            _ => tokio::join!(send(direct), send(webhook)),
        };
        assert_eq!((first, second), (202, 202));
    }
    world
        .until(|effects| effects.live_notes >= cases.len())
        .await;
    // Both deliveries of each have come to their end, so that nothing more can follow.
    let ended = |program: &Program| {
        let attempts = program.events("escalation.attempt");
        let ends = attempts
            .iter()
            .filter(|a| a["outcome"] == "done" || a["outcome"] == "ended_before");
        ends.count() >= 2 * cases.len()
    };
    program
        .logged("escalation.attempt", |_| ended(&program))
        .await;
    let effects = world.simulator.effects();
    crate::support::world::assert_once(&effects, &cases);
    assert_eq!(effects.live_notes, cases.len());
    assert!(world.dead_letters().await.is_empty());
}
