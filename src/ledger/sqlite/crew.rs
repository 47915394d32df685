//! The pool as one.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use std::time::Duration;

use super::super::rules::{from_json, to_json};
use super::super::writer::unavailable;
use super::{now_ms, timestamp};
use crate::ledger::{Audited, Entered, Error, Orders, Presence, Present};

const ORDERS: &str = "SELECT seq, at, entry FROM audit WHERE action IN ('pause', 'resume') ORDER BY seq DESC LIMIT 1";

pub(super) fn report(t: &Transaction<'_>, presence: &Presence) -> Result<Orders, Error> {
    let said = to_json(presence)?;
    t.prepare_cached(
        "INSERT INTO workers (name, said, seen_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET said = excluded.said, seen_at = excluded.seen_at",
    )
    .and_then(|mut s| s.execute(params![presence.name, said, now_ms()]))
    .map_err(unavailable)?;
    orders(t)
}

pub(super) fn leave(t: &Transaction<'_>, name: &str) -> Result<(), Error> {
    // And those that were never heard of again for a day.
    t.prepare_cached("DELETE FROM workers WHERE name = ?1 OR seen_at < ?2")
        .and_then(|mut s| s.execute(params![name, now_ms() - 86_400_000]))
        .map_err(unavailable)?;
    Ok(())
}

pub(super) fn orders(t: &Transaction<'_>) -> Result<Orders, Error> {
    let found = t
        .prepare_cached(ORDERS)
        .and_then(|mut s| s.query_row([], columns).optional())
        .map_err(unavailable)?;
    found.map(audited).transpose()
}

pub(super) fn enter(t: &Transaction<'_>, entered: &Entered) -> Result<Audited, Error> {
    let (at, entry) = (now_ms(), to_json(entered)?);
    t.prepare_cached("INSERT INTO audit (at, action, entry) VALUES (?1, ?2, ?3)")
        .and_then(|mut s| s.execute(params![at, entered.deed.as_str(), entry]))
        .map_err(unavailable)?;
    audited((t.last_insert_rowid(), at, entry))
}

pub(super) fn present(t: &Transaction<'_>, within: Duration) -> Result<Vec<Present>, Error> {
    let now = now_ms();
    let since = now - super::millis(within);
    let mut statement = t
        .prepare_cached("SELECT said, seen_at FROM workers WHERE seen_at >= ?1 ORDER BY name")
        .map_err(unavailable)?;
    let rows = statement
        .query_map([since], |r| {
            Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?))
        })
        .map_err(unavailable)?;
    rows.map(|row| {
        let (said, seen_at) = row.map_err(unavailable)?;
        Ok(Present {
            said: from_json(&said)?,
            seen_ago: Duration::from_millis(u64::try_from(now - seen_at).unwrap_or_default()),
        })
    })
    .collect()
}

pub(super) fn audit(t: &Transaction<'_>, limit: u32) -> Result<Vec<Audited>, Error> {
    let mut statement = t
        .prepare_cached("SELECT seq, at, entry FROM audit ORDER BY seq DESC LIMIT ?1")
        .map_err(unavailable)?;
    let rows = statement.query_map([limit], columns).map_err(unavailable)?;
    rows.map(|row| audited(row.map_err(unavailable)?)).collect()
}

fn columns(row: &Row<'_>) -> rusqlite::Result<(i64, i64, String)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn audited((number, at, entry): (i64, i64, String)) -> Result<Audited, Error> {
    Ok(Audited {
        number: number.unsigned_abs(),
        at: timestamp(at)?,
        entered: from_json(&entry)?,
    })
}
