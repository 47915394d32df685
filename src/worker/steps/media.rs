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
    let intent = attempt.intent();
    let deadline = intent.deadline;
    // A session of an earlier attempt, or of another escalation that crashed: attaching it is asking for it.
    let asked_before = attempt.progress.asked_at;
    attempt.progress.asked_at.get_or_insert(Timestamp::now());
    if let Some((_, cobrowse)) = &mut attempt.conversation {
        cobrowse.media = Write::Intended(intent);
    }
    let what = format!("attaches session {session}");
    attempt.note(EntryKind::Intended, Some(Step::Media), what);
    if let Err(stopped) = attempt.record_intent(deadline).await {
        if Attempt::was_not_sent(&stopped) {
            attempt.progress.asked_at = asked_before;
            if let Some((_, cobrowse)) = &mut attempt.conversation {
                cobrowse.media = Write::Open;
            }
        }
        return Err(stopped);
    }
    attempt.sends(Step::Media);
    let result = attempt
        .runner
        .genesys
        .attach_media(&context.conversation, session)
        .await;
    let Some((_, cobrowse)) = &mut attempt.conversation else {
        return Ok(());
    };
    match result {
        Ok(()) => {
            cobrowse.media = Write::Done {
                at: Timestamp::now(),
                result: (),
            };
            // What was read before the write says nothing about it.
            attempt.survey = None;
            attempt.note(EntryKind::Answered, Some(Step::Media), "session attached");
            // Recorded with the note's intent if the proof follows at once, else before the first wait for it. Whoever
            // finds the intent alone looks, and finds the session.
            attempt.unrecorded = true;
            Ok(())
        }
        Err(error) => {
            Attempt::write_failed(&mut cobrowse.media, &error);
            if !error.may_have_taken_effect() {
                attempt.progress.asked_at = asked_before;
            }
            Err(Stopped::Setback(error.setback(Operation::AttachMedia)))
        }
    }
}
