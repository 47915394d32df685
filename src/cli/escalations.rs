//! `escalator escalations`: what became of them, read from the ledger and from nothing else.

mod facts;
mod json;
mod list;
mod show;
mod table;
mod timeline;
pub(super) mod words;

use std::path::Path;

pub(super) use self::list::codes;
use super::exit::Failure;
use crate::ledger;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List escalations, newest first.
    List(list::Arguments),
    /// Tell the story of one incident's escalation, step by step.
    Show(show::Arguments),
}

pub(super) async fn run(command: Command, config: Option<&Path>) -> Result<(), Failure> {
    match command {
        Command::List(arguments) => list::run(arguments, config).await,
        Command::Show(arguments) => show::run(arguments, config).await,
    }
}

/// A ledger that was opened and then does not answer, or not as it should.
pub(super) fn failure(error: ledger::Error) -> Failure {
    failure_of(&error)
}

pub(super) fn failure_of(error: &ledger::Error) -> Failure {
    match error {
        ledger::Error::Open(_) | ledger::Error::Unavailable(_) => Failure::unavailable(error),
        ledger::Error::Fenced | ledger::Error::Corrupt(_) => Failure::failed(error),
    }
}
