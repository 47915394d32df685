//! One way to ask either database, for what is not asked often enough to be worth saying twice.
//!
//! What operators and the keeper of the dead letters do is written once, in `letters/`, over this. A statement is
//! PostgreSQL's with `$1`, `$2` …; SQLite gets the same one with its own signs, and without `FOR UPDATE`: there all who
//! write stand in one line anyway. Whoever uses it is inside a transaction that the implementation begins and ends.

use super::Error;

/// A database, in the middle of a transaction.
pub(super) trait Desk {
    /// Runs a statement and reads all of its rows.
    async fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Cells>, Error>;

    /// Runs a statement, and says how many rows it changed.
    async fn change(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Error>;

    /// The database's time, in milliseconds since 1970.
    async fn now(&self) -> Result<i64, Error>;

    /// What the ledger takes on disk.
    async fn bytes(&self) -> Result<u64, Error>;

    /// The first row.
    async fn first(&self, sql: &str, values: &[Value<'_>]) -> Result<Option<Cells>, Error> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }
}

/// What stands for `$1` and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Owned(String),
    Number(i64),
    NoText,
    NoNumber,
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Owned(text)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Number(i64::from(number))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::NoText, Self::Text)
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Self::NoNumber, Self::Number)
    }
}

/// The columns of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cells(pub(super) Vec<Cell>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Nothing,
    Text(String),
    Number(i64),
}

impl Cells {
    pub(super) fn text(&self, column: usize) -> Result<&str, Error> {
        self.maybe_text(column)?.ok_or_else(|| odd(column))
    }

    pub(super) fn maybe_text(&self, column: usize) -> Result<Option<&str>, Error> {
        match self.0.get(column) {
            Some(Cell::Nothing) => Ok(None),
            Some(Cell::Text(text)) => Ok(Some(text)),
            Some(Cell::Number(_)) | None => Err(odd(column)),
        }
    }

    pub(super) fn number(&self, column: usize) -> Result<i64, Error> {
        self.maybe_number(column)?.ok_or_else(|| odd(column))
    }

    pub(super) fn maybe_number(&self, column: usize) -> Result<Option<i64>, Error> {
        match self.0.get(column) {
            Some(Cell::Nothing) => Ok(None),
            Some(Cell::Number(number)) => Ok(Some(*number)),
            Some(Cell::Text(_)) | None => Err(odd(column)),
        }
    }
}

fn odd(column: usize) -> Error {
    Error::Corrupt(format!("column {column} is not what it should be"))
}
