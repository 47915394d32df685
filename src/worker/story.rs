//! What is told of an attempt when it is over.

use crate::escalation::{Code, Key};
use crate::telemetry::Waited;

/// What the wide line of an attempt says, as far as it is known.
#[derive(Default)]
pub(super) struct Story {
    pub(super) outcome: &'static str,
    pub(super) key: Option<Key>,
    pub(super) conversation: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) step: Option<&'static str>,
    pub(super) code: Option<Code>,
    pub(super) reason: Option<String>,
    pub(super) attempts: u32,
    pub(super) epoch: u64,
    pub(super) recovered: bool,
    pub(super) waited: Waited,
}
