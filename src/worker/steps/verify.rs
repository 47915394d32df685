//! Verify: reads the conversation. Before anything is written, to see whether it may be; afterwards, for the proof.

use jiff::Timestamp;
use std::fmt::Write as _;

use crate::escalation::{Contract, Conversation, EntryKind, Step, Survey};
use crate::upstream::{Operation, ReadConversation};
use crate::worker::attempt::{Attempt, Stopped};

/// Reads the conversation.
pub(in crate::worker) async fn read(attempt: &mut Attempt<'_>, step: Step) -> Result<(), Stopped> {
    let Some(context) = &attempt.progress.context else {
        return Ok(());
    };
    let read_at = Timestamp::now();
    let id = context.conversation.clone();
    let read = |contract: Option<Contract>| {
        let (genesys, id) = (&attempt.runner.genesys, &id);
        async move {
            let read = genesys.conversation(id, contract).await;
            read.map_err(|error| Stopped::Setback(error.setback(Operation::ReadConversation)))
        }
    };
    let known = attempt.contract_on_record();
    let mut seen = read(known).await?;
    if known.is_none() {
        let agreed = attempt.agree(seen.contract).await?;
        if agreed != seen.contract {
            // Others have found out better.
            seen = read(Some(agreed)).await?;
        }
    }
    let ReadConversation {
        conversation,
        contract,
        looks_like: _,
    } = seen;
    if let Some((_, cobrowse)) = &attempt.conversation
        && let Some(ours) = cobrowse.session.done()
    {
        let times = conversation.times_shown(ours);
        if times > 1 {
            let (telemetry, key) = (&attempt.runner.telemetry, attempt.held.key.as_str());
            telemetry.duplicate_found(Step::Media.as_str(), key);
        }
        let live = conversation.cobrowse.iter();
        let ours: Vec<_> = live
            .filter(|live| live.session.as_ref() == Some(ours))
            .collect();
        if let Some(first) = ours.first() {
            attempt.shown(contract, first.joined).await;
        }
        attempt.viewer = ours.iter().find_map(|live| live.viewer.clone());
    }
    let what = in_words(&conversation);
    attempt.note(EntryKind::Answered, Some(step), what);
    attempt.survey = Some(Survey {
        contract,
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
