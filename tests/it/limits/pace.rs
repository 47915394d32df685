//! No more is asked of a vendor than its limit allows, however many processes ask.

use std::time::Duration;

use escalator::simulator::{Config, Operation, RequestRecord};

use crate::support::database::Database;
use crate::support::world::{World, assert_once};

/// A minute; one second's worth is four.
const LIMIT: u32 = 240;

fn of_genesys(world: &World) -> Vec<RequestRecord> {
    let mut all = world.simulator.requests();
    all.retain(|one| {
        matches!(
            one.operation,
            Operation::GenesysConversation
                | Operation::GenesysCreateSession
                | Operation::GenesysAttachMedia
        )
    });
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_one_budget() {
    let world = World::with(Config {
        genesys_per_minute: Some(LIMIT),
        ..Config::default()
    });
    let world = world.await;
    let database = Database::new().await;
    let limit = LIMIT.to_string();
    let settings = [
        ("DATABASE_URL", database.url.as_str()),
        ("GENESYS_REQUESTS_PER_MINUTE", limit.as_str()),
    ];
    let one = world.start("serve", &settings).await;
    let other = world.start("worker", &settings).await;
    let cases: Vec<_> = (0..12).map(|_| world.case()).collect();
    for case in &cases {
        world.deliver(&one, &world.trigger(case)).await;
    }
    let effects = world.until(|effects| effects.live_notes == 12).await;
    assert_once(&effects, &cases);
    let requests = of_genesys(&world);
    assert!(requests.iter().all(|one| one.status() != Some(429)));
    // Beyond a burst of five seconds' worth they come at the limit's own pace: four a second.
    let mut times: Vec<i64> = requests.iter().map(|one| one.at_ms).collect();
    times.sort_unstable();
    assert!(times.len() > 40, "{}", times.len());
    for (number, at) in times.iter().enumerate() {
        let since = u64::try_from(at - times[0]).unwrap();
        let allowed = 20 + (Duration::from_millis(since).as_secs_f64() * 4.0) as usize;
        // What a request takes to arrive may differ by some hundred milliseconds.
        assert!(number <= allowed + 4, "{number} within {since} ms");
    }
    for program in [one, other] {
        let (status, _) = program.terminate().await;
        assert!(status.success(), "{status}");
    }
}
