//! The key: what makes two messages mean the same work.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

use super::ids::IncidentId;
use super::message::Trigger;

/// What an escalation is known by: the incident and the generation, never the delivery.
///
/// The same incident reaches us as webhook, as webhook again, as redelivery and by hand; all of them must meet in
/// one row of the ledger. Text form `INCIDENT/0` for the first generation, `INCIDENT/EVENT` for a reopened one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// The key that a trigger names by itself. [`Trigger::Current`] names none: the ledger knows which generation is
    /// running, and the first is only what it means where there is none.
    #[must_use]
    pub fn of(incident: &IncidentId, trigger: &Trigger) -> Self {
        match trigger {
            Trigger::First | Trigger::Current => Self(format!("{incident}/0")),
            Trigger::Reopened { event } => Self(format!("{incident}/{event}")),
        }
    }

    /// The key of bytes that no incident's id could be read from. Never in the ledger's table of escalations.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut digest = hex::encode(Sha256::digest(bytes));
        digest.truncate(16);
        Self(format!("unreadable/{digest}"))
    }

    /// Takes a key back from the ledger, which only ever holds keys that were made by [`Key::of`].
    #[must_use]
    pub fn from_ledger(text: String) -> Self {
        Self(text)
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the incident: `0` for the first generation, else the event that reopened it.
    #[must_use]
    pub fn generation(&self) -> &str {
        self.0
            .split_once('/')
            .map_or("", |(_, generation)| generation)
    }

    /// Sixteen hex digits that stand for this key and a purpose; the same in every process and every version.
    #[must_use]
    pub fn digest(&self, purpose: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(self.0.as_bytes());
        hash.update([0]);
        hash.update(purpose.as_bytes());
        let mut text = hex::encode(hash.finalize());
        text.truncate(16);
        text
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::escalation::EventId;

    #[test]
    fn two_generations_of_one_incident_have_two_keys() {
        let incident = IncidentId::parse("Q1").unwrap();
        let event = EventId::parse("01X").unwrap();
        let first = Key::of(&incident, &Trigger::First);
        let second = Key::of(&incident, &Trigger::Reopened { event });
        assert_ne!(first, second);
        assert_eq!((first.generation(), second.generation()), ("0", "01X"));
        assert_ne!(first.digest("note"), second.digest("note"));
        assert_ne!(first.digest("note"), first.digest("failure"));
    }
}
