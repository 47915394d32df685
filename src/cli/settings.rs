//! `escalator settings`.

use super::exit::Failure;
use super::terminal::print;
use crate::settings::reference_as_markdown;

/// Prints the table that the README shows.
pub(super) fn run() -> Result<(), Failure> {
    print(reference_as_markdown().trim_end());
    Ok(())
}
