//! Conclusions, and what they do to the records.

use jiff::Timestamp;

use super::cobrowse::Cobrowse;
use super::conversation::Agent;
use super::ids::{NoteId, SessionId};
use super::progress::{FailureNote, Offer, Progress, Write};

/// A conclusion to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// Nobody is connected yet.
    Waiting(Timestamp),
    /// This agent is connected.
    Agent(Agent),
    /// The session question is settled: another one is running.
    OfferRunning,
    /// The session question is settled: ours is in the conversation.
    OfferOurs {
        /// Its id.
        session: SessionId,
        /// When it was created.
        started_at: Timestamp,
        /// When it was seen there; `None`: the conversation does not show it, and need not.
        seen_at: Option<Timestamp>,
        /// It was shown as one that has ended.
        ended: bool,
    },
    /// Whether the first call created a session cannot be found out. Nobody can reach it, so it is asked for again.
    SessionMayRepeat,
    /// The conversation shows a session that was not there before our call: it took effect, whatever became of its answer.
    SessionFound {
        /// The session.
        session: SessionId,
        /// When the look began.
        at: Timestamp,
    },
    /// A first look, taken after the call could still land, did not find a session.
    SessionAbsent(Timestamp),
    /// Two looks a settle time apart did not find one, at a Genesys that shows them: the call never took effect.
    SessionProvenAbsent,
    /// Whether the call offered a session cannot be found out, and whatever it offered is over by now: it may be repeated.
    SessionRunOut,
    /// The ledger's session is not in the conversation any more: it ended, and is not what this escalation offers.
    ForgetSession {
        /// When that became known, where no read has shown it live: it was shown as one that has ended, or is too old.
        over_at: Option<Timestamp>,
    },
    /// The ledger's session was never attached and is too old to be: nobody can reach it, and a new one is asked for.
    ForgetUnattached,
    /// The conversation shows the session: the call that attached it took effect, whatever became of its answer.
    MediaFound(Timestamp),
    /// A first look, taken after the call could still land, did not find the attachment.
    MediaAbsent(Timestamp),
    /// Two looks a settle time apart did not find it: the call never took effect and may be repeated.
    MediaMayRepeat,
    /// The note was found by its marker.
    NoteFound(Timestamp, NoteId),
    /// A first look did not find the note.
    NoteAbsent(Timestamp),
    /// Two looks a settle time apart did not find it.
    NoteMayRepeat,
    /// The note that tells of an earlier failure was found by its marker.
    FailureNoteFound(NoteId),
    /// There is no such note: there is nothing to rewrite.
    NoFailureNote,
}

impl Update {
    /// Puts the conclusion into the records.
    pub fn apply(self, progress: &mut Progress, cobrowse: &mut Cobrowse) {
        match self {
            Self::Waiting(since) => progress.waiting_since = Some(since),
            Self::Agent(agent) => progress.agent = Some(agent),
            Self::OfferRunning => {
                progress.offer = Some(Offer::Running);
                progress.gave_up = None;
            }
            Self::OfferOurs {
                session,
                started_at,
                seen_at,
                ended,
            } => {
                cobrowse.seen_at = seen_at.or(cobrowse.seen_at);
                progress.offer = Some(Offer::Ours {
                    session,
                    started_at,
                    contract: cobrowse.contract,
                    shown: seen_at.is_some(),
                    ends: cobrowse.offer_ends,
                    ended,
                });
                // Given up was the session. Whoever found it, there it is.
                progress.gave_up = None;
            }
            Self::SessionFound { session, at } => {
                cobrowse.session = Write::Done {
                    at,
                    result: session,
                };
                cobrowse.media = Write::Done { at, result: () };
                progress.gave_up = None;
            }
            Self::SessionAbsent(at) => mark_absent(&mut cobrowse.session, at),
            Self::SessionProvenAbsent => cobrowse.session = Write::Open,
            Self::SessionMayRepeat | Self::SessionRunOut => {
                cobrowse.session = Write::Open;
                cobrowse.possible_orphans += 1;
            }
            Self::ForgetUnattached => {
                cobrowse.session = Write::Open;
                cobrowse.possible_orphans += 1;
            }
            Self::ForgetSession { over_at } => {
                cobrowse.over_at = over_at.or(cobrowse.over_at);
                cobrowse.session = Write::Open;
                cobrowse.media = Write::Open;
                cobrowse.seen_at = None;
                cobrowse.offer_ends = None;
            }
            Self::MediaFound(at) => {
                cobrowse.media = Write::Done { at, result: () };
                progress.gave_up = None;
            }
            Self::MediaAbsent(at) => mark_absent(&mut cobrowse.media, at),
            Self::MediaMayRepeat => cobrowse.media = Write::Open,
            Self::NoteFound(at, id) => {
                progress.note = Write::Done { at, result: id };
                progress.failure_note = None;
                progress.gave_up = None;
            }
            Self::NoteAbsent(at) => mark_absent(&mut progress.note, at),
            Self::NoteMayRepeat => progress.note = Write::Open,
            Self::FailureNoteFound(id) => {
                progress.failure_note = Some(FailureNote {
                    note: Some(id),
                    in_doubt_until: None,
                });
            }
            Self::NoFailureNote => progress.failure_note = None,
        }
    }
}

fn mark_absent<T>(write: &mut Write<T>, at: Timestamp) {
    if let Write::Intended(intent) = write {
        intent.absent_at = Some(at);
    }
}
