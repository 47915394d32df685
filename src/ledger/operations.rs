//! The operations that are written once for both databases: what each asks and answers, and how each database comes to do it.
//! A list for each subject, from which its trait and the implementations are made, since all that differs between these is who
//! begins the transaction.

use async_trait::async_trait;
use std::time::Duration;

use super::gauges::{self, Sizes, Standing};
use super::letters::{
    self, Discarded, Driving, Edited, EditedCopy, EntryOutcome, Ground, Keeping, Letter,
    LetterFilter, LetterGroup, Mark, Marked, NewReplay, NoticeTask, Replay, ReplayEntry, Selection,
    Staged,
};
use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::watched::Watched;
use super::{Entered, Error};
use crate::crash::around;
use crate::escalation::{Cobrowse, ConversationId, DeadLetter, DeadLetterId, Notice};

/// `"words"`: the operation changes something, and this is what its crash points are called. `none`: it only reads, or its
/// turn comes by the clock, and a crash point would change which one comes when.
macro_rules! crash_point {
    (none, $work:expr) => {
        $work
    };
    ($words:literal, $work:expr) => {
        around($words, $work)
    };
}

macro_rules! operations {
    ($(#[$about:meta])* trait $Trait:ident, asked through $subject:ident;
     $($(#[$doc:meta])* fn $name:ident($($argument:ident: $kind:ty),*) -> $answer:ty, $point:tt;)*) => {
        $(#[$about])*
        #[async_trait]
        pub trait $Trait: Send + Sync + 'static {
            $($(#[$doc])* async fn $name(&self, $($argument: $kind),*) -> Result<$answer, Error>;)*
        }

        #[async_trait]
        impl $Trait for Sqlite {
            $(async fn $name(&self, $($argument: $kind),*) -> Result<$answer, Error> {
                self.at_desk(async move |desk| $subject::$name(desk, $($argument),*).await).await
            })*
        }

        #[async_trait]
        impl $Trait for Postgres {
            $(async fn $name(&self, $($argument: $kind),*) -> Result<$answer, Error> {
                self.at_desk(move |desk| Box::pin($subject::$name(desk, $($argument),*))).await
            })*
        }

        #[async_trait]
        impl $Trait for Watched {
            $(async fn $name(&self, $($argument: $kind),*) -> Result<$answer, Error> {
                let work = self.inner().$subject().$name($($argument),*);
                self.watch(stringify!($name), None, crash_point!($point, work)).await
            })*
        }
    };
}

operations! {
    /// What the ledger knows of dead letters and replays, and what can be done to them.
    ///
    /// Every operation is one transaction, durable when it returns `Ok`, and may be repeated after an error: see
    /// the module [`letters`].
    trait Letters, asked through letters;

    /// Keeps a letter, once: however often it comes, it is one row.
    fn keep(letter: DeadLetter) -> Keeping, "keeping a dead letter";
    /// Letters, those that died last first.
    fn list_letters(filter: LetterFilter) -> Vec<Letter>, none;
    /// How many letters fit; the filter's place and limit do not count.
    fn count_letters(filter: LetterFilter) -> u64, none;
    /// Letters by code and theme, the largest group first.
    fn groups(filter: LetterFilter) -> Vec<LetterGroup>, none;
    /// One letter.
    fn letter(id: DeadLetterId) -> Option<Letter>, none;
    /// A letter, and all that a replay of it would stand on.
    fn ground(id: DeadLetterId) -> Option<Ground>, none;
    /// What is known of a conversation's session.
    fn cobrowse_of(conversation: ConversationId) -> Option<Cobrowse>, none;
    /// Closes what fits, is open, and is in no replay.
    fn discard(selection: Selection) -> Discarded, "a discard";
    /// Puts a corrected copy in a letter's place.
    fn edit(copy: EditedCopy) -> Edited, "an edit";
    /// Begins a replay; a second time with the same id changes nothing.
    fn begin_replay(new: NewReplay) -> Replay, "beginning a replay";
    /// Makes letters a replay's, each with an entry of its own.
    fn mark(replay: String, marks: Vec<Mark>) -> Marked, "marking letters";
    /// Every letter that was chosen for a replay has its entry.
    fn all_marked(replay: String) -> (), "ending the marking";
    /// A replay.
    fn replay(id: String) -> Option<Replay>, none;
    /// Replays, the newest first.
    fn replays(limit: u32) -> Vec<Replay>, none;
    /// Entries of a replay in their order, behind this number; all, or those that are not over.
    fn replay_entries(replay: String, undone: bool, behind: u64, limit: u32) -> Vec<ReplayEntry>, none;
    /// Says that this driver drives a replay for so long; no time at all gives it up.
    fn drive_replay(replay: String, driver: String, lease: Duration) -> Driving, "driving a replay";
    /// Opens the escalation of an entry again, once, and says what is to be published.
    fn stage(replay: String, number: u64) -> Staged, "staging an entry";
    /// Ends an entry.
    fn settle(replay: String, number: u64, outcome: EntryOutcome, detail: String) -> (), "settling an entry";
    /// Tells a replay to stop. `None`: there is no such one.
    fn cancel_replay(replay: String, entered: Entered) -> Option<Replay>, "cancelling a replay";
    /// Ends a replay, if nothing of it is left to do; says what it is now.
    fn end_replay(replay: String) -> Option<Replay>, "ending a replay";
    /// Takes the incident that has to be told next of a death; somebody else does, should nothing be recorded for so long.
    fn take_notice(lease: Duration) -> Option<NoticeTask>, none;
    /// Records what is known of a notice, for whoever took it under this number.
    fn record_notice(letter: DeadLetterId, epoch: u64, notice: Notice, again_in: Option<Duration>) -> (), "recording a notice";
}

operations! {
    /// How things stand, in numbers. Only read.
    trait Gauges, asked through gauges;

    /// What is open, by what it waits for; dead letters, replays, budgets. For every few seconds.
    fn standing() -> Standing, none;
    /// How large it is: for once a minute, since all of it is counted.
    fn sizes() -> Sizes, none;
}
