//! A world for one test: a virtual host, a simulator, a folder with a ledger, and programs in it.

use escalator::ledger::{Ledger, Letter, LetterFilter, Postgres, Sqlite};
use escalator::simulator::{
    AgentSpec, AgentState, CobrowseApi, Config, ConversationSpec, Effects, IncidentSpec, Simulator,
    Webhook,
};
use futures_util::{StreamExt, stream};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

use super::node::Node;
use super::program::{PATIENCE, Program};
use super::vhost::Vhost;

pub(crate) struct World {
    pub(crate) vhost: Vhost,
    pub(crate) simulator: Simulator,
    pub(crate) folder: TempDir,
}

/// An incident and the conversation it is about.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) incident: String,
    pub(crate) conversation: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self::around(Vhost::new().await, config).await
    }

    /// One whose broker is the test's own. The node has to be dropped after it.
    pub(crate) async fn on(node: &Node) -> Self {
        Self::around(Vhost::on(node).await, Config::default()).await
    }

    async fn around(vhost: Vhost, config: Config) -> Self {
        let simulator = Simulator::start(config).await.unwrap();
        Self {
            vhost,
            simulator,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Complete settings; later ones of the same name win.
    pub(crate) fn settings(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let config = self.simulator.config();
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut settings = vec![
            own("AMQP_URL", self.vhost.url().expose_secret()),
            own(
                "DATABASE_URL",
                &format!("sqlite://{}", self.ledger().display()),
            ),
            own("INGRESS_LISTEN", "127.0.0.1:0"),
            own("ADMIN_LISTEN", "127.0.0.1:0"),
            own("GENESYS_API_URL", &self.simulator.genesys_url()),
            own(
                "GENESYS_COBROWSE_API",
                match config.cobrowse_api {
                    CobrowseApi::Sessions => "sessions",
                    CobrowseApi::Conversation => "conversation",
                },
            ),
            own("GENESYS_CLIENT_ID", &config.client_id),
            own("GENESYS_CLIENT_SECRET", &config.client_secret),
            own("PAGERDUTY_API_URL", &self.simulator.pagerduty_url()),
            own("PAGERDUTY_API_TOKEN", &config.api_token),
            own("PAGERDUTY_FROM_EMAIL", &config.from_email),
            own("PAGERDUTY_WEBHOOK_SECRETS", &config.webhook_secret),
            // Most tests are about something else than the pace.
            own("GENESYS_REQUESTS_PER_MINUTE", "1000000"),
            own("PAGERDUTY_REQUESTS_PER_MINUTE", "1000000"),
            own("LOG_FORMAT", "json"),
            own("LOG_LEVEL", "debug"),
            // Short, so that a lost answer is settled within a test's patience.
            own("WORKER_CALL_TIMEOUT", "2s"),
            own("WORKER_SETTLE", "1s"),
            own("WORKER_LEASE", "10s"),
        ];
        settings.extend(more.iter().map(|(name, value)| own(name, value)));
        settings
    }

    pub(crate) fn ledger(&self) -> std::path::PathBuf {
        self.folder.path().join("ledger.db")
    }

    /// Starts a role and waits until it is ready.
    pub(crate) async fn start(&self, role: &str, more: &[(&str, &str)]) -> Program {
        let program = Program::start(role, self.folder.path(), &self.settings(more)).await;
        program.becomes_ready(true).await;
        program
    }

    /// A conversation with an agent in it, and an incident about it.
    pub(crate) fn case(&self) -> Case {
        self.case_with(ConversationSpec {
            agents: vec![AgentSpec::new("agent-1", AgentState::Connected)],
            ..ConversationSpec::default()
        })
    }

    pub(crate) fn case_with(&self, spec: ConversationSpec) -> Case {
        let conversation = self.simulator.open_conversation(spec);
        let incident = self
            .simulator
            .open_incident(IncidentSpec::about(conversation.clone()));
        Case {
            incident,
            conversation,
        }
    }

    /// The webhook of a triggered incident.
    pub(crate) fn trigger(&self, case: &Case) -> Webhook {
        self.simulator.webhook(&case.incident, "incident.triggered")
    }

    /// Delivers a webhook and expects it to be taken.
    pub(crate) async fn deliver(&self, program: &Program, webhook: &Webhook) {
        let url = format!("{}/webhooks/pagerduty", program.ingress);
        let delivered = self.simulator.deliver(&url, webhook).await;
        assert_eq!(delivered.status(), Some(202), "{delivered:?}");
    }

    /// Delivers all of these, so many at the same time, and expects each to be taken.
    #[allow(dead_code, reason = "the benchmarks use it")]
    pub(crate) async fn deliver_all(
        &self,
        program: &Program,
        webhooks: Vec<Webhook>,
        at_once: usize,
    ) {
        let delivering = webhooks
            .iter()
            .map(|webhook| self.deliver(program, webhook));
        let delivering = stream::iter(delivering).buffer_unordered(at_once);
        delivering.collect::<Vec<()>>().await;
    }

    /// Waits until the vendors' side is as wanted. The predicate must not call the simulator.
    pub(crate) async fn until(&self, wanted: impl FnMut(&Effects) -> bool) -> Effects {
        match self.simulator.wait_until(PATIENCE, wanted).await {
            Ok(effects) => effects,
            Err(effects) => panic!("not as wanted after {PATIENCE:?}: {effects:#?}"),
        }
    }

    /// The open dead letters: those that a keeper took into the ledger; and, where there is no keeper, what is in the queue.
    pub(crate) async fn dead_letters(&self) -> Vec<Value> {
        let url = format!("sqlite://{}", self.ledger().display());
        self.dead_letters_in(&url).await
    }

    /// The same in another ledger.
    pub(crate) async fn dead_letters_in(&self, database_url: &str) -> Vec<Value> {
        let taker = self.vhost.taker().await;
        let deadline = Instant::now() + PATIENCE;
        let in_transit = loop {
            match taker.depth("escalations.dead").await {
                (_, 0) => break taker.take_json("escalations.dead").await,
                (0, _) => break Vec::new(),
                // A keeper has them soon.
                (_, _) => assert!(Instant::now() < deadline, "nobody keeps the letters"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let ledger = opened(database_url).await;
        let mut all = in_transit;
        for letter in kept(database_url).await {
            let mut value = serde_json::to_value(&letter.letter).unwrap();
            if let (Some(ledger), Some(key)) = (&ledger, &letter.letter.key) {
                // The ledger has it, and the letter need not.
                let history = ledger.history(key).await.unwrap();
                value["history"] = serde_json::to_value(history).unwrap();
            }
            all.push(value);
        }
        all
    }

    /// The open dead letters of the ledger, with what became of them.
    pub(crate) async fn kept(&self) -> Vec<Letter> {
        kept(&format!("sqlite://{}", self.ledger().display())).await
    }
}

/// Opened to be read; none where there is no ledger yet.
async fn opened(database_url: &str) -> Option<Box<dyn Ledger>> {
    Some(match database_url.strip_prefix("sqlite://") {
        Some(path) => Box::new(Sqlite::open_to_read(Path::new(path)).ok()?),
        None => Box::new(Postgres::open_to_read(&database_url.into()).await.unwrap()),
    })
}

/// The open letters of this ledger, the last first.
pub(crate) async fn kept(database_url: &str) -> Vec<Letter> {
    let filter = LetterFilter {
        limit: 100_000,
        ..LetterFilter::default()
    };
    match opened(database_url).await {
        Some(ledger) => ledger.letters().list_letters(filter).await.unwrap(),
        None => Vec::new(),
    }
}

/// Whether a note tells of a death. All others of ours tell of a session.
pub(crate) fn tells_of_a_death(content: &str) -> bool {
    content.starts_with("No cobrowse link for this incident: ")
}

/// How many notes there are that tell of a session.
pub(crate) fn real_notes(effects: &Effects) -> usize {
    let notes = effects.notes.values().flatten();
    notes
        .filter(|note| note.deleted_at_ms.is_none() && !tells_of_a_death(&note.content))
        .count()
}

/// One attachment and one note with its link, for each of these.
pub(crate) fn assert_once(effects: &Effects, cases: &[Case]) {
    for case in cases {
        let attached = effects.attachments_of(&case.conversation);
        assert_eq!(attached.len(), 1, "attachments of {case:?}");
        let notes = effects.notes_of(&case.incident);
        assert_eq!(notes.len(), 1, "notes of {case:?}");
        let session = effects
            .sessions
            .iter()
            .find(|s| s.id == attached[0].session_id)
            .unwrap();
        assert!(
            session.is_told_in(&notes[0].content),
            "{}",
            notes[0].content
        );
    }
}
