//! Media: the session into the conversation. This is what the customer sees.

use jiff::Timestamp;

use crate::escalation::{EntryKind, SessionId, Step, Write};
use crate::upstream::Operation;
use crate::worker::attempt::{Attempt, Stopped};

/// Attaches the session: intent, call, result.
pub(in crate::worker) async fn attach(
    attempt: &mut Attempt<'_>,
    session: &SessionId,
) -> Result<(), Stopped> {
    let Some(context) = attempt.progress.context.clone() else {
        return Ok(());
    };
    let what = format!("attaches session {session}");
    if !attempt.intend(Step::Media, &what).await? {
        return Ok(());
    }
    attempt.sends(Step::Media);
    let result = attempt
        .runner
        .genesys
        .attach_media(&context.conversation, session)
        .await;
    match result {
        Ok(()) => {
            if let Some((_, cobrowse)) = &mut attempt.conversation {
                cobrowse.media = Write::Done {
                    at: Timestamp::now(),
                    result: (),
                };
            }
            // What was read before the write says nothing about it.
            attempt.survey = None;
            attempt.note(EntryKind::Answered, Some(Step::Media), "session attached");
            // Recorded with the note's intent if the proof follows at once, else before the first wait for it. Whoever
            // finds the intent alone looks, and finds the session.
            attempt.unrecorded = true;
            Ok(())
        }
        Err(error) => {
            attempt.write_failed(Step::Media, &error);
            Err(Stopped::Setback(error.setback(Operation::AttachMedia)))
        }
    }
}
