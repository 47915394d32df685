//! Who may act for an escalation.

use std::sync::Arc;
use std::time::Instant;

use escalator::escalation::{Code, End, Progress};
use escalator::ledger::{Claim, Error, Ledger, Record, Then};

use super::{
    LONG, SHORT, at_once, conversation, conversation_granted, created, first, granted,
    granted_when_free, incident, lease_ended, record, release, session, shortly, told, wants,
};
use escalator::ledger::LinkChange;

pub(super) async fn of_fifty_claims_at_once_one_is_granted(ledger: Arc<dyn Ledger>) {
    let incident = incident();
    let claims = at_once(50, |number| {
        let (ledger, mut request) = (ledger.clone(), first(&incident));
        request.owner = format!("it/{number}");
        async move { ledger.claim(request).await.unwrap() }
    })
    .await;
    let mut granted = 0;
    for claim in claims {
        match claim {
            Claim::Granted(_) => granted += 1,
            Claim::Held { free_in, .. } => assert!(free_in <= LONG && !free_in.is_zero()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(granted, 1);
}

pub(super) async fn a_lease_that_ended_is_granted_again_as_recovered(ledger: Arc<dyn Ledger>) {
    let incident = incident();
    let began = Instant::now();
    let before = granted(&*ledger, shortly(first(&incident))).await;
    assert!(!before.recovered, "nobody had it before");
    let after = granted_when_free(&*ledger, first(&incident)).await;
    assert!(began.elapsed() >= SHORT, "the lease was cut short");
    assert!(after.recovered);
    assert!(after.held.epoch > before.held.epoch);
}

pub(super) async fn what_was_given_back_is_granted_at_once_and_not_as_recovered(
    ledger: Arc<dyn Ledger>,
) {
    let incident = incident();
    let before = granted(&*ledger, first(&incident)).await;
    ledger.record(release(&before.held)).await.unwrap();
    let after = granted(&*ledger, first(&incident)).await;
    assert!(!after.recovered);
    assert!(after.held.epoch > before.held.epoch);
}

pub(super) async fn epochs_only_grow(ledger: Arc<dyn Ledger>) {
    let incident = incident();
    let mut last = 0;
    for round in 0..12 {
        let next = granted_when_free(&*ledger, shortly(first(&incident))).await;
        assert!(next.held.epoch > last, "{} after {last}", next.held.epoch);
        last = next.held.epoch;
        // Now and then somebody crashes instead.
        if round % 6 != 0 {
            ledger.record(release(&next.held)).await.unwrap();
        }
    }
}

pub(super) async fn a_renewed_lease_outlives_its_first_span(ledger: Arc<dyn Ledger>) {
    let incident = incident();
    let held = granted(&*ledger, shortly(first(&incident))).await.held;
    ledger.renew(&held, None, LONG).await.unwrap();
    lease_ended().await;
    let claim = ledger.claim(first(&incident)).await.unwrap();
    assert!(
        matches!(claim, Claim::Held { free_in, .. } if free_in > SHORT),
        "{claim:?}"
    );
}

/// A renewal that comes late, as one that was on its way does, must not lock the next worker out.
pub(super) async fn what_was_given_back_cannot_be_renewed(ledger: Arc<dyn Ledger>) {
    let (incident, conversation) = (incident(), conversation());
    let held = granted(&*ledger, first(&incident)).await.held;
    let of_conversation = conversation_granted(&*ledger, &held, &conversation, LONG)
        .await
        .0;
    let release = Then::Release {
        conversation: Some(of_conversation.clone()),
    };
    ledger.record(record(&held, release)).await.unwrap();
    let renewed = ledger.renew(&held, Some(&of_conversation), LONG).await;
    assert!(matches!(renewed, Err(Error::Fenced)), "{renewed:?}");
    let next = granted(&*ledger, first(&incident)).await;
    assert!(!next.recovered);
}

pub(super) async fn every_lease_that_was_not_given_back_is_counted(ledger: Arc<dyn Ledger>) {
    let incident = incident();
    let one = granted(&*ledger, shortly(first(&incident))).await;
    assert_eq!(one.takeovers, 0);
    lease_ended().await;
    let two = granted(&*ledger, first(&incident)).await;
    assert_eq!((two.takeovers, two.recovered), (1, true));
    let release = Then::Release { conversation: None };
    ledger.record(record(&two.held, release)).await.unwrap();
    let three = granted(&*ledger, shortly(first(&incident))).await;
    assert_eq!((three.takeovers, three.recovered), (1, false));
    lease_ended().await;
    assert_eq!(granted(&*ledger, first(&incident)).await.takeovers, 2);
}

pub(super) async fn an_old_epoch_can_write_nothing(ledger: Arc<dyn Ledger>) {
    let (incident, conversation) = (incident(), conversation());
    let old = granted(&*ledger, shortly(first(&incident))).await.held;
    let kept = Progress {
        setbacks: 7,
        ..Progress::default()
    };
    let before = Record {
        progress: kept.clone(),
        attempts: 3,
        ..record(&old, Then::Continue)
    };
    ledger.record(before).await.unwrap();
    let (part, _) = conversation_granted(&*ledger, &old, &conversation, LONG).await;
    let new = granted_when_free(&*ledger, shortly(first(&incident))).await;

    let conversation_part = || Some(part.clone());
    for then in [
        Then::Continue,
        Then::Release {
            conversation: conversation_part(),
        },
        Then::End {
            end: End::Done,
            conversation: conversation_part(),
        },
    ] {
        let late = Record {
            attempts: 9,
            cobrowse: Some(created(&part, &session(), LinkChange::Set(None))),
            ..record(&old, then)
        };
        let refused = ledger.record(late).await;
        assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
    }
    let refused = ledger.renew(&old, Some(&part), LONG).await;
    assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
    let refused = ledger
        .claim_conversation(wants(&old, &conversation, LONG))
        .await;
    assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");

    // Nothing of it shows: the new lease ends when it would have, and what was recorded before stands.
    assert_eq!(told(&*ledger, &new.held.key).await, ["recorded"]);
    let third = granted_when_free(&*ledger, first(&incident)).await;
    assert_eq!((third.progress, third.attempts), (kept, 3));
    let (_, cobrowse) = conversation_granted(&*ledger, &third.held, &conversation, LONG).await;
    assert!(!cobrowse.session.asked(), "{cobrowse:?}");
}

pub(super) async fn whoever_has_ended_it_can_write_nothing_more(ledger: Arc<dyn Ledger>) {
    let held = granted(&*ledger, first(&incident())).await.held;
    let done = || Then::End {
        end: End::Done,
        conversation: None,
    };
    ledger.record(record(&held, done())).await.unwrap();
    for then in [Then::Continue, Then::Release { conversation: None }, done()] {
        let refused = ledger.record(record(&held, then)).await;
        assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
    }
    let refused = ledger.renew(&held, None, LONG).await;
    assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
    let refused = ledger
        .claim_conversation(wants(&held, &conversation(), LONG))
        .await;
    assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
    assert_eq!(told(&*ledger, &held.key).await, ["recorded"]);
}

fn dead(published: bool) -> End {
    End::Dead {
        code: Code::ConversationOver,
        reason: "the conversation has ended".to_owned(),
        published,
    }
}

pub(super) async fn an_ended_escalation_says_how_it_ended(ledger: Arc<dyn Ledger>) {
    for end in [End::Done, End::Cancelled, dead(false)] {
        let incident = incident();
        let held = granted(&*ledger, first(&incident)).await.held;
        let then = Then::End {
            end: end.clone(),
            conversation: None,
        };
        let last = Record {
            attempts: 4,
            ..record(&held, then)
        };
        ledger.record(last).await.unwrap();
        match ledger.claim(first(&incident)).await.unwrap() {
            Claim::Ended {
                key,
                end: as_read,
                attempts,
                cycle,
            } => assert_eq!((key, as_read, attempts, cycle), (held.key, end, 4, 0)),
            other => panic!("{other:?}"),
        }
    }
}

pub(super) async fn only_a_dead_escalation_can_have_its_dead_letter_published(
    ledger: Arc<dyn Ledger>,
) {
    for (end, afterwards) in [(dead(false), dead(true)), (End::Done, End::Done)] {
        let incident = incident();
        let held = granted(&*ledger, first(&incident)).await.held;
        // While it is open there is no dead letter, and nothing to note.
        ledger.dead_letter_published(&held.key, 0).await.unwrap();
        let then = Then::End {
            end: end.clone(),
            conversation: None,
        };
        ledger.record(record(&held, then)).await.unwrap();
        let read = async || match ledger.claim(first(&incident)).await.unwrap() {
            Claim::Ended { end, .. } => end,
            other => panic!("{other:?}"),
        };
        assert_eq!(read().await, end);
        ledger.dead_letter_published(&held.key, 0).await.unwrap();
        ledger.dead_letter_published(&held.key, 0).await.unwrap();
        assert_eq!(read().await, afterwards);
    }
}

pub(super) async fn a_ledger_that_is_there_answers(ledger: Arc<dyn Ledger>) {
    ledger.ping().await.unwrap();
    granted(&*ledger, first(&incident())).await;
    ledger.ping().await.unwrap();
}
