//! The JSON lines of both commands. Names are stable: scripts quote them.

use jiff::Timestamp;
use serde::Serialize;

use super::facts;
use super::timeline::Line;
use super::words::millis;
use crate::escalation::{Code, Offer};
use crate::ledger::Known;

/// An escalation: one line of `list`, the first lines of `show`. Its fields are all there in every line, `null` where
/// there is nothing to say.
#[derive(Serialize)]
pub(super) struct Escalation<'a> {
    r#type: &'static str,
    key: &'a str,
    incident: &'a str,
    generation: &'a str,
    state: &'static str,
    at: Option<&'static str>,
    code: Option<&'static str>,
    reason: Option<&'a str>,
    hint: Option<&'static str>,
    letter_stored: Option<bool>,
    conversation: Option<&'a str>,
    agent: Option<&'a str>,
    named_agent: Option<&'a str>,
    offer: Option<&'static str>,
    session: Option<&'a str>,
    note: Option<&'a str>,
    attempts: u32,
    leases: u64,
    takeovers: u32,
    holder: Option<&'a str>,
    lease_left_ms: Option<u64>,
    waiting_since: Option<Timestamp>,
    not_before: Option<Timestamp>,
    occurred_at: Timestamp,
    accepted_at: Timestamp,
    created_at: Timestamp,
    ended_at: Option<Timestamp>,
    resolved_at: Option<Timestamp>,
    took_ms: Option<i64>,
}

impl<'a> Escalation<'a> {
    pub(super) fn of(known: &'a Known) -> Self {
        let progress = &known.progress;
        let death = facts::death(known);
        let holder = known.holder.as_ref();
        Self {
            r#type: "escalation",
            key: known.key.as_str(),
            incident: known.incident.as_str(),
            generation: known.key.generation(),
            state: known.state.as_str(),
            at: facts::at(known).map(facts::At::as_str),
            code: death.map(|(code, ..)| code.as_str()),
            reason: death.map(|(_, reason, _)| reason),
            hint: death.map(|(code, ..)| code.hint()),
            letter_stored: death.map(|(.., stored)| stored),
            conversation: facts::conversation(known).map(|id| id.as_str()),
            agent: progress.agent.as_ref().map(|agent| agent.id.as_str()),
            named_agent: progress
                .context
                .as_ref()
                .and_then(|context| context.agent.as_ref())
                .map(|id| id.as_str()),
            offer: progress.offer.as_ref().map(|offer| match offer {
                Offer::Ours { shown: true, .. } => "ours",
                Offer::Ours { shown: false, .. } => "offered",
                Offer::Running => "running",
            }),
            session: facts::session(known).map(|id| id.as_str()),
            note: facts::note(known).map(|id| id.as_str()),
            attempts: known.attempts,
            leases: known.epoch,
            takeovers: known.takeovers,
            holder: holder.map(|(owner, _)| owner.as_str()),
            lease_left_ms: holder
                .map(|(_, left)| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
            waiting_since: progress.waiting_since,
            not_before: progress.not_before,
            occurred_at: known.occurred_at,
            accepted_at: known.accepted_at,
            created_at: known.created_at,
            ended_at: known.ended_at,
            resolved_at: known.resolved_at,
            took_ms: known
                .ended_at
                .map(|end| millis(end.duration_since(known.accepted_at))),
        }
    }
}

/// A line of a timeline, behind its escalation.
#[derive(Serialize)]
pub(super) struct Entry<'a> {
    r#type: &'static str,
    key: &'a str,
    at: Timestamp,
    offset_ms: i64,
    lease: u64,
    kind: &'static str,
    step: Option<&'static str>,
    what: &'a str,
    code: Option<&'static str>,
    hint: Option<&'static str>,
    took_ms: Option<u64>,
    correlation: Option<&'a str>,
    /// Of a write that was about to be sent: no answer of it was recorded.
    unanswered: bool,
}

impl<'a> Entry<'a> {
    pub(super) fn of(known: &'a Known, line: &Line<'a>) -> Self {
        let entry = line.entry;
        Self {
            r#type: "entry",
            key: known.key.as_str(),
            at: entry.at,
            offset_ms: millis(entry.at.duration_since(known.accepted_at)),
            lease: entry.epoch,
            kind: entry.kind.as_str(),
            step: entry.step.map(|step| step.as_str()),
            what: &entry.what,
            code: entry.code.map(Code::as_str),
            hint: entry.code.map(Code::hint),
            took_ms: entry.took_ms,
            correlation: entry.correlation.as_deref(),
            unanswered: line.unanswered.is_some(),
        }
    }
}

/// One line of JSON, with its end.
pub(super) fn line(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string(value).map(|mut text| {
        text.push('\n');
        text
    })
}
