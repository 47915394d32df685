//! The only place of the program that prints.

use std::io::Write;

/// Talk, for the person at the terminal. A closed pipe is no reason to fail.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Data, for whatever reads stdout.
pub(super) fn print(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
