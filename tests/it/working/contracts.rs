//! The two contracts of Genesys, and how it is found out which one the other side speaks.

use std::time::Duration;

use escalator::simulator::{CobrowseApi, Config, ConversationSpec, Effects, Operation, What};

use serde_json::json;

use super::{
    all_ended, always, assert_letter, attempts, count, ended, letter, next, nth, parked, trigger,
    triggered,
};
use crate::support::world::{Case, World, assert_once};

const AUTO: &[(&str, &str)] = &[("GENESYS_COBROWSE_API", "auto")];

fn offers() -> Config {
    Config {
        cobrowse_api: CobrowseApi::Conversation,
        ..Config::default()
    }
}

fn note_of(effects: &Effects, case: &Case) -> String {
    effects.notes_of(&case.incident)[0].content.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_offers_a_session_and_the_note_leads_to_the_conversation() {
    let world = World::with(offers()).await;
    let program = world.start("serve", &[]).await;
    let cases = triggered(&world, &program, 5).await;
    all_ended(&program, &cases, "done").await;
    let effects = world.simulator.effects();
    assert_once(&effects, &cases);
    assert_eq!(effects.sessions.len(), 5);
    assert_eq!(count(&world, Operation::GenesysOfferSession), 5);
    assert_eq!(count(&world, Operation::GenesysCreateSession), 0);
    assert_eq!(count(&world, Operation::GenesysAttachMedia), 0);
    let page = format!(
        "Cobrowse session ready: https://apps.mypurecloud.com/directory/#/engage/admin/interactions/{}",
        cases[0].conversation
    );
    let note = note_of(&effects, &cases[0]);
    assert!(note.starts_with(&page), "{note}");
    let (_, log) = program.terminate().await;
    for session in &effects.sessions {
        let code = &session.join_url;
        assert!(!note.contains(code.as_str()), "{note}");
        let quoted = format!("\"{code}\"");
        assert!(!log.iter().any(|line| line.contains(&quoted)));
    }
    assert!(!log.iter().any(|line| line.contains("cobrowse.example")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_admits_whoever_has_it_is_in_the_note_where_that_was_asked_for() {
    let world = World::with(offers()).await;
    let asked = [("NOTE_INCLUDE_ACCESS_LINKS", "true")];
    let program = world.start("serve", &asked).await;
    let cases = triggered(&world, &program, 1).await;
    all_ended(&program, &cases, "done").await;
    let effects = world.simulator.effects();
    let (note, session) = (note_of(&effects, &cases[0]), &effects.sessions[0]);
    let code = format!("Join code: {}", session.join_url);
    let viewer = format!(
        "Agent's view: https://cobrowse.example.invalid/view/{}",
        session.id
    );
    assert!(note.contains(&code) && note.contains(&viewer), "{note}");
    let (_, log) = program.terminate().await;
    assert!(!log.iter().any(|line| line.contains("cobrowse.example")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_the_conversation_does_not_show_is_no_failure() {
    let world = World::with(Config {
        shows_offers: false,
        ..offers()
    })
    .await;
    let program = world.start("serve", &[]).await;
    let cases = triggered(&world, &program, 1).await;
    all_ended(&program, &cases, "done").await;
    let effects = world.simulator.effects();
    assert_once(&effects, &cases);
    let note = note_of(&effects, &cases[0]);
    assert!(
        note.starts_with("Cobrowse session offered, not joined yet: https://apps."),
        "{note}"
    );
    assert!(note.contains("The offer ends at 20"), "{note}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_whose_answer_was_lost_is_found_and_counts() {
    let world = World::with(offers()).await;
    let program = world.start("serve", &[]).await;
    let faults = [
        What::LoseAnswer,
        What::status(503),
        What::Late(Duration::from_millis(2500)),
        What::Garbage,
    ];
    // One that is not disturbed first: this Genesys has shown a session then.
    let mut cases = triggered(&world, &program, 1).await;
    all_ended(&program, &cases, "done").await;
    let total = faults.len();
    for (what, number) in faults.into_iter().zip(1..) {
        nth(&world, Operation::GenesysOfferSession, number, what);
    }
    cases.extend(triggered(&world, &program, total).await);
    all_ended(&program, &cases, "done").await;
    let effects = world.simulator.effects();
    assert_once(&effects, &cases);
    assert_eq!(effects.sessions.len(), cases.len());
    let settled = program.events("write.unknown_settled");
    let how = |how: &str| settled.iter().filter(|e| e["settled"] == how).count();
    assert_eq!((how("adopted"), how("repeated")), (3, 1), "{settled:#?}");
    let orphans = program.metric(&["escalator_possible_orphans_total"]).await;
    assert_eq!(orphans, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_offer_was_ever_shown_a_person_is_asked_and_nothing_is_sent_twice() {
    let world = World::with(Config {
        shows_offers: false,
        ..offers()
    })
    .await;
    let program = world.start("serve", &[]).await;
    next(&world, Operation::GenesysOfferSession, What::LoseAnswer);
    let case = world.case();
    trigger(&world, &program, &case).await;
    ended(&program, &case, "dead").await;
    assert_letter(&letter(&world).await, &case, "session_outcome_unknown", 1);
    assert_eq!(count(&world, Operation::GenesysOfferSession), 1);
    assert_eq!(
        crate::support::world::real_notes(&world.simulator.effects()),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_incidents_of_one_conversation_share_its_offer() {
    let world = World::with(offers()).await;
    let program = world.start("serve", &[]).await;
    let one = world.case();
    let other = Case {
        incident: world
            .simulator
            .open_incident(escalator::simulator::IncidentSpec::about(
                one.conversation.clone(),
            )),
        conversation: one.conversation.clone(),
    };
    let cases = [one, other];
    for case in &cases {
        trigger(&world, &program, case).await;
    }
    all_ended(&program, &cases, "done").await;
    let effects = world.simulator.effects();
    assert_eq!((effects.sessions.len(), effects.attached), (1, 1));
    assert_once(&effects, &cases);
}

#[tokio::test(flavor = "multi_thread")]
async fn which_contract_it_is_is_found_out_by_reading() {
    for (config, contract, tokens) in [
        (offers(), "conversation", 1),
        (Config::default(), "sessions", 2),
    ] {
        let world = World::with(config).await;
        let program = world.start("serve", AUTO).await;
        let cases = triggered(&world, &program, 3).await;
        all_ended(&program, &cases, "done").await;
        assert_once(&world.simulator.effects(), &cases);
        // No write was tried to find it out; and only the token was asked for in two ways.
        let writes = count(&world, Operation::GenesysOfferSession)
            + count(&world, Operation::GenesysCreateSession);
        assert_eq!(writes, 3, "{contract}");
        assert_eq!(count(&world, Operation::GenesysToken), tokens, "{contract}");
        let found = program.events("genesys.contract");
        assert_eq!(found[0]["contract"], contract, "{found:#?}");
        let last = found.last().unwrap();
        assert_eq!(last["confirmed"], true, "{found:#?}");
        let label = format!("escalator_genesys_contract{{contract=\"{contract}\"}}");
        assert_eq!(program.metric(&[&label]).await, 1.0);
        // The next process knows it, with all that the first has found out.
        drop(program);
        let program = world.start("worker", AUTO).await;
        let ingress = world.start("ingress", AUTO).await;
        let cases = triggered(&world, &ingress, 1).await;
        all_ended(&program, &cases, "done").await;
        let found = program.events("genesys.contract");
        assert_eq!(found[0]["contract"], contract);
        assert_eq!(found[0]["confirmed"], true, "{found:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_that_has_no_such_route_gives_way_to_the_other_one() {
    // It reads like `sessions`, and is not.
    let world = World::with(Config {
        shows_state: true,
        ..offers()
    })
    .await;
    let program = world.start("serve", AUTO).await;
    let cases = triggered(&world, &program, 1).await;
    all_ended(&program, &cases, "done").await;
    assert_once(&world.simulator.effects(), &cases);
    assert_eq!(count(&world, Operation::GenesysCreateSession), 1);
    let found = program.events("genesys.contract");
    let last = found.last().unwrap();
    assert_eq!(
        (&last["contract"], &last["confirmed"]),
        (&"conversation".into(), &true.into()),
        "{found:#?}"
    );
    // From then on nobody asks in the wrong way.
    let more = triggered(&world, &program, 3).await;
    all_ended(&program, &more, "done").await;
    assert_eq!(count(&world, Operation::GenesysCreateSession), 1);
    assert_eq!(
        attempts(&program, &cases[0]).len(),
        1,
        "it took one attempt"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_that_has_worked_is_never_decided_again() {
    let world = World::with(offers()).await;
    let program = world.start("serve", AUTO).await;
    let cases = triggered(&world, &program, 1).await;
    all_ended(&program, &cases, "done").await;
    next(&world, Operation::GenesysOfferSession, What::status(404));
    let case = world.case();
    trigger(&world, &program, &case).await;
    // It is said of the conversation, then.
    ended(&program, &case, "dead").await;
    assert_letter(&letter(&world).await, &case, "conversation_unknown", 0);
    assert_eq!(count(&world, Operation::GenesysCreateSession), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_says_nothing_of_the_conversation_also_where_the_contract_has_worked() {
    let world = World::with(offers()).await;
    let program = world.start("serve", AUTO).await;
    let cases = triggered(&world, &program, 1).await;
    all_ended(&program, &cases, "done").await;
    next(&world, Operation::GenesysOfferSession, page(404));
    let case = world.case();
    trigger(&world, &program, &case).await;
    parked(&program, &case, "answered_by_another").await;
    assert_eq!(count(&world, Operation::GenesysCreateSession), 0);
}

/// Whoever has no such route may well say so with a page.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_for_a_route_that_is_not_there_has_the_other_contract_tried() {
    let world = World::with(Config {
        shows_state: true,
        ..offers()
    })
    .await;
    let program = world.start("serve", AUTO).await;
    next(&world, Operation::GenesysCreateSession, page(404));
    let cases = triggered(&world, &program, 1).await;
    all_ended(&program, &cases, "done").await;
    assert_once(&world.simulator.effects(), &cases);
    assert_eq!(count(&world, Operation::GenesysCreateSession), 1);
}

fn page(status: u16) -> What {
    What::Status {
        status,
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: "<!doctype html><html><body>Not Found</body></html>".to_owned(),
    }
}

/// A process that only knows what a read looked like asks the ledger before it tries another contract.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_has_proven_is_not_tried_again() {
    let world = World::with(offers()).await;
    let program = world.start("serve", AUTO).await;
    let waits = world.case_with(ConversationSpec::default());
    trigger(&world, &program, &waits).await;
    parked(&program, &waits, "no_agent_connected").await;
    let ledger = rusqlite::Connection::open(world.ledger()).unwrap();
    let proven = r#"{"contract":"conversation","confirmed":true,"shows_sessions":false}"#;
    let changed = ledger.execute("UPDATE findings SET finding = ?1", [proven]);
    assert_eq!(changed.unwrap(), 1);
    next(&world, Operation::GenesysOfferSession, What::status(404));
    let case = world.case();
    trigger(&world, &program, &case).await;
    ended(&program, &case, "dead").await;
    assert_eq!(count(&world, Operation::GenesysCreateSession), 0);
}

/// The attempt that tried the other contract ends before it knows; the next one reads the conversation by that one.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_under_a_contract_is_looked_for_under_it() {
    let world = World::with(Config {
        shows_state: true,
        ..offers()
    })
    .await;
    let settings = [AUTO[0], ("WORKER_SETTLE", "4s")];
    let program = world.start("serve", &settings).await;
    next(&world, Operation::GenesysOfferSession, What::LoseAnswer);
    let case = world.case();
    trigger(&world, &program, &case).await;
    ended(&program, &case, "done").await;
    assert!(attempts(&program, &case).len() > 1);
    let effects = world.simulator.effects();
    assert_eq!(effects.sessions.len(), 1);
    assert_once(&effects, &[case]);
}

/// That a session is shown once somebody has joined says nothing about one that nobody has.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_joined_does_not_prove_that_offers_are_shown() {
    let world = World::with(Config {
        shows_offers: false,
        ..offers()
    })
    .await;
    let program = world.start("serve", &[]).await;
    let first = world.case();
    trigger(&world, &program, &first).await;
    let offered = world.until(|effects| effects.attached == 1).await;
    let session = &offered.sessions[0].id;
    assert!(world.simulator.join_cobrowse(&first.conversation, session));
    ended(&program, &first, "done").await;
    let note = note_of(&world.simulator.effects(), &first);
    assert!(note.starts_with("Cobrowse session ready"), "{note}");
    next(&world, Operation::GenesysOfferSession, What::LoseAnswer);
    let case = world.case();
    trigger(&world, &program, &case).await;
    ended(&program, &case, "dead").await;
    assert_letter(&letter(&world).await, &case, "session_outcome_unknown", 1);
    assert_eq!(count(&world, Operation::GenesysOfferSession), 2);
}

/// The answer was lost, and the customer said no before anybody looked.
#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_has_declined_is_not_asked_again() {
    let world = World::with(offers()).await;
    let program = world.start("serve", &[]).await;
    next(&world, Operation::GenesysOfferSession, What::LoseAnswer);
    let case = world.case();
    trigger(&world, &program, &case).await;
    let offered = world.until(|effects| effects.attached == 1).await;
    let session = &offered.sessions[0].id;
    assert!(world.simulator.end_cobrowse(&case.conversation, session));
    ended(&program, &case, "done").await;
    let effects = world.simulator.effects();
    assert_eq!(effects.sessions.len(), 1);
    let note = note_of(&effects, &case);
    assert!(note.contains("declined or has ended since"), "{note}");
}

/// What stands where the sessions should be may be one.
#[tokio::test(flavor = "multi_thread")]
async fn beside_a_session_that_cannot_be_read_none_is_offered() {
    let world = World::with(offers()).await;
    let program = world.start("serve", &[]).await;
    let agent = json!({
        "purpose": "agent", "userId": "agent-1", "connectedTime": 7,
        "messages": [{"type": "webmessaging", "state": "connected"}], "cobrowsesessions": {"live": true},
    });
    let body = json!({"participants": [agent]}).to_string();
    let shown = What::Status {
        status: 200,
        headers: Vec::new(),
        body,
    };
    always(&world, Operation::GenesysConversation, shown);
    let case = world.case();
    trigger(&world, &program, &case).await;
    ended(&program, &case, "done").await;
    assert_eq!(count(&world, Operation::GenesysOfferSession), 0);
    let note = note_of(&world.simulator.effects(), &case);
    assert!(note.contains("already running"), "{note}");
}
