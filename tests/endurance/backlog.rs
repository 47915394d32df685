//! Incidents in the queue, workers that take them, and what the vendors saw of that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use escalator::simulator::{
    Config, ConversationSpec, IncidentSpec, Operation, RequestRecord, Urgency,
};
use tokio::task::JoinSet;

use crate::database::{Database, Fresh};
use crate::support::program::Program;
use crate::support::world::{Case, World};

/// Requests a minute: four times what the vendors allow, in their real windows.
pub(crate) const GENESYS: u32 = 1200;
pub(crate) const PAGERDUTY: u32 = 3840;

/// A pool, its ledger and the vendors, which answer 429 beyond their limits.
pub(crate) struct Pool {
    pub(crate) world: Arc<World>,
    pub(crate) ledger: Fresh,
    pub(crate) ingress: Program,
    pub(crate) workers: Vec<Program>,
    more: Vec<(String, String)>,
}

impl Pool {
    /// With an ingress and no worker yet.
    pub(crate) async fn new(more: &[(&str, &str)]) -> Self {
        let world = World::with(Config {
            genesys_per_minute: Some(GENESYS),
            pagerduty_per_minute: Some(PAGERDUTY),
            ..Config::default()
        });
        let world = Arc::new(world.await);
        let ledger = Database::all().pop().unwrap().fresh().await;
        let mut all = vec![
            ("DATABASE_URL".to_owned(), ledger.url.clone()),
            (
                "GENESYS_REQUESTS_PER_MINUTE".to_owned(),
                GENESYS.to_string(),
            ),
            (
                "PAGERDUTY_REQUESTS_PER_MINUTE".to_owned(),
                PAGERDUTY.to_string(),
            ),
            ("LOG_LEVEL".to_owned(), "info".to_owned()),
            ("WORKER_LEASE".to_owned(), "30s".to_owned()),
        ];
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        all.extend(more.iter().map(own));
        let mut pool = Self {
            ingress: Program::start("ingress", world.folder.path(), &settings(&world, &all)).await,
            world,
            ledger,
            workers: Vec::new(),
            more: all,
        };
        pool.ingress.becomes_ready(true).await;
        pool.ingress.has_started();
        pool
    }

    pub(crate) async fn start_worker(&mut self) {
        let settings = settings(&self.world, &self.more);
        let worker = Program::start("worker", self.world.folder.path(), &settings).await;
        worker.becomes_ready(true).await;
        self.workers.push(worker);
    }

    /// So many incidents, a fifth of them urgent, delivered.
    pub(crate) async fn deliver(&self, count: usize) -> Vec<Incident> {
        let mut delivering = JoinSet::new();
        let mut incidents = Vec::with_capacity(count);
        for number in 0..count {
            let incident = self.open(number % 5 == 0);
            let webhook = self.world.trigger(&incident.case);
            let url = format!("{}/webhooks/pagerduty", self.ingress.ingress);
            let world = Arc::clone(&self.world);
            delivering.spawn(async move {
                let within = Duration::from_secs(120);
                let delivered = world.simulator.deliver_until(&url, &webhook, within).await;
                assert!(delivered.is_accepted(), "{delivered:?}");
            });
            incidents.push(incident);
            if delivering.len() >= 20 {
                delivering.join_next().await.unwrap().unwrap();
            }
        }
        delivering.join_all().await;
        incidents
    }

    pub(crate) fn open(&self, urgent: bool) -> Incident {
        let simulator = &self.world.simulator;
        let conversation = simulator.open_conversation(ConversationSpec::with_agent("agent-1"));
        let urgency = if urgent { Urgency::High } else { Urgency::Low };
        let incident = simulator.open_incident(IncidentSpec {
            urgency,
            ..IncidentSpec::about(conversation.clone())
        });
        Incident {
            urgent,
            case: Case {
                incident,
                conversation,
            },
        }
    }

    /// Waits until so many notes are there.
    pub(crate) async fn notes(&self, count: usize, patience: Duration) {
        let simulator = &self.world.simulator;
        let came = simulator.wait_until(patience, |effects| effects.live_notes >= count);
        if let Err(effects) = came.await {
            let (notes, logs) = (effects.live_notes, self.last_words());
            panic!("{notes} of {count} notes after {patience:?}\n{logs}");
        }
    }

    fn last_words(&self) -> String {
        let logs = self.workers.iter().map(|worker| {
            let log = worker.log();
            log[log.len().saturating_sub(20)..].join("\n")
        });
        logs.collect::<Vec<_>>().join("\n---\n")
    }

    /// Ends everything in order; nothing is to be among the dead letters.
    pub(crate) async fn end(self) -> Vec<String> {
        let letters = self.world.dead_letters_in(&self.ledger.url).await;
        assert!(letters.is_empty(), "{letters:#?}");
        let mut logs = Vec::new();
        for program in self.workers.into_iter().chain([self.ingress]) {
            let (status, log) = program.terminate().await;
            assert!(status.success(), "{status}");
            logs.extend(log);
        }
        logs
    }
}

fn settings(world: &World, more: &[(String, String)]) -> Vec<(String, String)> {
    let more: Vec<(&str, &str)> = more.iter().map(|(n, v)| (&**n, &**v)).collect();
    world.settings(&more)
}

pub(crate) struct Incident {
    pub(crate) urgent: bool,
    pub(crate) case: Case,
}

/// What was asked of one vendor, and counts.
pub(crate) fn counted(world: &World, genesys: bool) -> Vec<RequestRecord> {
    let mut all = world.simulator.requests();
    all.retain(|request| match request.operation {
        Operation::GenesysToken => false,
        Operation::GenesysConversation
        | Operation::GenesysCreateSession
        | Operation::GenesysAttachMedia
        | Operation::GenesysOfferSession => genesys,
        _ => !genesys,
    });
    all
}

/// The most requests within any minute.
pub(crate) fn fullest_minute(requests: &[RequestRecord]) -> usize {
    let mut times: Vec<i64> = requests.iter().map(|request| request.at_ms).collect();
    times.sort_unstable();
    let within = |first: usize| times.partition_point(|at| *at < times[first] + 60_000) - first;
    (0..times.len()).map(within).max().unwrap_or_default()
}

pub(crate) fn refused(requests: &[RequestRecord]) -> usize {
    let refused = requests.iter().filter(|one| one.status() == Some(429));
    refused.count()
}

pub(crate) fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}
