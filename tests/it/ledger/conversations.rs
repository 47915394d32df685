//! Who may act for a conversation, and what is known of its session.

use std::sync::Arc;
use std::time::Duration;

use escalator::escalation::{End, SessionLink};
use escalator::ledger::{Claim, ConversationClaim, Error, Held, Ledger, LinkChange, Record, Then};

use super::{
    LONG, SHORT, at_once, conversation, conversation_granted, created, first, granted, incident,
    lease_ended, record, session, shortly, told, wants,
};

/// A claim on an escalation of its own.
async fn somebody(ledger: &dyn Ledger) -> Held {
    granted(ledger, first(&incident())).await.held
}

async fn is_held(ledger: &dyn Ledger, who: &Held, conversation: &str, at_most: Duration) {
    let conversation = escalator::escalation::ConversationId::parse(conversation).unwrap();
    let claim = ledger
        .claim_conversation(wants(who, &conversation, LONG))
        .await;
    assert!(
        matches!(&claim, Ok(ConversationClaim::Held { free_in }) if *free_in <= at_most),
        "{claim:?}"
    );
}

pub(super) async fn of_two_escalations_at_once_one_gets_the_conversation(ledger: Arc<dyn Ledger>) {
    for _ in 0..20 {
        let conversation = conversation();
        let held = [somebody(&*ledger).await, somebody(&*ledger).await];
        let claims = at_once(2, |number| {
            let (ledger, conversation) = (ledger.clone(), conversation.clone());
            let held = held[number].clone();
            async move {
                ledger
                    .claim_conversation(wants(&held, &conversation, LONG))
                    .await
            }
        })
        .await;
        let granted = claims
            .iter()
            .filter(|claim| matches!(claim, Ok(ConversationClaim::Granted { .. })));
        assert_eq!(granted.count(), 1, "{claims:?}");
        let refused = claims
            .iter()
            .filter(|claim| matches!(claim, Ok(ConversationClaim::Held { .. })));
        assert_eq!(refused.count(), 1, "{claims:?}");
    }
}

pub(super) async fn the_same_escalation_gets_its_conversation_again(ledger: Arc<dyn Ledger>) {
    let (incident, conversation) = (incident(), conversation());
    let crashed = granted(&*ledger, shortly(first(&incident))).await.held;
    let (old, _) = conversation_granted(&*ledger, &crashed, &conversation, LONG).await;
    lease_ended().await;
    let held = granted(&*ledger, first(&incident)).await.held;
    let (new, _) = conversation_granted(&*ledger, &held, &conversation, LONG).await;
    assert!(new.epoch > old.epoch);
    let late = Record {
        cobrowse: Some(created(&old, &session(), LinkChange::Keep)),
        ..record(&held, Then::Continue)
    };
    let refused = ledger.record(late).await;
    assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
}

pub(super) async fn a_conversation_whose_lease_ended_goes_to_the_next(ledger: Arc<dyn Ledger>) {
    let (conversation, session) = (conversation(), session());
    let (one, other) = (somebody(&*ledger).await, somebody(&*ledger).await);
    let (part, before) = conversation_granted(&*ledger, &one, &conversation, SHORT).await;
    assert_eq!(before, escalator::escalation::Cobrowse::default());
    let kept = created(&part, &session, LinkChange::Keep);
    let with_session = Record {
        cobrowse: Some(kept.clone()),
        ..record(&one, Then::Continue)
    };
    ledger.record(with_session).await.unwrap();
    is_held(&*ledger, &other, conversation.as_str(), SHORT).await;
    lease_ended().await;
    let (next, cobrowse) = conversation_granted(&*ledger, &other, &conversation, LONG).await;
    assert!(next.epoch > part.epoch);
    assert_eq!(cobrowse, kept.cobrowse, "what is known of it goes along");
}

pub(super) async fn a_conversation_given_back_with_a_record_is_free_at_once(
    ledger: Arc<dyn Ledger>,
) {
    given_back(&*ledger, |conversation| Then::Release { conversation }).await;
}

pub(super) async fn a_conversation_given_back_at_the_end_is_free_at_once(ledger: Arc<dyn Ledger>) {
    given_back(&*ledger, |conversation| Then::End {
        end: End::Done,
        conversation,
    })
    .await;
}

/// The answer to its claim was lost: whoever holds it does not know, and still gives it back.
pub(super) async fn a_conversation_that_its_holder_does_not_know_of_is_free_with_the_escalation(
    ledger: Arc<dyn Ledger>,
) {
    for then in [
        Then::Release { conversation: None },
        Then::End {
            end: End::Done,
            conversation: None,
        },
    ] {
        let conversation = conversation();
        let (one, other) = (somebody(&*ledger).await, somebody(&*ledger).await);
        let (part, _) = conversation_granted(&*ledger, &one, &conversation, LONG).await;
        ledger.record(record(&one, Then::Continue)).await.unwrap();
        is_held(&*ledger, &other, conversation.as_str(), LONG).await;
        ledger.record(record(&one, then.clone())).await.unwrap();
        let (next, _) = conversation_granted(&*ledger, &other, &conversation, LONG).await;
        assert!(next.epoch > part.epoch);
        // What ends later, and has not held it for long, frees nobody else's.
        let third = somebody(&*ledger).await;
        is_held(&*ledger, &third, conversation.as_str(), LONG).await;
        let claim = wants(&third, &conversation, LONG);
        ledger.claim_conversation(claim).await.unwrap();
        ledger.record(record(&third, then)).await.unwrap();
        let fourth = somebody(&*ledger).await;
        is_held(&*ledger, &fourth, conversation.as_str(), LONG).await;
    }
}

async fn given_back(
    ledger: &dyn Ledger,
    then: impl Fn(Option<escalator::ledger::HeldConversation>) -> Then,
) {
    let conversation = conversation();
    let (one, other) = (somebody(ledger).await, somebody(ledger).await);
    let (part, _) = conversation_granted(ledger, &one, &conversation, LONG).await;
    is_held(ledger, &other, conversation.as_str(), LONG).await;
    let kept = created(&part, &session(), LinkChange::Keep);
    let last = Record {
        cobrowse: Some(kept.clone()),
        ..record(&one, then(Some(part.clone())))
    };
    ledger.record(last).await.unwrap();
    let (next, cobrowse) = conversation_granted(ledger, &other, &conversation, LONG).await;
    assert!(next.epoch > part.epoch);
    assert_eq!(cobrowse, kept.cobrowse, "it was written before it was free");
}

pub(super) async fn only_who_holds_the_escalation_gets_its_conversation(ledger: Arc<dyn Ledger>) {
    let held = somebody(&*ledger).await;
    let never = Held {
        epoch: held.epoch + 1,
        ..held.clone()
    };
    let conversation = conversation();
    let refused = ledger
        .claim_conversation(wants(&never, &conversation, LONG))
        .await;
    assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
    conversation_granted(&*ledger, &held, &conversation, LONG).await;
}

pub(super) async fn an_old_epoch_of_the_conversation_undoes_the_whole_record(
    ledger: Arc<dyn Ledger>,
) {
    let (incident, conversation) = (incident(), conversation());
    let one = granted(&*ledger, shortly(first(&incident))).await.held;
    let (old, _) = conversation_granted(&*ledger, &one, &conversation, SHORT).await;
    lease_ended().await;
    let other = somebody(&*ledger).await;
    conversation_granted(&*ledger, &other, &conversation, LONG).await;
    // The escalation is still ours: only the conversation is not.
    for then in [
        Then::Continue,
        Then::Release { conversation: None },
        Then::End {
            end: End::Done,
            conversation: None,
        },
    ] {
        let late = Record {
            attempts: 5,
            cobrowse: Some(created(&old, &session(), LinkChange::Set(None))),
            ..record(&one, then)
        };
        let refused = ledger.record(late).await;
        assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
    }
    assert!(told(&*ledger, &one.key).await.is_empty());
    let again = granted(&*ledger, first(&incident)).await;
    assert_eq!(again.attempts, 0);
    assert!(again.recovered, "the refused Release gave nothing back");
}

pub(super) async fn an_old_epoch_of_the_conversation_cannot_be_given_back(ledger: Arc<dyn Ledger>) {
    let conversation = conversation();
    let (one, other) = (somebody(&*ledger).await, somebody(&*ledger).await);
    let (old, _) = conversation_granted(&*ledger, &one, &conversation, SHORT).await;
    lease_ended().await;
    conversation_granted(&*ledger, &other, &conversation, LONG).await;
    let late = Then::Release {
        conversation: Some(old),
    };
    let refused = ledger.record(record(&one, late)).await;
    assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
    is_held(&*ledger, &one, conversation.as_str(), LONG).await;
}

pub(super) async fn both_leases_are_renewed_or_neither(ledger: Arc<dyn Ledger>) {
    let (incident, conversation) = (incident(), conversation());
    let one = granted(&*ledger, shortly(first(&incident))).await.held;
    let (part, _) = conversation_granted(&*ledger, &one, &conversation, SHORT).await;
    ledger.renew(&one, Some(&part), LONG).await.unwrap();
    lease_ended().await;
    let other = somebody(&*ledger).await;
    is_held(&*ledger, &other, conversation.as_str(), LONG).await;
    let claim = ledger.claim(first(&incident)).await.unwrap();
    assert!(matches!(claim, Claim::Held { .. }), "{claim:?}");

    let mut old = part.clone();
    old.epoch -= 1;
    let refused = ledger.renew(&one, Some(&old), LONG * 2).await;
    assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
    let claim = ledger.claim(first(&incident)).await.unwrap();
    assert!(
        matches!(claim, Claim::Held { free_in, .. } if free_in <= LONG),
        "{claim:?}"
    );
}

pub(super) async fn a_link_is_shown_for_its_session_only(ledger: Arc<dyn Ledger>) {
    let (conversation, ours) = (conversation(), session());
    let link = SessionLink::new("https://join.example/1".to_owned());
    let held = somebody(&*ledger).await;
    let (part, _) = conversation_granted(&*ledger, &held, &conversation, LONG).await;
    let write = async |session, link| {
        let with_link = Record {
            cobrowse: Some(created(&part, session, link)),
            ..record(&held, Then::Continue)
        };
        ledger.record(with_link).await.unwrap();
    };
    let read = async |session| ledger.link(&conversation, session).await.unwrap();
    assert_eq!(read(&ours).await, None);
    write(&ours, LinkChange::Set(Some(link.clone()))).await;
    assert_eq!(read(&ours).await, Some(link.clone()));
    write(&ours, LinkChange::Keep).await;
    assert_eq!(read(&ours).await, Some(link.clone()));
    let other = session();
    assert_eq!(read(&other).await, None, "not the session of this link");
    write(&other, LinkChange::Set(None)).await;
    assert_eq!(read(&other).await, None, "it was created without one");
    assert_eq!(read(&ours).await, None, "the conversation has another now");
}
