//! `escalator pause`, `escalator resume`, `escalator audit`: the operator's hand on the whole pool.

use jiff::Timestamp;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::exit::Failure;
use super::operator::Operator;
use super::terminal::{print, say};
use super::{assembly, escalations, service};
use crate::dead_letters::json as deeds;
use crate::ledger::{Audited, Deed, Entered, Ledger, Present};
use crate::settings::{Role, parse_span};

/// Who was not heard of for so long is not there.
const PRESENT_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Why, for the audit and for whoever wonders at 3 am.
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    #[command(flatten)]
    operator: Operator,
    /// How long to wait until every worker has obeyed.
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = span)]
    wait: Duration,
    /// JSON lines, one object for each worker.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct AuditArguments {
    /// At most so many, the newest first.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// JSON lines, one object for each deed.
    #[arg(long)]
    json: bool,
}

fn span(text: &str) -> Result<Duration, String> {
    parse_span(text).ok_or_else(|| "write a span, as 30s or 2m".to_owned())
}

/// Tells the pool, and waits until everybody in it has obeyed.
pub(super) async fn run(
    deed: Deed,
    arguments: Arguments,
    config: Option<&Path>,
) -> Result<(), Failure> {
    let settings = service::load(Role::Ledger, config)?;
    let ledger = assembly::ledger(&settings).await?;
    let entered = arguments
        .operator
        .entered(deed, None, arguments.why.clone());
    let order = ledger.enter(entered).await.map_err(escalations::failure)?;
    let began = Instant::now();
    let crew = loop {
        let crew = present(&ledger).await?;
        if crew.iter().all(|one| obeys(one, &order)) || began.elapsed() >= arguments.wait {
            break crew;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    for one in &crew {
        print(&match arguments.json {
            true => as_json(one, &order).to_string(),
            false => in_words(one, &order),
        });
    }
    let obeyed = crew.iter().filter(|one| obeys(one, &order)).count();
    if obeyed < crew.len() {
        return Err(Failure::failed(format!(
            "{} of {} workers have not obeyed within {:?}; they do once they are heard of again (order {})",
            crew.len() - obeyed,
            crew.len(),
            arguments.wait,
            order.number
        )));
    }
    say(&told(deed, &crew));
    Ok(())
}

async fn present(ledger: &Arc<dyn Ledger>) -> Result<Vec<Present>, Failure> {
    let (_, crew) = ledger
        .present(PRESENT_WITHIN)
        .await
        .map_err(escalations::failure)?;
    Ok(crew)
}

fn obeys(one: &Present, order: &Audited) -> bool {
    one.said.obeys >= order.number
}

fn told(deed: Deed, crew: &[Present]) -> String {
    let in_hand: u64 = crew.iter().map(|one| one.said.in_hand).sum();
    let paused = deed == Deed::Pause;
    match (paused, crew.len()) {
        (true, 0) => {
            "paused; no worker is running, and those that start take nothing until `escalator resume`"
                .to_owned()
        }
        (false, 0) => "resumed; no worker is running".to_owned(),
        (true, count) => format!(
            "paused: {count} of {count} workers take nothing new; {in_hand} escalations in hand are being finished. Webhooks are accepted \
             and wait; go on with `escalator resume`"
        ),
        (false, count) => format!("resumed: {count} of {count} workers take escalations again"),
    }
}

fn in_words(one: &Present, order: &Audited) -> String {
    let state = match (obeys(one, order), one.said.paused) {
        (false, _) => "has not obeyed yet",
        (true, true) => "paused",
        (true, false) => "working",
    };
    format!(
        "{}  {state}, {} in hand, heard of {:.0} s ago",
        one.said.name,
        one.said.in_hand,
        one.seen_ago.as_secs_f64()
    )
}

fn as_json(one: &Present, order: &Audited) -> serde_json::Value {
    json!({
        "type": "worker",
        "name": one.said.name,
        "version": one.said.version,
        "order": order.number,
        "obeys": obeys(one, order),
        "paused": one.said.paused,
        "in_hand": one.said.in_hand,
        "seen_ms_ago": u64::try_from(one.seen_ago.as_millis()).unwrap_or(u64::MAX),
    })
}

/// What operators did, newest first.
pub(super) async fn audit(arguments: AuditArguments, config: Option<&Path>) -> Result<(), Failure> {
    let settings = service::load(Role::Ledger, config)?;
    let (ledger, _) = assembly::ledger_to_read(&settings).await?;
    let lines = ledger.audit(arguments.limit).await;
    let lines = lines.map_err(escalations::failure)?;
    if lines.is_empty() && !arguments.json {
        say("nobody has done anything yet");
    }
    for line in lines {
        print(&match arguments.json {
            true => deeds::deed(&line).to_string(),
            false => audited_words(&line),
        });
    }
    Ok(())
}

fn audited_words(line: &Audited) -> String {
    let at: Timestamp = line.at;
    let Entered {
        deed,
        by,
        from,
        why,
        what,
        result,
    } = &line.entered;
    let mut text = format!("{at:.0}  {}  by {by}", deed.as_str());
    if let Some(from) = from {
        text.push_str(&format!(" from {from}"));
    }
    text.push_str(&format!(
        ": {}",
        why.as_deref().unwrap_or("no reason given")
    ));
    for more in [what, result].into_iter().flatten() {
        text.push_str(&format!("\n    {more}"));
    }
    text
}
