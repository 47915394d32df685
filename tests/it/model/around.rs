//! What happens without a worker: time, requests that take effect, leases that end, incidents that are resolved.

use super::procedure::{Label, Model, Moves};
use super::world::{End, Kind, Lease, Phase, State};
use escalator::escalation::invariant;

impl Model {
    pub(super) fn around(&self, state: &State, out: &mut Moves) {
        self.time(state, out);
        for at in 0..state.requests.len() {
            let request = state.requests[at];
            if request.landed.is_none() && request.latest > 0 {
                let mut next = state.clone();
                let what = next.land(at, self.resolves);
                add(out, request.key + 1, what, next);
            }
        }
        for key in 0..self.keys {
            self.lease(state, key, out);
            let row = state.rows[key];
            if self.resolves && !row.resolved && row.end == End::Open {
                let mut next = state.clone();
                next.rows[key].resolved = true;
                add(out, key as u8 + 1, "the incident is resolved", next);
            }
        }
        if let Some((costs, what)) = ends(state.conversation_lease) {
            let mut next = state.clone();
            next.conversation_lease = Lease::Free;
            stall(state, next, costs, 0, what, out);
        }
        self.changes(state, out);
    }

    /// A call that nothing disturbs is answered before its time is over.
    fn time(&self, state: &State, out: &mut Moves) {
        let calling = |phase: Phase| matches!(phase, Phase::Calling(_));
        if state.budget.faults == 0 && state.workers.iter().any(|worker| calling(worker.phase)) {
            return;
        }
        let mut next = state.clone();
        next.tick();
        add(out, 0, "time passes", next);
    }

    fn lease(&self, state: &State, key: usize, out: &mut Moves) {
        if let Some((costs, what)) = ends(state.rows[key].lease) {
            let mut next = state.clone();
            next.rows[key].lease = Lease::Free;
            stall(state, next, costs, key as u8 + 1, what, out);
        }
    }

    fn changes(&self, state: &State, out: &mut Moves) {
        if state.budget.changes == 0 {
            return;
        }
        let mut changed = state.clone();
        changed.budget.changes -= 1;
        if state.attached != 0 {
            let mut next = changed.clone();
            next.attached = 0;
            add(out, 0, "the customer ends our session", next);
        } else if !state.foreign && !state.over {
            let mut next = changed.clone();
            next.foreign = true;
            add(out, 0, "an agent starts a session of their own", next);
        }
        if !state.over {
            let mut next = changed;
            next.over = true;
            next.foreign = false;
            next.attached = 0;
            add(out, 0, "the conversation ends", next);
        }
    }
}

/// Whether a lease can end now, and whether that is a fault.
fn ends(lease: Lease) -> Option<(bool, &'static str)> {
    match lease {
        Lease::Free => None,
        Lease::Left => Some((false, "a lease that nobody renews ends")),
        Lease::Held(_) => Some((true, "a lease ends under a worker that lives")),
    }
}

fn stall(
    state: &State,
    mut next: State,
    costs: bool,
    key: u8,
    what: &'static str,
    out: &mut Moves,
) {
    if costs {
        if state.budget.stalls == 0 {
            return;
        }
        next.budget.stalls -= 1;
    }
    add(out, key, what, next);
}

fn add(out: &mut Moves, key: u8, what: &'static str, next: State) {
    let label = Label {
        worker: 0,
        key,
        what,
    };
    out.push((label, next));
}

impl State {
    /// The request takes effect.
    fn land(&mut self, at: usize, counted: bool) -> &'static str {
        let request = self.requests[at];
        let key = usize::from(request.key);
        let mut session = 0;
        let what = match request.kind {
            Kind::Create if self.genesys.offers() && self.over => {
                session = self.new_session();
                "Genesys offers a session in a conversation that has ended"
            }
            Kind::Create if self.genesys.offers() => {
                session = self.new_session();
                let before = usize::from(self.attached != 0);
                self.check(invariant::attachments(before + 1));
                self.attached = session;
                "Genesys offers a session"
            }
            Kind::Create => {
                session = self.new_session();
                "Genesys creates a session"
            }
            Kind::Attach(id) if self.over => {
                session = id;
                "Genesys takes the attachment to a conversation that has ended"
            }
            Kind::Attach(id) => {
                session = id;
                let before = usize::from(self.attached != 0);
                self.check(invariant::attachments(before + 1));
                self.attached = id;
                "Genesys attaches the session"
            }
            Kind::Note => {
                self.check(invariant::notes(usize::from(self.notes[key]) + 1));
                self.notes[key] = true;
                "PagerDuty stores the note"
            }
        };
        self.effects[key] |= counted;
        if self.rows[key].end == End::Cancelled {
            self.check(Err(invariant::Violation {
                invariant: invariant::Invariant::DocumentedEdges,
                detail: "something took effect that a cancelled escalation had asked for",
            }));
        }
        self.requests[at].landed = Some(session);
        what
    }
}
