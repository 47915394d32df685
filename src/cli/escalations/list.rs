//! `escalator escalations list`.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;
use std::path::Path;

use super::super::exit::Failure;
use super::super::{assembly, service, terminal};
use super::json;
use super::table::Table;
use crate::escalation::{Code, ConversationId};
use crate::ledger::{Filter, Known, State};
use crate::settings::{Role, parse_since};

/// So many are read and shown at a time, however many there are: memory does not grow with the ledger.
const PAGE: u64 = 200;
/// So many are shown to a person who did not say how many.
const FOR_A_PERSON: u64 = 50;

const MORE: &str = "\
Columns: gen is the generation (0 the first, else the end of the id of the event that reopened the incident); at is the \
step of an open one and the code of a dead one; tries are the attempts spent; age counts from when the ingress accepted it.

With --json, each line is an object of \"type\": \"escalation\", with the same fields as in `escalations show --json`; \
`escalator escalations show --help` names them.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = MORE)]
pub(in crate::cli) struct Arguments {
    /// Only those in this state.
    #[arg(long, value_parser = states())]
    state: Option<State>,
    /// Only those that died of this.
    #[arg(long, value_parser = codes(), hide_possible_values = true)]
    code: Option<Code>,
    /// Only those about this conversation.
    #[arg(long, value_name = "ID", value_parser = ConversationId::parse)]
    conversation: Option<ConversationId>,
    /// Only those that the ledger has known since then: a span such as 24h or 7d, or a time such as 2026-11-20T03:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<Timestamp>,
    /// At most so many. Without it a person sees the newest 50, and --json is everything.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// JSON lines, one object for each escalation.
    #[arg(long)]
    json: bool,
}

fn states() -> impl TypedValueParser<Value = State> {
    PossibleValuesParser::new(State::ALL.map(State::as_str))
        .try_map(|name| State::of(&name).ok_or("no such state"))
}

/// The name of an error code.
pub(in crate::cli) fn codes() -> impl TypedValueParser<Value = Code> {
    PossibleValuesParser::new(Code::ALL.map(Code::as_str)).try_map(|name| {
        let mut all = Code::ALL.into_iter();
        all.find(|code| code.as_str() == name).ok_or("no such code")
    })
}

pub(super) async fn run(arguments: Arguments, config: Option<&Path>) -> Result<(), Failure> {
    if arguments.code.is_some() && arguments.state.is_some_and(|state| state != State::Dead) {
        return Err(Failure::usage(
            "only the dead have a code: leave --state out, or write --state dead",
        ));
    }
    let settings = service::load(Role::Ledger, config)?;
    let (ledger, _) = assembly::ledger_to_read(&settings).await?;
    let mut left = match (arguments.limit, arguments.json) {
        (Some(limit), _) => limit,
        (None, true) => u64::MAX,
        (None, false) => FOR_A_PERSON,
    };
    let mut table = Table::new(terminal::columns(), terminal::is_terminal());
    let mut filter = Filter {
        state: arguments.state,
        code: arguments.code,
        conversation: arguments.conversation,
        since: arguments.since,
        after: None,
        limit: 0,
    };
    let mut shown = Shown::default();
    loop {
        // One more than is shown says whether there are more.
        let wanted = left.min(PAGE);
        filter.limit = u32::try_from(wanted + 1).unwrap_or(u32::MAX);
        let mut page = ledger.list(&filter).await.map_err(super::failure)?;
        let more = page.len() as u64 > wanted;
        page.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
        shown.count(&page);
        left -= page.len() as u64;
        let text = if arguments.json {
            as_json(&page)?
        } else {
            table.page(&page, Timestamp::now())
        };
        filter.after = page.last().map(Known::cursor);
        if !terminal::write(&text).map_err(Failure::failed)? {
            return Ok(());
        }
        if !more || left == 0 {
            terminal::say(&shown.in_words(more));
            return Ok(());
        }
    }
}

fn as_json(page: &[Known]) -> Result<String, Failure> {
    page.iter()
        .map(|known| json::line(&json::Escalation::of(known)))
        .collect::<Result<_, _>>()
        .map_err(Failure::failed)
}

/// How many were shown, of each state, in the order of [`State::ALL`].
#[derive(Debug, Default)]
struct Shown([u64; State::ALL.len()]);

impl Shown {
    fn count(&mut self, page: &[Known]) {
        for known in page {
            for (count, state) in self.0.iter_mut().zip(State::ALL) {
                *count += u64::from(state == known.state);
            }
        }
    }

    fn in_words(&self, more: bool) -> String {
        let all: u64 = self.0.iter().sum();
        if all == 0 {
            return "no escalation fits".to_owned();
        }
        let counts = self.0.iter().zip(State::ALL);
        let states: Vec<_> = counts
            .filter(|(count, _)| **count > 0)
            .map(|(count, state)| format!("{count} {}", state.as_str()))
            .collect();
        let noun = if all == 1 {
            "escalation"
        } else {
            "escalations"
        };
        let mut text = format!("{all} {noun}: {}", states.join(", "));
        if more {
            text.push_str("; there are more: --limit N shows N of them, --json all");
        }
        text
    }
}
