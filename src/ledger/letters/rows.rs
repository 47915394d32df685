//! Rows, and what is made of them.

use jiff::Timestamp;
use serde::Serialize;

use super::types::{Letter, LetterState};
use crate::escalation::{
    Cobrowse, ConversationId, DeadLetter, DeadLetterId, Entry, EntryKind, IncidentId, Key, Notice,
    Progress,
};
use crate::ledger::desk::{Cells, Desk, Value};
use crate::ledger::rules::{KnownRow, from_json, to_json};
use crate::ledger::{Audited, Entered, Error, Known, State};

macro_rules! letter_columns {
    () => {
        "SELECT letter, incident_id, conversation_id, kept_at, claimed_by, closed, notice, notice_epoch, state, id FROM dead_letters"
    };
}
pub(super) use letter_columns;

const ESCALATION: &str =
    "SELECT key, incident_id, state, epoch, owner, lease_until, attempts, takeovers,
       accepted_at, occurred_at, created_at, ended_at, progress, ending,
       (SELECT resolved_at FROM resolutions r WHERE r.incident_id = e.incident_id), cycle
     FROM escalations e WHERE key = $1";
const ESCALATION_LOCKED: &str =
    "SELECT key, incident_id, state, epoch, owner, lease_until, attempts, takeovers,
       accepted_at, occurred_at, created_at, ended_at, progress, ending,
       (SELECT resolved_at FROM resolutions r WHERE r.incident_id = e.incident_id), cycle
     FROM escalations e WHERE key = $1 FOR UPDATE";
const COBROWSE: &str = "SELECT cobrowse FROM conversations WHERE conversation_id = $1";
const LETTER_LOCKED: &str = concat!(letter_columns!(), " WHERE id = $1 FOR UPDATE");
const TELL: &str = "INSERT INTO history (key, seq, entries)
     SELECT $1, coalesce(max(seq), 0) + 1, $2 FROM history WHERE key = $1";
const ENTER: &str = "INSERT INTO audit (at, action, entry) VALUES ($1, $2, $3) RETURNING seq";

/// A letter, and what only the ledger has to know of it.
pub(super) struct LetterRow {
    pub(super) letter: Letter,
    pub(super) notice_epoch: i64,
    pub(super) is_open: bool,
}

pub(super) fn letter_row(cells: &Cells) -> Result<LetterRow, Error> {
    let letter = DeadLetter::decode(cells.text(0)?.as_bytes()).map_err(Error::Corrupt)?;
    let corrupt = |what: &str| Error::Corrupt(format!("{what} of {}", letter.id));
    let incident = cells.maybe_text(1)?.map(IncidentId::parse).transpose();
    let conversation = cells.maybe_text(2)?.map(ConversationId::parse).transpose();
    Ok(LetterRow {
        notice_epoch: cells.number(7)?,
        is_open: cells.text(8)? == state_name(LetterState::Open),
        letter: Letter {
            incident: incident.map_err(|_| corrupt("the incident"))?,
            conversation: conversation.map_err(|_| corrupt("the conversation"))?,
            kept_at: timestamp(cells.number(3)?)?,
            claimed_by: cells.maybe_text(4)?.map(str::to_owned),
            closed: cells.maybe_text(5)?.map(from_json).transpose()?,
            notice: from_json(cells.text(6)?)?,
            letter,
        },
    })
}

pub(super) async fn locked_letter(
    desk: &impl Desk,
    id: &DeadLetterId,
) -> Result<Option<LetterRow>, Error> {
    let cells = desk.first(LETTER_LOCKED, &[id.as_str().into()]).await?;
    cells.as_ref().map(letter_row).transpose()
}

/// An escalation as far as letters are concerned.
pub(super) struct EscalationRow {
    pub(super) known: Known,
    pub(super) cycle: u32,
}

impl EscalationRow {
    /// Whether a worker has it in hand.
    pub(super) fn is_held(&self) -> bool {
        let holder = self.known.holder.as_ref();
        self.known.state == State::Open && holder.is_some_and(|(_, left)| !left.is_zero())
    }
}

/// For a writer: locked, so that no worker takes it meanwhile.
pub(super) async fn locked_escalation(
    desk: &impl Desk,
    key: &Key,
) -> Result<Option<EscalationRow>, Error> {
    escalation_by(desk, ESCALATION_LOCKED, key).await
}

/// The same where one that cannot be read is as good as none: it must not keep others from what is theirs.
pub(super) async fn readable_escalation(
    desk: &impl Desk,
    key: &Key,
) -> Result<Option<EscalationRow>, Error> {
    match escalation(desk, key).await {
        Err(Error::Corrupt(_)) => Ok(None),
        read => read,
    }
}

pub(super) async fn escalation(
    desk: &impl Desk,
    key: &Key,
) -> Result<Option<EscalationRow>, Error> {
    escalation_by(desk, ESCALATION, key).await
}

async fn escalation_by(
    desk: &impl Desk,
    sql: &str,
    key: &Key,
) -> Result<Option<EscalationRow>, Error> {
    let Some(row) = desk.first(sql, &[key.as_str().into()]).await? else {
        return Ok(None);
    };
    // After the wait for the row, if there was one.
    let now = desk.now().await?;
    let always = |column| timestamp(row.number(column)?);
    let at = |column| row.maybe_number(column)?.map(timestamp).transpose();
    let known = KnownRow {
        key: row.text(0)?.to_owned(),
        incident: row.text(1)?.to_owned(),
        state: row.text(2)?.to_owned(),
        epoch: row.number(3)?,
        owner: row.maybe_text(4)?.map(str::to_owned),
        lease_left_ms: row.number(5)?.saturating_sub(now),
        attempts: small(row.number(6)?),
        takeovers: small(row.number(7)?),
        accepted_at: always(8)?,
        occurred_at: always(9)?,
        created_at: always(10)?,
        ended_at: at(11)?,
        progress: row.text(12)?.to_owned(),
        ending: row.maybe_text(13)?.map(str::to_owned),
        resolved_at: at(14)?,
    };
    Ok(Some(EscalationRow {
        known: known.try_into()?,
        cycle: small(row.number(15)?),
    }))
}

pub(super) async fn cobrowse(
    desk: &impl Desk,
    conversation: &str,
) -> Result<Option<Cobrowse>, Error> {
    let row = desk.first(COBROWSE, &[conversation.into()]).await?;
    row.map(|row| from_json(row.text(0)?)).transpose()
}

/// Adds to the history of an escalation. One that is not there has none.
pub(super) async fn tell(
    desk: &impl Desk,
    key: &Key,
    epoch: u64,
    kind: EntryKind,
    what: String,
) -> Result<(), Error> {
    let entries = to_json(&[line(epoch, kind, what)])?;
    desk.change(TELL, &[key.as_str().into(), entries.into()])
        .await
        .map(drop)
}

pub(super) fn line(epoch: u64, kind: EntryKind, what: String) -> Entry {
    Entry {
        at: Timestamp::now(),
        epoch,
        kind,
        step: None,
        what,
        code: None,
        took_ms: None,
        correlation: None,
    }
}

/// Adds to the audit.
pub(super) async fn enter(desk: &impl Desk, entered: Entered) -> Result<Audited, Error> {
    let at = desk.now().await?;
    let entry = to_json(&entered)?;
    let values = [at.into(), entered.deed.as_str().into(), entry.into()];
    let row = desk.first(ENTER, &values).await?;
    let row = row.ok_or_else(|| Error::Corrupt("an entry was not entered".to_owned()))?;
    Ok(Audited {
        number: row.number(0)?.unsigned_abs(),
        at: timestamp(at)?,
        entered,
    })
}

/// As a column can keep it: no database has a NUL in a text.
pub(super) fn clean(text: &str) -> Value<'static> {
    Value::Owned(text.replace('\0', " "))
}

/// Progress as a column has it.
pub(super) fn progress(progress: &Progress) -> Result<Value<'static>, Error> {
    json(progress)
}

pub(super) fn json(value: &impl Serialize) -> Result<Value<'static>, Error> {
    to_json(value).map(Value::Owned)
}

/// When a notice is looked at: now, where there is one to be given.
pub(super) fn due(notice: &Notice, now: i64) -> Option<i64> {
    notice.is_due().then_some(now)
}

pub(super) fn state_name(state: LetterState) -> &'static str {
    match state {
        LetterState::Open => "open",
        LetterState::Closed => "closed",
        LetterState::Any => "any",
    }
}

pub(super) fn timestamp(ms: i64) -> Result<Timestamp, Error> {
    Timestamp::from_millisecond(ms).map_err(|e| Error::Corrupt(e.to_string()))
}

pub(super) fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

pub(super) fn whole(number: i64) -> u64 {
    number.unsigned_abs()
}
