//! Which contract the other side speaks: set, or found out by reading.

use serde::Deserialize;
use serde::de::IgnoredAny;
use std::sync::{Mutex, PoisonError};

use super::super::http::Reply;
use crate::escalation::{Contract, Finding};

/// How the contract is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// By the settings.
    Set(Contract),
    /// By looking.
    Auto,
}

/// What is known in this process. Everything that is learned here is agreed on with the others through the ledger.
#[derive(Debug)]
pub(super) struct Known {
    speaks: Speaks,
    finding: Mutex<Option<Finding>>,
}

impl Known {
    pub(super) fn new(speaks: Speaks) -> Self {
        Self {
            speaks,
            finding: Mutex::new(None),
        }
    }

    pub(super) fn speaks(&self) -> Speaks {
        self.speaks
    }

    /// What is known, under the contract in force.
    pub(super) fn finding(&self) -> Option<Finding> {
        let known = *self.lock();
        match self.speaks {
            Speaks::Auto => known,
            Speaks::Set(contract) => known.filter(|known| known.contract == contract),
        }
    }

    pub(super) fn agree(&self, finding: Finding) {
        *self.lock() = Some(finding);
    }

    /// The contract in force, once there is one.
    pub(super) fn contract(&self) -> Option<Contract> {
        match self.speaks {
            Speaks::Set(contract) => Some(contract),
            Speaks::Auto => self.finding().map(|known| known.contract),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Finding>> {
        self.finding.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By which contract a conversation answered. `media` and `state` stand at its top under `sessions` only, `participants`
/// always. `None`: it is no conversation, whatever it is, and decides nothing.
pub(super) fn contract_of(reply: &Reply) -> Option<Contract> {
    let body: Looks = reply.json().ok()?;
    match (body.media.or(body.state), body.participants) {
        (Some(_), _) => Some(Contract::Sessions),
        (None, Some(_)) => Some(Contract::Conversation),
        (None, None) => None,
    }
}

/// What stands at the top of a conversation, whatever it holds.
#[derive(Deserialize)]
struct Looks {
    #[serde(default)]
    media: Option<IgnoredAny>,
    #[serde(default)]
    state: Option<IgnoredAny>,
    #[serde(default)]
    participants: Option<IgnoredAny>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use reqwest::{StatusCode, header::HeaderMap};

    #[test]
    fn only_what_is_a_conversation_decides() {
        for (body, contract) in [
            (
                r#"{"participants":[],"media":[]}"#,
                Some(Contract::Sessions),
            ),
            (
                r#"{"participants":[],"state":"active"}"#,
                Some(Contract::Sessions),
            ),
            (
                r#"{"participants":[],"state":null,"media":null}"#,
                Some(Contract::Conversation),
            ),
            (r#"{"participants":[]}"#, Some(Contract::Conversation)),
            ("{}", None),
            ("[]", None),
            ("<html>", None),
        ] {
            let reply = Reply {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                body: Bytes::from_static(body.as_bytes()),
            };
            assert_eq!(contract_of(&reply), contract, "{body}");
        }
    }
}
