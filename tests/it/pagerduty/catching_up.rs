//! `escalator catch-up`.

use std::collections::BTreeSet;
use std::time::Duration;

use escalator::simulator::{
    AgentSpec, AgentState, ConversationSpec, Effects, IncidentSpec, Operation, Urgency, What, Which,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Said, count, ended, run, script};
use crate::support::vhost::eventually;
use crate::support::world::{Case, World, assert_once};

const HOUR: Duration = Duration::from_secs(3600);

/// A case whose incident was opened so long ago.
fn opened(world: &World, ago: Duration, change: impl FnOnce(IncidentSpec) -> IncidentSpec) -> Case {
    let conversation = world.simulator.open_conversation(ConversationSpec {
        agents: vec![AgentSpec::new("agent-1", AgentState::Connected)],
        ..ConversationSpec::default()
    });
    let spec = IncidentSpec {
        opened_ago: ago,
        ..IncidentSpec::about(conversation.clone())
    };
    Case {
        incident: world.simulator.open_incident(change(spec)),
        conversation,
    }
}

async fn catch_up(world: &World, more: &[&str], settings: &[(&str, &str)]) -> Said {
    let arguments = [&["catch-up", "--since", "24h", "--json"], more].concat();
    run(world, &arguments, settings).await
}

/// What was said of an incident.
fn outcome<'a>(said: &'a [Value], case: &Case) -> &'a str {
    let mut of_it = said
        .iter()
        .filter(|one| one["incident"] == case.incident.as_str());
    let found = of_it
        .next()
        .map_or("not listed", |one| one["outcome"].as_str().unwrap());
    assert_eq!(of_it.next(), None, "{case:?} is listed once");
    found
}

fn noted(effects: &Effects, cases: &[Case]) -> bool {
    cases
        .iter()
        .all(|case| !effects.notes_of(&case.incident).is_empty())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_started_once_and_what_is_known_resolved_or_unwanted_is_left_alone() {
    let world = World::new().await;
    let settings = [
        ("PAGERDUTY_SERVICES", "PSIMSVC"),
        ("PAGERDUTY_URGENCIES", "high"),
    ];
    let program = world.start("serve", &settings).await;
    let known = world.case();
    world.deliver(&program, &world.trigger(&known)).await;
    ended(&program, &known, "done").await;
    let missing = [
        opened(&world, HOUR, |spec| spec),
        opened(&world, HOUR * 2, |spec| spec),
    ];
    let resolved = opened(&world, HOUR, |spec| spec);
    let _never_sent = world
        .simulator
        .webhook(&resolved.incident, "incident.resolved");
    let elsewhere = opened(&world, HOUR, |spec| IncidentSpec {
        service_id: "POTHER".to_owned(),
        ..spec
    });
    let low = opened(&world, HOUR, |spec| IncidentSpec {
        urgency: Urgency::Low,
        ..spec
    });
    let long_ago = opened(&world, HOUR * 25, |spec| spec);

    let dry = catch_up(&world, &["--dry-run"], &settings).await;
    dry.ends(0, &["4 incidents", "2 missing", "1 known", "1 resolved"]);
    let effects = world.simulator.effects();
    assert_eq!(
        (effects.sessions.len(), effects.live_notes),
        (1, 1),
        "a dry run starts nothing"
    );

    let said = catch_up(&world, &[], &settings).await;
    said.ends(0, &["2 started"]);
    let listed = said.objects();
    assert_eq!(outcome(&listed, &known), "known");
    assert_eq!(outcome(&listed, &resolved), "resolved");
    for left_out in [&elsewhere, &low, &long_ago] {
        assert_eq!(outcome(&listed, left_out), "not listed");
    }
    for case in &missing {
        assert_eq!(outcome(&listed, case), "started");
        let done = ended(&program, case, "done").await;
        assert_eq!(
            (&done["origin"], &done["lane"]),
            (&"catch_up".into(), &"high".into()),
            "{done}"
        );
    }
    // Its webhook comes after all: the same key, and so the same escalation.
    for case in &missing {
        world.deliver(&program, &world.trigger(case)).await;
        ended(&program, case, "ended_before").await;
    }
    let again = catch_up(&world, &[], &settings).await;
    again.ends(0, &["3 known"]);
    let [first, second] = missing;
    let effects = world.simulator.effects();
    assert_once(&effects, &[known, first, second]);
    assert_eq!((effects.attached, effects.live_notes), (3, 3));
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_line_says_what_became_of_an_incident_and_the_timeline_how_it_came_in() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let case = opened(&world, HOUR, |spec| spec);
    let said = run(&world, &["catch-up", "--since", "24h"], &[]).await;
    said.ends(0, &["1 incident: 1 started"]);
    let words: Vec<_> = said.data.split_whitespace().collect();
    assert_eq!((words[0], words[1]), ("started", case.incident.as_str()));
    assert_eq!((words[3], words[4]), ("high", "PSIMSVC"));
    ended(&program, &case, "done").await;
    let shown = run(&world, &["escalations", "show", &case.incident], &[]).await;
    assert!(shown.data.contains("catch_up, lane high"), "{}", shown.data);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_whose_webhook_waits_in_the_queue_is_worked_on_once() {
    let world = World::new().await;
    // The worker makes the ledger, and ends; then there is only the ingress.
    let (ended_well, _) = world.start("worker", &[]).await.terminate().await;
    assert!(ended_well.success());
    let ingress = world.start("ingress", &[]).await;
    let case = opened(&world, HOUR, |spec| spec);
    world.deliver(&ingress, &world.trigger(&case)).await;
    catch_up(&world, &[], &[]).await.ends(0, &["1 started"]);
    catch_up(&world, &[], &[]).await.ends(0, &["1 started"]);
    let worker = world.start("worker", &[]).await;
    ended(&worker, &case, "done").await;
    // Whichever of the three came first, the other two find it done; or in hand, and then done.
    eventually("two messages that find the work done", async || {
        let attempts = worker.events("escalation.attempt");
        let found_done = |line: &&Value| line["outcome"] == "ended_before";
        (attempts.iter().filter(found_done).count() == 2).then_some(())
    })
    .await;
    assert_once(&world.simulator.effects(), &[case]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_read_to_its_end_and_each_incident_once() {
    let world = World::new().await;
    drop(world.start("worker", &[]).await);
    let mut cases = Vec::new();
    for number in 0..257u32 {
        // Three at a time have the same second.
        let ago = HOUR + Duration::from_secs(u64::from(number / 3));
        cases.push(opened(&world, ago, |spec| spec).incident);
    }
    let said = catch_up(&world, &["--dry-run"], &[]).await;
    said.ends(0, &["257 incidents: 257 missing"]);
    let listed = said.objects();
    assert_eq!(listed.len(), 257);
    let ids: BTreeSet<_> = listed
        .iter()
        .map(|one| one["incident"].as_str().unwrap())
        .collect();
    assert_eq!(ids, cases.iter().map(String::as_str).collect());
    assert_eq!(count(&world, Operation::PagerdutyListIncidents), 3);
    let part = run(
        &world,
        &[
            "catch-up",
            "--since",
            "3660s",
            "--until",
            "3600s",
            "--json",
            "--dry-run",
        ],
        &[],
    );
    let part = part.await.objects().len();
    assert!((1..257).contains(&part), "{part}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_list_is_waited_for_and_a_failing_one_is_69_and_can_be_read_again() {
    let world = World::new().await;
    drop(world.start("worker", &[]).await);
    let case = opened(&world, HOUR, |spec| spec);
    let operation = Operation::PagerdutyListIncidents;
    script(
        &world,
        operation,
        Which::Nth(1),
        What::pagerduty_throttled(1),
    );
    let said = catch_up(&world, &["--dry-run"], &[]).await;
    said.ends(0, &["going on in", "1 missing"]);
    script(&world, operation, Which::All, What::status(500));
    catch_up(&world, &[], &[])
        .await
        .ends(69, &["no incident", "list_incidents"]);
    world.simulator.clear_faults();
    script(&world, operation, Which::All, What::status(403));
    catch_up(&world, &[], &[])
        .await
        .ends(1, &["may read incidents"]);
    world.simulator.clear_faults();
    let said = catch_up(&world, &[], &[]).await;
    assert_eq!(outcome(&said.objects(), &case), "started");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_away_is_69_and_nothing_is_lost() {
    let world = World::new().await;
    let no_ledger = catch_up(&world, &[], &[]).await;
    no_ledger.ends(69, &["database.url"]);
    drop(world.start("worker", &[]).await);
    let case = opened(&world, HOUR, |spec| spec);
    let nobody = [("AMQP_URL", "amqp://guest:guest@127.0.0.1:1/%2f")];
    let said = catch_up(&world, &[], &nobody).await;
    said.ends(69, &["amqp.url", "nothing was started"]);
    assert_eq!(said.data, "");
    let said = catch_up(&world, &[], &[("PAGERDUTY_API_URL", "http://127.0.0.1:1")]).await;
    said.ends(69, &["pagerduty.api_url"]);
    // A dry run needs no broker.
    catch_up(&world, &["--dry-run"], &nobody)
        .await
        .ends(0, &["1 missing"]);
    let worker = world.start("worker", &[]).await;
    catch_up(&world, &[], &[]).await.ends(0, &["1 started"]);
    ended(&worker, &case, "done").await;
    assert!(noted(&world.simulator.effects(), &[case]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_is_64() {
    let world = World::new().await;
    run(&world, &["catch-up"], &[]).await.ends(64, &["--since"]);
    run(&world, &["catch-up", "--since", "yesterday"], &[])
        .await
        .ends(64, &["how long ago"]);
    let backwards = ["catch-up", "--since", "1h", "--until", "2h"];
    run(&world, &backwards, &[]).await.ends(64, &["before"]);
    run(&world, &["catch-up", "--since", "100d"], &[])
        .await
        .ends(64, &["escalation.retention"]);
    let settings = [("PAGERDUTY_EVENTS", "incident.escalated")];
    catch_up(&world, &[], &settings)
        .await
        .ends(64, &["incident.triggered"]);
    assert!(world.simulator.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_cannot_be_read_is_passed_over_and_told() {
    let world = World::new().await;
    let body = json!({"more": false, "incidents": [
        {"id": "Q1ODD", "created_at": 7},
        {"id": "Q2GOOD", "created_at": Timestamp::now(), "status": "triggered", "urgency": ["high"], "service": 7},
        "Q3ODD",
    ]});
    let answer = What::Status {
        status: 200,
        headers: Vec::new(),
        body: body.to_string(),
    };
    script(
        &world,
        Operation::PagerdutyListIncidents,
        Which::Nth(1),
        answer,
    );
    drop(world.start("serve", &[]).await);
    let said = catch_up(&world, &["--dry-run"], &[]).await;
    said.ends(
        0,
        &["1 incident: 1 missing", "2 entries", "could not be read"],
    );
    assert_eq!(said.objects()[0]["incident"], "Q2GOOD");
}
