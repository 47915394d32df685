//! The token, and credentials that are refused: work waits, nothing dies, and nobody is asked all the time.

use std::time::Duration;

use escalator::simulator::{Config, Operation};

use super::{all_ended, attempts, count, ended, gaps, parked, requests, trigger, triggered};
use crate::support::world::{World, assert_once};

#[tokio::test(flavor = "multi_thread")]
async fn fifty_escalations_at_once_share_one_token() {
    let world = World::with(Config {
        latency: Duration::from_millis(50),
        ..Config::default()
    })
    .await;
    let program = world.start("serve", &[("WORKER_CONCURRENCY", "50")]).await;
    let cases = triggered(&world, &program, 50).await;
    all_ended(&program, &cases, "done").await;
    assert_once(&world.simulator.effects(), &cases);
    assert_eq!(count(&world, Operation::GenesysToken), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_revoked_in_mid_work_is_renewed_once() {
    let world = World::with(Config {
        latency: Duration::from_millis(100),
        ..Config::default()
    })
    .await;
    let program = world.start("serve", &[]).await;
    let cases = triggered(&world, &program, 30).await;
    world.until(|effects| effects.sessions.len() >= 5).await;
    world.simulator.revoke_tokens();
    all_ended(&program, &cases, "done").await;
    let effects = world.simulator.effects();
    assert_once(&effects, &cases);
    assert_eq!((effects.sessions.len(), effects.tokens_issued), (30, 2));
    let mut all = world.simulator.requests();
    all.retain(|request| request.status() == Some(401));
    assert!(!all.is_empty(), "it was in mid-work");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_before_it_ends() {
    let world = World::with(Config {
        token_lifetime: Duration::from_secs(2),
        ..Config::default()
    })
    .await;
    let program = world.start("serve", &[]).await;
    let mut cases = Vec::new();
    while world.simulator.effects().tokens_issued < 3 {
        let case = world.case();
        trigger(&world, &program, &case).await;
        ended(&program, &case, "done").await;
        cases.push(case);
    }
    assert_once(&world.simulator.effects(), &cases);
    let refused = world
        .simulator
        .requests()
        .into_iter()
        .filter(|request| request.status() == Some(401));
    assert_eq!(refused.count(), 0);
    let gaps = gaps(&requests(&world, Operation::GenesysToken));
    assert!(gaps.iter().all(|gap| *gap >= 1500), "{gaps:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_waits_while_genesys_refuses_the_secret_and_goes_on_when_it_is_right() {
    let world = World::new().await;
    let secret = world.simulator.config().client_secret.clone();
    world.simulator.set_secret("another");
    let program = world.start("serve", &[]).await;
    let cases = triggered(&world, &program, 10).await;
    for case in &cases {
        let attempt = parked(&program, case, "genesys_credentials").await;
        let wait = attempt["delay_ms"].as_u64().unwrap();
        assert!((15_000..=30_000).contains(&wait), "{attempt}");
    }
    assert_eq!(count(&world, Operation::GenesysToken), 1, "all hear of one");
    // Somebody comes back and is refused again.
    let refused = || {
        let all = program.events("escalation.attempt");
        all.iter()
            .filter(|a| a["code"] == "genesys_credentials")
            .count()
    };
    program
        .logged("escalation.attempt", |_| refused() > cases.len())
        .await;
    world.simulator.set_secret(secret);
    all_ended(&program, &cases, "done").await;
    assert_once(&world.simulator.effects(), &cases);
    for case in &cases {
        assert!(attempts(&program, case).iter().all(|a| a["attempts"] == 0));
    }
    let asked = requests(&world, Operation::GenesysToken);
    let gaps = gaps(&asked);
    assert!(gaps.iter().all(|gap| *gap >= 10_000), "{gaps:?}");
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn work_waits_while_pagerduty_refuses_the_key_and_goes_on_when_it_is_right() {
    let world = World::new().await;
    let key = world.simulator.config().api_token.clone();
    world.simulator.set_api_token("another");
    let program = world.start("serve", &[]).await;
    let cases = triggered(&world, &program, 5).await;
    for case in &cases {
        parked(&program, case, "pagerduty_credentials").await;
    }
    world.simulator.set_api_token(key);
    all_ended(&program, &cases, "done").await;
    assert_once(&world.simulator.effects(), &cases);
    for case in &cases {
        assert!(attempts(&program, case).iter().all(|a| a["attempts"] == 0));
        let mut asked = requests(&world, Operation::PagerdutyAlerts);
        asked.retain(|request| request.id.as_deref() == Some(&case.incident));
        assert!(gaps(&asked)[0] >= 15_000, "{asked:?}");
    }
    assert!(world.dead_letters().await.is_empty());
}
