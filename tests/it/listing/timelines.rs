//! What `show` tells of escalations that went well, crashed, died and wait.

use std::time::Duration;

use escalator::simulator::{Config, ConversationSpec, Operation, What};

use super::{assert_no_link, ended, next, objects, refused, shown, trigger};
use crate::support::program::PATIENCE;
use crate::support::world::{Case, World};

/// The text with what differs from run to run replaced: ids, times, spans and the owner.
fn normalised(text: &str, replaced: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (this, that) in replaced {
        text = text.replace(this, that);
    }
    let mut out = String::new();
    for line in text.lines() {
        let words = line.split(' ').map(|word| {
            let digits = word.trim_matches(|c: char| !c.is_ascii_digit());
            let shape: String = digits
                .chars()
                .map(|c| if c.is_ascii_digit() { 'N' } else { c })
                .collect();
            match shape.as_str() {
                "NN:NN:NN" => word.replace(digits, "TIME"),
                "NNNN-NN-NN" => word.replace(digits, "DAY"),
                "N.NNN" | "NN.N" if word.len() > 5 || !word.contains('(') => {
                    // The event's clock and ours are one here: by milliseconds, it may be either side.
                    word.replace(digits, "SPAN").replace('-', "+")
                }
                _ => word.to_owned(),
            }
        });
        out.push_str(words.collect::<Vec<_>>().join(" ").trim_end());
        out.push('\n');
    }
    out
}

/// The owner of the claims: host and process.
fn owner(program_pid: u32) -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    format!("{}/{program_pid}", host.trim())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undisturbed_escalation_tells_its_whole_way() {
    let world = World::with(Config {
        // Nothing to wait for: the story is the same each time.
        hydration: Duration::ZERO,
        media_visible_after: Duration::ZERO,
        ..Config::default()
    })
    .await;
    let program = world.start("serve", &[]).await;
    let case = world.case();
    trigger(&world, &program, &case).await;
    ended(&program, &case, "done").await;
    // While the service runs.
    let (text, talk) = shown(&world.ledger(), &["show", &case.incident]).await;
    assert_eq!(talk, "");
    let lines = objects(&world.ledger(), &["show", &case.incident]).await;
    let (head, entries) = lines.split_first().unwrap();
    assert_eq!(head["type"], "escalation", "{head}");
    assert_eq!(
        (&head["state"], &head["takeovers"]),
        (&"done".into(), &0.into()),
        "{head}"
    );
    let effects = world.simulator.effects();
    let (session, note) = (
        &effects.sessions[0].id,
        &effects.notes_of(&case.incident)[0].id,
    );
    assert_eq!(head["session"], session.as_str());
    assert_eq!(head["note"], note.as_str());
    assert_eq!(head["conversation"], case.conversation.as_str());
    let kinds: Vec<_> = entries
        .iter()
        .map(|e| e["kind"].as_str().unwrap())
        .collect();
    assert!(
        entries
            .iter()
            .all(|e| e["type"] == "entry" && e["unanswered"] == false)
    );
    for kind in [
        "event", "accepted", "claimed", "intended", "answered", "ended",
    ] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    let event = entries[0]["what"]
        .as_str()
        .unwrap()
        .rsplit(' ')
        .next()
        .unwrap()
        .to_owned();
    let owner = owner(program.pid());
    let replaced = [
        (case.incident.as_str(), "INCIDENT"),
        (case.conversation.as_str(), "CONVERSATION"),
        (session.as_str(), "SESSION"),
        (note.as_str(), "NOTE"),
        (event.as_str(), "EVENT"),
        (owner.as_str(), "OWNER"),
    ];
    let text = took_away(&normalised(&text, &replaced));
    assert_eq!(text, include_str!("undisturbed.txt"), "{text}");
}

/// Without how long the calls took: `(12 ms)`.
fn took_away(text: &str) -> String {
    text.lines()
        .map(|line| match line.rsplit_once(" (") {
            Some((before, rest)) if rest.ends_with(" ms)") => format!("{before} (N ms)\n"),
            _ => format!("{line}\n"),
        })
        .collect()
}

/// A worker is killed while this call of it is under way; whatever its effect, its answer never comes.
async fn killed_during(world: &World, operation: Operation, case: &Case, first: bool) {
    next(world, operation, What::Slow(Duration::from_secs(600)));
    let program = world
        .start(
            "serve",
            &[("WORKER_LEASE", "3s"), ("WORKER_CALL_TIMEOUT", "1s")],
        )
        .await;
    if first {
        trigger(world, &program, case).await;
    }
    let asked = async {
        loop {
            let requests = world.simulator.requests();
            if requests
                .iter()
                .any(|request| request.operation == operation)
            {
                return;
            }
            // A request between the look and this call would be missed, so it is looked again now and then.
            let _ =
                tokio::time::timeout(Duration::from_millis(50), world.simulator.changed()).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, asked).await.is_ok());
    program.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_escalation_that_crashed_twice_tells_that_at_a_glance() {
    let world = World::new().await;
    let case = world.case();
    killed_during(&world, Operation::GenesysCreateSession, &case, true).await;
    killed_during(&world, Operation::PagerdutyCreateNote, &case, false).await;
    let (text, _) = shown(&world.ledger(), &["show", &case.incident]).await;
    assert!(
        text.contains("no answer known: the worker ended here") || text.contains("no answer yet"),
        "{text}"
    );
    let program = world
        .start(
            "serve",
            &[("WORKER_LEASE", "3s"), ("WORKER_CALL_TIMEOUT", "1s")],
        )
        .await;
    ended(&program, &case, "done").await;
    let (text, _) = shown(&world.ledger(), &["show", &case.incident]).await;
    let crashes = text
        .lines()
        .filter(|line| line.starts_with("!! ") && line.contains("TAKEN OVER"));
    assert_eq!(crashes.count(), 2, "{text}");
    let lost = text.lines().filter(|line| {
        line.starts_with("?? ") && line.ends_with("no answer known: the worker ended here")
    });
    assert_eq!(lost.count(), 2, "{text}");
    assert!(text.contains("of which 2 were taken over"), "{text}");
    let lines = objects(&world.ledger(), &["show", &case.incident]).await;
    assert_eq!(
        (&lines[0]["state"], &lines[0]["takeovers"]),
        (&"done".into(), &2.into())
    );
    let unanswered: Vec<_> = lines
        .iter()
        .filter(|line| line["unanswered"] == true)
        .map(|line| line["step"].as_str().unwrap())
        .collect();
    assert_eq!(unanswered, ["session", "note"], "{text}");
    assert_no_link(&world, &[text, format!("{lines:?}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_one_says_why_and_what_to_do() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let case = world.case_with(ConversationSpec {
        cobrowse: false,
        ..ConversationSpec::with_agent("agent-1")
    });
    trigger(&world, &program, &case).await;
    ended(&program, &case, "dead").await;
    let (text, _) = shown(&world.ledger(), &["show", &case.incident]).await;
    assert!(text.contains("first generation: dead after"), "{text}");
    assert!(
        text.contains("why           cobrowse_not_possible: "),
        "{text}"
    );
    assert!(
        text.contains("what to do    cobrowse needs a web messaging"),
        "{text}"
    );
    let lines = objects(&world.ledger(), &["show", &case.incident]).await;
    assert_eq!(lines[0]["code"], "cobrowse_not_possible");
    assert_eq!(lines[0]["session"], serde_json::Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_waits_for_an_agent_says_so_and_when_it_looks_again() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let case = world.case_with(ConversationSpec::default());
    trigger(&world, &program, &case).await;
    ended(&program, &case, "later").await;
    let (text, _) = shown(&world.ledger(), &["show", &case.incident]).await;
    assert!(
        text.contains("at            waits for an agent to connect, for "),
        "{text}"
    );
    assert!(text.contains("next try      in "), "{text}");
    let lines = objects(&world.ledger(), &["show", &case.incident]).await;
    assert_eq!(
        (&lines[0]["state"], &lines[0]["at"]),
        (&"open".into(), &"waits_for_agent".into())
    );
    let (list, _) = shown(&world.ledger(), &["list", "--state", "open"]).await;
    assert!(list.contains("waits_for_agent"), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reopened_incident_has_a_story_for_each_generation() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let case = world.case();
    trigger(&world, &program, &case).await;
    ended(&program, &case, "done").await;
    let reopened = world.simulator.webhook(&case.incident, "incident.reopened");
    world.deliver(&program, &reopened).await;
    let again = |line: &serde_json::Value| {
        line["outcome"] == "done" && !line["key"].as_str().unwrap().ends_with("/0")
    };
    let second = program.logged("escalation.attempt", again).await;
    let key = second["key"].as_str().unwrap();
    let (_, event) = key.split_once('/').unwrap();
    let of = |lines: &[serde_json::Value]| -> Vec<String> {
        let heads = lines.iter().filter(|line| line["type"] == "escalation");
        heads
            .map(|head| head["key"].as_str().unwrap().to_owned())
            .collect()
    };
    let ledger = world.ledger();
    let show = async |more: &[&str]| {
        let arguments = [&["show", case.incident.as_str()], more].concat();
        objects(&ledger, &arguments).await
    };
    let first = format!("{}/0", case.incident);
    assert_eq!(of(&show(&[]).await), [first.as_str(), key]);
    assert_eq!(of(&show(&["--generation", "0"]).await), [first.as_str()]);
    let only = show(&["--generation", event]).await;
    assert_eq!(of(&only), [key]);
    assert!(only.iter().all(|line| line["key"] == key));
    let end = &event[event.len() - 5..];
    assert_eq!(of(&show(&["--generation", end]).await), [key]);
    let wrong = ["show", case.incident.as_str(), "--generation", "nothing"];
    let said = refused(&ledger, &wrong, 1).await;
    assert!(
        said.contains(event) && said.contains("name one of them"),
        "{said}"
    );
}
