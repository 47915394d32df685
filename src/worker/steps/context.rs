//! Context: which conversation, which agent. A webhook does not say; the incident's alert does, a little later.

use std::time::Duration;

use crate::escalation::{Code, Context, EntryKind, Setback, Step, Wait};
use crate::upstream::{Alerts, CallError, Operation};
use crate::worker::attempt::{Attempt, Stopped};

/// An alert that is there and carries no conversation id is final after this; the promise is 15 s, the rest is for
/// the way through the queue.
const NOTHING_FOUND: Duration = Duration::from_secs(12);
/// An alert that does not come, or gets no body, is final after this; the promise is 60 s.
const NEVER_HYDRATED: Duration = Duration::from_secs(55);

/// Where no alert has a body after this, the incident's own body is read too. Most alerts have theirs within two seconds,
/// and the incident's answer holds more than we want to see.
const FALLBACK: Duration = Duration::from_secs(4);

/// Reads the alerts, unless whoever started the escalation knew the conversation.
pub(in crate::worker) async fn run(attempt: &mut Attempt<'_>) -> Result<(), Stopped> {
    let context = match &attempt.start.conversation_id {
        Some(conversation) => Context {
            conversation: conversation.clone(),
            agent: attempt.start.agent_id.clone(),
            ambiguous: false,
        },
        None => from_alerts(attempt).await?,
    };
    let agent = match &context.agent {
        Some(agent) => format!(", agent {agent}"),
        None => String::new(),
    };
    let ambiguous = match context.ambiguous {
        true => "; the incident's alerts name several conversations, this is the first",
        false => "",
    };
    let what = format!("conversation {}{agent}{ambiguous}", context.conversation);
    attempt.note(EntryKind::Answered, Some(Step::Context), what);
    attempt.progress.context = Some(context);
    attempt.tell_conversation();
    Ok(())
}

async fn from_alerts(attempt: &Attempt<'_>) -> Result<Context, Stopped> {
    let alerts = attempt
        .runner
        .pagerduty
        .alerts(&attempt.message.incident_id)
        .await
        .map_err(|error| Stopped::Setback(error.setback(Operation::ReadAlerts)))?;
    let (code, reason, patience) = match alerts {
        Alerts::Found(context) => return Ok(context),
        Alerts::NothingInThem => (
            Code::NoConversationId,
            "none of the incident's alerts carries a conversation id",
            NOTHING_FOUND,
        ),
        Alerts::NotHydrated => (
            Code::AlertNeverHydrated,
            "the incident's alert has no body",
            NEVER_HYDRATED,
        ),
        Alerts::None => (Code::NoAlert, "the incident has no alert", NEVER_HYDRATED),
    };
    let age = attempt.age();
    if code != Code::NoConversationId
        && age >= FALLBACK
        && let Some(context) = from_the_incident(attempt, age).await?
    {
        return Ok(context);
    }
    Err(Stopped::Setback(if age >= patience {
        Setback::last(code, reason)
    } else {
        Setback::parked(
            code,
            format!("{reason} yet"),
            Wait::After(look_again(age).min(patience.saturating_sub(age))),
        )
    }))
}

/// The fallback. While the alert may still come, its failure is no reason to wait for longer than the alert is waited for;
/// at the end it is: nothing dies because PagerDuty cannot be asked.
async fn from_the_incident(
    attempt: &Attempt<'_>,
    age: Duration,
) -> Result<Option<Context>, Stopped> {
    let incident = &attempt.message.incident_id;
    match attempt.runner.pagerduty.incident_body(incident).await {
        Ok(found) => Ok(found),
        // It may not be read, or is not there: then the alerts alone say what there is to say.
        Err(CallError::Refused { .. }) => Ok(None),
        Err(_) if age < NEVER_HYDRATED => Ok(None),
        Err(error) => Err(Stopped::Setback(error.setback(Operation::ReadIncident))),
    }
}

/// Alerts come within a second or two, and then it is worth staying at it; one that takes longer may take a while.
fn look_again(age: Duration) -> Duration {
    if age < Duration::from_secs(3) {
        Duration::from_millis(300)
    } else {
        Duration::from_secs(3)
    }
}
