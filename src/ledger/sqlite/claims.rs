//! Who may act for what.

use rusqlite::{OptionalExtension, Transaction, params};
use std::time::Duration;

use super::super::writer::unavailable;
use super::{from_json, millis, now_ms, number, resolved_at, timestamp, to_json};
use crate::escalation::{Cobrowse, ConversationId, End, Key, Progress, Trigger};
use crate::ledger::{
    Claim, ClaimRequest, ConversationClaim, Error, Granted, Held, HeldConversation,
};

/// A row of `escalations` as far as a claim needs it.
struct Row {
    state: String,
    epoch: i64,
    owner: Option<String>,
    lease_until: i64,
    attempts: u32,
    accepted_at: i64,
    occurred_at: i64,
    progress: String,
    ending: Option<String>,
    takeovers: u32,
}

pub(super) fn claim(t: &Transaction<'_>, request: &ClaimRequest) -> Result<Claim, Error> {
    let now = now_ms();
    let key = resolve_key(t, request)?;
    let row = t
        .prepare_cached(
            "SELECT state, epoch, owner, lease_until, attempts, accepted_at, occurred_at, progress, ending, takeovers
             FROM escalations WHERE key = ?1",
        )
        .and_then(|mut s| {
            s.query_row([key.as_str()], |r| {
                Ok(Row {
                    state: r.get(0)?,
                    epoch: r.get(1)?,
                    owner: r.get(2)?,
                    lease_until: r.get(3)?,
                    attempts: r.get(4)?,
                    accepted_at: r.get(5)?,
                    occurred_at: r.get(6)?,
                    progress: r.get(7)?,
                    ending: r.get(8)?,
                    takeovers: r.get(9)?,
                })
            })
            .optional()
        })
        .map_err(unavailable)?;

    if let Some(row) = &row {
        if row.state != "open" {
            let end: End = from_json(row.ending.as_deref().unwrap_or_default())?;
            return Ok(Claim::Ended {
                key,
                end,
                attempts: row.attempts,
            });
        }
        if row.lease_until > now {
            return Ok(Claim::Held {
                key,
                free_in: Duration::from_millis((row.lease_until - now).unsigned_abs()),
            });
        }
    }
    let occurred_at = row
        .as_ref()
        .map_or(request.occurred_at.as_millisecond(), |r| r.occurred_at);
    if let Trigger::Reopened { .. } = request.trigger
        && let Some(earlier) = earlier_open(t, request, &key, occurred_at, now)?
    {
        return Ok(Claim::Waits { key, earlier });
    }

    let until = now + millis(request.lease);
    let (epoch, progress) = match &row {
        Some(row) => {
            t.prepare_cached(
                "UPDATE escalations
                 SET takeovers = takeovers + (owner IS NOT NULL), epoch = epoch + 1, owner = ?2, lease_until = ?3
                 WHERE key = ?1",
            )
            .and_then(|mut s| s.execute(params![key.as_str(), request.owner, until]))
            .map_err(unavailable)?;
            (row.epoch + 1, from_json(&row.progress)?)
        }
        None => {
            let progress = Progress::default();
            t.prepare_cached(
                "INSERT INTO escalations
                   (key, incident_id, state, epoch, owner, lease_until, accepted_at, occurred_at, created_at, progress)
                 VALUES (?1, ?2, 'open', 1, ?3, ?4, ?5, ?6, ?7, ?8)",
            )
            .and_then(|mut s| {
                s.execute(params![
                    key.as_str(),
                    request.incident.as_str(),
                    request.owner,
                    until,
                    request.accepted_at.as_millisecond(),
                    occurred_at,
                    now,
                    to_json(&progress).unwrap_or_default(),
                ])
            })
            .map_err(unavailable)?;
            (1, progress)
        }
    };
    Ok(Claim::Granted(Box::new(Granted {
        resolved_at: resolved_at(t, &request.incident)?,
        held: Held {
            key,
            incident: request.incident.clone(),
            epoch: epoch.unsigned_abs(),
        },
        progress,
        attempts: row.as_ref().map_or(0, |r| r.attempts),
        accepted_at: match &row {
            Some(row) => timestamp(row.accepted_at)?,
            None => request.accepted_at,
        },
        occurred_at: timestamp(occurred_at)?,
        takeovers: row
            .as_ref()
            .map_or(0, |r| r.takeovers + u32::from(r.owner.is_some())),
        recovered: row.is_some_and(|r| r.owner.is_some()),
    })))
}

/// Which generation is meant. Only [`Trigger::Current`] has to look: the newest that exists, else the first.
fn resolve_key(t: &Transaction<'_>, request: &ClaimRequest) -> Result<Key, Error> {
    let named = Key::of(&request.incident, &request.trigger);
    match request.trigger {
        Trigger::First | Trigger::Reopened { .. } => Ok(named),
        Trigger::Current => {
            let newest: Option<String> = t
                .prepare_cached(
                    "SELECT key FROM escalations WHERE incident_id = ?1 ORDER BY occurred_at DESC LIMIT 1",
                )
                .and_then(|mut s| s.query_row([request.incident.as_str()], |r| r.get(0)).optional())
                .map_err(unavailable)?;
            Ok(newest.map_or(named, Key::from_ledger))
        }
    }
}

/// An earlier generation that has not ended. One that nobody holds and that is older than any escalation may grow has
/// lost its message, and is waited for no longer.
fn earlier_open(
    t: &Transaction<'_>,
    request: &ClaimRequest,
    key: &Key,
    occurred_at: i64,
    now: i64,
) -> Result<Option<Key>, Error> {
    let earlier: Option<String> = t
        .prepare_cached(
            "SELECT key FROM escalations
             WHERE incident_id = ?1 AND occurred_at <= ?2 AND key <> ?3 AND state = 'open'
               AND (lease_until > ?4 OR accepted_at > ?5)
             ORDER BY occurred_at LIMIT 1",
        )
        .and_then(|mut s| {
            let oldest = now.saturating_sub(millis(request.expires_after));
            s.query_row(
                params![
                    request.incident.as_str(),
                    occurred_at,
                    key.as_str(),
                    now,
                    oldest
                ],
                |r| r.get(0),
            )
            .optional()
        })
        .map_err(unavailable)?;
    Ok(earlier.map(Key::from_ledger))
}

pub(super) fn claim_conversation(
    t: &Transaction<'_>,
    held: &Held,
    conversation: ConversationId,
    lease: Duration,
) -> Result<ConversationClaim, Error> {
    check_held(t, held)?;
    let now = now_ms();
    let row: Option<(i64, Option<String>, i64, String)> = t
        .prepare_cached(
            "SELECT epoch, holder, lease_until, cobrowse FROM conversations WHERE conversation_id = ?1",
        )
        .and_then(|mut s| {
            s.query_row([conversation.as_str()], |r| {
                Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
            })
            .optional()
        })
        .map_err(unavailable)?;
    let (epoch, cobrowse) = match row {
        // The same escalation may take its own conversation again: whoever held it before under that key has been
        // fenced off by the newer claim on the escalation.
        Some((_, holder, until, _))
            if until > now && holder.as_deref() != Some(held.key.as_str()) =>
        {
            return Ok(ConversationClaim::Held {
                free_in: Duration::from_millis((until - now).unsigned_abs()),
            });
        }
        Some((epoch, _, _, cobrowse)) => (epoch + 1, from_json(&cobrowse)?),
        None => (1, Cobrowse::default()),
    };
    t.prepare_cached(
        "INSERT INTO conversations (conversation_id, epoch, holder, lease_until, cobrowse) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (conversation_id) DO UPDATE
         SET epoch = excluded.epoch, holder = excluded.holder, lease_until = excluded.lease_until",
    )
    .and_then(|mut s| {
        s.execute(params![
            conversation.as_str(),
            epoch,
            held.key.as_str(),
            now + millis(lease),
            to_json(&cobrowse).unwrap_or_default(),
        ])
    })
    .map_err(unavailable)?;
    Ok(ConversationClaim::Granted {
        held: HeldConversation {
            conversation,
            epoch: epoch.unsigned_abs(),
        },
        cobrowse,
        resolved_at: resolved_at(t, &held.incident)?,
    })
}

fn check_held(t: &Transaction<'_>, held: &Held) -> Result<(), Error> {
    let ours: bool = t
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM escalations WHERE key = ?1 AND epoch = ?2 AND state = 'open')",
        )
        .and_then(|mut s| {
            s.query_row(params![held.key.as_str(), number(held.epoch)], |r| r.get(0))
        })
        .map_err(unavailable)?;
    if ours { Ok(()) } else { Err(Error::Fenced) }
}
