//! Dead letters: kept, listed, closed.

use std::sync::Arc;
use std::time::Duration;

use escalator::escalation::{
    Code, ConversationId, DeadLetter, DeadLetterId, End, EntryKind, Event, IncidentId, Intent, Key,
    Lane, Message, NoteId, Notice, Origin, Progress, Start, Task, Trigger, Write,
};
use escalator::ledger::{
    Claim, Closing, Deed, Discarded, Edited, EditedCopy, Entered, Error, Keeping, Ledger,
    LetterFilter, LetterState, Mark, NewReplay, Record, Retention, Selection, Then,
};

use super::{at, at_once, first, granted, incident, record};

/// The message of an incident's first generation.
pub(super) fn message(incident: &IncidentId, conversation: Option<&str>) -> Message {
    Message::new(
        incident.clone(),
        at(1),
        Origin::Webhook,
        Lane::High,
        Event {
            id: None,
            kind: "incident.triggered".to_owned(),
            occurred_at: at(0),
        },
        Task::Start(Start {
            trigger: Trigger::First,
            cycle: 0,
            service_id: None,
            conversation_id: conversation.map(|id| ConversationId::parse(id).unwrap()),
            agent_id: None,
        }),
    )
}

/// The letter that a worker writes of it.
pub(super) fn letter(incident: &IncidentId, code: Code, reason: &str, died_at: i64) -> DeadLetter {
    let message = message(incident, Some("c-1"));
    let key = Key::of(incident, &Trigger::First);
    let (attempts, history) = (3, Vec::new());
    DeadLetter::of_escalation(
        key,
        0,
        message,
        code,
        reason.to_owned(),
        attempts,
        at(died_at),
        history,
    )
}

pub(super) fn entered(deed: Deed) -> Entered {
    Entered {
        deed,
        by: "alex".to_owned(),
        from: Some("host".to_owned()),
        why: Some("a test".to_owned()),
        what: None,
        result: None,
    }
}

/// An escalation that has died of this, with such progress; its letter is kept.
pub(super) async fn dead_with(ledger: &dyn Ledger, progress: Progress) -> DeadLetter {
    let incident = incident();
    let held = granted(ledger, first(&incident)).await.held;
    ledger
        .record(Record {
            progress,
            attempts: 3,
            ..record(
                &held,
                Then::End {
                    end: End::Dead {
                        code: Code::ConversationUnknown,
                        reason: "no such conversation".to_owned(),
                        published: true,
                    },
                    conversation: None,
                },
            )
        })
        .await
        .unwrap();
    let letter = letter(
        &incident,
        Code::ConversationUnknown,
        "no such conversation",
        5,
    );
    assert_eq!(
        ledger.letters().keep(letter.clone()).await.unwrap(),
        Keeping::Kept
    );
    letter
}

pub(super) async fn dead(ledger: &dyn Ledger) -> DeadLetter {
    dead_with(ledger, Progress::default()).await
}

pub(super) async fn replaying(ledger: &dyn Ledger, id: &str, letters: &[&DeadLetter]) {
    let letters_of = ledger.letters();
    letters_of
        .begin_replay(NewReplay {
            id: id.to_owned(),
            what: "some".to_owned(),
            per_minute: 60,
            entered: entered(Deed::Replay),
        })
        .await
        .unwrap();
    let marks = letters.iter().map(|letter| Mark {
        letter: letter.id.clone(),
        expects: None,
    });
    letters_of
        .mark(id.to_owned(), marks.collect())
        .await
        .unwrap();
    letters_of.all_marked(id.to_owned()).await.unwrap();
}

fn all() -> LetterFilter {
    LetterFilter {
        state: LetterState::Any,
        limit: 100,
        ..LetterFilter::default()
    }
}

fn ids<'a>(letters: impl IntoIterator<Item = &'a DeadLetter>) -> Vec<DeadLetterId> {
    letters
        .into_iter()
        .map(|letter| letter.id.clone())
        .collect()
}

async fn listed(ledger: &dyn Ledger, filter: LetterFilter) -> Vec<DeadLetterId> {
    let count = ledger
        .letters()
        .count_letters(filter.clone())
        .await
        .unwrap();
    let letters = ledger.letters().list_letters(filter.clone()).await.unwrap();
    if filter.after.is_none() && letters.len() < usize::try_from(filter.limit).unwrap() {
        assert_eq!(count, letters.len() as u64, "{filter:?}");
    }
    letters.into_iter().map(|one| one.letter.id).collect()
}

pub(super) async fn a_letter_is_kept_once_however_often_it_comes(ledger: Arc<dyn Ledger>) {
    let incident = incident();
    let letter = letter(&incident, Code::NoAlert, "the incident has no alert", 5);
    let letters = ledger.letters();
    assert_eq!(letters.keep(letter.clone()).await.unwrap(), Keeping::Kept);
    assert_eq!(letters.keep(letter.clone()).await.unwrap(), Keeping::Known);
    let kept = letters.letter(letter.id.clone()).await.unwrap().unwrap();
    assert_eq!(kept.letter, letter);
    assert_eq!(kept.incident, Some(incident));
    assert_eq!(
        kept.conversation,
        Some(ConversationId::parse("c-1").unwrap())
    );
    assert_eq!((&kept.claimed_by, &kept.closed), (&None, &None));
    assert_eq!(kept.notice, Notice::due(None, false));
    assert_eq!(listed(&*ledger, all()).await, [letter.id]);
}

pub(super) async fn of_many_who_keep_a_letter_at_once_one_has_kept_it(ledger: Arc<dyn Ledger>) {
    let letter = letter(&incident(), Code::NoAlert, "the incident has no alert", 5);
    let answers = at_once(20, |_| {
        let (ledger, letter) = (ledger.clone(), letter.clone());
        async move { ledger.letters().keep(letter).await.unwrap() }
    })
    .await;
    let kept = answers.iter().filter(|answer| **answer == Keeping::Kept);
    assert_eq!(kept.count(), 1, "{answers:?}");
    assert_eq!(listed(&*ledger, all()).await, [letter.id]);
}

pub(super) async fn a_letter_of_an_escalation_that_ended_well_is_closed_at_once(
    ledger: Arc<dyn Ledger>,
) {
    let incident = incident();
    let held = granted(&*ledger, first(&incident)).await.held;
    let (end, conversation) = (End::Done, None);
    let ended = record(&held, Then::End { end, conversation });
    ledger.record(ended).await.unwrap();
    // A second message of it, which came round too often.
    let bytes = message(&incident, None).encode().unwrap();
    let letter = DeadLetter::of_returned(&bytes, "delivery_limit", at(5));
    assert_eq!(letter.code, Code::DeliveredTooOften);
    let letters = ledger.letters();
    assert_eq!(letters.keep(letter.clone()).await.unwrap(), Keeping::Closed);
    let kept = letters.letter(letter.id).await.unwrap().unwrap();
    assert_eq!(kept.closed.unwrap().how, Closing::NothingToDo);
    assert_eq!(kept.notice, Notice::Nobody);
    assert!(
        listed(
            &*ledger,
            LetterFilter {
                limit: 9,
                ..LetterFilter::default()
            }
        )
        .await
        .is_empty()
    );
}

pub(super) async fn what_a_worker_says_takes_the_place_of_what_the_broker_says(
    ledger: Arc<dyn Ledger>,
) {
    let incident = incident();
    let bytes = message(&incident, None).encode().unwrap();
    let broker = DeadLetter::of_returned(&bytes, "delivery_limit", at(4));
    let worker = letter(&incident, Code::NoAlert, "the incident has no alert", 5);
    assert_eq!(broker.id, worker.id);
    let letters = ledger.letters();
    assert_eq!(letters.keep(broker.clone()).await.unwrap(), Keeping::Kept);
    assert_eq!(
        letters.keep(worker.clone()).await.unwrap(),
        Keeping::Replaced
    );
    assert_eq!(letters.keep(broker).await.unwrap(), Keeping::Known);
    let kept = letters.letter(worker.id.clone()).await.unwrap().unwrap();
    assert_eq!(kept.letter, worker);
}

pub(super) async fn letters_are_listed_newest_first_and_keep_to_every_filter(
    ledger: Arc<dyn Ledger>,
) {
    let letters: Vec<_> = (0..4)
        .map(|number| {
            let code = [Code::NoAlert, Code::Expired][number % 2];
            letter(
                &incident(),
                code,
                "why",
                10 + i64::try_from(number).unwrap(),
            )
        })
        .collect();
    for letter in &letters {
        ledger.letters().keep(letter.clone()).await.unwrap();
    }
    let newest_first: Vec<_> = ids(letters.iter().rev());
    assert_eq!(listed(&*ledger, all()).await, newest_first);
    // Page by page.
    let mut filter = LetterFilter { limit: 3, ..all() };
    let page = ledger.letters().list_letters(filter.clone()).await.unwrap();
    assert_eq!(page.len(), 3);
    filter.after = page.last().map(escalator::ledger::Letter::cursor);
    assert_eq!(listed(&*ledger, filter).await, newest_first[3..]);
    let one = &letters[2];
    let of = |filter: LetterFilter| listed(&*ledger, filter);
    let code = LetterFilter {
        code: Some(Code::Expired),
        ..all()
    };
    assert_eq!(of(code).await, ids([&letters[3], &letters[1]]));
    let incident = one.message.as_ref().map(|m| m.incident_id.clone());
    assert_eq!(of(LetterFilter { incident, ..all() }).await, ids([one]));
    let conversation = Some(ConversationId::parse("c-1").unwrap());
    assert_eq!(
        of(LetterFilter {
            conversation,
            ..all()
        })
        .await
        .len(),
        4
    );
    let conversation = Some(ConversationId::parse("c-2").unwrap());
    assert!(
        of(LetterFilter {
            conversation,
            ..all()
        })
        .await
        .is_empty()
    );
    let since = LetterFilter {
        since: Some(at(12)),
        ..all()
    };
    assert_eq!(of(since).await, ids([&letters[3], &letters[2]]));
    let before = LetterFilter {
        before: Some(at(11)),
        ..all()
    };
    assert_eq!(of(before).await, ids([&letters[0]]));
    let these = LetterFilter {
        ids: ids([&letters[0], &letters[3]]),
        code: Some(Code::Expired),
        since: Some(at(1)),
        ..all()
    };
    assert_eq!(of(these).await, ids([&letters[3]]));
    let closed = LetterFilter {
        state: LetterState::Closed,
        ..all()
    };
    assert!(of(closed).await.is_empty());
}

pub(super) async fn groups_count_by_code_and_by_what_the_reasons_have_in_common(
    ledger: Arc<dyn Ledger>,
) {
    for number in 0..5_i64 {
        let reason =
            format!("Genesys answered 404: conversation 00{number}-x (correlation id c{number})");
        let of = letter(&incident(), Code::ConversationUnknown, &reason, 10 + number);
        ledger.letters().keep(of).await.unwrap();
    }
    let other = letter(&incident(), Code::NoAlert, "the incident has no alert", 3);
    ledger.letters().keep(other).await.unwrap();
    let filter = LetterFilter {
        limit: 10,
        ..LetterFilter::default()
    };
    let groups = ledger.letters().groups(filter).await.unwrap();
    let found: Vec<_> = groups.iter().map(|g| (g.code, g.count)).collect();
    assert_eq!(found, [(Code::ConversationUnknown, 5), (Code::NoAlert, 1)]);
    assert_eq!((groups[0].oldest, groups[0].newest), (at(10), at(14)));
    let theme = Some(groups[0].theme.clone());
    let of = LetterFilter {
        theme,
        limit: 10,
        ..LetterFilter::default()
    };
    assert_eq!(listed(&*ledger, of).await.len(), 5);
}

pub(super) async fn a_discard_closes_what_is_open_and_leaves_what_a_replay_has(
    ledger: Arc<dyn Ledger>,
) {
    let (one, other, third) = (
        dead(&*ledger).await,
        dead(&*ledger).await,
        dead(&*ledger).await,
    );
    replaying(&*ledger, "rp-1", &[&other]).await;
    let selection = Selection {
        filter: LetterFilter {
            ids: ids([&one, &other]),
            ..all()
        },
        entered: entered(Deed::Discard),
    };
    let discarded = ledger.letters().discard(selection.clone()).await.unwrap();
    assert_eq!(
        discarded,
        Discarded {
            closed: 1,
            claimed: 1
        }
    );
    let closed = ledger
        .letters()
        .letter(one.id.clone())
        .await
        .unwrap()
        .unwrap();
    let how = closed.closed.unwrap();
    assert_eq!((how.how, how.by.as_str()), (Closing::Discarded, "alex"));
    assert_eq!(how.why.as_deref(), Some("a test"));
    // Whether the incident is told does not depend on it.
    assert_eq!(closed.notice, Notice::due(None, false));
    let open = listed(
        &*ledger,
        LetterFilter {
            limit: 9,
            ..LetterFilter::default()
        },
    )
    .await;
    assert!(open.contains(&other.id) && open.contains(&third.id) && open.len() == 2);
    let history = ledger.history(&one.key.clone().unwrap()).await.unwrap();
    let told: Vec<_> = history
        .iter()
        .filter(|e| e.kind == EntryKind::Discarded)
        .collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].what.contains("alex: a test"), "{told:?}");
    assert!(
        !ledger
            .history(&third.key.unwrap())
            .await
            .unwrap()
            .iter()
            .any(|e| e.kind == EntryKind::Discarded)
    );
    let audit = ledger.audit(1).await.unwrap();
    assert_eq!(audit[0].entered.deed, Deed::Discard);
    let result = audit[0].entered.result.as_deref();
    assert_eq!(result, Some("1 discarded; 1 are in a replay and were left"));
    // Once more does nothing more.
    let again = ledger.letters().discard(selection).await.unwrap();
    assert_eq!(
        again,
        Discarded {
            closed: 0,
            claimed: 1
        }
    );
}

fn copy_of(letter: &DeadLetter, conversation: &str) -> EditedCopy {
    let message = letter.message.clone().unwrap();
    let Task::Start(start) = message.task.clone() else {
        panic!("no start")
    };
    EditedCopy {
        original: letter.id.clone(),
        message: message.asking(Task::Start(Start {
            conversation_id: Some(ConversationId::parse(conversation).unwrap()),
            ..start
        })),
        entered: entered(Deed::Edit),
    }
}

pub(super) async fn a_corrected_copy_stands_in_the_place_of_its_original(ledger: Arc<dyn Ledger>) {
    let original = dead_with(
        &*ledger,
        Progress {
            asked_at: Some(at(2)),
            ..Progress::default()
        },
    )
    .await;
    let letters = ledger.letters();
    let edited = letters.edit(copy_of(&original, "c-right")).await.unwrap();
    let Edited::Done(id) = edited else {
        panic!("{edited:?}")
    };
    assert_ne!(id, original.id);
    let closed = letters.letter(original.id.clone()).await.unwrap().unwrap();
    let how = closed.closed.unwrap();
    assert_eq!(
        (how.how, how.successor),
        (Closing::Edited, Some(id.clone()))
    );
    assert_eq!(closed.notice, Notice::HandedOn);
    let copy = letters.letter(id.clone()).await.unwrap().unwrap();
    assert_eq!(copy.letter.follows, Some(original.id.clone()));
    assert_eq!(
        copy.conversation,
        Some(ConversationId::parse("c-right").unwrap())
    );
    // What was to be told of the one is told of the other.
    assert_eq!(copy.notice, Notice::due(None, false));
    let ground = letters.ground(id).await.unwrap().unwrap();
    let escalation = ground.escalation.unwrap();
    assert_eq!(ground.cycle, 1);
    assert_eq!(escalation.progress, Progress::default());
    let again = letters.edit(copy_of(&original, "c-other")).await.unwrap();
    assert_eq!(again, Edited::Refused("it is closed".to_owned()));
    let audit = ledger.audit(2).await.unwrap();
    let results: Vec<_> = audit
        .iter()
        .filter_map(|l| l.entered.result.clone())
        .collect();
    assert_eq!(results[0], "refused: it is closed");
    assert!(results[1].ends_with("stands in its place"), "{results:?}");
}

pub(super) async fn what_may_have_been_written_is_not_edited(ledger: Arc<dyn Ledger>) {
    let original = dead_with(
        &*ledger,
        Progress {
            note: Write::Intended(Intent {
                epoch: 1,
                deadline: at(3),
                absent_at: None,
            }),
            ..Progress::default()
        },
    )
    .await;
    let edited = ledger
        .letters()
        .edit(copy_of(&original, "c-2"))
        .await
        .unwrap();
    assert!(matches!(edited, Edited::Refused(_)), "{edited:?}");
    let open = ledger.letters().letter(original.id).await.unwrap().unwrap();
    assert_eq!(open.closed, None);
}

pub(super) async fn a_notice_is_one_s_for_a_time_and_an_old_number_records_nothing(
    ledger: Arc<dyn Ledger>,
) {
    let letter = dead(&*ledger).await;
    let letters = ledger.letters();
    let lease = Duration::from_secs(600);
    let task = letters.take_notice(Duration::ZERO).await.unwrap().unwrap();
    assert_eq!((&task.letter.letter.id, task.epoch), (&letter.id, 1));
    assert_eq!(
        task.escalation,
        Some((escalator::ledger::State::Dead, false))
    );
    // Its time is over already.
    let second = letters.take_notice(lease).await.unwrap().unwrap();
    assert_eq!(second.epoch, 2);
    assert_eq!(letters.take_notice(lease).await.unwrap(), None);
    let told = Notice::Told {
        note: NoteId::parse("PN1").unwrap(),
        at: at(9),
    };
    let id = &letter.id;
    let old = letters
        .record_notice(id.clone(), 1, told.clone(), None)
        .await;
    assert!(matches!(old, Err(Error::Fenced)), "{old:?}");
    let due = Notice::due(None, false);
    letters
        .record_notice(id.clone(), 2, due, Some(Duration::ZERO))
        .await
        .unwrap();
    let third = letters.take_notice(lease).await.unwrap().unwrap();
    assert_eq!(third.epoch, 3);
    letters
        .record_notice(id.clone(), 3, told.clone(), None)
        .await
        .unwrap();
    assert_eq!(letters.take_notice(lease).await.unwrap(), None);
    let kept = letters.letter(id.clone()).await.unwrap().unwrap();
    assert_eq!(kept.notice, told);
    let history = ledger.history(&letter.key.unwrap()).await.unwrap();
    let last = history.last().unwrap();
    assert_eq!(last.kind, EntryKind::Told);
    assert!(last.what.contains("PN1"), "{last:?}");
}

pub(super) async fn what_was_closed_long_ago_is_forgotten_and_what_is_open_is_not(
    ledger: Arc<dyn Ledger>,
) {
    let (open, closed) = (dead(&*ledger).await, dead(&*ledger).await);
    let ids_of = ids([&closed]);
    let selection = Selection {
        filter: LetterFilter {
            ids: ids_of,
            ..all()
        },
        entered: entered(Deed::Discard),
    };
    ledger.letters().discard(selection).await.unwrap();
    // That time passes is the event.
    tokio::time::sleep(Duration::from_millis(30)).await;
    let retention = Retention {
        escalations: Duration::from_millis(10),
        links: Duration::from_secs(600),
        at_most: 100,
    };
    let pruned = ledger.prune(&retention).await.unwrap();
    assert_eq!((pruned.letters, pruned.escalations), (1, 1));
    let pruned = ledger.prune(&retention).await.unwrap();
    assert_eq!((pruned.letters, pruned.escalations), (0, 0));
    assert_eq!(listed(&*ledger, all()).await, ids([&open]));
    let incident = open.message.unwrap().incident_id;
    let claim = ledger.claim(first(&incident)).await.unwrap();
    assert!(matches!(claim, Claim::Ended { .. }), "{claim:?}");
    let incident = closed.message.unwrap().incident_id;
    let claim = ledger.claim(first(&incident)).await.unwrap();
    assert!(matches!(claim, Claim::Granted(_)), "{claim:?}");
}

pub(super) async fn a_resolution_that_the_broker_gave_up_is_noted_and_tells_nobody(
    ledger: Arc<dyn Ledger>,
) {
    let incident = incident();
    let resolved = message(&incident, None).asking(Task::Resolved);
    let letter = DeadLetter::of_returned(&resolved.encode().unwrap(), "delivery_limit", at(5));
    let letters = ledger.letters();
    assert_eq!(letters.keep(letter.clone()).await.unwrap(), Keeping::Closed);
    let kept = letters.letter(letter.id).await.unwrap().unwrap();
    assert_eq!(kept.notice, Notice::Nobody);
    // What it had to say is known to whoever starts.
    let granted = granted(&*ledger, first(&incident)).await;
    assert_eq!(granted.resolved_at, Some(at(0)));
}

pub(super) async fn a_note_in_doubt_is_not_written_over_by_that_of_the_death(
    ledger: Arc<dyn Ledger>,
) {
    let doubt = Write::Intended(Intent {
        epoch: 1,
        deadline: at(3),
        absent_at: None,
    });
    let progress = Progress {
        note: doubt,
        ..Progress::default()
    };
    let letter = dead_with(&*ledger, progress).await;
    let kept = ledger.letters().letter(letter.id).await.unwrap().unwrap();
    assert!(
        matches!(&kept.notice, Notice::NotTold { why, .. } if why.contains("look there")),
        "{:?}",
        kept.notice
    );
}

pub(super) async fn whoever_dies_after_a_discard_waits_for_a_person_anew(ledger: Arc<dyn Ledger>) {
    // The broker gave up a message that nobody had claimed, and somebody discarded it.
    let incident = incident();
    let bytes = message(&incident, None).encode().unwrap();
    let returned = DeadLetter::of_returned(&bytes, "delivery_limit", at(4));
    let letters = ledger.letters();
    letters.keep(returned.clone()).await.unwrap();
    let selection = Selection {
        filter: LetterFilter {
            ids: ids([&returned]),
            ..all()
        },
        entered: entered(Deed::Discard),
    };
    letters.discard(selection).await.unwrap();
    // That time passes is the event.
    tokio::time::sleep(Duration::from_millis(5)).await;
    // Then its webhook came a second time, and that died by itself.
    let held = granted(&*ledger, first(&incident)).await.held;
    let end = End::Dead {
        code: Code::NoAlert,
        reason: "the incident has no alert".to_owned(),
        published: true,
    };
    let conversation = None;
    ledger
        .record(record(&held, Then::End { end, conversation }))
        .await
        .unwrap();
    let now = jiff::Timestamp::now();
    let mut second = letter(&incident, Code::NoAlert, "the incident has no alert", 5);
    second.died_at = now;
    assert_eq!(second.id, returned.id);
    assert_eq!(letters.keep(second.clone()).await.unwrap(), Keeping::Kept);
    assert_eq!(letters.keep(second.clone()).await.unwrap(), Keeping::Known);
    let kept = letters.letter(second.id).await.unwrap().unwrap();
    assert_eq!((kept.closed, kept.letter.code), (None, Code::NoAlert));
    assert!(kept.notice.is_due());
}
