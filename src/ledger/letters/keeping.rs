//! Keeping: a letter comes from the queue into its row.

use super::rows::{self, LetterRow, due, json, locked_letter, state_name};
use super::types::{Closed, Closing, Keeping, LetterState};
use crate::escalation::{ConversationId, DeadLetter, DeadLetterOrigin, Notice, Task};
use crate::ledger::desk::{Desk, Value};
use crate::ledger::{Error, State};

const INSERT: &str = "INSERT INTO dead_letters
       (id, state, key, code, theme, incident_id, service_id, conversation_id, died_at, kept_at, letter, closed, closed_at, notice, notice_due, notice_epoch)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 0)
     ON CONFLICT (id) DO NOTHING";
const REPLACE: &str =
    "UPDATE dead_letters SET code = $2, theme = $3, died_at = $4, letter = $5 WHERE id = $1";

const FORGET: &str = "DELETE FROM dead_letters WHERE id = $1";
const RESOLVE: &str = "INSERT INTO resolutions (incident_id, resolved_at, noted_at) VALUES ($1, $2, $3)
     ON CONFLICT (incident_id) DO UPDATE
     SET resolved_at = CASE WHEN resolutions.resolved_at > excluded.resolved_at THEN resolutions.resolved_at
                            ELSE excluded.resolved_at END,
         noted_at = excluded.noted_at";

/// Keeps a letter, once: however often it comes, it is one row.
pub(in crate::ledger) async fn keep(
    desk: &impl Desk,
    mut letter: DeadLetter,
) -> Result<Keeping, Error> {
    if let Some(there) = locked_letter(desk, &letter.id).await? {
        if died_since(desk, &there, &letter).await? {
            // What was closed is closed; this is another death, and waits for a person of its own.
            desk.change(FORGET, &[letter.id.as_str().into()]).await?;
            return put_down(desk, letter).await;
        }
        // The broker knows no reason. What a worker says of the same escalation is better.
        let better = there.is_open
            && there.letter.claimed_by.is_none()
            && there.letter.letter.origin == DeadLetterOrigin::Broker
            && letter.origin == DeadLetterOrigin::Worker;
        if !better {
            return Ok(Keeping::Known);
        }
        letter.history.clear();
        let values = [
            letter.id.as_str().into(),
            letter.code.as_str().into(),
            letter.theme().into(),
            letter.died_at.as_millisecond().into(),
            json(&letter)?,
        ];
        desk.change(REPLACE, &values).await?;
        return Ok(Keeping::Replaced);
    }
    put_down(desk, letter).await
}

/// Whether a letter that was closed without a replay stands in the way of one about a later death of the same cycle: an
/// escalation that the ledger did not know, when its letter was closed, may have begun since.
async fn died_since(
    desk: &impl Desk,
    there: &LetterRow,
    letter: &DeadLetter,
) -> Result<bool, Error> {
    let Some(closed) = &there.letter.closed else {
        return Ok(false);
    };
    let without_a_replay = match closed.how {
        Closing::Discarded | Closing::NothingToDo => true,
        Closing::Replayed | Closing::Edited => false,
    };
    if !without_a_replay || letter.died_at <= closed.at {
        return Ok(false);
    }
    let known = match &letter.key {
        Some(key) => rows::readable_escalation(desk, key).await?,
        None => None,
    };
    let start = letter.start().map(|(_, start)| start.cycle);
    Ok(known.is_some_and(|row| {
        let died = row
            .known
            .ended_at
            .filter(|_| row.known.state == State::Dead);
        Some(row.cycle) == start && died.is_some_and(|died| died > closed.at)
    }))
}

async fn put_down(desk: &impl Desk, mut letter: DeadLetter) -> Result<Keeping, Error> {
    let known = match &letter.key {
        Some(key) => rows::readable_escalation(desk, key).await?,
        None => None,
    };
    let now = desk.now().await?;
    let ended_well = known.as_ref().is_some_and(|row| match row.known.state {
        State::Done | State::Cancelled => true,
        State::Open | State::Dead => false,
    });
    let resolved = match &letter.message {
        Some(message) if message.task == Task::Resolved => {
            let at = message.event.occurred_at.as_millisecond();
            let incident = message.incident_id.as_str();
            let values = [incident.into(), at.into(), now.into()];
            desk.change(RESOLVE, &values).await?;
            true
        }
        Some(_) | None => false,
    };
    let why = match (ended_well, resolved) {
        (true, _) => Some("its escalation had ended well before"),
        (false, true) => Some("the resolution that it told of is noted"),
        (false, false) => None,
    };
    let closed = match why {
        None => None,
        Some(why) => Some(Closed {
            how: Closing::NothingToDo,
            at: rows::timestamp(now)?,
            by: "keeper".to_owned(),
            why: Some(why.to_owned()),
            successor: None,
        }),
    };
    let notice = match (letter.start(), &closed) {
        (Some((_, start)), None) => {
            let progress = known.as_ref().map(|row| &row.known.progress);
            match progress {
                Some(progress) if progress.note.in_doubt() => Notice::NotTold {
                    why: "the note with the link was sent and may be in the incident: look there"
                        .to_owned(),
                    at: rows::timestamp(now)?,
                    doubt: false,
                },
                Some(_) | None => {
                    let told = progress.and_then(|progress| progress.failure_note.as_ref());
                    Notice::due(told, start.cycle > 0)
                }
            }
        }
        (Some(_), Some(_)) | (None, _) => Notice::Nobody,
    };
    if known.is_some() {
        // The ledger has all of it.
        letter.history.clear();
    }
    let start = letter.start();
    let context = known
        .as_ref()
        .and_then(|row| row.known.progress.context.as_ref());
    let conversation = context.map(|context| context.conversation.to_string());
    let conversation = conversation.or_else(|| {
        let named = start.and_then(|(_, start)| start.conversation_id.as_ref());
        named.map(|id| ConversationId::as_str(id).to_owned())
    });
    let service = start.and_then(|(_, start)| start.service_id.as_ref());
    let state = match closed {
        None => LetterState::Open,
        Some(_) => LetterState::Closed,
    };
    let closing = closed.as_ref().map(json).transpose()?;
    let values = [
        letter.id.as_str().into(),
        state_name(state).into(),
        letter.key.as_ref().map(|key| key.as_str()).into(),
        letter.code.as_str().into(),
        letter.theme().into(),
        letter
            .message
            .as_ref()
            .map(|m| m.incident_id.as_str())
            .into(),
        service.map(|service| service.as_str()).into(),
        conversation.as_deref().into(),
        letter.died_at.as_millisecond().into(),
        now.into(),
        json(&letter)?,
        closing.unwrap_or(Value::NoText),
        closed.as_ref().map(|_| now).into(),
        json(&notice)?,
        due(&notice, now).into(),
    ];
    Ok(match (desk.change(INSERT, &values).await?, closed) {
        // Another keeper got there first.
        (0, _) => Keeping::Known,
        (_, None) => Keeping::Kept,
        (_, Some(_)) => Keeping::Closed,
    })
}
