//! What a replay of a letter would do, as far as can be known without doing it.

use serde::{Deserialize, Serialize};

use crate::escalation::{Code, Step};

/// What a replay would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It would go on at this step.
    Resumes {
        /// The first step that writes something, or that has to be waited for.
        at: Step,
    },
    /// It is done already, or there is nothing to do any more.
    Nothing,
    /// It would die again, or cannot be replayed at all.
    Refused {
        /// Of what it would die.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<Code>,
    },
    /// It cannot be found out now.
    Unknown,
}

impl Verdict {
    /// The name used in plans and listings.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Resumes { .. } => "resumes",
            Self::Nothing => "nothing",
            Self::Refused { .. } => "refused",
            Self::Unknown => "unknown",
        }
    }

    /// With what it names.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Resumes { at } => format!("resumes at {}", at.as_str()),
            Self::Nothing => "nothing to do".to_owned(),
            Self::Refused { code: Some(code) } => format!("refused, {code}"),
            Self::Refused { code: None } => "refused".to_owned(),
            Self::Unknown => "unknown".to_owned(),
        }
    }
}

/// A verdict, and what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreseen {
    /// What a replay would do.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Why, or what it would meet, in words.
    pub because: String,
}

impl Foreseen {
    pub(super) fn resumes(at: Step, because: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Resumes { at },
            because: because.into(),
        }
    }

    pub(super) fn nothing(because: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Nothing,
            because: because.into(),
        }
    }

    pub(super) fn refused(code: Option<Code>, because: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Refused { code },
            because: because.into(),
        }
    }

    pub(super) fn unknown(because: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Unknown,
            because: because.into(),
        }
    }
}
