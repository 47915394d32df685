//! How things stand, in numbers.

use std::sync::Arc;
use std::time::Duration;

use escalator::escalation::{Agent, AgentId, Code, Context, End, Progress};
use escalator::ledger::{Driving, Ledger, Record, Standing, State, Then, WaitsFor};
use escalator::pacing::Exchange;

use super::letters::{dead, replaying};
use super::{LONG, at, conversation, first, granted, incident, record, release, unique};

async fn standing(ledger: &dyn Ledger) -> Standing {
    ledger.gauges().standing().await.unwrap()
}

/// An open escalation with such progress.
async fn open_with(ledger: &dyn Ledger, progress: Progress) {
    let held = granted(ledger, first(&incident())).await.held;
    let released = Record {
        progress,
        ..release(&held)
    };
    ledger.record(released).await.unwrap();
}

pub(super) async fn a_new_ledger_stands_at_nothing(ledger: Arc<dyn Ledger>) {
    assert_eq!(standing(&*ledger).await, Standing::default());
    let sizes = ledger.gauges().sizes().await.unwrap();
    assert_eq!(sizes.escalations, []);
    assert!(sizes.bytes > 0);
}

pub(super) async fn open_escalations_are_told_apart_by_whether_they_wait_for_an_agent(
    ledger: Arc<dyn Ledger>,
) {
    let named = Context {
        conversation: conversation(),
        // Named by the alert, and not connected.
        agent: AgentId::parse("agent-1").ok(),
        ambiguous: false,
    };
    let waiting = Progress {
        context: Some(named),
        waiting_since: Some(at(3)),
        ..Progress::default()
    };
    let served = Progress {
        agent: Some(Agent {
            id: AgentId::parse("agent-2").unwrap(),
            instead_of: None,
        }),
        ..waiting.clone()
    };
    open_with(&*ledger, waiting).await;
    open_with(&*ledger, served).await;
    open_with(&*ledger, Progress::default()).await;
    let held = granted(&*ledger, first(&incident())).await.held;
    let then = Then::End {
        end: End::Done,
        conversation: None,
    };
    ledger.record(record(&held, then)).await.unwrap();

    let mut open = standing(&*ledger).await.open;
    open.sort();
    let (of_agent, of_nobody) = (open[0], open[1]);
    assert_eq!((of_agent.0, of_agent.1), (WaitsFor::Agent, 1));
    assert_eq!((of_nobody.0, of_nobody.1), (WaitsFor::Nobody, 2));
    // Accepted at a time of these tests, which is long ago.
    assert!(of_nobody.2 > Duration::from_secs(1), "{of_nobody:?}");

    let mut sizes = ledger.gauges().sizes().await.unwrap().escalations;
    sizes.sort_by_key(|(state, _)| state.as_str());
    assert_eq!(sizes, [(State::Done, 1), (State::Open, 3)]);
}

pub(super) async fn letters_and_replays_are_counted_until_they_are_over(ledger: Arc<dyn Ledger>) {
    let (one, two, _other) = (
        dead(&*ledger).await,
        dead(&*ledger).await,
        dead(&*ledger).await,
    );
    let seen = standing(&*ledger).await;
    assert_eq!(seen.letters, [(Code::ConversationUnknown, 3)]);
    assert_eq!((seen.driven, seen.left), (0, 0));

    replaying(&*ledger, "rp-1", &[&one, &two]).await;
    let seen = standing(&*ledger).await;
    assert_eq!(
        (seen.driven, seen.left, seen.marked, seen.staged),
        (0, 1, 2, 0)
    );

    let letters = ledger.letters();
    let (replay, driver) = ("rp-1".to_owned(), "it/1".to_owned());
    let driving = letters.drive_replay(replay.clone(), driver, LONG).await;
    assert!(matches!(driving.unwrap(), Driving::Yes(_)));
    letters.stage(replay.clone(), 1).await.unwrap();
    let seen = standing(&*ledger).await;
    assert_eq!(
        (seen.driven, seen.left, seen.marked, seen.staged),
        (1, 0, 1, 1)
    );
}

pub(super) async fn permits_that_are_out_are_counted_by_their_account(ledger: Arc<dyn Ledger>) {
    let account = unique("account");
    let asked = Exchange {
        holder: "one".to_owned(),
        limit: 600,
        call_timeout: Duration::from_secs(1),
        wanted: 3,
        ..Exchange::default()
    };
    ledger
        .exchange_permits(&account, asked.clone())
        .await
        .unwrap();
    // Two of the three have ended, and one is out still.
    let said = Exchange {
        ended: vec![(Duration::ZERO, 2)],
        holding: 1,
        wanted: 0,
        ..asked
    };
    ledger.exchange_permits(&account, said).await.unwrap();
    assert_eq!(standing(&*ledger).await.budgets, [(account, 3)]);
}
