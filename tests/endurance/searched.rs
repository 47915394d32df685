//! Everything that the program told anybody but the vendors, searched for what it must never tell.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use escalator::broker::topology::{ExchangeType, Object, table};
use escalator::ledger::Letter;
use escalator::simulator::{AGENT_NAME, CUSTOMER_NAME};
use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use secrecy::ExposeSecret;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use url::Url;

use crate::support::program::Program;
use crate::support::vhost::Vhost;
use crate::support::world::{Case, World};

/// What was told, and what must not be in it.
#[derive(Default)]
pub(crate) struct Search {
    never: BTreeSet<String>,
    told: Vec<(String, Vec<String>)>,
}

impl Search {
    /// These must be in nothing.
    pub(crate) fn never(&mut self, secrets: impl IntoIterator<Item = String>) {
        self.never.extend(secrets);
    }

    /// This was told.
    pub(crate) fn read(&mut self, what: &str, texts: impl IntoIterator<Item = String>) {
        self.told
            .push((what.to_owned(), texts.into_iter().collect()));
    }

    /// What a process shows to Prometheus.
    pub(crate) async fn metrics(&mut self, program: &Program) {
        for path in ["metrics", "health/ready", "health/live"] {
            let answer = reqwest::get(format!("{}/{path}", program.admin))
                .await
                .unwrap();
            let text = answer.text().await.unwrap();
            self.read(&format!("GET /{path}"), [text]);
        }
    }

    /// Runs every command there is, as an operator would, and keeps what it says.
    pub(crate) async fn commands(
        &mut self,
        world: &World,
        settings: &[(&str, &str)],
        ingress: &Program,
        cases: &[Case],
        letters: &[Letter],
    ) {
        self.never([CUSTOMER_NAME.to_owned(), AGENT_NAME.to_owned()]);
        let broker = world.vhost.url();
        let password = Url::parse(broker.expose_secret()).unwrap();
        // A broker of elsewhere may have `guest`, which is a word like any other.
        let password = password.password().filter(|password| password.len() > 5);
        self.never(password.map(str::to_owned));
        let (one, letter) = (&cases[0], letters[0].letter.id.as_str());
        let folder = world.folder.path();
        let (plan, secret) = (folder.join("a.plan"), folder.join("subscription"));
        let (plan, secret) = (plan.to_str().unwrap(), secret.to_str().unwrap());
        let url = format!("{}/webhooks/pagerduty", ingress.ingress);
        let commands: &[&[&str]] = &[
            &["check"],
            &["check", "--json", "--conversation", &one.conversation],
            &["settings"],
            &["explain"],
            &["explain", "conversation_over"],
            &["escalations", "list"],
            &["escalations", "list", "--json"],
            &["escalations", "show", &one.incident],
            &["escalations", "show", &one.incident, "--json"],
            &["dead-letters", "list"],
            &["dead-letters", "list", "--json"],
            &["dead-letters", "groups"],
            &["dead-letters", "show", letter],
            &["dead-letters", "show", letter, "--json"],
            &["dead-letters", "export"],
            &["dead-letters", "plan", "--out", plan],
            &["dead-letters", "replay", plan, "--by", "alex"],
            &["dead-letters", "replay", "status"],
            &[
                "dead-letters",
                "discard",
                "--id",
                letter,
                "--because",
                "it is over",
                "--by",
                "alex",
            ],
            &["catch-up", "--since", "1h", "--dry-run"],
            &["pause", "--why", "to see what it says", "--by", "alex"],
            &["resume", "--by", "alex"],
            &["audit"],
            &["audit", "--json"],
            &[
                "pagerduty",
                "subscribe",
                "--url",
                &url,
                "--secret-file",
                secret,
            ],
            &["pagerduty", "ping"],
            &["health", "--admin", &ingress.admin],
            &["completions", "bash"],
            &["man"],
        ];
        let all = world.settings(settings);
        let mut met = BTreeSet::new();
        for arguments in commands {
            met.insert(arguments[0]);
            let running = Command::new(env!("CARGO_BIN_EXE_escalator"))
                .args(*arguments)
                .env_clear()
                .envs(all.iter().map(|(name, value)| (name, value)))
                .current_dir(folder)
                .stdin(Stdio::null())
                .output();
            let output = timeout(Duration::from_secs(120), running).await;
            let output = output
                .unwrap_or_else(|_| panic!("{arguments:?} does not end"))
                .unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said).into_owned();
            // 1 is an answer as well: that something is wrong.
            let code = output.status.code();
            assert!(
                matches!(code, Some(0 | 1)),
                "{arguments:?}: {code:?}\n{said}"
            );
            self.read(&format!("escalator {}", arguments.join(" ")), [said]);
        }
        // Nobody has to think of a new command here: these are all but the roles, and those that are about simulated secrets.
        let help = Command::new(env!("CARGO_BIN_EXE_escalator"))
            .arg("help")
            .output();
        let help = String::from_utf8(help.await.unwrap().stdout).unwrap();
        let (_, list) = help.split_once("Commands:\n").unwrap();
        let (list, _) = list.split_once("\n\n").unwrap();
        let names = list.lines().filter_map(|line| {
            let line = line.strip_prefix("  ")?;
            line.split(' ').next().filter(|name| !name.is_empty())
        });
        for name in names {
            let known = ["serve", "ingress", "worker", "demo", "simulate", "help"];
            assert!(
                met.contains(name) || known.contains(&name),
                "{name} was not run"
            );
        }
        let plan = std::fs::read_to_string(plan).unwrap();
        self.read("the plan", [plan]);
        for path in [
            "dead-letters",
            "dead-letters/groups",
            "replays",
            "audit",
            "openapi.json",
        ] {
            // The ingress has the routes and no ledger; what they say is told all the same.
            let asking = reqwest::Client::new().get(format!("{}/{path}", ingress.admin));
            let answer = asking
                .bearer_auth("hush-operators-0b6d18aa")
                .send()
                .await
                .unwrap();
            self.read(&format!("GET /{path}"), [answer.text().await.unwrap()]);
        }
    }

    /// Says how much was searched for how much; panics with the first that is found.
    pub(crate) fn finds_nothing(self) -> String {
        let mut needles: Vec<String> = self.never.iter().cloned().collect();
        // The host of every link to join, whatever is left of the link.
        needles.push("cobrowse.example.invalid".to_owned());
        let encoded: Vec<_> = needles
            .iter()
            .map(|needle| STANDARD.encode(needle))
            .collect();
        let plain = needles.len();
        needles.extend(encoded);
        let short = needles.iter().find(|needle| needle.len() <= 5);
        assert_eq!(short, None, "too short to be searched for");
        let search = AhoCorasick::new(&needles).unwrap();
        let (mut bytes, mut texts) = (0, 0);
        for (what, told) in &self.told {
            assert!(
                told.iter().any(|text| !text.is_empty()),
                "{what} said nothing"
            );
            for text in told {
                (bytes, texts) = (bytes + text.len(), texts + 1);
                if let Some(found) = search.find(text) {
                    let needle = &needles[found.pattern().as_usize()];
                    panic!("{what} tells {needle}:\n{text}");
                }
            }
        }
        format!(
            "secrets: {plain} of them (credentials, tokens, links to join, routing keys, names; also in base64) searched for in {texts} texts of {:.1} MB \
             (all logs, all messages with their headers, every command, every page): 0 found",
            bytes as f64 / 1e6
        )
    }
}

/// Sees every message that anybody publishes.
pub(crate) struct Tap {
    seen: JoinHandle<Vec<String>>,
    connection: lapin::Connection,
}

impl Tap {
    /// The topology must have been declared.
    pub(crate) async fn open(vhost: &Vhost) -> Self {
        let connection = vhost.raw().await;
        let channel = connection.create_channel().await.unwrap();
        let options = QueueDeclareOptions {
            exclusive: true,
            ..QueueDeclareOptions::default()
        };
        let declared = channel.queue_declare("".into(), options, FieldTable::default());
        let queue = declared.await.unwrap().name().clone();
        for object in table() {
            let Object::Exchange { name, kind } = object else {
                continue;
            };
            let keys: &[&str] = match kind {
                ExchangeType::Topic => &["#"],
                ExchangeType::Direct => &["high", "normal", "dead"],
            };
            for key in keys {
                let binding = channel.queue_bind(
                    queue.clone(),
                    name.as_str().into(),
                    (*key).into(),
                    QueueBindOptions::default(),
                    FieldTable::default(),
                );
                binding.await.unwrap();
            }
        }
        let options = BasicConsumeOptions {
            no_ack: true,
            ..BasicConsumeOptions::default()
        };
        let consuming = channel.basic_consume(queue, "".into(), options, FieldTable::default());
        let mut deliveries = consuming.await.unwrap();
        let seen = tokio::spawn(async move {
            let _channel = channel;
            let mut seen = Vec::new();
            while let Some(Ok(delivery)) = deliveries.next().await {
                let body = String::from_utf8_lossy(&delivery.data);
                seen.push(format!("{:?} {body}", delivery.properties));
            }
            seen
        });
        Self { seen, connection }
    }

    /// All that it has seen.
    pub(crate) async fn close(self) -> Vec<String> {
        self.connection.close(200, "seen".into()).await.unwrap();
        let seen = self.seen.await.unwrap();
        assert!(seen.len() > 100, "{} messages were seen", seen.len());
        seen
    }
}
