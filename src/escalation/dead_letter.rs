//! The dead letter: what is left of an escalation that was given up, readable on its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

use super::code::Code;
use super::history::Entry;
use super::key::Key;
use super::message::{Message, Start, Task};

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

    /// Takes an id back from the ledger, which only ever holds ids that were made here.
    #[must_use]
    pub fn from_ledger(text: String) -> Self {
        Self(text)
    }

    /// The id that somebody has written down.
    ///
    /// # Errors
    /// In words, for what cannot be one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("dl-").unwrap_or_default();
        let is_one = digits.len() == 16 && digits.chars().all(|c| c.is_ascii_hexdigit());
        match is_one {
            true => Ok(Self(text.to_owned())),
            false => Err("the id of a dead letter is dl- and sixteen hex digits".to_owned()),
        }
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
    /// The broker moved it there by itself: it was delivered too often.
    Broker,
    /// An operator made it, from another one.
    Operator,
}

impl Origin {
    /// The name used in listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Worker => "worker",
            Self::Broker => "broker",
            Self::Operator => "operator",
        }
    }
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
    /// The letter that this one comes after: the same escalation's of the cycle before, or the one that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<DeadLetterId>,
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
            follows: cycle
                .checked_sub(1)
                .map(|before| DeadLetterId::of(&key, before)),
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
            follows: None,
            history: Vec::new(),
        }
    }

    /// The letter of what the broker moved here by itself, saying `why`: a message that was delivered too often, or bytes.
    #[must_use]
    pub fn of_returned(bytes: &[u8], why: &str, at: Timestamp) -> Self {
        let reason = format!("RabbitMQ gave it up by itself ({why})");
        let Ok(message) = Message::decode(bytes) else {
            let code = Code::MessageUndecodable;
            return Self::of_bytes(bytes, code, reason, Origin::Broker, at);
        };
        let (key, cycle) = match &message.task {
            Task::Start(start) => (Key::of(&message.incident_id, &start.trigger), start.cycle),
            // It has no generation of its own; the bytes tell it from others of the incident.
            Task::Resolved => (Key::of_bytes(bytes), 0),
        };
        let code = Code::DeliveredTooOften;
        let (attempts, history) = (0, Vec::new());
        Self {
            origin: Origin::Broker,
            ..Self::of_escalation(key, cycle, message, code, reason, attempts, at, history)
        }
    }

    /// Reads what came from the queue, or from the ledger.
    ///
    /// # Errors
    /// In words: it is no dead letter of ours, or a newer program's.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if version > VERSION {
            return Err(format!(
                "it has version {version}, this program reads up to {VERSION}: upgrade it"
            ));
        }
        serde_json::from_slice(bytes).map_err(|e| e.to_string())
    }

    /// Which escalation a replay would start, where there is a message to start one with.
    #[must_use]
    pub fn start(&self) -> Option<(&Message, &Start)> {
        let message = self.message.as_ref()?;
        match &message.task {
            Task::Start(start) => Some((message, start)),
            Task::Resolved => None,
        }
    }

    /// The bytes that nobody could read, where it consists of these.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.raw.as_deref()?).ok()
    }

    /// The reason without what is different in each letter: ids, times, counts. Letters of one theme have one cause.
    #[must_use]
    pub fn theme(&self) -> String {
        theme(&self.reason)
    }
}

/// Words that hold a digit are ids, times or counts; a status and a number that ends a word of a code are not.
fn theme(reason: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    // No database keeps a NUL in a text.
    let words_of = |c: char| c.is_whitespace() || c.is_control();
    for word in reason.split(words_of).filter(|word| !word.is_empty()) {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let digits = bare.chars().filter(char::is_ascii_digit).count();
        let is_status = digits == 3 && bare.len() == 3;
        let varies = digits > 0 && !is_status;
        match varies {
            true if words.last() == Some(&"…") => {}
            true => words.push("…"),
            false => words.push(word),
        }
        if words.len() == 40 {
            break;
        }
    }
    words.join(" ")
}

impl DeadLetter {
    /// The bytes that travel.
    ///
    /// # Errors
    /// None in practice: every field is text, a number or a map with text keys.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}

#[cfg(test)]
mod tests {
    use super::theme;

    #[test]
    fn a_theme_is_what_letters_of_one_cause_have_in_common() {
        let reason = |id: &str, correlation: &str| {
            format!(
                "Genesys answered read_conversation with 404 not.found: conversation {id} (correlation id {correlation})"
            )
        };
        let one = theme(&reason("2c9d6f0e-1", "f3ac4404"));
        assert_eq!(one, theme(&reason("77aa-2", "0b1c2d3e")));
        assert_eq!(
            one,
            "Genesys answered read_conversation with 404 not.found: conversation … (correlation id …"
        );
        assert_ne!(
            one,
            theme(&reason("2c9d6f0e-1", "f3ac4404").replace("404", "403"))
        );
    }
}
