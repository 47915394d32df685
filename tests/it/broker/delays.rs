//! The delay ladder on the real broker.

use std::time::{Duration, Instant};

use escalator::broker::{Destination, Settled};
use escalator::escalation::Lane;

use super::{SOON, depth, next, publication, ready};
use crate::support::vhost::Vhost;

/// What a loaded test machine may add to a delay; on an idle one it is milliseconds.
const LATE: Duration = Duration::from_millis(1500);

#[tokio::test(flavor = "multi_thread")]
async fn a_long_delay_in_front_holds_up_no_shorter_one() {
    let vhost = Vhost::new().await;
    let broker = ready(&vhost).await;
    let mut high = broker.subscribe(Lane::High, 10);
    let mut normal = broker.subscribe(Lane::Normal, 10);
    broker.wait_ready(SOON).await.unwrap();
    let publisher = broker.publisher();
    let began = Instant::now();
    for (lane, seconds) in [(Lane::Normal, 5), (Lane::High, 3), (Lane::Normal, 1)] {
        let delay = Duration::from_secs(seconds);
        let later = Destination::Later { lane, delay };
        publisher
            .publish(&publication(later, seconds), SOON)
            .await
            .unwrap();
    }
    for _ in 0..3 {
        let delivery = tokio::select! {
            delivery = next(&mut high) => delivery,
            delivery = next(&mut normal) => delivery,
        };
        let took = began.elapsed();
        let seconds: u64 = String::from_utf8(delivery.body.clone())
            .unwrap()
            .parse()
            .unwrap();
        let lane = if seconds == 3 {
            Lane::High
        } else {
            Lane::Normal
        };
        assert_eq!(delivery.lane(), Some(lane));
        let asked = Duration::from_secs(seconds);
        assert!(took >= asked, "{seconds} s came after {took:?}");
        assert!(took < asked + LATE, "{seconds} s came after {took:?}");
        assert_eq!(delivery.died, None);
        assert_eq!(delivery.ack().await, Settled::Sent);
    }
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_may_go_through_the_ladder_again_and_again() {
    let vhost = Vhost::new().await;
    let broker = ready(&vhost).await;
    let mut normal = broker.subscribe(Lane::Normal, 1);
    let publisher = broker.publisher();
    let later = Destination::Later {
        lane: Lane::Normal,
        // Below a second: rounded up.
        delay: Duration::from_millis(10),
    };
    publisher
        .publish(&publication(later, "again"), SOON)
        .await
        .unwrap();
    for _ in 0..5 {
        let delivery = next(&mut normal).await;
        publisher
            .publish(&publication(later, "again"), SOON)
            .await
            .unwrap();
        assert_eq!(delivery.ack().await, Settled::Sent);
    }
    assert_eq!(next(&mut normal).await.ack().await, Settled::Sent);
    broker.close().await;
    assert_eq!(depth(&vhost, "escalations.normal").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_delay_is_taken_at_the_top_of_the_ladder() {
    let vhost = Vhost::new().await;
    let broker = ready(&vhost).await;
    let later = Destination::Later {
        lane: Lane::High,
        delay: Duration::from_secs(1_000_000),
    };
    broker
        .publisher()
        .publish(&publication(later, "late"), SOON)
        .await
        .unwrap();
    assert_eq!(depth(&vhost, "escalations.delay.12").await, 1);
    broker.close().await;
}
