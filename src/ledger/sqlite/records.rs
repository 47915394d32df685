//! Progress, written under a claim.

use rusqlite::{Transaction, params};

use super::super::rules::to_json;
use super::super::writer::unavailable;
use super::{fenced, now_ms, number, resolved_at};
use crate::escalation::{Entry, Key, SessionLink};
use crate::ledger::{CobrowseRecord, Error, LinkChange, Record, Recorded, State, Then};

pub(super) fn write(t: &Transaction<'_>, record: &Record) -> Result<Recorded, Error> {
    let held = &record.held;
    let progress = to_json(&record.progress)?;
    let key = held.key.as_str();
    let epoch = number(held.epoch);
    let conversation = match &record.then {
        Then::Continue => {
            fenced(
                t,
                "UPDATE escalations SET progress = ?3, attempts = ?4
                 WHERE key = ?1 AND epoch = ?2 AND state = 'open'",
                params![key, epoch, progress, record.attempts],
            )?;
            None
        }
        Then::Release { conversation } => {
            fenced(
                t,
                "UPDATE escalations SET progress = ?3, attempts = ?4, owner = NULL, lease_until = 0
                 WHERE key = ?1 AND epoch = ?2 AND state = 'open'",
                params![key, epoch, progress, record.attempts],
            )?;
            conversation.as_ref()
        }
        Then::End { end, conversation } => {
            fenced(
                t,
                "UPDATE escalations SET progress = ?3, attempts = ?4, owner = NULL, lease_until = 0,
                                        state = ?5, ending = ?6, code = ?7, ended_at = ?8
                 WHERE key = ?1 AND epoch = ?2 AND state = 'open'",
                params![
                    key,
                    epoch,
                    progress,
                    record.attempts,
                    State::after(end).as_str(),
                    to_json(end)?,
                    end.code().map(|code| code.as_str()),
                    now_ms()
                ],
            )?;
            conversation.as_ref()
        }
    };
    if let Some(record) = &record.cobrowse {
        write_cobrowse(t, record)?;
    }
    if let Some(conversation) = conversation {
        fenced(
            t,
            "UPDATE conversations SET holder = NULL, lease_until = 0 WHERE conversation_id = ?1 AND epoch = ?2",
            params![
                conversation.conversation.as_str(),
                number(conversation.epoch)
            ],
        )?;
    } else if !matches!(record.then, Then::Continue) {
        t.prepare_cached(
            "UPDATE conversations SET holder = NULL, lease_until = 0
             WHERE conversation_id = (SELECT conversation_id FROM escalations WHERE key = ?1) AND holder = ?1",
        )
        .and_then(|mut s| s.execute([key]))
        .map_err(unavailable)?;
    }
    tell(t, &held.key, &record.history)?;
    Ok(Recorded {
        resolved_at: resolved_at(t, &held.incident)?,
    })
}

/// Adds to a history what one transaction has to tell.
pub(super) fn tell(t: &Transaction<'_>, key: &Key, entries: &[Entry]) -> Result<(), Error> {
    if entries.is_empty() {
        return Ok(());
    }
    let json = to_json(&entries)?;
    t.prepare_cached(
        "INSERT INTO history (key, seq, entries)
         SELECT ?1, coalesce(max(seq), 0) + 1, ?2 FROM history WHERE key = ?1",
    )
    .and_then(|mut s| s.execute(params![key.as_str(), json]))
    .map_err(unavailable)?;
    Ok(())
}

fn write_cobrowse(t: &Transaction<'_>, record: &CobrowseRecord) -> Result<(), Error> {
    let id = record.held.conversation.as_str();
    let epoch = number(record.held.epoch);
    let cobrowse = to_json(&record.cobrowse)?;
    match &record.link {
        LinkChange::Keep => fenced(
            t,
            "UPDATE conversations SET cobrowse = ?3 WHERE conversation_id = ?1 AND epoch = ?2",
            params![id, epoch, cobrowse],
        ),
        LinkChange::Set(link) => fenced(
            t,
            "UPDATE conversations SET cobrowse = ?3, link = ?4 WHERE conversation_id = ?1 AND epoch = ?2",
            params![id, epoch, cobrowse, link.as_ref().map(SessionLink::reveal)],
        ),
    }
}
