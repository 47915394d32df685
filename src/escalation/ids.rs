//! Identifiers, each a type of its own, valid once it exists.
//!
//! All of them come from somebody else and are opaque: PagerDuty's event ids alone come in three shapes. What is
//! checked is only what we rely on: that an id is short, printable, and can stand in a URL path or a log line
//! without being escaped and without changing where the URL points.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest identifier that is taken. Genesys' and PagerDuty's own have at most 38 characters.
const MAX_LENGTH: usize = 128;

/// Says which kind of identifier was refused, never its content beyond the length: the sender controls it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a valid {kind}: expected 1 to {MAX_LENGTH} letters, digits, '-' or '_', got {length} bytes"
)]
pub struct InvalidId {
    kind: &'static str,
    length: usize,
}

fn check(kind: &'static str, text: &str) -> Result<(), InvalidId> {
    let fits = !text.is_empty()
        && text.len() <= MAX_LENGTH
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits {
        Ok(())
    } else {
        Err(InvalidId {
            kind,
            length: text.len(),
        })
    }
}

macro_rules! opaque_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes a text that somebody else sent.
            ///
            /// # Errors
            /// When it is empty, too long, or holds anything but ASCII letters, digits, `-` and `_`.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                check($kind, text).map(|()| Self(text.to_owned()))
            }

            /// The identifier as text; safe in a URL path.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                check($kind, &text).map(|()| Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

opaque_id!(
    /// A PagerDuty incident, e.g. `Q2CKYRLH85UNN4`.
    IncidentId,
    "incident id"
);
opaque_id!(
    /// A PagerDuty webhook event: a 26-character ULID-like text, a UUID, or a 38-digit number.
    EventId,
    "event id"
);
opaque_id!(
    /// A PagerDuty service.
    ServiceId,
    "service id"
);
opaque_id!(
    /// A note in a PagerDuty incident.
    NoteId,
    "note id"
);
opaque_id!(
    /// A PagerDuty webhook subscription.
    SubscriptionId,
    "subscription id"
);
opaque_id!(
    /// A Genesys Cloud conversation (a UUID, but nothing here depends on that).
    ConversationId,
    "conversation id"
);
opaque_id!(
    /// A Genesys Cloud *user* who works as an agent. Not the id of a participant.
    AgentId,
    "agent id"
);
opaque_id!(
    /// A cobrowse session.
    SessionId,
    "session id"
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_id_that_could_leave_its_place_in_a_url_is_refused() {
        for bad in ["", ".", "..", "a/b", "a?b", "a b", "a%2fb", "ä", "a\n"] {
            assert!(ConversationId::parse(bad).is_err(), "{bad:?}");
        }
        assert!(IncidentId::parse(&"x".repeat(129)).is_err());
    }

    #[test]
    fn every_documented_shape_of_an_event_id_is_taken() {
        for good in [
            "01BZYK8N47N5JG55J1EEEHPEJI",
            "5ac64822-4adc-4fda-ade0-410becf0de4f",
            "12345678901234567890123456789012345678",
        ] {
            assert!(EventId::parse(good).is_ok());
        }
    }

    #[test]
    fn the_refusal_does_not_repeat_what_was_sent() {
        let error = AgentId::parse("<script>").unwrap_err().to_string();
        assert!(!error.contains("script"), "{error}");
    }

    #[test]
    fn a_deserialised_id_is_checked_too() {
        assert!(serde_json::from_str::<IncidentId>("\"../x\"").is_err());
    }
}
