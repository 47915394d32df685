//! Many at once, over several ledgers as over several processes.

use std::time::Duration;

use escalator::escalation::IncidentId;
use escalator::ledger::{Claim, ConversationClaim, Error, Ledger, Postgres, Retention, Then};
use futures_util::FutureExt;
use jiff::Timestamp;

use super::super::{
    LONG, at, at_once, conversation, conversation_granted, first, granted, incident, record,
    release, reopened, told, wants,
};
use super::opened;
use crate::support::database::Database;

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_claims_over_four_processes_one_is_granted_for_each_key() {
    let database = Database::new().await;
    let mut ledgers = Vec::new();
    for _ in 0..4 {
        ledgers.push(opened(&database).await);
    }
    let incidents: Vec<_> = (0..8).map(|_| incident()).collect();
    let claims = at_once(400, |number| {
        let ledger = ledgers[number % 4].clone();
        let request = first(&incidents[number / 50]);
        async move {
            // A hundred at each of the four are more than a slow machine answers before their time is up.
            loop {
                match ledger.claim(request.clone()).await {
                    Err(Error::Unavailable(_)) => {}
                    answered => return answered.unwrap(),
                }
            }
        }
    })
    .await;
    for fifty in claims.chunks(50) {
        let granted = fifty.iter().filter(|c| matches!(c, Claim::Granted(_)));
        assert_eq!(granted.count(), 1, "{fifty:?}");
    }
}

/// Every operation on few rows, from many sides: whoever locked in another order would be told of a deadlock.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_done_at_once_nobody_waits_for_each_other_in_a_circle() {
    let database = Database::new().await;
    let ledgers = [opened(&database).await, opened(&database).await];
    let incidents: Vec<_> = (0..3).map(|_| incident()).collect();
    let conversation = conversation();
    at_once(24, |number| {
        let ledger = ledgers[number % 2].clone();
        let (incident, conversation) = (incidents[number % 3].clone(), conversation.clone());
        async move {
            for _ in 0..10 {
                round(&*ledger, &incident, &conversation).await;
            }
        }
    })
    .await;
    // All of them can still be claimed, told of, and given back.
    for incident in &incidents {
        let held = granted(&*ledgers[0], first(incident)).await.held;
        ledgers[0].record(release(&held)).await.unwrap();
        assert!(!told(&*ledgers[0], &held.key).await.is_empty());
    }
}

async fn round(
    ledger: &dyn Ledger,
    incident: &IncidentId,
    conversation: &escalator::escalation::ConversationId,
) {
    let Claim::Granted(granted) = ledger.claim(first(incident)).await.unwrap() else {
        return;
    };
    let held = granted.held;
    let wanted = wants(&held, conversation, LONG);
    let claimed = ledger.claim_conversation(wanted).await.unwrap();
    let of_conversation = match claimed {
        ConversationClaim::Granted { held, .. } => Some(held),
        ConversationClaim::Held { .. } => None,
    };
    let prunes = Retention {
        escalations: Duration::ZERO,
        links: Duration::ZERO,
        at_most: 50,
    };
    let renewing = ledger.renew(&held, of_conversation.as_ref(), LONG);
    let (renewed, pruned, resolved) = tokio::join!(
        renewing,
        ledger.prune(&prunes),
        ledger.resolve(incident, at(0))
    );
    // The others' incidents may be forgotten while nobody holds them; never this one.
    renewed.unwrap();
    pruned.unwrap();
    resolved.unwrap();
    let then = Then::Release {
        conversation: of_conversation,
    };
    ledger.record(record(&held, then)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_behind_a_transaction_that_hangs_fails_soon_and_is_granted_after_it() {
    let database = Database::new().await;
    let ledger = opened(&database).await;
    let incident = incident();
    let held = granted(&*ledger, first(&incident)).await.held;
    ledger.record(release(&held)).await.unwrap();
    let hangs = database.client().await;
    hangs
        .batch_execute("BEGIN; UPDATE escalations SET epoch = epoch")
        .await
        .unwrap();
    let claim = tokio::time::timeout(Duration::from_secs(9), ledger.claim(first(&incident)));
    let claim = claim.await.expect("well before a lease has to be renewed");
    assert!(matches!(claim, Err(Error::Unavailable(_))), "{claim:?}");
    // Whoever comes for another key is not held up.
    granted(&*ledger, first(&super::super::incident())).await;
    hangs.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(granted(&*ledger, first(&incident)).await.held.epoch, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_is_dropped_half_way_leaves_no_lock_behind() {
    let database = Database::new().await;
    let ledger = opened(&database).await;
    let incident = incident();
    let held = granted(&*ledger, first(&incident)).await.held;
    let hangs = database.client().await;
    let lock = "BEGIN; UPDATE escalations SET epoch = epoch";
    hangs.batch_execute(lock).await.unwrap();
    // More of them than there are connections.
    for _ in 0..20 {
        let recording = ledger.record(release(&held));
        // Long enough to be sent, and it cannot come back: somebody has the row.
        let dropped = tokio::time::timeout(Duration::from_millis(30), recording).await;
        assert!(dropped.is_err(), "{dropped:?}");
    }
    hangs.batch_execute("ROLLBACK").await.unwrap();
    ledger.record(release(&held)).await.unwrap();
    assert_eq!(told(&*ledger, &held.key).await, ["recorded"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_ends_by_the_clock_of_the_database() {
    let database = Database::new().await;
    // A clock that is an hour slow: `clock_timestamp` of this schema is found before the server's own.
    database
        .run(&format!(
            "CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
               AS $$ SELECT pg_catalog.clock_timestamp() - interval '1 hour' $$;
             ALTER ROLE {0} SET search_path TO {0}, pg_catalog;",
            database.name()
        ))
        .await;
    let ledger = opened(&database).await;
    let before = Timestamp::now() - jiff::SignedDuration::from_mins(59);
    let incident = incident();
    let held = granted(&*ledger, first(&incident)).await.held;
    let known = ledger.generations(&incident).await.unwrap().remove(0);
    assert!(known.created_at < before, "{}", known.created_at);
    assert!(known.holder.is_some_and(|(_, left)| left > LONG / 2));
    let claim = ledger.claim(first(&incident)).await.unwrap();
    assert!(
        matches!(claim, Claim::Held { free_in, .. } if free_in <= LONG && free_in > LONG / 2),
        "{claim:?}"
    );
    ledger.renew(&held, None, LONG).await.unwrap();
    ledger.record(release(&held)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_is_forgotten_while_it_is_claimed_is_not_half_forgotten() {
    let database = Database::new().await;
    let ledger = opened(&database).await;
    let forget = Retention {
        escalations: Duration::ZERO,
        links: Duration::ZERO,
        at_most: 100,
    };
    for _ in 0..30 {
        let conversation = conversation();
        let (old, new) = (incident(), incident());
        let held = granted(&*ledger, first(&old)).await.held;
        let (of_conversation, _) = conversation_granted(&*ledger, &held, &conversation, LONG).await;
        let end = Then::End {
            end: escalator::escalation::End::Done,
            conversation: Some(of_conversation),
        };
        ledger.record(record(&held, end)).await.unwrap();
        let next = granted(&*ledger, first(&new)).await.held;
        let wanted = wants(&next, &conversation, LONG);
        let (claimed, pruned) =
            tokio::join!(ledger.claim_conversation(wanted), ledger.prune(&forget));
        pruned.unwrap();
        // Whoever came first: a conversation that is claimed is there afterwards.
        let claimed = match claimed {
            Ok(ConversationClaim::Granted { held, .. }) => held,
            other => panic!("{other:?}"),
        };
        ledger.renew(&next, Some(&claimed), LONG).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_that_are_polled_once_and_dropped_leave_the_next_one_free() {
    let database = Database::new().await;
    let ledger = Postgres::open(&database.secret()).await.unwrap();
    let event = super::super::event();
    let (mut granted, mut landed) = (0, 0);
    while granted < 50 {
        let incident = incident();
        drop(ledger.claim(first(&incident)).now_or_never());
        match ledger.claim(reopened(&incident, &event, 5)).await {
            Ok(Claim::Granted(_)) => granted += 1,
            // A thread that is held up between two looks at its connection gets further in one poll; up to the commit, at
            // which nobody can know any more.
            Ok(Claim::Waits { .. }) if landed < 10 => landed += 1,
            // Each has to log in anew, and a slow machine does not always get there in time.
            Err(Error::Unavailable(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}
