//! How the program starts, or says why it does not.

use std::process::{Output, Stdio};

use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;

use super::{SECRET, Stored, trigger};
use crate::support::program::{PATIENCE, Program};
use crate::support::world::World;

/// Runs it to its end with these settings and nothing else.
async fn run(world: &World, arguments: &[&str], settings: &[(String, String)]) -> Output {
    let running = Command::new(env!("CARGO_BIN_EXE_escalator"))
        .args(arguments)
        .env_clear()
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .current_dir(world.folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    timeout(PATIENCE, running)
        .await
        .unwrap_or_else(|_| panic!("{arguments:?} does not end"))
        .unwrap()
}

/// Everything it said.
fn said(output: &Output) -> String {
    let text = [&*output.stdout, &*output.stderr].concat();
    String::from_utf8(text).unwrap()
}

fn without(settings: Vec<(String, String)>, names: &[&str]) -> Vec<(String, String)> {
    let kept = |(name, _): &(String, String)| !names.iter().any(|gone| name.starts_with(gone));
    settings.into_iter().filter(kept).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_webhook_secret_neither_ingress_nor_serve_starts() {
    let world = World::new().await;
    for role in ["ingress", "serve"] {
        for secrets in [None, Some(""), Some(","), Some(" , ,,"), Some(" ")] {
            let settings = match secrets {
                None => without(world.settings(&[]), &["PAGERDUTY_WEBHOOK_SECRETS"]),
                Some(value) => world.settings(&[("PAGERDUTY_WEBHOOK_SECRETS", value)]),
            };
            let output = run(&world, &[role], &settings).await;
            let said = said(&output);
            assert_eq!(output.status.code(), Some(64), "{role} {secrets:?}: {said}");
            assert!(
                said.contains("PAGERDUTY_WEBHOOK_SECRETS"),
                "{role} {secrets:?}: {said}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_beside_an_empty_one_is_refused_and_not_repeated() {
    let world = World::new().await;
    for role in ["ingress", "serve"] {
        let list = format!("{SECRET},,");
        let settings = world.settings(&[("PAGERDUTY_WEBHOOK_SECRETS", &list)]);
        let output = run(&world, &[role], &settings).await;
        let said = said(&output);
        assert_eq!(output.status.code(), Some(64), "{said}");
        assert!(said.contains("PAGERDUTY_WEBHOOK_SECRETS"), "{said}");
        assert!(!said.contains(SECRET), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_faults_are_named_at_once_and_no_secret_is_repeated() {
    let world = World::new().await;
    let wrong = [
        ("AMQP_URL", "http://me:HUSH-amqp@broker/%2f"),
        ("INGRESS_LISTEN", "nowhere"),
        ("INGRESS_TOKEN", "HUSH with blanks"),
        ("ADMIN_LISTEN", "somewhere"),
        ("PAGERDUTY_WEBHOOK_SECRETS", "HUSH-webhook,,"),
        ("PAGERDUTY_URGENCIES", "medium"),
        ("PAGERDUTY_SERVICES", "not an id"),
        ("PAGERDUTY_EVENTS", "incident.triggered,incident.annotated"),
        ("LOG_FORMAT", "fancy"),
    ];
    let of_serve = [
        ("DATABASE_URL", "mysql://me:HUSH-database@host/db"),
        ("GENESYS_CLIENT_SECRET", ""),
        ("PAGERDUTY_FROM_EMAIL", "HUSH-email"),
        ("WORKER_LEASE", "soon"),
    ];
    for (role, wrong) in [
        ("ingress", wrong.to_vec()),
        ("serve", [&wrong[..], &of_serve].concat()),
    ] {
        let settings = world.settings(&wrong);
        let output = run(&world, &[role], &settings).await;
        let said = said(&output);
        assert_eq!(output.status.code(), Some(64), "{said}");
        for (name, _) in wrong {
            assert!(said.contains(name), "{role} does not name {name}: {said}");
        }
        assert!(!said.contains("HUSH"), "{said}");
        let config = world.simulator.config();
        for secret in [&config.client_secret, &config.api_token] {
            assert!(!said.contains(secret.as_str()), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_is_64_and_help_is_0_and_names_the_commands() {
    let world = World::new().await;
    let run = async |arguments: &[&str]| run(&world, arguments, &[]).await;
    for arguments in [
        &["ingres"][..],
        &["ingress", "--nonsense"],
        &["ingress", "too much"],
        &[],
    ] {
        let output = run(arguments).await;
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    for arguments in [
        &["--help"][..],
        &["help"],
        &["ingress", "--help"],
        &["--version"],
    ] {
        let output = run(arguments).await;
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}");
        assert!(!output.stdout.is_empty(), "{arguments:?}");
    }
    let help = said(&run(&["--help"]).await);
    for command in ["serve", "ingress", "worker", "demo", "simulate"] {
        assert!(help.contains(command), "{help}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_ends_it_with_1_and_says_which() {
    let world = World::new().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for role in ["ingress", "serve"] {
        for name in ["INGRESS_LISTEN", "ADMIN_LISTEN"] {
            let settings = world.settings(&[(name, &address)]);
            let output = run(&world, &[role], &settings).await;
            let said = said(&output);
            assert_eq!(output.status.code(), Some(1), "{role} {name}: {said}");
            assert!(said.contains(&address), "{said}");
            assert!(said.contains("in use"), "{said}");
            assert!(!said.contains("panicked"), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ingress_works_without_any_credential_of_a_vendor_and_without_a_ledger() {
    let world = World::new().await;
    let vendors = [
        "GENESYS_",
        "PAGERDUTY_API_",
        "PAGERDUTY_FROM_",
        "PAGERDUTY_REQUESTS_",
        "DATABASE_",
        "WORKER_",
    ];
    let settings = world.settings(&[("PAGERDUTY_WEBHOOK_SECRETS", SECRET)]);
    let settings = without(settings, &vendors);
    let names: Vec<_> = settings.iter().map(|(name, _)| name.as_str()).collect();
    let needed = [
        "AMQP_URL",
        "INGRESS_LISTEN",
        "ADMIN_LISTEN",
        "LOG_FORMAT",
        "LOG_LEVEL",
        "PAGERDUTY_WEBHOOK_SECRETS",
    ];
    assert!(names.iter().all(|name| needed.contains(name)), "{names:?}");
    let program = Program::start("ingress", world.folder.path(), &settings).await;
    let health = program.becomes_ready(true).await;
    assert!(health.get("ledger").is_none(), "{health}");
    let answer = trigger("QALONE").send(&program.ingress).await;
    assert_eq!(answer.status, 202);
    assert_eq!(Stored::of(&world.vhost).await.high.len(), 1);
    let (status, _) = program.terminate().await;
    assert!(status.success());
    let left = std::fs::read_dir(world.folder.path()).unwrap().count();
    assert_eq!(left, 0, "it keeps no state");
    assert!(world.simulator.requests().is_empty(), "it asks no vendor");
}
