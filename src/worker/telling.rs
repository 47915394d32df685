//! Telling incidents of a death: one failure note each, that says why and what to do.
//!
//! Whoever takes a notice has it for a time. What is to be done next is decided by [`Notice::next`], and every write has its
//! durable intent and a deadline before it is sent, as everywhere. Nothing dies of it: an incident that cannot be told is
//! recorded as not told.

use jiff::Timestamp;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::escalation::{
    FailureText, Intent, Lane, Marker, NoteContent, NoteId, NoteOutcome, Notice, Step, Telling,
    TellingBounds, Wait, Write,
};
use crate::ledger::{Error, Ledger, NoticeTask, State};
use crate::pacing::{Curve, jittered};
use crate::telemetry::Telemetry;
use crate::upstream::{
    Admission, CALL_SLACK, CallError, Operation, PagerDuty, Priority, accompanied,
};

/// Without a word of a new letter, it is looked for one this often: another process may have kept it.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long recording an intent may take.
const MARGIN: Duration = Duration::from_secs(2);
/// Between tries where PagerDuty does not say how long.
const AGAIN: Curve = Curve {
    first: Duration::from_secs(5),
    factor: 2.0,
    cap: Duration::from_secs(300),
};
/// The note that the on-call engineer waits for comes first.
const PRIORITY: Priority = Priority {
    lane: Lane::Normal,
    step: Step::Context,
};

/// How incidents are told.
#[derive(Debug, Clone, Copy)]
pub struct TellerConfig {
    /// The longest that a call may take.
    pub call_timeout: Duration,
    /// How long after that it may still take effect.
    pub settle: Duration,
    /// For how long an incident is tried to be told.
    pub expires_after: Duration,
}

/// Tells incidents. Any number of processes may do so at once.
pub struct Teller {
    ledger: Arc<dyn Ledger>,
    pagerduty: PagerDuty,
    telemetry: Arc<Telemetry>,
    config: TellerConfig,
    news: Arc<Notify>,
}

impl Teller {
    /// Puts one together. `news`: where a letter that was kept is heard of.
    #[must_use]
    pub fn new(
        ledger: Arc<dyn Ledger>,
        pagerduty: PagerDuty,
        telemetry: Arc<Telemetry>,
        config: TellerConfig,
        news: Arc<Notify>,
    ) -> Self {
        Self {
            ledger,
            pagerduty,
            telemetry,
            config,
            news,
        }
    }

    /// Tells until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Ok(true) = self.one(&stop).await {
                continue;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = self.news.notified() => {}
                () = tokio::time::sleep(jittered(LOOK_EVERY)) => {}
            }
        }
    }

    /// Sees to one incident, if there is one. Without the ledger there is nothing to be done.
    async fn one(&self, stop: &CancellationToken) -> Result<bool, Error> {
        let Some(task) = self.ledger.letters().take_notice(self.lease()).await? else {
            return Ok(false);
        };
        // Whoever was overtaken has nothing more to say of it.
        let _ = self.tell(task, stop).await;
        Ok(true)
    }

    async fn tell(&self, mut task: NoticeTask, stop: &CancellationToken) -> Result<(), Error> {
        let bounds = TellingBounds {
            settle: self.config.settle,
            expires_after: self.config.expires_after,
        };
        loop {
            if stop.is_cancelled() {
                // Somebody else's, from here on.
                return self.later(&task, Duration::ZERO).await;
            }
            let now = Timestamp::now();
            let state = task.escalation.map(|(state, _)| state);
            let open = state == Some(State::Open);
            let ended_well = matches!(state, Some(State::Done | State::Cancelled));
            let died_at = task.letter.letter.died_at;
            let notice = &task.letter.notice;
            match notice.next(open, ended_well, died_at, now, &bounds) {
                Telling::Over => return Ok(()),
                Telling::NotTold { why, doubt } => {
                    let notice = Notice::NotTold {
                        why,
                        at: now,
                        doubt,
                    };
                    return self.ends(&mut task, notice).await;
                }
                Telling::Later(delay) => return self.later(&task, jittered(delay)).await,
                Telling::Look => {
                    if !self.look(&mut task).await? {
                        return Ok(());
                    }
                }
                Telling::Write => return self.write(&mut task, None).await,
                Telling::Rewrite(note) => return self.write(&mut task, Some(note)).await,
            }
        }
    }

    /// Looks for our note in the incident. Whether anything more can be done now.
    async fn look(&self, task: &mut NoticeTask) -> Result<bool, Error> {
        let (Some(incident), Some(key)) = (task.letter.incident.clone(), task.key.clone()) else {
            return Ok(false);
        };
        let marker = Marker::of(&key, NoteOutcome::Failed);
        let read_at = Timestamp::now();
        let found = accompanied(PRIORITY, None, self.pagerduty.find_note(&incident, &marker)).await;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                self.failed(task, &error, Operation::ReadNotes).await?;
                return Ok(false);
            }
        };
        if found.as_ref().is_some_and(|(_, count)| *count > 1) {
            self.telemetry
                .duplicate_found(Step::Note.as_str(), key.as_str());
        }
        let found = found.map(|(id, _)| id);
        match task.letter.notice.looked(found, read_at) {
            told @ Notice::Told { .. } => {
                self.ends(task, told).await?;
                Ok(false)
            }
            notice @ (Notice::Nobody
            | Notice::Due { .. }
            | Notice::NotTold { .. }
            | Notice::HandedOn) => {
                task.letter.notice = notice;
                self.record(task, None).await?;
                Ok(true)
            }
        }
    }

    /// Writes the note, or writes it over that of an earlier death.
    async fn write(&self, task: &mut NoticeTask, over: Option<NoteId>) -> Result<(), Error> {
        let (Some(incident), Some(content)) = (task.letter.incident.clone(), text(task)) else {
            return Ok(());
        };
        let operation = match over {
            None => Operation::WriteNote,
            Some(_) => Operation::RewriteNote,
        };
        // Before the intent, which names a deadline.
        let admission = match self.admitted(task).await? {
            Ok(admission) => admission,
            Err(error) => return self.failed(task, &error, operation).await,
        };
        let within = self.config.call_timeout + CALL_SLACK + MARGIN;
        let now = Timestamp::now();
        let intent = Intent {
            epoch: task.epoch,
            deadline: now.checked_add(within).unwrap_or(Timestamp::MAX),
            absent_at: None,
        };
        let deadline = intent.deadline;
        task.letter.notice.intends(intent);
        self.record(task, None).await?;
        let call = self.config.call_timeout + CALL_SLACK;
        if Timestamp::now()
            .checked_add(call)
            .is_ok_and(|ends| ends > deadline)
        {
            // Recording it took too long: what is not sent is no intent.
            task.letter.notice.has(Write::Open);
            return self.later(task, Duration::ZERO).await;
        }
        let sent = async {
            match &over {
                None => self.pagerduty.write_note(&incident, &content).await,
                Some(note) => self.pagerduty.rewrite_note(&incident, note, &content).await,
            }
        };
        match accompanied(PRIORITY, Some(admission), sent).await {
            Ok(note) => {
                let at = Timestamp::now();
                self.ends(task, Notice::Told { note, at }).await
            }
            Err(error) => self.failed(task, &error, operation).await,
        }
    }

    /// For how long a notice is one's: for a look and a call. Whoever crashes keeps others from it for no longer.
    fn lease(&self) -> Duration {
        (self.config.call_timeout + MARGIN) * 2
    }

    /// Waits for a permit, which may take its time; the notice stays one's meanwhile.
    async fn admitted(&self, task: &NoticeTask) -> Result<Result<Admission, CallError>, Error> {
        let mut waiting = pin!(self.pagerduty.admit(PRIORITY));
        loop {
            match timeout(self.lease() / 3, waiting.as_mut()).await {
                Ok(admitted) => return Ok(admitted),
                Err(_) => self.record(task, Some(self.lease())).await?,
            }
        }
    }

    async fn failed(
        &self,
        task: &mut NoticeTask,
        error: &CallError,
        operation: Operation,
    ) -> Result<(), Error> {
        let now = Timestamp::now();
        let writes = operation != Operation::ReadNotes;
        if writes && error.may_have_taken_effect() {
            task.letter.notice.ended_in_doubt(now);
            return self.later(task, self.config.settle).await;
        }
        if writes {
            task.letter.notice.has(Write::Open);
        }
        let setback = error.setback(operation);
        let tries = task.letter.notice.put_off();
        let curve = AGAIN.delay(tries);
        let delay = match setback.wait {
            Wait::Final => {
                let why = format!("{}: {}", setback.code, setback.reason);
                let doubt = false;
                return self
                    .ends(
                        task,
                        Notice::NotTold {
                            why,
                            at: now,
                            doubt,
                        },
                    )
                    .await;
            }
            Wait::After(delay) => delay.max(curve),
            Wait::Between(from, _) => from.max(curve),
            Wait::Backoff { at_least, .. } => at_least.unwrap_or_default().max(curve),
        };
        self.later(task, jittered(delay)).await
    }

    async fn ends(&self, task: &mut NoticeTask, notice: Notice) -> Result<(), Error> {
        task.letter.notice = notice;
        self.record(task, None).await?;
        let letter = &task.letter;
        let incident = letter.incident.as_ref().map(|id| id.as_str());
        let id = letter.letter.id.as_str();
        match &letter.notice {
            Notice::Told { .. } => self.telemetry.incident_told(id, incident),
            Notice::NotTold { why, .. } => self.telemetry.incident_not_told(id, incident, why),
            Notice::Nobody | Notice::Due { .. } | Notice::HandedOn => {}
        }
        Ok(())
    }

    async fn later(&self, task: &NoticeTask, delay: Duration) -> Result<(), Error> {
        self.record(task, Some(delay)).await
    }

    async fn record(&self, task: &NoticeTask, again_in: Option<Duration>) -> Result<(), Error> {
        let (id, notice) = (task.letter.letter.id.clone(), task.letter.notice.clone());
        self.ledger
            .letters()
            .record_notice(id, task.epoch, notice, again_in)
            .await
    }
}

fn text(task: &NoticeTask) -> Option<NoteContent> {
    let text = FailureText {
        key: task.key.as_ref()?,
        letter: &task.letter.letter,
        conversation: task.letter.conversation.as_ref(),
    };
    Some(text.render())
}
