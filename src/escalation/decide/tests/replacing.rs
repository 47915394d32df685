//! An earlier death of the escalation was told in a note, or may have been.

use super::*;

fn note() -> NoteId {
    NoteId::parse("n").unwrap()
}

fn told(note: Option<NoteId>, in_doubt_until: Option<i64>) -> Progress {
    Progress {
        offer: Some(Offer::Running),
        failure_note: Some(FailureNote {
            note,
            in_doubt_until: in_doubt_until.map(at),
        }),
        ..known()
    }
}

fn looked(progress: &Progress, now: i64, look: &NoteLook) -> Action {
    decide(
        progress,
        &Situation {
            note_look: Some(look),
            ..situation(now)
        },
    )
}

fn look(of: NoteOutcome, found: Option<NoteId>, read: i64) -> NoteLook {
    NoteLook {
        of,
        found,
        read_at: at(read),
    }
}

#[test]
fn a_note_that_is_known_is_replaced_at_once() {
    assert_eq!(
        decide(&told(Some(note()), None), &situation(1)),
        Action::Call(Call::RewriteNote(note()))
    );
}

#[test]
fn what_may_still_land_is_waited_for_whether_the_note_is_known_or_not() {
    for id in [Some(note()), None] {
        let progress = told(id.clone(), Some(CALL));
        let wait = Action::WaitUntil {
            step: Step::Note,
            until: at(15),
        };
        assert_eq!(decide(&progress, &situation(14)), wait);
        let then = match id {
            Some(id) => Call::RewriteNote(id),
            None => Call::LookUpNote(NoteOutcome::Failed),
        };
        assert_eq!(decide(&progress, &situation(15)), Action::Call(then));
    }
}

#[test]
fn only_a_look_for_that_very_note_behind_the_doubt_says_something() {
    let progress = told(None, Some(CALL));
    let again = Action::Call(Call::LookUpNote(NoteOutcome::Failed));
    for says_nothing in [
        look(NoteOutcome::Ready, Some(note()), 15),
        look(NoteOutcome::Failed, None, 14),
    ] {
        assert_eq!(looked(&progress, 16, &says_nothing), again);
    }
    assert_eq!(
        looked(&progress, 16, &look(NoteOutcome::Failed, Some(note()), 15)),
        Action::Update(Update::FailureNoteFound(note()))
    );
    assert_eq!(
        looked(&progress, 16, &look(NoteOutcome::Failed, None, 15)),
        Action::Update(Update::NoFailureNote)
    );
    // And what is looked for behind the write of the real note is not the other one.
    let in_doubt = Progress {
        note: Write::Intended(intended(CALL, None)),
        ..told(Some(note()), None)
    };
    assert_eq!(
        looked(&in_doubt, 16, &look(NoteOutcome::Failed, Some(note()), 16)),
        Action::Call(Call::LookUpNote(NoteOutcome::Ready))
    );
}

#[test]
fn what_was_found_out_leads_to_the_write_that_follows_from_it() {
    let (mut progress, mut none) = (told(None, Some(CALL)), Cobrowse::default());
    Update::FailureNoteFound(note()).apply(&mut progress, &mut none);
    let rewrite = Action::Call(Call::RewriteNote(note()));
    assert_eq!(decide(&progress, &situation(1)), rewrite);
    Update::NoteMayRepeat.apply(&mut progress, &mut none);
    assert_eq!(decide(&progress, &situation(1)), rewrite);
    Update::NoFailureNote.apply(&mut progress, &mut none);
    let write = Action::Call(Call::WriteNote);
    assert_eq!(decide(&progress, &situation(1)), write);
    let mut replaced = told(Some(note()), None);
    Update::NoteFound(at(20), note()).apply(&mut replaced, &mut none);
    assert_eq!(replaced.failure_note, None);
}

#[test]
fn once_given_up_nothing_is_waited_for_or_replaced() {
    for id in [Some(note()), None] {
        let progress = Progress {
            gave_up: Some(GaveUp {
                code: Code::PagerdutyUnavailable,
                reason: "gave up after 12 attempts".to_owned(),
            }),
            ..told(id, Some(CALL))
        };
        let last = (Code::PagerdutyUnavailable, Wait::Final);
        assert_eq!(code(decide(&progress, &situation(3))), last);
    }
}
