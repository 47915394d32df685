//! A vendor is away while five hundred incidents come in; or it takes our secret for a wrong one.

use std::time::{Duration, Instant};

use escalator::simulator::{Fault, Operation, What, Which};

use crate::backlog::{GENESYS, Pool, counted, seconds};
use crate::support::world::assert_once;

const INCIDENTS: usize = 500;
/// An hour, scaled: the program's own waits in an outage, 15 to 30 s, come a few times in it.
const AWAY: Duration = Duration::from_secs(120);

const OF_GENESYS: [Operation; 5] = [
    Operation::GenesysToken,
    Operation::GenesysConversation,
    Operation::GenesysCreateSession,
    Operation::GenesysAttachMedia,
    Operation::GenesysOfferSession,
];
const OF_PAGERDUTY: [Operation; 4] = [
    Operation::PagerdutyAlerts,
    Operation::PagerdutyIncident,
    Operation::PagerdutyListNotes,
    Operation::PagerdutyCreateNote,
];

pub(crate) async fn all() -> Vec<String> {
    let both: Vec<_> = OF_GENESYS.into_iter().chain(OF_PAGERDUTY).collect();
    vec![
        of("Genesys", &OF_GENESYS).await,
        of("PagerDuty", &OF_PAGERDUTY).await,
        of("both", &both).await,
        revoked().await,
    ]
}

async fn of(who: &str, operations: &[Operation]) -> String {
    let mut pool = Pool::new(&[]).await;
    pool.start_worker().await;
    pool.start_worker().await;
    for operation in operations {
        pool.world.simulator.script(Fault {
            operation: *operation,
            which: Which::All,
            what: What::status(503),
        });
    }
    let incidents = pool.deliver(INCIDENTS).await;
    let asked_before = pool.world.simulator.requests().len();
    // The length of the outage is what is tested.
    tokio::time::sleep(AWAY).await;
    let asked = pool.world.simulator.requests().len() - asked_before;
    pool.world.simulator.clear_faults();
    let recovered_at_ms = jiff::Timestamp::now().as_millisecond();
    let recovered = Instant::now();
    pool.notes(INCIDENTS, Duration::from_secs(900)).await;
    let took = seconds(recovered);
    let cases: Vec<_> = incidents.iter().map(|one| one.case.clone()).collect();
    assert_once(&pool.world.simulator.effects(), &cases);
    let mut since = counted(&pool.world, true);
    since.retain(|request| request.at_ms >= recovered_at_ms);
    let least = since.len() as f64 / (f64::from(GENESYS) / 60.0);
    let spent = most_attempts(&pool);
    let said = format!(
        "outage of {who}, {AWAY:?}, {INCIDENTS} incidents in it: dead letters 0; empty {took:.1} s after it, the least possible \
         {least:.1} s; requests while it was away, after the last incident came: {asked}; attempts spent by one escalation at most: {spent}"
    );
    assert!(took <= least * 1.2 + 30.0, "{said}");
    pool.end().await;
    said
}

/// The most that any escalation has spent.
fn most_attempts(pool: &Pool) -> u64 {
    let lines = pool
        .workers
        .iter()
        .flat_map(|worker| worker.events("escalation.attempt"));
    lines
        .filter_map(|line| line["attempts"].as_u64())
        .max()
        .unwrap_or_default()
}

async fn revoked() -> String {
    let mut pool = Pool::new(&[]).await;
    pool.start_worker().await;
    let simulator = &pool.world.simulator;
    let secret = simulator.config().client_secret.clone();
    simulator.set_secret("another");
    simulator.revoke_tokens();
    let incidents = pool.deliver(INCIDENTS).await;
    // So is this one.
    tokio::time::sleep(AWAY / 2).await;
    let name = ["escalator_vendor_shut", "genesys", "credential"];
    let shut = pool.workers[0].metric(&name).await;
    assert!(shut > 0.0, "no metric says that the secret is refused");
    let tokens = pool.world.simulator.requests();
    let tokens = tokens
        .iter()
        .filter(|request| request.operation == Operation::GenesysToken);
    let tokens = tokens.count();
    pool.world.simulator.set_secret(secret);
    let restored = Instant::now();
    pool.notes(INCIDENTS, Duration::from_secs(600)).await;
    let took = seconds(restored);
    let cases: Vec<_> = incidents.iter().map(|one| one.case.clone()).collect();
    assert_once(&pool.world.simulator.effects(), &cases);
    let shut = pool.workers[0].metric(&name).await;
    assert!(shut < 1.0, "the metric did not come back");
    let said = format!(
        "secret of Genesys revoked for {:?}, {INCIDENTS} incidents: dead letters 0; {tokens} requests for a token with it; \
         escalator_vendor_shut{{vendor=\"genesys\",trouble=\"credential\"}} was 1; empty {took:.1} s after it was put right",
        AWAY / 2
    );
    pool.end().await;
    said
}
