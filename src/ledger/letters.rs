//! Dead letters and their replays, as the ledger keeps them.
//!
//! A letter is one row for as long as it is of interest: *open* until it is replayed, discarded or exchanged, *claimed* in
//! between by one replay. A replay is a list of entries, one a letter, and each goes its way by itself:
//!
//! ```text
//!   marked ──▶ staged ──▶ over          marked: the letter is this replay's, nothing has happened
//!      └──────────────────▶             staged: the escalation is open again; its message may be in a queue or not
//!                                       over:   the letter is closed, or open again and nobody's
//! ```
//!
//! Every step is one transaction, and may be repeated: whoever finds an entry in a state goes on from there.

mod closing;
mod keeping;
mod listing;
mod notices;
mod replays;
mod rows;
mod staging;
mod types;

pub use staging::{Again, Outlook, outlook};
pub use types::{
    Closed, Closing, Discarded, Driving, Edited, EntryOutcome, EntryStage, Ground, Keeping,
    LetterCursor, LetterFilter, LetterGroup, LetterState, Mark, Marked, NewReplay, NoticeTask,
    Replay, ReplayCounts, ReplayEntry, ReplayState, Selection, Staged,
};
pub use types::{Copy as EditedCopy, Letter};

pub(super) use closing::{discard, edit, forget};
pub(super) use keeping::keep;
pub(super) use listing::{cobrowse_of, count_letters, ground, groups, letter, list_letters};
pub(super) use notices::{record_notice, take_notice};
pub(super) use replays::{
    all_marked, begin_replay, cancel_replay, drive_replay, end_replay, mark, replay,
    replay_entries, replays,
};
pub(super) use staging::{settle, stage};

/// What must never go through a table, for the test that looks at its plan.
#[cfg(test)]
pub(super) fn asked_often() -> Vec<String> {
    let some = |filter: LetterFilter| listing::letters_sql(&filter).0;
    let incident = crate::escalation::IncidentId::parse("Q1").ok();
    let conversation = crate::escalation::ConversationId::parse("c1").ok();
    let code = Some(crate::escalation::Code::NoAlert);
    let state = LetterState::Any;
    vec![
        some(LetterFilter::default()),
        some(LetterFilter {
            code,
            ..LetterFilter::default()
        }),
        some(LetterFilter {
            incident,
            state,
            ..LetterFilter::default()
        }),
        some(LetterFilter {
            conversation,
            state,
            ..LetterFilter::default()
        }),
        notices::NEXT.to_owned(),
        closing::OLD_LETTERS.to_owned(),
        closing::OLD_REPLAYS.to_owned(),
        replays::COUNTS.to_owned(),
        replays::ENTRIES.to_owned(),
        replays::UNDONE.to_owned(),
        staging::ENTRY.to_owned(),
    ]
}
