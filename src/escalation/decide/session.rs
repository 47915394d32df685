//! The session question: is this a conversation to write to, did what was written take effect, is it there?

use jiff::Timestamp;
use std::time::Duration;

use super::absence::{Absence, absence, after, elapsed, landed};
use super::{Action, Call, Situation, Survey, sends};
use crate::escalation::{
    Agent, Cobrowse, Code, Contract, Intent, Progress, SessionId, Setback, Step, Update, Wait,
};

/// While nobody is connected, the conversation is looked at again after a time between these two.
pub(super) const AGENT_POLL: (Duration, Duration) =
    (Duration::from_secs(15), Duration::from_secs(30));
/// The proof is looked for at growing intervals between these two.
const VERIFY_POLL: (Duration, Duration) = (Duration::from_millis(150), Duration::from_secs(2));

/// How long an offer is looked for before its note is written. Genesys has said that it is there; to see it is a comfort, and
/// somebody waits for the note.
const OFFER_SHOWN: Duration = Duration::from_secs(5);

/// How far our clock and Genesys' may be apart.
const OFFER_MARGIN: Duration = Duration::from_secs(60);

/// A session that nobody attached is worth attaching for so long, and an offer that nobody joined worth telling of.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// For so long, people who browse together may still do so. How long a session can last, Genesys does not say; longer than
/// a shift it does not.
const LONGEST_SESSION: Duration = Duration::from_secs(8 * 3600);

/// Nothing was written yet: is this a conversation to write to?
pub(super) fn decide_session(
    progress: &Progress,
    agent: Option<Agent>,
    survey: &Survey,
    situation: &Situation<'_>,
) -> Action {
    if survey.conversation.over {
        return Action::Stop(
            Step::Session,
            Setback::last(Code::ConversationOver, "the conversation has ended"),
        );
    }
    if let Some(agent) = &agent
        && progress.agent.as_ref() != Some(agent)
    {
        return Action::Update(Update::Agent(agent.clone()));
    }
    if !survey.conversation.cobrowse.is_empty() {
        return Action::Update(Update::OfferRunning);
    }
    if agent.is_some() {
        return sends(progress, Call::CreateSession(survey.contract));
    }
    let Some(since) = progress.waiting_since else {
        return Action::Update(Update::Waiting(situation.now));
    };
    if situation.now >= after(since, situation.bounds.agent_wait) {
        return Action::Stop(
            Step::Session,
            Setback::last(
                Code::NoAgentConnected,
                "no agent connected to the conversation within escalation.agent_wait",
            ),
        );
    }
    let left = elapsed(situation.now, after(since, situation.bounds.agent_wait));
    Action::Stop(
        Step::Session,
        Setback::parked(
            Code::NoAgentConnected,
            "no agent is connected to the conversation yet",
            Wait::Between(AGENT_POLL.0.min(left), AGENT_POLL.1.min(left)),
        ),
    )
}

/// `sessions`: a session was asked for, and what became of that is not known.
///
/// There is no way to look a session up that nobody attached, so its absence cannot be proven; and none is needed, since a
/// session nobody attached can be reached by nobody. Wait out the first call, then repeat.
pub(super) fn decide_created(intent: &Intent, situation: &Situation<'_>) -> Action {
    match landed(intent, situation) {
        Some(until) => Action::WaitUntil {
            step: Step::Session,
            until,
        },
        None => Action::Update(Update::SessionMayRepeat),
    }
}

/// `conversation`: a session was to be offered, and what became of that is not known.
///
/// Which sessions were there before the call is on record; so another one, live or ended since, is what the call made. (An
/// agent may have started one in the same moment. Then that is the one to tell of, too.) It is looked for only when the call can
/// no longer take effect, or there could be two a moment later. That none is shown proves something only
/// where this Genesys is known to show them. Otherwise another call could put a second offer before the customer.
pub(super) fn decide_offered(
    intent: &Intent,
    there_before: &[SessionId],
    survey: &Survey,
    situation: &Situation<'_>,
) -> Action {
    if let Some(until) = landed(intent, situation) {
        return Action::WaitUntil {
            step: Step::Session,
            until,
        };
    }
    let conclusive = survey.read_at >= after(intent.deadline, situation.bounds.settle);
    let conversation = &survey.conversation;
    let mut new = conversation.sessions();
    let new = new.find(|session| !there_before.contains(session));
    if let (true, Some(session)) = (conclusive, new) {
        return Action::Update(Update::SessionFound {
            session: session.clone(),
            at: survey.read_at,
        });
    }
    if conclusive && !conversation.cobrowse.is_empty() {
        // It cannot be read whose it is; that there is one can be told.
        return Action::Update(Update::OfferRunning);
    }
    match absence(intent, Some(survey.read_at), situation) {
        Absence::TooEarly(until) => Action::WaitUntil {
            step: Step::Session,
            until,
        },
        Absence::Look => Action::Call(Call::ReadConversation(Step::Session)),
        Absence::Once(at) => Action::Update(Update::SessionAbsent(at)),
        Absence::Proven if situation.shows_sessions => Action::Update(Update::SessionProvenAbsent),
        // Whatever the call made is over. Whoever asks for a session in this conversation later is not to die of it.
        Absence::Proven if situation.now >= over_by(intent.deadline, None, situation) => {
            Action::Update(Update::SessionRunOut)
        }
        Absence::Proven if survey.conversation.over => Action::Stop(
            Step::Session,
            Setback::last(
                Code::ConversationOver,
                "the conversation ended; whether a session was offered in it is not known",
            ),
        ),
        Absence::Proven => Action::Stop(
            Step::Session,
            Setback::last(
                Code::SessionOutcomeUnknown,
                "whether the call that had no usable answer has offered a session cannot be found out",
            ),
        ),
    }
}

/// A session exists and nothing was sent to attach it.
pub(super) fn decide_media(
    progress: &Progress,
    session: &SessionId,
    created_at: Timestamp,
    survey: &Survey,
    situation: &Situation<'_>,
) -> Action {
    if survey.conversation.has_had(session) {
        return Action::Update(Update::MediaFound(survey.read_at));
    }
    if survey.conversation.over {
        return Action::Stop(
            Step::Media,
            Setback::last(
                Code::ConversationOver,
                "the conversation ended before the session could be attached",
            ),
        );
    }
    if !survey.conversation.cobrowse.is_empty() {
        // Somebody else was faster. Ours is attached nowhere, so nobody sees it; offering two would confuse both.
        return Action::Update(Update::OfferRunning);
    }
    if situation.now >= after(created_at, FORGOTTEN) {
        // Left behind by an escalation that came no further. What Genesys still makes of it is anybody's guess.
        return Action::Update(Update::ForgetUnattached);
    }
    sends(progress, Call::AttachMedia(session.clone()))
}

/// Something was sent to attach the session, and what became of it is not known.
pub(super) fn decide_media_reconcile(
    session: &SessionId,
    intent: &Intent,
    survey: &Survey,
    situation: &Situation<'_>,
) -> Action {
    if survey.conversation.has_had(session) {
        return Action::Update(Update::MediaFound(survey.read_at));
    }
    match absence(intent, Some(survey.read_at), situation) {
        Absence::TooEarly(until) => Action::WaitUntil {
            step: Step::Media,
            until,
        },
        Absence::Look => Action::Call(Call::ReadConversation(Step::Media)),
        Absence::Once(at) => Action::Update(Update::MediaAbsent(at)),
        Absence::Proven => Action::Update(Update::MediaMayRepeat),
    }
}

/// A session that was attached.
pub(super) struct Proof<'a> {
    pub(super) session: &'a SessionId,
    pub(super) started_at: Timestamp,
    pub(super) attached_at: Timestamp,
    pub(super) cobrowse: &'a Cobrowse,
}

/// The session was attached: does the conversation show it?
pub(super) fn decide_proof(
    progress: &Progress,
    proof: &Proof<'_>,
    agent: Option<Agent>,
    survey: &Survey,
    situation: &Situation<'_>,
) -> Action {
    let Proof {
        session,
        started_at,
        attached_at,
        cobrowse,
    } = *proof;
    if survey.conversation.shows(session) {
        return match agent {
            Some(agent) if progress.agent.is_none() => Action::Update(Update::Agent(agent)),
            Some(_) | None => Action::Update(Update::OfferOurs {
                session: session.clone(),
                started_at,
                seen_at: Some(survey.read_at),
                ended: false,
            }),
        };
    }
    // Asked for by this escalation, and not by another one of the conversation.
    let is_own = progress.asked_at.is_some_and(|asked| asked <= started_at);
    if survey.conversation.ended.contains(session) && (is_own || cobrowse.seen_at.is_none()) {
        return Action::Update(if is_own {
            Update::OfferOurs {
                session: session.clone(),
                started_at,
                seen_at: Some(survey.read_at),
                ended: true,
            }
        } else {
            // Another escalation's, and it is gone.
            Update::ForgetSession {
                over_at: Some(survey.read_at),
            }
        });
    }
    let bound = after(
        attached_at,
        match cobrowse.contract {
            Contract::Sessions => situation.bounds.verify,
            Contract::Conversation => situation.bounds.verify.min(OFFER_SHOWN),
        },
    );
    if situation.now < bound {
        let waited = elapsed(attached_at, survey.read_at);
        let pause = (waited / 2).clamp(VERIFY_POLL.0, VERIFY_POLL.1);
        let until = after(survey.read_at, pause).min(bound);
        return if situation.now < until {
            Action::WaitUntil {
                step: Step::Verify,
                until,
            }
        } else {
            Action::Call(Call::ReadConversation(Step::Verify))
        };
    }
    if survey.read_at < bound {
        // The bound has passed since the last look: one more look, so that a late proof counts.
        return Action::Call(Call::ReadConversation(Step::Verify));
    }
    if let Some(seen_at) = cobrowse.seen_at {
        // Seen by somebody, and gone now. Whose it was is what counts: its own escalation has had its session; another one
        // gets its own. One that was attached and never shown is another matter; a second one beside it would be an offer
        // twice.
        return Action::Update(if is_own {
            Update::OfferOurs {
                session: session.clone(),
                started_at,
                seen_at: Some(seen_at),
                ended: true,
            }
        } else {
            Update::ForgetSession { over_at: None }
        });
    }
    if survey.conversation.over {
        return Action::Stop(
            Step::Verify,
            Setback::last(
                Code::ConversationOver,
                "the conversation ended before it showed the session",
            ),
        );
    }
    match cobrowse.contract {
        // Another escalation's, and whatever it was is over.
        Contract::Sessions | Contract::Conversation
            if !is_own && situation.now >= over_by(started_at, Some(cobrowse), situation) =>
        {
            Action::Update(Update::ForgetSession {
                over_at: Some(situation.now),
            })
        }
        Contract::Sessions => Action::Stop(
            Step::Verify,
            Setback::last(
                Code::CobrowseNotConfirmed,
                "the session was attached, but the conversation never showed it",
            ),
        ),
        // It was offered, and Genesys has said so. Whether a session that nobody has joined yet is shown at all, Genesys
        // does not say.
        Contract::Conversation => match agent {
            Some(agent) if progress.agent.is_none() => Action::Update(Update::Agent(agent)),
            Some(_) | None => Action::Update(Update::OfferOurs {
                session: session.clone(),
                started_at,
                seen_at: None,
                ended: false,
            }),
        },
    }
}

/// By when a session that no read shows is certainly over.
///
/// Where joined sessions are shown, nobody has joined it, and an offer that nobody joined ends: by its own end, whose clock
/// is Genesys', or with time. Elsewhere people may be in it.
fn over_by(
    started_at: Timestamp,
    known: Option<&Cobrowse>,
    situation: &Situation<'_>,
) -> Timestamp {
    if !situation.shows_joined && !situation.shows_sessions {
        let contract = known.map_or(Contract::Conversation, |cobrowse| cobrowse.contract);
        return match contract {
            // A session that was attached is shown, or it is none.
            Contract::Sessions => after(started_at, FORGOTTEN),
            Contract::Conversation => after(started_at, LONGEST_SESSION),
        };
    }
    match known.and_then(|cobrowse| cobrowse.offer_ends) {
        Some(ends) => after(ends, OFFER_MARGIN),
        None => after(started_at, FORGOTTEN),
    }
}
