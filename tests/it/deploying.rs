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
const PROMETHEUS: &str = "deploy/prometheus/prometheus.yml";
const DATA_SOURCE: &str = "deploy/grafana/provisioning/datasources/prometheus.yml";
const DASHBOARDS: &str = "deploy/grafana/provisioning/dashboards/escalator.yml";
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
    // Grafana's.
    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES",
    "GF_ANALYTICS_CHECK_FOR_UPDATES",
    "GF_ANALYTICS_REPORTING_ENABLED",
    "GF_AUTH_ANONYMOUS_ENABLED",
    "GF_AUTH_ANONYMOUS_ORG_ROLE",
    "GF_AUTH_BASIC_ENABLED",
    "GF_AUTH_DISABLE_LOGIN_FORM",
    "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH",
    "GF_NEWS_NEWS_FEED_ENABLED",
    "GF_PLUGINS_PREINSTALL_AUTO_UPDATE",
    "GF_PLUGINS_PREINSTALL_DISABLED",
    "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION",
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
    let files = [
        COMPOSE,
        COMPOSE_POSTGRES,
        PROMETHEUS,
        IMAGE,
        UNIT,
        UNIT_SETTINGS,
    ];
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

/// The services of the Compose file, each with what is said of it.
fn services() -> BTreeMap<String, String> {
    let compose = text(COMPOSE);
    let (_, services) = compose.split_once("\nservices:\n").unwrap();
    let (services, _) = services.split_once("\nvolumes:\n").unwrap();
    let mut found = BTreeMap::new();
    let mut name = "";
    for line in services.lines() {
        if let Some(begun) = line.strip_prefix("  ").and_then(|l| l.strip_suffix(':'))
            && !begun.starts_with(' ')
        {
            name = begun;
        }
        let said: &mut String = found.entry(name.to_owned()).or_default();
        said.push_str(line);
        said.push('\n');
    }
    found
}

/// Those that run the program.
fn is_ours(service: &str) -> bool {
    service.contains("\n    <<: *escalator\n")
}

/// Every way in which they start the program, without its name.
fn invocations() -> Vec<Vec<String>> {
    let (image, unit) = (text(IMAGE), text(UNIT));
    let ours = services().into_values().filter(|said| is_ours(said));
    let compose: String = ours.collect();
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
    // RabbitMQ's page for people, and those of Prometheus and Grafana; the ports for programs stay inside.
    let expected = [
        port(&ingress),
        port(&admin),
        simulated[0],
        simulated[1],
        "15672",
        "9090",
        "3000",
    ];
    assert_eq!(published, expected.map(str::to_owned).into());

    let image = text(IMAGE);
    assert_eq!(
        after(&image, "EXPOSE ").collect::<Vec<_>>(),
        [port(&ingress)]
    );
    assert!(image.contains(&format!("INGRESS_LISTEN=0.0.0.0:{} ", port(&ingress))));
}

/// The targets of a job of Prometheus', as host and port.
fn targets(job: &str) -> BTreeSet<(String, String)> {
    let settings = text(PROMETHEUS);
    let jobs = settings.split("\n  - job_name: ").skip(1);
    let of_job = jobs.filter(|said| said.lines().next() == Some(job));
    let said: String = of_job.collect();
    let addresses = said
        .split_once("- targets:\n")
        .unwrap()
        .1
        .lines()
        .map_while(|line| line.strip_prefix("          - "));
    let pair = |address: &str| {
        let (host, port) = address.split_once(':').unwrap();
        (host.to_owned(), port.to_owned())
    };
    addresses.map(pair).collect()
}

#[test]
fn prometheus_scrapes_every_process_with_a_role_where_it_listens_and_the_broker() {
    let services = services();
    let roles = services
        .iter()
        .filter(|(_, said)| is_ours(said) && !said.contains("- simulate\n"));
    let admin = default("admin.listen");
    let expected: BTreeSet<_> = roles
        .map(|(name, _)| (name.clone(), port(&admin).to_owned()))
        .collect();
    assert_eq!(expected.len(), 2, "{expected:?}");
    assert_eq!(targets("escalator"), expected);
    for (name, port) in &expected {
        let settings = Given::in_file(&format!("deploy/demo/{name}.env"));
        let listens = &settings.0["ADMIN_LISTEN"];
        assert_eq!(listens, &format!("0.0.0.0:{port}"), "{name}");
    }
    // RabbitMQ's own default.
    let broker = ("rabbitmq".to_owned(), "15692".to_owned());
    assert_eq!(targets("rabbitmq"), [broker].into());
    assert!(services.contains_key("rabbitmq"));
}

#[test]
fn those_who_watch_come_when_they_are_asked_for_and_may_only_look() {
    let services = services();
    let watching: Vec<_> = services
        .iter()
        .filter(|(_, said)| said.contains("\n    profiles: [watch]\n"))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(watching, ["grafana", "prometheus"]);
    for name in watching {
        let said = &services[name];
        let (_, version) = after(said, "image: ")
            .next()
            .unwrap()
            .split_once(':')
            .unwrap();
        let parts: Vec<_> = version.trim_start_matches('v').split('.').collect();
        assert!(
            parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok()),
            "{name} is not pinned: {version}"
        );
        for wanted in [
            "read_only: true",
            "cap_drop: [ALL]",
            "security_opt: [\"no-new-privileges:true\"]",
            "healthcheck:",
            "limits: {",
            "logging: *logging",
        ] {
            assert!(said.contains(wanted), "{name} lacks {wanted}");
        }
        assert!(!said.contains("env_file"), "{name} is told of a secret");
        for mount in after(said, "- ./") {
            assert!(mount.ends_with(":ro"), "{mount}");
        }
    }
}

#[test]
fn grafana_finds_prometheus_and_the_dashboards() {
    let services = services();
    let (grafana, prometheus) = (&services["grafana"], &services["prometheus"]);
    let url = text(DATA_SOURCE);
    let url = after(&url, "url: http://prometheus:").next().unwrap();
    assert!(prometheus.contains(&format!(":{url}\"]\n")), "{url}");

    let dashboards = text(DASHBOARDS);
    let path = after(&dashboards, "path: ").next().unwrap();
    let mount = format!("- ./deploy/grafana/dashboards:{path}:ro");
    assert!(grafana.contains(&mount), "{mount}");
    let provisioning = "- ./deploy/grafana/provisioning:/etc/grafana/provisioning:ro";
    assert!(grafana.contains(provisioning));
    let home = after(grafana, "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH: ");
    let home = home.last().unwrap().strip_prefix(path).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana/dashboards");
    let home = folder.join(home.trim_start_matches('/'));
    assert!(!folder.is_dir() || home.is_file(), "{}", home.display());

    // What is drawn over too short a time to have two samples in it is empty.
    let settings = text(PROMETHEUS);
    let scraped = after(&settings, "scrape_interval: ").next();
    let data_source = text(DATA_SOURCE);
    assert_eq!(after(&data_source, "timeInterval: ").next(), scraped);
}

/// Prometheus 2 keeps `le="15"` as it was scraped, 3 makes it `le="15.0"`. What asks for one of them alone finds nothing in the
/// other, and an objective that finds no good event pages for ever.
#[test]
fn whoever_asks_for_a_bucket_finds_it_in_prometheus_2_and_3() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["deploy/prometheus/rules", "deploy/grafana/dashboards"] {
        for file in fs::read_dir(root.join(folder)).into_iter().flatten() {
            let file = file.unwrap().path();
            let text = fs::read_to_string(&file).unwrap();
            for (number, line) in text.lines().enumerate() {
                // In JSON the quotes are escaped.
                let line = line.replace("\\\"", "\"");
                for (at, label) in line.match_indices("le=\"") {
                    if line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                        continue; // `role`, and whatever else ends so
                    }
                    let bound = line[at + label.len()..].split('"').next().unwrap();
                    assert!(
                        bound == "+Inf" || bound.parse::<f64>().is_ok_and(|le| le.fract() != 0.0),
                        "{}:{}: le=\"{bound}\" is le=~\"{bound}(\\\\.0)?\"",
                        file.display(),
                        number + 1
                    );
                }
            }
        }
    }
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
