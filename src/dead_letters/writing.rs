//! A plan as it is made: line by line, so that neither the letters nor the plan have to be held.

use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use super::plan::{Counts, Head, Planned, Writer};
use super::planner::Planner;
use super::verdict::Foreseen;
use crate::ledger::{Error, Letter, LetterFilter, LetterState};

/// So many letters are read at a time.
const PAGE: u32 = 100;
/// So many are asked about at once. The budgets, which are the pool's, set the pace.
const AT_ONCE: usize = 8;

impl Planner {
    /// Writes a plan of the open letters that fit: its head, a line a letter, and its end with the counts. `None`: whoever
    /// should have read it went away. Begins nothing, and may be dropped at any time.
    ///
    /// # Errors
    /// The ledger's; the plan has no end then, and nobody takes it for one.
    pub async fn write_plan(
        &self,
        filter: LetterFilter,
        head: Head,
        out: mpsc::Sender<String>,
    ) -> Result<Option<Counts>, Error> {
        tokio::select! {
            biased;
            () = out.closed() => Ok(None),
            counts = self.write(filter, head, &out) => counts,
        }
    }

    async fn write(
        &self,
        filter: LetterFilter,
        head: Head,
        out: &mpsc::Sender<String>,
    ) -> Result<Option<Counts>, Error> {
        let unwritable = |error: serde_json::Error| Error::Corrupt(error.to_string());
        let mut filter = LetterFilter {
            state: LetterState::Open,
            limit: PAGE,
            ..filter
        };
        let mut writer = Writer::default();
        let head = writer.head(head).map_err(unwritable)?;
        if out.send(head).await.is_err() {
            return Ok(None);
        }
        loop {
            let page = self.ledger.letters().list_letters(filter.clone()).await?;
            let Some(last) = page.last() else { break };
            filter.after = Some(last.cursor());
            let foreseen = page.into_iter().map(|letter| async move {
                let foreseen = self.foresee(&letter.letter.id, None).await;
                foreseen.map(|foreseen| planned(letter, foreseen))
            });
            let mut foreseen = stream::iter(foreseen).buffered(AT_ONCE);
            while let Some(planned) = foreseen.next().await {
                let line = writer.entry(planned?).map_err(unwritable)?;
                if out.send(line).await.is_err() {
                    return Ok(None);
                }
            }
        }
        let (end, counts) = writer.end().map_err(unwritable)?;
        Ok(out.send(end).await.is_ok().then_some(counts))
    }
}

fn planned(letter: Letter, foreseen: Foreseen) -> Planned {
    Planned {
        letter: letter.letter.id,
        incident: letter.incident,
        conversation: letter.conversation,
        died_of: letter.letter.code,
        foreseen,
    }
}
