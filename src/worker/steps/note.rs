//! Note: the link into the incident.

use jiff::Timestamp;

use crate::escalation::{EntryKind, Marker, NoteLook, NoteOutcome, NoteText, Offer, Step, Write};
use crate::upstream::Operation;
use crate::worker::attempt::{Attempt, Stopped};

/// Writes the note: intent, call. The result is recorded with the end of the escalation, which follows at once.
pub(in crate::worker) async fn write(attempt: &mut Attempt<'_>) -> Result<(), Stopped> {
    let (Some(context), Some(offer)) = (
        attempt.progress.context.clone(),
        attempt.progress.offer.clone(),
    ) else {
        return Ok(());
    };
    let link = match &offer {
        Offer::Ours { session, .. } => match &attempt.created {
            Some((created, link)) if created == session => link.clone(),
            Some(_) | None => {
                let ledger = &attempt.runner.ledger;
                ledger.link(&context.conversation, session).await?
            }
        },
        Offer::Running => None,
    };
    let content = NoteText {
        key: &attempt.held.key,
        context: &context,
        agent: attempt.progress.agent.as_ref(),
        offer: &offer,
        link: link.as_ref(),
        viewer: attempt.viewer.as_ref(),
        style: &attempt.runner.config.note,
    }
    .render();
    if !attempt.intend(Step::Note, "writes the note").await? {
        return Ok(());
    }
    attempt.sends(Step::Note);
    let result = attempt
        .runner
        .pagerduty
        .write_note(&attempt.message.incident_id, &content)
        .await;
    match result {
        Ok(id) => {
            let what = format!("note {id} written");
            attempt.note(EntryKind::Answered, Some(Step::Note), what);
            attempt.progress.note = Write::Done {
                at: Timestamp::now(),
                result: id,
            };
            Ok(())
        }
        Err(error) => {
            attempt.write_failed(Step::Note, &error);
            Err(Stopped::Setback(error.setback(Operation::WriteNote)))
        }
    }
}

/// Searches for the note of an earlier call whose answer was lost.
pub(in crate::worker) async fn look_up(attempt: &mut Attempt<'_>) -> Result<(), Stopped> {
    let marker = Marker::of(&attempt.held.key, NoteOutcome::Ready);
    let read_at = Timestamp::now();
    let found = attempt
        .runner
        .pagerduty
        .find_note(&attempt.message.incident_id, &marker)
        .await
        .map_err(|error| Stopped::Setback(error.setback(Operation::ReadNotes)))?;
    if found.as_ref().is_some_and(|(_, count)| *count > 1) {
        attempt
            .runner
            .telemetry
            .duplicate_found(Step::Note.as_str(), attempt.held.key.as_str());
    }
    let what = match &found {
        Some((id, _)) => format!("the incident has our note {id}"),
        None => "the incident has no note of ours".to_owned(),
    };
    attempt.note(EntryKind::Answered, Some(Step::Note), what);
    attempt.note_look = Some(NoteLook {
        found: found.map(|(id, _)| id),
        read_at,
    });
    Ok(())
}
