//! One attempt at an escalation: decide, do the one thing, record, decide again.
//!
//! What is known stands in two records that survive ([`Progress`], [`Cobrowse`]) and in what only this attempt knows
//! (token, reads). A crash at any point loses the latter and nothing else.

mod asking;
mod contract;
mod ending;
mod records;

pub(super) use records::CREATES;

use jiff::Timestamp;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::lease::Lease;
use super::runner::Runner;
use super::steps;
use super::story::Story;
use crate::escalation::{
    Action, Call, Cobrowse, Code, Contract, Entry, EntryKind, Intent, Message, NoteLook, Progress,
    SessionId, SessionLink, Setback, Situation, Start, Step, Survey, Update, decide,
};
use crate::ledger::{Error, Granted, Held, HeldConversation, LinkChange};
use crate::telemetry::{Settled, Waited};
use crate::upstream::{self, Admission};

/// A message whose claim was lost comes back after about this long; whoever holds it now is likely done by then.
const CLAIM_LOST: Duration = Duration::from_secs(3);

/// More leases than this in a row that ended without being given back, and the message is taken for what ends its workers.
/// In a row, for a claim whose answer was lost on the way (a slow database) leaves such a lease too, and nobody ended. The
/// broker's own count does not see it: a message whose claim is still held goes on as a new copy.
const TAKEOVERS_MAX: u32 = 10;
/// A message that comes this much before its time has come in time; the broker's clock is another one.
const EARLY: Duration = Duration::from_millis(500);

/// How an attempt ended.
pub(super) enum Ended {
    /// The escalation has ended, and the ledger knows.
    Over,
    /// It goes on after this time.
    Later(Duration),
    /// This process is ending; the claim was given back.
    HandBack,
    /// The escalation is dead, and the ledger knows.
    Dead {
        /// Why.
        code: Code,
        /// Why, in words.
        reason: String,
    },
}

/// Why a step did not come to its end.
pub(super) enum Stopped {
    /// For a reason that has a schedule.
    Setback(Setback),
    /// The ledger failed. What was sent stands in an intent; whoever comes next finds out.
    Ledger(Error),
    /// The claim is gone, or was never to be had.
    InOtherHands(Duration),
    /// Something else has to be seen to first: this process ends, or the claim is lost.
    Interrupted,
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        match error {
            Error::Fenced => Self::InOtherHands(CLAIM_LOST),
            Error::Open(_) | Error::Unavailable(_) | Error::Corrupt(_) => Self::Ledger(error),
        }
    }
}

/// What the ledger has, for the questions of [`invariant`](crate::escalation::invariant).
struct Durable {
    progress: Progress,
    /// Of the conversation that this attempt holds.
    cobrowse: Cobrowse,
    attempts: u32,
}

/// The state of one attempt. The steps work on it.
pub(super) struct Attempt<'a> {
    pub(super) runner: &'a Runner,
    pub(super) message: &'a Message,
    pub(super) start: &'a Start,
    pub(super) held: Held,
    pub(super) progress: Progress,
    pub(super) conversation: Option<(HeldConversation, Cobrowse)>,
    pub(super) survey: Option<Survey>,
    pub(super) note_look: Option<NoteLook>,
    pub(super) token: bool,
    /// The contract that is tried because the one in force has no such route.
    pub(super) trying: Option<Contract>,
    /// The records as the ledger has them.
    durable: Durable,
    /// Not yet recorded.
    pub(super) link: LinkChange,
    /// The session that this attempt created, with its link: the ledger need not be asked for it.
    pub(super) created: Option<(SessionId, Option<SessionLink>)>,
    /// What admits to the agent's side, as the conversation shows it.
    pub(super) viewer: Option<SessionLink>,
    /// For the call that follows the claim on a conversation.
    admission: Option<Admission>,
    /// A write was sent in this attempt: what became of it is told, however many attempts there were.
    sent: bool,
    /// A vendor's answer is in the records here and not in the ledger yet.
    pub(super) unrecorded: bool,
    /// The intent to create a session is in the ledger, and its call was not sent.
    pub(super) unsent: bool,
    /// One that is there perhaps: the claim that carried it was not answered.
    pub(super) perhaps_intended: Option<Intent>,
    /// An intent was taken back whose recording was not answered: it is in the ledger perhaps.
    taken_back_unheard: bool,
    /// What [`Progress::asked_at`] was before the intent at hand.
    asked_before: Option<Timestamp>,
    pub(super) resolved_at: Option<Timestamp>,
    accepted_at: Timestamp,
    pub(super) occurred_at: Timestamp,
    takeovers: u32,
    attempts: u32,
    history: Vec<Entry>,
    /// The last setback that was told, so that a wait in many pieces is told once.
    told: Option<(Step, Code)>,
    began: Instant,
    step_began: Instant,
    lease: Lease,
    story: &'a mut Story,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(
        runner: &'a Runner,
        message: &'a Message,
        start: &'a Start,
        granted: Granted,
        lease: Lease,
        story: &'a mut Story,
    ) -> Self {
        let durable = Durable {
            progress: granted.progress.clone(),
            cobrowse: Cobrowse::default(),
            attempts: granted.attempts,
        };
        Self {
            durable,
            runner,
            message,
            start,
            held: granted.held,
            progress: granted.progress,
            conversation: None,
            survey: None,
            note_look: None,
            token: false,
            trying: None,
            viewer: None,
            admission: None,
            sent: false,
            link: LinkChange::Keep,
            created: None,
            unrecorded: false,
            unsent: false,
            perhaps_intended: None,
            taken_back_unheard: false,
            asked_before: None,
            resolved_at: granted.resolved_at,
            accepted_at: granted.accepted_at,
            occurred_at: granted.occurred_at,
            takeovers: granted.takeovers,
            attempts: granted.attempts,
            history: Vec::new(),
            told: None,
            began: Instant::now(),
            step_began: Instant::now(),
            lease,
            story,
        }
    }

    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How long ago the ingress accepted the escalation.
    pub(super) fn age(&self) -> Duration {
        Duration::try_from(Timestamp::now().duration_since(self.accepted_at)).unwrap_or_default()
    }

    /// Adds a line to the history; it is written with the next record.
    pub(super) fn note(&mut self, kind: EntryKind, step: Option<Step>, what: impl Into<String>) {
        let line = self.line(kind, step, what.into(), None);
        // A look that shows what the one before it showed is no news.
        let said = |last: &Entry| (last.kind, last.step, &last.what) == (kind, step, &line.what);
        if !self.history.last().is_some_and(said) {
            self.history.push(line);
        }
    }

    fn line(&self, kind: EntryKind, step: Option<Step>, what: String, code: Option<Code>) -> Entry {
        let took_ms = match kind {
            EntryKind::Answered | EntryKind::Setback => {
                u64::try_from(self.step_began.elapsed().as_millis()).ok()
            }
            EntryKind::Event
            | EntryKind::Accepted
            | EntryKind::Claimed
            | EntryKind::TakenOver
            | EntryKind::Intended
            | EntryKind::Adopted
            | EntryKind::Repeatable
            | EntryKind::Later
            | EntryKind::HandedBack
            | EntryKind::Ended
            | EntryKind::LetterStored
            | EntryKind::Told
            | EntryKind::Replayed
            | EntryKind::Discarded => None,
        };
        let correlation = match kind {
            EntryKind::Answered => upstream::heard(),
            // What was refused quotes it in its reason.
            EntryKind::Setback
            | EntryKind::Event
            | EntryKind::Accepted
            | EntryKind::Claimed
            | EntryKind::TakenOver
            | EntryKind::Intended
            | EntryKind::Adopted
            | EntryKind::Repeatable
            | EntryKind::Later
            | EntryKind::HandedBack
            | EntryKind::Ended
            | EntryKind::LetterStored
            | EntryKind::Told
            | EntryKind::Replayed
            | EntryKind::Discarded => None,
        };
        Entry {
            at: Timestamp::now(),
            epoch: self.held.epoch,
            kind,
            step,
            what,
            code,
            took_ms,
            correlation,
        }
    }

    /// Runs until the escalation has ended or cannot go on now.
    pub(super) async fn run(&mut self, stop: &CancellationToken) -> Ended {
        if let Some(ended) = self.before_anything().await {
            return ended;
        }
        loop {
            if stop.is_cancelled() {
                return self.hand_back().await;
            }
            if self.lease.lost().is_cancelled() {
                // Fenced if somebody else has it; otherwise nobody need wait for the lease to end.
                self.give_back().await;
                return self.in_other_hands(CLAIM_LOST);
            }
            let (step, held_up, result) = match self.decide() {
                Action::Finish(end) => return self.finish(end).await,
                Action::Update(update) => {
                    self.update(update);
                    continue;
                }
                Action::Call(call) => {
                    let step = call.step();
                    self.story.step = Some(step.as_str());
                    self.step_began = Instant::now();
                    // Its success shows so much, and its failure no more than the opposite.
                    let settles = call.settles();
                    let result = self.told(call, stop).await;
                    if result.is_ok() {
                        self.went_on(settles);
                        continue;
                    }
                    (step, settles.unwrap_or(step), result)
                }
                Action::WaitUntil { step, until } => {
                    let wait = ending::wait_until(step, until);
                    (step, step, Err(Stopped::Setback(wait)))
                }
                Action::Stop(step, setback) => (step, step, Err(Stopped::Setback(setback))),
            };
            if let Err(stopped) = result
                && let Some(ended) = self.stopped(step, held_up, stopped, stop).await
            {
                return ended;
            }
        }
    }

    /// A call has succeeded: what held up the steps that it settles is over.
    fn went_on(&mut self, settles: Option<Step>) {
        if self.progress.held_up_at <= settles {
            self.progress.setbacks = 0;
            self.progress.held_up_at = None;
        }
    }

    /// What keeps this escalation from being worked on at all, now that it is ours.
    async fn before_anything(&mut self) -> Option<Ended> {
        let in_a_row = self
            .takeovers
            .saturating_sub(self.progress.takeovers_before);
        if in_a_row > TAKEOVERS_MAX {
            let reason = format!(
                "{in_a_row} workers in a row ended while they worked on it: it may be what ends them"
            );
            return Some(self.die(Step::Context, Code::Internal, reason).await);
        }
        let not_before = self.progress.not_before.take()?;
        let left = Duration::try_from(not_before.duration_since(Timestamp::now())).ok()?;
        if left < EARLY {
            return None;
        }
        self.progress.not_before = Some(not_before);
        // A second message of this escalation, or one that was delivered again: the promise to wait is the same.
        self.story.outcome = "later";
        self.story.reason = Some("its time has not come yet".to_owned());
        Some(match self.release().await {
            Ok(()) => Ended::Later(left),
            Err(Error::Fenced) => self.in_other_hands(CLAIM_LOST),
            Err(error) => self.ledger_away(&error, left).await,
        })
    }

    fn decide(&self) -> Action {
        let found = self.runner.genesys.finding();
        decide(
            &self.progress,
            &Situation {
                now: Timestamp::now(),
                bounds: &self.runner.config.bounds,
                accepted_at: self.accepted_at,
                occurred_at: self.occurred_at,
                resolved_at: self.resolved_at,
                token: self.token,
                claimed: self.conversation.as_ref().map(|(_, cobrowse)| cobrowse),
                unsent: self.unsent,
                survey: self.survey.as_ref(),
                note_look: self.note_look.as_ref(),
                shows_sessions: found.is_some_and(|known| known.shows_sessions),
                shows_joined: found.is_some_and(|known| known.shows_joined),
            },
        )
    }

    /// Asks somebody. It is never cut off: a call's deadline is shorter than what is left of the lease.
    async fn call(&mut self, call: Call) -> Result<(), Stopped> {
        match call {
            Call::FindContext => steps::context::run(self).await,
            Call::GetToken => steps::token::run(self).await,
            Call::ClaimConversation { create } => steps::session::claim(self, create).await,
            Call::ReadConversation(step) => steps::verify::read(self, step).await,
            Call::CreateSession(_) => steps::session::create(self).await,
            Call::AttachMedia(session) => steps::media::attach(self, &session).await,
            Call::LookUpNote(outcome) => steps::note::look_up(self, outcome).await,
            Call::WriteNote => steps::note::write(self).await,
            Call::RewriteNote(note) => steps::note::rewrite(self, &note).await,
        }
    }

    /// Puts a conclusion into the records, and tells those that settle a doubt.
    fn update(&mut self, update: Update) {
        let settled = match &update {
            Update::SessionMayRepeat => Some((Step::Session, Settled::Orphaned)),
            Update::SessionProvenAbsent => Some((Step::Session, Settled::Repeated)),
            Update::SessionRunOut => Some((Step::Session, Settled::RunOut)),
            Update::SessionFound { .. } => Some((Step::Session, Settled::Adopted)),
            Update::MediaMayRepeat => Some((Step::Media, Settled::Repeated)),
            Update::NoteMayRepeat => Some((Step::Note, Settled::Repeated)),
            Update::MediaFound(_) => Some((Step::Media, Settled::Adopted)),
            Update::NoteFound(..) => Some((Step::Note, Settled::Adopted)),
            Update::Waiting(_)
            | Update::Agent(_)
            | Update::OfferRunning
            | Update::OfferOurs { .. }
            | Update::ForgetSession { .. }
            | Update::ForgetUnattached
            | Update::SessionAbsent(_)
            | Update::MediaAbsent(_)
            | Update::NoteAbsent(_)
            | Update::FailureNoteFound(_)
            | Update::NoFailureNote => None,
        };
        if let Some((step, how)) = settled {
            let kind = match how {
                Settled::Adopted => EntryKind::Adopted,
                Settled::Repeated | Settled::Orphaned | Settled::RunOut => EntryKind::Repeatable,
            };
            self.note(kind, Some(step), settled_in_words(how));
            self.runner
                .telemetry
                .unknown_settled(step, how, self.held.key.as_str());
        }
        if update == Update::ForgetUnattached {
            let what = "the session that was left behind is too old to be attached; a new one is asked for";
            self.note(EntryKind::Repeatable, Some(Step::Session), what);
            self.runner
                .telemetry
                .possible_orphan(self.held.key.as_str());
        }
        let forgets = match &update {
            Update::SessionMayRepeat
            | Update::SessionProvenAbsent
            | Update::SessionRunOut
            | Update::ForgetSession { .. }
            | Update::ForgetUnattached => true,
            Update::SessionFound { .. }
            | Update::Waiting(_)
            | Update::Agent(_)
            | Update::OfferRunning
            | Update::OfferOurs { .. }
            | Update::SessionAbsent(_)
            | Update::MediaFound(_)
            | Update::MediaAbsent(_)
            | Update::MediaMayRepeat
            | Update::NoteFound(..)
            | Update::NoteAbsent(_)
            | Update::NoteMayRepeat
            | Update::FailureNoteFound(_)
            | Update::NoFailureNote => false,
        };
        if forgets || matches!(update, Update::SessionFound { .. }) {
            // The link on record is another session's.
            self.link = LinkChange::Set(None);
        }
        let mut none = Cobrowse::default();
        let cobrowse = self
            .conversation
            .as_mut()
            .map_or(&mut none, |(_, cobrowse)| cobrowse);
        update.apply(&mut self.progress, cobrowse);
        self.story.agent = self.progress.agent.as_ref().map(|a| a.id.to_string());
        if self.progress.waiting_since.is_some() {
            self.story.waited = Waited::Agent;
        }
        let in_force = self.trying.or_else(|| {
            let known = self.runner.genesys.finding();
            known.map(|known| known.contract)
        });
        if forgets && self.survey.as_ref().map(|s| s.contract) != in_force {
            // A new session is asked for by the contract in force, and the conversation has to be read by that one.
            self.survey = None;
        }
    }
}

fn settled_in_words(how: Settled) -> &'static str {
    match how {
        Settled::Adopted => "the earlier call took effect; it counts",
        Settled::Orphaned => {
            "whether the earlier call created a session cannot be found out; nobody can reach that one, so it is asked for again"
        }
        Settled::RunOut => {
            "whether the earlier call offered a session cannot be found out; one that was offered then is over by now, so it is asked for again"
        }
        Settled::Repeated => "the earlier call had no effect; it may be repeated",
    }
}
