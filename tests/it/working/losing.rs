//! A ledger whose answers get lost, one call after the other: it costs time, and nothing else.
//!
//! No vendor's answer is lost here. So nothing is ever in doubt: what was sent is known, and what was not sent is known not to
//! have been, whatever the ledger has or has not heard of it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use escalator::escalation::{
    Bounds, Contract, ConversationId, DeadLetter, End, Entry, EntryKind, Event, Finding,
    IncidentId, Key, Lane, Message, NoteStyle, Origin, SessionId, SessionLink, Start, Task,
    Trigger,
};
use escalator::ledger::{
    Audited, Claim, ClaimRequest, ConversationClaim, ConversationRequest, Entered, Error, Filter,
    Gauges, Held, HeldConversation, Known, Ledger, Letters, Orders, Presence, Present, Pruned,
    Record, Recorded, Retention, Sqlite,
};
use escalator::pacing::{Exchange, Grant};
use escalator::simulator::{
    CobrowseApi, Config, ConversationSpec, Fault, IncidentSpec, Operation, Simulator, What, Which,
};
use escalator::telemetry::{Span, Telemetry};
use escalator::upstream::{
    Budget, Genesys, GenesysConfig, Http, HttpConfig, PagerDuty, PagerDutyConfig, PermitSource,
    Speaks,
};
use escalator::worker::{Disposition, Runner, RunnerConfig, Schedule};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::support::program::PATIENCE;
use crate::support::vhost::eventually;
use crate::support::world::{Case, assert_once};

const LEASE: Duration = Duration::from_secs(2);
const CALL: Duration = Duration::from_millis(500);

/// Which calls are not answered, counted from 1, and whether they take effect all the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Loses {
    pub(super) from: u64,
    pub(super) count: u64,
    pub(super) lands: bool,
}

/// A ledger that loses answers. Renewals, which come when they like, it neither counts nor loses.
pub(super) struct Losing {
    pub(super) inner: Sqlite,
    pub(super) loses: Mutex<Loses>,
    pub(super) calls: AtomicU64,
    /// Nothing reaches it, not even a renewal.
    away: AtomicBool,
}

impl Losing {
    async fn call<T: Send>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::Unavailable("away".to_owned()));
        }
        let Loses { from, count, lands } = *self.loses.lock().unwrap();
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let lost = (from..from + count).contains(&number);
        let answer = if lost && !lands {
            None
        } else {
            Some(work.await)
        };
        match answer {
            Some(answer) if !lost => answer,
            Some(_) | None => Err(Error::Unavailable("lost by the test".to_owned())),
        }
    }
}

#[async_trait]
impl Ledger for Losing {
    fn letters(&self) -> &dyn Letters {
        self.inner.letters()
    }

    fn gauges(&self) -> &dyn Gauges {
        self.inner.gauges()
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claim, Error> {
        self.call(self.inner.claim(request)).await
    }

    async fn claim_conversation(
        &self,
        request: ConversationRequest,
    ) -> Result<ConversationClaim, Error> {
        self.call(self.inner.claim_conversation(request)).await
    }

    async fn record(&self, record: Record) -> Result<Recorded, Error> {
        self.call(self.inner.record(record)).await
    }

    async fn renew(
        &self,
        held: &Held,
        conversation: Option<&HeldConversation>,
        lease: Duration,
    ) -> Result<(), Error> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::Unavailable("away".to_owned()));
        }
        self.inner.renew(held, conversation, lease).await
    }

    async fn link(
        &self,
        conversation: &ConversationId,
        session: &SessionId,
    ) -> Result<Option<SessionLink>, Error> {
        self.call(self.inner.link(conversation, session)).await
    }

    async fn resolve(&self, incident: &IncidentId, occurred_at: Timestamp) -> Result<(), Error> {
        self.inner.resolve(incident, occurred_at).await
    }

    async fn dead_letter_published(&self, key: &Key, cycle: u32) -> Result<(), Error> {
        self.inner.dead_letter_published(key, cycle).await
    }

    async fn history(&self, key: &Key) -> Result<Vec<Entry>, Error> {
        self.inner.history(key).await
    }

    async fn generations(&self, incident: &IncidentId) -> Result<Vec<Known>, Error> {
        self.inner.generations(incident).await
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Known>, Error> {
        self.inner.list(filter).await
    }

    async fn prune(&self, retention: &Retention) -> Result<Pruned, Error> {
        self.inner.prune(retention).await
    }

    async fn finding(&self, account: &str) -> Result<Option<Finding>, Error> {
        self.call(self.inner.finding(account)).await
    }

    async fn learn(&self, account: &str, news: Finding) -> Result<Finding, Error> {
        self.call(self.inner.learn(account, news)).await
    }

    async fn exchange_permits(&self, account: &str, asked: Exchange) -> Result<Grant, Error> {
        self.inner.exchange_permits(account, asked).await
    }

    async fn report(&self, presence: Presence) -> Result<Orders, Error> {
        self.inner.report(presence).await
    }

    async fn leave(&self, name: &str) -> Result<(), Error> {
        self.inner.leave(name).await
    }

    async fn enter(&self, entered: Entered) -> Result<Audited, Error> {
        self.inner.enter(entered).await
    }

    async fn present(&self, within: Duration) -> Result<(Orders, Vec<Present>), Error> {
        self.inner.present(within).await
    }

    async fn audit(&self, limit: u32) -> Result<Vec<Audited>, Error> {
        self.inner.audit(limit).await
    }

    async fn ping(&self) -> Result<(), Error> {
        self.inner.ping().await
    }
}

/// A worker without a broker, its ledger, and the vendors.
pub(super) struct Bench {
    pub(super) simulator: Simulator,
    pub(super) ledger: Arc<Losing>,
    runner: Arc<Runner>,
    pub(super) case: Case,
    message: Message,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new(cobrowse_api: CobrowseApi, loses: Loses) -> Self {
        let bench = Self::with(calm(cobrowse_api)).await;
        *bench.ledger.loses.lock().unwrap() = loses;
        bench
    }

    pub(super) async fn with(config: Config) -> Self {
        let simulator = Simulator::start(config).await.unwrap();
        let spec = ConversationSpec::with_agent("agent-1");
        let conversation = simulator.open_conversation(spec);
        let incident = simulator.open_incident(IncidentSpec::about(conversation.clone()));
        let folder = tempfile::tempdir().unwrap();
        let ledger = Arc::new(Losing {
            inner: Sqlite::open(&folder.path().join("ledger.db")).unwrap(),
            loses: Mutex::new(NONE),
            calls: AtomicU64::new(0),
            away: AtomicBool::new(false),
        });
        let now = Timestamp::now();
        let event = Event {
            id: None,
            kind: "incident.triggered".to_owned(),
            occurred_at: now,
        };
        let start = Start {
            trigger: Trigger::First,
            cycle: 0,
            service_id: None,
            conversation_id: None,
            agent_id: None,
        };
        Self {
            runner: Arc::new(runner(&simulator, ledger.clone(), None)),
            message: Message::new(
                IncidentId::parse(&incident).unwrap(),
                now,
                Origin::Webhook,
                Lane::High,
                event,
                Task::Start(start),
            ),
            case: Case {
                incident,
                conversation,
            },
            simulator,
            ledger,
            _folder: folder,
        }
    }

    /// Delivers the message until nothing is left to do; but waits for no longer than it has to.
    pub(super) async fn run(&self) -> Option<Box<DeadLetter>> {
        let began = Instant::now();
        let stop = CancellationToken::new();
        loop {
            let mut span = span();
            let handling = self.runner.handle(&self.message, false, &mut span, &stop);
            match handling.await {
                Disposition::Done => return None,
                Disposition::Dead(letter) => return Some(letter),
                Disposition::Later(delay) => {
                    tokio::time::sleep(delay.min(Duration::from_millis(50))).await;
                }
                Disposition::HandBack => panic!("nobody told it to end"),
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
        }
    }

    async fn history(&self) -> Vec<Entry> {
        let known = self.ledger.generations(&self.message.incident_id).await;
        match known.unwrap().first() {
            Some(known) => self.ledger.history(&known.key).await.unwrap(),
            None => Vec::new(),
        }
    }

    fn assert_once(&self) {
        let case = std::slice::from_ref(&self.case);
        assert_once(&self.simulator.effects(), case);
    }

    pub(super) fn asked(&self, operation: Operation) -> usize {
        let requests = self.simulator.requests().into_iter();
        requests.filter(|one| one.operation == operation).count()
    }
}

fn runner(simulator: &Simulator, ledger: Arc<dyn Ledger>, of_genesys: Option<Budget>) -> Runner {
    let telemetry = Arc::new(Telemetry::new().unwrap());
    let config = simulator.config();
    let http = HttpConfig {
        call_timeout: CALL,
        connect_timeout: CALL,
    };
    let http = Http::new(http, telemetry.clone()).unwrap();
    let genesys = GenesysConfig {
        api_url: simulator.genesys_url().parse().unwrap(),
        login_url: simulator.genesys_url().parse().unwrap(),
        speaks: Speaks::Set(match config.cobrowse_api {
            CobrowseApi::Sessions => Contract::Sessions,
            CobrowseApi::Conversation => Contract::Conversation,
        }),
        keeps_codes: false,
        client_id: config.client_id.clone(),
        client_secret: config.client_secret.clone().into(),
        budget: of_genesys,
    };
    let pagerduty = PagerDutyConfig {
        api_url: simulator.pagerduty_url().parse().unwrap(),
        api_token: config.api_token.clone().into(),
        from_email: config.from_email.clone(),
        conversation_fields: vec!["conversation_id".to_owned()],
        agent_fields: vec!["agent_id".to_owned()],
        budget: None,
    };
    Runner::new(
        ledger,
        Genesys::new(http.clone(), genesys),
        PagerDuty::new(http, pagerduty),
        telemetry,
        RunnerConfig {
            owner: "test".to_owned(),
            lease: LEASE,
            call_timeout: CALL,
            bounds: Bounds {
                settle: Duration::from_millis(300),
                verify: Duration::from_millis(500),
                agent_wait: Duration::from_secs(60),
                expires_after: Duration::from_secs(600),
            },
            schedule: Schedule::new(3),
            note: NoteStyle {
                client: "https://apps.example.invalid".to_owned(),
                access_links: false,
            },
        },
    )
}

pub(super) fn calm(cobrowse_api: CobrowseApi) -> Config {
    Config {
        cobrowse_api,
        latency: Duration::ZERO,
        hydration: Duration::ZERO,
        media_visible_after: Duration::ZERO,
        ..Config::default()
    }
}

pub(super) const NONE: Loses = Loses {
    from: 0,
    count: 0,
    lands: false,
};

/// One escalation for each call that can be lost, all at once.
async fn each_call_is_lost(api: CobrowseApi, count: u64) -> Vec<(Bench, Option<Box<DeadLetter>>)> {
    let calm = Bench::new(api, NONE).await;
    assert!(calm.run().await.is_none());
    let calls = calm.ledger.calls.load(Ordering::SeqCst);
    assert!(calls >= 5, "{calls}");
    let mut runs = tokio::task::JoinSet::new();
    for from in 1..=calls {
        for lands in [false, true] {
            runs.spawn(async move {
                let bench = Bench::new(api, Loses { from, count, lands }).await;
                let letter = bench.run().await;
                (bench, letter)
            });
        }
    }
    runs.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_answer_of_the_ledger_is_lost_nothing_is_asked_for_twice_or_given_up() {
    lost_in_a_row(1).await;
}

async fn lost_in_a_row(count: u64) {
    for (api, create) in [
        (CobrowseApi::Sessions, Operation::GenesysCreateSession),
        (CobrowseApi::Conversation, Operation::GenesysOfferSession),
    ] {
        for (bench, letter) in each_call_is_lost(api, count).await {
            let loses = *bench.ledger.loses.lock().unwrap();
            assert!(letter.is_none(), "{api:?}, {loses:?}: {letter:#?}");
            bench.assert_once();
            let asked = [create, Operation::PagerdutyCreateNote].map(|write| bench.asked(write));
            assert_eq!(asked, [1, 1], "{api:?}, {loses:?}");
            let history = bench.history().await;
            let doubted = history
                .iter()
                .find(|line| line.kind == EntryKind::Repeatable || line.kind == EntryKind::Adopted);
            assert!(doubted.is_none(), "{api:?}, {loses:?}: {doubted:?}");
        }
    }
}

/// What only the worker knows, it says until it is heard.
#[tokio::test(flavor = "multi_thread")]
async fn however_many_answers_of_the_ledger_are_lost_in_a_row_it_is_the_same() {
    lost_in_a_row(2).await;
    lost_in_a_row(5).await;
}

/// Gives one permit at a time, and with the last of them the ledger goes away.
struct Rationed {
    ledger: Arc<Losing>,
    left: AtomicU64,
}

#[async_trait]
impl PermitSource for Rationed {
    async fn exchange(&self, _: &str, asked: Exchange) -> Result<Grant, String> {
        if self.ledger.away.load(Ordering::SeqCst) {
            return Err("away".to_owned());
        }
        if asked.wanted > 0 && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.ledger.away.store(true, Ordering::SeqCst);
            return Err("away".to_owned());
        }
        Ok(Grant {
            permits: asked.wanted.min(1),
            ..Grant::default()
        })
    }
}

/// The session is offered, and then there is no permit for the look behind it, for the ledger has gone: for longer than the claim
/// holds.
#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_s_answer_outlives_the_claim_while_the_ledger_is_away() {
    let mut bench = Bench::with(Config {
        shows_offers: false,
        ..calm(CobrowseApi::Conversation)
    })
    .await;
    let source = Arc::new(Rationed {
        ledger: bench.ledger.clone(),
        // For the conversation, and for the offer.
        left: AtomicU64::new(3),
    });
    let budget = Budget {
        requests_per_minute: 6000,
        source,
    };
    bench.runner = Arc::new(runner(&bench.simulator, bench.ledger.clone(), Some(budget)));
    let bench = Arc::new(bench);
    let running = tokio::spawn({
        let bench = bench.clone();
        async move { bench.run().await }
    });
    eventually("the ledger has gone", async || {
        bench.ledger.away.load(Ordering::SeqCst).then_some(())
    })
    .await;
    assert_eq!(bench.asked(Operation::GenesysOfferSession), 1);
    // Longer than the claim holds: that is what is tested.
    tokio::time::sleep(LEASE * 2).await;
    bench.ledger.away.store(false, Ordering::SeqCst);
    assert!(running.await.unwrap().is_none(), "nobody need be asked");
    bench.assert_once();
    assert_eq!(bench.asked(Operation::GenesysOfferSession), 1);
    let history = bench.history().await;
    let doubted = history
        .iter()
        .find(|line| line.kind == EntryKind::Repeatable || line.kind == EntryKind::Adopted);
    assert!(doubted.is_none(), "{doubted:?}");
}

/// A trace that nobody records.
fn span() -> Span {
    let telemetry = Telemetry::new().unwrap();
    telemetry.process_begins(None, "escalations.high", None)
}

/// An attempt that was refused its session, has written that down, and waits in hand.
async fn refused(bench: &Bench) -> tokio::task::JoinHandle<Disposition> {
    bench.simulator.script(Fault {
        operation: Operation::GenesysOfferSession,
        which: Which::Nth(1),
        what: What::genesys_throttled(1),
    });
    let (runner, message) = (bench.runner.clone(), bench.message.clone());
    let attempt = tokio::spawn(async move {
        let stop = CancellationToken::new();
        runner.handle(&message, false, &mut span(), &stop).await
    });
    // Its wait is told with the record that says that nothing was asked for.
    eventually("the refusal in the ledger", async || {
        let history = bench.history().await;
        let told = |line: &Entry| line.kind == EntryKind::Setback;
        history.iter().any(told).then_some(())
    })
    .await;
    assert!(!attempt.is_finished(), "it waits in hand");
    attempt
}

/// What a vendor has refused is known to have had no effect. Also to whoever goes on after a crash in the wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_outlives_the_process_that_waits_for_its_end() {
    let bench = Bench::new(CobrowseApi::Conversation, NONE).await;
    refused(&bench).await.abort();
    assert!(bench.run().await.is_none());
    bench.assert_once();
    assert_eq!(bench.asked(Operation::GenesysOfferSession), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_is_resolved_in_that_wait_gets_no_session() {
    let bench = Bench::new(CobrowseApi::Conversation, NONE).await;
    let attempt = refused(&bench).await;
    let incident = &bench.message.incident_id;
    bench
        .ledger
        .resolve(incident, Timestamp::now())
        .await
        .unwrap();
    assert!(matches!(attempt.await.unwrap(), Disposition::Done));
    assert_eq!(bench.asked(Operation::GenesysOfferSession), 1);
    let known = bench.ledger.generations(incident).await.unwrap();
    assert_eq!(known[0].end, Some(End::Cancelled));
}

/// Both have the same epoch: each is the first of its own escalation.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_back_what_another_escalation_has_sent() {
    let mut bench = Bench::with(Config {
        shows_offers: false,
        ..calm(CobrowseApi::Conversation)
    })
    .await;
    bench.simulator.script(Fault {
        operation: Operation::GenesysOfferSession,
        which: Which::Nth(1),
        what: What::LoseAnswer,
    });
    let letter = bench.run().await.expect("a person is asked");
    assert_eq!(letter.code.as_str(), "session_outcome_unknown");
    for lands in [false, true] {
        let about = IncidentSpec::about(bench.case.conversation.clone());
        let other = bench.simulator.open_incident(about);
        bench.message.incident_id = IncidentId::parse(&other).unwrap();
        // Its claim on the escalation, then the one on the conversation.
        let from = bench.ledger.calls.load(Ordering::SeqCst) + 2;
        let count = 1;
        *bench.ledger.loses.lock().unwrap() = Loses { from, count, lands };
        let letter = bench.run().await.expect("so it is again");
        assert_eq!(letter.code.as_str(), "session_outcome_unknown", "{lands}");
        assert_eq!(bench.asked(Operation::GenesysOfferSession), 1, "{lands}");
    }
}
