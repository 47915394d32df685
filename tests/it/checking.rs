//! `escalator check` and `escalator health`, as their users see them.

use std::process::Output;

use escalator::simulator::{CobrowseApi, Config, Fault, Operation, Subscription, What, Which};
use serde_json::Value;
use tokio::process::Command;

use crate::support::database::{Database, Server};
use crate::support::world::World;

const WEBHOOKS: &str = "https://escalator.example/webhooks/pagerduty";

async fn run(
    world: &World,
    arguments: &[&str],
    settings: &[(&str, &str)],
    without: &[&str],
) -> Output {
    let mut all = world.settings(settings);
    all.retain(|(name, _)| !without.contains(&name.as_str()));
    Command::new(env!("CARGO_BIN_EXE_escalator"))
        .args(arguments)
        .env_clear()
        .envs(all)
        .current_dir(world.folder.path())
        .output()
        .await
        .unwrap()
}

async fn check(world: &World, settings: &[(&str, &str)]) -> (i32, Vec<Value>, String) {
    check_with(world, settings, &[]).await
}

async fn check_with(
    world: &World,
    settings: &[(&str, &str)],
    more: &[&str],
) -> (i32, Vec<Value>, String) {
    let arguments = [&["check", "--json"], more].concat();
    let output = run(world, &arguments, settings, &[]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    let config = world.simulator.config();
    let all = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    for secret in [
        &config.client_secret,
        &config.api_token,
        &config.webhook_secret,
    ] {
        assert!(!all.contains(secret.as_str()), "{all}");
    }
    for (name, value) in settings {
        let secret = ["SECRET", "TOKEN"].iter().any(|word| name.contains(word));
        assert!(!secret || !all.contains(value), "{all}");
    }
    let findings = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (output.status.code().unwrap(), findings, all)
}

/// The state and text of a part.
fn part<'a>(findings: &'a [Value], name: &str) -> (&'a str, &'a str) {
    let finding = findings
        .iter()
        .rfind(|finding| finding["part"] == name)
        .unwrap();
    (
        finding["state"].as_str().unwrap(),
        finding["text"].as_str().unwrap(),
    )
}

async fn world() -> World {
    let world = World::new().await;
    world.simulator.add_subscription(Subscription::to(WEBHOOKS));
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_well_every_part_is_ok_and_nothing_was_written_at_a_vendor() {
    let world = world().await;
    let (code, findings, all) = check(&world, &[]).await;
    assert_eq!(code, 0, "{all}");
    for name in [
        "settings",
        "broker",
        "ledger",
        "genesys",
        "pagerduty",
        "webhook",
    ] {
        assert_eq!(part(&findings, name).0, "ok", "{all}");
    }
    let (_, broker) = part(&findings, "broker");
    assert!(
        broker.starts_with("RabbitMQ 3.") || broker.starts_with("RabbitMQ 4."),
        "{broker}"
    );
    assert!(
        !world.ledger().exists(),
        "looking at the ledger does not make one"
    );
    let effects = world.simulator.effects();
    assert_eq!((effects.sessions.len(), effects.live_notes), (0, 0));
    drop(world.start("serve", &[]).await);
    let (_, findings, _) = check(&world, &[]).await;
    assert!(
        part(&findings, "ledger").1.ends_with("schema 5"),
        "{findings:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_is_told_as_it_is_set_as_it_looks_and_as_it_was_found_out() {
    let world = World::with(Config {
        cobrowse_api: CobrowseApi::Conversation,
        ..Config::default()
    })
    .await;
    let auto = [("GENESYS_COBROWSE_API", "auto")];
    let told = |findings: &[Value]| part(findings, "contract").1.to_owned();
    let (_, findings, _) = check(&world, &[]).await;
    assert!(told(&findings).starts_with("conversation, as genesys.cobrowse_api says"));
    let (_, findings, _) = check(&world, &auto).await;
    assert!(told(&findings).starts_with("not decided yet"));

    let case = world.case();
    let look = ["--conversation", &*case.conversation];
    let (code, findings, all) = check_with(&world, &auto, &look).await;
    assert!(
        told(&findings).ends_with("by the contract conversation: live, 1 agents connected"),
        "{code}: {all}"
    );
    let (code, findings, _) = check_with(&world, &auto, &["--conversation", "nobody-s"]).await;
    assert_eq!((code, part(&findings, "contract").0), (1, "wrong"));

    let program = world.start("serve", &auto).await;
    world.deliver(&program, &world.trigger(&case)).await;
    world.until(|effects| effects.live_notes == 1).await;
    let (_, findings, _) = check(&world, &auto).await;
    assert_eq!(
        told(&findings),
        "conversation, found out: sessions were made by it, and seen in their conversations"
    );
    assert_eq!(world.simulator.effects().sessions.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_reached_is_69_and_the_rest_is_looked_at_all_the_same() {
    let world = world().await;
    let nobody = "amqp://guest:guest@127.0.0.1:1/%2f";
    let (code, findings, all) = check(&world, &[("AMQP_URL", nobody)]).await;
    assert_eq!(code, 69, "{all}");
    assert_eq!(part(&findings, "broker").0, "away");
    assert_eq!(part(&findings, "genesys").0, "ok");
    let (code, findings, _) = check(&world, &[("PAGERDUTY_API_URL", "http://127.0.0.1:1")]).await;
    assert_eq!((code, part(&findings, "pagerduty").0), (69, "away"));
    let (code, findings, _) =
        check(&world, &[("DATABASE_URL", "sqlite:///no/such/folder/x.db")]).await;
    assert_eq!((code, part(&findings, "ledger").0), (69, "away"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_refused_is_1_with_what_to_do() {
    let world = world().await;
    let (code, findings, all) = check(&world, &[("GENESYS_CLIENT_SECRET", "a-wrong-secret")]).await;
    assert_eq!((code, part(&findings, "genesys").0), (1, "wrong"), "{all}");
    assert!(all.contains("genesys.client_secret"), "{all}");
    let (code, findings, all) = check(&world, &[("PAGERDUTY_API_TOKEN", "a-wrong-token")]).await;
    assert_eq!(
        (code, part(&findings, "pagerduty").0),
        (1, "wrong"),
        "{all}"
    );
    assert!(all.contains("pagerduty.api_token"), "{all}");
    let wrong = world
        .vhost
        .url_as(&world.vhost.address, "guest", "a-wrong-password");
    let wrong = secrecy::ExposeSecret::expose_secret(&wrong).to_owned();
    let (code, findings, all) = check(&world, &[("AMQP_URL", &wrong)]).await;
    assert_eq!((code, part(&findings, "broker").0), (1, "wrong"), "{all}");
    assert!(!all.contains("a-wrong-password"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_on_postgresql_is_reached_and_nothing_is_made_there() {
    let world = world().await;
    let database = Database::new().await;
    let url = database.url.as_str();
    let (code, findings, all) = check(&world, &[("DATABASE_URL", url)]).await;
    assert_eq!((code, part(&findings, "ledger").0), (0, "ok"), "{all}");
    let (_, text) = part(&findings, "ledger");
    assert!(text.starts_with("PostgreSQL 1"), "{text}");
    assert!(
        text.ends_with("will be created at the first start"),
        "{text}"
    );
    drop(world.start("serve", &[("DATABASE_URL", url)]).await);
    let (_, findings, all) = check(&world, &[("DATABASE_URL", url)]).await;
    let (_, text) = part(&findings, "ledger");
    assert!(text.ends_with("schema 5"), "{text}");
    assert!(!all.contains(database.url.password().unwrap()), "{all}");

    let wrong = database.with_password("a-wrong-password");
    let (code, findings, all) = check(&world, &[("DATABASE_URL", wrong.as_str())]).await;
    assert_eq!((code, part(&findings, "ledger").0), (1, "wrong"), "{all}");
    assert!(!all.contains("a-wrong-password"), "{all}");
    assert!(all.contains("database.url"), "{all}");

    let mut nobody = database.url.clone();
    nobody.set_port(Some(1)).unwrap();
    let (code, findings, all) = check(&world, &[("DATABASE_URL", nobody.as_str())]).await;
    assert_eq!((code, part(&findings, "ledger").0), (69, "away"), "{all}");
    assert!(!all.contains(database.url.password().unwrap()), "{all}");
}

/// A certificate of an authority that this machine was told to trust: by its store, or by `SSL_CERT_FILE` as here.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_believed_as_far_as_sslmode_says() {
    let world = world().await;
    let server = Server::start().await;
    let authority = an_authority();
    let (certificate, key) = signed(&authority, "127.0.0.1");
    server.with_tls(&certificate, &key).await;
    let database = Database::on(&server).await;
    let trusted = world.folder.path().join("authority.pem");
    std::fs::write(&trusted, authority.pem()).unwrap();
    let trusted = trusted.to_str().unwrap();
    let looks = async |mode: &str, host: &str, trusted: &str| {
        let mut url = database.url.clone();
        url.set_host(Some(host)).unwrap();
        url.set_query(Some(&format!("sslmode={mode}")));
        let settings = [("DATABASE_URL", url.as_str()), ("SSL_CERT_FILE", trusted)];
        let (_, findings, _) = check(&world, &settings).await;
        let (state, text) = part(&findings, "ledger");
        (state.to_owned(), text.to_owned())
    };
    let stranger = world.folder.path().join("stranger.pem");
    std::fs::write(&stranger, an_authority().pem()).unwrap();
    let nobody = stranger.to_str().unwrap();
    for (mode, host, trusted, expected) in [
        ("require", "127.0.0.1", nobody, "ok"),
        ("verify-ca", "127.0.0.1", nobody, "wrong"),
        ("verify-ca", "127.0.0.1", trusted, "ok"),
        // The certificate is for an address, not for this name.
        ("verify-ca", "localhost", trusted, "ok"),
        ("verify-full", "localhost", trusted, "wrong"),
        ("verify-full", "127.0.0.1", trusted, "ok"),
    ] {
        let (state, text) = looks(mode, host, trusted).await;
        assert_eq!(state, expected, "{mode} {host} {trusted}: {text}");
    }
}

#[cfg(target_os = "linux")]
fn an_authority() -> rcgen::CertifiedIssuer<'static, rcgen::KeyPair> {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    rcgen::CertifiedIssuer::self_signed(parameters, key).unwrap()
}

/// A certificate for a host, and its key.
#[cfg(target_os = "linux")]
fn signed(
    authority: &rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
    host: &str,
) -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec![host.to_owned()])
        .unwrap()
        .signed_by(&key, authority)
        .unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_are_missing_or_contradict_each_other_are_64_all_at_once() {
    let world = world().await;
    let without = ["GENESYS_CLIENT_ID", "PAGERDUTY_API_TOKEN"];
    let contradicting = [("WORKER_CALL_TIMEOUT", "40s"), ("WORKER_SETTLE", "50s")];
    let output = run(&world, &["check"], &contradicting, &without).await;
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8(output.stderr).unwrap();
    for name in [
        "GENESYS_CLIENT_ID",
        "PAGERDUTY_API_TOKEN",
        "WORKER_CALL_TIMEOUT",
        "WORKER_SETTLE",
    ] {
        assert!(said.contains(name), "{said}");
    }
    assert!(output.stdout.is_empty(), "talk goes to stderr");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_does_not_send_what_is_needed_is_told() {
    let world = World::new().await;
    let (code, findings, _) = check(&world, &[]).await;
    assert_eq!(
        (code, part(&findings, "webhook").0),
        (0, "warning"),
        "there is none"
    );
    let good = Subscription::to(WEBHOOKS);
    for (subscription, words) in [
        (
            Subscription {
                active: false,
                ..good.clone()
            },
            "not active",
        ),
        (
            Subscription {
                temporarily_disabled: true,
                ..good.clone()
            },
            "switched off for a day",
        ),
        (
            Subscription {
                events: vec!["incident.triggered".to_owned()],
                ..good.clone()
            },
            "does not send incident.reopened, incident.resolved",
        ),
        (
            Subscription {
                service_id: Some("POTHER".to_owned()),
                ..good.clone()
            },
            "pagerduty.services leaves out",
        ),
    ] {
        world.simulator.clear_subscriptions();
        world.simulator.add_subscription(subscription);
        let (code, findings, all) = check(&world, &[("PAGERDUTY_SERVICES", "PMINE")]).await;
        assert_eq!((code, part(&findings, "webhook").0), (1, "wrong"), "{all}");
        assert!(part(&findings, "webhook").1.contains(words), "{all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_which_no_subscription_sends_anything_is_told() {
    let world = World::new().await;
    let mine = [("PAGERDUTY_SERVICES", "PMINE,PALSO")];
    let of = |service: Option<&str>| Subscription {
        service_id: service.map(str::to_owned),
        ..Subscription::to(WEBHOOKS)
    };
    world.simulator.add_subscription(of(Some("PMINE")));
    let (code, findings, all) = check(&world, &mine).await;
    let (state, text) = part(&findings, "webhook");
    assert_eq!((code, state), (0, "warning"), "{all}");
    assert!(
        text.contains("no subscription sends incidents of PALSO,"),
        "{text}"
    );
    // One for each, or one for the whole account.
    for other in [Some("PALSO"), None] {
        world.simulator.clear_subscriptions();
        world.simulator.add_subscription(of(Some("PMINE")));
        world.simulator.add_subscription(of(other));
        let (_, findings, all) = check(&world, &mine).await;
        assert_eq!(part(&findings, "webhook").0, "ok", "{all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_reads_like_another_contract_than_the_one_set_is_told() {
    let participants = r#""participants":[{"purpose":"customer"}]"#;
    let sessions = format!(r#"{{"state":"active",{participants}}}"#);
    let conversation = format!("{{{participants}}}");
    for (api, set, body, warned) in [
        (CobrowseApi::Conversation, "conversation", &sessions, true),
        (
            CobrowseApi::Conversation,
            "conversation",
            &conversation,
            false,
        ),
        (CobrowseApi::Sessions, "sessions", &conversation, true),
        (CobrowseApi::Sessions, "sessions", &sessions, false),
        // It is found out by looking.
        (CobrowseApi::Sessions, "auto", &conversation, false),
    ] {
        let world = World::with(Config {
            cobrowse_api: api,
            ..Config::default()
        })
        .await;
        world.simulator.script(Fault {
            operation: Operation::GenesysConversation,
            which: Which::All,
            what: What::Status {
                status: 200,
                headers: Vec::new(),
                body: body.clone(),
            },
        });
        let settings = [("GENESYS_COBROWSE_API", set)];
        let (code, findings, all) = check_with(&world, &settings, &["--conversation", "c-1"]).await;
        let (state, text) = part(&findings, "contract");
        assert_eq!((code, state == "warning"), (0, warned), "{all}");
        let says = format!("genesys.cobrowse_api says {set}");
        assert_eq!(text.ends_with(&says), warned, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_not_list_is_no_fault() {
    let world = world().await;
    for operation in [
        Operation::PagerdutyAbilities,
        Operation::PagerdutySubscriptions,
    ] {
        world.simulator.script(Fault {
            operation,
            which: Which::All,
            what: What::status(403),
        });
    }
    let (code, findings, all) = check(&world, &[]).await;
    assert_eq!(code, 0, "{all}");
    for name in ["pagerduty", "webhook"] {
        assert_eq!(part(&findings, name).0, "warning", "{all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_by_itself_is_a_warning_and_no_fault() {
    let world = world().await;
    let bearer = format!("Bearer {}", world.simulator.config().api_token);
    for (credential, states) in [
        (bearer.as_str(), vec!["ok", "warning"]),
        (&world.simulator.config().api_token, vec!["ok"]),
    ] {
        let (code, findings, all) = check(&world, &[("PAGERDUTY_API_TOKEN", credential)]).await;
        assert_eq!(code, 0, "{all}");
        let told = findings.iter().filter(|one| one["part"] == "pagerduty");
        let told: Vec<_> = told.map(|one| one["state"].as_str().unwrap()).collect();
        assert_eq!(told, states, "{all}");
        assert_eq!(all.contains("24 hours"), states.len() == 2, "{all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_0_when_ready_1_when_not_and_69_when_nobody_is_there() {
    let world = World::new().await;
    let program = world.start("worker", &[]).await;
    let ask = async |more: &[&str], admin: &str| {
        let arguments = [&["health", "--admin", admin], more].concat();
        run(&world, &arguments, &[], &[]).await.status.code()
    };
    assert_eq!(ask(&[], &program.admin).await, Some(0));
    let away = [
        ("AMQP_URL", "amqp://guest:guest@127.0.0.1:1/%2f"),
        ("DATABASE_URL", "sqlite://other.db"),
    ];
    let settings = world.settings(&away);
    let unready =
        crate::support::program::Program::start("worker", world.folder.path(), &settings).await;
    assert_eq!(ask(&[], &unready.admin).await, Some(1));
    assert_eq!(ask(&["--live"], &unready.admin).await, Some(0));
    assert_eq!(ask(&[], "http://127.0.0.1:1").await, Some(69));
}
