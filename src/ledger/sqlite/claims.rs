//! Who may act for what.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use std::time::Duration;

use super::super::rules::{self, Judged, Row, from_json, to_json};
use super::super::writer::unavailable;
use super::{fenced, millis, now_ms, number, records, resolved_at, timestamp};
use crate::escalation::{Cobrowse, Key, Trigger};
use crate::ledger::{
    Claim, ClaimRequest, ConversationClaim, ConversationRequest, Error, Held, HeldConversation,
};

pub(super) const ROW: &str = "SELECT state, epoch, owner, lease_until, attempts, takeovers, accepted_at, occurred_at, progress, ending, cycle
     FROM escalations WHERE key = ?1";
pub(super) const NEWEST: &str = "SELECT key FROM escalations WHERE incident_id = ?1 ORDER BY occurred_at DESC, key DESC LIMIT 1";
pub(super) const EARLIER: &str = "SELECT key FROM escalations
     WHERE incident_id = ?1 AND occurred_at <= ?2 AND key <> ?3 AND state = 'open'
       AND (lease_until > ?4 OR accepted_at > ?5)
     ORDER BY occurred_at LIMIT 1";
pub(super) const CONVERSATION: &str =
    "SELECT epoch, holder, lease_until, cobrowse FROM conversations WHERE conversation_id = ?1";

pub(super) fn claim(t: &Transaction<'_>, request: &ClaimRequest) -> Result<Claim, Error> {
    let now = now_ms();
    let key = resolve_key(t, request)?;
    let row = read_row(t, &key, now)?;
    if let Some(row) = &row {
        match rules::judge(row, request.cycle)? {
            Judged::Ended(end) => {
                return Ok(Claim::Ended {
                    key,
                    end,
                    attempts: row.attempts,
                    cycle: row.cycle,
                });
            }
            Judged::Outdated => return Ok(Claim::Outdated { key }),
            Judged::Held(free_in) => return Ok(Claim::Held { key, free_in }),
            Judged::Free => {}
        }
    }
    let occurred_at = row
        .as_ref()
        .map_or(request.occurred_at, |row| row.occurred_at);
    if let Trigger::Reopened { .. } = request.trigger
        && let Some(earlier) = earlier_open(t, request, &key, occurred_at, now)?
    {
        return Ok(Claim::Waits { key, earlier });
    }
    let granted = rules::granted(
        request,
        key,
        row.as_ref(),
        resolved_at(t, &request.incident)?,
    )?;
    let until = now + millis(request.lease);
    let key = granted.held.key.as_str();
    match &row {
        Some(_) => t
            .prepare_cached(
                "UPDATE escalations
                 SET takeovers = takeovers + (owner IS NOT NULL), epoch = epoch + 1, owner = ?2, lease_until = ?3
                 WHERE key = ?1",
            )
            .and_then(|mut s| s.execute(params![key, request.owner, until])),
        None => {
            let progress = to_json(&granted.progress)?;
            t.prepare_cached(
                "INSERT INTO escalations
                   (key, incident_id, state, epoch, owner, lease_until, accepted_at, occurred_at, created_at, progress, cycle)
                 VALUES (?1, ?2, 'open', 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )
            .and_then(|mut s| {
                s.execute(params![
                    key,
                    request.incident.as_str(),
                    request.owner,
                    until,
                    request.accepted_at.as_millisecond(),
                    request.occurred_at.as_millisecond(),
                    now,
                    progress,
                    granted.cycle,
                ])
            })
        }
    }
    .map_err(unavailable)?;
    let story = rules::claim_story(request, row.as_ref(), Timestamp::now());
    records::tell(t, &granted.held.key, &story)?;
    Ok(Claim::Granted(Box::new(granted)))
}

fn read_row(t: &Transaction<'_>, key: &Key, now: i64) -> Result<Option<Row>, Error> {
    let row = t
        .prepare_cached(ROW)
        .and_then(|mut s| {
            s.query_row([key.as_str()], |r| {
                let times: (i64, i64) = (r.get(6)?, r.get(7)?);
                let row = Row {
                    state: r.get(0)?,
                    epoch: r.get(1)?,
                    owner: r.get(2)?,
                    lease_left_ms: r.get::<_, i64>(3)? - now,
                    attempts: r.get(4)?,
                    takeovers: r.get(5)?,
                    cycle: r.get(10)?,
                    accepted_at: Timestamp::UNIX_EPOCH,
                    occurred_at: Timestamp::UNIX_EPOCH,
                    progress: r.get(8)?,
                    ending: r.get(9)?,
                };
                Ok((row, times))
            })
            .optional()
        })
        .map_err(unavailable)?;
    row.map(|(row, (accepted_at, occurred_at))| {
        Ok(Row {
            accepted_at: timestamp(accepted_at)?,
            occurred_at: timestamp(occurred_at)?,
            ..row
        })
    })
    .transpose()
}

/// Which generation is meant. Only [`Trigger::Current`] has to look: the newest that exists, else the first.
fn resolve_key(t: &Transaction<'_>, request: &ClaimRequest) -> Result<Key, Error> {
    let named = Key::of(&request.incident, &request.trigger);
    match request.trigger {
        Trigger::First | Trigger::Reopened { .. } => Ok(named),
        Trigger::Current => {
            let newest: Option<String> = t
                .prepare_cached(NEWEST)
                .and_then(|mut s| {
                    s.query_row([request.incident.as_str()], |r| r.get(0))
                        .optional()
                })
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
    occurred_at: Timestamp,
    now: i64,
) -> Result<Option<Key>, Error> {
    let oldest = now.saturating_sub(millis(request.expires_after));
    let earlier: Option<String> = t
        .prepare_cached(EARLIER)
        .and_then(|mut s| {
            s.query_row(
                params![
                    request.incident.as_str(),
                    occurred_at.as_millisecond(),
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
    request: &ConversationRequest,
) -> Result<ConversationClaim, Error> {
    let ConversationRequest {
        held,
        conversation,
        lease,
        intend,
    } = request;
    names_its_conversation(t, held, conversation.as_str())?;
    let now = now_ms();
    let row: Option<(i64, Option<String>, i64, String)> = t
        .prepare_cached(CONVERSATION)
        .and_then(|mut s| {
            s.query_row([conversation.as_str()], |r| {
                Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
            })
            .optional()
        })
        .map_err(unavailable)?;
    let (epoch, mut cobrowse) = match row {
        Some((epoch, holder, until, cobrowse)) => {
            if let Some(free_in) = rules::conversation_held(held, holder.as_deref(), until - now) {
                return Ok(ConversationClaim::Held { free_in });
            }
            (epoch + 1, from_json(&cobrowse)?)
        }
        None => (1, Cobrowse::default()),
    };
    let resolved_at = resolved_at(t, &held.incident)?;
    let intended = match intend {
        Some(intend) if rules::intend(&mut cobrowse, intend, resolved_at) => {
            fenced(
                t,
                "UPDATE escalations SET progress = ?3, attempts = ?4
                 WHERE key = ?1 AND epoch = ?2 AND state = 'open'",
                params![
                    held.key.as_str(),
                    number(held.epoch),
                    to_json(&intend.progress)?,
                    intend.attempts
                ],
            )?;
            records::tell(t, &held.key, &intend.history)?;
            true
        }
        Some(_) | None => false,
    };
    take(
        t,
        held,
        conversation.as_str(),
        epoch,
        now,
        *lease,
        &cobrowse,
    )?;
    Ok(ConversationClaim::Granted {
        held: HeldConversation {
            conversation: conversation.clone(),
            epoch: epoch.unsigned_abs(),
        },
        cobrowse,
        resolved_at,
        intended,
    })
}

fn take(
    t: &Transaction<'_>,
    held: &Held,
    conversation: &str,
    epoch: i64,
    now: i64,
    lease: Duration,
    cobrowse: &Cobrowse,
) -> Result<(), Error> {
    let cobrowse = to_json(cobrowse)?;
    t.prepare_cached(
        "INSERT INTO conversations (conversation_id, epoch, holder, lease_until, cobrowse, used_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (conversation_id) DO UPDATE
         SET epoch = excluded.epoch, holder = excluded.holder, lease_until = excluded.lease_until,
             cobrowse = excluded.cobrowse, used_at = excluded.used_at",
    )
    .and_then(|mut s| {
        s.execute(params![
            conversation,
            epoch,
            held.key.as_str(),
            now + millis(lease),
            cobrowse,
            now,
        ])
    })
    .map_err(unavailable)?;
    Ok(())
}

/// Only who holds the escalation gets its conversation.
fn names_its_conversation(
    t: &Transaction<'_>,
    held: &Held,
    conversation: &str,
) -> Result<(), Error> {
    fenced(
        t,
        "UPDATE escalations SET conversation_id = ?3 WHERE key = ?1 AND epoch = ?2 AND state = 'open'",
        params![held.key.as_str(), number(held.epoch), conversation],
    )
}
