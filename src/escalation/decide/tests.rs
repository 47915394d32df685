#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

use super::session::AGENT_POLL;
use super::*;
use crate::escalation::{
    AgentId, AgentSeen, Context, ConversationId, Intent, LiveCobrowse, Offer, Wait,
};

const BOUNDS: Bounds = Bounds {
    settle: Duration::from_secs(5),
    verify: Duration::from_secs(30),
    agent_wait: Duration::from_secs(900),
    expires_after: Duration::from_secs(86_400),
};
/// What a call may take.
const CALL: i64 = 10;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn session() -> SessionId {
    SessionId::parse("s-1").unwrap()
}

fn agent() -> AgentSeen {
    AgentSeen {
        id: AgentId::parse("agent-1").unwrap(),
        since: None,
    }
}

/// A conversation with an agent in it.
fn ready() -> Conversation {
    Conversation {
        agents: vec![agent()],
        ..Conversation::default()
    }
}

fn showing(session: &SessionId) -> Conversation {
    Conversation {
        cobrowse: vec![LiveCobrowse {
            session: Some(session.clone()),
            joined: true,
            viewer: None,
        }],
        ..ready()
    }
}

fn known() -> Progress {
    Progress {
        context: Some(Context {
            conversation: ConversationId::parse("c-1").unwrap(),
            agent: None,
            ambiguous: false,
        }),
        agent: choose_agent(None, &ready()),
        ..Progress::default()
    }
}

fn intended(deadline: i64, absent_at: Option<i64>) -> Intent {
    Intent {
        epoch: 1,
        deadline: at(deadline),
        absent_at: absent_at.map(at),
    }
}

fn situation(now: i64) -> Situation<'static> {
    Situation {
        now: at(now),
        bounds: &BOUNDS,
        accepted_at: at(0),
        occurred_at: at(0),
        resolved_at: None,
        token: true,
        claimed: None,
        unsent: false,
        survey: None,
        note_look: None,
        shows_sessions: false,
        shows_joined: false,
    }
}

/// Decides with this conversation, read at this second.
fn with(
    progress: &Progress,
    cobrowse: &Cobrowse,
    now: i64,
    conversation: Conversation,
    read: i64,
) -> Action {
    let survey = Survey {
        contract: cobrowse.contract,
        conversation,
        read_at: at(read),
    };
    decide(
        progress,
        &Situation {
            claimed: Some(cobrowse),
            survey: Some(&survey),
            ..situation(now)
        },
    )
}

fn code(action: Action) -> (Code, Wait) {
    match action {
        Action::Stop(_, setback) => (setback.code, setback.wait),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_asked_before_it_is_needed() {
    let mut now = situation(1);
    assert_eq!(
        decide(&Progress::default(), &now),
        Action::Call(Call::FindContext)
    );
    now.token = false;
    assert_eq!(decide(&known(), &now), Action::Call(Call::GetToken));
    now.token = true;
    assert_eq!(
        decide(&known(), &now),
        Action::Call(Call::ReadConversation(Step::Session))
    );
}

/// What follows on a read of the conversation before it is claimed.
fn unclaimed(progress: &Progress, conversation: Conversation) -> Action {
    let survey = Survey {
        contract: Contract::Sessions,
        conversation,
        read_at: at(1),
    };
    decide(
        progress,
        &Situation {
            survey: Some(&survey),
            ..situation(1)
        },
    )
}

#[test]
fn a_conversation_is_claimed_with_the_intent_to_create_a_session_where_that_is_what_follows() {
    let claim = |create| Action::Call(Call::ClaimConversation { create });
    assert_eq!(unclaimed(&known(), ready()), claim(true));
    let over = Conversation {
        over: true,
        ..ready()
    };
    assert_eq!(unclaimed(&known(), over), claim(false));
    assert_eq!(unclaimed(&known(), Conversation::default()), claim(false));
    assert_eq!(unclaimed(&known(), showing(&session())), claim(false));
    let asked = Progress {
        asked_at: Some(at(0)),
        ..known()
    };
    assert_eq!(
        unclaimed(&asked, ready()),
        claim(false),
        "what was asked for before has to be known first"
    );
    let without_agent = Progress {
        agent: None,
        ..known()
    };
    assert_eq!(
        unclaimed(&without_agent, ready()),
        Action::Update(Update::Agent(choose_agent(None, &ready()).unwrap()))
    );
}

#[test]
fn an_intent_that_was_recorded_just_now_is_acted_on_and_any_other_is_waited_out() {
    let cobrowse = Cobrowse {
        session: Write::Intended(intended(CALL, None)),
        ..Cobrowse::default()
    };
    let survey = Survey {
        contract: Contract::Sessions,
        conversation: ready(),
        read_at: at(1),
    };
    let with_unsent = |unsent| {
        let situation = Situation {
            claimed: Some(&cobrowse),
            survey: Some(&survey),
            unsent,
            ..situation(1)
        };
        decide(&known(), &situation)
    };
    assert_eq!(
        with_unsent(true),
        Action::Call(Call::CreateSession(Contract::Sessions))
    );
    assert!(matches!(with_unsent(false), Action::WaitUntil { .. }));
}

#[test]
fn a_conversation_that_is_over_is_final_and_one_without_an_agent_waits_for_free() {
    let cobrowse = Cobrowse::default();
    let over = Conversation {
        over: true,
        ..ready()
    };
    assert_eq!(
        code(with(&known(), &cobrowse, 1, over, 1)),
        (Code::ConversationOver, Wait::Final)
    );

    let mut progress = Progress {
        agent: None,
        ..known()
    };
    let empty = Conversation::default;
    assert_eq!(
        with(&progress, &cobrowse, 1, empty(), 1),
        Action::Update(Update::Waiting(at(1)))
    );
    progress.waiting_since = Some(at(1));
    assert_eq!(
        code(with(&progress, &cobrowse, 800, empty(), 800)),
        (
            Code::NoAgentConnected,
            Wait::Between(AGENT_POLL.0, AGENT_POLL.1)
        )
    );
    let second = Duration::from_secs(1);
    assert_eq!(
        code(with(&progress, &cobrowse, 900, empty(), 900)),
        (Code::NoAgentConnected, Wait::Between(second, second)),
        "the last look is taken when the time is up, not after it"
    );
    assert_eq!(
        code(with(&progress, &cobrowse, 901, empty(), 901)),
        (Code::NoAgentConnected, Wait::Final)
    );
    assert_eq!(
        with(&progress, &cobrowse, 901, ready(), 901),
        Action::Update(Update::Agent(choose_agent(None, &ready()).unwrap()))
    );
}

#[test]
fn a_session_that_was_there_before_us_is_not_doubled() {
    let foreign = showing(&SessionId::parse("theirs").unwrap());
    assert_eq!(
        with(&known(), &Cobrowse::default(), 1, foreign.clone(), 1),
        Action::Update(Update::OfferRunning)
    );
    let created = Cobrowse {
        session: Write::Done {
            at: at(1),
            result: session(),
        },
        ..Cobrowse::default()
    };
    assert_eq!(
        with(&known(), &created, 2, foreign, 2),
        Action::Update(Update::OfferRunning),
        "also when it came between our two calls"
    );
}

#[test]
fn a_resolution_cancels_what_was_not_asked_for_and_nothing_else() {
    let resolved = |resolved, occurred| Situation {
        resolved_at: Some(at(resolved)),
        occurred_at: at(occurred),
        ..situation(20)
    };
    let cancelled = Action::Finish(End::Cancelled);
    assert_eq!(decide(&known(), &resolved(10, 5)), cancelled);
    assert_eq!(decide(&known(), &resolved(5, 5)), cancelled);
    assert_ne!(
        decide(&known(), &resolved(4, 5)),
        cancelled,
        "reopened after it"
    );
    let asked = Progress {
        asked_at: Some(at(6)),
        ..known()
    };
    assert_ne!(
        decide(&asked, &resolved(10, 5)),
        cancelled,
        "the note is owed"
    );
}

#[test]
fn an_expired_escalation_is_final_at_whatever_step() {
    for progress in [Progress::default(), known()] {
        let (code, wait) = code(decide(&progress, &situation(86_400)));
        assert_eq!((code, wait), (Code::Expired, Wait::Final));
    }
}

#[test]
fn a_lost_session_is_repeated_only_after_the_first_call_can_no_longer_land() {
    let cobrowse = Cobrowse {
        session: Write::Intended(intended(CALL, None)),
        ..Cobrowse::default()
    };
    assert_eq!(
        with(&known(), &cobrowse, 14, ready(), 14),
        Action::WaitUntil {
            step: Step::Session,
            until: at(15)
        }
    );
    let again = with(&known(), &cobrowse, 15, ready(), 15);
    assert_eq!(again, Action::Update(Update::SessionMayRepeat));
    let (mut progress, mut cobrowse) = (known(), cobrowse);
    Update::SessionMayRepeat.apply(&mut progress, &mut cobrowse);
    assert_eq!(cobrowse.possible_orphans, 1);
}

#[test]
fn a_lost_attachment_is_adopted_when_found_and_repeated_after_two_looks() {
    let cobrowse = |absent| Cobrowse {
        session: Write::Done {
            at: at(0),
            result: session(),
        },
        media: Write::Intended(intended(CALL, absent)),
        ..Cobrowse::default()
    };
    let first = cobrowse(None);
    assert_eq!(
        with(&known(), &first, 3, showing(&session()), 3),
        Action::Update(Update::MediaFound(at(3))),
        "found is found, however early"
    );
    assert_eq!(
        with(&known(), &first, 14, ready(), 14),
        Action::WaitUntil {
            step: Step::Media,
            until: at(15)
        }
    );
    assert_eq!(
        with(&known(), &first, 16, ready(), 14),
        Action::Call(Call::ReadConversation(Step::Media)),
        "a look before the call could no longer land proves nothing"
    );
    assert_eq!(
        with(&known(), &first, 16, ready(), 16),
        Action::Update(Update::MediaAbsent(at(16)))
    );
    let second = cobrowse(Some(16));
    assert_eq!(
        with(&known(), &second, 16, ready(), 16),
        Action::WaitUntil {
            step: Step::Media,
            until: at(21)
        },
        "one look is not two"
    );
    assert_eq!(
        with(&known(), &second, 21, ready(), 21),
        Action::Update(Update::MediaMayRepeat)
    );
}

#[test]
fn the_note_is_reconciled_like_the_attachment() {
    let progress = |absent| Progress {
        offer: Some(Offer::Running),
        note: Write::Intended(intended(CALL, absent)),
        ..known()
    };
    let look = |progress: &Progress, now, found: Option<&str>, read| {
        let look = NoteLook {
            of: NoteOutcome::Ready,
            found: found.map(|id| NoteId::parse(id).unwrap()),
            read_at: at(read),
        };
        decide(
            progress,
            &Situation {
                note_look: Some(&look),
                ..situation(now)
            },
        )
    };
    let first = progress(None);
    assert!(matches!(
        decide(&first, &situation(3)),
        Action::WaitUntil {
            step: Step::Note,
            ..
        }
    ));
    assert_eq!(
        decide(&first, &situation(15)),
        Action::Call(Call::LookUpNote(NoteOutcome::Ready))
    );
    let found = NoteId::parse("n").unwrap();
    assert_eq!(
        look(&first, 16, Some("n"), 16),
        Action::Update(Update::NoteFound(at(16), found))
    );
    assert_eq!(
        look(&first, 16, None, 16),
        Action::Update(Update::NoteAbsent(at(16)))
    );
    let second = progress(Some(16));
    assert!(matches!(
        look(&second, 17, None, 16),
        Action::WaitUntil { .. }
    ));
    assert_eq!(
        look(&second, 21, None, 21),
        Action::Update(Update::NoteMayRepeat)
    );
}

mod giving_up;
mod offers;
mod proof;
mod replacing;
mod world;
