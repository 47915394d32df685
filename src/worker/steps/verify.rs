//! Verify: reads the conversation. Before anything is written, to see whether it may be; afterwards, for the proof.

use jiff::Timestamp;
use std::fmt::Write as _;

use crate::escalation::{Conversation, EntryKind, Step, Survey};
use crate::upstream::Operation;
use crate::worker::attempt::{Attempt, Stopped};

/// Reads the conversation.
pub(in crate::worker) async fn read(attempt: &mut Attempt<'_>, step: Step) -> Result<(), Stopped> {
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
    if let Some((_, cobrowse)) = &attempt.conversation
        && let Some(ours) = cobrowse.session.done()
        && conversation.times_shown(ours) > 1
    {
        attempt
            .runner
            .telemetry
            .duplicate_found(Step::Media.as_str(), attempt.held.key.as_str());
    }
    let what = in_words(&conversation);
    attempt.note(EntryKind::Answered, Some(step), what);
    attempt.survey = Some(Survey {
        conversation,
        read_at,
    });
    Ok(())
}

/// What a read showed, for the history.
fn in_words(conversation: &Conversation) -> String {
    let mut text = match conversation.over {
        true => "the conversation is over".to_owned(),
        false => "the conversation is live".to_owned(),
    };
    let _ = match conversation.agents.len() {
        1 => write!(text, ", 1 agent connected"),
        agents => write!(text, ", {agents} agents connected"),
    };
    for live in &conversation.cobrowse {
        let _ = match &live.session {
            Some(session) => write!(text, ", shows session {session}"),
            None => write!(text, ", shows a session"),
        };
    }
    text
}
