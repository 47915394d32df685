//! How a command ends: 0 done; 1 it failed; 64 wrong usage or settings; 69 something it needs cannot be reached.

use std::fmt::Display;

use crate::settings::{Faults, NotLoaded};

/// `EX_USAGE`.
pub(super) const WRONG_USAGE: u8 = 64;
/// `EX_UNAVAILABLE`.
const UNAVAILABLE: u8 = 69;

/// Why a command did not do what it was asked for. Its text is for a person, and holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The settings, or how it was called.
    #[error("{0}")]
    Usage(String),
    /// Something it needs cannot be reached.
    #[error("{0}")]
    Unavailable(String),
    /// It failed.
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    pub(super) fn failed(error: impl Display) -> Self {
        Self::Failed(format!("escalator: {error}"))
    }

    pub(super) fn unavailable(error: impl Display) -> Self {
        Self::Unavailable(format!("escalator: {error}"))
    }

    pub(super) fn usage(error: impl Display) -> Self {
        Self::Usage(format!("escalator: {error}"))
    }

    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => WRONG_USAGE,
            Self::Unavailable(_) => UNAVAILABLE,
            Self::Failed(_) => 1,
        }
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::Usage(faults.to_string())
    }
}

impl From<NotLoaded> for Failure {
    fn from(error: NotLoaded) -> Self {
        Self::failed(error)
    }
}
