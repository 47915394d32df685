//! What is forgotten, and what is kept.

use std::sync::Arc;
use std::time::Duration;

use escalator::escalation::{ConversationId, End, IncidentId, SessionLink};
use escalator::ledger::{ConversationClaim, Ledger, LinkChange, Pruned, Record, Retention, Then};

use super::{
    LONG, at, conversation, conversation_granted, created, first, granted, incident, record,
    release, session, wants,
};

/// Everything that has ended is old.
const ALL: Retention = Retention {
    escalations: Duration::ZERO,
    links: Duration::ZERO,
    at_most: 100_000,
};

/// The clock of a ledger counts milliseconds: what is to be older than nothing needs one of them.
async fn a_moment_later() {
    // That time passes is the event.
    tokio::time::sleep(Duration::from_millis(5)).await;
}

async fn forget(ledger: &dyn Ledger, retention: Retention) -> Pruned {
    a_moment_later().await;
    ledger.prune(&retention).await.unwrap()
}

/// An escalation with a session, that ends.
async fn ended(ledger: &dyn Ledger, incident: &IncidentId, conversation: &ConversationId) {
    let held = granted(ledger, first(incident)).await.held;
    let (on, _) = conversation_granted(ledger, &held, conversation, LONG).await;
    let link = LinkChange::Set(Some(SessionLink::new("https://join.example/1".to_owned())));
    let last = Record {
        cobrowse: Some(created(&on, &session(), link)),
        ..record(
            &held,
            Then::End {
                end: End::Done,
                conversation: Some(on),
            },
        )
    };
    ledger.record(last).await.unwrap();
}

async fn is_known(ledger: &dyn Ledger, incident: &IncidentId) -> bool {
    !ledger.generations(incident).await.unwrap().is_empty()
}

/// Whether the ledger still knows a session in this conversation.
async fn has_session(ledger: &dyn Ledger, conversation: &ConversationId) -> bool {
    let held = granted(ledger, first(&incident())).await.held;
    let (_, cobrowse) = conversation_granted(ledger, &held, conversation, LONG).await;
    cobrowse.session.done().is_some()
}

pub(super) async fn what_ended_long_ago_is_forgotten_with_all_that_belongs_to_it(
    ledger: Arc<dyn Ledger>,
) {
    let (incident, conversation) = (incident(), conversation());
    ended(&*ledger, &incident, &conversation).await;
    ledger.resolve(&incident, at(30)).await.unwrap();
    let key = ledger.generations(&incident).await.unwrap().remove(0).key;
    let pruned = forget(&*ledger, ALL).await;
    assert!(pruned.escalations >= 1 && pruned.conversations >= 1 && pruned.resolutions >= 1);
    assert!(!is_known(&*ledger, &incident).await);
    assert!(ledger.history(&key).await.unwrap().is_empty());
    assert!(!has_session(&*ledger, &conversation).await);
    let again = granted(&*ledger, first(&incident)).await;
    assert_eq!((again.resolved_at, again.held.epoch), (None, 1));
}

pub(super) async fn what_is_held_or_young_is_kept(ledger: Arc<dyn Ledger>) {
    let (held, young) = (incident(), incident());
    let request = super::ClaimRequest {
        accepted_at: jiff::Timestamp::now(),
        ..first(&held)
    };
    granted(&*ledger, request).await;
    forget(&*ledger, ALL).await;
    assert!(is_known(&*ledger, &held).await);
    ended(&*ledger, &young, &conversation()).await;
    let retention = Retention {
        escalations: LONG,
        ..ALL
    };
    forget(&*ledger, retention).await;
    assert!(is_known(&*ledger, &young).await);
}

pub(super) async fn a_conversation_that_others_still_tell_of_is_kept(ledger: Arc<dyn Ledger>) {
    let (incident, conversation) = (incident(), conversation());
    ended(&*ledger, &incident, &conversation).await;
    let other = granted(&*ledger, first(&super::incident())).await.held;
    let (on, _) = conversation_granted(&*ledger, &other, &conversation, LONG).await;
    forget(&*ledger, ALL).await;
    assert!(!is_known(&*ledger, &incident).await);
    let release = Record {
        then: Then::Release {
            conversation: Some(on),
        },
        ..release(&other)
    };
    ledger.record(release).await.unwrap();
    assert!(has_session(&*ledger, &conversation).await);
}

pub(super) async fn a_link_is_forgotten_before_its_escalation(ledger: Arc<dyn Ledger>) {
    let (incident, conversation) = (incident(), conversation());
    ended(&*ledger, &incident, &conversation).await;
    let other = granted(&*ledger, first(&super::incident())).await.held;
    let claim = ledger.claim_conversation(wants(&other, &conversation, LONG));
    let Ok(ConversationClaim::Granted { cobrowse, .. }) = claim.await else {
        panic!("not granted");
    };
    let session = cobrowse.session.done().unwrap();
    let link = async || ledger.link(&conversation, session).await.unwrap();
    let keep = Retention {
        escalations: LONG,
        links: LONG,
        ..ALL
    };
    forget(&*ledger, keep).await;
    assert!(link().await.is_some());
    let retention = Retention {
        escalations: LONG,
        ..ALL
    };
    assert!(forget(&*ledger, retention).await.links >= 1);
    assert!(link().await.is_none());
    assert!(is_known(&*ledger, &incident).await);
}

pub(super) async fn not_more_is_forgotten_in_one_call_than_was_asked_for(ledger: Arc<dyn Ledger>) {
    for _ in 0..5 {
        ended(&*ledger, &incident(), &conversation()).await;
    }
    let few = Retention { at_most: 2, ..ALL };
    let pruned = forget(&*ledger, few).await;
    assert!(pruned.escalations <= 2, "{pruned:?}");
    assert!(pruned.is_full(&few));
}

pub(super) async fn a_history_longer_than_one_call_may_take_goes_bit_by_bit(
    ledger: Arc<dyn Ledger>,
) {
    let incident = incident();
    let held = granted(&*ledger, first(&incident)).await.held;
    for _ in 0..70 {
        let told = record(&held, Then::Continue);
        ledger.record(told).await.unwrap();
    }
    let end = Then::End {
        end: End::Done,
        conversation: None,
    };
    ledger.record(record(&held, end)).await.unwrap();
    let few = Retention { at_most: 2, ..ALL };
    let pruned = forget(&*ledger, few).await;
    assert_eq!((pruned.escalations, pruned.history), (0, 40), "{pruned:?}");
    assert!(pruned.is_full(&few), "there is more to forget");
    assert!(is_known(&*ledger, &incident).await);
    assert_eq!(forget(&*ledger, few).await.escalations, 1);
    assert!(!is_known(&*ledger, &incident).await);
    assert!(ledger.history(&held.key).await.unwrap().is_empty());
}
