//! The note in the incident.

use super::reader::Reader;

/// Settings of the note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Whether links and codes that admit whoever opens them go into the note under the `conversation` contract.
    pub include_access_links: bool,
}

impl Note {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            include_access_links: reader.flag("note.include_access_links")?,
        })
    }
}
