//! Session: the claim on the conversation, then a cobrowse session.

use jiff::Timestamp;
use std::time::Duration;

use crate::escalation::{Step, Write};
use crate::ledger::{ConversationClaim, LinkChange};
use crate::upstream::Operation;
use crate::worker::attempt::{Attempt, Stopped};

/// How long to wait at most for another escalation of the same conversation.
const OTHER_ESCALATION: Duration = Duration::from_secs(3);

/// Claims the conversation, so that of two incidents about it one makes the session and the other finds it.
pub(in crate::worker) async fn claim(attempt: &mut Attempt<'_>) -> Result<(), Stopped> {
    let Some(context) = &attempt.progress.context else {
        return Ok(());
    };
    let claim = attempt
        .runner
        .ledger
        .claim_conversation(
            &attempt.held,
            &context.conversation,
            attempt.runner.config.lease,
        )
        .await?;
    match claim {
        ConversationClaim::Granted {
            held,
            cobrowse,
            resolved_at,
        } => {
            attempt.resolved_at = resolved_at;
            attempt.tell_conversation();
            attempt.hold(held, cobrowse);
            Ok(())
        }
        ConversationClaim::Held { free_in } => {
            Err(Stopped::InOtherHands(free_in.min(OTHER_ESCALATION)))
        }
    }
}

/// Creates a session: intent, call, result.
pub(in crate::worker) async fn create(attempt: &mut Attempt<'_>) -> Result<(), Stopped> {
    let intent = attempt.intent();
    let deadline = intent.deadline;
    let asked_before = attempt.progress.asked_at;
    attempt.progress.asked_at.get_or_insert(Timestamp::now());
    if let Some((_, cobrowse)) = &mut attempt.conversation {
        cobrowse.session = Write::Intended(intent);
    }
    if let Err(stopped) = attempt.record_intent(deadline).await {
        if Attempt::was_not_sent(&stopped) {
            attempt.progress.asked_at = asked_before;
            if let Some((_, cobrowse)) = &mut attempt.conversation {
                cobrowse.session = Write::Open;
            }
        }
        return Err(stopped);
    }
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
            attempt.link = LinkChange::Set(created.link);
            attempt.note(
                Some(Step::Session),
                format!("session {} created", created.id),
                None,
            );
            // The result is made durable together with the intent of the next call, which follows at once: a crash
            // in between costs a session that nobody can reach, as does one before the answer.
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
