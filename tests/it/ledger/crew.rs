//! Who belongs to the pool, and what it was told to do.

use std::sync::Arc;
use std::time::Duration;

use escalator::ledger::{Deed, Entered, Ledger, Presence, says_pause};

const LATELY: Duration = Duration::from_secs(60);

fn worker(name: &str, obeys: u64) -> Presence {
    Presence {
        name: name.to_owned(),
        version: "0".to_owned(),
        obeys,
        paused: false,
        in_hand: 3,
    }
}

fn deed(deed: Deed) -> Entered {
    Entered {
        deed,
        by: "somebody@host".to_owned(),
        from: Some("host".to_owned()),
        why: Some("a test".to_owned()),
        what: None,
        result: None,
    }
}

pub(super) async fn whoever_reports_hears_the_newest_order(ledger: Arc<dyn Ledger>) {
    assert_eq!(ledger.report(worker("a", 0)).await.unwrap(), None);
    let paused = ledger.enter(deed(Deed::Pause)).await.unwrap();
    let heard = ledger.report(worker("a", 0)).await.unwrap();
    assert_eq!(heard.as_ref(), Some(&paused));
    assert!(says_pause(&heard));
    let resumed = ledger.enter(deed(Deed::Resume)).await.unwrap();
    assert!(resumed.number > paused.number);
    let heard = ledger.report(worker("a", paused.number)).await.unwrap();
    assert!(!says_pause(&heard));
}

pub(super) async fn who_was_heard_of_is_known_and_who_has_left_is_not(ledger: Arc<dyn Ledger>) {
    for name in ["b", "a"] {
        ledger.report(worker(name, 0)).await.unwrap();
    }
    ledger.report(worker("a", 7)).await.unwrap();
    let (orders, present) = ledger.present(LATELY).await.unwrap();
    assert_eq!(orders, None);
    let said: Vec<_> = present.into_iter().map(|one| one.said).collect();
    assert_eq!(said, [worker("a", 7), worker("b", 0)]);
    ledger.leave("a").await.unwrap();
    let (_, present) = ledger.present(LATELY).await.unwrap();
    assert_eq!(present.len(), 1);
    // That time passes is the event.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let (_, present) = ledger.present(Duration::from_millis(10)).await.unwrap();
    assert!(present.is_empty(), "{present:?}");
}

pub(super) async fn what_operators_did_is_told_newest_first(ledger: Arc<dyn Ledger>) {
    for each in [Deed::Pause, Deed::Resume, Deed::Pause] {
        ledger.enter(deed(each)).await.unwrap();
    }
    let told = ledger.audit(2).await.unwrap();
    let deeds: Vec<_> = told.iter().map(|line| line.entered.deed).collect();
    assert_eq!(deeds, [Deed::Pause, Deed::Resume]);
    assert_eq!(told[0].entered, deed(Deed::Pause));
}
