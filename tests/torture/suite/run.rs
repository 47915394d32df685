//! One run: something is escalated, processes crash where they are told to, the last one lives, and what has come of it
//! is judged.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use escalator::simulator::{Config, RequestOutcome, Simulator};

use super::database::Database;
use super::fault::{LATE, LONG, Script, Times};
use super::judge::{self, Facts, Verdict};
use super::lane::Lane;
use super::scenario::{Expected, Scenario};
use crate::support::program::Program;
use crate::support::world::{World, kept, real_notes};

/// A run that takes longer has not ended.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at the queues, which announce nothing.
const LOOK_AGAIN: Duration = Duration::from_millis(80);
/// No answer comes sooner, so that there is a time in which a request is under way.
const LATENCY: Duration = Duration::from_millis(20);

/// Which run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec {
    pub(crate) database: Database,
    pub(crate) scenario: Scenario,
    pub(crate) fault: Script,
    /// The point at which each process crashes, by number or by name, in the order of their lives; the next one has none.
    pub(crate) crashes: Vec<String>,
}

/// How it went.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) spec: Spec,
    /// The names of the points at which processes crashed.
    pub(crate) crashed: Vec<String>,
    /// The names of all points that the first process passed.
    pub(crate) passed: Vec<String>,
    pub(crate) verdict: Verdict,
    pub(crate) took: Duration,
    /// Of all processes.
    pub(crate) log: Vec<String>,
}

/// One process's life, for the judge.
#[derive(Debug)]
pub(crate) struct Life {
    /// When it was started, in milliseconds since the epoch.
    pub(crate) began_at_ms: i64,
    pub(crate) crashed: bool,
}

impl Spec {
    /// What `TORTURE_ONLY` takes to repeat it.
    pub(crate) fn name(&self) -> String {
        let mut name = format!(
            "{}/{}/{}/",
            self.database.name(),
            self.scenario.name(),
            self.fault.name
        );
        name += &self.crashes.join(",");
        name
    }

    /// The reverse.
    pub(crate) fn named(name: &str) -> Self {
        let parts: Vec<_> = name.split('/').collect();
        let [database, scenario, fault, crashes] = parts[..] else {
            panic!("TORTURE_ONLY is database/scenario/fault/crashes, as a failed run prints it");
        };
        let database = Database::all()
            .into_iter()
            .find(|one| one.name() == database);
        let crashes = crashes.split(',').filter(|n| !n.is_empty());
        Self {
            database: database.expect("this ledger is not there: ESCALATOR_TEST_POSTGRES_URL"),
            scenario: Scenario::named(scenario),
            fault: Script::named(fault),
            crashes: crashes.map(str::to_owned).collect(),
        }
    }
}

impl Report {
    /// Of a run that panicked.
    pub(crate) fn failed(spec: Spec, problem: &str) -> Self {
        Self {
            spec,
            crashed: Vec::new(),
            passed: Vec::new(),
            verdict: Verdict {
                outcome: "?".to_owned(),
                orphans: 0,
                violations: vec![problem.to_owned()],
            },
            took: Duration::ZERO,
            log: Vec::new(),
        }
    }
}

/// Runs it in this place, and gives the place back.
pub(crate) async fn run(mut lane: Lane, spec: Spec) -> (Lane, Report) {
    let began = Instant::now();
    let config = Config {
        latency: LATENCY,
        ..spec.scenario.config()
    };
    let world = World {
        vhost: lane.vhost.take().unwrap(),
        simulator: Simulator::start(config).await.unwrap(),
        folder: tempfile::tempdir().unwrap(),
    };
    let ledger = spec.database.fresh().await;
    spec.fault.play(&world.simulator);
    let opened = spec.scenario.open(&world);
    let mut processes = Processes {
        lane: &lane,
        world: &world,
        database_url: &ledger.url,
        times: spec.fault.times,
        expected: spec.scenario.expected(),
        cases: opened.cases.len(),
        crashes: spec.crashes.clone().into(),
        deadline: began + PATIENCE,
        lives: Vec::new(),
        crashed: Vec::new(),
        passed: Vec::new(),
        log: Vec::new(),
    };
    let ended = processes.live(opened.webhooks.into()).await;
    let Processes {
        lives,
        crashed,
        passed,
        log,
        ..
    } = processes;
    landed(&world.simulator, spec.fault.times).await;
    let facts = Facts {
        spec: &spec,
        cases: &opened.cases,
        effects: world.simulator.effects(),
        requests: world.simulator.requests(),
        letters: world.dead_letters_in(&ledger.url).await,
        secrets: judge::secrets(&world, &ledger.url),
        log: &log,
        lives: &lives,
    };
    let mut verdict = judge::judge(&facts);
    if !ended {
        let problem = format!("it had not ended after {PATIENCE:?}");
        verdict.violations.push(problem);
        lane.purge().await;
    }
    world.simulator.stop().await;
    lane.vhost = Some(world.vhost);
    let report = Report {
        spec,
        crashed,
        passed,
        verdict,
        took: began.elapsed(),
        log,
    };
    (lane, report)
}

/// Waits until whatever was scripted to land late has: it may be the second of its kind, and announces itself to nobody.
async fn landed(simulator: &Simulator, times: Times) {
    if times != LONG {
        return;
    }
    let lost = simulator.requests().into_iter();
    let lost = lost.filter(|record| record.outcome == RequestOutcome::Lost);
    let Some(last) = lost.map(|record| record.at_ms).max() else {
        return;
    };
    let since = jiff::Timestamp::now().as_millisecond() - last;
    let since = Duration::from_millis(u64::try_from(since).unwrap_or_default());
    tokio::time::sleep((LATE + Duration::from_millis(200)).saturating_sub(since)).await;
}

struct Processes<'a> {
    lane: &'a Lane,
    world: &'a World,
    database_url: &'a str,
    times: Times,
    expected: Expected,
    /// How many incidents there are.
    cases: usize,
    crashes: VecDeque<String>,
    deadline: Instant,
    lives: Vec<Life>,
    crashed: Vec<String>,
    passed: Vec<String>,
    log: Vec<String>,
}

impl Processes<'_> {
    /// One process after the other, until one has left nothing to do and has ended in order. False: no time is left.
    async fn live(&mut self, mut webhooks: VecDeque<escalator::simulator::Webhook>) -> bool {
        while Instant::now() < self.deadline {
            let mut program = self.spawn();
            self.work(&mut program, &mut webhooks).await;
            let over = program.exited().is_none();
            if over {
                program.signal("TERM");
            }
            let status = program.ended().await;
            let crashed = status.signal().is_some();
            self.bury(&program, crashed);
            if !crashed && !status.success() {
                self.log
                    .push(format!("(the suite) it ended with {status}, uncalled"));
            }
            if over
                && status.success()
                && webhooks.is_empty()
                && self.lane.is_empty().await
                && self.all_told().await
            {
                return true;
            }
        }
        false
    }

    /// What a broker counts lags behind where the disk is slow: queues that look empty are not enough, the end has to be
    /// there as well. One that never comes is found when the time is up.
    async fn all_told(&self) -> bool {
        let letters = kept(self.database_url).await;
        let notes = real_notes(&self.world.simulator.effects());
        let told = self.expected.may_be_cancelled
            || notes + letters.len() >= self.expected.notes * self.cases;
        told && !letters.iter().any(|letter| letter.notice.is_due())
    }

    fn spawn(&mut self) -> Program {
        let file = self.points(self.lives.len() + 1);
        let crash_at = self.crashes.pop_front();
        let Times {
            lease_ms,
            settle_ms,
            call_ms,
        } = self.times;
        let [lease, settle, call] = [lease_ms, settle_ms, call_ms].map(|ms| format!("{ms}ms"));
        let mut more = vec![
            ("WORKER_LEASE", &*lease),
            ("WORKER_SETTLE", &settle),
            ("WORKER_CALL_TIMEOUT", &call),
            ("WORKER_DRAIN_TIMEOUT", "20s"),
            ("DATABASE_URL", self.database_url),
            ("CRASH_FILE", &file),
        ];
        if let Some(at) = &crash_at {
            more.push(("CRASH_AT", at));
        }
        self.lives.push(Life {
            began_at_ms: jiff::Timestamp::now().as_millisecond(),
            crashed: false,
        });
        let settings = self.world.settings(&more);
        Program::spawn(&["serve"], self.world.folder.path(), &settings)
    }

    /// Where this process, counted from 1, tells its points.
    fn points(&self, process: usize) -> String {
        let name = format!("points-{process}");
        self.world.folder.path().join(name).display().to_string()
    }

    /// Delivers what has to be delivered and waits until nothing is left to do, or until the process has crashed.
    async fn work(
        &self,
        program: &mut Program,
        webhooks: &mut VecDeque<escalator::simulator::Webhook>,
    ) {
        let mut quiet = 0;
        while quiet < 2 && Instant::now() < self.deadline && program.exited().is_none() {
            if !program.has_started() {
                tokio::time::sleep(LOOK_AGAIN).await;
            } else if let Some(webhook) = webhooks.front() {
                let url = format!("{}/webhooks/pagerduty", program.ingress);
                let delivered = self.world.simulator.deliver(&url, webhook).await;
                if delivered.is_accepted() {
                    webhooks.pop_front();
                }
            } else {
                tokio::time::sleep(LOOK_AGAIN).await;
                let in_hand = program.try_metric("escalator_in_hand").await;
                let nothing = in_hand == Some(0.0) && self.lane.is_empty().await;
                quiet = if nothing { quiet + 1 } else { 0 };
            }
        }
    }

    fn bury(&mut self, program: &Program, crashed: bool) {
        let passed = std::fs::read_to_string(self.points(self.lives.len()));
        let passed: Vec<String> = passed
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect();
        let point = passed.last().cloned().unwrap_or_default();
        let mut headline = format!("--- process {}", self.lives.len());
        if crashed {
            let _ = write!(headline, ", crashed {point}");
            self.crashed.push(point);
        }
        self.log.push(headline);
        self.log.extend(program.log());
        if self.passed.is_empty() {
            self.passed = passed;
        }
        if let Some(life) = self.lives.last_mut() {
            life.crashed = crashed;
        }
    }
}
