//! Session: the claim on the conversation, then a cobrowse session.

use jiff::Timestamp;
use std::time::Duration;

use crate::escalation::{EntryKind, Step, Write};
use crate::ledger::{ConversationClaim, ConversationRequest, LinkChange};
use crate::upstream::Operation;
use crate::worker::attempt::{Attempt, CREATES, Stopped};

/// How long to wait at most for another escalation of the same conversation.
const OTHER_ESCALATION: Duration = Duration::from_secs(3);

/// Claims the conversation, so that of two incidents about it one makes the session and the other finds it. With the
/// intent to create one, if that is what follows where nothing is known.
pub(in crate::worker) async fn claim(
    attempt: &mut Attempt<'_>,
    create: bool,
) -> Result<(), Stopped> {
    let Some(context) = attempt.progress.context.clone() else {
        return Ok(());
    };
    if create {
        attempt.outlast_a_call().await?;
    }
    let intend = create.then(|| Box::new(attempt.intend_session()));
    let claim = attempt
        .runner
        .ledger
        .claim_conversation(ConversationRequest {
            held: attempt.held.clone(),
            conversation: context.conversation,
            lease: attempt.runner.config.lease,
            intend: intend.clone(),
        })
        .await?;
    match claim {
        ConversationClaim::Granted {
            held,
            cobrowse,
            resolved_at,
            intended,
        } => {
            attempt.resolved_at = resolved_at;
            attempt.tell_conversation();
            if cobrowse.session != Write::Open && !intended {
                // What was read before the claim says nothing about what others did.
                attempt.survey = None;
            }
            attempt.hold(held, cobrowse);
            if let (true, Some(recorded)) = (intended, intend) {
                attempt.session_intended(*recorded);
            }
            Ok(())
        }
        ConversationClaim::Held { free_in } => {
            Err(Stopped::InOtherHands(free_in.min(OTHER_ESCALATION)))
        }
    }
}

/// Creates a session: intent (unless it is recorded already), call, result.
pub(in crate::worker) async fn create(attempt: &mut Attempt<'_>) -> Result<(), Stopped> {
    let asked_before = match attempt.unsent {
        Some(asked_before) => {
            if let Some((_, cobrowse)) = &attempt.conversation
                && let Write::Intended(intent) = &cobrowse.session
                && let Err(late) = attempt.in_time_for(intent.deadline)
            {
                attempt.take_back_unsent();
                return Err(late);
            }
            attempt.unsent = None;
            asked_before
        }
        None => intend(attempt).await?,
    };
    attempt.sends(Step::Session);
    let result = attempt.runner.genesys.create_session().await;
    let Some((_, cobrowse)) = &mut attempt.conversation else {
        return Ok(());
    };
    match result {
        Ok(created) => {
            cobrowse.session = Write::Done {
                at: Timestamp::now(),
                result: created.id.clone(),
            };
            attempt.created = Some((created.id.clone(), created.link.clone()));
            attempt.link = LinkChange::Set(created.link);
            // The result is made durable together with the intent of the next call, which follows at once: a crash
            // in between costs a session that nobody can reach, as does one before the answer.
            attempt.unrecorded = true;
            let what = format!("session {} created", created.id);
            attempt.note(EntryKind::Answered, Some(Step::Session), what);
            Ok(())
        }
        Err(error) => {
            Attempt::write_failed(&mut cobrowse.session, &error);
            if !error.may_have_taken_effect() {
                attempt.progress.asked_at = asked_before;
            }
            Err(Stopped::Setback(error.setback(Operation::CreateSession)))
        }
    }
}

/// Records the intent. Says what `asked_at` was before.
async fn intend(attempt: &mut Attempt<'_>) -> Result<Option<Timestamp>, Stopped> {
    let intent = attempt.intent();
    let deadline = intent.deadline;
    let asked_before = attempt.progress.asked_at;
    attempt.progress.asked_at.get_or_insert(Timestamp::now());
    if let Some((_, cobrowse)) = &mut attempt.conversation {
        cobrowse.session = Write::Intended(intent);
    }
    attempt.note(EntryKind::Intended, Some(Step::Session), CREATES);
    if let Err(stopped) = attempt.record_intent(deadline).await {
        if Attempt::was_not_sent(&stopped) {
            attempt.progress.asked_at = asked_before;
            if let Some((_, cobrowse)) = &mut attempt.conversation {
                cobrowse.session = Write::Open;
            }
        }
        return Err(stopped);
    }
    Ok(asked_before)
}
