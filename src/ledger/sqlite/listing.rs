//! What operators ask.

use rusqlite::{Params, Row as SqlRow, Transaction, named_params, params};

use super::super::rules::{KnownRow, from_json};
use super::super::writer::unavailable;
use super::{now_ms, timestamp};
use crate::escalation::{Code, ConversationId, Entry, IncidentId, Key};
use crate::ledger::{Error, Filter, Known, State};

const COLUMNS: &str =
    "SELECT key, incident_id, state, epoch, owner, lease_until, attempts, takeovers,
       accepted_at, occurred_at, created_at, ended_at, progress, ending,
       (SELECT resolved_at FROM resolutions r WHERE r.incident_id = e.incident_id)
     FROM escalations e";

pub(super) const HISTORY: &str = "SELECT entries FROM history WHERE key = ?1 ORDER BY seq";

pub(super) fn history(t: &Transaction<'_>, key: &Key) -> Result<Vec<Entry>, Error> {
    let mut statement = t.prepare_cached(HISTORY).map_err(unavailable)?;
    let rows = statement
        .query_map([key.as_str()], |row| row.get::<_, String>(0))
        .map_err(unavailable)?;
    let mut entries = Vec::new();
    for row in rows {
        entries.append(&mut from_json(&row.map_err(unavailable)?)?);
    }
    Ok(entries)
}

pub(super) fn generations(t: &Transaction<'_>, incident: &IncidentId) -> Result<Vec<Known>, Error> {
    let sql = format!("{COLUMNS} WHERE incident_id = ?1 ORDER BY occurred_at, key");
    known(t, &sql, params![incident.as_str()])
}

/// The filters that are there, and no others, so that each list is read by the index that fits it.
pub(super) fn list_sql(filter: &Filter) -> String {
    let conditions = [
        (filter.state.is_some(), "state = :state"),
        (filter.code.is_some(), "code = :code AND state = 'dead'"),
        (
            filter.conversation.is_some(),
            "conversation_id = :conversation",
        ),
        (filter.since.is_some(), "created_at >= :since"),
        (
            filter.after.is_some(),
            "(created_at, key) < (:after_at, :after_key)",
        ),
    ];
    let conditions: Vec<_> = conditions
        .iter()
        .filter_map(|(there, condition)| there.then_some(*condition))
        .collect();
    let filtered = match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" AND ")),
    };
    format!("{COLUMNS}{filtered} ORDER BY created_at DESC, key DESC LIMIT :limit")
}

pub(super) fn list(t: &Transaction<'_>, filter: &Filter) -> Result<Vec<Known>, Error> {
    let (state, code) = (
        filter.state.map(State::as_str),
        filter.code.map(Code::as_str),
    );
    let conversation = filter.conversation.as_ref().map(ConversationId::as_str);
    let since = filter.since.map(|at| at.as_millisecond());
    let after_at = filter.after.as_ref().map(|c| c.created_at.as_millisecond());
    let after_key = filter.after.as_ref().map(|c| c.key.as_str());
    let all = named_params! {
        ":state": state, ":code": code, ":conversation": conversation, ":since": since,
        ":after_at": after_at, ":after_key": after_key, ":limit": filter.limit,
    };
    let sql = list_sql(filter);
    // A statement takes no value for a name that it does not have.
    let used: Vec<_> = all
        .iter()
        .filter(|(name, _)| sql.contains(name))
        .copied()
        .collect();
    known(t, &sql, used.as_slice())
}

fn known(t: &Transaction<'_>, sql: &str, values: impl Params) -> Result<Vec<Known>, Error> {
    let mut statement = t.prepare_cached(sql).map_err(unavailable)?;
    let now = now_ms();
    let mut rows = statement.query(values).map_err(unavailable)?;
    let mut known = Vec::new();
    while let Some(row) = rows.next().map_err(unavailable)? {
        known.push(known_row(row, now)?.try_into()?);
    }
    Ok(known)
}

fn known_row(row: &SqlRow<'_>, now: i64) -> Result<KnownRow, Error> {
    let at = |index: usize| {
        let ms: Option<i64> = row.get(index).map_err(unavailable)?;
        ms.map(timestamp).transpose()
    };
    let always = |index: usize| Ok::<_, Error>(at(index)?.unwrap_or_default());
    let fields = || {
        Ok::<_, rusqlite::Error>(KnownRow {
            key: row.get(0)?,
            incident: row.get(1)?,
            state: row.get(2)?,
            epoch: row.get(3)?,
            owner: row.get(4)?,
            lease_left_ms: row.get::<_, i64>(5)? - now,
            attempts: row.get(6)?,
            takeovers: row.get(7)?,
            accepted_at: jiff::Timestamp::UNIX_EPOCH,
            occurred_at: jiff::Timestamp::UNIX_EPOCH,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            ended_at: None,
            resolved_at: None,
            progress: row.get(12)?,
            ending: row.get(13)?,
        })
    };
    Ok(KnownRow {
        accepted_at: always(8)?,
        occurred_at: always(9)?,
        created_at: always(10)?,
        ended_at: at(11)?,
        resolved_at: at(14)?,
        ..fields().map_err(unavailable)?
    })
}
