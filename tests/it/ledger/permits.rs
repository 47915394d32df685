//! The pool's budget: everybody takes from the same.

use std::sync::Arc;
use std::time::Duration;

use escalator::ledger::Ledger;
use escalator::pacing::Exchange;

use super::{at_once, unique};

fn asked(holder: &str, limit: u32, wanted: u32) -> Exchange {
    Exchange {
        holder: holder.to_owned(),
        limit,
        call_timeout: Duration::from_secs(1),
        wanted,
        ..Exchange::default()
    }
}

pub(super) async fn of_many_who_ask_at_once_all_together_get_no_more_than_there_is(
    ledger: Arc<dyn Ledger>,
) {
    let account = unique("account");
    // Slow enough that the pace adds nothing in the time of a test: one permit in ten minutes, beyond the burst.
    let granted = at_once(20, |number| {
        let (ledger, account) = (ledger.clone(), account.clone());
        async move {
            let asked = asked(&number.to_string(), 60, 3);
            ledger.exchange_permits(&account, asked).await
        }
    });
    let granted: u32 = granted
        .await
        .into_iter()
        .map(|one| one.unwrap().permits)
        .sum();
    // A burst of five seconds, and what a slow machine adds.
    assert!((5..=15).contains(&granted), "{granted}");
    let other = ledger
        .exchange_permits(&unique("account"), asked("a", 60, 1))
        .await;
    assert_eq!(other.unwrap().permits, 1);
}

pub(super) async fn what_one_says_of_a_vendor_all_others_hear(ledger: Arc<dyn Ledger>) {
    let account = unique("account");
    let patience = Exchange {
        closed_for: Some(Duration::from_secs(100)),
        ..asked("one", 60, 0)
    };
    ledger.exchange_permits(&account, patience).await.unwrap();
    let heard = ledger
        .exchange_permits(&account, asked("other", 60, 1))
        .await
        .unwrap();
    assert_eq!(heard.permits, 0);
    assert!(heard.closed_for > Duration::from_secs(90), "{heard:?}");
}
