//! Replays: begun, driven, told to stop, ended.

use std::time::Duration;

use super::rows::{clean, enter, json, small, timestamp, whole};
use super::types::{
    Driving, EntryOutcome, EntryStage, Mark, Marked, NewReplay, Replay, ReplayCounts, ReplayEntry,
    ReplayState,
};
use crate::escalation::DeadLetterId;
use crate::ledger::desk::{Cells, Desk, Value};
use crate::ledger::rules::from_json;
use crate::ledger::{Deed, Entered, Error};

const BEGIN: &str = "INSERT INTO replays (id, what, state, entered, per_minute, began_at) VALUES ($1, $2, 'running', $3, $4, $5)
     ON CONFLICT (id) DO NOTHING";
const REPLAY: &str = "SELECT id, what, state, entered, per_minute, began_at, ended_at, driver, driver_until, marked FROM replays WHERE id = $1";
const REPLAY_LOCKED: &str = "SELECT id, what, state, entered, per_minute, began_at, ended_at, driver, driver_until, marked FROM replays WHERE id = $1 FOR UPDATE";
const REPLAYS: &str = "SELECT id, what, state, entered, per_minute, began_at, ended_at, driver, driver_until, marked FROM replays
     ORDER BY began_at DESC, id DESC LIMIT $1";
pub(super) const COUNTS: &str =
    "SELECT stage, outcome, count(*) FROM replay_entries WHERE replay = $1 GROUP BY stage, outcome";
const LAST_NUMBER: &str = "SELECT coalesce(max(number), 0) FROM replay_entries WHERE replay = $1";
pub(super) const ENTRIES: &str =
    "SELECT number, letter, expects, stage, outcome, detail FROM replay_entries
     WHERE replay = $1 AND number > $2 ORDER BY number LIMIT $3";
pub(super) const UNDONE: &str =
    "SELECT number, letter, expects, stage, outcome, detail FROM replay_entries
     WHERE replay = $1 AND stage <> 'over' AND number > $2 ORDER BY number LIMIT $3";
/// Of an entry.
const COLUMNS: usize = 7;
const ALL_MARKED: &str = "UPDATE replays SET marked = 1 WHERE id = $1";
const DRIVE: &str = "UPDATE replays SET driver = $2, driver_until = $3 WHERE id = $1";
const SET_STATE: &str = "UPDATE replays SET state = $2 WHERE id = $1";
const END: &str = "UPDATE replays SET state = $2, ended_at = $3, driver = NULL, driver_until = NULL WHERE id = $1";

/// Begins one; a second time with the same id changes nothing.
pub(in crate::ledger) async fn begin_replay(
    desk: &impl Desk,
    new: NewReplay,
) -> Result<Replay, Error> {
    let now = desk.now().await?;
    let values = [
        (&new.id).into(),
        clean(&new.what),
        json(&new.entered)?,
        new.per_minute.into(),
        now.into(),
    ];
    if desk.change(BEGIN, &values).await? > 0 {
        enter(
            desk,
            Entered {
                what: Some(format!("{}: {}", new.id, new.what)),
                ..new.entered
            },
        )
        .await?;
    }
    let there = replay(desk, new.id).await?;
    there.ok_or_else(|| Error::Corrupt("a replay was not begun".to_owned()))
}

pub(in crate::ledger) async fn replay(
    desk: &impl Desk,
    id: String,
) -> Result<Option<Replay>, Error> {
    one(desk, REPLAY, &id).await
}

/// The newest first.
pub(in crate::ledger) async fn replays(desk: &impl Desk, limit: u32) -> Result<Vec<Replay>, Error> {
    let now = desk.now().await?;
    let mut all = Vec::new();
    for row in desk.rows(REPLAYS, &[limit.into()]).await? {
        all.push(read(desk, &row, now).await?);
    }
    Ok(all)
}

async fn one(desk: &impl Desk, sql: &str, id: &str) -> Result<Option<Replay>, Error> {
    let Some(row) = desk.first(sql, &[id.into()]).await? else {
        return Ok(None);
    };
    let now = desk.now().await?;
    read(desk, &row, now).await.map(Some)
}

async fn read(desk: &impl Desk, row: &Cells, now: i64) -> Result<Replay, Error> {
    let id = row.text(0)?.to_owned();
    let state = row.text(2)?;
    let mut states = ReplayState::ALL.into_iter();
    let driver = row.maybe_text(7)?;
    let left = row.maybe_number(8)?.unwrap_or_default() - now;
    Ok(Replay {
        counts: counts(desk, &id).await?,
        what: row.text(1)?.to_owned(),
        state: states
            .find(|known| known.as_str() == state)
            .ok_or_else(|| Error::Corrupt(format!("the state of {id}")))?,
        entered: from_json(row.text(3)?)?,
        per_minute: small(row.number(4)?),
        marked: row.number(9)? == 1,
        began_at: timestamp(row.number(5)?)?,
        ended_at: row.maybe_number(6)?.map(timestamp).transpose()?,
        driver: driver.filter(|_| left > 0).map(|driver| {
            let left = Duration::from_millis(left.unsigned_abs());
            (driver.to_owned(), left)
        }),
        id,
    })
}

async fn counts(desk: &impl Desk, id: &str) -> Result<ReplayCounts, Error> {
    let mut counts = ReplayCounts::default();
    for row in desk.rows(COUNTS, &[id.into()]).await? {
        let place = match (stage(row.text(0)?)?, outcome(row.maybe_text(1)?)?) {
            (EntryStage::Marked, _) => &mut counts.marked,
            (EntryStage::Staged, _) => &mut counts.staged,
            (EntryStage::Over, Some(EntryOutcome::Replayed)) => &mut counts.replayed,
            (EntryStage::Over, Some(EntryOutcome::NothingToDo)) => &mut counts.nothing,
            (EntryStage::Over, Some(EntryOutcome::Refused) | None) => &mut counts.refused,
            (EntryStage::Over, Some(EntryOutcome::LetGo)) => &mut counts.let_go,
        };
        *place += whole(row.number(2)?);
    }
    Ok(counts)
}

fn stage(name: &str) -> Result<EntryStage, Error> {
    let mut all = [EntryStage::Marked, EntryStage::Staged, EntryStage::Over].into_iter();
    all.find(|stage| stage.as_str() == name)
        .ok_or_else(|| Error::Corrupt(format!("there is no stage {name}")))
}

fn outcome(name: Option<&str>) -> Result<Option<EntryOutcome>, Error> {
    let Some(name) = name else { return Ok(None) };
    let mut all = EntryOutcome::ALL.into_iter();
    let found = all.find(|outcome| outcome.as_str() == name);
    found
        .map(Some)
        .ok_or_else(|| Error::Corrupt(format!("there is no outcome {name}")))
}

/// Makes letters this replay's, in the order given. One that is another's, or closed, gets an entry that says so; and so does each
/// once the replay is told to stop, or is over. A letter that is in it already is passed over, so that it may be asked for again.
pub(in crate::ledger) async fn mark(
    desk: &impl Desk,
    id: String,
    marks: Vec<Mark>,
) -> Result<Marked, Error> {
    let mut marked = Marked::default();
    if marks.is_empty() {
        return Ok(marked);
    }
    let replay: Value<'_> = (&id).into();
    // So that two who mark for one replay count one after the other, and nobody ends it meanwhile.
    let Some(there) = one(desk, REPLAY_LOCKED, &id).await? else {
        return Err(Error::Corrupt(format!("there is no replay {id}")));
    };
    let running = there.state == ReplayState::Running;
    let ids: Vec<Value<'_>> = marks
        .iter()
        .map(|mark| mark.letter.as_str().into())
        .collect();
    let listed = |first: usize, count: usize| {
        let signs: Vec<_> = (first..first + count).map(|n| format!("${n}")).collect();
        signs.join(", ")
    };
    let values = [std::slice::from_ref(&replay), ids.as_slice()].concat();
    let in_it = format!(
        "SELECT letter FROM replay_entries WHERE replay = $1 AND letter IN ({})",
        listed(2, ids.len())
    );
    let in_it = desk.rows(&in_it, &values).await?;
    // In the order of their ids, as everybody locks several.
    let locked = format!(
        "SELECT id, state, claimed_by, closed FROM dead_letters WHERE id IN ({}) ORDER BY id FOR UPDATE",
        listed(1, ids.len())
    );
    let locked = desk.rows(&locked, &ids).await?;
    let row = desk
        .first(LAST_NUMBER, std::slice::from_ref(&replay))
        .await?;
    let mut number = row.map_or(Ok(0), |row| row.number(0))?;
    let mut taken = vec![replay.clone()];
    let mut rows: Vec<Value<'_>> = Vec::new();
    let mut count = 0;
    for mark in &marks {
        let is_it = |row: &&Cells| row.text(0).is_ok_and(|id| id == mark.letter.as_str());
        if in_it.iter().any(|row| is_it(&row)) {
            continue;
        }
        let refused = match locked.iter().find(is_it) {
            None => Some("the ledger has no such letter".to_owned()),
            Some(row) => not_to_be_had(row, &id)?,
        };
        let (stage, outcome, detail) = match (refused, running) {
            (Some(why), _) => (EntryStage::Over, Some(EntryOutcome::Refused), Some(why)),
            (None, false) => {
                let why = "the replay was told to stop before it had this letter".to_owned();
                (EntryStage::Over, Some(EntryOutcome::LetGo), Some(why))
            }
            (None, true) => (EntryStage::Marked, None, None),
        };
        match stage {
            EntryStage::Marked => {
                taken.push(mark.letter.as_str().into());
                marked.taken += 1;
            }
            EntryStage::Staged | EntryStage::Over => marked.refused += 1,
        }
        number += 1;
        count += 1;
        rows.extend([
            replay.clone(),
            number.into(),
            mark.letter.as_str().into(),
            mark.expects.as_deref().into(),
            stage.as_str().into(),
            outcome.map(EntryOutcome::as_str).into(),
            detail.map_or(Value::NoText, Value::Owned),
        ]);
    }
    if count == 0 {
        return Ok(marked);
    }
    if taken.len() > 1 {
        let claim = format!(
            "UPDATE dead_letters SET claimed_by = $1 WHERE id IN ({})",
            listed(2, taken.len() - 1)
        );
        desk.change(&claim, &taken).await?;
    }
    let rows_of: Vec<_> = (0..count)
        .map(|row| format!("({})", listed(row * COLUMNS + 1, COLUMNS)))
        .collect();
    let insert = format!(
        "INSERT INTO replay_entries (replay, number, letter, expects, stage, outcome, detail) VALUES {}",
        rows_of.join(", ")
    );
    desk.change(&insert, &rows).await?;
    Ok(marked)
}

/// Every letter that was chosen has its entry.
pub(in crate::ledger) async fn all_marked(desk: &impl Desk, id: String) -> Result<(), Error> {
    desk.change(ALL_MARKED, &[(&id).into()]).await.map(drop)
}

fn not_to_be_had(row: &Cells, replay: &str) -> Result<Option<String>, Error> {
    if row.text(1)? != "open" {
        let closed: Option<super::types::Closed> = row.maybe_text(3)?.map(from_json).transpose()?;
        return Ok(Some(closed.map_or_else(
            || "it is closed".to_owned(),
            |closed| {
                format!(
                    "it is closed: {} by {}, {:.0}",
                    closed.how.as_str(),
                    closed.by,
                    closed.at
                )
            },
        )));
    }
    let other = row.maybe_text(2)?.filter(|other| *other != replay);
    Ok(other.map(|other| format!("replay {other} has it")))
}

/// Entries in their order, behind this number; all, or those that are not over.
pub(in crate::ledger) async fn replay_entries(
    desk: &impl Desk,
    id: String,
    undone: bool,
    behind: u64,
    limit: u32,
) -> Result<Vec<ReplayEntry>, Error> {
    let sql = if undone { UNDONE } else { ENTRIES };
    let behind = i64::try_from(behind).unwrap_or(i64::MAX);
    let rows = desk
        .rows(sql, &[(&id).into(), behind.into(), limit.into()])
        .await?;
    let entries = rows.iter().map(|row| {
        Ok(ReplayEntry {
            number: whole(row.number(0)?),
            letter: DeadLetterId::from_ledger(row.text(1)?.to_owned()),
            expects: row.maybe_text(2)?.map(str::to_owned),
            stage: stage(row.text(3)?)?,
            outcome: outcome(row.maybe_text(4)?)?,
            detail: row.maybe_text(5)?.map(str::to_owned),
        })
    });
    entries.collect()
}

/// Says that this driver drives it for so long; no time at all gives it up. One who is not heard of in that time drives no
/// more.
pub(in crate::ledger) async fn drive_replay(
    desk: &impl Desk,
    id: String,
    driver: String,
    lease: Duration,
) -> Result<Driving, Error> {
    let Some(there) = one(desk, REPLAY_LOCKED, &id).await? else {
        return Ok(Driving::Unknown);
    };
    if let Some((other, _)) = &there.driver
        && *other != driver
    {
        return Ok(Driving::Busy(other.clone()));
    }
    if there.state.is_over() {
        return Ok(Driving::Yes(Box::new(there)));
    }
    let now = desk.now().await?;
    let values = match lease.is_zero() {
        true => [(&id).into(), Value::NoText, Value::NoNumber],
        false => {
            let until = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX / 4) + now;
            [(&id).into(), (&driver).into(), until.into()]
        }
    };
    desk.change(DRIVE, &values).await?;
    let there = Replay {
        driver: (!lease.is_zero()).then_some((driver, lease)),
        ..there
    };
    Ok(Driving::Yes(Box::new(there)))
}

/// Tells it to stop. `None`: there is no such replay.
pub(in crate::ledger) async fn cancel_replay(
    desk: &impl Desk,
    id: String,
    entered: Entered,
) -> Result<Option<Replay>, Error> {
    let Some(there) = one(desk, REPLAY_LOCKED, &id).await? else {
        return Ok(None);
    };
    let state = match there.state {
        ReplayState::Running => ReplayState::Cancelling,
        other @ (ReplayState::Cancelling | ReplayState::Done | ReplayState::Cancelled) => other,
    };
    desk.change(SET_STATE, &[(&id).into(), state.as_str().into()])
        .await?;
    let result = match there.state.is_over() {
        true => "it had ended".to_owned(),
        false => format!("told to stop; so far {}", there.counts.in_words()),
    };
    enter(
        desk,
        Entered {
            what: Some(id),
            result: Some(result),
            ..entered
        },
    )
    .await?;
    Ok(Some(Replay { state, ..there }))
}

/// Ends it, if nothing of it is left to do; says what it is now.
pub(in crate::ledger) async fn end_replay(
    desk: &impl Desk,
    id: String,
) -> Result<Option<Replay>, Error> {
    let Some(there) = one(desk, REPLAY_LOCKED, &id).await? else {
        return Ok(None);
    };
    if there.state.is_over() || there.counts.left() > 0 {
        return Ok(Some(there));
    }
    let state = match there.state {
        ReplayState::Running if there.marked => ReplayState::Done,
        // Whoever began it did not come to the end of the letters that were chosen.
        ReplayState::Running | ReplayState::Cancelling => ReplayState::Cancelled,
        over @ (ReplayState::Done | ReplayState::Cancelled) => over,
    };
    let mut result = there.counts.in_words();
    if !there.marked {
        result.push_str("; not all letters that were chosen are in it");
    }
    let now = desk.now().await?;
    desk.change(END, &[(&id).into(), state.as_str().into(), now.into()])
        .await?;
    enter(
        desk,
        Entered {
            deed: Deed::ReplayEnded,
            what: Some(id),
            result: Some(result),
            ..there.entered.clone()
        },
    )
    .await?;
    Ok(Some(Replay {
        state,
        ended_at: Some(timestamp(now)?),
        driver: None,
        ..there
    }))
}
