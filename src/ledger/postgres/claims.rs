//! Who may act for an escalation.

use jiff::Timestamp;
use tokio_postgres::Row as SqlRow;

use super::super::rules::{self, Judged, Row, to_json};
use super::link::{Link, get};
use super::{LOOKS, count, millis, sql, timestamp};
use crate::escalation::{Key, Trigger};
use crate::ledger::{Claim, ClaimRequest, Error};

/// What a claim finds.
struct Seen {
    row: Option<(Key, Row)>,
    earlier: Option<Key>,
    resolved_at: Option<Timestamp>,
}

pub(super) async fn claim(link: &Link, request: ClaimRequest) -> Result<Claim, Error> {
    for _ in 0..LOOKS {
        if let Some(claim) = look_and_take(link, &request).await? {
            return Ok(claim);
        }
    }
    let text = format!("others wrote to {} {LOOKS} times", request.incident);
    Err(Error::Unavailable(text))
}

/// `None`: there was no row, and when it was to be made there was one.
async fn look_and_take(link: &Link, request: &ClaimRequest) -> Result<Option<Claim>, Error> {
    let named = Key::of(&request.incident, &request.trigger);
    let seen = link.begin(look(link, request, &named)).await?;
    let (key, row) = match seen.row {
        Some((key, row)) => (key, Some(row)),
        None => (named, None),
    };
    if let Some(row) = &row {
        let refused = match rules::judge(row, request.cycle)? {
            Judged::Ended(end) => Some(Claim::Ended {
                key: key.clone(),
                end,
                attempts: row.attempts,
                cycle: row.cycle,
            }),
            Judged::Outdated => Some(Claim::Outdated { key: key.clone() }),
            Judged::Held(free_in) => Some(Claim::Held {
                key: key.clone(),
                free_in,
            }),
            Judged::Free => None,
        };
        if refused.is_some() {
            link.roll_back().await?;
            return Ok(refused);
        }
    }
    if let Some(earlier) = seen.earlier {
        link.roll_back().await?;
        return Ok(Some(Claim::Waits { key, earlier }));
    }
    let granted = rules::granted(request, key, row.as_ref(), seen.resolved_at)?;
    let story = to_json(&rules::claim_story(request, row.as_ref(), Timestamp::now()))?;
    let (key, lease) = (granted.held.key.as_str(), millis(request.lease));
    let taken = match &row {
        Some(_) => {
            let writing = async {
                tokio::try_join!(biased;
                    link.execute(sql::TAKE_AGAIN, [&key, &request.owner, &lease]),
                    link.execute(sql::TELL, [&key, &story]),
                )
            };
            link.commit(writing).await?.0
        }
        None => {
            let (incident, progress) = (request.incident.as_str(), to_json(&granted.progress)?);
            let cycle = i64::from(granted.cycle);
            let accepted_at = request.accepted_at.as_millisecond();
            let occurred_at = request.occurred_at.as_millisecond();
            let writing = link.execute(
                sql::TAKE_FIRST,
                [
                    &key,
                    &incident,
                    &request.owner,
                    &lease,
                    &accepted_at,
                    &occurred_at,
                    &progress,
                    &story,
                    &cycle,
                ],
            );
            link.commit(writing).await?
        }
    };
    Ok((taken > 0).then(|| Claim::Granted(Box::new(granted))))
}

/// Locks the row, if there is one; then looks at all the rest. Without a row nothing is locked: of two who make it, one
/// finds out that he is second.
async fn look(link: &Link, request: &ClaimRequest, named: &Key) -> Result<Seen, Error> {
    let incident = request.incident.as_str();
    let key = named.as_str();
    let occurred_at = request.occurred_at.as_millisecond();
    let expires_after = millis(request.expires_after);
    let row = async {
        match request.trigger {
            Trigger::First | Trigger::Reopened { .. } => link.first(sql::ROW, [&key]).await,
            Trigger::Current => link.first(sql::NEWEST_ROW, [&incident]).await,
        }
    };
    let earlier = async {
        match request.trigger {
            Trigger::First | Trigger::Current => Ok(None),
            Trigger::Reopened { .. } => {
                link.first(
                    sql::EARLIER,
                    [&incident, &key, &occurred_at, &expires_after],
                )
                .await
            }
        }
    };
    let (row, earlier, (now, resolved_at)) =
        tokio::try_join!(biased; row, earlier, super::now_and_resolved(link, incident))?;
    Ok(Seen {
        row: row.map(|row| read(&row, now)).transpose()?,
        earlier: earlier
            .map(|row| get(&row, 0).map(Key::from_ledger))
            .transpose()?,
        resolved_at,
    })
}

fn read(row: &SqlRow, now: i64) -> Result<(Key, Row), Error> {
    let at = |column| timestamp(get(row, column)?);
    let known = Row {
        state: get(row, 1)?,
        epoch: get(row, 2)?,
        owner: get(row, 3)?,
        lease_left_ms: get::<i64>(row, 4)?.saturating_sub(now),
        attempts: count(get(row, 5)?),
        takeovers: count(get(row, 6)?),
        cycle: count(get(row, 11)?),
        accepted_at: at(7)?,
        occurred_at: at(8)?,
        progress: get(row, 9)?,
        ending: get(row, 10)?,
    };
    Ok((Key::from_ledger(get(row, 0)?), known))
}
