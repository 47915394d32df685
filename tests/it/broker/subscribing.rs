//! Deliveries: settled, handed back, rejected, and what happens to those that nobody settles.

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use escalator::broker::{Destination, Died, Settled, Source};
use escalator::escalation::Lane;
use lapin::options::QueueDeleteOptions;
use tokio::time::timeout;

use super::{SOON, depth, depth_becomes, next, publication, ready};
use crate::support::vhost::Vhost;

#[tokio::test(flavor = "multi_thread")]
async fn stopping_hands_back_what_was_sent_ahead_and_leaves_what_is_in_hand_to_be_acked() {
    let vhost = Vhost::new().await;
    let broker = ready(&vhost).await;
    let publisher = broker.publisher();
    for id in 0..6 {
        let publication = publication(Destination::Lane(Lane::High), id);
        publisher.publish(&publication, SOON).await.unwrap();
    }
    let mut subscription = broker.subscribe(Lane::High, 5);
    let in_hand = next(&mut subscription).await;
    let stop = subscription.stop_handle();
    stop.stop();
    assert!(timeout(SOON, subscription.next()).await.unwrap().is_none());
    assert_eq!(depth(&vhost, "escalations.high").await, 5);
    assert!(in_hand.is_live());
    assert_eq!(in_hand.ack().await, Settled::Sent);
    // Stopped, it is no longer missed.
    broker.wait_ready(SOON).await.unwrap();
    let mut again = broker.subscribe(Lane::High, 5);
    let delivery = next(&mut again).await;
    assert_eq!(delivery.body, b"1", "what was handed back keeps its place");
    drop(again);
    assert_eq!(delivery.hand_back().await, Settled::Sent);
    broker.close().await;
    depth_becomes(&vhost, "escalations.high", 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_lets_acks_out_first() {
    const COUNT: u32 = 200;
    let vhost = Vhost::new().await;
    let broker = ready(&vhost).await;
    let publisher = broker.publisher();
    for id in 0..COUNT {
        let publication = publication(Destination::Lane(Lane::Normal), id);
        publisher.publish(&publication, SOON).await.unwrap();
    }
    let mut subscription = broker.subscribe(Lane::Normal, 200);
    for _ in 0..COUNT {
        let delivery = next(&mut subscription).await;
        // Begun, and abandoned: nobody waits for it to end.
        let mut ack = Box::pin(delivery.ack());
        poll_fn(|context| {
            let _ = ack.as_mut().poll(context);
            Poll::Ready(())
        })
        .await;
    }
    // One delivery is left unsettled on purpose.
    let extra = publication(Destination::Lane(Lane::Normal), "extra");
    publisher.publish(&extra, SOON).await.unwrap();
    let extra = next(&mut subscription).await;
    broker.close().await;
    assert!(!extra.is_live());
    assert_eq!(extra.ack().await, Settled::Lost);
    depth_becomes(&vhost, "escalations.normal", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_fails_its_worker_every_time_ends_in_the_dead_letters() {
    let vhost = Vhost::new().await;
    // The limit as declared is far away; a policy brings it near, as an operator's would.
    let near = serde_json::json!({"delivery-limit": 20});
    vhost.policy("^escalations[.]high$", near).await;
    let broker = ready(&vhost).await;
    let poison = publication(Destination::Lane(Lane::High), "poison");
    broker.publisher().publish(&poison, SOON).await.unwrap();
    let mut subscription = broker.subscribe(Lane::High, 1);
    for failures in 0..=20 {
        let delivery = next(&mut subscription).await;
        assert_eq!(delivery.deliveries, failures);
        assert_eq!(delivery.redelivered, failures > 0);
        if failures % 2 == 0 {
            assert_eq!(delivery.reject().await, Settled::Sent);
        } else {
            // As a panic in the worker would.
            drop(delivery);
        }
    }
    let mut dead = broker.subscribe(Source::Dead, 1);
    let delivery = next(&mut dead).await;
    assert_eq!(delivery.body, b"poison");
    let died = Died {
        queue: "escalations.high".to_owned(),
        reason: "delivery_limit".to_owned(),
    };
    assert_eq!(delivery.died, Some(died));
    assert_eq!(delivery.ack().await, Settled::Sent);
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_may_be_looked_at_and_put_back_as_often_as_anybody_likes() {
    let vhost = Vhost::new().await;
    let broker = ready(&vhost).await;
    let letter = publication(Destination::Dead, "letter");
    broker.publisher().publish(&letter, SOON).await.unwrap();
    let mut dead = broker.subscribe(Source::Dead, 1);
    for _ in 0..40 {
        assert_eq!(next(&mut dead).await.reject().await, Settled::Sent);
    }
    assert_eq!(next(&mut dead).await.ack().await, Settled::Sent);
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_queue_is_made_again_and_its_subscription_goes_on() {
    let vhost = Vhost::new().await;
    let broker = ready(&vhost).await;
    let mut subscription = broker.subscribe(Lane::High, 4);
    broker.wait_ready(SOON).await.unwrap();
    let mut health = broker.watch();
    let raw = vhost.raw().await;
    let channel = raw.create_channel().await.unwrap();
    channel
        .queue_delete("escalations.high".into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    let lost = health.wait_for(|health| !health.is_ready());
    timeout(SOON, lost).await.unwrap().unwrap();
    broker.wait_ready(SOON).await.unwrap();
    let publication = publication(Destination::Lane(Lane::High), "after");
    broker
        .publisher()
        .publish(&publication, SOON)
        .await
        .unwrap();
    assert_eq!(next(&mut subscription).await.ack().await, Settled::Sent);
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_subscription_gives_everything_back() {
    let vhost = Vhost::new().await;
    let broker = ready(&vhost).await;
    let publisher = broker.publisher();
    for id in 0..3 {
        let publication = publication(Destination::Lane(Lane::High), id);
        publisher.publish(&publication, SOON).await.unwrap();
    }
    let mut subscription = broker.subscribe(Lane::High, 3);
    drop(next(&mut subscription).await);
    drop(subscription);
    depth_becomes(&vhost, "escalations.high", 3).await;
    let gone = broker.wait_until(|health| {
        let subscriptions = &health.subscriptions[&Source::Lane(Lane::High)];
        subscriptions.wanted == 0 && subscriptions.active == 0
    });
    timeout(Duration::from_secs(5), gone).await.unwrap();
    broker.close().await;
}
