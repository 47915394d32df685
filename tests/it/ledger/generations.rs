//! Which generation is meant, and when an incident was resolved.

use std::sync::Arc;

use escalator::escalation::{End, IncidentId, Key, Trigger};
use escalator::ledger::{Claim, ClaimRequest, ConversationClaim, Held, Ledger, Recorded, Then};

use super::{
    LONG, at, conversation, event, first, granted, incident, key_of, record, release, reopened,
    wants,
};

fn current(incident: &IncidentId) -> ClaimRequest {
    ClaimRequest {
        trigger: Trigger::Current,
        occurred_at: at(1000),
        ..first(incident)
    }
}

async fn end(ledger: &dyn Ledger, held: &Held, end: End) {
    let then = Then::End {
        end,
        conversation: None,
    };
    ledger.record(record(held, then)).await.unwrap();
}

pub(super) async fn without_any_generation_the_current_one_is_the_first(ledger: Arc<dyn Ledger>) {
    let incident = incident();
    let one = granted(&*ledger, current(&incident)).await.held;
    assert_eq!(one.key, Key::of(&incident, &Trigger::First));
    let claim = ledger.claim(first(&incident)).await.unwrap();
    assert!(matches!(claim, Claim::Held { .. }), "{claim:?}");
}

pub(super) async fn the_current_generation_is_the_newest(ledger: Arc<dyn Ledger>) {
    let incident = incident();
    let one = granted(&*ledger, first(&incident)).await.held;
    let running = ledger.claim(current(&incident)).await.unwrap();
    assert_eq!(key_of(&running), &one.key);
    end(&*ledger, &one, End::Done).await;
    let finished = ledger.claim(current(&incident)).await.unwrap();
    assert!(
        matches!(&finished, Claim::Ended { key, .. } if *key == one.key),
        "{finished:?}"
    );
    let two = granted(&*ledger, reopened(&incident, &event(), 10)).await;
    let newest = ledger.claim(current(&incident)).await.unwrap();
    assert_eq!(key_of(&newest), &two.held.key);
}

pub(super) async fn a_reopening_is_a_generation_of_its_own_however_often_it_is_delivered(
    ledger: Arc<dyn Ledger>,
) {
    let (incident, event) = (incident(), event());
    let one = granted(&*ledger, first(&incident)).await.held;
    end(&*ledger, &one, End::Done).await;
    let two = granted(&*ledger, reopened(&incident, &event, 10)).await;
    assert_ne!(two.held.key, one.key);
    assert_eq!(two.progress, escalator::escalation::Progress::default());
    let again = ledger.claim(reopened(&incident, &event, 10)).await.unwrap();
    assert!(
        matches!(&again, Claim::Held { key, .. } if *key == two.held.key),
        "{again:?}"
    );
}

pub(super) async fn a_reopening_waits_for_an_earlier_generation_that_is_open(
    ledger: Arc<dyn Ledger>,
) {
    let (incident, second, third) = (incident(), event(), event());
    let waits_for = async |request: ClaimRequest, earlier: &Key| {
        let claim = ledger.claim(request).await.unwrap();
        assert!(
            matches!(&claim, Claim::Waits { earlier: e, .. } if e == earlier),
            "{claim:?}"
        );
    };
    let one = granted(&*ledger, first(&incident)).await.held;
    waits_for(reopened(&incident, &second, 10), &one.key).await;
    // Given back is not ended.
    ledger.record(release(&one)).await.unwrap();
    waits_for(reopened(&incident, &second, 10), &one.key).await;
    let one = granted(&*ledger, first(&incident)).await.held;
    end(&*ledger, &one, End::Cancelled).await;
    let two = granted(&*ledger, reopened(&incident, &second, 10))
        .await
        .held;
    waits_for(reopened(&incident, &third, 20), &two.key).await;
    end(&*ledger, &two, End::Done).await;
    granted(&*ledger, reopened(&incident, &third, 20)).await;
}

pub(super) async fn a_reopening_does_not_wait_for_one_that_nobody_holds_and_that_is_too_old(
    ledger: Arc<dyn Ledger>,
) {
    let incident = incident();
    let lost = granted(&*ledger, first(&incident)).await.held;
    let young = ClaimRequest {
        expires_after: std::time::Duration::from_secs(1),
        ..reopened(&incident, &event(), 10)
    };
    let claim = ledger.claim(young.clone()).await.unwrap();
    assert!(
        matches!(claim, Claim::Waits { .. }),
        "held, however old: {claim:?}"
    );
    let release = Then::Release { conversation: None };
    ledger.record(record(&lost, release)).await.unwrap();
    granted(&*ledger, young).await;
}

pub(super) async fn an_earlier_generation_never_waits_for_a_later_one(ledger: Arc<dyn Ledger>) {
    // The broker may turn them round; both waiting for each other would be for ever.
    let (incident, second, third) = (incident(), event(), event());
    granted(&*ledger, reopened(&incident, &third, 20)).await;
    granted(&*ledger, reopened(&incident, &second, 10)).await;
    granted(&*ledger, first(&incident)).await;
}

pub(super) async fn the_latest_resolution_counts_whatever_the_order(ledger: Arc<dyn Ledger>) {
    let incident = incident();
    for second in [20, 30, 10] {
        ledger.resolve(&incident, at(second)).await.unwrap();
    }
    let granted = granted(&*ledger, first(&incident)).await;
    assert_eq!(granted.resolved_at, Some(at(30)));
}

pub(super) async fn a_resolution_is_seen_by_every_answer(ledger: Arc<dyn Ledger>) {
    let incident = incident();
    let granted = granted(&*ledger, first(&incident)).await;
    assert_eq!(granted.resolved_at, None);
    let held = granted.held;
    let recorded = ledger.record(record(&held, Then::Continue)).await.unwrap();
    assert_eq!(recorded, Recorded { resolved_at: None });
    ledger.resolve(&incident, at(10)).await.unwrap();
    match ledger
        .claim_conversation(wants(&held, &conversation(), LONG))
        .await
        .unwrap()
    {
        ConversationClaim::Granted { resolved_at, .. } => assert_eq!(resolved_at, Some(at(10))),
        other => panic!("{other:?}"),
    }
    ledger.resolve(&incident, at(20)).await.unwrap();
    let recorded = ledger.record(release(&held)).await.unwrap();
    assert_eq!(recorded.resolved_at, Some(at(20)));
    ledger.resolve(&incident, at(30)).await.unwrap();
    let again = super::granted(&*ledger, first(&incident)).await;
    assert_eq!(again.resolved_at, Some(at(30)));
    assert_eq!(again.occurred_at, at(0), "to be compared with");
}

pub(super) async fn a_resolution_is_of_one_incident_only(ledger: Arc<dyn Ledger>) {
    ledger.resolve(&incident(), at(10)).await.unwrap();
    let other = granted(&*ledger, first(&incident())).await;
    assert_eq!(other.resolved_at, None);
}
