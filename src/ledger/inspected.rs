//! What a look at a ledger finds.

/// What a ledger is like, without a change to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inspected {
    /// There is none yet, and nothing keeps it from being made.
    WillBeCreated,
    /// It is there.
    Present {
        /// The version of its schema.
        version: u32,
        /// The version that this program brings it to.
        newest: u32,
    },
}
