//! Drawn later.
