//! `escalator dead-letters discard`.

use clap::builder::NonEmptyStringValueParser;
use std::path::Path;

use super::super::exit::Failure;
use super::super::operator::Operator;
use super::super::{assembly, escalations, service, terminal};
use super::filter::{Filter, chosen};
use crate::dead_letters::close;
use crate::ledger::{Deed, LetterState, Selection};
use crate::settings::Role;

const MORE: &str = "\
Only what is open and in no replay is closed. It stays in the ledger for escalation.retention, with who closed it, when and why. \
The incident keeps its note that says that the escalation died.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = MORE)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    filter: Filter,
    /// All open letters.
    #[arg(long)]
    all: bool,
    /// Why nothing will be done about them, for the audit.
    #[arg(long, value_name = "TEXT", required = true, value_parser = NonEmptyStringValueParser::new())]
    because: String,
    #[command(flatten)]
    operator: Operator,
}

pub(super) async fn run(arguments: Arguments, config: Option<&Path>) -> Result<(), Failure> {
    let what = chosen(&arguments.filter, arguments.all)?;
    let settings = service::load(Role::Ledger, config)?;
    let ledger = assembly::ledger(&settings).await?;
    let because = Some(arguments.because);
    let named = arguments.filter.named();
    let selection = Selection {
        filter: arguments.filter.letters(LetterState::Open),
        entered: arguments
            .operator
            .entered(Deed::Discard, Some(what), because),
    };
    let discarded = close(ledger.letters(), selection).await;
    let discarded = discarded.map_err(escalations::failure)?;
    terminal::print(&format!("{} dead letters discarded", discarded.closed));
    if discarded.claimed > 0 {
        return Err(Failure::failed(format!(
            "{} are in a replay and were left: `escalator dead-letters replay status`",
            discarded.claimed
        )));
    }
    if named > discarded.closed {
        return Err(Failure::failed(format!(
            "{} of the {named} letters that were named are not open: `escalator dead-letters show ID` says why",
            named - discarded.closed
        )));
    }
    Ok(())
}
