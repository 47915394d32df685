//! Staging and settling: an entry of a replay goes its way.

use jiff::Timestamp;

use super::rows::{clean, json, locked_escalation, locked_letter, tell, timestamp};
use super::types::{Closed, Closing, EntryOutcome, EntryStage, Staged};
use crate::escalation::{
    DeadLetter, DeadLetterId, EntryKind, EventId, FailureNote, Key, Lane, Message, Notice,
    Progress, Start, Task, Trigger,
};
use crate::ledger::desk::Desk;
use crate::ledger::rules::from_json;
use crate::ledger::{Entered, Error, Known, State};

pub(super) const ENTRY: &str =
    "SELECT letter, stage FROM replay_entries WHERE replay = $1 AND number = $2 FOR UPDATE";
const STAGE: &str = "UPDATE replay_entries SET stage = $3 WHERE replay = $1 AND number = $2";
const REOPEN: &str = "UPDATE escalations
     SET state = 'open', ending = NULL, code = NULL, ended_at = NULL, attempts = 0, cycle = $2, accepted_at = $3,
         epoch = epoch + 1, owner = NULL, lease_until = 0, progress = $4
     WHERE key = $1";
const BEGIN: &str = "INSERT INTO escalations
       (key, incident_id, state, epoch, owner, lease_until, accepted_at, occurred_at, created_at, progress, cycle)
     VALUES ($1, $2, 'open', 0, NULL, 0, $3, $4, $3, $5, $6)";
const HAND_ON: &str = "UPDATE dead_letters SET notice = $2, notice_due = NULL, notice_epoch = notice_epoch + 1 WHERE id = $1";
const SIBLINGS: &str =
    "SELECT id, notice FROM dead_letters WHERE key = $1 AND id <> $2 ORDER BY id FOR UPDATE";
const WHO: &str = "SELECT entered FROM replays WHERE id = $1";
const SETTLE: &str = "UPDATE replay_entries SET stage = 'over', outcome = $3, detail = $4 WHERE replay = $1 AND number = $2";
const LET_GO: &str = "UPDATE dead_letters SET claimed_by = NULL WHERE id = $1 AND claimed_by = $2";
const CLOSE: &str =
    "UPDATE dead_letters SET claimed_by = NULL, state = 'closed', closed = $3, closed_at = $4
     WHERE id = $1 AND claimed_by = $2 AND state = 'open'";
const NOTHING_TO_TELL: &str =
    "UPDATE dead_letters SET notice = $2, notice_due = NULL, notice_epoch = notice_epoch + 1
     WHERE id = $1 AND notice_due IS NOT NULL";

/// An entry, locked.
struct Entry {
    letter: DeadLetterId,
    stage: String,
}

async fn entry(desk: &impl Desk, replay: &str, number: u64) -> Result<Entry, Error> {
    let row = desk
        .first(ENTRY, &[replay.into(), signed(number).into()])
        .await?;
    let row = row.ok_or_else(|| Error::Corrupt(format!("{replay} has no entry {number}")))?;
    Ok(Entry {
        letter: DeadLetterId::from_ledger(row.text(0)?.to_owned()),
        stage: row.text(1)?.to_owned(),
    })
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What an escalation says to a replay of its letter.
#[derive(Debug, Clone, PartialEq)]
pub enum Outlook {
    /// It can be begun anew, from this message.
    Free(Box<Again>),
    /// There is nothing to do, for this reason.
    Nothing(String),
    /// It must not be, for this reason.
    Refused(String),
}

/// What a replay begins from.
#[derive(Debug, Clone, PartialEq)]
pub struct Again {
    /// Its escalation.
    pub key: Key,
    /// The message, in the cycle after the letter's, and on the lane that starves nobody.
    pub message: Message,
    /// Its particulars.
    pub start: Start,
}

/// Whether a letter can be begun anew, as far as the ledger knows. Staging asks this under locks, a plan without.
#[must_use]
pub fn outlook(letter: &DeadLetter, known: Option<(&Known, u32)>, now: Timestamp) -> Outlook {
    let refused = |why: &str| Outlook::Refused(why.to_owned());
    let Some((key, message, before)) = what_to_send(letter) else {
        return refused("nobody can read it: there is no message in it to send");
    };
    if let Some((known, cycle)) = known {
        if cycle > before.cycle {
            let newer = DeadLetterId::of(&key, cycle);
            return Outlook::Nothing(match known.state {
                State::Dead => format!("it was begun anew already, and has died again: {newer}"),
                State::Open | State::Done | State::Cancelled => {
                    format!("it was begun anew already, and is {}", known.state.as_str())
                }
            });
        }
        let held = known
            .holder
            .as_ref()
            .is_some_and(|(_, left)| !left.is_zero());
        match known.state {
            State::Done | State::Cancelled => {
                let end = known.state.as_str();
                return Outlook::Nothing(format!("its escalation has ended: {end}"));
            }
            State::Open if held => return refused("a worker has it in hand just now"),
            State::Open | State::Dead => {}
        }
    }
    let start = Start {
        cycle: before.cycle.saturating_add(1),
        trigger: trigger_of(&key).unwrap_or_else(|| before.trigger.clone()),
        ..before
    };
    let mut message = message.asking(Task::Start(start.clone()));
    // A new wait for an agent, a new time until it expires.
    message.accepted_at = now;
    message.lane = Lane::Normal;
    Outlook::Free(Box::new(Again {
        key,
        message,
        start,
    }))
}

/// Opens an entry's escalation again, once, and says what to publish. Asked again, it says the same and changes nothing.
pub(in crate::ledger) async fn stage(
    desk: &impl Desk,
    replay: String,
    number: u64,
) -> Result<Staged, Error> {
    let refused = |why: &str| Ok(Staged::Refused(why.to_owned()));
    let entry = entry(desk, &replay, number).await?;
    if entry.stage == EntryStage::Over.as_str() {
        return Ok(Staged::Over);
    }
    let Some(row) = locked_letter(desk, &entry.letter).await? else {
        return refused("the ledger has no such letter");
    };
    if row.letter.claimed_by.as_deref() != Some(&replay) {
        return refused("it is not this replay's any more");
    }
    let letter = &row.letter.letter;
    let staged = entry.stage == EntryStage::Staged.as_str();
    // Once it is staged, its message is said again, whatever has become of the escalation since.
    let key = key_of(letter).filter(|_| !staged);
    let known = match &key {
        Some(key) => match locked_escalation(desk, key).await {
            Err(Error::Corrupt(why)) => {
                return Ok(Staged::Refused(format!(
                    "its escalation's row in the ledger cannot be read: {why}"
                )));
            }
            read => read?,
        },
        None => None,
    };
    let now = desk.now().await?;
    let found = known.as_ref().map(|row| (&row.known, row.cycle));
    let again = match outlook(letter, found, timestamp(now)?) {
        Outlook::Free(again) => *again,
        Outlook::Nothing(why) => return Ok(Staged::Nothing(why)),
        Outlook::Refused(why) => return Ok(Staged::Refused(why)),
    };
    if staged {
        return Ok(Staged::Publish(Box::new(again.message)));
    }
    let (key, cycle) = (&again.key, again.start.cycle);
    let carried = told_of(desk, key, &entry.letter, &row.letter.notice).await?;
    let epoch = match known {
        Some(found) => {
            let progress = found
                .known
                .progress
                .begun_anew(found.known.takeovers, carried);
            let values = [
                key.as_str().into(),
                cycle.into(),
                now.into(),
                json(&progress)?,
            ];
            desk.change(REOPEN, &values).await?;
            found.known.epoch + 1
        }
        None => {
            // No worker has ever claimed it. What its incident was told has to be known to whoever does.
            let progress = Progress::default().begun_anew(0, carried);
            let values = [
                key.as_str().into(),
                again.message.incident_id.as_str().into(),
                now.into(),
                again.message.event.occurred_at.as_millisecond().into(),
                json(&progress)?,
                cycle.into(),
            ];
            desk.change(BEGIN, &values).await?;
            0
        }
    };
    let who = desk.first(WHO, &[(&replay).into()]).await?;
    let who: Option<Entered> = who.map(|row| from_json(row.text(0)?)).transpose()?;
    let what = match who {
        Some(Entered {
            by, why: Some(why), ..
        }) => format!("by {by}, {replay}: {why}"),
        Some(Entered { by, why: None, .. }) => format!("by {by}, {replay}"),
        None => format!("by {replay}"),
    };
    tell(desk, key, epoch, EntryKind::Replayed, what).await?;
    let values = [
        (&replay).into(),
        signed(number).into(),
        EntryStage::Staged.as_str().into(),
    ];
    desk.change(STAGE, &values).await?;
    Ok(Staged::Publish(Box::new(again.message)))
}

/// What is known of the failure note, by whichever letter of the escalation; from now on it is the replay's to know, and nobody
/// tells the incident of any of them.
async fn told_of(
    desk: &impl Desk,
    key: &Key,
    id: &DeadLetterId,
    notice: &Notice,
) -> Result<Option<FailureNote>, Error> {
    let mut all = vec![(id.clone(), notice.clone())];
    let values = [key.as_str().into(), id.as_str().into()];
    for row in desk.rows(SIBLINGS, &values).await? {
        let id = DeadLetterId::from_ledger(row.text(0)?.to_owned());
        all.push((id, from_json(row.text(1)?)?));
    }
    for (id, notice) in &all {
        match notice {
            Notice::Due { .. } | Notice::Told { .. } | Notice::NotTold { .. } => {
                let values = [id.as_str().into(), json(&Notice::HandedOn)?];
                desk.change(HAND_ON, &values).await?;
            }
            Notice::Nobody | Notice::HandedOn => {}
        }
    }
    let known = all.iter().filter_map(|(_, notice)| notice.carried());
    // A note that is known is worth more than one that may be there.
    Ok(known.max_by_key(|known| known.note.is_some()))
}

/// The message of a letter; also of one whose bytes can be read by now, since the program is newer.
fn what_to_send(letter: &DeadLetter) -> Option<(Key, Message, Start)> {
    let read = match &letter.message {
        Some(message) => message.clone(),
        None => {
            let bytes = letter.bytes()?;
            // Of a message; or of a whole letter, which a newer program wrote.
            let message = Message::decode(&bytes).ok();
            message.or_else(|| DeadLetter::decode(&bytes).ok()?.message)?
        }
    };
    let Task::Start(start) = read.task.clone() else {
        return None;
    };
    let named = Key::of(&read.incident_id, &start.trigger);
    let key = match &letter.message {
        Some(_) => letter.key.clone().unwrap_or(named),
        None => named,
    };
    Some((key, read, start))
}

/// Which escalation a replay of it would begin anew.
fn key_of(letter: &DeadLetter) -> Option<Key> {
    what_to_send(letter).map(|(key, ..)| key)
}

/// By its key, so that it is this generation that begins anew, whatever has come since.
fn trigger_of(key: &Key) -> Option<Trigger> {
    match key.generation() {
        "0" => Some(Trigger::First),
        event => {
            let event = EventId::parse(event).ok()?;
            Some(Trigger::Reopened { event })
        }
    }
}

/// Ends an entry. One that is over stays as it is; one that is staged may only have been replayed, since its message may be in
/// a queue.
pub(in crate::ledger) async fn settle(
    desk: &impl Desk,
    replay: String,
    number: u64,
    outcome: EntryOutcome,
    detail: String,
) -> Result<(), Error> {
    let entry = entry(desk, &replay, number).await?;
    if entry.stage == EntryStage::Over.as_str() {
        return Ok(());
    }
    if entry.stage == EntryStage::Staged.as_str() && outcome != EntryOutcome::Replayed {
        return Err(Error::Corrupt(format!(
            "entry {number} of {replay} is staged, and can only be published"
        )));
    }
    let values = [
        (&replay).into(),
        signed(number).into(),
        outcome.as_str().into(),
        clean(&detail),
    ];
    desk.change(SETTLE, &values).await?;
    let id = entry.letter.as_str();
    let how = match outcome {
        EntryOutcome::Replayed => Closing::Replayed,
        EntryOutcome::NothingToDo => Closing::NothingToDo,
        EntryOutcome::Refused | EntryOutcome::LetGo => {
            return desk
                .change(LET_GO, &[id.into(), (&replay).into()])
                .await
                .map(drop);
        }
    };
    let now = desk.now().await?;
    let closed = Closed {
        how,
        at: timestamp(now)?,
        by: replay.clone(),
        why: Some(detail),
        successor: None,
    };
    let values = [id.into(), (&replay).into(), json(&closed)?, now.into()];
    desk.change(CLOSE, &values).await?;
    if how == Closing::NothingToDo {
        let notice = Notice::NotTold {
            why: "its escalation had ended well, or was begun anew".to_owned(),
            at: timestamp(now)?,
            doubt: false,
        };
        desk.change(NOTHING_TO_TELL, &[id.into(), json(&notice)?])
            .await?;
    }
    Ok(())
}
