//! A ledger that can be read and takes nothing is told of as what it is.

use rusqlite::Connection;

use crate::support::vhost::eventually;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_takes_nothing_is_away_until_it_takes_something_again() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let up = async |wanted: f64| {
        eventually("the ledger's metric is as wanted", async || {
            let up = program.try_metric("escalator_ledger_up").await?;
            ((up - wanted).abs() < 0.5).then_some(())
        })
        .await;
    };
    up(1.0).await;
    // Whoever reads is not in its way, as with a disk that is full.
    let other = Connection::open(world.ledger()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let told = program.becomes_ready(false).await;
    assert_eq!(told["ledger"]["ok"], false, "{told}");
    up(0.0).await;
    other.execute_batch("COMMIT").unwrap();
    program.becomes_ready(true).await;
    up(1.0).await;
}
