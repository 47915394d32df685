//! What is written once for both databases, asked of PostgreSQL.

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::super::desk::{Cell, Cells, Desk, Value};
use super::link::{Link, get, unavailable};
use super::sql;
use crate::ledger::Error;

/// Each is planned anew, with its values: a list is read by another index for another filter. That is one round trip.
impl Desk for Link {
    async fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Cells>, Error> {
        let values: Vec<_> = values.iter().map(Value::typed).collect();
        let rows = self.client().query_typed(sql, &values).await;
        rows.map_err(unavailable)?.iter().map(cells).collect()
    }

    async fn change(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Error> {
        let values: Vec<_> = values.iter().map(Value::typed).collect();
        let changed = self.client().execute_typed(sql, &values).await;
        changed.map_err(unavailable)
    }

    async fn now(&self) -> Result<i64, Error> {
        let row = Link::first(self, sql::NOW, []).await?;
        let row = row.ok_or_else(|| Error::Corrupt("the database has no time".to_owned()))?;
        get(&row, 0)
    }

    async fn bytes(&self) -> Result<u64, Error> {
        let row = Desk::first(self, sql::BYTES, &[]).await?;
        row.map_or(Ok(0), |row| row.number(0).map(i64::unsigned_abs))
    }
}

impl Value<'_> {
    fn typed(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Text(text) => (text, Type::TEXT),
            Self::Owned(text) => (text, Type::TEXT),
            Self::Number(number) => (number, Type::INT8),
            Self::NoText => (&None::<&str>, Type::TEXT),
            Self::NoNumber => (&None::<i64>, Type::INT8),
        }
    }
}

fn cells(row: &Row) -> Result<Cells, Error> {
    let columns = row.columns().iter().enumerate();
    let cells = columns.map(|(column, described)| {
        Ok(match *described.type_() {
            Type::INT8 => get::<Option<i64>>(row, column)?.map_or(Cell::Nothing, Cell::Number),
            Type::INT4 => get::<Option<i32>>(row, column)?
                .map_or(Cell::Nothing, |number| Cell::Number(number.into())),
            _ => get::<Option<String>>(row, column)?.map_or(Cell::Nothing, Cell::Text),
        })
    });
    Ok(Cells(cells.collect::<Result<_, Error>>()?))
}
