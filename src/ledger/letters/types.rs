//! What is asked about letters and replays, and what is heard.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::escalation::{
    Code, ConversationId, DeadLetter, DeadLetterId, IncidentId, Key, Message, Notice, ServiceId,
};
use crate::ledger::{Entered, Known, State};

/// A dead letter in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// The letter. Its history is empty where the ledger has the escalation's own.
    pub letter: DeadLetter,
    /// The incident it is about, where one is known.
    pub incident: Option<IncidentId>,
    /// The conversation, where one is known.
    pub conversation: Option<ConversationId>,
    /// When it was taken from the queue.
    pub kept_at: Timestamp,
    /// Which replay has it, while one has.
    pub claimed_by: Option<String>,
    /// How it was closed, if it was.
    pub closed: Option<Closed>,
    /// Whether the incident was told.
    pub notice: Notice,
}

impl Letter {
    /// Its place in the list.
    #[must_use]
    pub fn cursor(&self) -> LetterCursor {
        LetterCursor {
            died_at: self.letter.died_at,
            id: self.letter.id.clone(),
        }
    }
}

/// How a letter was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// What was done with it.
    pub how: Closing,
    /// When.
    pub at: Timestamp,
    /// By whom: an operator, or a replay.
    pub by: String,
    /// Why, or what came of it, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The letter that stands in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<DeadLetterId>,
}

/// What was done with a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// Its escalation was begun anew.
    Replayed,
    /// There was nothing to do: its escalation had ended well, or a newer letter speaks of it.
    NothingToDo,
    /// An operator has decided that nothing will be done.
    Discarded,
    /// A corrected copy stands in its place.
    Edited,
}

impl Closing {
    /// The name used in listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replayed => "replayed",
            Self::NothingToDo => "nothing_to_do",
            Self::Discarded => "discarded",
            Self::Edited => "edited",
        }
    }
}

/// What became of a letter that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// It is kept.
    Kept,
    /// It was there already.
    Known,
    /// It takes the place of one that knew less.
    Replaced,
    /// It is kept, and closed: its escalation had ended well.
    Closed,
}

/// Which letters are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LetterState {
    /// Those that wait for a person.
    #[default]
    Open,
    /// Those that do not any more.
    Closed,
    /// All.
    Any,
}

/// Which letters. Every part that is there has to fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LetterFilter {
    /// In which state.
    pub state: LetterState,
    /// Exactly these; empty: whichever.
    pub ids: Vec<DeadLetterId>,
    /// Only those of this code.
    pub code: Option<Code>,
    /// Only those of this incident.
    pub incident: Option<IncidentId>,
    /// Only those of this service.
    pub service: Option<ServiceId>,
    /// Only those about this conversation.
    pub conversation: Option<ConversationId>,
    /// Only those whose reason has this theme: see [`DeadLetter::theme`].
    pub theme: Option<String>,
    /// Only those that died then or later.
    pub since: Option<Timestamp>,
    /// Only those that died before.
    pub before: Option<Timestamp>,
    /// Only those that come after this one in the order of the list.
    pub after: Option<LetterCursor>,
    /// At most so many.
    pub limit: u32,
}

/// A place in the list: newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterCursor {
    /// When the letter there was written.
    pub died_at: Timestamp,
    /// The letter.
    pub id: DeadLetterId,
}

/// Letters of one code and one theme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterGroup {
    /// The code.
    pub code: Code,
    /// What their reasons have in common.
    pub theme: String,
    /// How many.
    pub count: u64,
    /// When the first of them died.
    pub oldest: Timestamp,
    /// When the last of them did.
    pub newest: Timestamp,
}

/// Which letters a command is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// These.
    pub filter: LetterFilter,
    /// Who does it, and why; its line of the audit gets the result.
    pub entered: Entered,
}

/// What a discard did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discarded {
    /// So many were closed.
    pub closed: u64,
    /// So many are in a replay, and were left.
    pub claimed: u64,
}

/// A corrected copy of a letter, to stand in its place.
#[derive(Debug, Clone)]
pub struct Copy {
    /// The letter to be exchanged.
    pub original: DeadLetterId,
    /// The message as it should have been. Its cycle is the ledger's to say.
    pub message: Message,
    /// Who does it, and why.
    pub entered: Entered,
}

/// What came of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edited {
    /// The copy has this id.
    Done(DeadLetterId),
    /// It was not done, for this reason.
    Refused(String),
}

/// What a replay would stand on: all that the ledger knows of a letter's escalation.
#[derive(Debug, Clone, PartialEq)]
pub struct Ground {
    /// The letter.
    pub letter: Letter,
    /// Its escalation, if the ledger has one.
    pub escalation: Option<Known>,
    /// Why that cannot be read, where it cannot.
    pub unreadable: Option<String>,
    /// In which cycle that is.
    pub cycle: u32,
}

/// A replay before it begins.
#[derive(Debug, Clone)]
pub struct NewReplay {
    /// Its id; made by who begins it, so that to begin twice is to begin once.
    pub id: String,
    /// Which letters, in words.
    pub what: String,
    /// How many a minute at most.
    pub per_minute: u32,
    /// Who, and why.
    pub entered: Entered,
}

/// A replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Its id.
    pub id: String,
    /// Which letters, in words.
    pub what: String,
    /// Where it is.
    pub state: ReplayState,
    /// Who began it, and why.
    pub entered: Entered,
    /// How many a minute at most.
    pub per_minute: u32,
    /// Every letter that was chosen has its entry. Where its beginning was cut off, some have none, and are as they were.
    pub marked: bool,
    /// When.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Who drives it, and for how long yet without being heard of.
    pub driver: Option<(String, Duration)>,
    /// Its entries.
    pub counts: ReplayCounts,
}

/// Where a replay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayState {
    /// Somebody drives it, or has to.
    Running,
    /// It was told to stop: what is staged is published, what is marked is let go.
    Cancelling,
    /// Every entry is over.
    Done,
    /// The same, and some were let go.
    Cancelled,
}

impl ReplayState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Running, Self::Cancelling, Self::Done, Self::Cancelled];

    /// The name in the ledger and in listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Cancelling => "cancelling",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing happens to it any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        match self {
            Self::Running | Self::Cancelling => false,
            Self::Done | Self::Cancelled => true,
        }
    }
}

/// How many entries of a replay are where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplayCounts {
    /// Not begun.
    pub marked: u64,
    /// Open again, and not certainly published.
    pub staged: u64,
    /// Begun anew.
    pub replayed: u64,
    /// Had nothing to do.
    pub nothing: u64,
    /// Refused.
    pub refused: u64,
    /// Let go by a cancellation.
    pub let_go: u64,
}

impl ReplayCounts {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.left() + self.over()
    }

    /// Those that are not over.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.marked + self.staged
    }

    /// Those that are.
    #[must_use]
    pub fn over(&self) -> u64 {
        self.replayed + self.nothing + self.refused + self.let_go
    }

    /// What came of it, for the audit and for people.
    #[must_use]
    pub fn in_words(&self) -> String {
        let parts = [
            (self.replayed, "replayed"),
            (self.nothing, "had nothing to do"),
            (self.refused, "refused"),
            (self.let_go, "let go"),
            (self.left(), "not done yet"),
        ];
        let parts: Vec<_> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        match parts.is_empty() {
            true => "no letter".to_owned(),
            false => parts.join(", "),
        }
    }
}

/// A letter to be put into a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The letter.
    pub letter: DeadLetterId,
    /// What a plan said of it: a text that whoever drives the replay understands.
    pub expects: Option<String>,
}

/// What came of marking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marked {
    /// So many are this replay's.
    pub taken: u64,
    /// So many are not to be had; each has an entry that says why.
    pub refused: u64,
}

/// Where an entry of a replay is; see the page of [`letters`](super).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryStage {
    /// The letter is this replay's.
    Marked,
    /// The escalation is open again.
    Staged,
    /// Nothing more is done.
    Over,
}

impl EntryStage {
    /// The name in the ledger and in listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Marked => "marked",
            Self::Staged => "staged",
            Self::Over => "over",
        }
    }
}

/// What came of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryOutcome {
    /// The broker has its message; the letter is closed.
    Replayed,
    /// There was nothing to do; the letter is closed.
    NothingToDo,
    /// Nothing was done, and the letter is open.
    Refused,
    /// The replay was cancelled before it; the letter is open.
    LetGo,
}

impl EntryOutcome {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Replayed,
        Self::NothingToDo,
        Self::Refused,
        Self::LetGo,
    ];

    /// The name in the ledger and in listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replayed => "replayed",
            Self::NothingToDo => "nothing_to_do",
            Self::Refused => "refused",
            Self::LetGo => "let_go",
        }
    }
}

/// An entry of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayEntry {
    /// Its number, from 1.
    pub number: u64,
    /// The letter.
    pub letter: DeadLetterId,
    /// What a plan said of it.
    pub expects: Option<String>,
    /// Where it is.
    pub stage: EntryStage,
    /// What came of it, once it is over.
    pub outcome: Option<EntryOutcome>,
    /// The same in words.
    pub detail: Option<String>,
}

/// The answer to staging an entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Staged {
    /// The escalation is open again: publish this message, then settle the entry. Said again as often as it is asked.
    Publish(Box<Message>),
    /// There is nothing to publish: settle it with this.
    Nothing(String),
    /// It must not be: settle it with this.
    Refused(String),
    /// It is over already.
    Over,
}

/// Whether one may drive a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Driving {
    /// One does, and this is the replay now.
    Yes(Box<Replay>),
    /// Another one does.
    Busy(String),
    /// There is no such replay.
    Unknown,
}

/// An incident to be told of a death.
#[derive(Debug, Clone, PartialEq)]
pub struct NoticeTask {
    /// The letter.
    pub letter: Letter,
    /// The task's number; only ever grows. What is recorded names it.
    pub epoch: u64,
    /// Where the escalation is now, if the ledger has it.
    pub escalation: Option<(State, bool)>,
    /// Its key.
    pub key: Option<Key>,
}
