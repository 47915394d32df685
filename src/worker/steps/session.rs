//! Session: the claim on the conversation, then a cobrowse session.

use jiff::Timestamp;
use std::time::Duration;

use crate::escalation::{Contract, ConversationId, EntryKind, Step, Write};
use crate::ledger::{ConversationClaim, ConversationRequest, Error, LinkChange};
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
        .await;
    if let (Err(Error::Unavailable(_)), Some(unheard)) = (&claim, &intend) {
        attempt.perhaps_intended = Some(unheard.intent.clone());
    }
    match claim? {
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
    if !attempt.takes_up_intent() && !attempt.intend(Step::Session, CREATES).await? {
        return Ok(());
    }
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
            attempt.write_failed(Step::Session, &error);
            if attempt.tries_the_other(contract, &error).await {
                // That nothing was asked for by this contract, and only that, must outlive this process.
                return attempt.record_result().await;
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
