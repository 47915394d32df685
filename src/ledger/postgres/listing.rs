//! What operators ask.

use tokio_postgres::Row as SqlRow;
use tokio_postgres::types::{ToSql, Type};

use super::super::rules::{KnownRow, from_json};
use super::link::{Link, get, unavailable};
use super::{count, sql, timestamp};
use crate::escalation::{Code, ConversationId, Entry, IncidentId, Key};
use crate::ledger::{Error, Filter, Known, State};

pub(super) async fn history(link: &Link, key: Key) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    for row in link.all(sql::HISTORY, [&key.as_str()]).await? {
        entries.append(&mut from_json(&get::<String>(&row, 0)?)?);
    }
    Ok(entries)
}

pub(super) async fn generations(link: &Link, incident: IncidentId) -> Result<Vec<Known>, Error> {
    known(&link.all(sql::GENERATIONS, [&incident.as_str()]).await?)
}

/// Planned anew each time, with the filters that are there and their values: the index that fits one does not fit
/// another.
pub(super) async fn list(link: &Link, filter: Filter) -> Result<Vec<Known>, Error> {
    let state = filter.state.map(State::as_str);
    let code = filter.code.map(Code::as_str);
    let conversation = filter.conversation.as_ref().map(ConversationId::as_str);
    let since = filter.since.map(|at| at.as_millisecond());
    let after_at = filter.after.as_ref().map(|c| c.created_at.as_millisecond());
    let after_key = filter.after.as_ref().map(|c| c.key.as_str());
    let limit = i64::from(filter.limit);

    let mut conditions: Vec<String> = Vec::new();
    let mut values: Vec<(&(dyn ToSql + Sync), Type)> = vec![(&limit, Type::INT8)];
    let mut value = |value, kind| {
        values.push((value, kind));
        values.len()
    };
    if let Some(state) = &state {
        conditions.push(format!("state = ${}", value(state, Type::TEXT)));
    }
    if let Some(code) = &code {
        let number = value(code, Type::TEXT);
        conditions.push(format!("code = ${number} AND state = 'dead'"));
    }
    if let Some(conversation) = &conversation {
        let number = value(conversation, Type::TEXT);
        conditions.push(format!("conversation_id = ${number}"));
    }
    if let Some(since) = &since {
        conditions.push(format!("created_at >= ${}", value(since, Type::INT8)));
    }
    if let (Some(at), Some(key)) = (&after_at, &after_key) {
        let (at, key) = (value(at, Type::INT8), value(key, Type::TEXT));
        conditions.push(format!("(created_at, key) < (${at}, ${key})"));
    }
    let conditions = match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" AND ")),
    };
    let sql = format!(
        "{}{conditions} ORDER BY created_at DESC, key DESC LIMIT $1",
        sql::KNOWN
    );
    let rows = link.client().query_typed(&sql, &values).await;
    known(&rows.map_err(unavailable)?)
}

fn known(rows: &[SqlRow]) -> Result<Vec<Known>, Error> {
    rows.iter().map(|row| known_row(row)?.try_into()).collect()
}

fn known_row(row: &SqlRow) -> Result<KnownRow, Error> {
    let always = |column| timestamp(get(row, column)?);
    let at = |column| get::<Option<i64>>(row, column)?.map(timestamp).transpose();
    Ok(KnownRow {
        key: get(row, 0)?,
        incident: get(row, 1)?,
        state: get(row, 2)?,
        epoch: get(row, 3)?,
        owner: get(row, 4)?,
        lease_left_ms: get(row, 5)?,
        attempts: count(get(row, 6)?),
        takeovers: count(get(row, 7)?),
        accepted_at: always(8)?,
        occurred_at: always(9)?,
        created_at: always(10)?,
        ended_at: at(11)?,
        progress: get(row, 12)?,
        ending: get(row, 13)?,
        resolved_at: at(14)?,
    })
}
