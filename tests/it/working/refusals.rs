//! What is refused: by the set-up (it waits), by the message (it is final), or for too long (it gives up).

use std::time::Duration;

use escalator::simulator::{Channel, Config, ConversationSpec, Operation, What};

use super::{
    all_ended, always, asked_genesys, attempts, count, dead, delay, ended, next, parked, trigger,
};
use crate::support::world::{World, assert_once, real_notes, tells_of_a_death};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_set_up_parks_the_work_until_it_is_right() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let from_unknown = What::Status {
        status: 400,
        headers: Vec::new(),
        body: r#"{"error":{"message":"You must specify a user's email address in the \"From\" header to perform this action","code":2016}}"#.to_owned(),
    };
    let missing = What::Status {
        status: 403,
        headers: Vec::new(),
        body: r#"{"message":"Unable to perform the requested action. You are missing the following permission(s): conversation:cobrowse:add","code":"missing.permissions","status":403}"#.to_owned(),
    };
    let mut cases = Vec::new();
    for (operation, what, code) in [
        (
            Operation::GenesysAttachMedia,
            missing,
            "genesys_permission_missing",
        ),
        (
            Operation::GenesysCreateSession,
            What::status(404),
            "genesys_route_unknown",
        ),
        (
            Operation::PagerdutyCreateNote,
            from_unknown,
            "pagerduty_from_refused",
        ),
    ] {
        next(&world, operation, what);
        let case = world.case();
        trigger(&world, &program, &case).await;
        let wait = delay(&parked(&program, &case, code).await);
        assert!(
            (Duration::from_secs(15)..=Duration::from_secs(30)).contains(&wait),
            "{wait:?}"
        );
        cases.push(case);
    }
    all_ended(&program, &cases, "done").await;
    let effects = world.simulator.effects();
    assert_once(&effects, &cases);
    assert!(effects.orphans().is_empty());
    for case in &cases {
        assert_eq!(attempts(&program, case).pop().unwrap()["attempts"], 0);
    }
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_does_not_take_cobrowse_is_final() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let case = world.case_with(ConversationSpec {
        channel: Channel::Voice,
        cobrowse: false,
        ..ConversationSpec::with_agent("agent-1")
    });
    trigger(&world, &program, &case).await;
    let letter = dead(&world, &program, &case, "cobrowse_not_possible", 0).await;
    let reason = letter["reason"].as_str().unwrap();
    assert!(reason.contains("does not support cobrowse"), "{reason}");
    let effects = world.simulator.effects();
    assert_eq!((effects.sessions.len(), effects.attached), (1, 0));
    assert_eq!(real_notes(&effects), 0);
    assert_eq!(count(&world, Operation::GenesysAttachMedia), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_looked_into_before_anything_is_sent_again() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    next(&world, Operation::GenesysAttachMedia, What::status(409));
    let case = world.case();
    trigger(&world, &program, &case).await;
    ended(&program, &case, "done").await;
    let effects = world.simulator.effects();
    assert_eq!(effects.sessions.len(), 1);
    assert_once(&effects, &[case]);
    let between: Vec<_> = world
        .simulator
        .requests()
        .into_iter()
        .map(|request| request.operation)
        .skip_while(|operation| *operation != Operation::GenesysAttachMedia)
        .skip(1)
        .take_while(|operation| *operation != Operation::GenesysAttachMedia)
        .collect();
    let looks = [Operation::GenesysConversation; 2];
    assert!(between.ends_with(&looks), "two looks: {between:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_takes_no_more_notes_is_final() {
    let world = World::with(Config {
        note_limit: 0,
        ..Config::default()
    })
    .await;
    let program = world.start("serve", &[]).await;
    let case = world.case();
    trigger(&world, &program, &case).await;
    dead(&world, &program, &case, "note_limit_reached", 0).await;
    let effects = world.simulator.effects();
    assert_eq!((effects.attached, effects.live_notes), (1, 0));
    // Once for the note, and once, by the teller, for the one that says that it was not to be had.
    assert!(count(&world, Operation::PagerdutyCreateNote) <= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_every_time_is_given_up_after_max_attempts() {
    let world = World::new().await;
    let program = world
        .start("serve", &[("ESCALATION_MAX_ATTEMPTS", "2")])
        .await;
    always(&world, Operation::GenesysAttachMedia, What::status(500));
    let case = world.case();
    trigger(&world, &program, &case).await;
    let letter = dead(&world, &program, &case, "genesys_unavailable", 2).await;
    let reason = letter["reason"].as_str().unwrap();
    assert!(
        reason.contains("2 attempts") && reason.contains("attach_media with 500"),
        "{reason}"
    );
    assert_eq!(count(&world, Operation::GenesysAttachMedia), 2);
    let effects = world.simulator.effects();
    assert_eq!((effects.sessions.len(), effects.attached), (1, 0));
    assert_eq!(real_notes(&effects), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_escalation_that_grows_too_old_while_the_vendor_is_away_has_expired() {
    let world = World::new().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let away = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let program = world
        .start(
            "serve",
            &[
                ("GENESYS_API_URL", &away),
                ("ESCALATION_EXPIRES_AFTER", "1s"),
                ("ESCALATION_AGENT_WAIT", "1s"),
            ],
        )
        .await;
    let case = world.case();
    trigger(&world, &program, &case).await;
    dead(&world, &program, &case, "expired", 0).await;
    assert_eq!(asked_genesys(&world), 0);
    assert_eq!(real_notes(&world.simulator.effects()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_attempt_is_looked_behind_before_anything_is_given_up() {
    let world = World::new().await;
    let program = world
        .start("serve", &[("ESCALATION_MAX_ATTEMPTS", "1")])
        .await;
    next(&world, Operation::GenesysAttachMedia, What::LoseAnswer);
    next(&world, Operation::PagerdutyCreateNote, What::LoseAnswer);
    let case = world.case();
    trigger(&world, &program, &case).await;
    ended(&program, &case, "done").await;
    assert_once(&world.simulator.effects(), std::slice::from_ref(&case));
    assert!(world.dead_letters().await.is_empty());

    next(&world, Operation::PagerdutyCreateNote, What::Drop);
    let case = world.case();
    trigger(&world, &program, &case).await;
    dead(&world, &program, &case, "pagerduty_unavailable", 1).await;
    let effects = world.simulator.effects();
    let notes = effects.notes_of(&case.incident);
    assert!(notes.iter().all(|note| tells_of_a_death(&note.content)));
}
