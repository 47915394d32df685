//! Progress, written under a claim.

use rusqlite::{Transaction, params};

use super::super::writer::unavailable;
use super::{fenced, now_ms, number, resolved_at, to_json};
use crate::escalation::{End, SessionLink};
use crate::ledger::{CobrowseRecord, Error, LinkChange, Record, Recorded, Then};

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
                                        state = ?5, ending = ?6, ended_at = ?7
                 WHERE key = ?1 AND epoch = ?2 AND state = 'open'",
                params![key, epoch, progress, record.attempts, state_of(end), to_json(end)?, now_ms()],
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
    }
    for entry in &record.history {
        let json = to_json(entry)?;
        t.prepare_cached(
            "INSERT INTO history (key, seq, entry)
             SELECT ?1, coalesce(max(seq), 0) + 1, ?2 FROM history WHERE key = ?1",
        )
        .and_then(|mut s| s.execute(params![key, json]))
        .map_err(unavailable)?;
    }
    Ok(Recorded {
        resolved_at: resolved_at(t, &held.incident)?,
    })
}

fn state_of(end: &End) -> &'static str {
    match end {
        End::Done => "done",
        End::Cancelled => "cancelled",
        End::Dead { .. } => "dead",
    }
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
