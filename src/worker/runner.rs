//! One delivery: claims the escalation, lets [`attempt`](super::attempt) do what can be done, and says what is to
//! become of the message.

use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::attempt::{Attempt, Ended};
use super::lease::Lease;
use super::schedule::Schedule;
use super::story::Story;
use crate::escalation::invariant;
use crate::escalation::{
    Bounds, Code, DeadLetter, End, Entry, EntryKind, Key, Message, NoteStyle, Start, Task,
};
use crate::ledger::{self, Arrival, Claim, ClaimRequest, Granted, Ledger};
use crate::pacing::jittered;
use crate::telemetry::{AttemptFinished, Span, Telemetry, Waited};
use crate::upstream::{Admission, CallError, Genesys, PagerDuty, Priority, Vendor};

/// How long a message waits when the ledger does not answer.
const LEDGER_AWAY: Duration = Duration::from_secs(5);
/// How long a message waits at most for another worker: its lease may be renewed, or end early.
const IN_OTHER_HANDS: Duration = Duration::from_secs(4);
/// How long a reopened incident waits for its earlier generation between two looks.
const EARLIER_RUNS: Duration = Duration::from_secs(5);

/// How a runner works.
#[derive(Debug, Clone)]
pub struct RunnerConfig {
    /// Who claims; shown to operators.
    pub owner: String,
    /// For how long a claim is taken.
    pub lease: Duration,
    /// The longest that a call may take.
    pub call_timeout: Duration,
    /// The times that bound an escalation.
    pub bounds: Bounds,
    /// The retry schedule.
    pub schedule: Schedule,
    /// How notes are written.
    pub note: NoteStyle,
}

/// Works on messages. Cheap to share.
pub struct Runner {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) genesys: Genesys,
    pub(super) pagerduty: PagerDuty,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) config: RunnerConfig,
}

/// What is to become of a message. Only the pool acts on it.
#[derive(Debug)]
pub enum Disposition {
    /// Nothing is left to do: acknowledge it.
    Done,
    /// Publish it again so that it arrives after this time, then acknowledge it.
    Later(Duration),
    /// Publish this dead letter, note that, then acknowledge it.
    Dead(Box<DeadLetter>),
    /// Give it back untouched: this process is ending.
    HandBack,
}

impl Runner {
    /// Puts one together.
    #[must_use]
    pub fn new(
        ledger: Arc<dyn Ledger>,
        genesys: Genesys,
        pagerduty: PagerDuty,
        telemetry: Arc<Telemetry>,
        config: RunnerConfig,
    ) -> Self {
        Self {
            ledger,
            genesys,
            pagerduty,
            telemetry,
            config,
        }
    }

    /// Works on one message until nothing more can be done now. Ends soon after `stop`, at the next step boundary.
    ///
    /// May be run twice for the same message, even at once: the claim lets one of them work. All of it is a part of `span`.
    pub async fn handle(
        &self,
        message: &Message,
        redelivered: bool,
        span: &mut Span,
        stop: &CancellationToken,
    ) -> Disposition {
        let started = Instant::now();
        let mut story = Story::default();
        let working = async {
            match &message.task {
                Task::Resolved => self.resolve(message, &mut story).await,
                Task::Start(start) => {
                    self.start(message, start, redelivered, stop, &mut story)
                        .await
                }
            }
        };
        let disposition = span.around(working).await;
        self.tell(message, redelivered, started, &story, &disposition, span);
        disposition
    }

    /// Waits until a request may be sent to this vendor.
    pub(super) async fn admit(
        &self,
        vendor: Vendor,
        priority: Priority,
    ) -> Result<Admission, CallError> {
        match vendor {
            Vendor::Genesys => self.genesys.admit(priority).await,
            Vendor::PagerDuty => self.pagerduty.admit(priority).await,
        }
    }

    /// For how long nothing can be done, whatever the message: neither vendor is asked anything.
    pub(super) fn shut_for(&self) -> Option<Duration> {
        let (genesys, pagerduty) = (self.genesys.shut_for()?, self.pagerduty.shut_for()?);
        Some(genesys.min(pagerduty))
    }

    /// This process ends: what it may still ask of the vendors, others may ask.
    pub(super) async fn give_back(&self) {
        tokio::join!(self.genesys.give_back(), self.pagerduty.give_back());
    }

    /// A resolution is a tombstone: it counts whether or not its start was seen yet.
    async fn resolve(&self, message: &Message, story: &mut Story) -> Disposition {
        story.outcome = "noted";
        match self
            .ledger
            .resolve(&message.incident_id, message.event.occurred_at)
            .await
        {
            Ok(()) => Disposition::Done,
            Err(error) => ledger_away(story, &error),
        }
    }

    async fn start(
        &self,
        message: &Message,
        start: &Start,
        redelivered: bool,
        stop: &CancellationToken,
        story: &mut Story,
    ) -> Disposition {
        let asked = Instant::now();
        let claim = self
            .ledger
            .claim(ClaimRequest {
                incident: message.incident_id.clone(),
                trigger: start.trigger.clone(),
                cycle: start.cycle,
                accepted_at: message.accepted_at,
                occurred_at: message.event.occurred_at,
                owner: self.config.owner.clone(),
                lease: self.config.lease,
                expires_after: self.config.bounds.expires_after,
                arrival: Arrival {
                    origin: message.origin,
                    lane: message.lane,
                    event_kind: message.event.kind.clone(),
                    event: message.event.id.clone(),
                    redelivered,
                },
            })
            .await;
        match claim {
            // It will not become readable by itself; a person has to look.
            Err(error @ ledger::Error::Corrupt(_)) => {
                let key = Key::of(&message.incident_id, &start.trigger);
                let (code, reason) = (Code::LedgerUnreadable, error.to_string());
                story.outcome = "dead";
                story.key = Some(key.clone());
                story.code = Some(code);
                story.reason = Some(reason.clone());
                self.letter(message, start, start.cycle, key, code, reason, 0)
                    .await
            }
            Err(error) => ledger_away(story, &error),
            Ok(Claim::Held { key, free_in }) => {
                story.outcome = "later";
                story.key = Some(key);
                story.code = Some(Code::InOtherHands);
                Disposition::Later(jittered(free_in.min(IN_OTHER_HANDS)))
            }
            Ok(Claim::Waits { key, earlier })
                if Timestamp::now().duration_since(message.accepted_at) >= self.expires_after() =>
            {
                let code = Code::Expired;
                let reason =
                    format!("older than escalation.expires_after; {earlier} has not ended");
                story.outcome = "dead";
                story.key = Some(key.clone());
                story.code = Some(code);
                story.reason = Some(reason.clone());
                self.letter(message, start, start.cycle, key, code, reason, 0)
                    .await
            }
            Ok(Claim::Waits { key, earlier }) => {
                story.outcome = "later";
                story.key = Some(key);
                story.code = Some(Code::EarlierGenerationRuns);
                story.reason = Some(format!("{earlier} has not ended"));
                Disposition::Later(jittered(EARLIER_RUNS))
            }
            Ok(Claim::Outdated { key }) => {
                story.outcome = "ended_before";
                story.key = Some(key);
                Disposition::Done
            }
            Ok(Claim::Ended {
                key,
                end,
                attempts,
                cycle,
            }) => {
                story.outcome = "ended_before";
                story.key = Some(key.clone());
                story.attempts = attempts;
                match end {
                    End::Dead {
                        code,
                        reason,
                        published: false,
                    } => {
                        self.letter(message, start, cycle, key, code, reason, attempts)
                            .await
                    }
                    End::Done | End::Cancelled | End::Dead { .. } => Disposition::Done,
                }
            }
            Ok(Claim::Granted(granted)) => {
                if granted.recovered {
                    self.telemetry.taken_over();
                }
                if granted.held.epoch == 1 {
                    let age = Timestamp::now().duration_since(message.accepted_at);
                    let age = Duration::try_from(age).unwrap_or_default();
                    self.telemetry.first_claimed(message.lane.as_str(), age);
                }
                self.attempt(message, start, *granted, asked, stop, story)
                    .await
            }
        }
    }

    async fn attempt(
        &self,
        message: &Message,
        start: &Start,
        granted: Granted,
        asked: Instant,
        stop: &CancellationToken,
        story: &mut Story,
    ) -> Disposition {
        let (key, cycle) = (granted.held.key.clone(), granted.cycle);
        story.key = Some(key.clone());
        story.epoch = granted.held.epoch;
        story.recovered = granted.recovered;
        story.attempts = granted.attempts;
        let known = &granted.progress;
        story.conversation = known.context.as_ref().map(|c| c.conversation.to_string());
        story.agent = known.agent.as_ref().map(|agent| agent.id.to_string());
        if known.waiting_since.is_some() {
            story.waited = Waited::Agent;
        }
        let lease = Lease::keep(
            self.ledger.clone(),
            granted.held.clone(),
            asked,
            self.config.lease,
        );
        let mut attempt = Attempt::new(self, message, start, granted, lease, story);
        match attempt.run(stop).await {
            Ended::Over => Disposition::Done,
            Ended::Later(delay) => Disposition::Later(delay),
            Ended::HandBack => Disposition::HandBack,
            Ended::Dead { code, reason } => {
                let attempts = attempt.attempts();
                drop(attempt);
                self.letter(message, start, cycle, key, code, reason, attempts)
                    .await
            }
        }
    }

    fn expires_after(&self) -> SignedDuration {
        SignedDuration::try_from(self.config.bounds.expires_after).unwrap_or(SignedDuration::MAX)
    }

    /// The dead letter of an escalation that is given up. Its message begins the next cycle from this one, whichever of the
    /// escalation's messages it was that came to the end.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one column of the letter"
    )]
    async fn letter(
        &self,
        message: &Message,
        start: &Start,
        cycle: u32,
        key: Key,
        code: Code,
        reason: String,
        attempts: u32,
    ) -> Disposition {
        let now = Timestamp::now();
        let history = self.ledger.history(&key).await.unwrap_or_else(|error| {
            // The letter must go out; that its history is missing stands in its history.
            vec![Entry {
                at: now,
                epoch: 0,
                kind: EntryKind::Setback,
                step: None,
                what: format!("the history could not be read: {error}"),
                code: Some(Code::LedgerUnavailable),
                took_ms: None,
                correlation: None,
            }]
        });
        let letter = DeadLetter::of_escalation(
            key,
            cycle,
            message.clone().asking(Task::Start(Start {
                cycle,
                ..start.clone()
            })),
            code,
            reason,
            attempts,
            now,
            history,
        );
        if let Err(violation) = invariant::dead_letter(&letter) {
            self.telemetry.violated(&violation, letter.id.as_str());
            debug_assert!(false, "{violation}");
        }
        Disposition::Dead(Box::new(letter))
    }

    /// Notes that the broker has confirmed a dead letter. A failure costs nothing but a second letter of the same id.
    pub(super) async fn letter_is_out(&self, letter: &DeadLetter) {
        let Some(key) = &letter.key else { return };
        let cycle = letter.message.as_ref().map_or(0, Message::cycle);
        if let Err(error) = self.ledger.dead_letter_published(key, cycle).await {
            tracing::warn!(event = "dead_letter.not_noted", key = %key, %error);
        }
    }

    fn tell(
        &self,
        message: &Message,
        redelivered: bool,
        started: Instant,
        story: &Story,
        disposition: &Disposition,
        span: &mut Span,
    ) {
        let age = Timestamp::now().duration_since(message.accepted_at);
        let event = AttemptFinished {
            outcome: story.outcome,
            key: story.key.as_ref().map(Key::as_str),
            incident: message.incident_id.as_str(),
            trace: span.context().trace_id(),
            conversation: story.conversation.as_deref(),
            agent: story.agent.as_deref(),
            lane: message.lane.as_str(),
            origin: message.origin.as_str(),
            step: story.step,
            code: story.code,
            reason: story.reason.as_deref(),
            hint: story
                .code
                .filter(|code| story.outcome == "dead" || code.waits_for_a_person())
                .map(Code::hint),
            delay: match disposition {
                Disposition::Later(delay) => Some(*delay),
                Disposition::Done | Disposition::Dead(_) | Disposition::HandBack => None,
            },
            attempts: story.attempts,
            epoch: story.epoch,
            redelivered,
            recovered: story.recovered,
            took: started.elapsed(),
            age: Duration::try_from(age).unwrap_or_default(),
            waited: story.waited,
        };
        self.telemetry.attempt_finished(&event);
        span.attempted(&event);
    }
}

fn ledger_away(story: &mut Story, error: &ledger::Error) -> Disposition {
    story.outcome = "later";
    story.code = Some(Code::LedgerUnavailable);
    story.reason = Some(error.to_string());
    Disposition::Later(jittered(LEDGER_AWAY))
}
