//! What the conversation allows: it may be over or unknown, wait for an agent, or have a session already.

use std::time::Duration;

use escalator::simulator::{
    Channel, CobrowseApi, Config, ConversationSpec, IncidentSpec, Operation,
};

use super::{assert_letter, count, dead, delay, ended, letters, parked, trigger};
use crate::support::world::{Case, World, assert_once, real_notes};

/// Whatever holds for a conversation holds under both contracts.
macro_rules! under_both {
    ($($test:ident)*) => {
        mod sessions {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$test(World::new().await).await;
                }
            )*
        }

        mod conversation {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    let config = Config {
                        cobrowse_api: CobrowseApi::Conversation,
                        ..Config::default()
                    };
                    super::$test(World::with(config).await).await;
                }
            )*
        }
    };
}

under_both! {
    a_conversation_that_is_over_or_unknown_is_final_at_once
    it_waits_for_an_agent_at_no_cost_and_goes_on_once_one_connects
    an_agent_who_never_connects_is_waited_for_no_longer_than_agent_wait
    the_note_names_the_agent_and_says_when_it_is_not_the_one_of_the_alert
    beside_a_session_that_is_running_no_second_one_is_started
    two_incidents_of_one_conversation_at_once_share_one_session
    on_a_call_it_is_offered_as_well
}

async fn on_a_call_it_is_offered_as_well(world: World) {
    let program = world.start("serve", &[]).await;
    let case = world.case_with(ConversationSpec {
        channel: Channel::Voice,
        ..ConversationSpec::with_agent("agent-1")
    });
    trigger(&world, &program, &case).await;
    ended(&program, &case, "done").await;
    assert_once(&world.simulator.effects(), &[case]);
}

async fn a_conversation_that_is_over_or_unknown_is_final_at_once(world: World) {
    let program = world.start("serve", &[]).await;
    let over = world.case_with(ConversationSpec {
        over: true,
        ..ConversationSpec::with_agent("agent-1")
    });
    let stranger = "00000000-0000-4000-8000-000000000000";
    let unknown = Case {
        incident: world.simulator.open_incident(IncidentSpec::about(stranger)),
        conversation: stranger.to_owned(),
    };
    for case in [&over, &unknown] {
        trigger(&world, &program, case).await;
    }
    for (case, code) in [
        (&over, "conversation_over"),
        (&unknown, "conversation_unknown"),
    ] {
        let said = ended(&program, case, "dead").await;
        assert_eq!(
            (&said["code"], &said["attempts"]),
            (&code.into(), &0.into())
        );
    }
    for letter in letters(&world, 2).await {
        if letter["code"] == "conversation_over" {
            assert_letter(&letter, &over, "conversation_over", 0);
        } else {
            assert_letter(&letter, &unknown, "conversation_unknown", 0);
        }
    }
    let effects = world.simulator.effects();
    assert!(effects.sessions.is_empty() && real_notes(&effects) == 0);
    assert_eq!(count(&world, Operation::GenesysConversation), 2);
}

async fn it_waits_for_an_agent_at_no_cost_and_goes_on_once_one_connects(world: World) {
    let program = world.start("serve", &[]).await;
    let case = world.case_with(ConversationSpec::default());
    trigger(&world, &program, &case).await;
    let waiting = parked(&program, &case, "no_agent_connected").await;
    let wait = delay(&waiting);
    assert!(
        (Duration::from_secs(15)..=Duration::from_secs(30)).contains(&wait),
        "{waiting}"
    );
    assert_eq!(count(&world, Operation::GenesysConversation), 1);
    assert!(world.simulator.effects().sessions.is_empty());
    assert!(world.simulator.connect_agent(&case.conversation, "agent-7"));
    let done = ended(&program, &case, "done").await;
    assert_eq!(done["attempts"], 0, "{done}");
    let effects = world.simulator.effects();
    assert!(
        effects.notes_of(&case.incident)[0]
            .content
            .contains("Agent: agent-7")
    );
    assert_once(&effects, &[case]);
}

async fn an_agent_who_never_connects_is_waited_for_no_longer_than_agent_wait(world: World) {
    let program = world
        .start("serve", &[("ESCALATION_AGENT_WAIT", "4s")])
        .await;
    let case = world.case_with(ConversationSpec::default());
    trigger(&world, &program, &case).await;
    parked(&program, &case, "no_agent_connected").await;
    dead(&world, &program, &case, "no_agent_connected", 0).await;
    assert_eq!(count(&world, Operation::GenesysConversation), 2);
    assert!(world.simulator.effects().sessions.is_empty());
}

async fn the_note_names_the_agent_and_says_when_it_is_not_the_one_of_the_alert(world: World) {
    let program = world.start("serve", &[]).await;
    let named = |agent| {
        let spec = ConversationSpec::with_agent("agent-1");
        let conversation = world.simulator.open_conversation(spec);
        let spec = IncidentSpec::about_agent(conversation.clone(), agent);
        Case {
            incident: world.simulator.open_incident(spec),
            conversation,
        }
    };
    let (there, gone) = (named("agent-1"), named("agent-9"));
    for case in [&there, &gone] {
        trigger(&world, &program, case).await;
        ended(&program, case, "done").await;
    }
    let effects = world.simulator.effects();
    let note = |case: &Case| effects.notes_of(&case.incident)[0].content.clone();
    assert!(
        note(&there).contains("\nAgent: agent-1\n"),
        "{}",
        note(&there)
    );
    let said = "\nAgent: agent-1 (the alert named agent-9, who is not connected)\n";
    assert!(note(&gone).contains(said), "{}", note(&gone));
    assert_once(&effects, &[there, gone]);
}

async fn beside_a_session_that_is_running_no_second_one_is_started(world: World) {
    let program = world.start("serve", &[]).await;
    let case = world.case();
    let theirs = world
        .simulator
        .start_foreign_cobrowse(&case.conversation)
        .unwrap();
    trigger(&world, &program, &case).await;
    ended(&program, &case, "done").await;
    let effects = world.simulator.effects();
    assert!(effects.sessions.is_empty() && effects.attachments.is_empty());
    let notes = effects.notes_of(&case.incident);
    assert_eq!(notes.len(), 1);
    assert!(notes[0].content.contains("already running"));
    assert!(
        !notes[0].content.contains(&theirs),
        "it is not ours to show"
    );
}

async fn two_incidents_of_one_conversation_at_once_share_one_session(world: World) {
    let program = world.start("serve", &[]).await;
    let mut pairs = Vec::new();
    for _ in 0..5 {
        let one = world.case();
        let spec = IncidentSpec::about(one.conversation.clone());
        let other = Case {
            incident: world.simulator.open_incident(spec),
            conversation: one.conversation.clone(),
        };
        let (first, second) = (world.trigger(&one), world.trigger(&other));
        tokio::join!(
            world.deliver(&program, &first),
            world.deliver(&program, &second)
        );
        pairs.push([one, other]);
    }
    let cases = pairs.concat();
    super::all_ended(&program, &cases, "done").await;
    let effects = world.simulator.effects();
    assert_eq!((effects.sessions.len(), effects.attached), (5, 5));
    // One attachment of the conversation, and its link in the note of each.
    assert_once(&effects, &cases);
    let looks = count(&world, Operation::GenesysConversation);
    assert!(looks <= 40, "{looks}");
}
