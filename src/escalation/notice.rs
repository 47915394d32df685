//! Telling the incident that its escalation died: one note, that says why and what to do.
//!
//! It is a write like the others, with an intent before the call and a look behind a call whose outcome is not known. It
//! belongs to the dead letter, not to the escalation, which has ended. A replay takes over what is known of it, so that
//! the real note can take its place.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::ids::NoteId;
use super::progress::{FailureNote, Intent, Write};

/// Whether the incident was told of a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    /// Nobody can be told: no incident is known. Set when the letter is kept; nothing leaves it.
    Nobody,
    /// To be told. Set when the letter is kept; a crash in it leaves an intent at most, which is looked behind.
    Due {
        /// The note of an earlier death of the same escalation, to be written over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instead_of: Option<NoteId>,
        /// The write. An intent of epoch 0 is an earlier death's.
        #[serde(default)]
        write: Write<NoteId>,
        /// How often it was put off.
        #[serde(default)]
        tries: u32,
    },
    /// The incident has the note. A replay hands it on.
    Told {
        /// The note.
        note: NoteId,
        /// When that was learned.
        at: Timestamp,
    },
    /// It has not, as far as is known, and will not: recorded instead of tried for ever.
    NotTold {
        /// Why, in words.
        why: String,
        /// Since when.
        at: Timestamp,
        /// A call was sent, and whether it has left a note is not known.
        #[serde(default)]
        doubt: bool,
    },
    /// What was known of it went to the replay, which writes the real note in its place.
    HandedOn,
}

impl Notice {
    /// What a letter begins with: an incident is told, by the note of an earlier death where there is one. Of an escalation
    /// that has died before (`again`) there may be a note although nothing is known of it: it is looked for first.
    #[must_use]
    pub fn due(known: Option<&FailureNote>, again: bool) -> Self {
        let unknown = again && known.is_none();
        let in_doubt = known.and_then(|known| known.in_doubt_until);
        Self::Due {
            instead_of: known.and_then(|known| known.note.clone()),
            write: in_doubt
                .or(unknown.then_some(Timestamp::UNIX_EPOCH))
                .map_or(Write::Open, |deadline| {
                    Write::Intended(Intent {
                        epoch: 0,
                        deadline,
                        absent_at: None,
                    })
                }),
            tries: 0,
        }
    }

    /// What a replay has to know of it.
    #[must_use]
    pub fn carried(&self) -> Option<FailureNote> {
        let known = match self {
            Self::Nobody | Self::NotTold { doubt: false, .. } | Self::HandedOn => return None,
            Self::NotTold { at, .. } => FailureNote {
                note: None,
                in_doubt_until: Some(*at),
            },
            Self::Told { note, .. } => FailureNote {
                note: Some(note.clone()),
                in_doubt_until: None,
            },
            Self::Due {
                instead_of, write, ..
            } => FailureNote {
                note: write.done().or(instead_of.as_ref()).cloned(),
                in_doubt_until: match write {
                    Write::Intended(intent) => Some(intent.deadline),
                    Write::Open | Write::Done { .. } => None,
                },
            },
        };
        (known.note.is_some() || known.in_doubt_until.is_some()).then_some(known)
    }

    /// Whether somebody has to do something about it.
    #[must_use]
    pub fn is_due(&self) -> bool {
        matches!(self, Self::Due { .. })
    }

    /// In words, for whoever looks at the letter.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Nobody => "nobody: no incident is known".to_owned(),
            Self::Due {
                write: Write::Intended(_),
                ..
            } => "perhaps: the answer was lost, and it is being found out".to_owned(),
            Self::Due { .. } => "not yet".to_owned(),
            Self::Told { note, at } => format!("yes, note {note}, {at:.0}"),
            Self::NotTold {
                why, doubt: true, ..
            } => format!("perhaps: {why}"),
            Self::NotTold { why, .. } => format!("no: {why}"),
            Self::HandedOn => "a replay has taken it over".to_owned(),
        }
    }
}

/// The times that bound a telling.
#[derive(Debug, Clone, Copy)]
pub struct TellingBounds {
    /// How long after a call's deadline its request may still take effect.
    pub settle: Duration,
    /// For how long after a death its incident is tried to be told.
    pub expires_after: Duration,
}

/// What is to be done next about a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Telling {
    /// Nothing.
    Over,
    /// It is given up, for this reason.
    NotTold {
        /// For which.
        why: String,
        /// Whether a note may be there all the same.
        doubt: bool,
    },
    /// Nothing can be done before so long.
    Later(Duration),
    /// Look for the note.
    Look,
    /// Write it.
    Write,
    /// Write it over this one.
    Rewrite(NoteId),
}

/// Before it is looked again whether it has.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

impl Notice {
    /// What is to be done next, where the escalation is open, or has ended well.
    #[must_use]
    pub fn next(
        &self,
        open: bool,
        ended_well: bool,
        died_at: Timestamp,
        now: Timestamp,
        bounds: &TellingBounds,
    ) -> Telling {
        let Self::Due {
            instead_of, write, ..
        } = self
        else {
            return Telling::Over;
        };
        let age = Duration::try_from(now.duration_since(died_at)).unwrap_or_default();
        let doubt = write.in_doubt();
        if ended_well {
            let why = "its escalation has ended well since".to_owned();
            return Telling::NotTold { why, doubt };
        }
        if age >= bounds.expires_after {
            let why = match open {
                true => "its escalation is open, and nobody knows how it will end".to_owned(),
                false => "PagerDuty took no note within escalation.expires_after".to_owned(),
            };
            return Telling::NotTold { why, doubt };
        }
        if open {
            // Whatever it is that was given up: the escalation may yet succeed, by another message of it.
            return Telling::Later(LOOK_AGAIN);
        }
        match write {
            Write::Done { .. } => Telling::Over,
            Write::Open => instead_of.clone().map_or(Telling::Write, Telling::Rewrite),
            Write::Intended(intent) => {
                let last = intent.absent_at.unwrap_or(intent.deadline);
                let landed = SignedDuration::try_from(bounds.settle)
                    .ok()
                    .and_then(|settle| last.checked_add(settle).ok())
                    .unwrap_or(Timestamp::MAX);
                match Duration::try_from(landed.duration_since(now)) {
                    Ok(left) if !left.is_zero() => Telling::Later(left),
                    // To write it over once more leaves what writing it over once leaves.
                    Ok(_) | Err(_) => instead_of.clone().map_or(Telling::Look, Telling::Rewrite),
                }
            }
        }
    }

    /// What follows from a look for the note. One that an earlier death has left is written over; two looks a settle time
    /// apart that find none prove that there is none.
    #[must_use]
    pub fn looked(&self, found: Option<NoteId>, read_at: Timestamp) -> Self {
        let mut after = self.clone();
        let Self::Due {
            instead_of, write, ..
        } = &mut after
        else {
            return after;
        };
        let Write::Intended(intent) = write else {
            return after;
        };
        match (found, intent.epoch, intent.absent_at) {
            (Some(note), 0, _) => {
                *instead_of = Some(note);
                *write = Write::Open;
            }
            (Some(note), _, _) => return Self::Told { note, at: read_at },
            (None, _, None) => intent.absent_at = Some(read_at),
            (None, _, Some(_)) => *write = Write::Open,
        }
        after
    }

    /// A call is about to be sent.
    pub fn intends(&mut self, intent: Intent) {
        self.has(Write::Intended(intent));
    }

    /// What is known of the write now.
    pub fn has(&mut self, now_known: Write<NoteId>) {
        if let Self::Due { write, .. } = self {
            *write = now_known;
        }
    }

    /// Its call was over at this time, and what became of it is not known.
    pub fn ended_in_doubt(&mut self, now: Timestamp) {
        if let Self::Due { write, .. } = self {
            write.ends_at(now);
        }
    }

    /// Counts one more try, and says how many there were before.
    pub fn put_off(&mut self) -> u32 {
        match self {
            Self::Due { tries, .. } => {
                let before = *tries;
                *tries = before.saturating_add(1);
                before
            }
            Self::Nobody | Self::Told { .. } | Self::NotTold { .. } | Self::HandedOn => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const BOUNDS: TellingBounds = TellingBounds {
        settle: Duration::from_secs(5),
        expires_after: Duration::from_secs(86_400),
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn note(id: &str) -> NoteId {
        NoteId::parse(id).unwrap()
    }

    fn next(notice: &Notice, second: i64) -> Telling {
        notice.next(false, false, at(0), at(second), &BOUNDS)
    }

    fn sent(notice: &Notice, deadline: i64) -> Notice {
        let mut sent = notice.clone();
        sent.intends(Intent {
            epoch: 3,
            deadline: at(deadline),
            absent_at: None,
        });
        sent
    }

    #[test]
    fn a_call_in_doubt_is_looked_behind_twice_before_it_is_sent_again() {
        let notice = Notice::due(None, false);
        assert_eq!(next(&notice, 1), Telling::Write);
        let mut sent = sent(&notice, 20);
        assert_eq!(next(&sent, 2), Telling::Later(Duration::from_secs(23)));
        sent.ended_in_doubt(at(10));
        assert_eq!(next(&sent, 11), Telling::Later(Duration::from_secs(4)));
        assert_eq!(next(&sent, 15), Telling::Look);
        let once = sent.looked(None, at(15));
        assert_eq!(next(&once, 16), Telling::Later(Duration::from_secs(4)));
        assert_eq!(next(&once, 20), Telling::Look);
        assert_eq!(next(&once.looked(None, at(20)), 20), Telling::Write);
        let told = Notice::Told {
            note: note("P1"),
            at: at(20),
        };
        assert_eq!(once.looked(Some(note("P1")), at(20)), told);
        assert_eq!(next(&told, 30), Telling::Over);
    }

    #[test]
    fn the_note_of_an_earlier_death_is_written_over_and_looked_for_where_it_is_not_known() {
        let known = FailureNote {
            note: Some(note("P1")),
            in_doubt_until: None,
        };
        let notice = Notice::due(Some(&known), true);
        assert_eq!(next(&notice, 1), Telling::Rewrite(note("P1")));
        // To write it over once more is safe, once the first cannot land any more.
        let in_doubt = sent(&notice, 20);
        assert_eq!(next(&in_doubt, 25), Telling::Rewrite(note("P1")));
        let unknown = Notice::due(None, true);
        assert_eq!(next(&unknown, 1), Telling::Look);
        let found = unknown.looked(Some(note("P1")), at(1));
        assert_eq!(next(&found, 1), Telling::Rewrite(note("P1")));
        let in_doubt = Notice::due(
            Some(&FailureNote {
                note: None,
                in_doubt_until: Some(at(10)),
            }),
            true,
        );
        assert_eq!(next(&in_doubt, 12), Telling::Later(Duration::from_secs(3)));
        assert_eq!(next(&in_doubt, 15), Telling::Look);
    }

    #[test]
    fn what_may_yet_succeed_is_waited_for_and_what_has_is_not_told() {
        let notice = Notice::due(None, false);
        let of =
            |open, ended_well, second| notice.next(open, ended_well, at(0), at(second), &BOUNDS);
        assert_eq!(of(true, false, 4_000), Telling::Later(LOOK_AGAIN));
        assert_eq!(of(false, false, 10), Telling::Write);
        let given_up = |telling, in_doubt| match telling {
            Telling::NotTold { doubt, .. } => doubt == in_doubt,
            Telling::Over
            | Telling::Later(_)
            | Telling::Look
            | Telling::Write
            | Telling::Rewrite(_) => false,
        };
        assert!(given_up(of(false, true, 10), false));
        assert!(given_up(of(true, false, 86_400), false));
        assert!(given_up(of(false, false, 86_400), false));
        assert!(given_up(next(&sent(&notice, 20), 86_400), true));
    }

    #[test]
    fn a_replay_hears_of_every_note_that_may_be_there() {
        assert_eq!(Notice::due(None, false).carried(), None);
        assert_eq!(Notice::Nobody.carried(), None);
        let told = Notice::Told {
            note: note("P1"),
            at: at(1),
        };
        assert_eq!(told.carried().unwrap().note, Some(note("P1")));
        let carried = sent(&Notice::due(None, false), 20).carried().unwrap();
        assert_eq!((carried.note, carried.in_doubt_until), (None, Some(at(20))));
        let not_told = |doubt| Notice::NotTold {
            why: String::new(),
            at: at(9),
            doubt,
        };
        assert_eq!(not_told(false).carried(), None);
        assert_eq!(
            not_told(true).carried().unwrap().in_doubt_until,
            Some(at(9))
        );
    }
}
