//! What a worker does around `decide`: claim, record, send, answer, end, ack. `worker/` re-enacted in single moves.
//!
//! A crash, another worker, or time may come between any two of them.

use super::brain::{Act, Answer, Brain, Question};
use super::records::Then;
use super::world::{End, Kind, Lease, Look, Phase, State, Survey, Worker, Write};
use escalator::escalation::invariant;

/// What is done otherwise than it should be. All off: the protocol as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Protocol {
    /// The call is made at once, and everything recorded after it.
    pub(super) no_intent: bool,
    /// A write that is not seen did not happen.
    pub(super) no_settling: bool,
    /// The delivery is acked, then the end recorded.
    pub(super) ack_first: bool,
    /// The ledger takes whatever anybody writes.
    pub(super) no_fencing: bool,
    /// Nobody waits for another escalation of the conversation.
    pub(super) no_conversation_claim: bool,
}

/// What may happen, and how it is watched.
pub(super) struct Model {
    pub(super) protocol: Protocol,
    pub(super) keys: usize,
    pub(super) workers: usize,
    /// 0: they are not counted.
    pub(super) attempts_max: u8,
    /// The incidents may be resolved.
    pub(super) resolves: bool,
    /// Only what a customer or an engineer would notice is looked for, not what made it possible.
    pub(super) only_damage: bool,
    pub(super) brain: Brain,
}

/// Who did what in a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label {
    /// From 1; 0 for the world around.
    pub(super) worker: u8,
    /// From 1; 0 for none.
    pub(super) key: u8,
    pub(super) what: &'static str,
}

pub(super) type Moves = Vec<(Label, State)>;

impl Model {
    /// Everything that can happen next.
    pub(super) fn moves(&self, state: &State) -> Moves {
        let mut out = Moves::new();
        if state.broken.is_some() {
            return out;
        }
        for w in 0..self.workers {
            self.work(state, w, &mut out);
            self.crash(state, w, &mut out);
        }
        self.around(state, &mut out);
        for (_, next) in &mut out {
            self.nobody_is_forgotten(next);
            *next = std::mem::take(next).settle();
        }
        out.retain(|(_, next)| next != state);
        out
    }

    /// I5 as a state: what has not ended is in somebody's hands, or in the queue.
    fn nobody_is_forgotten(&self, state: &mut State) {
        for key in 0..self.keys {
            let on_it = |worker: &Worker| match worker.phase {
                Phase::Idle => false,
                Phase::Acked(_) => self.only_damage && usize::from(worker.key) == key,
                Phase::Ready
                | Phase::Recorded(_)
                | Phase::Calling(_)
                | Phase::Letter
                | Phase::LetterOut => usize::from(worker.key) == key,
            };
            let held = state.queue[key] > 0 || state.workers.iter().any(on_it);
            if !held && !state.ended(key) {
                state.check(invariant::acked(None, false));
            }
        }
    }

    fn work(&self, state: &State, w: usize, out: &mut Moves) {
        match state.workers[w].phase {
            Phase::Idle => self.take(state, w, out),
            Phase::Ready => self.decide(state, w, out),
            Phase::Recorded(kind) => self.send(state, w, kind, out),
            Phase::Calling(kind) => self.answer(state, w, kind, out),
            Phase::Acked(end) => self.end(state.clone(), w, end, "records the end", out),
            Phase::Letter => {
                let mut next = state.clone();
                next.letters[next.key(w)] = true;
                next.workers[w].phase = Phase::LetterOut;
                push(out, w, state, "publishes the dead letter, confirmed", next);
            }
            Phase::LetterOut => {
                let mut next = state.clone();
                let key = next.key(w);
                next.rows[key].end = End::DeadPublished;
                next.queue[key] = 0;
                next.workers[w] = Worker::default();
                push(
                    out,
                    w,
                    state,
                    "notes that the letter is out, and acks",
                    next,
                );
            }
        }
    }

    /// Takes a message and claims its escalation. A message that meets another's claim goes round; nothing changes.
    fn take(&self, state: &State, w: usize, out: &mut Moves) {
        if state.workers[..w]
            .iter()
            .any(|worker| worker.phase == Phase::Idle)
        {
            return; // Idle workers are alike: the first one takes it.
        }
        for key in 0..self.keys {
            let row = state.rows[key];
            if state.queue[key] == 0 || row.end == End::Open && row.lease != Lease::Free {
                continue;
            }
            let mut next = state.clone();
            next.queue[key] -= 1;
            let mut worker = Worker {
                phase: Phase::Ready,
                key: key as u8,
                ..Worker::default()
            };
            let what = match row.end {
                End::Open => {
                    for other in &mut next.workers {
                        other.current &= usize::from(other.key) != key;
                    }
                    next.rows[key].lease = Lease::Held(w as u8 + 1);
                    worker.current = true;
                    worker.progress = row.progress;
                    worker.attempts = row.attempts;
                    worker.resolved = row.resolved;
                    "takes the message and claims the escalation"
                }
                End::Dead => {
                    worker.phase = Phase::Letter;
                    "takes the message; it is dead, and its letter not noted"
                }
                End::Done | End::Cancelled | End::DeadPublished => continue,
            };
            next.workers[w] = worker;
            push(out, w, &next.clone(), what, next);
        }
    }

    fn decide(&self, state: &State, w: usize, out: &mut Moves) {
        let mut base = state.clone();
        let answer = self.think(&mut base, w);
        let worker = &mut base.workers[w];
        worker.progress = answer.progress;
        worker.cobrowse = answer.cobrowse;
        if base.budget.trouble > 0 {
            let mut told = base.clone();
            told.budget.trouble -= 1;
            self.release(told, w, "is told to stop, and gives it back", out);
        }
        match answer.act {
            Act::Claim { create } => self.claim_conversation(base, w, create, out),
            Act::Read => {
                let survey = Survey {
                    at: 0,
                    attached: if base.genesys.shows() {
                        base.attached
                    } else {
                        0
                    },
                    foreign: base.foreign,
                    over: base.over,
                };
                let mut next = base.clone();
                next.workers[w].survey = Some(survey);
                let shows = match survey.attached {
                    0 => "reads the conversation: no session of ours",
                    _ => "reads the conversation: our session is there",
                };
                push(out, w, state, shows, next);
            }
            Act::LookUp => {
                let found = base.notes[base.key(w)];
                let mut next = base.clone();
                next.workers[w].look = Some(Look { at: 0, found });
                let what = match found {
                    true => "looks for our note: there",
                    false => "looks for our note: not there",
                };
                push(out, w, state, what, next);
            }
            Act::Create if base.workers[w].unsent => self.send(&base, w, Kind::Create, out),
            Act::Create => self.intend(base, w, Kind::Create, out),
            Act::Attach(session) => self.intend(base, w, Kind::Attach(session), out),
            Act::Note => self.intend(base, w, Kind::Note, out),
            Act::Wait | Act::Park => self.set_back(base, w, "has to wait", out),
            Act::Die => self.finish(base, w, End::Dead, out),
            Act::Finish(end) => self.finish(base, w, end, out),
        }
    }

    /// Asks the real `decide`; unless the protocol is broken where it would not know.
    fn think(&self, state: &mut State, w: usize) -> Answer {
        let worker = &mut state.workers[w];
        let mut forced = None;
        if self.protocol.no_settling {
            if let Write::Intended(_) = worker.progress.note {
                match worker.look {
                    None => forced = Some(Act::LookUp),
                    Some(Look { found: false, .. }) => worker.progress.note = Write::Open,
                    Some(_) => {}
                }
            } else if let (true, Write::Intended(_)) = (
                state.genesys.offers() && !worker.unsent,
                worker.cobrowse.session,
            ) {
                match worker.survey {
                    None => forced = Some(Act::Read),
                    Some(Survey { attached: 0, .. }) => worker.cobrowse.session = Write::Open,
                    Some(_) => {}
                }
            } else if let Write::Intended(_) = worker.cobrowse.media {
                match worker.survey {
                    None => forced = Some(Act::Read),
                    Some(Survey { attached: 0, .. }) => worker.cobrowse.media = Write::Open,
                    Some(_) => {}
                }
            }
        }
        if let Some(act) = forced {
            return Answer {
                progress: worker.progress,
                cobrowse: worker.cobrowse,
                act,
            };
        }
        self.brain.ask(Question {
            genesys: state.genesys,
            progress: worker.progress,
            claimed: worker.conversation.is_some().then_some(worker.cobrowse),
            survey: worker.survey,
            look: worker.look,
            resolved: worker.resolved,
            unsent: worker.unsent,
        })
    }

    /// It cannot go on now: in hand, where only what was read is dropped, or through the queue.
    pub(super) fn set_back(&self, mut next: State, w: usize, what: &'static str, out: &mut Moves) {
        let worker = &mut next.workers[w];
        worker.phase = Phase::Ready;
        worker.survey = None;
        worker.look = None;
        if worker.unrecorded {
            self.recording(next.clone(), w, Then::Continue, what, out, |_| ());
        } else {
            push(out, w, &next.clone(), what, next.clone());
        }
        self.release(next, w, what, out);
    }

    pub(super) fn finish(&self, next: State, w: usize, end: End, out: &mut Moves) {
        let what = match end {
            End::Done => "records the end: done, and acks",
            End::Cancelled => "records the end: cancelled, and acks",
            End::Open | End::Dead | End::DeadPublished => "records the end: dead",
        };
        if !self.protocol.ack_first {
            return self.end(next, w, end, what, out);
        }
        let mut acked = next;
        acked.workers[w].phase = Phase::Acked(end);
        push(out, w, &acked.clone(), "acks the delivery", acked);
    }
}

/// Adds a move of this worker. Its key is read where it still has one.
pub(super) fn push(out: &mut Moves, w: usize, of: &State, what: &'static str, next: State) {
    let label = Label {
        worker: w as u8 + 1,
        key: of.workers[w].key + 1,
        what,
    };
    out.push((label, next));
}
