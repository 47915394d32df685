//! The only place of the program that prints.

use std::io::{IsTerminal, Write};

/// Talk, for the person at the terminal. A closed pipe is no reason to fail.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Data, for whatever reads stdout.
pub(super) fn print(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Whether stdout is a terminal: only then colours and moving lines.
pub(super) fn is_terminal() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Data that is a file.
pub(super) fn print_bytes(bytes: &[u8]) {
    let _ = std::io::stdout().lock().write_all(bytes);
}
