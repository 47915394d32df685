//! What was found out about a Genesys.

use super::super::rules::{self, from_json, to_json};
use super::link::{Link, get};
use super::sql;
use crate::escalation::Finding;
use crate::ledger::Error;

pub(super) async fn read(link: &Link, account: String) -> Result<Option<Finding>, Error> {
    match link.first(sql::FINDING, [&account.as_str()]).await? {
        Some(row) => from_json(&get::<String>(&row, 0)?).map(Some),
        None => Ok(None),
    }
}

pub(super) async fn learn(link: &Link, account: String, news: Finding) -> Result<Finding, Error> {
    let account = account.as_str();
    let first = to_json(&news)?;
    // So that there is a row to lock: of two who come first, one waits for the other here.
    let looking = async {
        tokio::try_join!(biased;
            link.execute(sql::ENSURE_FINDING, [&account, &first]),
            link.first(sql::FINDING_LOCKED, [&account]),
        )
    };
    let (_, row) = link.begin(looking).await?;
    let known = match row {
        Some(row) => Some(from_json(&get::<String>(&row, 0)?)?),
        None => None,
    };
    let learned = rules::learned(known, news);
    let text = to_json(&learned)?;
    link.commit(link.execute(sql::FOUND, [&account, &text]))
        .await?;
    Ok(learned)
}
