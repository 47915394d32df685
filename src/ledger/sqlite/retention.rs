//! Forgetting.

use futures_util::FutureExt;
use rusqlite::{Transaction, params};

use super::super::writer::unavailable;
use super::desk::Table;
use super::{millis, now_ms};
use crate::ledger::letters;
use crate::ledger::{Error, Pruned, Retention};

/// Ended long ago, or open for as long with nobody at it: its message is gone, and any that still came would be too old to
/// be worked on.
pub(super) const FORGETTABLE: &str = "SELECT key, conversation_id FROM escalations
     WHERE state = ?1 AND created_at < ?2 AND coalesce(ended_at, max(accepted_at, lease_until)) < ?2
       AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.key = escalations.key AND d.state = 'open') LIMIT ?3";

pub(super) const RESOLUTIONS: &str = "DELETE FROM resolutions WHERE incident_id IN
       (SELECT incident_id FROM resolutions WHERE noted_at < ?1 LIMIT ?2)";
pub(super) const LINKS: &str = "UPDATE conversations SET link = NULL WHERE conversation_id IN
       (SELECT conversation_id FROM conversations WHERE link IS NOT NULL AND used_at < ?1 LIMIT ?2)";

pub(super) const HISTORY: &str = "DELETE FROM history WHERE key = ?1 AND seq IN
       (SELECT seq FROM history WHERE key = ?1 ORDER BY seq LIMIT ?2)";

pub(super) fn prune(t: &Transaction<'_>, retention: &Retention) -> Result<Pruned, Error> {
    let now = now_ms();
    let before = now.saturating_sub(millis(retention.escalations));
    let mut pruned = Pruned::default();
    for state in crate::ledger::State::ALL {
        let left = u64::from(retention.at_most).saturating_sub(pruned.escalations);
        let rows = retention.history().saturating_sub(pruned.history);
        let forgotten = forget(t, state.as_str(), before, left, rows)?;
        pruned.escalations += forgotten.escalations;
        pruned.history += forgotten.history;
        pruned.conversations += forgotten.conversations;
    }
    let execute = |sql: &str, before: i64| {
        t.prepare_cached(sql)
            .and_then(|mut s| s.execute(params![before, retention.at_most]))
            .map(|count| u64::try_from(count).unwrap_or(0))
            .map_err(unavailable)
    };
    pruned.resolutions = execute(RESOLUTIONS, before)?;
    pruned.links = execute(LINKS, now.saturating_sub(millis(retention.links)))?;
    let desk = Table(t);
    let forgetting = letters::forget(&desk, before, retention.at_most);
    pruned.letters = forgetting.now_or_never().unwrap_or(Ok(0))?;
    Ok(pruned)
}

/// Most have a short history, and some a very long one, of a day in which a vendor was away: what one call takes is
/// bounded by both.
fn forget(
    t: &Transaction<'_>,
    state: &str,
    before: i64,
    left: u64,
    mut history_left: u64,
) -> Result<Pruned, Error> {
    let left = i64::try_from(left).unwrap_or(i64::MAX);
    let rows: Vec<(String, Option<String>)> = t
        .prepare_cached(FORGETTABLE)
        .and_then(|mut s| {
            s.query_map(params![state, before, left], |r| Ok((r.get(0)?, r.get(1)?)))?
                .collect()
        })
        .map_err(unavailable)?;
    let delete = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        t.prepare_cached(sql)
            .and_then(|mut s| s.execute(values))
            .map(|count| u64::try_from(count).unwrap_or(0))
            .map_err(unavailable)
    };
    let mut forgotten = Pruned::default();
    for (key, conversation) in &rows {
        let limit = i64::try_from(history_left).unwrap_or(i64::MAX);
        let lines = delete(HISTORY, &[key, &limit])?;
        forgotten.history += lines;
        history_left -= lines.min(history_left);
        if history_left == 0 {
            // There may be more of it. Its escalation goes when that is gone.
            break;
        }
        forgotten.escalations += delete("DELETE FROM escalations WHERE key = ?1", &[key])?;
        let Some(conversation) = conversation else {
            continue;
        };
        forgotten.conversations += delete(
            "DELETE FROM conversations WHERE conversation_id = ?1 AND lease_until < ?2
               AND NOT EXISTS (SELECT 1 FROM escalations WHERE conversation_id = ?1)",
            &[conversation, &now_ms()],
        )?;
    }
    Ok(forgotten)
}
