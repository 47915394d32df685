//! Replays: whose a letter is, what begins anew, and what does not.

use std::sync::Arc;
use std::time::Duration;

use escalator::escalation::{
    Code, Context, ConversationId, DeadLetter, DeadLetterId, DeadLetterOrigin, End, EntryKind,
    FailureNote, GaveUp, Key, Message, NoteId, Notice, Progress, Task, Trigger,
};
use escalator::ledger::{
    Claim, ClaimRequest, Closing, Deed, Driving, Edited, EditedCopy, EntryOutcome, EntryStage,
    Error, Keeping, Ledger, Mark, NewReplay, Record, ReplayState, Staged, State, Then,
};

use super::letters::{dead, dead_with, entered, letter, message, replaying};
use super::{at, first, granted, incident, record};

fn new(id: &str) -> NewReplay {
    NewReplay {
        id: id.to_owned(),
        what: "all of code no_alert".to_owned(),
        per_minute: 30,
        entered: entered(Deed::Replay),
    }
}

/// A claim by a message that a replay has published.
fn replayed(message: &Message) -> ClaimRequest {
    ClaimRequest {
        cycle: message.cycle(),
        ..first(&message.incident_id)
    }
}

async fn stage(ledger: &dyn Ledger, replay: &str, number: u64) -> Staged {
    let letters = ledger.letters();
    letters.stage(replay.to_owned(), number).await.unwrap()
}

async fn settle(ledger: &dyn Ledger, number: u64, outcome: EntryOutcome) -> Result<(), Error> {
    let letters = ledger.letters();
    let detail = "as the test says".to_owned();
    letters
        .settle("rp-1".to_owned(), number, outcome, detail)
        .await
}

async fn of_entry(
    ledger: &dyn Ledger,
    replay: &str,
    number: u64,
) -> (EntryStage, Option<EntryOutcome>, Option<String>) {
    let letters = ledger.letters();
    let entries = letters
        .replay_entries(replay.to_owned(), false, number - 1, 1)
        .await
        .unwrap();
    (
        entries[0].stage,
        entries[0].outcome,
        entries[0].detail.clone(),
    )
}

pub(super) async fn a_replay_begins_once_and_is_audited_once(ledger: Arc<dyn Ledger>) {
    let letters = ledger.letters();
    let begun = letters.begin_replay(new("rp-1")).await.unwrap();
    assert_eq!(begun.state, ReplayState::Running);
    assert_eq!((begun.per_minute, begun.driver), (30, None));
    letters.begin_replay(new("rp-1")).await.unwrap();
    let audit = ledger.audit(10).await.unwrap();
    assert_eq!(audit.len(), 1);
    assert_eq!(audit[0].entered.deed, Deed::Replay);
    let what = audit[0].entered.what.as_deref();
    assert_eq!(what, Some("rp-1: all of code no_alert"));
    assert_eq!(letters.replays(10).await.unwrap().len(), 1);
    assert_eq!(letters.replay("rp-2".to_owned()).await.unwrap(), None);
}

pub(super) async fn of_two_replays_at_once_each_letter_is_one_s(ledger: Arc<dyn Ledger>) {
    let mut all = Vec::new();
    for _ in 0..20 {
        all.push(dead(&*ledger).await.id);
    }
    let marks = |ids: Vec<DeadLetterId>| -> Vec<Mark> {
        let mark = |letter| Mark {
            letter,
            expects: None,
        };
        ids.into_iter().map(mark).collect()
    };
    let backwards: Vec<_> = all.iter().rev().cloned().collect();
    let (one, other) = (marks(all.clone()), marks(backwards));
    for id in ["rp-1", "rp-2"] {
        ledger.letters().begin_replay(new(id)).await.unwrap();
    }
    let (first, second) = tokio::join!(
        ledger.letters().mark("rp-1".to_owned(), one.clone()),
        ledger.letters().mark("rp-2".to_owned(), other)
    );
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.taken + second.taken, 20, "{first:?} {second:?}");
    assert_eq!(first.refused + second.refused, 20, "{first:?} {second:?}");
    // Asked once more, since the answer was lost: nothing new.
    let again = ledger.letters().mark("rp-1".to_owned(), one).await.unwrap();
    assert_eq!((again.taken, again.refused), (0, 0));
    for id in ["rp-1", "rp-2"] {
        let letters = ledger.letters();
        let entries = letters
            .replay_entries(id.to_owned(), false, 0, 100)
            .await
            .unwrap();
        assert_eq!(entries.len(), 20);
        for entry in entries {
            let letter = letters.letter(entry.letter).await.unwrap().unwrap();
            let is_ours = letter.claimed_by.as_deref() == Some(id);
            match entry.stage {
                EntryStage::Marked => assert!(is_ours),
                EntryStage::Over => {
                    assert!(!is_ours);
                    assert_eq!(entry.outcome, Some(EntryOutcome::Refused));
                    let other = letter.claimed_by.unwrap();
                    assert_eq!(entry.detail, Some(format!("replay {other} has it")));
                }
                EntryStage::Staged => panic!("nothing was staged"),
            }
        }
    }
}

pub(super) async fn a_staged_escalation_is_open_again_and_staging_says_the_same_twice(
    ledger: Arc<dyn Ledger>,
) {
    let context = Context {
        conversation: ConversationId::parse("c-1").unwrap(),
        agent: None,
        ambiguous: false,
    };
    let letter = dead_with(
        &*ledger,
        Progress {
            context: Some(context.clone()),
            waiting_since: Some(at(1)),
            asked_at: Some(at(2)),
            gave_up: Some(GaveUp {
                code: Code::GenesysUnavailable,
                reason: "down".to_owned(),
            }),
            not_before: Some(at(3_000_000)),
            setbacks: 7,
            ..Progress::default()
        },
    )
    .await;
    replaying(&*ledger, "rp-1", &[&letter]).await;
    let staged = stage(&*ledger, "rp-1", 1).await;
    let Staged::Publish(message) = staged else {
        panic!("{staged:?}")
    };
    let Task::Start(start) = &message.task else {
        panic!("{message:?}")
    };
    assert_eq!((start.cycle, message.lane.as_str()), (1, "normal"));
    assert!(message.accepted_at > at(1), "its time begins anew");
    assert_eq!(of_entry(&*ledger, "rp-1", 1).await.0, EntryStage::Staged);
    let ground = ledger
        .letters()
        .ground(letter.id.clone())
        .await
        .unwrap()
        .unwrap();
    let known = ground.escalation.unwrap();
    assert_eq!(
        (known.state, known.attempts, ground.cycle),
        (State::Open, 0, 1)
    );
    assert_eq!((known.end, known.ended_at), (None, None));
    let anew = Progress {
        context: Some(context),
        asked_at: Some(at(2)),
        ..Progress::default()
    };
    assert_eq!(known.progress, anew);
    let epoch = known.epoch;
    // A message of before is not what goes on with it, though it be delivered now.
    let old = ledger.claim(first(&message.incident_id)).await.unwrap();
    assert!(matches!(old, Claim::Outdated { .. }), "{old:?}");
    // Its message may be in hand already. Then staging, asked again, changes nothing.
    let claim = granted(&*ledger, replayed(&message)).await;
    assert_eq!(
        (claim.held.epoch, claim.cycle, claim.attempts),
        (epoch + 1, 1, 0)
    );
    assert!(!claim.recovered);
    let again = stage(&*ledger, "rp-1", 1).await;
    assert!(matches!(again, Staged::Publish(_)), "{again:?}");
    ledger
        .record(record(&claim.held, Then::Continue))
        .await
        .unwrap();
    settle(&*ledger, 1, EntryOutcome::Replayed).await.unwrap();
    settle(&*ledger, 1, EntryOutcome::Refused).await.unwrap();
    assert_eq!(
        of_entry(&*ledger, "rp-1", 1).await.1,
        Some(EntryOutcome::Replayed)
    );
    assert_eq!(stage(&*ledger, "rp-1", 1).await, Staged::Over);
    let closed = ledger.letters().letter(letter.id).await.unwrap().unwrap();
    assert_eq!(closed.claimed_by, None);
    let how = closed.closed.unwrap();
    assert_eq!((how.how, how.by.as_str()), (Closing::Replayed, "rp-1"));
    let history = ledger.history(&letter.key.unwrap()).await.unwrap();
    let told: Vec<_> = history
        .iter()
        .filter(|e| e.kind == EntryKind::Replayed)
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].what, "by alex, rp-1: a test");
}

pub(super) async fn whoever_dies_again_leaves_a_letter_that_follows_the_first(
    ledger: Arc<dyn Ledger>,
) {
    let letter = dead(&*ledger).await;
    replaying(&*ledger, "rp-1", &[&letter]).await;
    let Staged::Publish(message) = stage(&*ledger, "rp-1", 1).await else {
        panic!("not staged")
    };
    settle(&*ledger, 1, EntryOutcome::Replayed).await.unwrap();
    let claim = granted(&*ledger, replayed(&message)).await;
    let end = End::Dead {
        code: Code::ConversationOver,
        reason: "over".to_owned(),
        published: true,
    };
    let ended = record(
        &claim.held,
        Then::End {
            end,
            conversation: None,
        },
    );
    ledger.record(ended).await.unwrap();
    // Whichever of its messages comes: it hears the cycle.
    let claim = ledger.claim(first(&message.incident_id)).await.unwrap();
    assert!(matches!(claim, Claim::Ended { cycle: 1, .. }), "{claim:?}");
    let key = letter.key.clone().unwrap();
    let second = DeadLetter::of_escalation(
        key,
        1,
        *message,
        Code::ConversationOver,
        "over".to_owned(),
        1,
        at(50),
        Vec::new(),
    );
    assert_eq!(second.follows.as_ref(), Some(&letter.id));
    assert_eq!(
        ledger.letters().keep(second.clone()).await.unwrap(),
        Keeping::Kept
    );
    // The first cannot be replayed any more, the second can.
    replaying(&*ledger, "rp-2", &[&letter, &second]).await;
    let (stage_of_first, outcome, detail) = of_entry(&*ledger, "rp-2", 1).await;
    assert_eq!(
        (stage_of_first, outcome),
        (EntryStage::Over, Some(EntryOutcome::Refused))
    );
    assert!(
        detail
            .unwrap()
            .starts_with("it is closed: replayed by rp-1")
    );
    let Staged::Publish(message) = stage(&*ledger, "rp-2", 2).await else {
        panic!("not staged")
    };
    let Task::Start(start) = &message.task else {
        panic!("{message:?}")
    };
    assert_eq!(start.cycle, 2);
}

pub(super) async fn what_has_ended_well_or_is_in_hand_is_not_begun_anew(ledger: Arc<dyn Ledger>) {
    // A message that came round too often, of an escalation that goes on by another one.
    let incident = incident();
    let held = granted(&*ledger, first(&incident)).await.held;
    let bytes = message(&incident, None).encode().unwrap();
    let letter = DeadLetter::of_returned(&bytes, "delivery_limit", at(5));
    assert_eq!(letter.origin, DeadLetterOrigin::Broker);
    ledger.letters().keep(letter.clone()).await.unwrap();
    replaying(&*ledger, "rp-1", &[&letter]).await;
    let staged = stage(&*ledger, "rp-1", 1).await;
    assert!(matches!(staged, Staged::Refused(_)), "{staged:?}");
    // It may write still: nothing was fenced off.
    let (end, conversation) = (End::Done, None);
    ledger
        .record(record(&held, Then::End { end, conversation }))
        .await
        .unwrap();
    let staged = stage(&*ledger, "rp-1", 1).await;
    assert_eq!(
        staged,
        Staged::Nothing("its escalation has ended: done".to_owned())
    );
    settle(&*ledger, 1, EntryOutcome::NothingToDo)
        .await
        .unwrap();
    let closed = ledger.letters().letter(letter.id).await.unwrap().unwrap();
    assert_eq!(closed.closed.unwrap().how, Closing::NothingToDo);
    assert!(!closed.notice.is_due(), "{:?}", closed.notice);
    let task = ledger.letters().take_notice(Duration::ZERO).await.unwrap();
    assert_eq!(task, None);
}

pub(super) async fn what_was_never_claimed_begins_in_the_cycle_of_its_message(
    ledger: Arc<dyn Ledger>,
) {
    let letter = letter(&incident(), Code::LedgerUnreadable, "odd", 5);
    ledger.letters().keep(letter.clone()).await.unwrap();
    replaying(&*ledger, "rp-1", &[&letter]).await;
    let Staged::Publish(message) = stage(&*ledger, "rp-1", 1).await else {
        panic!("not staged")
    };
    settle(&*ledger, 1, EntryOutcome::Replayed).await.unwrap();
    let claim = granted(
        &*ledger,
        ClaimRequest {
            cycle: 1,
            ..first(&message.incident_id)
        },
    )
    .await;
    assert_eq!(claim.cycle, 1);
}

pub(super) async fn bytes_that_nobody_can_read_are_not_replayed(ledger: Arc<dyn Ledger>) {
    let letter = DeadLetter::of_bytes(
        b"what is this",
        Code::MessageUndecodable,
        "not readable".to_owned(),
        DeadLetterOrigin::Worker,
        at(5),
    );
    ledger.letters().keep(letter.clone()).await.unwrap();
    let kept = ledger
        .letters()
        .letter(letter.id.clone())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(kept.letter.bytes().unwrap(), b"what is this");
    assert_eq!((&kept.incident, &kept.notice), (&None, &Notice::Nobody));
    replaying(&*ledger, "rp-1", &[&letter]).await;
    let staged = stage(&*ledger, "rp-1", 1).await;
    assert!(matches!(staged, Staged::Refused(_)), "{staged:?}");
    settle(&*ledger, 1, EntryOutcome::Refused).await.unwrap();
    let open = ledger.letters().letter(letter.id).await.unwrap().unwrap();
    assert_eq!((open.claimed_by, open.closed), (None, None));
}

pub(super) async fn a_staged_entry_can_only_be_published(ledger: Arc<dyn Ledger>) {
    let letter = dead(&*ledger).await;
    replaying(&*ledger, "rp-1", &[&letter]).await;
    stage(&*ledger, "rp-1", 1).await;
    for outcome in [
        EntryOutcome::LetGo,
        EntryOutcome::Refused,
        EntryOutcome::NothingToDo,
    ] {
        let settled = settle(&*ledger, 1, outcome).await;
        assert!(matches!(settled, Err(Error::Corrupt(_))), "{settled:?}");
    }
    assert_eq!(of_entry(&*ledger, "rp-1", 1).await.0, EntryStage::Staged);
}

pub(super) async fn a_cancelled_replay_lets_go_what_was_not_begun(ledger: Arc<dyn Ledger>) {
    let (one, other) = (dead(&*ledger).await, dead(&*ledger).await);
    replaying(&*ledger, "rp-1", &[&one, &other]).await;
    let letters = ledger.letters();
    stage(&*ledger, "rp-1", 1).await;
    let cancelled = letters
        .cancel_replay("rp-1".to_owned(), entered(Deed::CancelReplay))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(cancelled.state, ReplayState::Cancelling);
    assert_eq!((cancelled.counts.marked, cancelled.counts.staged), (1, 1));
    let undone = letters
        .replay_entries("rp-1".to_owned(), true, 0, 10)
        .await
        .unwrap();
    assert_eq!(undone.len(), 2);
    settle(&*ledger, 1, EntryOutcome::Replayed).await.unwrap();
    settle(&*ledger, 2, EntryOutcome::LetGo).await.unwrap();
    let ended = letters
        .end_replay("rp-1".to_owned())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ended.state, ReplayState::Cancelled);
    assert_eq!((ended.counts.replayed, ended.counts.let_go), (1, 1));
    let free = letters.letter(other.id.clone()).await.unwrap().unwrap();
    assert_eq!((free.claimed_by, free.closed), (None, None));
    assert_eq!(free.notice, Notice::due(None, false));
    let none = letters
        .cancel_replay("rp-9".to_owned(), entered(Deed::CancelReplay))
        .await;
    assert_eq!(none.unwrap(), None);
    // Whoever comes next may have it.
    replaying(&*ledger, "rp-2", &[&other]).await;
    let staged = stage(&*ledger, "rp-2", 1).await;
    assert!(matches!(staged, Staged::Publish(_)), "{staged:?}");
}

pub(super) async fn one_drives_a_replay_at_a_time(ledger: Arc<dyn Ledger>) {
    let letters = ledger.letters();
    letters.begin_replay(new("rp-1")).await.unwrap();
    let drive =
        |driver: &str, lease| letters.drive_replay("rp-1".to_owned(), driver.to_owned(), lease);
    let long = Duration::from_secs(600);
    assert!(matches!(drive("a", long).await.unwrap(), Driving::Yes(_)));
    assert!(matches!(drive("a", long).await.unwrap(), Driving::Yes(_)));
    assert_eq!(
        drive("b", long).await.unwrap(),
        Driving::Busy("a".to_owned())
    );
    // Given up: the other one may.
    assert!(matches!(
        drive("a", Duration::ZERO).await.unwrap(),
        Driving::Yes(_)
    ));
    assert!(matches!(
        drive("b", Duration::from_millis(1)).await.unwrap(),
        Driving::Yes(_)
    ));
    // That time passes is the event.
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(matches!(drive("a", long).await.unwrap(), Driving::Yes(_)));
    let unknown = letters
        .drive_replay("rp-2".to_owned(), "a".to_owned(), long)
        .await
        .unwrap();
    assert_eq!(unknown, Driving::Unknown);
}

pub(super) async fn a_replay_ends_once_and_only_when_nothing_is_left(ledger: Arc<dyn Ledger>) {
    let letter = dead(&*ledger).await;
    replaying(&*ledger, "rp-1", &[&letter]).await;
    let end = || async {
        let ended = ledger.letters().end_replay("rp-1".to_owned()).await;
        ended.unwrap().unwrap()
    };
    assert_eq!(end().await.state, ReplayState::Running);
    settle(&*ledger, 1, EntryOutcome::Refused).await.unwrap();
    assert_eq!(end().await.state, ReplayState::Done);
    let ended = end().await;
    assert!(ended.ended_at.is_some() && ended.counts.refused == 1);
    let audit = ledger.audit(10).await.unwrap();
    let endings: Vec<_> = audit
        .iter()
        .filter(|l| l.entered.deed == Deed::ReplayEnded)
        .collect();
    assert_eq!(endings.len(), 1);
    assert_eq!(endings[0].entered.result.as_deref(), Some("1 refused"));
    assert_eq!(endings[0].entered.by, "alex");
}

pub(super) async fn what_the_incident_was_told_goes_with_the_replay(ledger: Arc<dyn Ledger>) {
    let letter = dead(&*ledger).await;
    let letters = ledger.letters();
    let task = letters
        .take_notice(Duration::from_secs(600))
        .await
        .unwrap()
        .unwrap();
    let note = NoteId::parse("PN1").unwrap();
    let told = Notice::Told {
        note: note.clone(),
        at: at(9),
    };
    letters
        .record_notice(letter.id.clone(), task.epoch, told, None)
        .await
        .unwrap();
    replaying(&*ledger, "rp-1", &[&letter]).await;
    let Staged::Publish(message) = stage(&*ledger, "rp-1", 1).await else {
        panic!("not staged")
    };
    settle(&*ledger, 1, EntryOutcome::Replayed).await.unwrap();
    let closed = letters.letter(letter.id.clone()).await.unwrap().unwrap();
    assert_eq!(closed.notice, Notice::HandedOn);
    let claim = granted(&*ledger, replayed(&message)).await;
    let known = FailureNote {
        note: Some(note),
        in_doubt_until: None,
    };
    assert_eq!(claim.progress.failure_note, Some(known.clone()));
    // It dies once more: what stands in the incident is to be written over.
    let end = End::Dead {
        code: Code::ConversationOver,
        reason: "over".to_owned(),
        published: true,
    };
    let ended = Record {
        progress: claim.progress.clone(),
        ..record(
            &claim.held,
            Then::End {
                end,
                conversation: None,
            },
        )
    };
    ledger.record(ended).await.unwrap();
    let key = Key::of(&message.incident_id, &Trigger::First);
    let code = Code::ConversationOver;
    let second = DeadLetter::of_escalation(
        key,
        1,
        *message,
        code,
        "over".to_owned(),
        1,
        at(50),
        Vec::new(),
    );
    letters.keep(second.clone()).await.unwrap();
    let kept = letters.letter(second.id).await.unwrap().unwrap();
    assert_eq!(kept.notice, Notice::due(Some(&known), true));
}

pub(super) async fn what_is_marked_once_a_replay_is_told_to_stop_is_nobody_s(
    ledger: Arc<dyn Ledger>,
) {
    let letter = dead(&*ledger).await;
    let letters = ledger.letters();
    letters.begin_replay(new("rp-1")).await.unwrap();
    letters
        .cancel_replay("rp-1".to_owned(), entered(Deed::CancelReplay))
        .await
        .unwrap();
    let late = letters
        .end_replay("rp-1".to_owned())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(late.state, ReplayState::Cancelled);
    let mark = Mark {
        letter: letter.id.clone(),
        expects: None,
    };
    let marked = letters.mark("rp-1".to_owned(), vec![mark]).await.unwrap();
    assert_eq!((marked.taken, marked.refused), (0, 1));
    let (stage, outcome, _) = of_entry(&*ledger, "rp-1", 1).await;
    assert_eq!(
        (stage, outcome),
        (EntryStage::Over, Some(EntryOutcome::LetGo))
    );
    let free = letters.letter(letter.id).await.unwrap().unwrap();
    assert_eq!(free.claimed_by, None);
}

pub(super) async fn a_replay_whose_beginning_was_cut_off_does_not_end_as_done(
    ledger: Arc<dyn Ledger>,
) {
    let letters = ledger.letters();
    for (id, whole, state) in [
        ("rp-1", false, ReplayState::Cancelled),
        ("rp-2", true, ReplayState::Done),
    ] {
        letters.begin_replay(new(id)).await.unwrap();
        if whole {
            letters.all_marked(id.to_owned()).await.unwrap();
        }
        let ended = letters.end_replay(id.to_owned()).await.unwrap().unwrap();
        assert_eq!((ended.state, ended.marked), (state, whole));
        let audit = ledger.audit(1).await.unwrap().remove(0);
        let result = audit.entered.result.unwrap();
        assert_eq!(result.contains("not all letters"), !whole, "{result}");
    }
}

pub(super) async fn every_letter_of_an_escalation_is_handed_on_with_the_one_that_is_replayed(
    ledger: Arc<dyn Ledger>,
) {
    let letters = ledger.letters();
    let letter = dead(&*ledger).await;
    let lease = Duration::from_secs(600);
    let task = letters.take_notice(lease).await.unwrap().unwrap();
    let note = NoteId::parse("PN1").unwrap();
    let told = Notice::Told {
        note: note.clone(),
        at: at(9),
    };
    letters
        .record_notice(letter.id.clone(), task.epoch, told, None)
        .await
        .unwrap();
    // Bytes that turned out to be about the same incident.
    let bytes = DeadLetter::of_bytes(
        b"an odd webhook",
        Code::WebhookNotUnderstood,
        "no JSON".to_owned(),
        DeadLetterOrigin::Ingress,
        at(6),
    );
    letters.keep(bytes.clone()).await.unwrap();
    let edited = letters
        .edit(EditedCopy {
            original: bytes.id.clone(),
            message: letter.message.clone().unwrap(),
            entered: entered(Deed::Edit),
        })
        .await
        .unwrap();
    let Edited::Done(copy) = edited else {
        panic!("{edited:?}")
    };
    letters.begin_replay(new("rp-1")).await.unwrap();
    let mark = Mark {
        letter: copy,
        expects: None,
    };
    letters.mark("rp-1".to_owned(), vec![mark]).await.unwrap();
    let Staged::Publish(message) = stage(&*ledger, "rp-1", 1).await else {
        panic!("not staged")
    };
    let claim = granted(&*ledger, replayed(&message)).await;
    let known = FailureNote {
        note: Some(note),
        in_doubt_until: None,
    };
    assert_eq!(claim.progress.failure_note, Some(known));
    let other = letters.letter(letter.id).await.unwrap().unwrap();
    assert_eq!(other.notice, Notice::HandedOn);
    assert_eq!(letters.take_notice(lease).await.unwrap(), None);
}
