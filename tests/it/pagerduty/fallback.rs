//! The incident's own body, where no alert has one: it names the conversation, and it holds a secret.

use escalator::simulator::{ConversationSpec, Details, IncidentSpec, Operation, What, Which};

use super::{count, ended, run, script};
use crate::support::world::{Case, World, assert_once};

fn case(world: &World, details: Details) -> Case {
    let conversation = world
        .simulator
        .open_conversation(ConversationSpec::with_agent("agent-1"));
    let incident = world.simulator.open_incident(IncidentSpec {
        details,
        ..IncidentSpec::about(conversation.clone())
    });
    Case {
        incident,
        conversation,
    }
}

/// What the program left behind of this incident: its log, its ledger as it lies on the disk, what it tells of it.
async fn left_behind(world: &World, log: &[String], case: &Case) -> String {
    let shown = run(
        world,
        &["escalations", "show", &case.incident, "--json"],
        &[],
    )
    .await;
    let mut all = log.join("\n") + &shown.data + &shown.talk;
    for entry in std::fs::read_dir(world.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        all.push_str(&String::from_utf8_lossy(&bytes));
    }
    for letter in world.dead_letters().await {
        all.push_str(&letter.to_string());
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn the_conversation_is_found_in_the_incident_and_its_secret_is_nowhere() {
    let world = World::new().await;
    let program = world.start("serve", &[("LOG_LEVEL", "trace")]).await;
    let case = case(&world, Details::OnlyIncidentBody);
    world.deliver(&program, &world.trigger(&case)).await;
    let done = ended(&program, &case, "done").await;
    assert_eq!(done["attempts"], 0, "{done}");
    let age = done["age_ms"].as_u64().unwrap();
    assert!((4_000..30_000).contains(&age), "{done}");
    assert_once(&world.simulator.effects(), std::slice::from_ref(&case));
    // Not before the alert had its time, and then as often as it took: once.
    assert_eq!(count(&world, Operation::PagerdutyIncident), 1);
    let secret = world.simulator.routing_key(&case.incident).unwrap();
    let (_, log) = program.terminate().await;
    assert!(log.len() > 20);
    let left = left_behind(&world, &log, &case).await;
    assert!(left.contains(&case.conversation));
    assert!(!left.contains(&secret), "the routing key is in there");
}

/// It takes the whole minute: no setting shortens it.
#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_cannot_be_understood_ends_within_a_minute_and_its_secret_is_nowhere() {
    const SECRET: &str = "R0UT1NGKEY0123456789abcdef012345";
    let world = World::new().await;
    let program = world.start("serve", &[("LOG_LEVEL", "trace")]).await;
    let case = case(&world, Details::NeverHydrated);
    let body = |text: String| What::Status {
        status: 200,
        headers: Vec::new(),
        body: text,
    };
    let broken = format!(r#"{{"incident":{{"body":{{"details":{{"routing_key":"{SECRET}","#);
    let wrong = format!(r#"{{"incident":"{SECRET}"}}"#);
    let huge = format!("{{\"incident\":\"{}{SECRET}", SECRET.repeat(200_000));
    let refused = What::Status {
        status: 403,
        headers: Vec::new(),
        body: String::new(),
    };
    let operation = Operation::PagerdutyIncident;
    for (nth, what) in (1..).zip([body(broken), body(huge), refused]) {
        script(&world, operation, Which::Nth(nth), what);
    }
    script(&world, operation, Which::All, body(wrong));
    world.deliver(&program, &world.trigger(&case)).await;
    let dead = ended(&program, &case, "dead").await;
    assert_eq!(dead["code"], "alert_never_hydrated", "{dead}");
    assert!(dead["age_ms"].as_u64().unwrap() <= 60_000, "{dead}");
    assert!(count(&world, operation) > 4);
    let (_, log) = program.terminate().await;
    let left = left_behind(&world, &log, &case).await;
    assert!(!left.contains(SECRET), "the routing key is in there");
}

/// An outage costs time, not messages: at its end the fallback is asked again.
#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_cannot_be_read_yet_is_read_later() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let case = case(&world, Details::OnlyIncidentBody);
    let operation = Operation::PagerdutyIncident;
    script(&world, operation, Which::First(3), What::status(503));
    world.deliver(&program, &world.trigger(&case)).await;
    let done = ended(&program, &case, "done").await;
    assert_eq!(done["attempts"], 0, "{done}");
    assert_once(&world.simulator.effects(), &[case]);
}
