//! The pool's permits.

use rusqlite::{OptionalExtension, Transaction, params};

use super::super::rules;
use super::super::writer::unavailable;
use super::now_ms;
use crate::ledger::Error;
use crate::pacing::{Exchange, Grant};

pub(super) fn exchange(
    t: &Transaction<'_>,
    account: &str,
    asked: &Exchange,
) -> Result<Grant, Error> {
    let kept: Option<String> = t
        .prepare_cached("SELECT budget FROM budgets WHERE account = ?1")
        .and_then(|mut s| s.query_row([account], |r| r.get(0)).optional())
        .map_err(unavailable)?;
    let now = now_ms();
    let (grant, budget) = rules::exchanged(kept.as_deref(), now, asked)?;
    t.prepare_cached(
        "INSERT INTO budgets (account, budget, used_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (account) DO UPDATE SET budget = excluded.budget, used_at = excluded.used_at",
    )
    .and_then(|mut s| s.execute(params![account, budget, now]))
    .map_err(unavailable)?;
    Ok(grant)
}
