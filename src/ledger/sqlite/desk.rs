//! What is written once for both databases, asked of SQLite.

use rusqlite::types::{Null, ToSqlOutput, ValueRef};
use rusqlite::{Rows, Statement, ToSql, Transaction, params_from_iter};

use super::super::desk::{Cell, Cells, Desk, Value};
use super::super::writer::unavailable;
use super::now_ms;
use crate::ledger::Error;

const BYTES: &str = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";

/// A transaction of the writer's. It answers at once, so that whatever is asked of it never waits.
pub(in crate::ledger) struct Table<'t>(pub(super) &'t Transaction<'t>);

impl Desk for Table<'_> {
    async fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Cells>, Error> {
        let mut statement = self.0.prepare_cached(&own(sql)).map_err(unavailable)?;
        read(&mut statement, values).map_err(unavailable)
    }

    async fn change(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Error> {
        let mut statement = self.0.prepare_cached(&own(sql)).map_err(unavailable)?;
        let changed = statement.execute(params_from_iter(values));
        changed
            .map(|count| u64::try_from(count).unwrap_or(u64::MAX))
            .map_err(unavailable)
    }

    async fn now(&self) -> Result<i64, Error> {
        Ok(now_ms())
    }

    /// Without the write-ahead log, which is emptied again and again.
    async fn bytes(&self) -> Result<u64, Error> {
        let row = self.first(BYTES, &[]).await?;
        row.map_or(Ok(0), |row| row.number(0).map(i64::unsigned_abs))
    }
}

pub(super) fn own(sql: &str) -> String {
    sql.replace(" SKIP LOCKED", "")
        .replace(" FOR UPDATE", "")
        .replace('$', "?")
}

fn read(statement: &mut Statement<'_>, values: &[Value<'_>]) -> rusqlite::Result<Vec<Cells>> {
    let columns = statement.column_count();
    let mut rows: Rows<'_> = statement.query(params_from_iter(values))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let cells = (0..columns).map(|column| {
            Ok(match row.get_ref(column)? {
                ValueRef::Null => Cell::Nothing,
                ValueRef::Integer(number) => Cell::Number(number),
                other @ (ValueRef::Text(_) | ValueRef::Real(_) | ValueRef::Blob(_)) => {
                    Cell::Text(other.as_str()?.to_owned())
                }
            })
        });
        all.push(Cells(cells.collect::<rusqlite::Result<_>>()?));
    }
    Ok(all)
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Value::Text(text) => text.to_sql(),
            Value::Owned(text) => text.to_sql(),
            Value::Number(number) => number.to_sql(),
            Value::NoText | Value::NoNumber => Null.to_sql(),
        }
    }
}
