//! A whole world in a few bytes: ledger, queue, workers, vendors, requests under way.
//!
//! Times are counted in units from now.

use escalator::escalation::invariant::Verdict;
use std::cell::Cell;
use std::fmt;

/// Units from now; what has been is negative.
pub(super) type Time = i8;
/// How long a call may take, and how much longer its request may take effect.
pub(super) const CALL: Time = 1;
pub(super) const SETTLE: Time = 1;

pub(super) const WORKERS: usize = 2;
pub(super) const KEYS: usize = 2;

/// An intent, by the worker who may still act on it. 0: that one is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Intent {
    pub(super) by: u8,
    pub(super) deadline: Time,
    pub(super) absent: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) enum Write<R> {
    #[default]
    Open,
    Intended(Intent),
    Done(R),
}

impl<R> Write<R> {
    pub(super) fn intent(&mut self) -> Option<&mut Intent> {
        match self {
            Self::Intended(intent) => Some(intent),
            Self::Open | Self::Done(_) => None,
        }
    }
}

/// What the ledger knows of the conversation's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Cobrowse {
    pub(super) session: Write<u8>,
    pub(super) media: Write<Time>,
    pub(super) seen: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Offer {
    Ours(u8),
    Running,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Progress {
    pub(super) agent: bool,
    pub(super) asked: bool,
    pub(super) offer: Option<Offer>,
    pub(super) gave_up: bool,
    pub(super) note: Write<()>,
}

/// A read of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Survey {
    pub(super) at: Time,
    /// Our session that it shows; 0 for none.
    pub(super) attached: u8,
    pub(super) foreign: bool,
    pub(super) over: bool,
}

/// A search for our note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Look {
    pub(super) at: Time,
    pub(super) found: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Create,
    Attach(u8),
    Note,
}

impl Kind {
    /// Whether two requests are the same write: both for one conversation, or both for one note.
    fn same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Create, Self::Create)
            | (Self::Attach(_), Self::Attach(_))
            | (Self::Note, Self::Note) => true,
            (Self::Create | Self::Attach(_) | Self::Note, _) => false,
        }
    }
}

/// A request that a vendor may still act on, or has acted on unheard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Request {
    pub(super) kind: Kind,
    pub(super) key: u8,
    /// Who waits for the answer; 0 for nobody.
    pub(super) by: u8,
    /// From then on it takes no effect any more.
    pub(super) latest: Time,
    /// It has; the session that a creation made.
    pub(super) landed: Option<u8>,
}

impl Request {
    pub(super) fn same_write(&self, kind: Kind, key: u8) -> bool {
        self.kind.same(kind) && (kind != Kind::Note || self.key == key)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) enum Phase {
    #[default]
    Idle,
    /// At the top of the loop.
    Ready,
    /// The intent is durable, nothing was sent.
    Recorded(Kind),
    /// Waiting for an answer.
    Calling(Kind),
    /// Dead on record; the letter is to be published.
    Letter,
    /// The broker has confirmed the letter.
    LetterOut,
    /// Only where the protocol is broken: acked, and the end still to be recorded.
    Acked(End),
}

/// A process with one task. What it holds in memory is gone with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Worker {
    pub(super) phase: Phase,
    pub(super) key: u8,
    /// Its claim is the newest one.
    pub(super) current: bool,
    /// It has the conversation, and that claim is the newest one.
    pub(super) conversation: Option<bool>,
    pub(super) progress: Progress,
    pub(super) cobrowse: Cobrowse,
    pub(super) survey: Option<Survey>,
    pub(super) look: Option<Look>,
    pub(super) resolved: bool,
    pub(super) attempts: u8,
    /// Before the write that is under way: had this escalation asked for anything?
    pub(super) asked_before: bool,
    /// An answer is in memory that must be recorded before any wait.
    pub(super) unrecorded: bool,
    /// The intent to create a session was recorded with the claim, and nothing was sent yet.
    pub(super) unsent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) enum Lease {
    #[default]
    Free,
    /// By this worker (from 1), who renews it.
    Held(u8),
    /// Whoever renewed it is gone; it ends by itself.
    Left,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) enum End {
    #[default]
    Open,
    Done,
    Cancelled,
    Dead,
    DeadPublished,
}

/// A row of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Row {
    pub(super) progress: Progress,
    pub(super) attempts: u8,
    pub(super) lease: Lease,
    pub(super) end: End,
    pub(super) resolved: bool,
}

/// How much may still go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Budget {
    /// Answers that are lost, and refusals.
    pub(super) faults: u8,
    /// A ledger that is away, and hand-backs.
    pub(super) trouble: u8,
    pub(super) crashes: u8,
    /// Leases that end under a living worker.
    pub(super) stalls: u8,
    /// Sessions that end, sessions of others, conversations that end.
    pub(super) changes: u8,
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.faults, "faults"),
            (self.trouble, "troubles of the ledger"),
            (self.crashes, "crashes"),
            (self.stalls, "leases ending early"),
            (self.changes, "changes"),
        ];
        let told = parts.iter().filter(|(n, _)| *n > 0);
        let told: Vec<_> = told.map(|(n, what)| format!("{n} {what}")).collect();
        f.write_str(if told.is_empty() {
            "nothing goes wrong"
        } else {
            ""
        })?;
        f.write_str(&told.join(", "))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct State {
    pub(super) rows: [Row; KEYS],
    pub(super) cobrowse: Cobrowse,
    pub(super) conversation_lease: Lease,
    /// Whose claim that is.
    pub(super) conversation_key: u8,
    /// Copies that wait in the queue. More than there are workers make no difference.
    pub(super) queue: [u8; KEYS],
    pub(super) workers: [Worker; WORKERS],
    /// The session of ours that is live in the conversation; 0 for none.
    pub(super) attached: u8,
    pub(super) foreign: bool,
    pub(super) over: bool,
    pub(super) notes: [bool; KEYS],
    /// Something that this escalation asked for took effect.
    pub(super) effects: [bool; KEYS],
    pub(super) letters: [bool; KEYS],
    pub(super) requests: Vec<Request>,
    pub(super) budget: Budget,
    /// The vendor's contract, which never changes.
    pub(super) genesys: Genesys,
    pub(super) broken: Option<Broken>,
}

/// What the other side is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) enum Genesys {
    /// A session is created, then attached.
    #[default]
    Sessions,
    /// One call offers a session, which also attaches it.
    Conversation {
        /// A conversation shows a session that was offered.
        shows: bool,
        /// Our side knows that it does.
        known: bool,
    },
}

impl Genesys {
    pub(super) fn offers(self) -> bool {
        self != Self::Sessions
    }

    pub(super) fn shows(self) -> bool {
        match self {
            Self::Sessions => true,
            Self::Conversation { shows, .. } => shows,
        }
    }

    pub(super) fn known_to_show(self) -> bool {
        match self {
            Self::Sessions => false,
            Self::Conversation { known, .. } => known,
        }
    }
}

/// What was found broken on the way into a state.
pub(super) type Broken = escalator::escalation::invariant::Violation;

impl State {
    /// Keeps the first thing that was found broken.
    pub(super) fn check(&mut self, verdict: Verdict) {
        if let Err(violation) = verdict {
            self.broken.get_or_insert(violation);
        }
    }

    pub(super) fn ended(&self, key: usize) -> bool {
        match self.rows[key].end {
            End::Open => false,
            End::Dead => self.letters[key],
            End::Done | End::Cancelled | End::DeadPublished => true,
        }
    }

    /// A number for a new session: the smallest that nobody remembers.
    pub(super) fn new_session(&self) -> u8 {
        let known = Cell::new(1_u16 | 1 << self.attached);
        let add = |id: u8| known.set(known.get() | 1 << id);
        let of = |cobrowse: &Cobrowse| {
            if let Write::Done(id) = cobrowse.session {
                add(id);
            }
        };
        let offer = |progress: &Progress| {
            if let Some(Offer::Ours(id)) = progress.offer {
                add(id);
            }
        };
        of(&self.cobrowse);
        self.rows.iter().for_each(|row| offer(&row.progress));
        for worker in &self.workers {
            of(&worker.cobrowse);
            offer(&worker.progress);
            add(worker.survey.map_or(0, |survey| survey.attached));
            if let Phase::Recorded(Kind::Attach(id)) | Phase::Calling(Kind::Attach(id)) =
                worker.phase
            {
                add(id);
            }
        }
        for request in &self.requests {
            add(request.landed.unwrap_or(0));
            if let Kind::Attach(id) = request.kind {
                add(id);
            }
        }
        known.get().trailing_ones() as u8
    }
}
