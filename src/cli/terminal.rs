//! The only place of the program that prints.

use std::io::{ErrorKind, IsTerminal, Write};
use terminal_size::{Width, terminal_size};

/// The width of a terminal that does not name its own.
const USUAL_COLUMNS: usize = 100;

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

/// How many columns stdout has, where it is a terminal.
pub(super) fn columns() -> Option<usize> {
    let size = std::io::stdout().is_terminal().then(terminal_size)?;
    // A terminal that does not say is taken for one of the usual width.
    Some(size.map_or(USUAL_COLUMNS, |(Width(columns), _)| usize::from(columns)))
}

/// Who sits at the terminal, as far as it says so.
pub(super) fn user() -> Option<String> {
    let named = |name| std::env::var(name).ok().filter(|user| !user.is_empty());
    let names = ["SUDO_USER", "USER", "LOGNAME"];
    names.into_iter().find_map(named)
}

/// Much data, piece by piece. `false`: nobody reads it any more, and the rest need not be found out.
///
/// # Errors
/// It could not be written: a full disk, most likely.
pub(super) fn write(text: &str) -> std::io::Result<bool> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(false),
        result => result.map(|()| true),
    }
}

/// Data that is a file.
pub(super) fn print_bytes(bytes: &[u8]) {
    let _ = std::io::stdout().lock().write_all(bytes);
}
