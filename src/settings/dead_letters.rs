//! What operators may do with dead letters.

use super::reader::Reader;

/// Settings of dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetters {
    /// Whether a letter may be exchanged for a corrected copy.
    pub edit: bool,
}

impl DeadLetters {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            edit: reader.flag("dead_letters.edit")?,
        })
    }
}
