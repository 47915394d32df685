//! Many runs: every crash point of a scenario beside a fault, and samples of pairs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::database::Database;
use super::fault::Script;
use super::lane::{Lane, Lanes};
use super::run::{Report, Spec, run};
use super::scenario::Scenario;

/// A process that passes more points than this has no end.
const POINTS_MAX: u64 = 1000;
/// A point that was passed once in passing is not always passed again.
const ROUNDS_MAX: usize = 3;
/// How many lines of a failed run's log are printed at most.
const LINES_MAX: usize = 400;

/// All runs of one call of the suite.
pub(crate) struct Suite {
    pub(crate) lanes: Lanes,
    pub(crate) reports: Mutex<Vec<Report>>,
    /// For whoever watches.
    done: AtomicU64,
}

impl Suite {
    pub(crate) async fn new(lanes: usize) -> Arc<Self> {
        Arc::new(Self {
            lanes: Lanes::new(lanes).await,
            reports: Mutex::default(),
            done: AtomicU64::new(0),
        })
    }

    /// One run, in the next free place. Gives back whether all crashes came about, and what the first process passed.
    pub(crate) async fn once(&self, spec: Spec) -> Once {
        let (lane, permit) = self.lanes.take().await;
        let name = spec.name();
        // A task of its own: what panics in it takes its place along, and nothing else.
        let (lane, mut report) = match tokio::spawn(run(lane, spec.clone())).await {
            Ok(done) => done,
            Err(error) => (Lane::new().await, Report::failed(spec, &error.to_string())),
        };
        self.lanes.put_back(lane, permit);
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(100) {
            println!("{done} runs");
        }
        if report.verdict.violations.is_empty() {
            report.log = Vec::new();
        } else {
            println!("\nFAILED, to be repeated with TORTURE_ONLY='{name}'");
            println!(
                "crashed: {:?}; outcome {}",
                report.crashed, report.verdict.outcome
            );
            let skipped = report.log.len().saturating_sub(LINES_MAX);
            for line in report.log.iter().skip(skipped) {
                println!("    {line}");
            }
            for violation in &report.verdict.violations {
                println!("  VIOLATION {violation}");
            }
        }
        let once = Once {
            all_crashed: report.crashed.len() == report.spec.crashes.len(),
            passed: report.passed.clone(),
        };
        self.reports.lock().await.push(report);
        once
    }

    /// Every crash point of a scenario beside a fault: n = 1, 2, 3 … until a run ends by itself, in so many strands side
    /// by side. Before the call that a fault is about, it changes nothing: those points are left to the runs without one.
    pub(crate) async fn series(
        self: Arc<Self>,
        database: Database,
        scenario: Scenario,
        fault: Script,
        strands: u64,
    ) {
        let spec = |crashes: Vec<String>| Spec {
            database,
            scenario,
            fault: fault.clone(),
            crashes,
        };
        let dry = self.once(spec(Vec::new())).await;
        let from = match fault.call {
            None => 1,
            Some(call) => match dry.first_of(call) {
                Some(from) => from,
                None => {
                    let problem = Report::failed(spec(Vec::new()), "the call was never made");
                    println!("{}: the call was never made", problem.spec.name());
                    self.reports.lock().await.push(problem);
                    return;
                }
            },
        };
        let mut running = JoinSet::new();
        for strand in 0..strands {
            let (suite, spec) = (Arc::clone(&self), spec(Vec::new()));
            running.spawn(async move {
                let mut n = from + strand;
                loop {
                    let crashes = vec![n.to_string()];
                    let once = suite
                        .once(Spec {
                            crashes,
                            ..spec.clone()
                        })
                        .await;
                    if !once.all_crashed {
                        break;
                    }
                    n += strands;
                    assert!(n < POINTS_MAX, "{}: it never ends by itself", spec.name());
                }
            });
        }
        running.join_all().await;
        // Numbers move a little from run to run, as a renewal comes between or not: what was missed is met by name.
        for _ in 0..ROUNDS_MAX {
            let missed = self.missed(&spec(Vec::new())).await;
            let mut running = JoinSet::new();
            for name in missed {
                let (suite, spec) = (Arc::clone(&self), spec(vec![name]));
                running.spawn(async move { suite.once(spec).await });
            }
            if running.is_empty() {
                break;
            }
            running.join_all().await;
        }
    }

    /// The points that runs of this kind have passed from its call on, and at which none has crashed.
    pub(crate) async fn missed(&self, of: &Spec) -> Vec<String> {
        let reports = self.reports.lock().await;
        let alike = |report: &&Report| {
            report.spec.crashes.len() <= 1
                && *of
                    == Spec {
                        crashes: Vec::new(),
                        ..report.spec.clone()
                    }
        };
        let crashed: BTreeSet<_> = reports
            .iter()
            .filter(alike)
            .flat_map(|report| &report.crashed)
            .collect();
        let passed: BTreeSet<_> = reports
            .iter()
            .filter(alike)
            .flat_map(|report| {
                let call = of.fault.call;
                let before = move |point: &&String| call.is_some_and(|call| !point.ends_with(call));
                report.passed.iter().skip_while(before)
            })
            .collect();
        passed
            .difference(&crashed)
            .map(|name| (*name).clone())
            .collect()
    }

    /// So many pairs of crashes, drawn from a seed.
    pub(crate) async fn pairs(self: Arc<Self>, databases: &[Database], seed: u64, count: usize) {
        let mut draw = StdRng::seed_from_u64(seed);
        let faults: Vec<_> = Script::all().into_iter().chain([Script::none()]).collect();
        let offers: Vec<_> = Script::of_an_offer();
        let mut running = JoinSet::new();
        for _ in 0..count {
            let scenario = Scenario::ALL[draw.random_range(0..Scenario::ALL.len())];
            let faults = match scenario {
                Scenario::Offered => &offers,
                Scenario::Single
                | Scenario::TwoIncidents
                | Scenario::Reopened
                | Scenario::Resolved
                | Scenario::Refused => &faults,
            };
            let spec = Spec {
                database: databases[draw.random_range(0..databases.len())],
                scenario,
                fault: faults[draw.random_range(0..faults.len())].clone(),
                crashes: vec![
                    draw.random_range(1..=45).to_string(),
                    draw.random_range(1..=30).to_string(),
                ],
            };
            let suite = Arc::clone(&self);
            running.spawn(async move { suite.once(spec).await });
        }
        running.join_all().await;
    }
}

/// What a series needs to know of a run.
pub(crate) struct Once {
    all_crashed: bool,
    passed: Vec<String>,
}

impl Once {
    /// The number of the first point of this call.
    fn first_of(&self, call: &str) -> Option<u64> {
        let at = self.passed.iter().position(|point| point.ends_with(call))?;
        u64::try_from(at + 1).ok()
    }
}
