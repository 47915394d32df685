//! Note: the link into the incident.

use jiff::Timestamp;

use crate::escalation::{
    EntryKind, Marker, NoteContent, NoteId, NoteLook, NoteOutcome, NoteText, Offer, Step, Write,
};
use crate::upstream::{CallError, Operation};
use crate::worker::attempt::{Attempt, Stopped};

/// Writes the note: intent, call. The result is recorded with the end of the escalation, which follows at once.
pub(in crate::worker) async fn write(attempt: &mut Attempt<'_>) -> Result<(), Stopped> {
    let Some(content) = content(attempt).await? else {
        return Ok(());
    };
    if !attempt.intend(Step::Note, "writes the note").await? {
        return Ok(());
    }
    attempt.sends(Step::Note);
    let pagerduty = &attempt.runner.pagerduty;
    let incident = &attempt.message.incident_id;
    match pagerduty.write_note(incident, &content).await {
        Ok(id) => {
            is_there(attempt, id, "written");
            Ok(())
        }
        Err(error) => {
            attempt.write_failed(Step::Note, &error);
            Err(Stopped::Setback(error.setback(Operation::WriteNote)))
        }
    }
}

/// Puts the note in the place of the one that tells of an earlier failure: intent, call, as above. Where that is refused for
/// good, a new note is written beside it: better two notes than none that tells of the session.
pub(in crate::worker) async fn rewrite(
    attempt: &mut Attempt<'_>,
    note: &NoteId,
) -> Result<(), Stopped> {
    let Some(content) = content(attempt).await? else {
        return Ok(());
    };
    let what = format!("writes the note in the place of {note}, which tells of the failure");
    if !attempt.intend(Step::Note, &what).await? {
        return Ok(());
    }
    attempt.sends(Step::Note);
    let pagerduty = &attempt.runner.pagerduty;
    let incident = &attempt.message.incident_id;
    match pagerduty.rewrite_note(incident, note, &content).await {
        Ok(id) => {
            is_there(
                attempt,
                id,
                "written in the place of the one that told of the failure",
            );
            Ok(())
        }
        Err(error) => {
            attempt.write_failed(Step::Note, &error);
            if is_refused(&error) {
                attempt.progress.failure_note = None;
                let what = format!("{error}; a new note is written instead");
                attempt.note(EntryKind::Setback, Some(Step::Note), what);
                // That it is not to be tried again must outlive this process.
                return attempt.record_result().await;
            }
            Err(Stopped::Setback(error.setback(Operation::RewriteNote)))
        }
    }
}

fn is_refused(error: &CallError) -> bool {
    matches!(error, CallError::Refused { .. })
}

fn is_there(attempt: &mut Attempt<'_>, id: NoteId, how: &str) {
    let what = format!("note {id} {how}");
    attempt.note(EntryKind::Answered, Some(Step::Note), what);
    attempt.progress.note = Write::Done {
        at: Timestamp::now(),
        result: id,
    };
    attempt.progress.failure_note = None;
}

/// The note as it is to be written; `None`: it is not known yet what about.
async fn content(attempt: &Attempt<'_>) -> Result<Option<NoteContent>, Stopped> {
    let progress = &attempt.progress;
    let (Some(context), Some(offer)) = (&progress.context, &progress.offer) else {
        return Ok(None);
    };
    let link = match offer {
        Offer::Ours { session, .. } => match &attempt.created {
            Some((created, link)) if created == session => link.clone(),
            Some(_) | None => {
                let ledger = &attempt.runner.ledger;
                ledger.link(&context.conversation, session).await?
            }
        },
        Offer::Running => None,
    };
    let text = NoteText {
        key: &attempt.held.key,
        context,
        agent: progress.agent.as_ref(),
        offer,
        link: link.as_ref(),
        viewer: attempt.viewer.as_ref(),
        style: &attempt.runner.config.note,
    };
    Ok(Some(text.render()))
}

/// Searches for a note of ours: of an earlier call whose answer was lost, or of an earlier failure.
pub(in crate::worker) async fn look_up(
    attempt: &mut Attempt<'_>,
    outcome: NoteOutcome,
) -> Result<(), Stopped> {
    let marker = Marker::of(&attempt.held.key, outcome);
    let read_at = Timestamp::now();
    let incident = &attempt.message.incident_id;
    let found = match attempt.runner.pagerduty.find_note(incident, &marker).await {
        Ok(found) => found,
        Err(error) if outcome == NoteOutcome::Failed && is_refused(&error) => {
            // Nothing hangs on the answer that would be worth dying of: at worst, a new note stands beside the old one.
            let what =
                format!("{error}; a new note is written, whether one tells of the failure or not");
            attempt.note(EntryKind::Setback, Some(Step::Note), what);
            attempt.note_look = Some(NoteLook {
                of: outcome,
                found: None,
                read_at,
            });
            return Ok(());
        }
        Err(error) => return Err(Stopped::Setback(error.setback(Operation::ReadNotes))),
    };
    if found.as_ref().is_some_and(|(_, count)| *count > 1) {
        attempt
            .runner
            .telemetry
            .duplicate_found(Step::Note.as_str(), attempt.held.key.as_str());
    }
    let what = match (&found, outcome) {
        (Some((id, _)), NoteOutcome::Ready) => format!("the incident has our note {id}"),
        (None, NoteOutcome::Ready) => "the incident has no note of ours".to_owned(),
        (Some((id, _)), NoteOutcome::Failed) => format!("our note {id} tells of the failure"),
        (None, NoteOutcome::Failed) => "no note of ours tells of the failure".to_owned(),
    };
    attempt.note(EntryKind::Answered, Some(Step::Note), what);
    attempt.note_look = Some(NoteLook {
        of: outcome,
        found: found.map(|(id, _)| id),
        read_at,
    });
    Ok(())
}
