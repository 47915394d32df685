//! An alert storm: a thousand incidents at once, two hundred of them urgent.

use std::time::{Duration, Instant};

use crate::backlog::{GENESYS, Pool, counted, fullest_minute, refused, seconds};
use crate::support::world::assert_once;

const INCIDENTS: usize = 1000;

/// With so many workers, each a process of its own.
pub(crate) async fn run(workers: usize) -> String {
    let mut pool = Pool::new(&[]).await;
    let incidents = pool.deliver(INCIDENTS).await;
    let began = Instant::now();
    let began_at_ms = jiff::Timestamp::now().as_millisecond();
    for _ in 0..workers {
        pool.start_worker().await;
    }
    pool.notes(INCIDENTS, Duration::from_secs(900)).await;
    let took = seconds(began);
    let effects = pool.world.simulator.effects();
    let cases: Vec<_> = incidents.iter().map(|one| one.case.clone()).collect();
    assert_once(&effects, &cases);
    let genesys = counted(&pool.world, true);
    let pagerduty = counted(&pool.world, false);
    let least = genesys.len() as f64 / (f64::from(GENESYS) / 60.0);
    let mut urgent: Vec<i64> = incidents
        .iter()
        .filter(|one| one.urgent)
        .map(|one| effects.notes_of(&one.case.incident)[0].created_at_ms - began_at_ms)
        .collect();
    urgent.sort_unstable();
    let p95 = urgent[(urgent.len() - 1) * 95 / 100] as f64 / 1000.0;
    let refused = refused(&genesys) + refused(&pagerduty);
    let (ratio, urgently) = (took / least, p95 / took);
    let said = format!(
        "storm, {workers} worker(s): {INCIDENTS} incidents in {took:.1} s, {ratio:.3} of the least possible ({} requests to \
         Genesys at {GENESYS} a minute: {least:.1} s); 429: {refused}; the fullest 60 s: Genesys {}, PagerDuty {}; urgent p95 \
         {p95:.1} s, {urgently:.2} of the total; requests per escalation: Genesys {:.2}, PagerDuty {:.2}",
        genesys.len(),
        fullest_minute(&genesys),
        fullest_minute(&pagerduty),
        genesys.len() as f64 / INCIDENTS as f64,
        pagerduty.len() as f64 / INCIDENTS as f64,
    );
    let bound = if workers == 1 { 1.05 } else { 1.08 };
    assert!(ratio <= bound, "{said}");
    assert_eq!(refused, 0, "{said}");
    assert!(urgently <= 0.35, "{said}");
    assert!(fullest_minute(&genesys) <= GENESYS as usize, "{said}");
    pool.end().await;
    said
}
