//! Discarding, in pieces: however many letters are closed, no transaction keeps others waiting.

use crate::ledger::{Discarded, Error, LetterFilter, Letters, Selection};

/// So many are closed in one transaction, with a line of the audit.
const AT_ONCE: u32 = 2_000;

/// Closes what was selected, is open, and is in no replay. May be repeated: what is closed stays as it is.
///
/// # Errors
/// The ledger's. What was closed by then is closed, and in the audit.
pub async fn close(letters: &dyn Letters, selection: Selection) -> Result<Discarded, Error> {
    let selection = Selection {
        filter: LetterFilter {
            limit: AT_ONCE,
            ..selection.filter
        },
        ..selection
    };
    let mut closed = 0;
    loop {
        let discarded = letters.discard(selection.clone()).await?;
        closed += discarded.closed;
        // A piece is smaller where a replay took a letter meanwhile, too; the end is where nothing is left to be closed.
        let is_piece = discarded.closed > 0
            && letters.count_letters(selection.filter.clone()).await? > discarded.claimed;
        if !is_piece {
            return Ok(Discarded {
                closed,
                ..discarded
            });
        }
    }
}
