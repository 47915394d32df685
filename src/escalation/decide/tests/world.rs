//! Runs [`decide`] against a small vendor world, with one crash or lost answer at every place where one can be.

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The process dies before the call is sent.
    CrashBefore,
    /// The call takes effect; the process dies before it learns that.
    CrashAfter,
    /// The call takes effect, and its answer is lost.
    AnswerLost,
    /// The call has no effect, and no answer comes.
    NoEffect,
    /// The call takes effect some seconds after it was given up.
    LandsLate,
}

const FAULTS: [Fault; 5] = [
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::AnswerLost,
    Fault::NoEffect,
    Fault::LandsLate,
];

/// What a request does when it lands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Session,
    Media,
    Note,
    /// The note of the failure becomes the real one.
    Rewrite,
    /// An earlier death is told of: by a note of its own, or, where that is there already, in it.
    Failure,
}

impl Effect {
    fn step(self) -> Step {
        match self {
            Self::Session => Step::Session,
            Self::Media => Step::Media,
            Self::Note | Self::Rewrite | Self::Failure => Step::Note,
        }
    }
}

#[derive(Default)]
struct World {
    now: i64,
    sessions: usize,
    attached: Vec<SessionId>,
    notes: usize,
    /// Whether the one note that a rewrite is about tells of the failure; `None`: there is no such note.
    rewritable: Option<bool>,
    /// It may not be rewritten.
    refuses: bool,
    /// Effects that are still on their way: when, and which.
    late: Vec<(i64, Effect)>,
}

impl World {
    fn tick(&mut self, now: i64) {
        self.now = self.now.max(now);
        let due: Vec<_> = self
            .late
            .extract_if(.., |(when, _)| *when <= self.now)
            .collect();
        for (_, effect) in due {
            self.take_effect(effect);
        }
    }

    fn take_effect(&mut self, effect: Effect) {
        match effect {
            Effect::Session => self.sessions += 1,
            Effect::Media => self.attached.push(self.session_id()),
            Effect::Note => self.notes += 1,
            Effect::Rewrite if self.refuses => {}
            Effect::Rewrite => self.rewritable = self.rewritable.map(|_| false),
            Effect::Failure => self.rewritable = Some(true),
        }
    }

    fn tells_of_the_failure(&self) -> bool {
        self.rewritable == Some(true)
    }

    /// How many notes tell of the session.
    fn real_notes(&self) -> usize {
        self.notes + usize::from(self.rewritable == Some(false))
    }

    fn session_id(&self) -> SessionId {
        SessionId::parse(&format!("s-{}", self.sessions)).unwrap()
    }

    fn conversation(&self) -> Conversation {
        Conversation {
            cobrowse: self
                .attached
                .iter()
                .map(|id| LiveCobrowse {
                    session: Some(id.clone()),
                    joined: true,
                    viewer: None,
                })
                .collect(),
            ..ready()
        }
    }
}

/// Runs to the end; the `nth` write meets the fault. Returns whether there was such a write.
fn run(nth: usize, fault: Fault) -> (World, bool) {
    run_in(World::default(), None, nth, fault)
}

/// The same in this world, of which so much is known.
fn run_in(
    mut world: World,
    failure_note: Option<FailureNote>,
    nth: usize,
    fault: Fault,
) -> (World, bool) {
    let (mut progress, mut cobrowse) = (Progress::default(), Cobrowse::default());
    progress.failure_note = failure_note;
    let (mut token, mut claimed, mut survey, mut look) = (false, false, None, None);
    let (mut writes, mut met, mut unsent) = (0, false, false);
    for _ in 0..200 {
        let action = decide(
            &progress,
            &Situation {
                token,
                claimed: claimed.then_some(&cobrowse),
                unsent,
                survey: survey.as_ref(),
                note_look: look.as_ref(),
                ..situation(world.now)
            },
        );
        let now = world.now;
        let effect = match action {
            Action::Finish(end) => {
                assert_eq!(end, End::Done);
                return (world, met);
            }
            Action::Call(Call::FindContext) => {
                progress.context = known().context;
                continue;
            }
            Action::Call(Call::GetToken) => {
                token = true;
                continue;
            }
            Action::Call(Call::ClaimConversation { create }) => {
                claimed = true;
                if cobrowse.session != Write::Open {
                    survey = None;
                } else if create {
                    progress.asked_at = Some(at(now));
                    cobrowse.session = Write::Intended(intended(now + CALL, None));
                    unsent = true;
                }
                continue;
            }
            Action::Call(Call::ReadConversation(_)) => {
                survey = Some(Survey {
                    contract: Contract::Sessions,
                    conversation: world.conversation(),
                    read_at: at(now),
                });
                continue;
            }
            Action::Call(Call::LookUpNote(of)) => {
                let is_there = match of {
                    NoteOutcome::Ready => world.real_notes() > 0,
                    NoteOutcome::Failed => world.tells_of_the_failure(),
                };
                look = Some(NoteLook {
                    of,
                    found: is_there.then(|| NoteId::parse("n").unwrap()),
                    read_at: at(now),
                });
                continue;
            }
            Action::Update(update) => {
                update.apply(&mut progress, &mut cobrowse);
                continue;
            }
            Action::WaitUntil { until, .. } => {
                let second = until.as_second() - at(0).as_second();
                world.tick(second + i64::from(until.subsec_nanosecond() > 0));
                (survey, look) = (None, None);
                continue;
            }
            Action::Stop(step, setback) => panic!("{step:?}: {setback:?}"),
            Action::Call(Call::CreateSession(_)) => Effect::Session,
            Action::Call(Call::AttachMedia(_)) => Effect::Media,
            Action::Call(Call::WriteNote) => Effect::Note,
            Action::Call(Call::RewriteNote(_)) => Effect::Rewrite,
        };
        let step = effect.step();
        // The intent is durable before the call.
        let mut intent = intended(now + CALL, None);
        progress.asked_at.get_or_insert(at(now));
        match step {
            Step::Session => cobrowse.session = Write::Intended(intent.clone()),
            Step::Media => cobrowse.media = Write::Intended(intent.clone()),
            Step::Note | Step::Context | Step::Token | Step::Verify => {
                progress.note = Write::Intended(intent.clone());
            }
        }
        unsent = false;
        writes += 1;
        let fault = (writes == nth).then_some(fault);
        met |= fault.is_some();
        if effect == Effect::Rewrite && world.refuses && fault.is_none() {
            (progress.note, progress.failure_note) = (Write::Open, None);
            continue;
        }
        match fault {
            None | Some(Fault::AnswerLost | Fault::CrashAfter) => world.take_effect(effect),
            Some(Fault::LandsLate) => world.late.push((now + CALL + 4, effect)),
            Some(Fault::CrashBefore | Fault::NoEffect) => {}
        }
        match fault {
            None => match step {
                Step::Session => {
                    let result = world.session_id();
                    cobrowse.session = Write::Done {
                        at: at(now),
                        result,
                    };
                }
                Step::Media => {
                    cobrowse.media = Write::Done {
                        at: at(now),
                        result: (),
                    };
                    survey = None;
                }
                Step::Note | Step::Context | Step::Token | Step::Verify => {
                    let result = NoteId::parse("n").unwrap();
                    progress.note = Write::Done {
                        at: at(now),
                        result,
                    };
                    progress.failure_note = None;
                }
            },
            Some(Fault::CrashBefore | Fault::CrashAfter) => {
                (token, claimed, survey, look) = (false, false, None, None);
                world.tick(now + 1);
            }
            Some(Fault::AnswerLost | Fault::NoEffect | Fault::LandsLate) => {
                // Given up at the deadline.
                intent.deadline = at(now + CALL);
                (survey, look) = (None, None);
                world.tick(now + CALL);
            }
        }
    }
    panic!("it does not come to an end");
}

#[test]
fn whatever_happens_to_one_call_there_is_one_attachment_and_one_note() {
    let mut met = 0;
    for fault in FAULTS {
        for nth in 1..=3 {
            let (world, did) = run(nth, fault);
            met += usize::from(did);
            assert_eq!(world.attached.len(), 1, "{fault:?} at write {nth}");
            assert_eq!(world.notes, 1, "{fault:?} at write {nth}");
            assert!(world.sessions <= 2, "{fault:?} at write {nth}");
        }
    }
    assert_eq!(met, FAULTS.len() * 3, "every write met every fault");
}

#[test]
fn undisturbed_it_takes_three_writes_and_no_time() {
    let (world, met) = run(4, Fault::NoEffect);
    assert!(!met);
    assert_eq!(
        (world.sessions, world.attached.len(), world.notes),
        (1, 1, 1)
    );
    assert_eq!(world.now, 0);
}

/// What a replay may leave behind of the note that told of the death before it, and whether it is there.
fn deaths_that_were_told() -> Vec<(&'static str, World, FailureNote)> {
    let id = || NoteId::parse("n").ok();
    let there = || World {
        rewritable: Some(true),
        ..World::default()
    };
    let lands = |when| World {
        late: vec![(when, Effect::Failure)],
        ..World::default()
    };
    let told = |note, in_doubt_until: Option<i64>| FailureNote {
        note,
        in_doubt_until: in_doubt_until.map(at),
    };
    vec![
        ("known", there(), told(id(), None)),
        (
            "told of again",
            World {
                rewritable: Some(true),
                ..lands(CALL + 4)
            },
            told(id(), Some(CALL)),
        ),
        ("in doubt, and there", there(), told(None, Some(CALL))),
        (
            "in doubt, and lands late",
            lands(CALL + 4),
            told(None, Some(CALL)),
        ),
        (
            "in doubt, and not there",
            World::default(),
            told(None, Some(CALL)),
        ),
        ("not known, and there", there(), told(None, None)),
    ]
}

#[test]
fn whatever_happens_the_note_takes_the_place_of_the_one_that_told_of_the_failure() {
    for fault in FAULTS {
        // Up to one write more than there is: undisturbed.
        for nth in 1..=4 {
            for (name, world, told) in deaths_that_were_told() {
                let (world, _) = run_in(world, Some(told), nth, fault);
                assert_eq!(world.real_notes(), 1, "{name}: {fault:?} at write {nth}");
                let failed = world.tells_of_the_failure();
                assert!(!failed, "{name}: {fault:?} at write {nth}");
                assert_eq!(world.attached.len(), 1, "{name}: {fault:?} at write {nth}");
            }
        }
    }
}

#[test]
fn where_the_note_of_the_failure_stays_the_real_one_is_written_beside_it_once() {
    for fault in FAULTS {
        for nth in 1..=5 {
            for (name, world, told) in deaths_that_were_told() {
                let world = World {
                    refuses: true,
                    ..world
                };
                let (world, _) = run_in(world, Some(told), nth, fault);
                assert_eq!(world.notes, 1, "{name}: {fault:?} at write {nth}");
            }
        }
    }
}
