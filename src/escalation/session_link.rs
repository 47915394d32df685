//! What admits whoever has it to a session.

use std::fmt;

/// A link that admits whoever opens it. It lives in one column of the ledger and in the note, nowhere else, so it
/// has neither `Display` nor a telling `Debug`, and no serialisation.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionLink(String);

impl SessionLink {
    /// Takes a link from the vendor's answer or from the ledger.
    #[must_use]
    pub fn new(link: String) -> Self {
        Self(link)
    }

    /// The link itself. Call it only where it is written into the note or the ledger's column.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionLink(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_does_not_show_itself() {
        let link = SessionLink::new("https://join.example/secret".into());
        assert!(!format!("{link:?}").contains("secret"));
    }
}
