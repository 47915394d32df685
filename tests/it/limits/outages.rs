//! A vendor that is away is not asked in vain, and nobody dies of it.

use escalator::simulator::{Fault, Operation, What, Which};

use crate::support::world::{World, assert_once};

const OF_GENESYS: [Operation; 4] = [
    Operation::GenesysToken,
    Operation::GenesysConversation,
    Operation::GenesysCreateSession,
    Operation::GenesysAttachMedia,
];

fn asked(world: &World, operations: &[Operation]) -> usize {
    let requests = world.simulator.requests().into_iter();
    requests
        .filter(|one| operations.contains(&one.operation))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_is_away_gets_a_probe_now_and_then_and_everything_once_it_is_back() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    for operation in OF_GENESYS {
        world.simulator.script(Fault {
            operation,
            which: Which::All,
            what: What::status(503),
        });
    }
    let cases: Vec<_> = (0..20).map(|_| world.case()).collect();
    for case in &cases {
        world.deliver(&program, &world.trigger(case)).await;
    }
    let shut = program
        .logged("vendor.shut", |line| line["vendor"] == "genesys")
        .await;
    assert_eq!(shut["trouble"], "outage");
    // Those that were under way; then everybody waits.
    let case = &cases[19];
    let parked = |line: &serde_json::Value| {
        line["incident"] == case.incident.as_str()
            && line["outcome"] == "later"
            && line["code"] == "genesys_unavailable"
    };
    let parked = program.logged("escalation.attempt", parked).await;
    assert_eq!(parked["attempts"], 0, "{parked}");
    assert!(
        asked(&world, &OF_GENESYS) < 30,
        "{}",
        asked(&world, &OF_GENESYS)
    );
    let shut = ["escalator_vendor_shut", "genesys", "outage"];
    assert!((program.metric(&shut).await - 1.0).abs() < 0.1);
    let (status, body) = program.readiness().await;
    assert_eq!(status, 200, "an outage of a vendor makes nobody unready");
    assert_eq!(body["vendors"]["genesys"]["shut"], "outage", "{body}");
    assert_eq!(
        body["vendors"]["pagerduty"]["shut"],
        serde_json::Value::Null
    );

    world.simulator.clear_faults();
    let effects = world.until(|effects| effects.live_notes == 20).await;
    assert_once(&effects, &cases);
    assert!(program.metric(&shut).await < 0.1);
    let attempts = program.events("escalation.attempt");
    assert!(attempts.iter().all(|line| line["attempts"] == 0));
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_refused_is_told_as_that_and_costs_nothing() {
    let world = World::new().await;
    let secret = world.simulator.config().client_secret.clone();
    world.simulator.set_secret("another");
    let program = world.start("serve", &[]).await;
    let cases: Vec<_> = (0..8).map(|_| world.case()).collect();
    for case in &cases {
        world.deliver(&program, &world.trigger(case)).await;
    }
    let shut = program
        .logged("vendor.shut", |line| line["vendor"] == "genesys")
        .await;
    assert_eq!(shut["trouble"], "credential");
    let tokens = asked(&world, &[Operation::GenesysToken]);
    assert!(tokens <= 4, "{tokens}");
    world.simulator.set_secret(secret);
    let effects = world.until(|effects| effects.live_notes == 8).await;
    assert_once(&effects, &cases);
    assert!(world.dead_letters().await.is_empty());
}
