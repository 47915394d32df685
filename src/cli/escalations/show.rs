//! `escalator escalations show`.

use jiff::Timestamp;
use std::path::Path;
use std::time::Duration;

use super::super::exit::Failure;
use super::super::{assembly, service, terminal};
use super::table::colour;
use super::words::{coloured, day, span, time, wrapped};
use super::{facts, json, timeline};
use crate::escalation::{Entry, IncidentId, Offer};
use crate::ledger::{Known, State};
use crate::settings::Role;

/// Before the value of a line of the head.
const VALUE_AT: usize = 3 + 12 + 2;

const MORE: &str = "\
How to read it: !! a worker crashed, hung or lost the ledger, and another one took over; ?? a write went out whose answer \
nobody knows, so that it is looked up before anything is sent again; ! a setback. The number before the kind of a line is \
the lease: it grows by one with each worker that takes the escalation up.

With --json, each generation is an object of \"type\": \"escalation\", followed by one of \"type\": \"entry\" for each \
line of its timeline, oldest first. Times are RFC 3339, spans are milliseconds (…_ms), and what does not apply is null.

escalation: key, incident, generation (0, or the event that reopened it), state (open, done, cancelled, dead), at (of an \
open one: the step, or waits_for_agent), code, reason, hint, letter_stored (of a dead one), conversation, agent, \
named_agent, offer (ours; offered: ours, and not joined yet; or running: a session that was there before), session, note, attempts, leases, takeovers \
(leases that ended without being given back), holder, lease_left_ms, waiting_since, not_before, occurred_at, accepted_at, \
created_at, ended_at, resolved_at, took_ms.

entry: key, at, offset_ms (from accepted_at), lease, kind (event, accepted, claimed, taken_over, answered, intended, \
setback, adopted, repeatable, later, handed_back, ended, letter_stored, told, replayed, discarded), step, what, code, hint (of the code), took_ms, correlation \
(by which the vendor's support finds the call that was answered), unanswered (of a write that was sent: no answer of it is \
recorded).";

#[derive(Debug, clap::Args)]
#[command(after_long_help = MORE)]
pub(in crate::cli) struct Arguments {
    /// The incident's id in PagerDuty.
    #[arg(value_name = "INCIDENT", value_parser = IncidentId::parse)]
    incident: IncidentId,
    /// Only this generation: 0 for the first, else the id of the event that reopened the incident, or its end.
    #[arg(long, value_name = "EVENT")]
    generation: Option<String>,
    /// JSON lines: an object for each generation, then one for each line of its timeline.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments, config: Option<&Path>) -> Result<(), Failure> {
    let settings = service::load(Role::Ledger, config)?;
    let (ledger, at) = assembly::ledger_to_read(&settings).await?;
    let incident = &arguments.incident;
    let mut generations = ledger.generations(incident).await.map_err(super::failure)?;
    if generations.is_empty() {
        return Err(Failure::failed(format!(
            "no escalation of incident {incident} is in the ledger {at}: no worker has taken it up yet (is its webhook \
             in the queue, or did it never come?), it was resolved before anything was started, or it ended longer \
             ago than escalation.retention and is forgotten"
        )));
    }
    if let Some(wanted) = &arguments.generation {
        let all: Vec<_> = generations
            .iter()
            .map(|known| known.key.generation().to_owned())
            .collect();
        generations.retain(|known| is_meant(known.key.generation(), wanted));
        if generations.len() != 1 {
            return Err(Failure::failed(format!(
                "incident {incident} has the generations {}: name one of them",
                all.join(", ")
            )));
        }
    }
    let (columns, colours) = (terminal::columns(), terminal::is_terminal());
    for (number, known) in generations.iter().enumerate() {
        let history = ledger.history(&known.key).await.map_err(super::failure)?;
        let lines = timeline::lines(known, &history);
        let mut text = String::new();
        if arguments.json {
            text = json::line(&json::Escalation::of(known)).map_err(Failure::failed)?;
            for line in &lines {
                let entry = json::Entry::of(known, line);
                text.push_str(&json::line(&entry).map_err(Failure::failed)?);
            }
        } else {
            if number > 0 {
                text.push('\n');
            }
            text.push_str(&head(known, &history, Timestamp::now(), columns, colours));
            text.push('\n');
            text.push_str(&timeline::as_text(known, &lines, columns, colours));
        }
        if !terminal::write(&text).map_err(Failure::failed)? {
            return Ok(());
        }
    }
    Ok(())
}

/// A whole event, or its end as `list` shows it.
fn is_meant(generation: &str, wanted: &str) -> bool {
    let wanted = wanted.trim_start_matches('…');
    generation == wanted || (wanted.len() > 3 && generation.ends_with(wanted))
}

fn head(
    known: &Known,
    history: &[Entry],
    now: Timestamp,
    columns: Option<usize>,
    colours: bool,
) -> String {
    let generation = match known.key.generation() {
        "0" => "first generation".to_owned(),
        event => format!("reopened by event {event}"),
    };
    let took = span(facts::took(known, now));
    let so_far = match known.state {
        State::Open => format!("for {took}"),
        State::Done | State::Cancelled | State::Dead => format!("after {took}"),
    };
    let state = coloured(known.state.as_str(), colour(known.state), colours);
    let incident = coloured(known.incident.as_str(), "1", colours);
    let mut text = format!("{incident}, {generation}: {state} {so_far}\n");
    for (name, value) in facts_in_words(known, history, now) {
        let width = columns.map(|all| all.saturating_sub(VALUE_AT));
        for (number, piece) in wrapped(value.split_whitespace(), width).iter().enumerate() {
            let name = if number == 0 { name } else { "" };
            text.push_str(&format!("   {name:<12}  {piece}\n"));
        }
    }
    text
}

fn facts_in_words(known: &Known, history: &[Entry], now: Timestamp) -> Vec<(&'static str, String)> {
    let progress = &known.progress;
    let mut facts: Vec<(&'static str, String)> = Vec::new();
    if let Some((code, reason, stored)) = facts::death(known) {
        facts.push(("why", format!("{code}: {reason}")));
        facts.push(("what to do", code.hint().to_owned()));
        facts.push(("more", format!("escalator explain {code}")));
        if !stored {
            let text =
                "not known to be with the broker yet; it is published again with the next delivery";
            facts.push(("dead letter", text.to_owned()));
        }
    }
    if let Some((code, reason)) = facts::setback(known, history) {
        facts.push(("waits for", format!("{code}: {reason}")));
        if code.waits_for_a_person() {
            facts.push(("what to do", code.hint().to_owned()));
        }
        facts.push(("more", format!("escalator explain {code}")));
    }
    if let Some(at) = facts::at(known) {
        let text = match at {
            facts::At::Step(step) => step.as_str().to_owned(),
            facts::At::WaitingForAgent => {
                let since = progress.waiting_since.unwrap_or(now);
                let waited = Duration::try_from(now.duration_since(since)).unwrap_or_default();
                format!("waits for an agent to connect, for {} so far", span(waited))
            }
        };
        facts.push(("at", text));
    }
    facts.extend(facts::conversation(known).map(|id| ("conversation", id.to_string())));
    facts.extend(agent(known).map(|text| ("agent", text)));
    let session = match &progress.offer {
        None => None,
        Some(Offer::Ours {
            session,
            shown: true,
            ..
        }) => Some(session.to_string()),
        Some(Offer::Ours {
            session,
            shown: false,
            ..
        }) => Some(format!("{session}, offered and not joined yet")),
        Some(Offer::Running) => Some(
            "one that was running before, and is not ours; no second one was offered".to_owned(),
        ),
    };
    facts.extend(session.map(|text| ("session", text)));
    facts.extend(facts::note(known).map(|id| ("note", id.to_string())));
    facts.push(("attempts", known.attempts.to_string()));
    facts.push(("leases", leases(known)));
    facts.extend(holder(known).map(|text| ("held", text)));
    if let (State::Open, Some(at)) = (known.state, progress.not_before) {
        let left = Duration::try_from(at.duration_since(now)).unwrap_or_default();
        let when = if left.is_zero() {
            "due".to_owned()
        } else {
            format!("in {}", span(left))
        };
        facts.push(("next try", format!("{when} ({} UTC)", time(at))));
    }
    facts.extend(known.resolved_at.map(|at| {
        let text = format!("{} {} UTC, by PagerDuty's clock", day(at), time(at));
        ("resolved", text)
    }));
    facts
}

fn agent(known: &Known) -> Option<String> {
    let named = known
        .progress
        .context
        .as_ref()
        .and_then(|c| c.agent.as_ref());
    match (&known.progress.agent, named) {
        (Some(agent), _) => Some(match &agent.instead_of {
            Some(named) => format!(
                "{} (the alert named {named}, who was not connected)",
                agent.id
            ),
            None => agent.id.to_string(),
        }),
        (None, Some(named)) => Some(format!(
            "{named}, named by the alert; not seen connected yet"
        )),
        (None, None) => None,
    }
}

fn leases(known: &Known) -> String {
    match known.takeovers {
        0 => known.epoch.to_string(),
        ended => format!(
            "{}, of which {ended} were taken over: the worker crashed, hung or lost the ledger",
            known.epoch
        ),
    }
}

fn holder(known: &Known) -> Option<String> {
    let (owner, left) = known.holder.as_ref()?;
    Some(if facts::is_held(known) {
        format!("by {owner}, for {} more unless it is renewed", span(*left))
    } else {
        format!("by {owner}, whose lease has ended: the next delivery takes it over")
    })
}
