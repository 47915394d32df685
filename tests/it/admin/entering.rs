//! Who gets in, and to which process.

use serde_json::json;

use super::api::Api;
use super::{TOKEN, served};
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_in_the_settings_an_operator_reaches_nothing() {
    let world = World::new().await;
    for token in [&[][..], &[("ADMIN_TOKEN", "")]] {
        let program = world.start("serve", token).await;
        let client = reqwest::Client::new();
        for (method, path, _) in escalator::admin::table() {
            if path == "/metrics" || path.starts_with("/health/") {
                continue;
            }
            for bearer in [TOKEN, ""] {
                let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
                let url = format!("{}{path}", program.admin);
                let request = client.request(method, url).bearer_auth(bearer);
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status().as_u16(), 404, "{path}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_nobody_gets_in_and_nothing_is_said() {
    let world = World::new().await;
    let (program, _) = served(&world, &[]).await;
    let client = reqwest::Client::new();
    let shorter = format!("Bearer {}", &TOKEN[..TOKEN.len() - 1]);
    let longer = format!("Bearer {TOKEN}x");
    let upper = format!("Bearer {}", TOKEN.to_uppercase());
    let basic = format!("Basic {TOKEN}");
    for (method, path, guarded) in escalator::admin::table() {
        for authorization in [
            None,
            Some(""),
            Some("Bearer"),
            Some("Bearer "),
            Some(TOKEN),
            Some(shorter.as_str()),
            Some(&longer),
            Some(&upper),
            Some(&basic),
        ] {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let mut request = client.request(method, format!("{}{path}", program.admin));
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            let answer = request.body("no JSON").send().await.unwrap();
            if !guarded {
                assert_eq!(answer.status().as_u16(), 200, "{path}");
                continue;
            }
            assert_eq!(answer.status().as_u16(), 401, "{path}, {authorization:?}");
            assert_eq!(answer.headers()["www-authenticate"], "Bearer");
            assert!(answer.text().await.unwrap().is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingress_says_that_it_has_no_ledger_and_asks_nobody_to_come_again() {
    let world = World::new().await;
    let program = world.start("ingress", &[("ADMIN_TOKEN", TOKEN)]).await;
    let api = Api::of(&program, Some(TOKEN));
    let letter = "/dead-letters/dl-0123456789abcdef";
    let replay = "/replays/rp-20261120-0123abcd";
    let all = json!({"all": true, "because": "a test"});
    let choice = json!({"all": true});
    let edit = json!({"conversation": "c-1", "because": "a test"});
    let none = json!({});
    let mut answers = Vec::new();
    for path in [
        "/dead-letters",
        "/dead-letters/groups",
        letter,
        "/replays",
        replay,
        "/audit",
    ] {
        answers.push(api.get(path).await);
    }
    answers.push(api.get(&format!("{replay}/entries")).await);
    for (path, body) in [
        ("/dead-letters/discard", &all),
        ("/dead-letters/plan", &choice),
        ("/replays", &all),
        (&format!("{letter}/edit"), &edit),
        (&format!("{replay}/cancel"), &none),
        (&format!("{replay}/resume"), &none),
    ] {
        answers.push(api.post(path, body).await);
    }
    for answer in answers {
        let errors = answer.errors(503);
        assert!(errors[0].contains("no ledger"), "{errors:?}");
        assert_eq!(answer.header("retry-after"), None);
    }
}
