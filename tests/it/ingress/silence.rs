//! What the log must not hold.

use serde_json::{Value, json};

use super::wire::Request;
use super::{SECRET, envelope, trigger};
use crate::support::world::World;

const OTHER_SECRET: &str = "the-previous-secret-of-these-tests";
const TOKEN: &str = "the-token-of-direct-starts";
const PASSWORD: &str = "the-password-at-the-broker";
/// Stands in bodies, where people, titles and addresses stand.
const MARK: &str = "BODYMARK";

fn marked(id: &str) -> Value {
    let mut data = super::incident(id);
    data["title"] = json!(MARK);
    data["assignees"] = json!([{"id": MARK, "summary": MARK}]);
    data["html_url"] = json!(format!("https://{MARK}.example.com"));
    data["unknown_field"] = json!(MARK);
    data
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_holds_neither_secrets_nor_signatures_nor_bodies_nor_links_at_any_level() {
    let world = World::new().await;
    let user = format!("{}-quiet", world.vhost.name);
    world.vhost.user(&user, PASSWORD, ".*").await;
    let address = world.vhost.url_as(&world.vhost.address, &user, PASSWORD);
    let secrets = format!("{SECRET},{OTHER_SECRET}");
    let program = world
        .start(
            "serve",
            &[
                ("AMQP_URL", secrecy::ExposeSecret::expose_secret(&address)),
                ("PAGERDUTY_WEBHOOK_SECRETS", &secrets),
                ("INGRESS_TOKEN", TOKEN),
                ("LOG_LEVEL", "trace"),
            ],
        )
        .await;
    let case = world.case();
    let work = envelope("incident.triggered", marked(&case.incident)).to_string();
    let noise = [
        envelope("incident.annotated", marked("QNOTE")).to_string(),
        envelope(
            "incident.triggered",
            json!({"type": "incident", "id": format!("{MARK}/{MARK}")}),
        )
        .to_string(),
        format!("{MARK} is no JSON"),
        format!("{{\"event\": {{\"event_type\": 7, \"{MARK}\": \"{MARK}\"}}}}"),
        format!("{MARK}{}", "x".repeat(256 * 1024)),
    ];
    let mut requests = vec![Request::webhook(work.clone()).signed(&[SECRET, OTHER_SECRET])];
    for body in noise {
        requests.push(Request::webhook(body.clone()).signed(&[SECRET]));
        requests.push(Request::webhook(body.clone()).signed(&["another"]));
        requests.push(Request::webhook(body).header("X-PagerDuty-Signature", MARK));
    }
    let direct = |body: String, token: &str| {
        Request::new("POST", "/escalations", body)
            .header("Authorization", format!("Bearer {token}"))
    };
    let second = world.case();
    let start = json!({"incident_id": second.incident, "conversation_id": second.conversation});
    requests.push(direct(start.to_string(), TOKEN));
    requests.push(direct(
        start.to_string(),
        &format!("{MARK}-is-a-wrong-token"),
    ));
    requests.push(direct(
        json!({"incident_id": format!("{MARK}/"), MARK: 1}).to_string(),
        TOKEN,
    ));
    let mut signatures = Vec::new();
    for request in &requests {
        let answer = request.send(&program.ingress).await;
        assert!(!answer.body.contains(MARK), "{answer:?}");
        let head = String::from_utf8(request.head("X: y")).unwrap();
        let digits = head.split("v1=").skip(1).map(|rest| rest[..64].to_owned());
        signatures.extend(digits);
    }
    assert!(signatures.len() >= 11, "{}", signatures.len());
    let effects = world.until(|effects| effects.live_notes >= 2).await;
    program
        .logged("escalation.attempt", |line| {
            line["incident"] == case.incident.as_str() && line["outcome"] == "done"
        })
        .await;
    let (status, log) = program.terminate().await;
    world.vhost.delete_user(&user).await;
    assert!(status.success());
    let log = log.join("\n");
    let config = world.simulator.config();
    let mut forbidden = vec![
        MARK,
        SECRET,
        OTHER_SECRET,
        TOKEN,
        PASSWORD,
        &config.client_secret,
        &config.api_token,
        "v1=",
    ];
    forbidden.extend(signatures.iter().map(String::as_str));
    forbidden.extend(
        effects
            .sessions
            .iter()
            .map(|session| session.join_url.as_str()),
    );
    for what in forbidden {
        let line = log.lines().find(|line| line.contains(what));
        assert!(line.is_none(), "{what} in {}", line.unwrap_or_default());
    }
    // Not silent altogether: what an operator looks for is there.
    assert!(log.contains(&case.incident));
    assert!(log.contains("bad_signature"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_puts_into_a_header_does_not_fill_the_log() {
    let world = World::new().await;
    let program = super::ingress(&world, &[]).await;
    let long = "w".repeat(60_000);
    let stranger = || Request::new("POST", "/webhooks/pagerduty", "{}");
    for (request, status) in [
        (stranger().header("X-Webhook-Id", &long), 400),
        (
            stranger().header("X-Webhook-Id", MARK.to_owned() + " \u{e9}"),
            400,
        ),
        (stranger().header("X-Webhook-Id", &long).signed(&["x"]), 403),
        (
            trigger("QHEADER")
                .header("traceparent", &long)
                .header("Referer", &long),
            202,
        ),
    ] {
        let answer = request.send(&program.ingress).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    // What PagerDuty sends there is told, so that a delivery can be found on both sides.
    program
        .logged("webhook.answered", |line| {
            line["webhook"] == "7b3f3c3e-0c4e-4c7c-9d8e-2f5a1f0c9b11"
        })
        .await;
    let (_, log) = program.terminate().await;
    for line in log {
        assert!(line.len() < 5_000, "a line of {} bytes", line.len());
        assert!(!line.contains(MARK), "{line}");
    }
}
