//! What is found out about a Genesys is shared by everybody who asks for the same account.

use std::sync::Arc;

use escalator::escalation::{Contract, Finding};
use escalator::ledger::Ledger;

use super::{at_once, incident};

/// An account of this test's own.
fn account() -> String {
    format!("client at https://{}.example/", incident())
}

fn worked(contract: Contract) -> Finding {
    Finding {
        confirmed: true,
        ..Finding::read(contract)
    }
}

pub(super) async fn nothing_is_known_of_a_genesys_before_somebody_has_looked(
    ledger: Arc<dyn Ledger>,
) {
    assert_eq!(ledger.finding(&account()).await.unwrap(), None);
}

pub(super) async fn what_was_learned_of_a_genesys_is_known_to_all_and_only_of_that_one(
    ledger: Arc<dyn Ledger>,
) {
    let (one, other) = (account(), account());
    let read = Finding::read(Contract::Sessions);
    assert_eq!(ledger.learn(&one, read).await.unwrap(), read);
    assert_eq!(ledger.finding(&one).await.unwrap(), Some(read));
    assert_eq!(ledger.finding(&other).await.unwrap(), None);
    // A read against a read: the first one stands. A write that worked settles it.
    let late = Finding::read(Contract::Conversation);
    assert_eq!(ledger.learn(&one, late).await.unwrap(), read);
    let proven = worked(Contract::Conversation);
    assert_eq!(ledger.learn(&one, proven).await.unwrap(), proven);
    let again = ledger.learn(&one, worked(Contract::Sessions)).await;
    assert_eq!(again.unwrap(), proven);
    let shown = Finding {
        shows_sessions: true,
        ..late
    };
    let both = Finding {
        shows_sessions: true,
        ..proven
    };
    assert_eq!(ledger.learn(&one, shown).await.unwrap(), both);
    assert_eq!(ledger.finding(&one).await.unwrap(), Some(both));
}

pub(super) async fn of_many_who_look_first_at_once_all_hear_the_same(ledger: Arc<dyn Ledger>) {
    let account = account();
    let heard = at_once(20, |number| {
        let (ledger, account) = (ledger.clone(), account.clone());
        let contract = Contract::ALL[number % 2];
        async move { ledger.learn(&account, Finding::read(contract)).await }
    })
    .await;
    let standing = ledger.finding(&account).await.unwrap().unwrap();
    for learned in heard {
        assert_eq!(learned.unwrap(), standing);
    }
}
