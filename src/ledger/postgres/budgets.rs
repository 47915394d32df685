//! The pool's permits.

use super::super::rules;
use super::link::{Link, get};
use super::sql;
use crate::ledger::Error;
use crate::pacing::{Exchange, Grant};

pub(super) async fn exchange(
    link: &Link,
    account: String,
    asked: Exchange,
) -> Result<Grant, Error> {
    let account = account.as_str();
    // So that there is a row to lock: of two who come at once, one waits for the other here.
    let looking = async {
        tokio::try_join!(biased;
            link.execute(sql::ENSURE_BUDGET, [&account]),
            link.first(sql::BUDGET_LOCKED, [&account]),
        )
    };
    let (_, row) = link.begin(looking).await?;
    let row = row.ok_or_else(|| Error::Corrupt("the budget has gone".to_owned()))?;
    // The time may be one from before the wait for the row. Too early is the safe side: what comes back does so later.
    let (kept, now): (String, i64) = (get(&row, 0)?, get(&row, 1)?);
    let (grant, budget) = rules::exchanged(Some(&kept), now, &asked)?;
    link.commit(link.execute(sql::BUDGET, [&account, &budget, &now]))
        .await?;
    Ok(grant)
}
