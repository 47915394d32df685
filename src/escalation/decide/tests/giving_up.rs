//! Attempts and time may run out while a write is in doubt.

use super::*;

fn spent() -> Progress {
    Progress {
        gave_up: Some(GaveUp {
            code: Code::PagerdutyUnavailable,
            reason: "gave up after 12 attempts".to_owned(),
        }),
        ..known()
    }
}

#[test]
fn once_given_up_nothing_is_sent_and_what_was_sent_is_looked_for() {
    let last = (Code::PagerdutyUnavailable, Wait::Final);
    let open = Cobrowse::default();
    assert_eq!(code(with(&spent(), &open, 1, ready(), 1)), last);
    let created = Cobrowse {
        session: Write::Done {
            at: at(1),
            result: session(),
        },
        ..Cobrowse::default()
    };
    assert_eq!(code(with(&spent(), &created, 2, ready(), 2)), last);
    let offered = Progress {
        offer: Some(Offer::Running),
        ..spent()
    };
    assert_eq!(code(decide(&offered, &situation(3))), last);
    let in_doubt = Progress {
        note: Write::Intended(intended(CALL, None)),
        ..offered
    };
    assert_eq!(
        decide(&in_doubt, &situation(60)),
        Action::Call(Call::LookUpNote(NoteOutcome::Ready))
    );
}

#[test]
fn what_took_effect_after_all_was_not_given_up() {
    let (mut progress, mut cobrowse) = (spent(), Cobrowse::default());
    Update::NoteFound(at(9), NoteId::parse("n").unwrap()).apply(&mut progress, &mut cobrowse);
    assert_eq!(progress.gave_up, None);
    let mut progress = spent();
    Update::MediaFound(at(9)).apply(&mut progress, &mut cobrowse);
    assert_eq!(progress.gave_up, None);
}

#[test]
fn too_old_and_in_doubt_it_is_looked_for_as_long_again_and_no_longer() {
    let day = 86_400;
    let in_doubt = Progress {
        offer: Some(Offer::Running),
        note: Write::Intended(intended(CALL, None)),
        ..known()
    };
    assert_eq!(
        decide(&in_doubt, &situation(day + 1)),
        Action::Call(Call::LookUpNote(NoteOutcome::Ready))
    );
    let expired = (Code::Expired, Wait::Final);
    assert_eq!(code(decide(&in_doubt, &situation(2 * day + 1))), expired);
    assert_eq!(code(decide(&known(), &situation(day + 1))), expired);
    let asked = Progress {
        asked_at: Some(at(1)),
        ..known()
    };
    assert_eq!(
        decide(&asked, &situation(day + 1)),
        Action::Call(Call::ReadConversation(Step::Session)),
        "what became of it is not known before the ledger says"
    );
    let open = Cobrowse::default();
    assert_eq!(
        code(with(&asked, &open, day + 1, ready(), day + 1)),
        expired
    );
}

#[test]
fn a_session_that_was_left_behind_long_ago_is_not_attached() {
    let left = Cobrowse {
        session: Write::Done {
            at: at(0),
            result: session(),
        },
        ..Cobrowse::default()
    };
    assert_eq!(
        with(&known(), &left, 3599, ready(), 3599),
        Action::Call(Call::AttachMedia(session()))
    );
    assert_eq!(
        with(&known(), &left, 3600, ready(), 3600),
        Action::Update(Update::ForgetUnattached)
    );
    let mut cobrowse = left;
    Update::ForgetUnattached.apply(&mut known(), &mut cobrowse);
    assert_eq!(
        (cobrowse.session, cobrowse.possible_orphans),
        (Write::Open, 1)
    );
}
