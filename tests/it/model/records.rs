//! What reaches the ledger, and how a worker lets go: recorded, released, ended, fenced, crashed.

use super::procedure::{Model, Moves, push};
use super::world::{
    End, Genesys, Intent, Kind, Lease, Phase, Progress, State, WORKERS, Worker, Write,
};
use escalator::escalation::invariant::{self, Invariant, Verdict, Violation};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Continue,
    Release,
    End(End),
}

pub(super) struct Fenced;

impl Model {
    /// A record as the ledger takes it: all or nothing, and from the newest claims only.
    fn record(&self, state: &mut State, w: usize, then: Then) -> Result<(), Fenced> {
        if then != Then::Continue && state.workers[w].unsent {
            state.workers[w].take_back(Kind::Create);
        }
        state.workers[w].unrecorded = false;
        let worker = state.workers[w];
        let key = usize::from(worker.key);
        let row = state.rows[key];
        let fenced = !worker.current || worker.conversation == Some(false);
        if row.end != End::Open || fenced && !self.protocol.no_fencing {
            return Err(Fenced);
        }
        let cobrowse = match worker.conversation {
            Some(_) => worker.cobrowse,
            None => state.cobrowse,
        };
        if !self.only_damage {
            let edge = (row.progress, state.cobrowse);
            let after = (worker.progress, cobrowse);
            state.check(self.brain.edge(state.genesys, edge, after));
            let (before, after) = (u32::from(row.attempts), u32::from(worker.attempts));
            state.check(invariant::attempts(before, after));
        }
        state.cobrowse = cobrowse;
        let row = &mut state.rows[key];
        row.progress = worker.progress;
        row.attempts = worker.attempts;
        state.workers[w].resolved = row.resolved;
        if then == Then::Continue {
            return Ok(());
        }
        row.lease = Lease::Free;
        // Its conversation goes with it, even one that it does not know it has.
        if worker.conversation.is_some() || state.conversation_key == worker.key {
            state.conversation_lease = Lease::Free;
        }
        if let Then::End(end) = then {
            row.end = end;
            row.progress = Progress::default();
            row.attempts = 0;
            self.ends_well(state, key, end);
        }
        Ok(())
    }

    /// What an end says must be so.
    fn ends_well(&self, state: &mut State, key: usize, end: End) {
        let detail = match end {
            End::Done if !state.notes[key] => "an escalation is done, and there is no note",
            End::Cancelled if state.effects[key] => {
                "an escalation was cancelled after something that it asked for took effect"
            }
            End::Done | End::Cancelled | End::Open | End::Dead | End::DeadPublished => return,
        };
        state.check(Err(Violation {
            invariant: Invariant::DocumentedEdges,
            detail,
        }));
    }

    /// Records an intent. What came of that is one thing; that nothing was sent yet is another, and known: the intent is taken
    /// back where the ledger was away, or told of a resolution before anything was asked for.
    pub(super) fn intending(
        &self,
        next: State,
        w: usize,
        kind: Kind,
        what: &'static str,
        out: &mut Moves,
    ) {
        let begun = next.clone();
        self.recording(next, w, Then::Continue, what, out, |done| {
            let worker = &mut done.workers[w];
            if worker.resolved && !worker.asked_before {
                worker.take_back(kind);
            } else {
                worker.phase = Phase::Recorded(kind);
            }
        });
        if begun.budget.trouble == 0 {
            return;
        }
        let mut away = begun;
        away.budget.trouble -= 1;
        let mut landed = away.clone();
        if self.record(&mut landed, w, Then::Continue).is_err() {
            return;
        }
        for (mut state, what) in [
            (away, "finds the ledger away, and takes the intent back"),
            (landed, "is not answered, and takes the intent back"),
        ] {
            state.workers[w].take_back(kind);
            if self.record(&mut state, w, Then::Release).is_ok() {
                self.later(state, w, what, out);
            }
        }
    }

    /// Records, and goes on with `done`; or is fenced; or the ledger is away, and one more try to release comes after.
    pub(super) fn recording(
        &self,
        next: State,
        w: usize,
        then: Then,
        what: &'static str,
        out: &mut Moves,
        done: impl Fn(&mut State),
    ) {
        let mut recorded = next.clone();
        match self.record(&mut recorded, w, then) {
            Ok(()) => {
                done(&mut recorded);
                push(out, w, &next, what, recorded);
            }
            Err(Fenced) => return self.fenced(next, w, out),
        }
        if next.budget.trouble == 0 {
            return;
        }
        let mut away = next;
        away.budget.trouble -= 1;
        let mut unheard = away.clone();
        if self.record(&mut unheard, w, then).is_ok() {
            self.later(
                unheard,
                w,
                "writes to the ledger, which does not answer",
                out,
            );
        }
        if then != Then::Release {
            let mut released = away.clone();
            if self.record(&mut released, w, Then::Release).is_ok() {
                self.later(released, w, "finds the ledger away, and releases", out);
            }
        }
        self.later(away, w, "finds the ledger away", out);
    }

    /// Gives the claims back; the message comes again.
    pub(super) fn release(&self, next: State, w: usize, what: &'static str, out: &mut Moves) {
        let mut released = next.clone();
        match self.record(&mut released, w, Then::Release) {
            Ok(()) => self.later(released, w, what, out),
            Err(Fenced) => return self.fenced(next, w, out),
        }
        if next.budget.trouble > 0 {
            let mut away = next;
            away.budget.trouble -= 1;
            self.later(away, w, "finds the ledger away", out);
        }
    }

    pub(super) fn end(&self, next: State, w: usize, end: End, what: &'static str, out: &mut Moves) {
        let key = usize::from(next.workers[w].key);
        let mut next = next;
        next.check(nothing_in_doubt(&next.workers[w], next.genesys, end));
        self.recording(next, w, Then::End(end), what, out, |ended| {
            ended.disown(w);
            ended.workers[w] = Worker::default();
            if end == End::Dead {
                ended.workers[w].phase = Phase::Letter;
                ended.workers[w].key = key as u8;
            } else {
                ended.queue[key] = 0; // Other copies are acked for nothing.
            }
        });
    }

    /// Somebody else has taken over: nothing of this worker reaches the ledger any more.
    pub(super) fn fenced(&self, next: State, w: usize, out: &mut Moves) {
        self.later(next, w, "is fenced: somebody else has taken over", out);
    }

    /// Publishes a copy, which is confirmed, and acks; a crash in between leaves two.
    fn later(&self, next: State, w: usize, what: &'static str, out: &mut Moves) {
        let of = next.clone();
        let mut left = next;
        left.leave(w);
        if left.budget.crashes > 0 {
            let mut twice = left.clone();
            twice.budget.crashes -= 1;
            twice.put_back(usize::from(of.workers[w].key));
            push(
                out,
                w,
                &of,
                "publishes a copy and crashes before the ack",
                twice,
            );
        }
        push(out, w, &of, what, left);
    }

    pub(super) fn crash(&self, state: &State, w: usize, out: &mut Moves) {
        if state.budget.crashes == 0 || state.workers[w].phase == Phase::Idle {
            return;
        }
        let mut next = state.clone();
        next.budget.crashes -= 1;
        if let Phase::Acked(_) = state.workers[w].phase {
            let key = state.key(w);
            next.leave(w);
            next.queue[key] = state.queue[key];
        } else {
            next.leave(w);
        }
        push(out, w, state, "crashes", next);
    }
}

impl State {
    pub(super) fn key(&self, w: usize) -> usize {
        usize::from(self.workers[w].key)
    }

    /// One more copy of the message. More than there are workers are as many.
    fn put_back(&mut self, key: usize) {
        self.queue[key] = (self.queue[key] + 1).min(WORKERS as u8);
    }

    /// The worker lets go of everything. Claims that it has not given back end by themselves.
    fn leave(&mut self, w: usize) {
        let by = w as u8 + 1;
        let key = self.key(w);
        self.disown(w);
        for lease in self
            .rows
            .iter_mut()
            .map(|row| &mut row.lease)
            .chain([&mut self.conversation_lease])
        {
            if *lease == Lease::Held(by) {
                *lease = Lease::Left;
            }
        }
        self.put_back(key);
        if matches!(
            self.rows[key].end,
            End::Done | End::Cancelled | End::DeadPublished
        ) {
            self.queue[key] = 0;
        }
        self.workers[w] = Worker::default();
    }
}

impl Worker {
    pub(super) fn intent(&mut self, kind: Kind) -> Option<&mut Intent> {
        match kind {
            Kind::Create => match &mut self.cobrowse.session {
                Write::Intended(intent) => Some(intent),
                Write::Open | Write::Done(_) => None,
            },
            Kind::Attach(_) => match &mut self.cobrowse.media {
                Write::Intended(intent) => Some(intent),
                Write::Open | Write::Done(_) => None,
            },
            Kind::Note => match &mut self.progress.note {
                Write::Intended(intent) => Some(intent),
                Write::Open | Write::Done(()) => None,
            },
        }
    }

    /// The call certainly had no effect: as if nothing had been asked.
    pub(super) fn take_back(&mut self, kind: Kind) {
        match kind {
            Kind::Create => self.cobrowse.session = Write::Open,
            Kind::Attach(_) => self.cobrowse.media = Write::Open,
            Kind::Note => self.progress.note = Write::Open,
        }
        self.progress.asked = self.asked_before;
        self.unsent = false;
    }
}

/// Dead is said of what is known: not while a write that can be looked for may have taken effect.
fn nothing_in_doubt(worker: &Worker, genesys: Genesys, end: End) -> Verdict {
    let note = matches!(worker.progress.note, Write::Intended(_));
    let media = worker.conversation.is_some()
        && worker.progress.offer.is_none()
        && matches!(worker.cobrowse.media, Write::Intended(_));
    let offer = worker.conversation.is_some()
        && worker.progress.offer.is_none()
        && genesys.known_to_show()
        && matches!(worker.cobrowse.session, Write::Intended(_));
    if end == End::Dead && (note || media || offer) {
        return Err(Violation {
            invariant: Invariant::DocumentedEdges,
            detail: "an escalation died while a write of it was in doubt",
        });
    }
    Ok(())
}
