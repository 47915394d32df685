//! What has to be done next. A function of what is known; it does nothing itself.
//!
//! One escalation is a loop: decide, do the one thing, put what was learned into [`Progress`], [`Cobrowse`] or
//! [`Situation`], decide again. Every crash is a return to the top of that loop with whatever the ledger holds, so
//! the only question that each arm below must answer is: *what may already have happened if we come here again?*

mod absence;
mod session;

use jiff::Timestamp;
use std::time::Duration;

use super::cobrowse::Cobrowse;
use super::code::Code;
use super::contract::Contract;
use super::conversation::{Agent, Conversation, choose_agent};
use super::ids::{NoteId, SessionId};
use super::note::Outcome as NoteOutcome;
use super::progress::{End, FailureNote, GaveUp, Progress, Step, Write};
use super::retry::Setback;
use super::update::Update;
use absence::{Absence, absence, after};

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
    /// The contract by which it was read, and by which a session would be asked for.
    pub contract: Contract,
    /// What it said.
    pub conversation: Conversation,
    /// When the request was sent.
    pub read_at: Timestamp,
}

/// A search for a note of ours in the incident, and when it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteLook {
    /// What the note tells that was searched for: each outcome has a marker of its own.
    pub of: NoteOutcome,
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
    /// The last search for a note of ours in this run.
    pub note_look: Option<&'a NoteLook>,
    /// This Genesys has shown a session of ours in some conversation: that a conversation shows none proves something.
    pub shows_sessions: bool,
    /// It has shown one that somebody had joined: one that is not shown is only an offer.
    pub shows_joined: bool,
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
    /// Record the intent, unless it is recorded and unsent; then ask for a session, under this contract.
    CreateSession(Contract),
    /// Record the intent, then attach this session.
    AttachMedia(SessionId),
    /// Search the incident's notes for our marker of this outcome: [`Situation::note_look`].
    LookUpNote(NoteOutcome),
    /// Record the intent, then write the note.
    WriteNote,
    /// Record the intent, then put the note in the place of this one, which tells of an earlier failure. Refused for good:
    /// [`Progress::failure_note`] is none.
    RewriteNote(NoteId),
}

impl Call {
    /// Its name in traces.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::FindContext => "find_context",
            Self::GetToken => "get_token",
            Self::ClaimConversation { .. } => "claim_conversation",
            Self::ReadConversation(_) => "read_conversation",
            Self::CreateSession(_) => "create_session",
            Self::AttachMedia(_) => "attach_media",
            Self::LookUpNote(_) => "look_up_note",
            Self::WriteNote => "write_note",
            Self::RewriteNote(_) => "rewrite_note",
        }
    }

    /// Up to which step its success shows that nothing holds the escalation up any more. A read before a write says
    /// nothing about that write, and what asks no vendor says nothing at all.
    #[must_use]
    pub fn settles(&self) -> Option<Step> {
        match self {
            Self::GetToken | Self::ClaimConversation { .. } | Self::LookUpNote(_) => None,
            Self::FindContext => Some(Step::Context),
            Self::ReadConversation(Step::Verify) => Some(Step::Verify),
            Self::ReadConversation(_) => Some(Step::Token),
            Self::CreateSession(_) => Some(Step::Session),
            Self::AttachMedia(_) => Some(Step::Media),
            Self::WriteNote | Self::RewriteNote(_) => Some(Step::Note),
        }
    }

    /// Whether it may be a look behind a write. That a vendor refuses such a look says nothing about the write.
    #[must_use]
    pub fn looks(&self) -> bool {
        match self {
            Self::ReadConversation(_) | Self::LookUpNote(_) => true,
            Self::FindContext
            | Self::GetToken
            | Self::ClaimConversation { .. }
            | Self::CreateSession(_)
            | Self::AttachMedia(_)
            | Self::WriteNote
            | Self::RewriteNote(_) => false,
        }
    }

    /// The step that it belongs to.
    #[must_use]
    pub fn step(&self) -> Step {
        match self {
            Self::FindContext => Step::Context,
            Self::GetToken => Step::Token,
            Self::ClaimConversation { .. } | Self::CreateSession(_) => Step::Session,
            Self::ReadConversation(step) => *step,
            Self::AttachMedia(_) => Step::Media,
            Self::LookUpNote(_) | Self::WriteNote | Self::RewriteNote(_) => Step::Note,
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
    // What became of a write is still worth finding out, and what took effect worth telling of; but not for ever.
    let pending = in_doubt_since(progress, situation.claimed).is_some()
        || owes_a_note(progress, situation.claimed);
    let grace = if pending { 2 } else { 1 };
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
        Write::Open => session::decide_session(progress, agent, survey, situation),
        Write::Intended(_) if situation.unsent => {
            Action::Call(Call::CreateSession(cobrowse.contract))
        }
        Write::Intended(intent) => match cobrowse.contract {
            Contract::Sessions => session::decide_created(intent, situation),
            Contract::Conversation => {
                session::decide_offered(intent, &cobrowse.there_before, survey, situation)
            }
        },
        Write::Done {
            at,
            result: session,
        } => match &cobrowse.media {
            Write::Open => session::decide_media(progress, session, *at, survey, situation),
            Write::Intended(intent) => {
                session::decide_media_reconcile(session, intent, survey, situation)
            }
            Write::Done { at: attached, .. } => {
                let proof = session::Proof {
                    session,
                    started_at: *at,
                    attached_at: *attached,
                    cobrowse,
                };
                session::decide_proof(progress, &proof, agent, survey, situation)
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
    match session::decide_session(progress, agent, survey, situation) {
        update @ Action::Update(Update::Agent(_)) => update,
        Action::Call(Call::CreateSession(_)) => {
            Action::Call(Call::ClaimConversation { create: true })
        }
        Action::Call(_)
        | Action::Update(_)
        | Action::WaitUntil { .. }
        | Action::Stop(..)
        | Action::Finish(_) => Action::Call(Call::ClaimConversation { create: false }),
    }
}

fn decide_note(progress: &Progress, situation: &Situation<'_>) -> Action {
    match &progress.note {
        Write::Open => match &progress.failure_note {
            Some(told) if progress.gave_up.is_none() => replace(told, situation),
            Some(_) | None => sends(progress, Call::WriteNote),
        },
        Write::Done { .. } => Action::Finish(End::Done),
        Write::Intended(intent) => {
            let look = look_for(NoteOutcome::Ready, situation);
            if let Some((id, at)) = look.and_then(|l| l.found.clone().map(|id| (id, l.read_at))) {
                return Action::Update(Update::NoteFound(at, id));
            }
            match absence(intent, look.map(|l| l.read_at), situation) {
                Absence::TooEarly(until) => Action::WaitUntil {
                    step: Step::Note,
                    until,
                },
                Absence::Look => Action::Call(Call::LookUpNote(NoteOutcome::Ready)),
                Absence::Once(at) => Action::Update(Update::NoteAbsent(at)),
                Absence::Proven => Action::Update(Update::NoteMayRepeat),
            }
        }
    }
}

/// An earlier death of this escalation was told, or may have been: the real note takes the place of the one that tells it.
///
/// Not before the call that wrote that one can no longer land: it would put the failure over the real note, or beside it
/// after we looked. One look is enough, as little hangs on it: at worst, at a vendor whose reads lag, the failure stays told
/// beside the real note.
fn replace(told: &FailureNote, situation: &Situation<'_>) -> Action {
    let conclusive_from = told
        .in_doubt_until
        .map(|until| after(until, situation.bounds.settle));
    if let Some(until) = conclusive_from.filter(|until| situation.now < *until) {
        let step = Step::Note;
        return Action::WaitUntil { step, until };
    }
    if let Some(id) = &told.note {
        return Action::Call(Call::RewriteNote(id.clone()));
    }
    let look = look_for(NoteOutcome::Failed, situation);
    match look.filter(|look| conclusive_from.is_none_or(|from| look.read_at >= from)) {
        None => Action::Call(Call::LookUpNote(NoteOutcome::Failed)),
        Some(NoteLook { found: None, .. }) => Action::Update(Update::NoFailureNote),
        Some(NoteLook {
            found: Some(id), ..
        }) => Action::Update(Update::FailureNoteFound(id.clone())),
    }
}

/// The last search, if it was for the note of this outcome.
fn look_for<'a>(outcome: NoteOutcome, situation: &Situation<'a>) -> Option<&'a NoteLook> {
    situation.note_look.filter(|look| look.of == outcome)
}

/// A write, unless the attempts are spent.
fn sends(progress: &Progress, call: Call) -> Action {
    match &progress.gave_up {
        Some(GaveUp { code, reason }) => Action::Stop(call.step(), Setback::last(*code, reason)),
        None => Action::Call(call),
    }
}

/// Since when a write that can be looked for is in doubt: it was sent, and what became of it is not known, or is not known
/// yet. `None`: none is.
#[must_use]
pub fn in_doubt_since(progress: &Progress, claimed: Option<&Cobrowse>) -> Option<Timestamp> {
    if let Write::Intended(intent) = &progress.note {
        return Some(intent.deadline);
    }
    if progress.offer.is_some() {
        return None;
    }
    match claimed {
        None => progress.asked_at,
        Some(cobrowse) => match (cobrowse.contract, &cobrowse.session, &cobrowse.media) {
            (Contract::Conversation, Write::Intended(intent), _)
            | (Contract::Sessions, _, Write::Intended(intent)) => Some(intent.deadline),
            (
                Contract::Conversation | Contract::Sessions,
                Write::Open | Write::Done { .. } | Write::Intended(_),
                Write::Open | Write::Done { .. } | Write::Intended(_),
            ) => None,
        },
    }
}

/// Whether something that this escalation asked for is there, and its note is not.
fn owes_a_note(progress: &Progress, claimed: Option<&Cobrowse>) -> bool {
    progress.asked_at.is_some()
        && (progress.offer.is_some() || claimed.is_some_and(|c| c.media.done().is_some()))
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
