//! Which contract the other side speaks: set, or found out by reading.

use serde_json::Value;
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
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let has = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    match (has("media") || has("state"), has("participants")) {
        (true, _) => Some(Contract::Sessions),
        (false, true) => Some(Contract::Conversation),
        (false, false) => None,
    }
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
