//! `escalator dead-letters`: looked at, planned, begun anew, closed.

mod discard;
mod edit;
mod export;
mod filter;
mod groups;
mod list;
mod plan;
mod replay;
mod replays;
mod show;

use std::path::Path;

use super::exit::Failure;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List dead letters, those that died last first.
    List(list::Arguments),
    /// Count dead letters by code and reason: what has gone wrong, and how often.
    Groups(groups::Arguments),
    /// Show one dead letter: why, what to do, its message, its history.
    Show(show::Arguments),
    /// Write dead letters out as JSON lines, whole.
    Export(export::Arguments),
    /// Say of each letter what a replay would do now. Reads the ledger and both vendors; begins nothing.
    Plan(plan::Arguments),
    /// Begin letters anew: a plan, those that fit, or all. Also status, cancel, resume.
    Replay(replay::Arguments),
    /// Close letters for good: nothing will be done about them.
    Discard(discard::Arguments),
    /// Put a corrected copy in a letter's place, for example with the right conversation. Off unless dead_letters.edit is on.
    Edit(edit::Arguments),
}

pub(super) async fn run(command: Command, config: Option<&Path>) -> Result<(), Failure> {
    match command {
        Command::List(arguments) => list::run(arguments, config).await,
        Command::Groups(arguments) => groups::run(arguments, config).await,
        Command::Show(arguments) => show::run(arguments, config).await,
        Command::Export(arguments) => export::run(arguments, config).await,
        Command::Plan(arguments) => plan::run(arguments, config).await,
        Command::Replay(arguments) => Box::pin(replay::run(arguments, config)).await,
        Command::Discard(arguments) => discard::run(arguments, config).await,
        Command::Edit(arguments) => edit::run(arguments, config).await,
    }
}
