//! Closing a letter without a replay: discarded, or exchanged for a corrected copy.

use super::listing::{conditions, count};
use super::rows::{self, enter, json, locked_escalation, locked_letter, tell, timestamp};
use super::types::{
    Closed, Closing, Copy, Discarded, Edited, LetterFilter, LetterState, Selection,
};
use crate::escalation::{
    DeadLetter, DeadLetterId, DeadLetterOrigin, EntryKind, Key, Message, Notice, Start, Task,
};
use crate::ledger::desk::{Desk, Value};
use crate::ledger::rules::to_json;
use crate::ledger::{Entered, Error, State};

/// Whoever was closed by this very text at this very time.
const TELL_OF_CLOSED: &str = "INSERT INTO history (key, seq, entries)
     SELECT c.key, (SELECT coalesce(max(h.seq), 0) + 1 FROM history h WHERE h.key = c.key), $1
     FROM (SELECT DISTINCT d.key FROM dead_letters d JOIN escalations e ON e.key = d.key
           WHERE d.closed_at = $2 AND d.closed = $3) c";
const CLOSE: &str =
    "UPDATE dead_letters SET state = 'closed', closed = $2, closed_at = $3, notice = $4, notice_due = NULL,
            notice_epoch = notice_epoch + 1 WHERE id = $1";
const MOVE: &str = "INSERT INTO dead_letters
       (id, state, key, code, theme, incident_id, service_id, conversation_id, died_at, kept_at, letter, notice, notice_due, notice_epoch)
     VALUES ($1, 'open', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0)
     ON CONFLICT (id) DO NOTHING";
const ELSEWHERE: &str =
    "UPDATE escalations SET cycle = $2, progress = $3, conversation_id = $4 WHERE key = $1";

/// Closes what fits, is open, and is nobody's; at most as many as the filter's limit says. Whether the incident is told does not depend on it: that it died is true.
pub(in crate::ledger) async fn discard(
    desk: &impl Desk,
    selection: Selection,
) -> Result<Discarded, Error> {
    let Selection { filter, entered } = selection;
    let filter = LetterFilter {
        state: LetterState::Open,
        after: None,
        ..filter
    };
    let now = desk.now().await?;
    let closed = Closed {
        how: Closing::Discarded,
        at: timestamp(now)?,
        by: entered.by.clone(),
        why: entered.why.clone(),
        successor: None,
    };
    let closing = to_json(&closed)?;
    let claimed = count(desk, &filter, " AND claimed_by IS NOT NULL").await?;
    let (conditions, values) = conditions(&filter, 4);
    let mut all: Vec<Value<'_>> = vec![(&closing).into(), now.into(), filter.limit.into()];
    all.extend(values);
    let sql = format!(
        "UPDATE dead_letters SET state = 'closed', closed = $1, closed_at = $2
         WHERE id IN (SELECT id FROM dead_letters WHERE claimed_by IS NULL AND {conditions} ORDER BY id LIMIT $3 FOR UPDATE)
           AND state = 'open' AND claimed_by IS NULL"
    );
    let closed = desk.change(&sql, &all).await?;
    let why = entered.why.as_deref().unwrap_or("no reason given");
    let what = format!("dead letter discarded by {}: {why}", entered.by);
    let story = to_json(&[rows::line(0, EntryKind::Discarded, what)])?;
    desk.change(
        TELL_OF_CLOSED,
        &[story.into(), now.into(), (&closing).into()],
    )
    .await?;
    let result = match claimed {
        0 => format!("{closed} discarded"),
        claimed => format!("{closed} discarded; {claimed} are in a replay and were left"),
    };
    enter(
        desk,
        Entered {
            result: Some(result),
            ..entered
        },
    )
    .await?;
    Ok(Discarded { closed, claimed })
}

/// Puts a corrected copy in a letter's place. Its escalation begins, when the copy is replayed, as one that knows nothing of
/// the old conversation.
pub(in crate::ledger) async fn edit(desk: &impl Desk, copy: Copy) -> Result<Edited, Error> {
    let Copy {
        original,
        message,
        entered,
    } = copy;
    let edited = try_edit(desk, &original, message, &entered).await?;
    let result = match &edited {
        Edited::Done(id) => format!("{id} stands in its place"),
        Edited::Refused(why) => format!("refused: {why}"),
    };
    enter(
        desk,
        Entered {
            result: Some(result),
            ..entered
        },
    )
    .await?;
    Ok(edited)
}

async fn try_edit(
    desk: &impl Desk,
    original: &DeadLetterId,
    message: Message,
    entered: &Entered,
) -> Result<Edited, Error> {
    let refused = |why: &str| Ok(Edited::Refused(why.to_owned()));
    let Some(row) = locked_letter(desk, original).await? else {
        return refused("the ledger has no such letter");
    };
    if !row.is_open {
        return refused("it is closed");
    }
    if let Some(replay) = &row.letter.claimed_by {
        return Ok(Edited::Refused(format!("replay {replay} has it")));
    }
    let Task::Start(start) = message.task.clone() else {
        return refused("only a message that starts an escalation can be edited");
    };
    let key = Key::of(&message.incident_id, &start.trigger);
    let before = &row.letter.letter;
    if before.message.is_some() && before.key.as_ref() != Some(&key) {
        return refused("the incident cannot be changed: start another one instead");
    }
    let escalation = locked_escalation(desk, &key).await?;
    let mut cycle = start.cycle;
    if let Some(found) = &escalation {
        let sent = found.known.progress.note.asked();
        match found.known.state {
            State::Dead if sent => {
                return refused("its note was sent, or may have been; replay it as it is");
            }
            State::Dead => {}
            State::Open => return refused("its escalation is open: it has not ended"),
            State::Done | State::Cancelled => {
                return refused("its escalation has ended well: there is nothing to do");
            }
        }
        cycle = cycle.max(found.cycle);
    }
    let cycle = cycle.saturating_add(1);
    let now = desk.now().await?;
    let conversation = start.conversation_id.clone();
    let again = message.asking(Task::Start(Start { cycle, ..start }));
    let mut new = DeadLetter::of_escalation(
        key.clone(),
        cycle,
        again,
        before.code,
        before.reason.clone(),
        before.attempts,
        before.died_at,
        before.history.clone(),
    );
    new.follows = Some(original.clone());
    new.origin = DeadLetterOrigin::Operator;
    // What was told of the old one is told of this one. An incident that nobody knew until now is told nothing of old times.
    let notice = &row.letter.notice;
    let values = [
        new.id.as_str().into(),
        key.as_str().into(),
        new.code.as_str().into(),
        new.theme().into(),
        new.message.as_ref().map(|m| m.incident_id.as_str()).into(),
        new.start()
            .and_then(|(_, start)| start.service_id.as_ref())
            .map(|service| service.as_str())
            .into(),
        conversation.as_ref().map(|id| id.as_str()).into(),
        new.died_at.as_millisecond().into(),
        now.into(),
        json(&new)?,
        json(notice)?,
        rows::due(notice, now).into(),
    ];
    if desk.change(MOVE, &values).await? == 0 {
        return refused("there is such a copy already");
    }
    let closed = Closed {
        how: Closing::Edited,
        at: timestamp(now)?,
        by: entered.by.clone(),
        why: entered.why.clone(),
        successor: Some(new.id.clone()),
    };
    let values = [
        original.as_str().into(),
        json(&closed)?,
        now.into(),
        json(&Notice::HandedOn)?,
    ];
    desk.change(CLOSE, &values).await?;
    if let Some(found) = escalation {
        let values = [
            key.as_str().into(),
            cycle.into(),
            rows::progress(&found.known.progress.begun_elsewhere())?,
            conversation.as_ref().map(|id| id.as_str()).into(),
        ];
        desk.change(ELSEWHERE, &values).await?;
        let what = format!(
            "dead letter edited by {}; {} stands in its place",
            entered.by, new.id
        );
        tell(desk, &key, found.known.epoch, EntryKind::Discarded, what).await?;
    }
    Ok(Edited::Done(new.id))
}

pub(super) const OLD_LETTERS: &str = "DELETE FROM dead_letters WHERE id IN
       (SELECT id FROM dead_letters WHERE state = 'closed' AND closed_at < $1 ORDER BY closed_at LIMIT $2)";
pub(super) const OLD_REPLAYS: &str =
    "SELECT id FROM replays WHERE ended_at < $1 ORDER BY ended_at LIMIT 1";
const OLD_ENTRIES: &str = "DELETE FROM replay_entries WHERE replay = $1 AND number IN
       (SELECT number FROM replay_entries WHERE replay = $1 ORDER BY number LIMIT $2)";
const OLD_REPLAY: &str = "DELETE FROM replays WHERE id = $1
     AND NOT EXISTS (SELECT 1 FROM replay_entries WHERE replay = $1)";

/// Forgets closed letters and ended replays that are older than this; at most so many rows of each. How many letters.
pub(in crate::ledger) async fn forget(
    desk: &impl Desk,
    before: i64,
    at_most: u32,
) -> Result<u64, Error> {
    let letters = desk
        .change(OLD_LETTERS, &[before.into(), at_most.into()])
        .await?;
    if let Some(row) = desk.first(OLD_REPLAYS, &[before.into()]).await? {
        let id: Value<'_> = row.text(0)?.into();
        desk.change(OLD_ENTRIES, &[id.clone(), at_most.into()])
            .await?;
        desk.change(OLD_REPLAY, &[id]).await?;
    }
    Ok(letters)
}
