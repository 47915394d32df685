//! Forgetting.

use rusqlite::{Transaction, params};

use super::super::writer::unavailable;
use super::{millis, now_ms};
use crate::ledger::{Error, Pruned, Retention};

/// Ended long ago, or open for as long with nobody at it: its message is gone, and any that still came would be too old to
/// be worked on.
pub(super) const FORGETTABLE: &str = "SELECT key, conversation_id FROM escalations
     WHERE state = ?1 AND created_at < ?2 AND coalesce(ended_at, max(accepted_at, lease_until)) < ?2 LIMIT ?3";

pub(super) const RESOLUTIONS: &str = "DELETE FROM resolutions WHERE incident_id IN
       (SELECT incident_id FROM resolutions WHERE noted_at < ?1 LIMIT ?2)";
pub(super) const LINKS: &str = "UPDATE conversations SET link = NULL WHERE conversation_id IN
       (SELECT conversation_id FROM conversations WHERE link IS NOT NULL AND used_at < ?1 LIMIT ?2)";

pub(super) fn prune(t: &Transaction<'_>, retention: &Retention) -> Result<Pruned, Error> {
    let now = now_ms();
    let before = now.saturating_sub(millis(retention.escalations));
    let mut pruned = Pruned::default();
    for state in crate::ledger::State::ALL {
        let left = u64::from(retention.at_most).saturating_sub(pruned.escalations);
        let (escalations, conversations) = forget(t, state.as_str(), before, left)?;
        pruned.escalations += escalations;
        pruned.conversations += conversations;
    }
    let execute = |sql: &str, before: i64| {
        t.prepare_cached(sql)
            .and_then(|mut s| s.execute(params![before, retention.at_most]))
            .map(|count| u64::try_from(count).unwrap_or(0))
            .map_err(unavailable)
    };
    pruned.resolutions = execute(RESOLUTIONS, before)?;
    pruned.links = execute(LINKS, now.saturating_sub(millis(retention.links)))?;
    Ok(pruned)
}

fn forget(t: &Transaction<'_>, state: &str, before: i64, left: u64) -> Result<(u64, u64), Error> {
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
            .map_err(unavailable)
    };
    let mut conversations = 0;
    for (key, _) in &rows {
        delete("DELETE FROM history WHERE key = ?1", &[key])?;
        delete("DELETE FROM escalations WHERE key = ?1", &[key])?;
    }
    for conversation in rows
        .iter()
        .filter_map(|(_, conversation)| conversation.as_deref())
    {
        conversations += delete(
            "DELETE FROM conversations WHERE conversation_id = ?1 AND lease_until < ?2
               AND NOT EXISTS (SELECT 1 FROM escalations WHERE conversation_id = ?1)",
            &[&conversation, &now_ms()],
        )?;
    }
    let count = |n: usize| u64::try_from(n).unwrap_or(0);
    Ok((count(rows.len()), count(conversations)))
}
