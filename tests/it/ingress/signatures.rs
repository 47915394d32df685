//! Who is let in.

use std::collections::BTreeMap;

use escalator::simulator::signature;
use serde_json::Value;

use super::wire::Request;
use super::{Stored, facts, fixtures, ingress, read_json, say};
use crate::support::world::World;

fn wanted(expect: &Value) -> u16 {
    match expect.as_str().unwrap() {
        "valid" => 202,
        "invalid-signature" | "empty-body" => 403,
        "missing-or-malformed-header" => 400,
        other => panic!("an expectation that this test does not know: {other}"),
    }
}

fn request<'a>(body: &Value, headers: impl Iterator<Item = &'a str>) -> Request {
    let plain = Request::webhook(body.as_str().unwrap());
    headers.fold(plain, |request, value| {
        request.header("X-PagerDuty-Signature", value)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_vector_of_our_own_is_answered_as_it_must_be_and_only_the_valid_ones_are_stored() {
    let world = World::new().await;
    let fixture = read_json(&fixtures().join("signature-vectors.json"));
    let configured = fixture["configured"].as_array().unwrap().iter();
    let secrets: Vec<_> = configured.map(|secret| secret.as_str().unwrap()).collect();
    let secrets = secrets.join(", ");
    let program = ingress(&world, &[("PAGERDUTY_WEBHOOK_SECRETS", &secrets)]).await;
    let mut valid = 0;
    for vector in fixture["vectors"].as_array().unwrap() {
        let headers = vector["headers"].as_array().unwrap().iter();
        let request = request(
            &vector["body"],
            headers.map(|value| value.as_str().unwrap()),
        );
        let answer = request.send(&program.ingress).await;
        assert_eq!(answer.status, wanted(&vector["expect"]), "{vector:#}");
        valid += usize::from(answer.status == 202);
    }
    let stored = Stored::of(&world.vhost).await;
    assert_eq!(stored.high.len(), valid);
    assert!(stored.normal.is_empty() && stored.dead.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vectors_that_are_kept_beside_the_project_are_answered_as_they_must_be() {
    let Some(folder) = facts() else {
        say("no signature vectors beside the project: none ran");
        return;
    };
    let all = read_json(&folder.join("signature-vectors.json"));
    let mut by_secret: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for vector in all["vectors"].as_array().unwrap() {
        let secret = vector["secret"].as_str().unwrap();
        by_secret.entry(secret).or_default().push(vector);
    }
    let world = World::new().await;
    let mut ran = 0;
    for (secret, vectors) in by_secret {
        let program = ingress(&world, &[("PAGERDUTY_WEBHOOK_SECRETS", secret)]).await;
        for vector in vectors {
            let request = request(&vector["body"], vector["header"].as_str().into_iter());
            let answer = request.send(&program.ingress).await;
            assert_eq!(answer.status, wanted(&vector["expect"]), "{vector:#}");
            ran += 1;
        }
    }
    say(&format!("{ran} signature vectors beside the project ran"));
    assert!(ran > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_wrong_signatures_in_one_header_is_refused_and_one_good_one_in_front_is_found() {
    let world = World::new().await;
    let program = ingress(&world, &[]).await;
    let body = super::triggered("QFLOOD");
    let wrong = vec![format!("v1={}", "0".repeat(64)); 500].join(",");
    let good = signature(&[super::SECRET], &body);
    for (header, status) in [(wrong.clone(), 403), (format!("{good},{wrong}"), 202)] {
        let request = Request::webhook(body.clone()).header("X-PagerDuty-Signature", header);
        assert_eq!(request.send(&program.ingress).await.status, status);
    }
    assert_eq!(Stored::of(&world.vhost).await.high.len(), 1);
}
