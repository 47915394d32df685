//! Verify: reads the conversation. Before anything is written, to see whether it may be; afterwards, for the proof.

use jiff::Timestamp;

use crate::escalation::Survey;
use crate::upstream::Operation;
use crate::worker::attempt::{Attempt, Stopped};

/// Reads the conversation.
pub(in crate::worker) async fn read(attempt: &mut Attempt<'_>) -> Result<(), Stopped> {
    let Some(context) = &attempt.progress.context else {
        return Ok(());
    };
    let read_at = Timestamp::now();
    let conversation = attempt
        .runner
        .genesys
        .conversation(&context.conversation)
        .await
        .map_err(|error| Stopped::Setback(error.setback(Operation::ReadConversation)))?;
    attempt.survey = Some(Survey {
        conversation,
        read_at,
    });
    Ok(())
}
