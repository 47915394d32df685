//! How things stand, in numbers: what a metric shows that nobody tells of by itself.
//!
//! Asked every few seconds, over a connection of its own that only reads, so that nobody waits behind it.

use std::time::Duration;

use super::Error;
use super::desk::{Cells, Desk};
use super::listing::State;
use super::rules::from_json;
use crate::escalation::Code;
use crate::pacing::Account;

/// Open escalations by what they wait for. The JSON is our own, without a space; an agent who is named is a text there, one who is
/// connected an object.
pub(super) const OPEN: &str = r#"SELECT CASE WHEN progress LIKE '%"waiting_since":%' AND progress NOT LIKE '%"agent":{%' THEN 'agent'
       ELSE 'nobody' END, count(*), min(accepted_at)
     FROM escalations WHERE state = 'open' GROUP BY 1"#;
pub(super) const OPEN_LETTERS: &str =
    "SELECT code, count(*) FROM dead_letters WHERE state = 'open' GROUP BY code";
const REPLAYS: &str = "SELECT id, driver_until FROM replays WHERE ended_at IS NULL";
pub(super) const ENTRIES: &str = "SELECT stage, count(*) FROM replay_entries
     WHERE replay = $1 AND stage IN ('marked', 'staged') GROUP BY stage";
const BUDGETS: &str = "SELECT account, budget FROM budgets";
const STATES: &str = "SELECT state, count(*) FROM escalations GROUP BY state";

/// How things stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Escalations that have not ended, by what they wait for.
    pub open: Vec<(WaitsFor, u64, Duration)>,
    /// Dead letters that nobody has closed. Codes that this program does not know are left out.
    pub letters: Vec<(Code, u64)>,
    /// Replays that are not over and that somebody drives.
    pub driven: u64,
    /// Those that nobody does.
    pub left: u64,
    /// Letters in them with which nothing has happened yet.
    pub marked: u64,
    /// And those that were begun.
    pub staged: u64,
    /// How many permits of each credential are used or handed out.
    pub budgets: Vec<(String, u32)>,
}

/// What an open escalation waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WaitsFor {
    /// An agent who connects to the conversation.
    Agent,
    /// Nobody: a worker has it, or should.
    Nobody,
}

impl WaitsFor {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Agent, Self::Nobody];

    /// The name used in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Nobody => "nobody",
        }
    }
}

/// How large the ledger is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Escalations by state; a state that has none is not there.
    pub escalations: Vec<(State, u64)>,
    /// What it takes on disk.
    pub bytes: u64,
}

pub(super) async fn standing(desk: &impl Desk) -> Result<Standing, Error> {
    let now = desk.now().await?;
    let mut standing = Standing::default();
    for row in desk.rows(OPEN, &[]).await? {
        let waits_for = named(WaitsFor::ALL, WaitsFor::as_str, row.text(0)?);
        let age = u64::try_from(now - row.number(2)?).unwrap_or_default();
        if let Some(waits_for) = waits_for {
            let age = Duration::from_millis(age);
            standing.open.push((waits_for, count(&row, 1)?, age));
        }
    }
    for row in desk.rows(OPEN_LETTERS, &[]).await? {
        if let Some(code) = named(Code::ALL, Code::as_str, row.text(0)?) {
            standing.letters.push((code, count(&row, 1)?));
        }
    }
    for row in desk.rows(REPLAYS, &[]).await? {
        match row.maybe_number(1)? {
            Some(until) if until > now => standing.driven += 1,
            Some(_) | None => standing.left += 1,
        }
        for entries in desk.rows(ENTRIES, &[row.text(0)?.into()]).await? {
            match entries.text(0)? {
                "marked" => standing.marked += count(&entries, 1)?,
                _ => standing.staged += count(&entries, 1)?,
            }
        }
    }
    for row in desk.rows(BUDGETS, &[]).await? {
        let account: Account = from_json(row.text(1)?)?;
        let used = account.in_use(now);
        standing.budgets.push((row.text(0)?.to_owned(), used));
    }
    Ok(standing)
}

pub(super) async fn sizes(desk: &impl Desk) -> Result<Sizes, Error> {
    let mut sizes = Sizes::default();
    for row in desk.rows(STATES, &[]).await? {
        if let Some(state) = State::of(row.text(0)?) {
            sizes.escalations.push((state, count(&row, 1)?));
        }
    }
    sizes.bytes = desk.bytes().await?;
    Ok(sizes)
}

fn named<T: Copy, const N: usize>(
    all: [T; N],
    name_of: fn(T) -> &'static str,
    name: &str,
) -> Option<T> {
    all.into_iter().find(|one| name_of(*one) == name)
}

fn count(row: &Cells, column: usize) -> Result<u64, Error> {
    Ok(u64::try_from(row.number(column)?).unwrap_or_default())
}
