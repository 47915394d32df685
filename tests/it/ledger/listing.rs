//! What operators ask.

use std::sync::Arc;

use escalator::escalation::{
    Code, Context, ConversationId, End, EntryKind, Key, Progress, Trigger,
};
use escalator::ledger::{Arrival, ClaimRequest, Filter, Ledger, Record, State, Then};

use super::{
    LONG, at, conversation, conversation_granted, entry, event, first, granted, granted_when_free,
    incident, record, release, reopened, shortly,
};

/// Everything about one conversation: in a database that all tests share, nobody else's is in such a list.
fn about(conversation: &ConversationId) -> Filter {
    Filter {
        conversation: Some(conversation.clone()),
        limit: 100,
        ..Filter::default()
    }
}

/// An escalation about this conversation that has ended like this, or is open and given back.
async fn escalation(ledger: &dyn Ledger, conversation: &ConversationId, end: Option<End>) -> Key {
    let held = granted(ledger, first(&incident())).await.held;
    let (on, _) = conversation_granted(ledger, &held, conversation, LONG).await;
    let conversation = Some(on);
    let then = match end {
        Some(end) => Then::End { end, conversation },
        None => Then::Release { conversation },
    };
    ledger.record(record(&held, then)).await.unwrap();
    held.key
}

fn dead(code: Code) -> End {
    End::Dead {
        code,
        reason: "for a test".to_owned(),
        published: true,
    }
}

async fn keys(ledger: &dyn Ledger, filter: &Filter) -> Vec<Key> {
    let list = ledger.list(filter).await.unwrap();
    list.into_iter().map(|known| known.key).collect()
}

pub(super) async fn an_incident_s_generations_are_known_oldest_first(ledger: Arc<dyn Ledger>) {
    let (incident, event) = (incident(), event());
    assert!(ledger.generations(&incident).await.unwrap().is_empty());
    let later = granted(&*ledger, reopened(&incident, &event, 500)).await;
    let earlier = granted(&*ledger, first(&incident)).await;
    let known = ledger.generations(&incident).await.unwrap();
    let keys: Vec<_> = known.iter().map(|known| &known.key).collect();
    assert_eq!(keys, [&earlier.held.key, &later.held.key]);
}

pub(super) async fn what_is_known_of_an_escalation_is_what_was_recorded(ledger: Arc<dyn Ledger>) {
    let incident = incident();
    let held = granted(&*ledger, first(&incident)).await.held;
    ledger.resolve(&incident, at(40)).await.unwrap();
    let known = ledger.generations(&incident).await.unwrap().remove(0);
    assert_eq!((known.state, &known.end), (State::Open, &None));
    let (owner, left) = known.holder.unwrap();
    assert_eq!(owner, "it/1");
    assert!(!left.is_zero() && left <= LONG, "{left:?}");
    assert_eq!((known.accepted_at, known.occurred_at), (at(1), at(0)));
    assert_eq!((known.resolved_at, known.ended_at), (Some(at(40)), None));

    let progress = Progress {
        context: Some(Context {
            conversation: conversation(),
            agent: None,
            ambiguous: false,
        }),
        ..Progress::default()
    };
    let last = Record {
        progress: progress.clone(),
        attempts: 4,
        ..record(
            &held,
            Then::End {
                end: dead(Code::ConversationOver),
                conversation: None,
            },
        )
    };
    ledger.record(last).await.unwrap();
    let known = ledger.generations(&incident).await.unwrap().remove(0);
    assert_eq!(known.state, State::Dead);
    assert_eq!(known.end, Some(dead(Code::ConversationOver)));
    assert_eq!((known.holder, known.attempts), (None, 4));
    assert_eq!((known.progress, known.epoch), (progress, 1));
    assert!(known.ended_at >= Some(known.created_at));
}

pub(super) async fn a_list_shows_the_newest_first_and_goes_on_where_it_stopped(
    ledger: Arc<dyn Ledger>,
) {
    let conversation = conversation();
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(escalation(&*ledger, &conversation, None).await);
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = Filter {
            after,
            limit: 2,
            ..about(&conversation)
        };
        let list = ledger.list(&page).await.unwrap();
        assert!(list.len() <= 2);
        let Some(last) = list.last() else { break };
        after = Some(last.cursor());
        seen.extend(
            list.iter()
                .map(|known| (known.created_at, known.key.clone())),
        );
    }
    let mut sorted = seen.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    assert_eq!(seen, sorted, "newest first, and of one moment by key");
    let mut listed: Vec<_> = seen.into_iter().map(|(_, key)| key).collect();
    listed.sort();
    made.sort();
    assert_eq!(listed, made, "each once");
}

pub(super) async fn a_list_keeps_to_every_filter_that_it_is_given(ledger: Arc<dyn Ledger>) {
    let conversation = conversation();
    let open = escalation(&*ledger, &conversation, None).await;
    let done = escalation(&*ledger, &conversation, Some(End::Done)).await;
    let cancelled = escalation(&*ledger, &conversation, Some(End::Cancelled)).await;
    let over = escalation(&*ledger, &conversation, Some(dead(Code::ConversationOver))).await;
    let expired = escalation(&*ledger, &conversation, Some(dead(Code::Expired))).await;
    let of = |state, code| Filter {
        state,
        code,
        ..about(&conversation)
    };
    for (state, key) in [
        (State::Open, open),
        (State::Done, done),
        (State::Cancelled, cancelled),
    ] {
        assert_eq!(keys(&*ledger, &of(Some(state), None)).await, [key]);
    }
    assert_eq!(keys(&*ledger, &of(Some(State::Dead), None)).await.len(), 2);
    let died_of = |code| of(None, Some(code));
    assert_eq!(
        keys(&*ledger, &died_of(Code::ConversationOver)).await,
        [over]
    );
    assert_eq!(keys(&*ledger, &died_of(Code::Expired)).await, [expired]);
    let none = of(Some(State::Done), Some(Code::Expired));
    assert!(keys(&*ledger, &none).await.is_empty());

    let list = ledger.list(&about(&conversation)).await.unwrap();
    let since = |since| Filter {
        since: Some(since),
        ..about(&conversation)
    };
    let oldest = list.last().unwrap().created_at;
    assert_eq!(keys(&*ledger, &since(oldest)).await.len(), 5);
    let later = jiff::Timestamp::now() + std::time::Duration::from_secs(3600);
    assert!(keys(&*ledger, &since(later)).await.is_empty());
}

pub(super) async fn the_history_tells_how_it_came_here_and_who_claimed_it(ledger: Arc<dyn Ledger>) {
    let (incident, event) = (incident(), event());
    let request = ClaimRequest {
        arrival: Arrival {
            event: Some(event.clone()),
            redelivered: true,
            ..first(&incident).arrival
        },
        ..first(&incident)
    };
    let held = granted(&*ledger, request).await.held;
    let history = ledger.history(&held.key).await.unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|e| (e.kind, e.epoch, e.what.as_str()))
        .collect();
    let triggered = format!("incident.triggered, event {event}");
    assert_eq!(
        told,
        [
            (EntryKind::Event, 0, triggered.as_str()),
            (EntryKind::Accepted, 0, "webhook, lane high"),
            (EntryKind::Claimed, 1, "by it/1, lane high, delivered again"),
        ]
    );
    assert_eq!((history[0].at, history[1].at), (at(0), at(1)));
}

pub(super) async fn a_lease_that_ended_is_told_by_whoever_takes_over(ledger: Arc<dyn Ledger>) {
    let incident = incident();
    let crashed = granted(&*ledger, shortly(first(&incident))).await.held;
    let next = granted_when_free(&*ledger, first(&incident)).await.held;
    ledger.record(release(&next)).await.unwrap();
    let last = granted(&*ledger, first(&incident)).await.held;
    let told: Vec<_> = ledger.history(&crashed.key).await.unwrap();
    let kinds: Vec<_> = told.iter().map(|e| (e.kind, e.epoch)).collect();
    assert_eq!(
        kinds[2..],
        [
            (EntryKind::Claimed, 1),
            (EntryKind::TakenOver, 1),
            (EntryKind::Claimed, 2),
            (EntryKind::Answered, 2),
            (EntryKind::Claimed, 3),
        ],
        "one that was given back is not taken over"
    );
    assert_eq!(last.key, Key::of(&incident, &Trigger::First));
    assert!(told[3].what.contains("it/1"), "{}", told[3].what);
    assert_eq!(told[5].what, entry(&next, "recorded").what);
}
