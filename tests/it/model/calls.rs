//! What a worker asks of others: the conversation, and each write with its intent, its sending and its answer.

use super::brain;
use super::procedure::{Model, Moves, push};
use super::world::{CALL, End, Intent, Kind, Lease, Phase, Request, SETTLE, State, Worker, Write};
use escalator::escalation::invariant;

impl Model {
    /// Takes the conversation; where nothing is known of a session, with the intent to create one, in one transaction.
    pub(super) fn claim_conversation(&self, base: State, w: usize, create: bool, out: &mut Moves) {
        let mut next = base.clone();
        let key = next.workers[w].key;
        if !next.workers[w].current && !self.protocol.no_fencing {
            return self.fenced(next, w, out);
        }
        if next.conversation_lease != Lease::Free
            && next.conversation_key != key
            && !self.protocol.no_conversation_claim
        {
            return self.release(next, w, "finds the conversation in other hands", out);
        }
        if !self.protocol.no_conversation_claim {
            for other in &mut next.workers {
                other.conversation = other.conversation.map(|_| false);
            }
            next.conversation_lease = Lease::Held(w as u8 + 1);
            next.conversation_key = key;
        }
        let row = next.rows[usize::from(key)];
        let known = next.cobrowse.session != Write::Open;
        let intended = create && !known && !row.resolved && !self.protocol.no_intent;
        let worker = &mut next.workers[w];
        worker.conversation = Some(true);
        worker.resolved = row.resolved;
        let what = if intended {
            next.cobrowse.session = Write::Intended(intent_of(w));
            worker.asked_before = worker.progress.asked;
            worker.progress.asked = true;
            worker.unsent = true;
            let row = &mut next.rows[usize::from(key)];
            row.progress = worker.progress;
            row.attempts = worker.attempts;
            "claims the conversation, with the intent to create a session"
        } else {
            if known {
                worker.survey = None; // From before the claim.
            }
            "claims the conversation"
        };
        worker.cobrowse = next.cobrowse;
        let mut away = next.clone();
        push(out, w, &base, what, next);
        if base.budget.trouble > 0 {
            away.budget.trouble -= 1;
            if intended {
                // It is done, and nobody hears it: whoever sent nothing takes it back.
                let mut found = away.clone();
                found.workers[w].take_back(Kind::Create);
                let what = "claims the conversation, is not answered, and takes its intent back";
                self.release(found, w, what, out);
            }
            // Or cannot: what is released after that knows nothing of it.
            let worker = Worker {
                conversation: None,
                ..base.workers[w]
            };
            away.workers[w] = worker;
            self.release(away, w, "claims the conversation, and is not answered", out);
        }
    }

    /// Records the intent of a write.
    pub(super) fn intend(&self, mut next: State, w: usize, kind: Kind, out: &mut Moves) {
        let intent = intent_of(w);
        let worker = &mut next.workers[w];
        worker.asked_before = worker.progress.asked;
        let what = match kind {
            Kind::Create => {
                worker.cobrowse.session = Write::Intended(intent);
                worker.progress.asked = true;
                "records the intent to create a session"
            }
            Kind::Attach(_) => {
                worker.cobrowse.media = Write::Intended(intent);
                worker.progress.asked = true;
                "records the intent to attach it"
            }
            Kind::Note => {
                worker.progress.note = Write::Intended(intent);
                "records the intent to write the note"
            }
        };
        if self.protocol.no_intent {
            return self.send(&next, w, kind, out);
        }
        self.intending(next, w, kind, what, out);
    }

    /// Sends, if the call can still end by the deadline that the intent names. Between that look at the clock and the
    /// sending nothing comes.
    pub(super) fn send(&self, state: &State, w: usize, kind: Kind, out: &mut Moves) {
        let mut next = state.clone();
        let key = next.workers[w].key;
        next.workers[w].unsent = false;
        if next.workers[w]
            .intent(kind)
            .is_some_and(|i| i.deadline < CALL)
        {
            next.workers[w].take_back(kind);
            return self.set_back(
                next,
                w,
                "was too slow after the intent, and sends nothing",
                out,
            );
        }
        if !self.only_damage {
            self.may_send(&mut next, w, kind);
        }
        next.requests.push(Request {
            kind,
            key,
            by: w as u8 + 1,
            latest: CALL + SETTLE,
            landed: None,
        });
        next.workers[w].phase = Phase::Calling(kind);
        let what = match kind {
            Kind::Create if state.genesys.offers() => "sends: offer a session",
            Kind::Create => "sends: create a session",
            Kind::Attach(_) => "sends: attach it to the conversation",
            Kind::Note => "sends: write the note",
        };
        push(out, w, state, what, next);
    }

    /// I3 and I4.
    fn may_send(&self, state: &mut State, w: usize, kind: Kind) {
        let worker = state.workers[w];
        let epoch = u64::from(w as u8 + 1);
        let open = |_| (jiff::Timestamp::MIN, ());
        state.check(match kind {
            Kind::Create => {
                invariant::sent(&brain::write(state.cobrowse.session, |_| open(())), epoch)
            }
            Kind::Attach(_) => {
                invariant::sent(&brain::write(state.cobrowse.media, |_| open(())), epoch)
            }
            Kind::Note => {
                let row = state.rows[usize::from(worker.key)];
                invariant::sent(&brain::write(row.progress.note, open), epoch)
            }
        });
        for earlier in state.requests.clone() {
            // One that can take no effect any more proves nothing and harms nothing.
            if earlier.latest > 0 && earlier.same_write(kind, worker.key) {
                state.check(brain::sent_again(earlier.latest - SETTLE, Some(0)));
            }
        }
    }

    pub(super) fn answer(&self, state: &State, w: usize, kind: Kind, out: &mut Moves) {
        let by = w as u8 + 1;
        let found = state.requests.iter().position(|request| request.by == by);
        let Some(at) = found else { return };
        let request = state.requests[at];
        let mut heard = state.clone();
        heard.workers[w].phase = Phase::Ready;
        if let Some(session) = request.landed {
            let mut next = heard.clone();
            next.requests.remove(at);
            self.success(next, w, kind, session, out);
        }
        let late = request.latest <= 0 && request.landed.is_none();
        if state.budget.faults == 0 && !late {
            return;
        }
        heard.budget.faults = heard.budget.faults.saturating_sub(1);
        if request.landed.is_none() && !late {
            let mut refused = heard.clone();
            refused.requests.remove(at);
            refused.workers[w].take_back(kind);
            refused.workers[w].unrecorded = true;
            self.finish(refused.clone(), w, End::Dead, out);
            self.set_back(refused, w, "is told to come back later (429)", out);
        }
        // 5xx, a reset, the deadline: nobody knows, and the request may yet take effect.
        let request = &mut heard.requests[at];
        request.by = 0;
        request.latest = request.latest.min(SETTLE);
        heard
            .requests
            .retain(|request| request.latest > 0 || request.by != 0);
        let worker = &mut heard.workers[w];
        if let Some(intent) = worker.intent(kind) {
            intent.deadline = 0;
        }
        worker.attempts += u8::from(self.attempts_max > 0);
        if self.attempts_max > 0 && worker.attempts >= self.attempts_max {
            worker.progress.gave_up = true;
        }
        self.set_back(heard, w, "gets no usable answer", out);
    }

    fn success(&self, mut next: State, w: usize, kind: Kind, session: u8, out: &mut Moves) {
        let worker = &mut next.workers[w];
        match kind {
            Kind::Create if next.genesys.offers() => {
                worker.cobrowse.session = Write::Done(session);
                worker.cobrowse.media = Write::Done(0);
                worker.survey = None;
                worker.unrecorded = true;
                push(out, w, &next.clone(), "hears: the session is offered", next);
            }
            Kind::Create => {
                worker.cobrowse.session = Write::Done(session);
                worker.unrecorded = true;
                push(out, w, &next.clone(), "hears: the session is created", next);
            }
            Kind::Attach(_) => {
                worker.cobrowse.media = Write::Done(0);
                worker.survey = None;
                worker.unrecorded = true;
                push(out, w, &next.clone(), "hears: it is attached", next);
            }
            Kind::Note => {
                worker.progress.note = Write::Done(());
                push(out, w, &next.clone(), "hears: the note is written", next);
            }
        }
    }
}

/// An intent of this worker, for a call that starts now.
fn intent_of(w: usize) -> Intent {
    Intent {
        by: w as u8 + 1,
        deadline: CALL,
        absent: None,
    }
}
