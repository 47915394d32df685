//! The pool as one.

use std::time::Duration;
use tokio_postgres::Row;

use super::super::rules::{from_json, to_json};
use super::link::{Link, get};
use super::{millis, sql, timestamp};
use crate::ledger::{Audited, Entered, Error, Orders, Presence, Present};

pub(super) async fn report(link: &Link, presence: Presence) -> Result<Orders, Error> {
    let said = to_json(&presence)?;
    link.execute(sql::REPORT, [&presence.name, &said]).await?;
    orders(link).await
}

pub(super) async fn leave(link: &Link, name: String) -> Result<(), Error> {
    link.execute(sql::LEAVE, [&name]).await.map(drop)
}

pub(super) async fn orders(link: &Link) -> Result<Orders, Error> {
    let row = link.first(sql::ORDERS, []).await?;
    row.as_ref().map(audited).transpose()
}

pub(super) async fn enter(link: &Link, entered: Entered) -> Result<Audited, Error> {
    let (action, entry) = (entered.deed.as_str(), to_json(&entered)?);
    let row = link.first(sql::ENTER, [&action, &entry]).await?;
    let row = row.ok_or_else(|| Error::Corrupt("an entry was not entered".to_owned()))?;
    audited(&row)
}

pub(super) async fn present(link: &Link, within: Duration) -> Result<Vec<Present>, Error> {
    let rows = link.all(sql::PRESENT, [&millis(within)]).await?;
    let present = rows.iter().map(|row| {
        let ago: i64 = get(row, 1)?;
        Ok(Present {
            said: from_json(&get::<String>(row, 0)?)?,
            seen_ago: Duration::from_millis(u64::try_from(ago).unwrap_or_default()),
        })
    });
    present.collect()
}

pub(super) async fn audit(link: &Link, limit: u32) -> Result<Vec<Audited>, Error> {
    let rows = link.all(sql::AUDIT, [&i64::from(limit)]).await?;
    rows.iter().map(audited).collect()
}

fn audited(row: &Row) -> Result<Audited, Error> {
    let number: i64 = get(row, 0)?;
    Ok(Audited {
        number: number.unsigned_abs(),
        at: timestamp(get(row, 1)?)?,
        entered: from_json(&get::<String>(row, 2)?)?,
    })
}
