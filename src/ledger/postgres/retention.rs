//! Forgetting. It waits for no lock: what somebody is writing to just now is not forgotten this time.

use std::collections::BTreeSet;
use tokio_postgres::Row;

use super::super::desk::Desk;
use super::link::{Link, get};
use super::{millis, sql};
use crate::ledger::letters;
use crate::ledger::{Error, Pruned, Retention, State};

pub(super) async fn prune(link: &Link, retention: Retention) -> Result<Pruned, Error> {
    let mut pruned = Pruned::default();
    for state in State::ALL {
        let left = u64::from(retention.at_most).saturating_sub(pruned.escalations);
        let history_left = retention.history().saturating_sub(pruned.history);
        let forgotten = forget(link, &retention, state, left, history_left).await?;
        pruned.escalations += forgotten.escalations;
        pruned.history += forgotten.history;
        pruned.conversations += forgotten.conversations;
    }
    let at_most = i64::from(retention.at_most);
    let age = millis(retention.escalations);
    let old = link.begin(link.all(sql::OLD_RESOLUTIONS, [&age, &at_most]));
    let old = texts(&old.await?)?;
    let forgetting = link.execute(sql::FORGET_RESOLUTIONS, [&old]);
    pruned.resolutions = link.commit(forgetting).await?;

    let age = millis(retention.links);
    let old = link.begin(link.all(sql::OLD_LINKS, [&age, &at_most]));
    let old = texts(&old.await?)?;
    pruned.links = link.commit(link.execute(sql::FORGET_LINKS, [&old])).await?;

    link.begin(async { Ok(()) }).await?;
    let before = Desk::now(link).await? - millis(retention.escalations);
    pruned.letters = letters::forget(link, before, retention.at_most).await?;
    link.commit(async { Ok(()) }).await?;
    Ok(pruned)
}

/// Two statements, with two views of the data: whoever claimed one of the conversations before the first one locked it is
/// seen by the second, and whoever comes later finds no row and begins anew. In a single one it could be an old view that
/// says that nobody tells of it.
async fn forget(
    link: &Link,
    retention: &Retention,
    state: State,
    left: u64,
    history_left: u64,
) -> Result<Pruned, Error> {
    let (state, age) = (state.as_str(), millis(retention.escalations));
    let left = i64::try_from(left).unwrap_or(i64::MAX);
    // Most have a short history, and some a very long one, of a day in which a vendor was away.
    let history_left = i64::try_from(history_left).unwrap_or(i64::MAX);
    let looking = link.all(sql::FORGETTABLE, [&state, &age, &left]);
    let rows = link.begin(looking).await?;
    let keys = texts(&rows)?;
    let conversations = rows.iter().map(|row| get(row, 1));
    let conversations: BTreeSet<Option<String>> = conversations.collect::<Result<_, _>>()?;
    let conversations: Vec<String> = conversations.into_iter().flatten().collect();
    let locking = async {
        tokio::try_join!(biased;
            link.execute(sql::FORGET_HISTORY, [&keys, &history_left]),
            link.execute(sql::FORGET, [&keys]),
            link.all(sql::LOCK_CONVERSATIONS, [&conversations]),
        )
    };
    let (history, escalations, locked) = locking.await?;
    let locked = texts(&locked)?;
    let forgetting = link.execute(sql::FORGET_CONVERSATIONS, [&locked]);
    Ok(Pruned {
        escalations,
        history,
        conversations: link.commit(forgetting).await?,
        ..Pruned::default()
    })
}

fn texts(rows: &[Row]) -> Result<Vec<String>, Error> {
    rows.iter().map(|row| get(row, 0)).collect()
}
