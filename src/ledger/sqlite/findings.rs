//! What was found out about a Genesys.

use rusqlite::{OptionalExtension, Transaction, params};

use super::super::rules::{self, from_json, to_json};
use super::super::writer::unavailable;
use super::now_ms;
use crate::escalation::Finding;
use crate::ledger::Error;

pub(super) fn read(t: &Transaction<'_>, account: &str) -> Result<Option<Finding>, Error> {
    let known: Option<String> = t
        .prepare_cached("SELECT finding FROM findings WHERE account = ?1")
        .and_then(|mut s| s.query_row([account], |r| r.get(0)).optional())
        .map_err(unavailable)?;
    known.as_deref().map(from_json).transpose()
}

pub(super) fn learn(t: &Transaction<'_>, account: &str, news: Finding) -> Result<Finding, Error> {
    let known = read(t, account)?;
    let learned = rules::learned(known, news);
    if known != Some(learned) {
        let text = to_json(&learned)?;
        t.prepare_cached(
            "INSERT INTO findings (account, finding, found_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (account) DO UPDATE SET finding = excluded.finding, found_at = excluded.found_at",
        )
        .and_then(|mut s| s.execute(params![account, text, now_ms()]))
        .map_err(unavailable)?;
    }
    Ok(learned)
}
