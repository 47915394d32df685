//! What stands under `deploy/` and in `docker-compose.yml` is about this program: its settings, commands and ports.
//! No engine is needed for it; the files are read as text, so they keep to the few forms that are understood here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use escalator::settings::{DatabaseUrl, Role, Settings, Variables, reference};
use escalator::simulator;
use secrecy::ExposeSecret;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use crate::support::program::PATIENCE;

const COMPOSE: &str = "docker-compose.yml";
const COMPOSE_POSTGRES: &str = "docker-compose.postgres.yml";
const IMAGE: &str = "deploy/Dockerfile";
const UNIT: &str = "deploy/systemd/escalator.service";
const UNIT_SETTINGS: &str = "deploy/systemd/escalator.env";
const DEMO: [&str; 3] = [
    "deploy/demo/ingress.env",
    "deploy/demo/worker.env",
    "deploy/demo/rabbitmq.env",
];
const DEMO_DATABASE: [&str; 2] = ["deploy/demo/postgres.env", "deploy/demo/database.env"];

/// Names that look like variables of the program and are somebody else's.
const NOT_OURS: &[&str] = &[
    // RabbitMQ's image.
    "RABBITMQ_DEFAULT_USER",
    "RABBITMQ_DEFAULT_PASS",
    // PostgreSQL's.
    "POSTGRES_USER",
    "POSTGRES_PASSWORD",
    "POSTGRES_DB",
    // The Compose file's own, and the Dockerfile's.
    "ESCALATOR_SETTINGS",
    "RUST_VERSION",
    // The kernel's.
    "AF_INET",
    "AF_INET6",
    "AF_NETLINK",
    "AF_UNIX",
];

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What follows `start` on each line that begins with it.
fn after<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines()
        .filter_map(move |line| line.trim().strip_prefix(start))
}

struct Given(BTreeMap<String, String>);

impl Given {
    /// The assignments of an environment file.
    fn in_file(path: &str) -> Self {
        Self::of(text(path).lines())
    }

    fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let pairs = lines
            .map(str::trim)
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once('='));
        Self(
            pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }
}

impl Variables for Given {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// The setting's default, as it is documented.
fn default(key: &str) -> String {
    let found = reference().into_iter().find(|entry| entry.key == key);
    found.unwrap().default
}

fn port(address: &str) -> &str {
    address.rsplit_once(':').unwrap().1
}

#[test]
fn every_variable_that_they_name_is_one_that_somebody_reads() {
    let mut known: BTreeSet<String> = NOT_OURS.iter().map(|&name| name.to_owned()).collect();
    for entry in reference() {
        if entry.secret {
            known.insert(format!("{}_FILE", entry.variable));
        }
        known.insert(entry.variable);
    }
    let files = [COMPOSE, COMPOSE_POSTGRES, IMAGE, UNIT, UNIT_SETTINGS];
    for path in files.iter().chain(&DEMO).chain(&DEMO_DATABASE) {
        let text = text(path);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let names = words.filter(|word| {
            word.contains('_') && word.starts_with(|c: char| c.is_ascii_uppercase())
        });
        for name in names.filter(|name| !name.contains(|c: char| c.is_ascii_lowercase())) {
            assert!(known.contains(name), "{path} names {name}");
        }
    }
}

#[test]
fn the_demo_is_complete_and_has_the_credentials_of_the_simulator() {
    let [ingress, worker, rabbitmq] = DEMO.map(Given::in_file);
    let theirs = simulator::Config::default();

    let settings = Settings::load(Role::Ingress, None, &ingress).unwrap();
    let secrets = &settings.ingress().unwrap().webhook_secrets;
    assert_eq!(secrets.len(), 1);
    assert_eq!(secrets[0].expose_secret(), theirs.webhook_secret);

    let settings = Settings::load(Role::Worker, None, &worker).unwrap();
    let genesys = settings.genesys().unwrap();
    assert_eq!(genesys.client_id, theirs.client_id);
    assert_eq!(genesys.client_secret.expose_secret(), theirs.client_secret);
    let pagerduty = settings.pagerduty().unwrap();
    assert_eq!(pagerduty.api_token.expose_secret(), theirs.api_token);
    assert_eq!(pagerduty.from_email, theirs.from_email);

    let user = &rabbitmq.0["RABBITMQ_DEFAULT_USER"];
    let password = &rabbitmq.0["RABBITMQ_DEFAULT_PASS"];
    let broker = format!("amqp://{user}:{password}@rabbitmq:5672/%2f");
    assert_eq!(
        [&ingress.0["AMQP_URL"], &worker.0["AMQP_URL"]],
        [&broker; 2]
    );
}

#[test]
fn the_demo_with_a_database_reaches_the_one_that_it_starts() {
    let [postgres, database] = DEMO_DATABASE.map(Given::in_file);
    let compose = text(COMPOSE_POSTGRES);
    let read = |name: &str| {
        let file = format!("${{ESCALATOR_SETTINGS:-./deploy/demo}}/{name}");
        compose.contains(&file)
    };
    assert!(
        ["postgres.env", "worker.env", "database.env"]
            .iter()
            .all(|name| read(name))
    );

    let mut worker = Given::in_file(DEMO[1]);
    assert!(!worker.0.contains_key("DATABASE_URL"));
    worker.0.extend(database.0);
    let settings = Settings::load(Role::Worker, None, &worker).unwrap();
    let DatabaseUrl::Postgres { url } = &settings.database().unwrap().url else {
        panic!("the worker would not use it");
    };
    let [user, password, name] =
        ["POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"].map(|key| &postgres.0[key]);
    let expected = format!("postgres://{user}:{password}@postgres:5432/{name}?sslmode=disable");
    assert_eq!(url.expose_secret(), expected);
    assert!(
        compose.contains("\n  postgres:\n"),
        "a service of that name"
    );
}

#[test]
fn the_database_keeps_its_data_and_is_waited_for_and_not_published() {
    let compose = text(COMPOSE_POSTGRES);
    let image = after(&compose, "image: postgres:").next().unwrap();
    let major: u32 = image.parse().expect("a major version and nothing else");
    // Before 18, the image has its data elsewhere.
    assert!(major >= 18);
    assert!(compose.contains("volumes: [\"postgres:/var/lib/postgresql\"]"));
    assert!(compose.ends_with("\nvolumes:\n  postgres:\n"));
    assert!(compose.contains("      postgres: { condition: service_healthy }\n"));
    assert_eq!(after(&compose, "test: [\"CMD\", \"pg_isready\"").count(), 1);
    assert_eq!(after(&compose, "ports:").count(), 0);
}

#[test]
fn the_internets_side_holds_no_credential_of_an_api_and_the_worker_no_webhook_secret() {
    let [ingress, worker, _] = DEMO.map(Given::in_file);
    for name in ["GENESYS_CLIENT_SECRET", "PAGERDUTY_API_TOKEN"] {
        assert!(!ingress.0.contains_key(name), "{name}");
    }
    assert!(!worker.0.contains_key("PAGERDUTY_WEBHOOK_SECRETS"));
}

#[test]
fn the_service_lacks_nothing_but_what_its_example_leaves_open() {
    let credentials = tempfile::tempdir().unwrap();
    let unit = text(UNIT);
    for credential in after(&unit, "LoadCredential=") {
        let (id, path) = credential.split_once(':').unwrap();
        assert_eq!(path, format!("/etc/escalator/credentials/{id}"));
        let value = match id {
            "amqp-url" => "amqps://me:hush@broker:5671/%2f\n",
            _ => "a-secret-of-some-length\n",
        };
        fs::write(credentials.path().join(id), value).unwrap();
    }
    let folder = credentials.path().to_str().unwrap();
    let environment = text(UNIT_SETTINGS) + "\n" + &unit.replace("%d", folder);
    let lines = environment
        .lines()
        .map(|line| line.strip_prefix("Environment=").unwrap_or(line));
    let mut given = Given::of(lines);
    assert_loads_with_postgres(&unit, credentials.path());

    let faults = Settings::load(Role::Serve, None, &given).unwrap_err().0;
    let open: Vec<_> = faults.iter().map(|fault| fault.subject.as_str()).collect();
    assert_eq!(open, ["genesys.client_id", "pagerduty.from_email"]);

    for (name, value) in [
        ("GENESYS_CLIENT_ID", "client"),
        ("PAGERDUTY_FROM_EMAIL", "oncall@example.com"),
    ] {
        given.0.insert(name.to_owned(), value.to_owned());
    }
    let settings = Settings::load(Role::Serve, None, &given).unwrap();
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
}

/// What the unit says to do once workers run on more than one machine leads to a ledger on PostgreSQL.
fn assert_loads_with_postgres(unit: &str, credentials: &Path) {
    let address = "postgres://me:hush@db.example.com:5432/escalator?sslmode=verify-full";
    let credential = after(unit, "#LoadCredential=database-url:").next();
    assert_eq!(credential, Some("/etc/escalator/credentials/database-url"));
    fs::write(credentials.join("database-url"), address).unwrap();
    let unit = unit
        .replace("%d", credentials.to_str().unwrap())
        .replace("#Environment=DATABASE", "Environment=DATABASE");
    let lines = unit
        .lines()
        .filter_map(|line| line.strip_prefix("Environment="))
        .filter(|line| !line.starts_with("DATABASE_URL="));
    let mut given = Given::of(lines);
    for name in ["GENESYS_CLIENT_ID", "PAGERDUTY_FROM_EMAIL"] {
        given
            .0
            .insert(name.to_owned(), "oncall@example.com".to_owned());
    }
    let settings = Settings::load(Role::Serve, None, &given).unwrap();
    let url = &settings.database().unwrap().url;
    assert!(matches!(url, DatabaseUrl::Postgres { url } if url.expose_secret() == address));
}

/// Every way in which they start the program, without its name.
fn invocations() -> Vec<Vec<String>> {
    let (image, compose, unit) = (text(IMAGE), text(COMPOSE), text(UNIT));
    let mut found = Vec::new();
    for list in after(&image, "CMD ").chain(after(&compose, "test: ")) {
        found.push(serde_json::from_str::<Vec<String>>(list).unwrap());
    }
    for list in after(&compose, "command: [") {
        let list = list.trim_end_matches(']').split(", ");
        found.push(list.map(str::to_owned).collect());
    }
    for (number, _) in compose
        .lines()
        .enumerate()
        .filter(|(_, line)| line.trim() == "command:")
    {
        let items = compose.lines().skip(number + 1);
        let items = items.map_while(|line| line.trim().strip_prefix("- "));
        found.push(items.map(str::to_owned).collect());
    }
    for line in after(&unit, "ExecStart=") {
        found.push(line.split(' ').map(str::to_owned).collect());
    }
    for words in &mut found {
        words.retain(|word| !["CMD", "escalator", "/usr/local/bin/escalator"].contains(&&**word));
    }
    // The broker's own health check.
    found.retain(|words| words[0] != "rabbitmq-diagnostics");
    found
}

#[test]
fn every_command_that_they_run_is_one_the_program_has() {
    let invocations = invocations();
    let commands: BTreeSet<_> = invocations.iter().map(|words| words[0].as_str()).collect();
    let expected = ["health", "ingress", "serve", "simulate", "worker"];
    assert_eq!(commands, BTreeSet::from(expected));
    for words in &invocations {
        // What is wrong before `--help` is still an error.
        let output = Command::new(env!("CARGO_BIN_EXE_escalator"))
            .args(words)
            .arg("--help")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {told}");
    }
}

#[test]
fn their_ports_are_the_programs_own_and_published_on_loopback_only() {
    let (ingress, admin) = (default("ingress.listen"), default("admin.listen"));
    let compose = text(COMPOSE);
    let mut published = BTreeSet::new();
    for list in after(&compose, "ports: ") {
        for mapping in serde_json::from_str::<Vec<String>>(list).unwrap() {
            let (host, container) = mapping.rsplit_once(':').unwrap();
            assert!(host.starts_with("127.0.0.1:"), "{mapping}");
            published.insert(container.to_owned());
        }
    }
    let simulated = ["9101", "9102"];
    let [_, worker, _] = DEMO.map(Given::in_file);
    for (port_of, url) in simulated
        .iter()
        .zip(["GENESYS_API_URL", "PAGERDUTY_API_URL"])
    {
        assert_eq!(port(&worker.0[url]), *port_of);
    }
    // RabbitMQ's page for people; its AMQP port stays inside.
    let expected = [
        port(&ingress),
        port(&admin),
        simulated[0],
        simulated[1],
        "15672",
    ];
    assert_eq!(published, expected.map(str::to_owned).into());

    let image = text(IMAGE);
    assert_eq!(
        after(&image, "EXPOSE ").collect::<Vec<_>>(),
        [port(&ingress)]
    );
    assert!(image.contains(&format!("INGRESS_LISTEN=0.0.0.0:{} ", port(&ingress))));
}

#[test]
fn everything_that_a_build_reads_reaches_the_builder() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let let_through = text(".dockerignore");
    let let_through: BTreeSet<_> = after(&let_through, "!").collect();
    for name in [
        ".cargo",
        "Cargo.lock",
        "Cargo.toml",
        "benches",
        "build.rs",
        "examples",
        "rust-toolchain.toml",
        "src",
        "tests",
    ] {
        let there = root.join(name).exists();
        assert!(!there || let_through.contains(name), "{name}");
    }
}

#[test]
fn whoever_stops_a_worker_waits_until_it_has_drained() {
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u64>().unwrap();
    let drain = seconds(&default("worker.drain_timeout"));
    let (unit, compose) = (text(UNIT), text(COMPOSE));
    let worker = compose.split("\n  worker:\n").nth(1).unwrap();
    for wait in [
        after(&unit, "TimeoutStopSec=").next().unwrap(),
        after(worker, "stop_grace_period: ").next().unwrap(),
    ] {
        assert!(seconds(wait) >= 2 * drain, "{wait}");
    }
}

#[tokio::test]
async fn the_simulators_container_can_be_asked_how_it_is_and_ends_when_it_is_told_to() {
    let mut simulator = tokio::process::Command::new(env!("CARGO_BIN_EXE_escalator"))
        .args([
            "simulate",
            "--genesys=127.0.0.1:0",
            "--pagerduty=127.0.0.1:0",
        ])
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = BufReader::new(simulator.stderr.take().unwrap()).lines();
    let welcome = timeout(PATIENCE, said.next_line())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let pagerduty = welcome.rsplit(' ').next().unwrap().trim_end_matches('.');
    let health = tokio::process::Command::new(env!("CARGO_BIN_EXE_escalator"))
        .args([
            "health",
            "--live",
            "--admin",
            &format!("{pagerduty}/_simulator"),
        ])
        .stdout(Stdio::null())
        .status();
    assert_eq!(health.await.unwrap().code(), Some(0), "{welcome}");

    let pid = simulator.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let ended = timeout(PATIENCE, simulator.wait()).await;
    assert_eq!(ended.unwrap().unwrap().code(), Some(0));
}
