//! `Retry-After: 7` on a fifth of all answers: nobody comes back sooner.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use escalator::simulator::{Fault, Operation, RequestRecord, What, Which};

use crate::backlog::{Pool, counted, seconds};
use crate::support::world::assert_once;

const INCIDENTS: usize = 20;
const WAIT_MS: i64 = 7_000;
/// What was sent before that answer was heard arrives within so long after it.
const ON_THE_WAY_MS: i64 = 250;

pub(crate) async fn run() -> String {
    let mut pool = Pool::new(&[]).await;
    for operation in [
        Operation::GenesysConversation,
        Operation::GenesysCreateSession,
        Operation::GenesysAttachMedia,
    ] {
        script(&pool, operation, What::genesys_throttled(7));
    }
    for operation in [Operation::PagerdutyAlerts, Operation::PagerdutyCreateNote] {
        script(&pool, operation, What::pagerduty_throttled(7));
    }
    let incidents = pool.deliver(INCIDENTS).await;
    let began = Instant::now();
    pool.start_worker().await;
    pool.notes(INCIDENTS, Duration::from_secs(900)).await;
    let took = seconds(began);
    let cases: Vec<_> = incidents.iter().map(|one| one.case.clone()).collect();
    assert_once(&pool.world.simulator.effects(), &cases);
    let (mut throttled, mut earliest, mut anything) = (0, i64::MAX, i64::MAX);
    for genesys in [true, false] {
        let requests = counted(&pool.world, genesys);
        throttled += requests
            .iter()
            .filter(|one| one.status() == Some(429))
            .count();
        earliest = earliest.min(earliest_retry(&requests));
        anything = anything.min(earliest_of_all(&requests));
    }
    let said = format!(
        "Retry-After: 7 on a fifth of the answers, {INCIDENTS} incidents: {throttled} of them, the earliest retry after {:.3} s, \
         the earliest request for anything with that credential after {:.3} s; {took:.0} s",
        earliest as f64 / 1000.0,
        anything as f64 / 1000.0
    );
    assert!(
        throttled > 0 && earliest >= WAIT_MS && anything >= WAIT_MS,
        "{said}"
    );
    pool.end().await;
    said
}

fn script(pool: &Pool, operation: Operation, what: What) {
    pool.world.simulator.script(Fault {
        operation,
        which: Which::Share(0.2),
        what,
    });
}

/// Between a 429 and the next request with the same credential.
fn earliest_of_all(requests: &[RequestRecord]) -> i64 {
    let refused = requests.iter().filter(|one| one.status() == Some(429));
    let next = |at: i64| {
        let after = requests.iter().map(|one| one.at_ms - at);
        after.filter(|gap| *gap > ON_THE_WAY_MS).min()
    };
    let gaps = refused.filter_map(|one| next(one.ended_at_ms.unwrap_or(one.at_ms)));
    gaps.min().unwrap_or(i64::MAX)
}

/// Between a 429 and the next request for the same thing. Which conversation a session is created for, the request does not say.
fn earliest_retry(requests: &[RequestRecord]) -> i64 {
    let mut of: HashMap<_, Vec<&RequestRecord>> = HashMap::new();
    for request in requests.iter().filter(|one| one.id.is_some()) {
        let operation = format!("{:?}", request.operation);
        of.entry((operation, request.id.clone()))
            .or_default()
            .push(request);
    }
    let pairs = of.values().flat_map(|all| all.windows(2));
    let after = pairs.filter(|pair| pair[0].status() == Some(429));
    let gap =
        |pair: &[&RequestRecord]| pair[1].at_ms - pair[0].ended_at_ms.unwrap_or(pair[0].at_ms);
    after.map(gap).min().unwrap_or(i64::MAX)
}
