//! What operators ask about letters.

use super::rows::{self, letter_columns, letter_row, state_name, timestamp, whole};
use super::types::{Ground, Letter, LetterFilter, LetterGroup, LetterState};
use crate::escalation::{Cobrowse, Code, ConversationId, DeadLetterId};
use crate::ledger::Error;
use crate::ledger::desk::{Desk, Value};

const LETTER: &str = concat!(letter_columns!(), " WHERE id = $1");

/// The conditions of a filter, and what stands for their signs; only those that are there, so that each list is read by the
/// index that fits it. Signs are counted from `first`.
pub(super) fn conditions(filter: &LetterFilter, first: usize) -> (String, Vec<Value<'_>>) {
    let mut values: Vec<Value<'_>> = Vec::new();
    let mut parts: Vec<String> = Vec::new();
    match filter.state {
        // Written out: the index of the open ones is of these only.
        LetterState::Open | LetterState::Closed => {
            parts.push(format!("state = '{}'", state_name(filter.state)));
        }
        LetterState::Any => {}
    }
    let ids = filter.ids.iter().map(|id| id.as_str().into());
    let times = |at: Option<jiff::Timestamp>| at.map(|at| Value::Number(at.as_millisecond()));
    let single: [(Option<Value<'_>>, &str); 7] = [
        (filter.code.map(|code| code.as_str().into()), "code = "),
        (
            filter.incident.as_ref().map(|id| id.as_str().into()),
            "incident_id = ",
        ),
        (
            filter.service.as_ref().map(|id| id.as_str().into()),
            "service_id = ",
        ),
        (
            filter.conversation.as_ref().map(|id| id.as_str().into()),
            "conversation_id = ",
        ),
        (filter.theme.as_ref().map(Into::into), "theme = "),
        (times(filter.since), "died_at >= "),
        (times(filter.before), "died_at < "),
    ];
    for (value, condition) in single {
        if let Some(value) = value {
            values.push(value);
            parts.push(format!("{condition}${}", first + values.len() - 1));
        }
    }
    if !filter.ids.is_empty() {
        let from = first + values.len();
        values.extend(ids);
        let signs: Vec<_> = (from..first + values.len())
            .map(|number| format!("${number}"))
            .collect();
        parts.push(format!("id IN ({})", signs.join(", ")));
    }
    if let Some(after) = &filter.after {
        let sign = first + values.len();
        values.push(after.died_at.as_millisecond().into());
        values.push(after.id.as_str().into());
        parts.push(format!("(died_at, id) < (${sign}, ${})", sign + 1));
    }
    match parts.is_empty() {
        true => ("1 = 1".to_owned(), values),
        false => (parts.join(" AND "), values),
    }
}

pub(in crate::ledger) fn letters_sql(filter: &LetterFilter) -> (String, Vec<Value<'_>>) {
    let (conditions, mut values) = conditions(filter, 1);
    values.push(filter.limit.into());
    let columns = letter_columns!();
    let sql = format!(
        "{columns} WHERE {conditions} ORDER BY died_at DESC, id DESC LIMIT ${}",
        values.len()
    );
    (sql, values)
}

/// Letters, those that died last first.
pub(in crate::ledger) async fn list_letters(
    desk: &impl Desk,
    filter: LetterFilter,
) -> Result<Vec<Letter>, Error> {
    let (sql, values) = letters_sql(&filter);
    let rows = desk.rows(&sql, &values).await?;
    let letters = rows.iter().map(|row| letter_row(row).map(|row| row.letter));
    letters.collect()
}

pub(in crate::ledger) async fn letter(
    desk: &impl Desk,
    id: DeadLetterId,
) -> Result<Option<Letter>, Error> {
    let row = desk.first(LETTER, &[id.as_str().into()]).await?;
    row.map(|row| letter_row(&row).map(|row| row.letter))
        .transpose()
}

/// How many fit; the filter's place and limit do not count.
pub(in crate::ledger) async fn count_letters(
    desk: &impl Desk,
    filter: LetterFilter,
) -> Result<u64, Error> {
    let filter = LetterFilter {
        after: None,
        ..filter
    };
    count(desk, &filter, "").await
}

pub(in crate::ledger) async fn count(
    desk: &impl Desk,
    filter: &LetterFilter,
    and: &str,
) -> Result<u64, Error> {
    let (conditions, values) = conditions(filter, 1);
    let sql = format!("SELECT count(*) FROM dead_letters WHERE {conditions}{and}");
    let row = desk.first(&sql, &values).await?;
    row.map_or(Ok(0), |row| row.number(0).map(whole))
}

/// Groups of one code and theme, the largest first.
pub(in crate::ledger) async fn groups(
    desk: &impl Desk,
    filter: LetterFilter,
) -> Result<Vec<LetterGroup>, Error> {
    let (conditions, mut values) = conditions(&filter, 1);
    values.push(filter.limit.into());
    let sql = format!(
        "SELECT code, theme, count(*), min(died_at), max(died_at) FROM dead_letters WHERE {conditions}
         GROUP BY code, theme ORDER BY count(*) DESC, code, theme LIMIT ${}",
        values.len()
    );
    let rows = desk.rows(&sql, &values).await?;
    let groups = rows.iter().map(|row| {
        let name = row.text(0)?;
        let mut codes = Code::ALL.into_iter();
        let code = codes.find(|code| code.as_str() == name);
        Ok(LetterGroup {
            code: code.ok_or_else(|| Error::Corrupt(format!("there is no code {name}")))?,
            theme: row.text(1)?.to_owned(),
            count: whole(row.number(2)?),
            oldest: timestamp(row.number(3)?)?,
            newest: timestamp(row.number(4)?)?,
        })
    });
    groups.collect()
}

/// All that the ledger knows of a letter's escalation.
pub(in crate::ledger) async fn ground(
    desk: &impl Desk,
    id: DeadLetterId,
) -> Result<Option<Ground>, Error> {
    let Some(letter) = letter(desk, id).await? else {
        return Ok(None);
    };
    let (row, unreadable) = match &letter.letter.key {
        None => (None, None),
        Some(key) => match rows::escalation(desk, key).await {
            Err(Error::Corrupt(why)) => (None, Some(why)),
            read => (read?, None),
        },
    };
    let (escalation, cycle) = match row {
        Some(row) => (Some(row.known), row.cycle),
        None => (None, 0),
    };
    Ok(Some(Ground {
        letter,
        escalation,
        unreadable,
        cycle,
    }))
}

/// What is known of a conversation's session.
pub(in crate::ledger) async fn cobrowse_of(
    desk: &impl Desk,
    conversation: ConversationId,
) -> Result<Option<Cobrowse>, Error> {
    rows::cobrowse(desk, conversation.as_str()).await
}
