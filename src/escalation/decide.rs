//! What has to be done next. A function of what is known; it does nothing itself.
//!
//! One escalation is a loop: decide, do the one thing, put what was learned into [`Progress`], [`Cobrowse`] or
//! [`Situation`], decide again. Every crash is a return to the top of that loop with whatever the ledger holds, so
//! the only question that each arm below must answer is: *what may already have happened if we come here again?*

mod absence;

use jiff::Timestamp;
use std::time::Duration;

use super::cobrowse::Cobrowse;
use super::code::Code;
use super::conversation::{Agent, Conversation, choose_agent};
use super::ids::{NoteId, SessionId};
use super::progress::{End, GaveUp, Intent, Progress, Step, Write};
use super::retry::{Setback, Wait};
use super::update::Update;
use absence::{Absence, absence, after, elapsed, landed};

/// While nobody is connected, the conversation is looked at again after a time between these two.
const AGENT_POLL: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(30));
/// The proof is looked for at growing intervals between these two.
const VERIFY_POLL: (Duration, Duration) = (Duration::from_millis(150), Duration::from_secs(2));

/// A session that nobody attached is worth attaching for so long. Sessions end after some hours at the latest.
const UNATTACHED: Duration = Duration::from_secs(3600);

/// The times that bound an escalation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How long after a call's deadline its request may still take effect at the vendor.
    pub settle: Duration,
    /// How long the conversation may take to show an attached session.
    pub verify: Duration,
    /// How long to wait for an agent to connect.
    pub agent_wait: Duration,
    /// How old an escalation may grow.
    pub expires_after: Duration,
}

/// A read of the conversation, and when it began: what it says about a write depends on which came first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// What it said.
    pub conversation: Conversation,
    /// When the request was sent.
    pub read_at: Timestamp,
}

/// A search for our note in the incident, and when it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteLook {
    /// The note that carries our marker.
    pub found: Option<NoteId>,
    /// When the request was sent.
    pub read_at: Timestamp,
}

/// Everything else that counts: what this run knows and no later run may rely on.
#[derive(Debug, Clone)]
pub struct Situation<'a> {
    /// The time now.
    pub now: Timestamp,
    /// The bounds in force.
    pub bounds: &'a Bounds,
    /// When the ingress accepted the escalation.
    pub accepted_at: Timestamp,
    /// When the event behind it happened, by PagerDuty's clock.
    pub occurred_at: Timestamp,
    /// When the incident was last resolved, by the same clock.
    pub resolved_at: Option<Timestamp>,
    /// Whether a token is at hand.
    pub token: bool,
    /// The conversation's session, while this run holds the claim on it.
    pub claimed: Option<&'a Cobrowse>,
    /// The intent to create a session is recorded, by this run, and its call was not sent yet.
    pub unsent: bool,
    /// The last read of the conversation in this run, since the last write. One from before the claim counts only if the
    /// ledger then knew of no session: where there was none to be known of, nobody of ours can have attached one.
    pub survey: Option<&'a Survey>,
    /// The last search for our note in this run.
    pub note_look: Option<&'a NoteLook>,
}

/// The next thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Ask somebody.
    Call(Call),
    /// Take this into the records. No call.
    Update(Update),
    /// Nothing can be done before this time.
    WaitUntil {
        /// On behalf of which step.
        step: Step,
        /// When to decide again.
        until: Timestamp,
    },
    /// It cannot go on, for this reason.
    Stop(Step, Setback),
    /// It has ended.
    Finish(End),
}

/// Something that needs an answer from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Read the incident's alerts: [`Progress::context`].
    FindContext,
    /// See to it that there is a token: [`Situation::token`].
    GetToken,
    /// Take the claim on the conversation: [`Situation::claimed`]. If a session is to be created should the ledger know of
    /// none, record the intent in the same transaction: [`Situation::unsent`].
    ClaimConversation {
        /// Whether it is.
        create: bool,
    },
    /// Read the conversation, on behalf of this step: [`Situation::survey`].
    ReadConversation(Step),
    /// Record the intent, unless it is recorded and unsent; then create a session.
    CreateSession,
    /// Record the intent, then attach this session.
    AttachMedia(SessionId),
    /// Search the incident's notes for our marker: [`Situation::note_look`].
    LookUpNote,
    /// Record the intent, then write the note.
    WriteNote,
}

impl Call {
    /// Up to which step its success shows that nothing holds the escalation up any more. A read before a write says
    /// nothing about that write, and what asks no vendor says nothing at all.
    #[must_use]
    pub fn settles(&self) -> Option<Step> {
        match self {
            Self::GetToken | Self::ClaimConversation { .. } | Self::LookUpNote => None,
            Self::FindContext => Some(Step::Context),
            Self::ReadConversation(Step::Verify) => Some(Step::Verify),
            Self::ReadConversation(_) => Some(Step::Token),
            Self::CreateSession => Some(Step::Session),
            Self::AttachMedia(_) => Some(Step::Media),
            Self::WriteNote => Some(Step::Note),
        }
    }

    /// The step that it belongs to.
    #[must_use]
    pub fn step(&self) -> Step {
        match self {
            Self::FindContext => Step::Context,
            Self::GetToken => Step::Token,
            Self::ClaimConversation { .. } | Self::CreateSession => Step::Session,
            Self::ReadConversation(step) => *step,
            Self::AttachMedia(_) => Step::Media,
            Self::LookUpNote | Self::WriteNote => Step::Note,
        }
    }
}

/// The next thing to do for an escalation that is this far, in this situation.
#[must_use]
pub fn decide(progress: &Progress, situation: &Situation<'_>) -> Action {
    if progress.note.done().is_some() {
        return Action::Finish(End::Done);
    }
    let asked = progress.asked_at.is_some() || progress.note.asked();
    if !asked
        && situation
            .resolved_at
            .is_some_and(|resolved| resolved >= situation.occurred_at)
    {
        return Action::Finish(End::Cancelled);
    }
    // What became of a write is still worth finding out, but not for ever.
    let grace = match in_doubt(progress, situation) {
        true => 2,
        false => 1,
    };
    let expires_after = situation.bounds.expires_after.saturating_mul(grace);
    if situation.now >= after(situation.accepted_at, expires_after) {
        return Action::Stop(
            current_step(progress),
            Setback::last(Code::Expired, "older than escalation.expires_after"),
        );
    }
    let Some(context) = &progress.context else {
        return Action::Call(Call::FindContext);
    };
    if progress.offer.is_some() {
        return decide_note(progress, situation);
    }
    if !situation.token {
        return Action::Call(Call::GetToken);
    }
    let Some(survey) = situation.survey else {
        let step = situation.claimed.map_or(Step::Session, step_of);
        return Action::Call(Call::ReadConversation(step));
    };
    let agent = choose_agent(context.agent.as_ref(), &survey.conversation);
    let Some(cobrowse) = situation.claimed else {
        return decide_claim(progress, agent, survey, situation);
    };
    match &cobrowse.session {
        Write::Open => decide_session(progress, agent, survey, situation),
        Write::Intended(_) if situation.unsent => Action::Call(Call::CreateSession),
        // There is no way to look a session up that nobody attached, so its absence cannot be proven; and none is
        // needed, since a session nobody attached can be reached by nobody. Wait out the first call, then repeat.
        Write::Intended(intent) => match landed(intent, situation) {
            Some(until) => Action::WaitUntil {
                step: Step::Session,
                until,
            },
            None => Action::Update(Update::SessionMayRepeat),
        },
        Write::Done {
            at,
            result: session,
        } => match &cobrowse.media {
            Write::Open => decide_media(progress, session, *at, survey, situation),
            Write::Intended(intent) => decide_media_reconcile(session, intent, survey, situation),
            Write::Done { at: attached, .. } => {
                let proof = Proof {
                    session,
                    started_at: *at,
                    attached_at: *attached,
                    seen: cobrowse.seen_at.is_some(),
                };
                decide_proof(progress, &proof, agent, survey, situation)
            }
        },
    }
}

/// The conversation was read and is not claimed: what would be done if the ledger knows of no session there?
///
/// Most of the time it knows of none. So claim and intent go into the ledger together, and the answer to the claim says
/// whether the intent stands.
fn decide_claim(
    progress: &Progress,
    agent: Option<Agent>,
    survey: &Survey,
    situation: &Situation<'_>,
) -> Action {
    if progress.asked_at.is_some() {
        // An earlier attempt asked for something: there is more to know than what a read shows.
        return Action::Call(Call::ClaimConversation { create: false });
    }
    match decide_session(progress, agent, survey, situation) {
        update @ Action::Update(Update::Agent(_)) => update,
        Action::Call(Call::CreateSession) => Action::Call(Call::ClaimConversation { create: true }),
        Action::Call(_)
        | Action::Update(_)
        | Action::WaitUntil { .. }
        | Action::Stop(..)
        | Action::Finish(_) => Action::Call(Call::ClaimConversation { create: false }),
    }
}

/// Nothing was written yet: is this a conversation to write to?
fn decide_session(
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
        return sends(progress, Call::CreateSession);
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

/// A session exists and nothing was sent to attach it.
fn decide_media(
    progress: &Progress,
    session: &SessionId,
    created_at: Timestamp,
    survey: &Survey,
    situation: &Situation<'_>,
) -> Action {
    if survey.conversation.shows(session) {
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
    if situation.now >= after(created_at, UNATTACHED) {
        // Left behind by an escalation that came no further. What Genesys still makes of it is anybody's guess.
        return Action::Update(Update::ForgetUnattached);
    }
    sends(progress, Call::AttachMedia(session.clone()))
}

/// Something was sent to attach the session, and what became of it is not known.
fn decide_media_reconcile(
    session: &SessionId,
    intent: &Intent,
    survey: &Survey,
    situation: &Situation<'_>,
) -> Action {
    if survey.conversation.shows(session) {
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
struct Proof<'a> {
    session: &'a SessionId,
    started_at: Timestamp,
    attached_at: Timestamp,
    /// Some read has shown it before.
    seen: bool,
}

/// The session was attached: does the conversation show it?
fn decide_proof(
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
        seen,
    } = *proof;
    if survey.conversation.shows(session) {
        return match agent {
            Some(agent) if progress.agent.is_none() => Action::Update(Update::Agent(agent)),
            Some(_) | None => Action::Update(Update::OfferOurs {
                session: session.clone(),
                started_at,
                seen_at: survey.read_at,
            }),
        };
    }
    let bound = after(attached_at, situation.bounds.verify);
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
    if seen {
        // Seen, and not by this escalation, or it would have its offer: somebody else's session, and it is gone. This one
        // gets its own. One that was attached and never shown is another matter; a second one beside it would be an offer
        // twice.
        return Action::Update(Update::ForgetSession);
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
    Action::Stop(
        Step::Verify,
        Setback::last(
            Code::CobrowseNotConfirmed,
            "the session was attached, but the conversation never showed it",
        ),
    )
}

fn decide_note(progress: &Progress, situation: &Situation<'_>) -> Action {
    match &progress.note {
        Write::Open => sends(progress, Call::WriteNote),
        Write::Done { .. } => Action::Finish(End::Done),
        Write::Intended(intent) => {
            let look = situation.note_look;
            if let Some((id, at)) = look.and_then(|l| l.found.clone().map(|id| (id, l.read_at))) {
                return Action::Update(Update::NoteFound(at, id));
            }
            match absence(intent, look.map(|l| l.read_at), situation) {
                Absence::TooEarly(until) => Action::WaitUntil {
                    step: Step::Note,
                    until,
                },
                Absence::Look => Action::Call(Call::LookUpNote),
                Absence::Once(at) => Action::Update(Update::NoteAbsent(at)),
                Absence::Proven => Action::Update(Update::NoteMayRepeat),
            }
        }
    }
}

/// A write, unless the attempts are spent.
fn sends(progress: &Progress, call: Call) -> Action {
    match &progress.gave_up {
        Some(GaveUp { code, reason }) => Action::Stop(call.step(), Setback::last(*code, reason)),
        None => Action::Call(call),
    }
}

/// Whether a write that can be looked for was sent, and what became of it is not known; or is not known yet.
fn in_doubt(progress: &Progress, situation: &Situation<'_>) -> bool {
    let media_in_doubt = match situation.claimed {
        Some(cobrowse) => cobrowse.media.in_doubt(),
        None => progress.asked_at.is_some(),
    };
    progress.note.in_doubt() || (progress.offer.is_none() && media_in_doubt)
}

fn step_of(cobrowse: &Cobrowse) -> Step {
    match (&cobrowse.session, &cobrowse.media) {
        (Write::Open | Write::Intended(_), _) => Step::Session,
        (Write::Done { .. }, Write::Open | Write::Intended(_)) => Step::Media,
        (Write::Done { .. }, Write::Done { .. }) => Step::Verify,
    }
}

fn current_step(progress: &Progress) -> Step {
    if progress.context.is_none() {
        Step::Context
    } else if progress.offer.is_some() {
        Step::Note
    } else {
        Step::Session
    }
}

#[cfg(test)]
mod tests;
