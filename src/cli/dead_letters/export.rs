//! `escalator dead-letters export`.

use std::path::Path;

use super::super::exit::Failure;
use super::super::{assembly, escalations, service, terminal};
use super::filter::Filter;
use crate::dead_letters::json;
use crate::ledger::{LetterFilter, LetterState};
use crate::settings::Role;

const PAGE: u32 = 200;

const MORE: &str = "\
Each line is the object of `list --json` with the message, or with the bytes that nobody could read (raw, Base64). No session's \
link is in it, and no credential of ours; bytes that nobody could read are whatever they were. It is read page by page: what comes meanwhile may be missing, what was there is not.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = MORE)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    filter: Filter,
    /// Also those that are closed.
    #[arg(long)]
    any: bool,
}

pub(super) async fn run(arguments: Arguments, config: Option<&Path>) -> Result<(), Failure> {
    let settings = service::load(Role::Ledger, config)?;
    let (ledger, _) = assembly::ledger_to_read(&settings).await?;
    let state = match arguments.any {
        true => LetterState::Any,
        false => LetterState::Open,
    };
    let mut filter = LetterFilter {
        limit: PAGE,
        ..arguments.filter.letters(state)
    };
    let mut count = 0;
    loop {
        let page = ledger.letters().list_letters(filter.clone()).await;
        let page = page.map_err(escalations::failure)?;
        let Some(last) = page.last() else { break };
        filter.after = Some(last.cursor());
        count += page.len();
        let text: String = page
            .iter()
            .map(|one| format!("{}\n", json::whole(one)))
            .collect();
        if !terminal::write(&text).map_err(Failure::failed)? {
            return Ok(());
        }
    }
    terminal::say(&format!("{count} dead letters"));
    Ok(())
}
