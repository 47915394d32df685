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

#[derive(Default)]
struct World {
    now: i64,
    sessions: usize,
    attached: Vec<SessionId>,
    notes: usize,
    /// Effects that are still on their way: when, and which.
    late: Vec<(i64, Step)>,
}

impl World {
    fn tick(&mut self, now: i64) {
        self.now = self.now.max(now);
        let due: Vec<_> = self
            .late
            .extract_if(.., |(when, _)| *when <= self.now)
            .collect();
        for (_, step) in due {
            self.take_effect(step);
        }
    }

    fn take_effect(&mut self, step: Step) {
        match step {
            Step::Session => self.sessions += 1,
            Step::Media => self.attached.push(self.session_id()),
            Step::Note => self.notes += 1,
            Step::Context | Step::Token | Step::Verify => {}
        }
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
    let mut world = World::default();
    let (mut progress, mut cobrowse) = (Progress::default(), Cobrowse::default());
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
        let step = match action {
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
            Action::Call(Call::LookUpNote) => {
                look = Some(NoteLook {
                    found: (world.notes > 0).then(|| NoteId::parse("n").unwrap()),
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
            Action::Call(Call::CreateSession(_)) => Step::Session,
            Action::Call(Call::AttachMedia(_)) => Step::Media,
            Action::Call(Call::WriteNote) => Step::Note,
        };
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
        match fault {
            None | Some(Fault::AnswerLost | Fault::CrashAfter) => world.take_effect(step),
            Some(Fault::LandsLate) => world.late.push((now + CALL + 4, step)),
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
