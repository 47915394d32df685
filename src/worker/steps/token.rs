//! Token: a credential that is refused is found out here, before anything was written.

use crate::escalation::{EntryKind, Step};
use crate::upstream::Operation;
use crate::worker::attempt::{Attempt, Stopped};

/// Sees to it that there is a valid token.
pub(in crate::worker) async fn run(attempt: &mut Attempt<'_>) -> Result<(), Stopped> {
    attempt
        .runner
        .genesys
        .ensure_token()
        .await
        .map_err(|error| Stopped::Setback(error.setback(Operation::Token)))?;
    attempt.token = true;
    attempt.note(EntryKind::Answered, Some(Step::Token), "a token is at hand");
    Ok(())
}
