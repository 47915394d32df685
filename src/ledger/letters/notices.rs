//! Telling incidents: who does it next, and what came of it.

use std::time::Duration;

use super::rows::{self, json, letter_columns, letter_row, tell};
use super::types::NoticeTask;
use crate::escalation::{DeadLetterId, EntryKind, Notice};
use crate::ledger::Error;
use crate::ledger::desk::{Desk, Value};

pub(super) const NEXT: &str = concat!(
    letter_columns!(),
    " WHERE notice_due <= $1 ORDER BY notice_due LIMIT 1 FOR UPDATE SKIP LOCKED"
);
const TAKE: &str =
    "UPDATE dead_letters SET notice_due = $2, notice_epoch = notice_epoch + 1 WHERE id = $1";
const RECORD: &str = "UPDATE dead_letters SET notice = $3 WHERE id = $1 AND notice_epoch = $2";
const RECORD_LATER: &str =
    "UPDATE dead_letters SET notice = $3, notice_due = $4 WHERE id = $1 AND notice_epoch = $2";

/// A letter that this program cannot read is looked at again after so long.
const UNREADABLE_MS: i64 = 600_000;

/// Takes the incident that has to be told next, for so long: should nothing be recorded until then, somebody else takes it.
pub(in crate::ledger) async fn take_notice(
    desk: &impl Desk,
    lease: Duration,
) -> Result<Option<NoticeTask>, Error> {
    let now = desk.now().await?;
    let Some(cells) = desk.first(NEXT, &[now.into()]).await? else {
        return Ok(None);
    };
    let until = now + i64::try_from(lease.as_millis()).unwrap_or(i64::MAX / 4);
    let row = match letter_row(&cells) {
        Ok(row) => row,
        Err(_) => {
            // A newer program wrote it. It is not to keep the others from being told.
            let later = now + UNREADABLE_MS;
            desk.change(TAKE, &[cells.text(9)?.into(), later.into()])
                .await?;
            return Ok(None);
        }
    };
    let id = row.letter.letter.id.as_str();
    desk.change(TAKE, &[id.into(), until.into()]).await?;
    let key = row.letter.letter.key.clone();
    let escalation = match &key {
        Some(key) => rows::readable_escalation(desk, key).await?,
        None => None,
    };
    Ok(Some(NoticeTask {
        epoch: (row.notice_epoch + 1).unsigned_abs(),
        escalation: escalation.map(|row| (row.known.state, row.is_held())),
        letter: row.letter,
        key,
    }))
}

/// Records what is known of a notice, for whoever took it under this number. `again_in`: when it is to be looked at next,
/// where it is not over; without one the time of whoever took it goes on.
pub(in crate::ledger) async fn record_notice(
    desk: &impl Desk,
    id: DeadLetterId,
    epoch: u64,
    notice: Notice,
    again_in: Option<Duration>,
) -> Result<(), Error> {
    let epoch = i64::try_from(epoch).unwrap_or(i64::MAX);
    let mut values: Vec<Value<'_>> = vec![id.as_str().into(), epoch.into(), json(&notice)?];
    let changed = match (notice.is_due(), again_in) {
        (true, None) => desk.change(RECORD, &values).await?,
        (true, Some(again_in)) => {
            let until = i64::try_from(again_in.as_millis()).unwrap_or(i64::MAX / 4);
            values.push((desk.now().await? + until).into());
            desk.change(RECORD_LATER, &values).await?
        }
        (false, _) => {
            values.push(Value::NoNumber);
            desk.change(RECORD_LATER, &values).await?
        }
    };
    if changed == 0 {
        return Err(Error::Fenced);
    }
    if notice.is_due() {
        return Ok(());
    }
    let Some(row) = rows::locked_letter(desk, &id).await? else {
        return Ok(());
    };
    if let Some(key) = &row.letter.letter.key
        && let Ok(Some(found)) = rows::locked_escalation(desk, key).await
    {
        let what = format!("of its death: {}", notice.in_words());
        tell(desk, key, found.known.epoch, EntryKind::Told, what).await?;
    }
    Ok(())
}
