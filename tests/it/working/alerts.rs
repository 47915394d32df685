//! Which conversation an incident is about: the alert says so, in one of several shapes, a little later, or never.

use std::time::Duration;

use escalator::simulator::{Config, ConversationSpec, Details, IncidentSpec, Operation};

use super::{
    asked_genesys, assert_letter, attempts, case_of, count, dead, ended, letters, trigger,
};
use crate::support::world::{Case, World, assert_once};

#[tokio::test(flavor = "multi_thread")]
async fn the_conversation_is_found_in_every_shape_of_an_alert() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let mut cases = Vec::new();
    for details in [
        Details::Object,
        Details::JsonString,
        Details::Nested,
        Details::OnlyCef,
        Details::SeveralAlerts(3),
    ] {
        let case = case_of(&world, details);
        trigger(&world, &program, &case).await;
        cases.push(case);
    }
    super::all_ended(&program, &cases, "done").await;
    assert_once(&world.simulator.effects(), &cases);
}

/// 100 of them are 10 MB.
#[tokio::test(flavor = "multi_thread")]
async fn many_large_alerts_are_read_to_the_last() {
    let world = World::with(Config {
        hydration: Duration::ZERO,
        ..Config::default()
    })
    .await;
    let program = world.start("serve", &[]).await;
    let spec = ConversationSpec::with_agent("agent-1");
    let conversation = world.simulator.open_conversation(spec);
    let case = Case {
        incident: world.simulator.open_incident(IncidentSpec {
            details: Details::SeveralAlerts(100),
            // It stands in an alert twice.
            title: "large ".repeat(8 * 1024),
            ..IncidentSpec::about(conversation.clone())
        }),
        conversation,
    };
    trigger(&world, &program, &case).await;
    ended(&program, &case, "done").await;
    assert_once(&world.simulator.effects(), &[case]);
    assert_eq!(count(&world, Operation::PagerdutyAlerts), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_gets_its_body_late_is_waited_for() {
    let world = World::with(Config {
        hydration: Duration::from_secs(4),
        ..Config::default()
    })
    .await;
    let program = world.start("serve", &[]).await;
    let case = world.case();
    trigger(&world, &program, &case).await;
    let done = ended(&program, &case, "done").await;
    assert_eq!(done["attempts"], 0, "{done}");
    assert!(done["age_ms"].as_u64().unwrap() >= 4000, "{done}");
    assert_once(&world.simulator.effects(), &[case]);
    // Every 0.3 s for 3 s, then every 3 s.
    let looks = count(&world, Operation::PagerdutyAlerts);
    assert!((3..=13).contains(&looks), "{looks}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_without_a_conversation_id_is_final_within_15_seconds() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let case = case_of(&world, Details::Missing);
    trigger(&world, &program, &case).await;
    dead(&world, &program, &case, "no_conversation_id", 0).await;
    let last = attempts(&program, &case).pop().unwrap();
    assert!(last["age_ms"].as_u64().unwrap() <= 15_000, "{last}");
    assert_eq!(asked_genesys(&world), 0);
    let looks = count(&world, Operation::PagerdutyAlerts);
    assert!((5..=20).contains(&looks), "{looks}");
}

/// It takes the whole time: no setting shortens it.
#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_never_comes_or_never_gets_a_body_is_final_within_60_seconds() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let wanted = [
        (Details::NeverHydrated, "alert_never_hydrated"),
        (Details::NoAlerts, "no_alert"),
    ];
    let mut cases = Vec::new();
    for (details, code) in wanted {
        let case = case_of(&world, details);
        trigger(&world, &program, &case).await;
        cases.push((case, code));
    }
    for (case, code) in &cases {
        let said = ended(&program, case, "dead").await;
        assert_eq!(said["code"], *code, "{said}");
        let age = said["age_ms"].as_u64().unwrap();
        assert!((55_000..=60_000).contains(&age), "{said}");
    }
    for letter in letters(&world, 2).await {
        let incident = letter["message"]["incident_id"].as_str().unwrap();
        let (case, code) = cases
            .iter()
            .find(|(case, _)| case.incident == incident)
            .unwrap();
        assert_letter(&letter, case, code, 0);
    }
    assert_eq!(asked_genesys(&world), 0);
    let looks = count(&world, Operation::PagerdutyAlerts);
    assert!(looks <= 2 * 32, "{looks}");
}
