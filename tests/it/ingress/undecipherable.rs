//! Genuine webhooks that cannot be understood: kept with their bytes, where a person finds them.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::wire::Request;
use super::{SECRET, Stored, envelope, incident, ingress};
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_genuine_and_not_understood_is_202_and_a_dead_letter_with_the_exact_bytes() {
    let world = World::new().await;
    let program = ingress(&world, &[]).await;
    let taker = world.vhost.taker().await;
    let mut no_id = incident("Q1");
    no_id["id"] = Value::Null;
    let mut bad_id = incident("Q1");
    bad_id["id"] = json!("../../SECRETMARK");
    let mut no_time = envelope("incident.triggered", incident("Q1"));
    no_time["event"]["occurred_at"] = json!("SECRETMARK o'clock");
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"SECRETMARK is no JSON".to_vec(),
        b"\xff\xfe\x00SECRETMARK".to_vec(),
        b"\"SECRETMARK\"".to_vec(),
        b"[]".to_vec(),
        br#"{"event":"SECRETMARK"}"#.to_vec(),
        br#"{"event":{"id":"01X","data":{"SECRETMARK":1}}}"#.to_vec(),
        br#"{"messages":[{"event":"incident.trigger","incident":{"id":"SECRETMARK"}}]}"#.to_vec(),
        envelope("incident.triggered", no_id).to_string().into(),
        envelope("incident.triggered", bad_id).to_string().into(),
        envelope("incident.resolved", Value::Null)
            .to_string()
            .into(),
        no_time.to_string().into(),
        b"[".repeat(100_000),
        vec![b'z'; 256 * 1024],
    ];
    let mut ids = HashSet::new();
    for body in &bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let request = Request::webhook(body.clone()).signed(&[SECRET]);
        let answer = request.send(&program.ingress).await;
        assert_eq!(answer.status, 202, "{shown}: {answer:?}");
        let Stored { high, normal, dead } = Stored::take(&taker).await;
        assert!(high.is_empty() && normal.is_empty(), "{shown}");
        assert_eq!(dead.len(), 1, "{shown}");
        let letter = &dead[0];
        assert_eq!(letter["version"], 1);
        assert_eq!(letter["origin"], "ingress", "{shown}");
        assert_eq!(letter["code"], "webhook_not_understood", "{shown}");
        let raw = STANDARD.decode(letter["raw"].as_str().unwrap()).unwrap();
        assert!(&raw == body, "{shown}: other bytes");
        for words in ["reason", "hint"] {
            let words = letter[words].as_str().unwrap();
            assert!(words.len() > 10 && words.len() < 500, "{shown}: {words}");
            assert!(!words.contains("SECRETMARK"), "{words}");
        }
        assert_eq!(letter["attempts"], 0);
        assert!(ids.insert(letter["id"].as_str().unwrap().to_owned()));
        // The same webhook again is the same letter, so that whoever keeps it keeps it once.
        assert_eq!(request.send(&program.ingress).await.status, 202);
        let again = Stored::take(&taker).await.dead;
        assert_eq!(again[0]["id"], letter["id"]);
    }
    let count = 2.0 * f64::from(u32::try_from(bodies.len()).unwrap());
    assert_eq!(super::webhooks(&program, "not_understood").await, count);
    let counted = program
        .metric(&["escalator_dead_letters_total{", "webhook_not_understood"])
        .await;
    assert_eq!(counted, count);
    let log = program.log().join("\n");
    assert!(!log.contains("SECRETMARK"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_not_genuine_becomes_a_dead_letter() {
    let world = World::new().await;
    let program = ingress(&world, &[]).await;
    let forged = Request::webhook("no JSON").signed(&["somebody-else's-secret"]);
    assert_eq!(forged.send(&program.ingress).await.status, 403);
    let unsigned = Request::webhook("no JSON");
    assert_eq!(unsigned.send(&program.ingress).await.status, 400);
    Stored::of(&world.vhost).await.assert_empty();
}
