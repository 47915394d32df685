//! What every implementation decides alike: values in, values out. The databases only keep and lock.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

use super::{ClaimRequest, Error, Granted, Held, IntendSession, Known, State};
use crate::escalation::{
    Cobrowse, End, Entry, EntryKind, Finding, IncidentId, Key, Progress, SessionId, SessionLink,
    Write,
};

use crate::pacing::{Account, Exchange, Grant};

/// A row of `escalations`, as far as a claim needs it.
pub(super) struct Row {
    pub(super) state: String,
    pub(super) epoch: i64,
    pub(super) owner: Option<String>,
    /// Below 1: the lease has ended or was given back.
    pub(super) lease_left_ms: i64,
    pub(super) attempts: u32,
    pub(super) takeovers: u32,
    pub(super) cycle: u32,
    pub(super) accepted_at: Timestamp,
    pub(super) occurred_at: Timestamp,
    pub(super) progress: String,
    pub(super) ending: Option<String>,
}

/// What a row says to a claim on it.
pub(super) enum Judged {
    /// It has ended.
    Ended(End),
    /// It is in a later cycle than the message.
    Outdated,
    /// Somebody else holds it.
    Held(Duration),
    /// It may be taken, unless an earlier generation is open.
    Free,
}

pub(super) fn judge(row: &Row, cycle: u32) -> Result<Judged, Error> {
    if row.state != State::Open.as_str() {
        return Ok(Judged::Ended(from_json(
            row.ending.as_deref().unwrap_or_default(),
        )?));
    }
    if row.cycle > cycle {
        return Ok(Judged::Outdated);
    }
    Ok(match u64::try_from(row.lease_left_ms) {
        Ok(left) if left > 0 => Judged::Held(Duration::from_millis(left)),
        Ok(_) | Err(_) => Judged::Free,
    })
}

/// The epoch of the claim that follows.
pub(super) fn next_epoch(row: Option<&Row>) -> i64 {
    row.map_or(1, |row| row.epoch.saturating_add(1))
}

/// What the claimant hears, once the row is his.
pub(super) fn granted(
    request: &ClaimRequest,
    key: Key,
    row: Option<&Row>,
    resolved_at: Option<Timestamp>,
) -> Result<Granted, Error> {
    let recovered = row.is_some_and(|row| row.owner.is_some());
    Ok(Granted {
        held: Held {
            key,
            incident: request.incident.clone(),
            epoch: next_epoch(row).unsigned_abs(),
        },
        progress: match row {
            Some(row) => from_json(&row.progress)?,
            None => Progress::default(),
        },
        attempts: row.map_or(0, |row| row.attempts),
        cycle: row.map_or(request.cycle, |row| row.cycle),
        accepted_at: row.map_or(request.accepted_at, |row| row.accepted_at),
        occurred_at: row.map_or(request.occurred_at, |row| row.occurred_at),
        resolved_at,
        takeovers: row.map_or(0, |row| row.takeovers) + u32::from(recovered),
        recovered,
    })
}

/// Whether the comings and goings of this lease are told. Of the first all are; one that waits for a day for somebody else
/// to come back has thousands, of which one in fifty says as much.
#[must_use]
pub fn is_told(epoch: u64) -> bool {
    epoch <= 60 || epoch.is_multiple_of(50)
}

/// What the history tells of a claim.
pub(super) fn claim_story(request: &ClaimRequest, row: Option<&Row>, now: Timestamp) -> Vec<Entry> {
    let arrival = &request.arrival;
    let line = |at: Timestamp, epoch: i64, kind: EntryKind, what: String| Entry {
        at,
        epoch: epoch.unsigned_abs(),
        kind,
        step: None,
        what,
        code: None,
        took_ms: None,
        correlation: None,
    };
    let mut story = Vec::with_capacity(3);
    match row {
        None => {
            let event = match &arrival.event {
                Some(id) => format!("{}, event {id}", arrival.event_kind),
                None => arrival.event_kind.clone(),
            };
            story.push(line(request.occurred_at, 0, EntryKind::Event, event));
            story.push(line(
                request.accepted_at,
                0,
                EntryKind::Accepted,
                format!(
                    "{}, lane {}",
                    arrival.origin.as_str(),
                    arrival.lane.as_str()
                ),
            ));
        }
        Some(row) => {
            if let Some(owner) = &row.owner {
                let what = format!(
                    "lease {} of {owner} ended without being given back",
                    row.epoch
                );
                story.push(line(now, row.epoch, EntryKind::TakenOver, what));
            }
        }
    }
    if !is_told(next_epoch(row).unsigned_abs()) {
        return story;
    }
    let again = if arrival.redelivered {
        ", delivered again"
    } else {
        ""
    };
    story.push(line(
        now,
        next_epoch(row),
        EntryKind::Claimed,
        format!(
            "by {}, lane {}{again}",
            request.owner,
            arrival.lane.as_str()
        ),
    ));
    story
}

/// What the history tells of a dead letter that the broker has.
pub(super) fn letter_stored(epoch: i64) -> Entry {
    Entry {
        at: Timestamp::now(),
        epoch: epoch.unsigned_abs(),
        kind: EntryKind::LetterStored,
        step: None,
        what: "the broker has its dead letter".to_owned(),
        code: None,
        took_ms: None,
        correlation: None,
    }
}

/// Whether a conversation may be taken by this escalation. Its own it may always take again: whoever held it before under
/// that key has been fenced off by the newer claim on the escalation.
pub(super) fn conversation_held(
    held: &Held,
    holder: Option<&str>,
    lease_left_ms: i64,
) -> Option<Duration> {
    if holder == Some(held.key.as_str()) {
        return None;
    }
    u64::try_from(lease_left_ms)
        .ok()
        .filter(|left| *left > 0)
        .map(Duration::from_millis)
}

/// What is known of a Genesys once this has been learned too.
pub(super) fn learned(known: Option<Finding>, news: Finding) -> Finding {
    known.map_or(news, |known| known.and(news))
}

/// What a worker gets of the pool's permits, and the budget after that.
pub(super) fn exchanged(
    kept: Option<&str>,
    now: i64,
    asked: &Exchange,
) -> Result<(Grant, String), Error> {
    let mut account: Account = kept.map(from_json).transpose()?.unwrap_or_default();
    let grant = account.exchange(now, asked);
    Ok((grant, to_json(&account)?))
}

/// Puts the intent to create a session where nothing is known of one. `false`: it must not be.
pub(super) fn intend(
    cobrowse: &mut Cobrowse,
    intend: &IntendSession,
    resolved_at: Option<Timestamp>,
) -> bool {
    let resolved = resolved_at.is_some_and(|resolved| resolved >= intend.occurred_at);
    if cobrowse.session != Write::Open || resolved {
        return false;
    }
    cobrowse.session = Write::Intended(intend.intent.clone());
    cobrowse.contract = intend.contract;
    cobrowse.there_before.clone_from(&intend.there_before);
    true
}

/// The link of a conversation's session, if that is the session that is meant.
pub(super) fn link_of(
    cobrowse: &str,
    link: Option<String>,
    session: &SessionId,
) -> Result<Option<SessionLink>, Error> {
    let cobrowse: Cobrowse = from_json(cobrowse)?;
    let meant = cobrowse.session.done() == Some(session);
    Ok(link.filter(|_| meant).map(SessionLink::new))
}

/// The ending of a dead escalation whose letter the broker has.
pub(super) fn published(ending: &str) -> Result<String, Error> {
    let mut end: End = from_json(ending)?;
    match &mut end {
        End::Dead { published, .. } => *published = true,
        End::Done | End::Cancelled => {}
    }
    to_json(&end)
}

/// A row of `escalations` as listings show it.
pub(super) struct KnownRow {
    pub(super) key: String,
    pub(super) incident: String,
    pub(super) state: String,
    pub(super) epoch: i64,
    pub(super) owner: Option<String>,
    pub(super) lease_left_ms: i64,
    pub(super) attempts: u32,
    pub(super) takeovers: u32,
    pub(super) accepted_at: Timestamp,
    pub(super) occurred_at: Timestamp,
    pub(super) created_at: Timestamp,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) resolved_at: Option<Timestamp>,
    pub(super) progress: String,
    pub(super) ending: Option<String>,
}

impl TryFrom<KnownRow> for Known {
    type Error = Error;

    fn try_from(row: KnownRow) -> Result<Self, Error> {
        let corrupt = |what: &str| Error::Corrupt(format!("{what} of {}", row.key));
        let left = u64::try_from(row.lease_left_ms).unwrap_or(0);
        Ok(Self {
            incident: IncidentId::parse(&row.incident).map_err(|_| corrupt("the incident"))?,
            state: State::of(&row.state).ok_or_else(|| corrupt("the state"))?,
            end: row.ending.as_deref().map(from_json).transpose()?,
            epoch: row.epoch.unsigned_abs(),
            holder: row.owner.map(|owner| (owner, Duration::from_millis(left))),
            attempts: row.attempts,
            takeovers: row.takeovers,
            accepted_at: row.accepted_at,
            occurred_at: row.occurred_at,
            created_at: row.created_at,
            ended_at: row.ended_at,
            resolved_at: row.resolved_at,
            progress: from_json(&row.progress)?,
            key: Key::from_ledger(row.key),
        })
    }
}

pub(super) fn to_json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|e| Error::Corrupt(e.to_string()))
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|e| Error::Corrupt(e.to_string()))
}
