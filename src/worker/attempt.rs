//! One attempt at an escalation: decide, do the one thing, record, decide again.
//!
//! What is known stands in two records that survive ([`Progress`], [`Cobrowse`]) and in what only this attempt knows
//! (token, reads). A crash at any point loses the latter and nothing else.

mod records;

use jiff::Timestamp;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::lease::Lease;
use super::runner::Runner;
use super::schedule::Next;
use super::steps;
use super::story::Story;
use crate::escalation::{
    Action, Call, Cobrowse, Code, Cost, End, Entry, Message, NoteLook, Progress, Setback,
    Situation, Start, Step, Survey, Update, Wait, decide,
};
use crate::ledger::{Error, Granted, Held, HeldConversation, LinkChange};
use crate::pacing::jittered;
use crate::telemetry::StepFinished;

/// A message is worked on for about this long at a stretch; then it goes back to the broker even for a short wait.
const AT_A_STRETCH: Duration = Duration::from_secs(100);
/// A message whose claim was lost comes back after about this long; whoever holds it now is likely done by then.
const CLAIM_LOST: Duration = Duration::from_secs(3);

/// More leases than this that ended without being given back, and the message is taken for what ends its workers. The
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
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        match error {
            Error::Fenced => Self::InOtherHands(CLAIM_LOST),
            Error::Open(_) | Error::Unavailable(_) | Error::Corrupt(_) => Self::Ledger(error),
        }
    }
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
    /// Not yet recorded.
    pub(super) link: LinkChange,
    pub(super) resolved_at: Option<Timestamp>,
    accepted_at: Timestamp,
    occurred_at: Timestamp,
    takeovers: u32,
    attempts: u32,
    history: Vec<Entry>,
    began: Instant,
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
        let mut attempt = Self {
            runner,
            message,
            start,
            held: granted.held,
            progress: granted.progress,
            conversation: None,
            survey: None,
            note_look: None,
            token: false,
            link: LinkChange::Keep,
            resolved_at: granted.resolved_at,
            accepted_at: granted.accepted_at,
            occurred_at: granted.occurred_at,
            takeovers: granted.takeovers,
            attempts: granted.attempts,
            history: Vec::new(),
            began: Instant::now(),
            lease,
            story,
        };
        if granted.recovered {
            attempt.note(
                None,
                "taken over: the lease before ended without being given back",
                None,
            );
        }
        attempt
    }

    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How long ago the ingress accepted the escalation.
    pub(super) fn age(&self) -> Duration {
        Duration::try_from(Timestamp::now().duration_since(self.accepted_at)).unwrap_or_default()
    }

    /// Adds a line to the history; it is written with the next record.
    pub(super) fn note(&mut self, step: Option<Step>, what: impl Into<String>, code: Option<Code>) {
        self.history.push(Entry {
            at: Timestamp::now(),
            epoch: self.held.epoch,
            step,
            what: what.into(),
            code,
        });
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
                let _ = self.release().await;
                return self.in_other_hands(CLAIM_LOST);
            }
            let (step, result) = match self.decide() {
                Action::Finish(end) => return self.finish(end).await,
                Action::Update(update) => {
                    self.update(update);
                    continue;
                }
                Action::Call(call) => {
                    let step = call.step();
                    self.story.step = Some(step.as_str());
                    let began = Instant::now();
                    let settles = call.settles();
                    let result = self.call(call).await;
                    self.tell_step(step, began, &result);
                    if result.is_ok() {
                        self.went_on(settles);
                        continue;
                    }
                    (step, result)
                }
                Action::WaitUntil { step, until } => {
                    (step, Err(Stopped::Setback(wait_until(step, until))))
                }
                Action::Stop(step, setback) => (step, Err(Stopped::Setback(setback))),
            };
            if let Err(stopped) = result
                && let Some(ended) = self.stopped(step, stopped, stop).await
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
        if self.takeovers > TAKEOVERS_MAX {
            let reason = format!(
                "{} workers ended while they worked on it: it may be what ends them",
                self.takeovers
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
            Err(error) => self.ledger_away(&error).await,
        })
    }

    fn decide(&self) -> Action {
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
                survey: self.survey.as_ref(),
                note_look: self.note_look.as_ref(),
            },
        )
    }

    /// Asks somebody. It is never cut off: a call's deadline is shorter than what is left of the lease.
    async fn call(&mut self, call: Call) -> Result<(), Stopped> {
        match call {
            Call::FindContext => steps::context::run(self).await,
            Call::GetToken => steps::token::run(self).await,
            Call::ClaimConversation => steps::session::claim(self).await,
            Call::ReadConversation(_) => steps::verify::read(self).await,
            Call::CreateSession => steps::session::create(self).await,
            Call::AttachMedia(session) => steps::media::attach(self, &session).await,
            Call::LookUpNote => steps::note::look_up(self).await,
            Call::WriteNote => steps::note::write(self).await,
        }
    }

    /// Puts a conclusion into the records, and tells those that settle a doubt.
    fn update(&mut self, update: Update) {
        let settled = match &update {
            Update::SessionMayRepeat => Some((Step::Session, "repeated")),
            Update::MediaMayRepeat => Some((Step::Media, "repeated")),
            Update::NoteMayRepeat => Some((Step::Note, "repeated")),
            Update::MediaFound(_) => Some((Step::Media, "adopted")),
            Update::NoteFound(..) => Some((Step::Note, "adopted")),
            Update::Waiting(_)
            | Update::Agent(_)
            | Update::OfferRunning
            | Update::OfferOurs { .. }
            | Update::ForgetSession
            | Update::MediaAbsent(_)
            | Update::NoteAbsent(_) => None,
        };
        if let Some((step, how)) = settled {
            self.note(
                Some(step),
                format!("the earlier call's outcome is settled: {how}"),
                None,
            );
            self.runner
                .telemetry
                .unknown_settled(step.as_str(), how, self.held.key.as_str());
        }
        let mut none = Cobrowse::default();
        let cobrowse = self
            .conversation
            .as_mut()
            .map_or(&mut none, |(_, cobrowse)| cobrowse);
        update.apply(&mut self.progress, cobrowse);
        self.story.agent = self.progress.agent.as_ref().map(|a| a.id.to_string());
    }

    /// What to do about a step that did not come to its end; `None`: go on.
    async fn stopped(
        &mut self,
        step: Step,
        stopped: Stopped,
        stop: &CancellationToken,
    ) -> Option<Ended> {
        // Whatever was read is older than the wait that follows.
        self.survey = None;
        self.note_look = None;
        let setback = match stopped {
            Stopped::Setback(setback) => setback,
            // It will not become readable by itself; a person has to look.
            Stopped::Ledger(error @ Error::Corrupt(_)) => {
                return Some(
                    self.die(step, Code::LedgerUnreadable, error.to_string())
                        .await,
                );
            }
            Stopped::Ledger(error) => return Some(self.ledger_away(&error).await),
            Stopped::InOtherHands(delay) => {
                // Where it is only the conversation that others hold, our own claim is given back.
                let _ = self.release().await;
                return Some(self.in_other_hands(delay));
            }
        };
        let schedule = &self.runner.config.schedule;
        let (next, attempts) = schedule.next(setback.wait, self.attempts, self.progress.setbacks);
        if let Wait::Backoff { cost, .. } = setback.wait {
            self.progress.setbacks += 1;
            self.progress.held_up_at = Some(step);
            let cost = match cost {
                Cost::Attempt => "",
                Cost::Free => ", at no cost of an attempt",
            };
            self.note(
                Some(step),
                format!("{}{cost}", setback.reason),
                Some(setback.code),
            );
        }
        self.attempts = attempts;
        self.story.attempts = attempts;
        match next {
            Next::InHand(delay) if self.began.elapsed() < AT_A_STRETCH => {
                tokio::select! {
                    () = tokio::time::sleep(delay) => {}
                    () = stop.cancelled() => {}
                    () = self.lease.lost().cancelled() => {}
                }
                None
            }
            Next::InHand(delay) | Next::Later(delay) => {
                self.story.outcome = "later";
                self.story.code = Some(setback.code);
                self.story.reason = Some(setback.reason);
                self.progress.not_before = Timestamp::now().checked_add(delay).ok();
                Some(match self.release().await {
                    Ok(()) => Ended::Later(delay),
                    Err(Error::Fenced) => self.in_other_hands(CLAIM_LOST),
                    Err(error) => self.ledger_away(&error).await,
                })
            }
            Next::GiveUp { exhausted } => {
                let reason = if exhausted {
                    format!(
                        "gave up after {attempts} attempts; the last: {}",
                        setback.reason
                    )
                } else {
                    setback.reason
                };
                Some(self.die(step, setback.code, reason).await)
            }
        }
    }

    async fn finish(&mut self, end: End) -> Ended {
        let outcome = match &end {
            End::Done => "done",
            End::Cancelled => "cancelled",
            End::Dead { .. } => "dead",
        };
        self.note(None, outcome, None);
        match self.end(end).await {
            Ok(()) => {
                self.story.outcome = outcome;
                Ended::Over
            }
            Err(Error::Fenced) => self.in_other_hands(CLAIM_LOST),
            Err(error) => self.ledger_away(&error).await,
        }
    }

    async fn die(&mut self, step: Step, code: Code, reason: String) -> Ended {
        self.note(Some(step), format!("dead: {reason}"), Some(code));
        let end = End::Dead {
            code,
            reason: reason.clone(),
            published: false,
        };
        match self.end(end).await {
            Ok(()) => {
                self.story.outcome = "dead";
                self.story.code = Some(code);
                self.story.reason = Some(reason.clone());
                Ended::Dead { code, reason }
            }
            Err(Error::Fenced) => self.in_other_hands(CLAIM_LOST),
            Err(error) => self.ledger_away(&error).await,
        }
    }

    async fn hand_back(&mut self) -> Ended {
        self.story.outcome = "handed_back";
        // Should this fail, the lease ends by itself.
        let _ = self.release().await;
        Ended::HandBack
    }

    fn in_other_hands(&mut self, delay: Duration) -> Ended {
        self.story.outcome = "later";
        self.story.code = Some(Code::InOtherHands);
        Ended::Later(jittered(delay))
    }

    /// One more try to write down what is known and to give the claim back: a lease left behind would keep the next one
    /// waiting, and counts as a worker that ended.
    async fn ledger_away(&mut self, error: &Error) -> Ended {
        let _ = self.release().await;
        self.story.outcome = "later";
        self.story.code = Some(Code::LedgerUnavailable);
        self.story.reason = Some(error.to_string());
        Ended::Later(jittered(Duration::from_secs(5)))
    }

    fn tell_step(&self, step: Step, began: Instant, result: &Result<(), Stopped>) {
        let outcome = match result {
            Ok(()) => "ok",
            Err(Stopped::Setback(Setback {
                wait: Wait::Final, ..
            })) => "final",
            Err(Stopped::Setback(_)) => "later",
            Err(Stopped::Ledger(_)) => "ledger_away",
            Err(Stopped::InOtherHands(_)) => "in_other_hands",
        };
        self.runner.telemetry.step_finished(&StepFinished {
            step: step.as_str(),
            outcome,
            key: self.held.key.as_str(),
            took: began.elapsed(),
        });
    }
}

fn wait_until(step: Step, until: Timestamp) -> Setback {
    let delay = Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default();
    let (code, reason) = match step {
        Step::Session | Step::Media => (
            Code::GenesysUnavailable,
            "waits until the earlier call can no longer take effect",
        ),
        Step::Note => (
            Code::PagerdutyUnavailable,
            "waits until the earlier call can no longer take effect",
        ),
        Step::Context | Step::Token | Step::Verify => (
            Code::CobrowseNotConfirmed,
            "the conversation does not show the session yet",
        ),
    };
    Setback::parked(code, reason, Wait::After(delay))
}
