//! The dead letter: what is left of an escalation that was given up, readable on its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

use super::code::Code;
use super::history::Entry;
use super::key::Key;
use super::message::Message;

const VERSION: u32 = 1;

/// How much history travels with a dead letter. The ledger has all of it.
const MAX_HISTORY: usize = 50;

/// What a dead letter is known by. Made from the key and the replay cycle (or from the bytes, where no key could be
/// read), so that it is known before the letter is written and the same letter published twice is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeadLetterId(String);

impl DeadLetterId {
    /// The id of the letter that this escalation leaves in this replay cycle.
    #[must_use]
    pub fn of(key: &Key, cycle: u32) -> Self {
        Self(format!("dl-{}", key.digest(&format!("dead/{cycle}"))))
    }

    /// The id of a letter that consists of bytes nobody could read.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(format!("dl-{}", Key::of_bytes(bytes).digest("dead/0")))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeadLetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a dead letter comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The ingress could not understand a genuine webhook.
    Ingress,
    /// A worker gave up.
    Worker,
}

/// A message of the queue `escalations.dead`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    version: u32,
    /// Its id.
    pub id: DeadLetterId,
    /// Why.
    pub code: Code,
    /// Why, in words.
    pub reason: String,
    /// What to do.
    pub hint: String,
    /// Who wrote it.
    pub origin: Origin,
    /// When.
    pub died_at: Timestamp,
    /// How many attempts were spent.
    pub attempts: u32,
    /// The escalation; where none could be named, the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// The message, to be replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// The bytes, where no message could be read from them; Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// What happened on the way, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Entry>,
}

impl DeadLetter {
    /// The letter of an escalation that a worker gave up.
    #[must_use]
    #[allow(
        clippy::too_many_arguments,
        reason = "each is one column of the letter; a builder would only rename them"
    )]
    pub fn of_escalation(
        key: Key,
        cycle: u32,
        message: Message,
        code: Code,
        reason: String,
        attempts: u32,
        died_at: Timestamp,
        mut history: Vec<Entry>,
    ) -> Self {
        let surplus = history.len().saturating_sub(MAX_HISTORY);
        history.drain(..surplus);
        Self {
            version: VERSION,
            id: DeadLetterId::of(&key, cycle),
            code,
            reason,
            hint: code.hint().to_owned(),
            origin: Origin::Worker,
            died_at,
            attempts,
            key: Some(key),
            message: Some(message),
            raw: None,
            history,
        }
    }

    /// The letter of bytes that could not be read.
    #[must_use]
    pub fn of_bytes(
        bytes: &[u8],
        code: Code,
        reason: String,
        origin: Origin,
        died_at: Timestamp,
    ) -> Self {
        Self {
            version: VERSION,
            id: DeadLetterId::of_bytes(bytes),
            code,
            reason,
            hint: code.hint().to_owned(),
            origin,
            died_at,
            attempts: 0,
            key: Some(Key::of_bytes(bytes)),
            message: None,
            raw: Some(STANDARD.encode(bytes)),
            history: Vec::new(),
        }
    }

    /// The bytes that travel.
    ///
    /// # Errors
    /// None in practice: every field is text, a number or a map with text keys.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}
