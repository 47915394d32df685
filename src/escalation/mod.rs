//! The domain: what an escalation is, what it knows, and what has to be done next.
//!
//! Everything in here is pure. No clock, no randomness, no socket, no SQL: time, delays and seeds come in as
//! values, effects go out as values. That is what lets one list of rules serve the worker, the tests and a model.

mod cobrowse;
mod code;
mod contract;
mod conversation;
mod dead_letter;
mod decide;
mod history;
mod ids;
pub mod invariant;
mod key;
mod lane;
mod message;
mod note;
mod notice;
mod progress;
mod retry;
mod session_link;
mod update;

pub use cobrowse::Cobrowse;
pub use code::{Cause, Code, Ending, Page, pages_as_markdown};
pub use contract::{Contract, Finding};
pub use conversation::{Agent, AgentSeen, Conversation, LiveCobrowse, choose_agent};
pub use dead_letter::{DeadLetter, DeadLetterId, Origin as DeadLetterOrigin};
pub use decide::{Action, Bounds, Call, NoteLook, Situation, Survey, decide, in_doubt_since};
pub use history::{Entry, EntryKind};
pub use ids::{
    AgentId, ConversationId, EventId, IncidentId, InvalidId, NoteId, ServiceId, SessionId,
    SubscriptionId,
};
pub use key::Key;
pub use lane::Lane;
pub use message::{Event, Message, Origin, Start, Task, Trigger, Undecodable};
pub use note::{FailureText, Marker, NoteContent, NoteStyle, NoteText, Outcome as NoteOutcome};
pub use notice::{Notice, Telling, TellingBounds};
pub use progress::{Context, End, FailureNote, GaveUp, Intent, Offer, Progress, Step, Write};
pub use retry::{Cost, Setback, Wait};
pub use session_link::SessionLink;
pub use update::Update;
