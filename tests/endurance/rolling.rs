//! Four workers are replaced one after the other while they work.

use std::time::{Duration, Instant};

use crate::backlog::{Pool, seconds};
use crate::support::world::assert_once;

const INCIDENTS: usize = 400;
const ROUNDS: usize = 2;

pub(crate) async fn run() -> String {
    let mut pool = Pool::new(&[("WORKER_DRAIN_TIMEOUT", "20s")]).await;
    for _ in 0..4 {
        pool.start_worker().await;
    }
    let began = Instant::now();
    let incidents = pool.deliver(INCIDENTS).await;
    let (mut spent, mut longest) = (0, Duration::ZERO);
    let mut in_hand = 0;
    for _ in 0..4 * ROUNDS {
        let oldest = pool.workers.remove(0);
        let told = Instant::now();
        let attempts = oldest.events("escalation.attempt");
        let (status, log) = oldest.terminate().await;
        assert!(status.success(), "{status}\n{}", log.join("\n"));
        longest = longest.max(told.elapsed());
        in_hand += log
            .iter()
            .filter(|line| line.contains(r#""outcome":"handed_back""#))
            .count();
        spent = spent.max(most(&attempts));
        pool.start_worker().await;
    }
    pool.notes(INCIDENTS, Duration::from_secs(600)).await;
    let took = seconds(began);
    for worker in &pool.workers {
        spent = spent.max(most(&worker.events("escalation.attempt")));
    }
    let cases: Vec<_> = incidents.iter().map(|one| one.case.clone()).collect();
    assert_once(&pool.world.simulator.effects(), &cases);
    let said = format!(
        "rolling restart of 4 workers, {} restarts under {INCIDENTS} incidents: dead letters 0, attempts spent 0, {in_hand} handed \
         back; the longest drain {:.1} s; {took:.0} s in all",
        4 * ROUNDS,
        longest.as_secs_f64()
    );
    assert_eq!(spent, 0, "{said}");
    pool.end().await;
    said
}

fn most(attempts: &[serde_json::Value]) -> u64 {
    let spent = attempts.iter().filter_map(|line| line["attempts"].as_u64());
    spent.max().unwrap_or_default()
}
