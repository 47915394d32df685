//! What is kept.

use std::sync::Arc;

use escalator::escalation::{
    Agent, AgentId, Code, Context, Contract, Entry, FailureNote, GaveUp, Intent, Key, NoteId,
    Offer, Progress, Step, Trigger, Write,
};
use escalator::ledger::{ClaimRequest, Ledger, Record, Then};

use super::{at, conversation, entry, first, granted, incident, record, release, session, told};

fn full() -> Progress {
    Progress {
        context: Some(Context {
            conversation: conversation(),
            agent: Some(AgentId::parse("agent-1").unwrap()),
            ambiguous: true,
        }),
        waiting_since: Some(at(1)),
        agent: Some(Agent {
            id: AgentId::parse("agent-2").unwrap(),
            instead_of: Some(AgentId::parse("agent-1").unwrap()),
        }),
        asked_at: Some(at(2)),
        offer: Some(Offer::Ours {
            session: session(),
            started_at: at(3),
            contract: Contract::Conversation,
            shown: false,
            ends: Some(at(4)),
            ended: true,
        }),
        setbacks: 4,
        not_before: None,
        gave_up: Some(GaveUp {
            code: Code::GenesysUnavailable,
            reason: "the last attempt failed".to_owned(),
        }),
        takeovers_before: 3,
        held_up_at: None,
        note: Write::Intended(Intent {
            epoch: 5,
            deadline: at(6),
            absent_at: Some(at(7)),
        }),
        failure_note: Some(FailureNote {
            note: Some(NoteId::parse("P2").unwrap()),
            in_doubt_until: Some(at(8)),
        }),
    }
}

pub(super) async fn progress_comes_back_as_it_was_recorded(ledger: Arc<dyn Ledger>) {
    let done = Progress {
        offer: Some(Offer::Running),
        note: Write::Done {
            at: at(8),
            result: NoteId::parse("P1").unwrap(),
        },
        failure_note: None,
        ..full()
    };
    for progress in [Progress::default(), full(), done] {
        let incident = incident();
        let held = granted(&*ledger, first(&incident)).await.held;
        let last = Record {
            progress: progress.clone(),
            attempts: 11,
            ..release(&held)
        };
        ledger.record(last).await.unwrap();
        let again = granted(&*ledger, first(&incident)).await;
        assert_eq!((again.progress, again.attempts), (progress, 11));
    }
}

pub(super) async fn the_first_message_of_a_key_says_when_it_was_accepted(ledger: Arc<dyn Ledger>) {
    let incident = incident();
    let held = granted(&*ledger, first(&incident)).await.held;
    ledger.record(release(&held)).await.unwrap();
    let second = ClaimRequest {
        accepted_at: at(500),
        occurred_at: at(400),
        ..first(&incident)
    };
    let again = granted(&*ledger, second).await;
    assert_eq!((again.accepted_at, again.occurred_at), (at(1), at(0)));
}

pub(super) async fn history_keeps_its_order_over_many_records(ledger: Arc<dyn Ledger>) {
    let incident = incident();
    let held = granted(&*ledger, first(&incident)).await.held;
    let whole = Entry {
        code: Some(Code::GenesysThrottled),
        step: Some(Step::Note),
        ..entry(&held, "whole")
    };
    let several = Record {
        history: vec![whole.clone(), entry(&held, "b"), entry(&held, "a")],
        ..record(&held, Then::Continue)
    };
    ledger.record(several).await.unwrap();
    let silent = Record {
        history: Vec::new(),
        ..record(&held, Then::Continue)
    };
    ledger.record(silent).await.unwrap();
    ledger.record(release(&held)).await.unwrap();
    let again = granted(&*ledger, first(&incident)).await.held;
    // The time of an entry is its writer's clock, which may be behind; the order is that of the records.
    let earlier = Record {
        history: vec![Entry {
            at: at(0),
            ..entry(&again, "by the next")
        }],
        ..record(&again, Then::Continue)
    };
    ledger.record(earlier).await.unwrap();
    assert_eq!(
        told(&*ledger, &held.key).await,
        ["whole", "b", "a", "recorded", "by the next"]
    );
    let history = ledger.history(&held.key).await.unwrap();
    assert!(history.contains(&whole), "{history:?}");
}

pub(super) async fn nobody_has_a_history_before_it_has_one(ledger: Arc<dyn Ledger>) {
    let key = Key::of(&incident(), &Trigger::First);
    assert!(ledger.history(&key).await.unwrap().is_empty());
}
