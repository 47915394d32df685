#![allow(clippy::unwrap_used)]

use super::*;
use crate::escalation::{
    Agent, AgentId, Cobrowse, Code, Context, Contract, ConversationId, DeadLetterOrigin,
    FailureNote, Intent, NoteId, Offer, Progress, SessionId,
};
use std::collections::BTreeSet;

const SETTLE: Duration = Duration::from_secs(5);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn intended<T>(epoch: u64, deadline: i64, absent_at: Option<i64>) -> Write<T> {
    Write::Intended(Intent {
        epoch,
        deadline: at(deadline),
        absent_at: absent_at.map(at),
    })
}

fn done<T>(second: i64, result: T) -> Write<T> {
    Write::Done {
        at: at(second),
        result,
    }
}

fn session(name: &str) -> SessionId {
    SessionId::parse(name).unwrap()
}

fn attached(seen: bool) -> Cobrowse {
    Cobrowse {
        contract: Contract::Sessions,
        offer_ends: None,
        there_before: Vec::new(),
        session: done(1, session("s-1")),
        media: done(2, ()),
        seen_at: seen.then(|| at(3)),
        over_at: None,
        possible_orphans: 0,
    }
}

fn offered() -> Progress {
    let agent = AgentId::parse("a-1").unwrap();
    Progress {
        context: Some(Context {
            conversation: ConversationId::parse("c-1").unwrap(),
            agent: None,
            ambiguous: false,
        }),
        agent: Some(Agent {
            id: agent,
            instead_of: None,
        }),
        asked_at: Some(at(0)),
        offer: Some(Offer::Running),
        ..Progress::default()
    }
}

fn broken(verdict: Verdict) -> Invariant {
    verdict.unwrap_err().invariant
}

#[test]
fn the_list_is_numbered_as_it_is_told() {
    for (index, invariant) in Invariant::ALL.into_iter().enumerate() {
        let name = invariant.as_str();
        assert!(name.starts_with(&format!("i{}_", index + 1)), "{name}");
        assert!(!invariant.statement().ends_with('.'), "{name}");
    }
    let statements: BTreeSet<_> = Invariant::ALL.map(Invariant::statement).into();
    assert_eq!(statements.len(), Invariant::ALL.len());
}

#[test]
fn one_is_allowed_and_two_are_not() {
    assert_eq!((attachments(0), attachments(1)), (Ok(()), Ok(())));
    assert_eq!(broken(attachments(2)), Invariant::OneLiveAttachment);
    assert_eq!((notes(0), notes(1)), (Ok(()), Ok(())));
    assert_eq!(broken(notes(2)), Invariant::OneNote);
}

#[test]
fn a_write_needs_an_intent_of_the_lease_under_which_it_is_sent() {
    assert_eq!(sent::<()>(&intended(2, 9, None), 2), Ok(()));
    for durable in [Write::Open, intended(1, 9, None), done(1, ())] {
        assert_eq!(broken(sent(&durable, 2)), Invariant::IntentBeforeWrite);
    }
}

#[test]
fn a_write_is_repeated_only_behind_a_look_that_could_see_the_first() {
    assert_eq!(sent_again(at(10), SETTLE, Some(at(15))), Ok(()));
    for began in [None, Some(at(10)), Some(at(14))] {
        assert_eq!(
            broken(sent_again(at(10), SETTLE, began)),
            Invariant::SettledBeforeRepeat
        );
    }
}

#[test]
fn an_ack_needs_an_end_or_a_successor() {
    let dead = |published| End::Dead {
        code: Code::Expired,
        reason: "too old".to_owned(),
        published,
    };
    for end in [End::Done, End::Cancelled, dead(true)] {
        assert_eq!(acked(Some(&end), false), Ok(()));
    }
    assert_eq!(acked(None, true), Ok(()));
    assert_eq!(broken(acked(None, false)), Invariant::RecordBeforeAck);
    // Recorded as dead, and nobody has been told.
    let unpublished = acked(Some(&dead(false)), false);
    assert_eq!(broken(unpublished), Invariant::RecordBeforeAck);
}

#[test]
fn counts_waits_and_answers_are_kept() {
    assert_eq!((attempts(1, 1), attempts(1, 2)), (Ok(()), Ok(())));
    assert_eq!(broken(attempts(2, 1)), Invariant::AttemptsNeverFall);
    assert_eq!(next_try(at(0), SETTLE, at(5)), Ok(()));
    let early = next_try(at(0), SETTLE, at(4));
    assert_eq!(broken(early), Invariant::RetryAfterKept);
    assert_eq!(
        (accepted(true, true), accepted(false, false)),
        (Ok(()), Ok(()))
    );
    assert_eq!(broken(accepted(false, true)), Invariant::AcceptedIsStored);
    assert_eq!(told("a session was created", "https://join/1"), Ok(()));
    let link = told("see https://join/1", "https://join/1");
    assert_eq!(broken(link), Invariant::NothingSecretTold);
    assert_eq!(drained(0), Ok(()));
    assert_eq!(broken(drained(1)), Invariant::NothingInFlightAfterDrain);
}

#[test]
fn a_dead_letter_says_why_and_whose_it_is() {
    let letter = |reason: &str| {
        DeadLetter::of_bytes(
            b"?",
            Code::MessageUndecodable,
            reason.to_owned(),
            DeadLetterOrigin::Worker,
            at(0),
        )
    };
    assert_eq!(dead_letter(&letter("not JSON")), Ok(()));
    let mute = dead_letter(&letter(" "));
    assert_eq!(broken(mute), Invariant::DeadLetterSaysWhy);
    let mut nobodys = letter("not JSON");
    nobodys.key = None;
    assert_eq!(broken(dead_letter(&nobodys)), Invariant::DeadLetterSaysWhy);
}

#[test]
fn a_write_moves_along_its_edges_and_along_no_other() {
    let (open, done_once) = (Write::Open, done(9, 1));
    let intents = [intended(1, 10, None), intended(1, 10, Some(15))];
    for (before, after) in [
        (&open, &open),
        (&open, &intents[0]),
        (&intents[0], &intents[1]),
        // Proven absent in memory and intended again, under the same lease or a later one.
        (&intents[1], &intended(1, 20, None)),
        (&intents[1], &intended(3, 20, None)),
        (&intents[1], &open),
        (&intents[0], &done_once),
        (&done_once, &done_once),
    ] {
        assert_eq!(edge::write(before, after), Ok(()), "{before:?} {after:?}");
    }
    for (before, after) in [
        (&open, &done_once),
        (&open, &intents[1]),
        (&intents[0], &intended(2, 10, Some(15))),
        (&intents[0], &intended(1, 10, Some(9))),
        (&done_once, &open),
        (&done_once, &intents[0]),
        (&done_once, &done(9, 2)),
    ] {
        assert_eq!(
            broken(edge::write(before, after)),
            Invariant::DocumentedEdges,
            "{before:?} {after:?}"
        );
    }
}

#[test]
fn a_session_is_forgotten_only_after_it_was_seen() {
    let gone = Cobrowse::default();
    let again = Cobrowse {
        session: intended(1, 20, None),
        ..Cobrowse::default()
    };
    for after in [&gone, &again] {
        assert_eq!(edge::cobrowse(&attached(true), after), Ok(()));
        assert!(edge::cobrowse(&attached(false), after).is_err());
    }
    let over = |at| Cobrowse {
        over_at: Some(at),
        ..Cobrowse::default()
    };
    assert_eq!(edge::cobrowse(&attached(false), &over(at(2))), Ok(()));
    assert!(edge::cobrowse(&attached(false), &over(at(1))).is_err());
    let over_before = Cobrowse {
        over_at: Some(at(2)),
        ..attached(false)
    };
    assert!(edge::cobrowse(&over_before, &over(at(2))).is_err());
    let half = Cobrowse {
        session: Write::Open,
        ..attached(true)
    };
    assert!(edge::cobrowse(&attached(true), &half).is_err());
    let another = Cobrowse {
        session: done(1, session("s-2")),
        ..attached(true)
    };
    assert!(edge::cobrowse(&attached(true), &another).is_err());
}

#[test]
fn an_attachment_may_be_found_and_belongs_to_a_session() {
    let created = Cobrowse {
        media: Write::Open,
        ..attached(false)
    };
    assert_eq!(edge::cobrowse(&created, &attached(true)), Ok(()));
    let seen_nowhere = Cobrowse {
        seen_at: Some(at(3)),
        ..created.clone()
    };
    assert!(edge::cobrowse(&created, &seen_nowhere).is_err());
    let orphaned = Cobrowse {
        possible_orphans: 1,
        ..created.clone()
    };
    assert_eq!(edge::cobrowse(&created, &orphaned), Ok(()));
    assert!(edge::cobrowse(&orphaned, &created).is_err());
}

#[test]
fn what_an_escalation_has_settled_stays_settled() {
    let settled = offered();
    let mut noted = settled.clone();
    noted.note = intended(2, 10, None);
    assert_eq!(edge::progress(&Progress::default(), &settled), Ok(()));
    assert_eq!(edge::progress(&settled, &noted), Ok(()));

    let asked = Progress {
        offer: None,
        ..settled.clone()
    };
    let refused = Progress {
        asked_at: None,
        ..asked.clone()
    };
    assert_eq!(edge::progress(&asked, &refused), Ok(()));

    type Change = fn(&mut Progress);
    let changes: [(&Progress, Change); 6] = [
        (&settled, |p| p.context = None),
        (&settled, |p| p.agent = None),
        (&settled, |p| p.asked_at = None),
        (&settled, |p| p.offer = None),
        (&refused, |p| p.note = intended(1, 10, None)),
        (&noted, |p| p.note = intended::<NoteId>(1, 20, None)),
    ];
    for (before, change) in changes {
        let mut after = before.clone();
        change(&mut after);
        let verdict = edge::progress(before, &after);
        assert_eq!(broken(verdict), Invariant::DocumentedEdges, "{after:?}");
    }
}

#[test]
fn of_the_note_of_a_failure_more_becomes_known_until_nothing_is_left_to_know() {
    let telling = |note: Option<&str>, in_doubt_until: Option<i64>| Progress {
        failure_note: Some(FailureNote {
            note: note.map(|id| NoteId::parse(id).unwrap()),
            in_doubt_until: in_doubt_until.map(at),
        }),
        ..offered()
    };
    let noted = |note: Write<NoteId>, progress: &Progress| Progress {
        note,
        ..progress.clone()
    };
    let id = NoteId::parse("n-1").unwrap();
    let (unknown, known) = (telling(None, Some(5)), telling(Some("n-1"), None));
    let rewriting = noted(intended(1, 10, None), &known);
    for (before, after) in [
        (&unknown, &known),
        (&unknown, &offered()),
        (&unknown, &rewriting),
        (&telling(Some("n-1"), Some(5)), &known),
        (&known, &rewriting),
        (&rewriting, &known),
        // Refused, or found to have taken its place.
        (&rewriting, &offered()),
        (&rewriting, &noted(done(9, id.clone()), &offered())),
        // A replay of what ended with a write in doubt.
        (
            &noted(intended(1, 10, None), &unknown),
            &noted(intended(1, 10, Some(15)), &unknown),
        ),
    ] {
        assert_eq!(
            edge::progress(before, after),
            Ok(()),
            "{before:?} {after:?}"
        );
    }
    for (before, after) in [
        (&offered(), &known),
        (&known, &telling(Some("n-2"), None)),
        (&known, &telling(None, None)),
        (&known, &telling(Some("n-1"), Some(5))),
        (&unknown, &telling(None, Some(6))),
        (&unknown, &noted(intended(1, 10, None), &unknown)),
        (&rewriting, &noted(done(9, id), &known)),
    ] {
        assert_eq!(
            broken(edge::progress(before, after)),
            Invariant::DocumentedEdges,
            "{before:?} {after:?}"
        );
    }
}

#[test]
fn an_end_is_the_end() {
    let dead = |published| End::Dead {
        code: Code::Expired,
        reason: "too old".to_owned(),
        published,
    };
    for after in [End::Done, End::Cancelled, dead(false)] {
        assert_eq!(edge::end(None, Some(&after)), Ok(()));
    }
    assert_eq!(edge::end(Some(&dead(false)), Some(&dead(true))), Ok(()));
    assert!(edge::end(None, Some(&dead(true))).is_err());
    assert!(edge::end(Some(&dead(true)), Some(&dead(false))).is_err());
    assert!(edge::end(Some(&End::Done), Some(&End::Cancelled)).is_err());
    assert!(edge::end(Some(&End::Done), None).is_err());
}
