//! The two contracts by which Genesys may be spoken to, and what was found out about which one it is.

use serde::{Deserialize, Serialize};

/// A cobrowse contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contract {
    /// A session is created by itself, then attached to the conversation.
    // The default is what records mean that were written before there was a second one.
    #[default]
    Sessions,
    /// The contract that Genesys publishes: one call offers a session in the conversation.
    Conversation,
}

impl Contract {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sessions, Self::Conversation];

    /// The name in settings, logs, metrics and the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Conversation => "conversation",
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Sessions => Self::Conversation,
            Self::Conversation => Self::Sessions,
        }
    }
}

impl std::fmt::Display for Contract {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known of the Genesys behind one OAuth client and address. All workers of a pool share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which contract it speaks.
    pub contract: Contract,
    /// A write under that contract has succeeded. Until then it is what a read looked like.
    #[serde(default)]
    pub confirmed: bool,
    /// A read has shown a session of ours in its conversation. Only then does a read that shows none prove anything; under
    /// `sessions` it always does.
    #[serde(default)]
    pub shows_sessions: bool,
    /// A read has shown a session of ours that somebody had joined. Where that is known, one that is not shown has not been
    /// joined, and an offer that nobody joined runs out.
    #[serde(default)]
    pub shows_joined: bool,
}

impl Finding {
    /// What a read looked like.
    #[must_use]
    pub fn read(contract: Contract) -> Self {
        Self {
            contract,
            confirmed: false,
            shows_sessions: false,
            shows_joined: false,
        }
    }

    /// What is known once this has been learned too. A contract that was only read gives way to one that has worked;
    /// nothing else changes it any more.
    #[must_use]
    pub fn and(self, news: Self) -> Self {
        if self.contract == news.contract {
            return Self {
                contract: self.contract,
                confirmed: self.confirmed || news.confirmed,
                shows_sessions: self.shows_sessions || news.shows_sessions,
                shows_joined: self.shows_joined || news.shows_joined,
            };
        }
        match news.confirmed && !self.confirmed {
            true => news,
            false => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Finding = Finding {
        contract: Contract::Sessions,
        confirmed: false,
        shows_sessions: false,
        shows_joined: false,
    };
    const WORKED: Finding = Finding {
        contract: Contract::Conversation,
        confirmed: true,
        shows_sessions: false,
        shows_joined: false,
    };

    #[test]
    fn what_has_worked_is_believed_more_than_what_was_read() {
        assert_eq!(READ.and(WORKED), WORKED);
        assert_eq!(WORKED.and(READ), WORKED);
    }

    #[test]
    fn nothing_that_was_learned_of_a_contract_is_forgotten() {
        let shown = Finding {
            shows_sessions: true,
            confirmed: false,
            ..WORKED
        };
        let both = Finding {
            shows_sessions: true,
            ..WORKED
        };
        assert_eq!(WORKED.and(shown), both);
        assert_eq!(shown.and(WORKED), both);
        assert_eq!(both.and(Finding::read(Contract::Conversation)), both);
        let joined = Finding {
            shows_joined: true,
            ..WORKED
        };
        let all = Finding {
            shows_joined: true,
            ..both
        };
        assert_eq!(both.and(joined), all);
        assert_eq!(joined.and(both), all);
    }

    #[test]
    fn a_read_does_not_change_what_another_read_has_settled() {
        assert_eq!(READ.and(Finding::read(Contract::Conversation)), READ);
    }
}
