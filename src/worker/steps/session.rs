//! Session: the claim on the conversation, then a cobrowse session.

use jiff::Timestamp;
use std::time::Duration;

use crate::escalation::{Contract, ConversationId, EntryKind, Step, Write};
use crate::ledger::{ConversationClaim, ConversationRequest, LinkChange};
use crate::upstream::{CreatedSession, Operation};
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
            let asks_others = cobrowse.contract == Contract::Conversation
                && cobrowse.session.in_doubt()
                && !intended;
            attempt.hold(held, cobrowse);
            if asks_others {
                attempt.look_what_others_have_learned().await?;
            }
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
    let Some((contract, conversation)) = what_to_ask(attempt) else {
        return Ok(());
    };
    attempt.sends(Step::Session);
    let genesys = &attempt.runner.genesys;
    let (operation, result) = match contract {
        Contract::Sessions => (Operation::CreateSession, genesys.create_session().await),
        Contract::Conversation => (
            Operation::OfferSession,
            genesys.offer_session(&conversation).await,
        ),
    };
    match result {
        Ok(created) => {
            created_is_known(attempt, contract, created);
            attempt.confirm(contract).await;
            Ok(())
        }
        Err(error) => {
            if let Some((_, cobrowse)) = &mut attempt.conversation {
                Attempt::write_failed(&mut cobrowse.session, &error);
            }
            if !error.may_have_taken_effect() {
                attempt.progress.asked_at = asked_before;
            }
            if attempt.tries_the_other(contract, &error).await {
                return Ok(());
            }
            let error = match contract {
                Contract::Sessions => error,
                Contract::Conversation => attempt.means_the_conversation(error),
            };
            Err(Stopped::Setback(error.setback(operation)))
        }
    }
}

/// Under which contract, and in which conversation.
fn what_to_ask(attempt: &Attempt<'_>) -> Option<(Contract, ConversationId)> {
    let (_, cobrowse) = attempt.conversation.as_ref()?;
    let context = attempt.progress.context.as_ref()?;
    Some((cobrowse.contract, context.conversation.clone()))
}

/// Takes the answer into the records. It is made durable together with the intent of the next call, which follows at once: a
/// crash in between costs, under `sessions`, a session that nobody can reach, as does one before the answer; under
/// `conversation` the session is found by the next look.
fn created_is_known(attempt: &mut Attempt<'_>, contract: Contract, created: CreatedSession) {
    let Some((_, cobrowse)) = &mut attempt.conversation else {
        return;
    };
    let at = Timestamp::now();
    cobrowse.session = Write::Done {
        at,
        result: created.id.clone(),
    };
    cobrowse.offer_ends = created.offer_ends;
    let what = match contract {
        Contract::Sessions => format!("session {} created", created.id),
        Contract::Conversation => {
            cobrowse.media = Write::Done { at, result: () };
            // What was read before the write says nothing about it.
            attempt.survey = None;
            format!("session {} offered in the conversation", created.id)
        }
    };
    attempt.created = Some((created.id, created.link.clone()));
    attempt.link = LinkChange::Set(created.link);
    attempt.unrecorded = true;
    attempt.note(EntryKind::Answered, Some(Step::Session), what);
}

/// Records the intent. Says what `asked_at` was before.
async fn intend(attempt: &mut Attempt<'_>) -> Result<Option<Timestamp>, Stopped> {
    let intent = attempt.intent();
    let deadline = intent.deadline;
    let asked_before = attempt.progress.asked_at;
    attempt.progress.asked_at.get_or_insert(Timestamp::now());
    let (contract, there_before) = (attempt.contract(), attempt.there_before());
    if let Some((_, cobrowse)) = &mut attempt.conversation {
        cobrowse.session = Write::Intended(intent);
        cobrowse.contract = contract;
        cobrowse.there_before = there_before;
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
