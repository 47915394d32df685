//! The `conversation` contract: one call offers a session, and only a read can tell whether it did.

use super::*;

fn offers() -> Cobrowse {
    Cobrowse {
        contract: Contract::Conversation,
        ..Cobrowse::default()
    }
}

/// An offer whose call was over at this second, and whose answer was lost.
fn in_doubt(deadline: i64, absent_at: Option<i64>) -> Cobrowse {
    Cobrowse {
        session: Write::Intended(intended(deadline, absent_at)),
        ..offers()
    }
}

fn made() -> Cobrowse {
    Cobrowse {
        session: Write::Done {
            at: at(10),
            result: session(),
        },
        media: Write::Done {
            at: at(10),
            result: (),
        },
        ..offers()
    }
}

fn asked() -> Progress {
    Progress {
        asked_at: Some(at(1)),
        ..known()
    }
}

/// The same, at a Genesys that is known to show sessions.
fn at_one_that_shows(cobrowse: &Cobrowse, now: i64, read: i64) -> Action {
    let survey = Survey {
        contract: Contract::Conversation,
        conversation: ready(),
        read_at: at(read),
    };
    decide(
        &asked(),
        &Situation {
            claimed: Some(cobrowse),
            survey: Some(&survey),
            shows_sessions: true,
            ..situation(now)
        },
    )
}

/// The same, at one of which it is known that it shows those that somebody has joined.
fn at_one_that_shows_joined(progress: &Progress, cobrowse: &Cobrowse, now: i64) -> Action {
    let survey = Survey {
        contract: Contract::Conversation,
        conversation: ready(),
        read_at: at(now),
    };
    decide(
        progress,
        &Situation {
            claimed: Some(cobrowse),
            survey: Some(&survey),
            shows_joined: true,
            ..situation(now)
        },
    )
}

#[test]
fn a_session_is_asked_for_by_the_contract_that_was_read() {
    assert_eq!(
        with(&known(), &offers(), 2, ready(), 2),
        Action::Call(Call::CreateSession(Contract::Conversation))
    );
}

#[test]
fn an_offer_in_doubt_is_looked_for_only_when_it_can_no_longer_come() {
    let wait = Action::WaitUntil {
        step: Step::Session,
        until: at(15),
    };
    assert_eq!(with(&asked(), &in_doubt(10, None), 12, ready(), 12), wait);
    // Not even one that is there already: another may follow.
    let there = showing(&session());
    assert_eq!(
        with(&asked(), &in_doubt(10, None), 12, there.clone(), 12),
        wait
    );
    let look = Action::Call(Call::ReadConversation(Step::Session));
    assert_eq!(with(&asked(), &in_doubt(10, None), 16, there, 12), look);
}

#[test]
fn a_session_that_is_there_after_the_call_is_what_the_call_made() {
    let action = with(&asked(), &in_doubt(10, None), 16, showing(&session()), 16);
    let (mut progress, mut cobrowse) = (asked(), in_doubt(10, None));
    match action {
        Action::Update(update) => update.apply(&mut progress, &mut cobrowse),
        other => panic!("{other:?}"),
    }
    assert_eq!(cobrowse.session.done(), Some(&session()));
    assert!(cobrowse.media.done().is_some());
}

#[test]
fn one_that_cannot_be_read_is_told_of_as_running() {
    let nameless = Conversation {
        cobrowse: vec![LiveCobrowse {
            session: None,
            joined: true,
            viewer: None,
        }],
        ..ready()
    };
    assert_eq!(
        with(&asked(), &in_doubt(10, None), 16, nameless, 16),
        Action::Update(Update::OfferRunning)
    );
}

#[test]
fn absence_in_two_looks_proves_something_only_where_sessions_are_shown() {
    assert_eq!(
        at_one_that_shows(&in_doubt(10, None), 16, 16),
        Action::Update(Update::SessionAbsent(at(16)))
    );
    assert_eq!(
        at_one_that_shows(&in_doubt(10, Some(16)), 21, 21),
        Action::Update(Update::SessionProvenAbsent)
    );
    assert_eq!(
        code(with(&asked(), &in_doubt(10, Some(16)), 21, ready(), 21)),
        (Code::SessionOutcomeUnknown, Wait::Final)
    );
    let over = Conversation {
        over: true,
        ..Conversation::default()
    };
    assert_eq!(
        code(with(&asked(), &in_doubt(10, Some(16)), 21, over, 21)),
        (Code::ConversationOver, Wait::Final)
    );
}

#[test]
fn an_offer_that_is_not_shown_within_the_bound_is_told_of_as_not_joined_yet() {
    assert_eq!(
        with(&asked(), &made(), 40, ready(), 40),
        Action::Update(Update::OfferOurs {
            session: session(),
            started_at: at(10),
            seen_at: None,
            ended: false,
        })
    );
    let (mut progress, mut cobrowse) = (asked(), made());
    let update = Update::OfferOurs {
        session: session(),
        started_at: at(10),
        seen_at: None,
        ended: false,
    };
    update.apply(&mut progress, &mut cobrowse);
    assert!(matches!(
        progress.offer,
        Some(Offer::Ours {
            shown: false,
            contract: Contract::Conversation,
            ..
        })
    ));
}

fn after_the_call(now: i64, cobrowse: &Cobrowse, conversation: Conversation) -> Action {
    with(&asked(), cobrowse, now, conversation, now)
}

#[test]
fn an_offer_that_was_declined_before_anybody_looked_took_effect() {
    let declined = Conversation {
        ended: vec![session()],
        ..ready()
    };
    assert_eq!(
        after_the_call(16, &in_doubt(10, None), declined.clone()),
        Action::Update(Update::SessionFound {
            session: session(),
            at: at(16),
        })
    );
    // One that had ended before the call says nothing about it.
    let known = Cobrowse {
        there_before: vec![session()],
        ..in_doubt(10, None)
    };
    assert_eq!(
        after_the_call(16, &known, declined.clone()),
        Action::Update(Update::SessionAbsent(at(16)))
    );
    // And its note says that it was, at once.
    assert_eq!(
        after_the_call(11, &made(), declined),
        Action::Update(Update::OfferOurs {
            session: session(),
            started_at: at(10),
            seen_at: Some(at(11)),
            ended: true,
        })
    );
}

#[test]
fn the_offer_of_another_escalation_is_told_of_until_it_has_run_out() {
    let told = Action::Update(Update::OfferOurs {
        session: session(),
        started_at: at(10),
        seen_at: None,
        ended: false,
    });
    let forgotten = |now| {
        Action::Update(Update::ForgetSession {
            over_at: Some(at(now)),
        })
    };
    let short = Cobrowse {
        offer_ends: Some(at(70)),
        ..made()
    };
    // Where sessions are shown once somebody has joined them.
    let other = |cobrowse: &Cobrowse, now| at_one_that_shows_joined(&known(), cobrowse, now);
    assert_eq!(other(&made(), 3000), told);
    assert_eq!(other(&made(), 4000), forgotten(4000));
    assert_eq!(other(&short, 100), told);
    assert_eq!(other(&short, 131), forgotten(131));
    // Where that is not known, somebody may be in it still.
    let other = |cobrowse: &Cobrowse, now| with(&known(), cobrowse, now, ready(), now);
    assert_eq!(other(&made(), 4000), told);
    assert_eq!(other(&short, 131), told);
    assert_eq!(other(&short, 28_000), told);
    assert_eq!(other(&short, 29_000), forgotten(29_000));
    // Whoever asked for it tells of it, however late.
    assert_eq!(after_the_call(29_000, &short, ready()), told);
}

#[test]
fn an_offer_in_doubt_is_in_nobody_s_way_for_longer_than_it_can_stand() {
    let in_doubt = in_doubt(10, Some(16));
    let unknown = (Code::SessionOutcomeUnknown, Wait::Final);
    let run_out = Action::Update(Update::SessionRunOut);
    assert_eq!(code(after_the_call(28_000, &in_doubt, ready())), unknown);
    assert_eq!(after_the_call(29_000, &in_doubt, ready()), run_out);
    // Where joined sessions are shown, nobody has joined it.
    let other = |now| at_one_that_shows_joined(&asked(), &in_doubt, now);
    assert_eq!(code(other(3600)), unknown);
    assert_eq!(other(3700), run_out);
    let (mut progress, mut cobrowse) = (asked(), in_doubt.clone());
    Update::SessionRunOut.apply(&mut progress, &mut cobrowse);
    assert_eq!(
        (cobrowse.session, cobrowse.possible_orphans),
        (Write::Open, 1)
    );
}

#[test]
fn whoever_gave_up_takes_it_back_where_the_session_is_there() {
    let mut progress = Progress {
        gave_up: Some(GaveUp {
            code: Code::GenesysUnavailable,
            reason: "spent".to_owned(),
        }),
        ..asked()
    };
    let action = with(&progress, &made(), 12, showing(&session()), 12);
    let mut cobrowse = made();
    match action {
        Action::Update(update) => update.apply(&mut progress, &mut cobrowse),
        other => panic!("{other:?}"),
    }
    assert_eq!(progress.gave_up, None);
    assert_eq!(
        decide(&progress, &situation(13)),
        Action::Call(Call::WriteNote)
    );
}
