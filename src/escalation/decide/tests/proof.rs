//! A session that was attached: is it there, whose is it, and is it over?

use super::*;

#[test]
fn the_proof_is_looked_for_within_a_bound_and_a_late_one_still_counts() {
    let attached = Cobrowse {
        session: Write::Done {
            at: at(0),
            result: session(),
        },
        media: Write::Done {
            at: at(1),
            result: (),
        },
        ..Cobrowse::default()
    };
    let ours = Progress {
        asked_at: Some(at(0)),
        ..known()
    };
    assert!(matches!(
        with(&ours, &attached, 2, ready(), 2),
        Action::WaitUntil {
            step: Step::Verify,
            ..
        }
    ));
    assert_eq!(
        with(&ours, &attached, 40, ready(), 20),
        Action::Call(Call::ReadConversation(Step::Verify))
    );
    assert_eq!(
        with(&ours, &attached, 40, showing(&session()), 40),
        Action::Update(Update::OfferOurs {
            session: session(),
            started_at: at(0),
            seen_at: Some(at(40)),
            ended: false,
        })
    );
    assert_eq!(
        code(with(&ours, &attached, 40, ready(), 40)),
        (Code::CobrowseNotConfirmed, Wait::Final)
    );
    assert_eq!(
        code(with(&known(), &attached, 40, ready(), 40)),
        (Code::CobrowseNotConfirmed, Wait::Final),
        "another escalation's session that was never shown may still come"
    );
    assert_eq!(
        with(&known(), &attached, 3601, ready(), 3601),
        Action::Update(Update::ForgetSession {
            over_at: Some(at(3601)),
        }),
        "but not for ever"
    );
    let seen = Cobrowse {
        seen_at: Some(at(5)),
        ..attached.clone()
    };
    assert_eq!(
        with(&known(), &seen, 40, ready(), 40),
        Action::Update(Update::ForgetSession { over_at: None }),
        "another escalation's session that has ended is not ours to miss"
    );
    let has_ended = |seen_at| {
        Action::Update(Update::OfferOurs {
            session: session(),
            started_at: at(0),
            seen_at: Some(seen_at),
            ended: true,
        })
    };
    assert_eq!(
        with(&ours, &seen, 40, ready(), 40),
        has_ended(at(5)),
        "whoever has seen it, it was this one's session: it gets no second one"
    );
    let shown_as_ended = || Conversation {
        ended: vec![session()],
        ..ready()
    };
    assert_eq!(
        with(&ours, &attached, 2, shown_as_ended(), 2),
        has_ended(at(2))
    );
    assert_eq!(
        with(&known(), &attached, 2, shown_as_ended(), 2),
        Action::Update(Update::ForgetSession {
            over_at: Some(at(2)),
        }),
        "another escalation's session that nobody has seen live, and that has ended"
    );
}
