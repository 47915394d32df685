//! Between the model's few bytes and the real types: here the real [`decide`] and the real [`Update::apply`] are asked.
//!
//! Both are pure, so an answer is remembered.

use super::search::Quick;
use super::world::{
    Cobrowse, End, Genesys, Intent, Look, Offer, Progress, SETTLE, Survey, Time, Write,
};
use escalator::escalation as real;
use escalator::escalation::invariant::{Verdict, edge};
use jiff::Timestamp;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::time::Duration;

/// One unit of time. Longer than any pause that `decide` makes of itself, so that each is one unit.
const UNIT: i64 = 10;
/// How many conclusions may be drawn without asking anybody. More are a loop without an end.
const CONCLUSIONS_MAX: usize = 20;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Question {
    pub(super) genesys: Genesys,
    pub(super) progress: Progress,
    pub(super) claimed: Option<Cobrowse>,
    pub(super) survey: Option<Survey>,
    pub(super) look: Option<Look>,
    pub(super) resolved: bool,
    pub(super) unsent: bool,
}

/// What is to be done, with the conclusions that came before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) progress: Progress,
    pub(super) cobrowse: Cobrowse,
    pub(super) act: Act,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Act {
    /// With the intent to create a session, if the ledger knows of none.
    Claim {
        create: bool,
    },
    Read,
    LookUp,
    Create,
    Attach(u8),
    Note,
    /// Nothing can be done before some time.
    Wait,
    /// It cannot go on now.
    Park,
    Die,
    Finish(End),
}

type Remembered<K, V> = RefCell<HashMap<K, V, BuildHasherDefault<Quick>>>;

#[derive(Default)]
pub(super) struct Brain {
    answers: Remembered<Question, Answer>,
    edges: Remembered<(Genesys, [(Progress, Cobrowse); 2]), Verdict>,
}

impl Brain {
    pub(super) fn ask(&self, question: Question) -> Answer {
        if let Some(known) = self.answers.borrow().get(&question) {
            return *known;
        }
        let answer = decide(question);
        self.answers.borrow_mut().insert(question, answer);
        answer
    }

    /// Whether one record may follow the other.
    pub(super) fn edge(
        &self,
        genesys: Genesys,
        mut before: (Progress, Cobrowse),
        mut after: (Progress, Cobrowse),
    ) -> Verdict {
        // The number of a worker has no order, and an epoch has: what differs is older.
        if let (Write::Intended(before), Write::Intended(after)) =
            (&mut before.0.note, &mut after.0.note)
        {
            before.by = u8::from(before.by == after.by);
            after.by = 1;
        }
        let pair = (genesys, [before, after]);
        if let Some(known) = self.edges.borrow().get(&pair) {
            return *known;
        }
        let verdict = edge::progress(&progress(before.0), &progress(after.0)).and_then(|()| {
            edge::cobrowse(&cobrowse(before.1, genesys), &cobrowse(after.1, genesys))
        });
        self.edges.borrow_mut().insert(pair, verdict);
        verdict
    }
}

fn decide(question: Question) -> Answer {
    let bounds = real::Bounds {
        settle: span(SETTLE),
        verify: span(1),
        agent_wait: Duration::from_secs(900),
        expires_after: Duration::from_secs(86_400),
    };
    let mut progress = progress(question.progress);
    let genesys = question.genesys;
    let mut claimed = question.claimed.map(|known| cobrowse(known, genesys));
    let survey = question.survey.map(|seen| survey(seen, genesys));
    let look = question.look.map(look);
    for _ in 0..CONCLUSIONS_MAX {
        let action = real::decide(
            &progress,
            &real::Situation {
                now: at(0),
                bounds: &bounds,
                accepted_at: at(-100),
                occurred_at: at(-100),
                resolved_at: question.resolved.then(|| at(-50)),
                token: true,
                claimed: claimed.as_ref(),
                unsent: question.unsent,
                survey: survey.as_ref(),
                note_look: look.as_ref(),
                shows_sessions: genesys.known_to_show(),
                shows_joined: genesys.known_to_show(),
            },
        );
        let act = match action {
            real::Action::Update(update) => {
                let mut none = real::Cobrowse::default();
                update.apply(&mut progress, claimed.as_mut().unwrap_or(&mut none));
                continue;
            }
            real::Action::Call(real::Call::ClaimConversation { create }) => Act::Claim { create },
            real::Action::Call(real::Call::ReadConversation(_)) => Act::Read,
            real::Action::Call(real::Call::LookUpNote(real::NoteOutcome::Ready)) => Act::LookUp,
            real::Action::Call(real::Call::CreateSession(_)) => Act::Create,
            real::Action::Call(real::Call::AttachMedia(id)) => Act::Attach(number(&id)),
            real::Action::Call(real::Call::WriteNote) => Act::Note,
            real::Action::Call(call @ (real::Call::FindContext | real::Call::GetToken)) => {
                panic!("{call:?}, and there is a context and a token")
            }
            real::Action::Call(
                call @ (real::Call::LookUpNote(real::NoteOutcome::Failed)
                | real::Call::RewriteNote(_)),
            ) => panic!("{call:?}, and nothing has failed before"),
            real::Action::WaitUntil { .. } => Act::Wait,
            real::Action::Stop(_, setback) if setback.wait == real::Wait::Final => Act::Die,
            real::Action::Stop(..) => Act::Park,
            real::Action::Finish(real::End::Done) => Act::Finish(End::Done),
            real::Action::Finish(real::End::Cancelled) => Act::Finish(End::Cancelled),
            real::Action::Finish(end) => panic!("decide never says {end:?}"),
        };
        return Answer {
            progress: Progress {
                agent: progress.agent.is_some(),
                asked: progress.asked_at.is_some(),
                offer: progress.offer.as_ref().map(|offer| match offer {
                    real::Offer::Ours { session, .. } => Offer::Ours(number(session)),
                    real::Offer::Running => Offer::Running,
                }),
                gave_up: progress.gave_up.is_some(),
                note: back(&question.progress.note, &progress.note, |_, _| ()),
            },
            cobrowse: match (question.claimed, &claimed) {
                (Some(before), Some(after)) => Cobrowse {
                    session: back(&before.session, &after.session, |_, id| number(id)),
                    media: back(&before.media, &after.media, |at, ()| relative(at)),
                    seen: after.seen_at.is_some(),
                },
                (_, _) => Cobrowse::default(),
            },
            act,
        };
    }
    panic!("decide draws conclusions without an end: {question:?}");
}

fn at(time: Time) -> Timestamp {
    Timestamp::from_second(1_000_000_000 + i64::from(time) * UNIT).unwrap()
}

fn relative(at: Timestamp) -> Time {
    let seconds = at.as_second() - 1_000_000_000;
    assert_eq!(seconds % UNIT, 0);
    Time::try_from(seconds / UNIT).unwrap()
}

fn span(units: Time) -> Duration {
    Duration::from_secs((i64::from(units) * UNIT).unsigned_abs())
}

fn session(id: u8) -> real::SessionId {
    real::SessionId::parse(&format!("s-{id}")).unwrap()
}

fn number(id: &real::SessionId) -> u8 {
    id.as_str().trim_start_matches("s-").parse().unwrap()
}

/// An intent as the real code has it.
pub(super) fn intent(intent: Intent) -> real::Intent {
    real::Intent {
        epoch: u64::from(intent.by),
        deadline: at(intent.deadline),
        absent_at: intent.absent.map(at),
    }
}

pub(super) fn write<R: Copy, T>(
    write: Write<R>,
    result: impl Fn(R) -> (Timestamp, T),
) -> real::Write<T> {
    match write {
        Write::Open => real::Write::Open,
        Write::Intended(of) => real::Write::Intended(intent(of)),
        Write::Done(of) => {
            let (at, result) = result(of);
            real::Write::Done { at, result }
        }
    }
}

fn back<R: Copy, T>(
    before: &Write<R>,
    after: &real::Write<T>,
    result: impl Fn(Timestamp, &T) -> R,
) -> Write<R> {
    match after {
        real::Write::Open => Write::Open,
        real::Write::Intended(intent) => Write::Intended(Intent {
            by: u8::try_from(intent.epoch).unwrap(),
            deadline: relative(intent.deadline),
            absent: intent.absent_at.map(relative),
        }),
        real::Write::Done { at, result: of } => match before {
            // When it was learned does not change.
            Write::Done(known) => Write::Done(*known),
            Write::Open | Write::Intended(_) => Write::Done(result(*at, of)),
        },
    }
}

fn progress(progress: Progress) -> real::Progress {
    let agent = real::AgentId::parse("a-1").unwrap();
    real::Progress {
        context: Some(real::Context {
            conversation: real::ConversationId::parse("c-1").unwrap(),
            agent: None,
            ambiguous: false,
        }),
        agent: progress.agent.then_some(real::Agent {
            id: agent,
            instead_of: None,
        }),
        asked_at: progress.asked.then(|| at(-100)),
        offer: progress.offer.map(|offer| match offer {
            Offer::Ours(id) => real::Offer::Ours {
                session: session(id),
                started_at: at(-100),
                contract: real::Contract::Sessions,
                shown: true,
                ends: None,
                ended: false,
            },
            Offer::Running => real::Offer::Running,
        }),
        gave_up: progress.gave_up.then(|| real::GaveUp {
            code: real::Code::GenesysUnavailable,
            reason: "the attempts are spent".to_owned(),
        }),
        note: write(progress.note, |()| {
            (at(-100), real::NoteId::parse("n-1").unwrap())
        }),
        ..real::Progress::default()
    }
}

fn contract(genesys: Genesys) -> real::Contract {
    match genesys.offers() {
        true => real::Contract::Conversation,
        false => real::Contract::Sessions,
    }
}

fn cobrowse(cobrowse: Cobrowse, genesys: Genesys) -> real::Cobrowse {
    real::Cobrowse {
        contract: contract(genesys),
        offer_ends: None,
        there_before: Vec::new(),
        session: write(cobrowse.session, |id| (at(-100), session(id))),
        media: write(cobrowse.media, |when| (at(when), ())),
        over_at: None,
        seen_at: cobrowse.seen.then(|| at(-100)),
        possible_orphans: 0,
    }
}

fn survey(survey: Survey, genesys: Genesys) -> real::Survey {
    let ours = (survey.attached != 0).then(|| real::LiveCobrowse {
        session: Some(session(survey.attached)),
        joined: false,
        viewer: None,
    });
    let others = survey.foreign.then_some(real::LiveCobrowse {
        session: None,
        joined: false,
        viewer: None,
    });
    real::Survey {
        contract: contract(genesys),
        conversation: real::Conversation {
            over: survey.over,
            agents: vec![real::AgentSeen {
                id: real::AgentId::parse("a-1").unwrap(),
                since: None,
            }],
            cobrowse: ours.into_iter().chain(others).collect(),
            ended: Vec::new(),
        },
        read_at: at(survey.at),
    }
}

fn look(look: Look) -> real::NoteLook {
    real::NoteLook {
        of: real::NoteOutcome::Ready,
        found: look.found.then(|| real::NoteId::parse("n-1").unwrap()),
        read_at: at(look.at),
    }
}

/// Whether this write may be sent again behind a look that began then.
pub(super) fn sent_again(deadline: Time, look_began: Option<Time>) -> Verdict {
    escalator::escalation::invariant::sent_again(at(deadline), span(SETTLE), look_began.map(at))
}
