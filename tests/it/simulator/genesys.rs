//! Genesys Cloud, contract `sessions`.

use std::time::Duration;

use escalator::simulator::{Channel, Config, ConversationSpec};
use serde_json::{Value, json};

use super::{Bench, PATIENCE, body, quick};

fn cobrowse(session: &str) -> Value {
    json!({ "type": "cobrowse", "cobrowseSessionId": session })
}

/// The status, and the code of an `ErrorBody` whose context is the correlation id.
async fn refused(answer: reqwest::Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let trace = answer.headers()["ININ-Correlation-Id"]
        .to_str()
        .unwrap()
        .to_owned();
    let body = body(answer).await;
    assert_eq!(body["contextId"], json!(trace));
    assert_eq!(body["status"], json!(status));
    assert!(body["details"].is_array() && body["errors"].is_array());
    (status, body["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_token_comes_for_the_right_credentials_in_the_form_and_says_how_long_it_lives() {
    let bench = Bench::with(Config {
        token_lifetime: Duration::from_secs(300),
        ..quick()
    })
    .await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "demo-client"),
        ("client_secret", "demo-client-secret"),
        ("scope", "conversation:read"),
    ];
    let answer = bench.ask_token(&form).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("inin-correlation-id"));
    let body = body(answer).await;
    assert_eq!(body["token_type"], "bearer");
    assert_eq!(body["expires_in"], 300);
    assert_eq!(bench.sim.effects().tokens_issued, 1);
}

#[tokio::test]
async fn a_token_is_refused_with_the_error_of_the_login_host() {
    let bench = Bench::new().await;
    let grant = ("grant_type", "client_credentials");
    let id = ("client_id", "demo-client");
    type Form<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Form<'_>, &str, &str); 5] = [
        (
            &[grant, id, ("client_secret", "wrong")],
            "invalid_client",
            "authentication failed",
        ),
        (
            &[grant, ("client_id", "other")],
            "invalid_client",
            "client not found",
        ),
        (&[grant], "invalid_client", "client not found"),
        (
            &[("grant_type", "password"), id],
            "unsupported_grant_type",
            "grant type is not supported",
        ),
        (&[id], "invalid_request", "grant_type is required"),
    ];
    for (form, code, description) in cases {
        let answer = bench.ask_token(form).await;
        assert_eq!(answer.status(), 400);
        let expected =
            json!({ "error": code, "description": description, "error_description": description });
        assert_eq!(body(answer).await, expected);
    }
    let basic = bench.http.post(bench.genesys("/oauth/token"));
    let basic = basic
        .basic_auth("demo-client", Some("demo-client-secret"))
        .form(&[grant]);
    assert_eq!(
        body(basic.send().await.unwrap()).await["error"],
        "invalid_client"
    );
    let json = bench
        .http
        .post(bench.genesys("/oauth/token"))
        .json(&json!({}));
    assert_eq!(
        body(json.send().await.unwrap()).await["error"],
        "invalid_request"
    );
    assert_eq!(bench.sim.effects().tokens_issued, 0);
}

#[tokio::test]
async fn a_secret_changed_at_the_vendor_ends_new_tokens_but_not_old_ones() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    bench.sim.set_secret("another");
    let grant = [
        ("grant_type", "client_credentials"),
        ("client_id", "demo-client"),
        ("client_secret", "demo-client-secret"),
    ];
    assert_eq!(bench.ask_token(&grant).await.status(), 400);
    assert_eq!(bench.create_session(&token).await.status(), 201);
}

#[tokio::test]
async fn a_session_is_created_attached_once_and_read_back() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    let conversation = bench
        .sim
        .open_conversation(ConversationSpec::with_agent("agent-1"));
    let created = bench.create_session(&token).await;
    assert_eq!(created.status(), 201);
    let created = body(created).await;
    let session = created["id"].as_str().unwrap();
    assert!(created["joinUrl"].as_str().unwrap().ends_with(session));
    assert!(created["viewerUrl"].as_str().unwrap().ends_with(session));

    let attached = bench
        .attach(&token, &conversation, &cobrowse(session))
        .await;
    assert_eq!(attached.status(), 201);
    let attached = body(attached).await;
    assert_eq!(attached["type"], "cobrowse");
    assert_eq!(attached["cobrowseSessionId"], json!(session));
    assert_eq!(attached["state"], "connected");

    let read = body(bench.conversation(&token, &conversation).await).await;
    assert_eq!(read["state"], "active");
    let media = read["media"].as_array().unwrap();
    assert_eq!(media[0]["type"], "webchat");
    assert_eq!(media[1], attached);

    let again = bench
        .attach(&token, &conversation, &cobrowse(session))
        .await;
    assert_eq!(refused(again).await, (409, "conflict".to_owned()));
    let effects = bench.sim.effects();
    assert_eq!(effects.attachments_of(&conversation).len(), 1);
    assert_eq!(effects.orphans().len(), 0);
}

#[tokio::test]
async fn a_second_session_is_let_through_so_that_a_double_effect_shows() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    let conversation = bench
        .sim
        .open_conversation(ConversationSpec::with_agent("agent-1"));
    for _ in 0..2 {
        let created = body(bench.create_session(&token).await).await;
        let body = cobrowse(created["id"].as_str().unwrap());
        assert_eq!(
            bench.attach(&token, &conversation, &body).await.status(),
            201
        );
    }
    assert_eq!(bench.sim.effects().attachments_of(&conversation).len(), 2);
}

#[tokio::test]
async fn each_reason_not_to_attach_has_its_status_and_leaves_nothing_attached() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    let session = body(bench.create_session(&token).await).await;
    let good = cobrowse(session["id"].as_str().unwrap());
    let open = |spec| bench.sim.open_conversation(spec);
    let fine = open(ConversationSpec::with_agent("a"));
    let over = open(ConversationSpec {
        over: true,
        ..ConversationSpec::with_agent("a")
    });
    let plain = open(ConversationSpec {
        cobrowse: false,
        ..ConversationSpec::with_agent("a")
    });
    let mail = open(ConversationSpec {
        channel: Channel::Email,
        ..ConversationSpec::with_agent("a")
    });
    let cases = [
        (
            "11111111-0000-4000-8000-000000000000",
            good.clone(),
            404,
            "not.found",
        ),
        (&over, good.clone(), 400, "bad.request"),
        (&plain, good.clone(), 400, "bad.request"),
        (&mail, good.clone(), 400, "bad.request"),
        (
            &fine,
            json!({ "type": "Cobrowse", "cobrowseSessionId": "x" }),
            400,
            "invalid.value",
        ),
        (&fine, cobrowse("unknown"), 400, "invalid.value"),
        (&fine, json!({ "type": "cobrowse" }), 400, "invalid.value"),
        (&fine, json!([]), 400, "bad.request"),
    ];
    for (conversation, body, status, code) in cases {
        let answer = bench.attach(&token, conversation, &body).await;
        assert_eq!(refused(answer).await, (status, code.to_owned()), "{body}");
    }
    let url = bench.genesys(&format!("/api/v2/conversations/{fine}/media"));
    let text = bench
        .http
        .post(url)
        .bearer_auth(&token)
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(
        refused(text).await,
        (415, "unsupported.media.type".to_owned())
    );
    assert_eq!(bench.sim.effects().attached, 0);
}

#[tokio::test]
async fn nobody_gets_in_without_a_good_token() {
    let bench = Bench::new().await;
    let url = bench.genesys("/api/v2/cobrowse/sessions");
    let none = bench.http.post(&url).send().await.unwrap();
    assert_eq!(
        refused(none).await,
        (401, "authentication.required".to_owned())
    );
    let basic = bench
        .http
        .post(&url)
        .basic_auth("a", Some("b"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        refused(basic).await,
        (401, "authentication.required".to_owned())
    );
    let wrong = bench
        .http
        .post(&url)
        .bearer_auth("made-up")
        .send()
        .await
        .unwrap();
    assert_eq!(refused(wrong).await, (401, "bad.credentials".to_owned()));
    assert!(bench.sim.effects().sessions.is_empty());
}

#[tokio::test]
async fn revoked_tokens_are_refused_and_new_ones_are_good() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    bench.sim.revoke_tokens();
    let answer = bench.create_session(&token).await;
    assert_eq!(refused(answer).await, (401, "bad.credentials".to_owned()));
    assert_eq!(
        bench.create_session(&bench.token().await).await.status(),
        201
    );
}

#[tokio::test]
async fn a_token_is_good_until_its_lifetime_is_over() {
    let lifetime = Duration::from_secs(1);
    let bench = Bench::with(Config {
        token_lifetime: lifetime,
        ..quick()
    })
    .await;
    let began = std::time::Instant::now();
    let token = bench.token().await;
    let expiry = async {
        loop {
            let answer = bench.conversation(&token, "unknown").await;
            if answer.status() == 401 {
                return refused(answer).await;
            }
        }
    };
    let refusal = tokio::time::timeout(PATIENCE, expiry).await.unwrap();
    assert_eq!(refusal, (401, "bad.credentials".to_owned()));
    assert!(began.elapsed() >= lifetime);
}

#[tokio::test]
async fn a_route_of_the_other_contract_is_not_found() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    let id = bench
        .sim
        .open_conversation(ConversationSpec::with_agent("a"));
    let url = bench.genesys(&format!("/api/v2/conversations/{id}/cobrowse"));
    let answer = bench
        .http
        .post(url)
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(refused(answer).await, (404, "not.found".to_owned()));
}

#[tokio::test]
async fn over_the_limit_there_is_429_with_retry_after() {
    let bench = Bench::with(Config {
        genesys_per_minute: Some(2),
        ..quick()
    })
    .await;
    let token = bench.token().await;
    for status in [201, 201] {
        assert_eq!(bench.create_session(&token).await.status(), status);
    }
    let answer = bench.create_session(&token).await;
    let seconds: u64 = answer.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&seconds));
    assert_eq!(
        refused(answer).await,
        (429, "too.many.requests.retry.after".to_owned())
    );
    assert_eq!(bench.sim.effects().sessions.len(), 2);
}
