//! The intent to create a session, put down with the claim on its conversation.

use std::sync::Arc;

use escalator::escalation::{Cobrowse, Contract, ConversationId, Entry, Intent, Progress, Write};
use escalator::ledger::{
    ConversationClaim, ConversationRequest, Error, Held, IntendSession, Ledger, LinkChange, Record,
    Then,
};

use super::{
    LONG, SHORT, at, at_once, conversation, conversation_granted, created, entry, first, granted,
    granted_when_free, incident, record, release, session, shortly, told, wants,
};

fn intent(epoch: u64) -> Intent {
    Intent {
        epoch,
        deadline: at(60),
        absent_at: None,
    }
}

/// Progress that only a request with an intent brings.
fn asking() -> Progress {
    Progress {
        asked_at: Some(at(50)),
        ..Progress::default()
    }
}

fn intending(held: &Held, conversation: &ConversationId) -> ConversationRequest {
    let history: Vec<Entry> = vec![entry(held, "asks")];
    ConversationRequest {
        intend: Some(Box::new(IntendSession {
            contract: Contract::Conversation,
            there_before: vec![session()],
            intent: intent(held.epoch),
            progress: asking(),
            attempts: 3,
            history,
            occurred_at: at(0),
        })),
        ..wants(held, conversation, LONG)
    }
}

async fn claimed(ledger: &dyn Ledger, request: ConversationRequest) -> (Cobrowse, bool) {
    match ledger.claim_conversation(request).await.unwrap() {
        ConversationClaim::Granted {
            cobrowse, intended, ..
        } => (cobrowse, intended),
        other => panic!("not granted: {other:?}"),
    }
}

pub(super) async fn where_no_session_is_known_the_claim_puts_the_intent_down(
    ledger: Arc<dyn Ledger>,
) {
    let (incident, conversation) = (incident(), conversation());
    let held = granted(&*ledger, shortly(first(&incident))).await.held;
    let (cobrowse, intended) = claimed(&*ledger, intending(&held, &conversation)).await;
    assert!(intended);
    assert_eq!(cobrowse.session, Write::Intended(intent(held.epoch)));
    // Its worker crashes: the next one finds all of it.
    let next = granted_when_free(&*ledger, first(&incident)).await;
    assert_eq!((next.progress, next.attempts), (asking(), 3));
    assert_eq!(told(&*ledger, &held.key).await, ["asks"]);
    let (_, cobrowse) = conversation_granted(&*ledger, &next.held, &conversation, LONG).await;
    assert_eq!(cobrowse.session, Write::Intended(intent(held.epoch)));
}

pub(super) async fn of_two_intents_at_once_one_is_put_down(ledger: Arc<dyn Ledger>) {
    for _ in 0..20 {
        let conversation = conversation();
        let mut held = Vec::new();
        for _ in 0..2 {
            held.push(granted(&*ledger, first(&incident())).await.held);
        }
        let claims = at_once(2, |number| {
            let (ledger, request) = (ledger.clone(), intending(&held[number], &conversation));
            async move { ledger.claim_conversation(request).await.unwrap() }
        })
        .await;
        let intended = claims
            .iter()
            .filter(|c| matches!(c, ConversationClaim::Granted { intended: true, .. }))
            .count();
        let refused = claims
            .iter()
            .filter(|c| matches!(c, ConversationClaim::Held { .. }))
            .count();
        assert_eq!((intended, refused), (1, 1), "{claims:?}");
    }
}

pub(super) async fn where_something_is_known_the_intent_is_not_put_down(ledger: Arc<dyn Ledger>) {
    let (conversation, session) = (conversation(), session());
    let before = granted(&*ledger, first(&incident())).await.held;
    let (on, _) = conversation_granted(&*ledger, &before, &conversation, LONG).await;
    let record = Record {
        cobrowse: Some(created(&on, &session, LinkChange::Keep)),
        ..record(
            &before,
            Then::Release {
                conversation: Some(on),
            },
        )
    };
    ledger.record(record).await.unwrap();
    let incident = incident();
    let held = granted(&*ledger, first(&incident)).await.held;
    let (cobrowse, intended) = claimed(&*ledger, intending(&held, &conversation)).await;
    assert!(!intended);
    assert_eq!(cobrowse.session.done(), Some(&session));
    ledger.record(release(&held)).await.unwrap();
    let again = granted(&*ledger, first(&incident)).await;
    assert_eq!(again.progress, Progress::default(), "nothing came with it");
    assert_eq!(told(&*ledger, &held.key).await, ["recorded"]);
}

pub(super) async fn a_resolution_since_then_forbids_the_intent(ledger: Arc<dyn Ledger>) {
    let (incident, conversation) = (incident(), conversation());
    let held = granted(&*ledger, first(&incident)).await.held;
    ledger.resolve(&incident, at(0)).await.unwrap();
    let (cobrowse, intended) = claimed(&*ledger, intending(&held, &conversation)).await;
    assert_eq!((cobrowse, intended), (Cobrowse::default(), false));
}

pub(super) async fn an_older_resolution_does_not_forbid_the_intent(ledger: Arc<dyn Ledger>) {
    let (incident, conversation) = (incident(), conversation());
    let held = granted(&*ledger, first(&incident)).await.held;
    ledger.resolve(&incident, at(-1)).await.unwrap();
    let (_, intended) = claimed(&*ledger, intending(&held, &conversation)).await;
    assert!(intended);
}

pub(super) async fn an_old_epoch_puts_no_intent_down(ledger: Arc<dyn Ledger>) {
    let (incident, conversation) = (incident(), conversation());
    let request = super::ClaimRequest {
        lease: SHORT,
        ..first(&incident)
    };
    let old = granted(&*ledger, request).await.held;
    let new = granted_when_free(&*ledger, first(&incident)).await.held;
    let refused = ledger
        .claim_conversation(intending(&old, &conversation))
        .await;
    assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
    let (_, cobrowse) = conversation_granted(&*ledger, &new, &conversation, LONG).await;
    assert_eq!(cobrowse, Cobrowse::default());
}
