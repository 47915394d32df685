//! How an attempt stops: waits, comes back later, is given up, ends.

use jiff::Timestamp;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use super::{Attempt, CLAIM_LOST, Ended, Stopped};
use crate::escalation::{
    Cobrowse, Code, Cost, End, Entry, EntryKind, GaveUp, Setback, Step, Wait, in_doubt_since,
};
use crate::ledger::{Error, is_told};
use crate::pacing::jittered;
use crate::worker::schedule::Next;

/// A message is worked on for about this long at a stretch; then it goes back to the broker even for a short wait.
const AT_A_STRETCH: Duration = Duration::from_secs(100);
/// How long a message waits at least when the ledger does not answer.
const LEDGER_AWAY: Duration = Duration::from_secs(5);
/// A look behind a write in doubt that is refused is taken again after a time between these two.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(30));
/// For so long. After that a person has to find out what the vendor does not say.
const REFUSED_FOR: Duration = Duration::from_secs(3600);

impl Attempt<'_> {
    /// A setback is told once, however many pieces its wait has; one that costs something, each time.
    fn tell_setback(&mut self, step: Step, setback: &Setback, cost: Option<Cost>) {
        let what = match cost {
            Some(Cost::Attempt) => format!("{}; costs an attempt", setback.reason),
            Some(Cost::Free) | None => setback.reason.clone(),
        };
        let (this, final_) = ((step, setback.code), matches!(setback.wait, Wait::Final));
        if !final_ && (cost.is_some() || self.told != Some(this)) {
            let line = self.line(EntryKind::Setback, Some(step), what, Some(setback.code));
            self.history.push(line);
            self.told = Some(this);
        }
    }

    /// Before a wait: a vendor's answer that only this process knows goes into the ledger.
    async fn keep_what_is_known(&mut self) -> Option<Ended> {
        if !self.unrecorded {
            return None;
        }
        match self.record_result().await {
            Ok(()) => None,
            Err(Stopped::Ledger(error)) => Some(self.ledger_away(&error, LEDGER_AWAY).await),
            Err(Stopped::InOtherHands(_) | Stopped::Setback(_) | Stopped::Interrupted) => {
                Some(self.in_other_hands(CLAIM_LOST))
            }
        }
    }

    /// What to do about a step that did not come to its end; `None`: go on. `held_up`: the step whose success would show that
    /// this is over.
    pub(super) async fn stopped(
        &mut self,
        step: Step,
        held_up: Step,
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
            Stopped::Ledger(error) => return Some(self.ledger_away(&error, LEDGER_AWAY).await),
            Stopped::Interrupted => return None,
            Stopped::InOtherHands(delay) => {
                // Where it is only the conversation that others hold, our own claim is given back.
                let _ = self.release().await;
                return Some(self.in_other_hands(delay));
            }
        };
        let schedule = &self.runner.config.schedule;
        let (next, attempts) = schedule.next(setback.wait, self.attempts, self.progress.setbacks);
        let cost = match setback.wait {
            Wait::Backoff { cost, .. } => {
                self.progress.setbacks += 1;
                self.progress.held_up_at = Some(held_up);
                Some(cost)
            }
            Wait::Final | Wait::After(_) | Wait::Between(..) => None,
        };
        self.tell_setback(step, &setback, cost);
        self.attempts = attempts;
        self.story.attempts = attempts;
        match next {
            Next::InHand(delay) if self.began.elapsed() < AT_A_STRETCH => {
                if let Some(ended) = self.keep_what_is_known().await {
                    return Some(ended);
                }
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
                let news = self.history.iter().any(Entry::told_even_of_many);
                if news || self.sent || is_told(self.held.epoch) {
                    let what = format!("again in {:.1} s", delay.as_secs_f64());
                    self.note(EntryKind::Later, None, what);
                } else {
                    // A wait like the many before it: what was read and found wanting is no news either.
                    self.history.clear();
                }
                Some(match self.release().await {
                    Ok(()) => Ended::Later(delay),
                    Err(Error::Fenced) => self.in_other_hands(CLAIM_LOST),
                    // What was promised to a vendor stands, although the ledger does not have it.
                    Err(error) => self.ledger_away(&error, delay).await,
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
                let code = setback.code;
                if exhausted && self.is_in_doubt() {
                    // Dead is said of what is known. Nothing is sent any more, and it is looked at what was.
                    self.progress.gave_up = Some(GaveUp { code, reason });
                    return None;
                }
                Some(self.die(step, code, reason).await)
            }
        }
    }

    fn cobrowse(&self) -> Option<&Cobrowse> {
        self.conversation.as_ref().map(|(_, cobrowse)| cobrowse)
    }

    fn is_in_doubt(&self) -> bool {
        in_doubt_since(&self.progress, self.cobrowse()).is_some()
    }

    /// A vendor that refuses a look says nothing about the write that it was to look behind: no reason to end, while that
    /// is in doubt.
    pub(super) fn looks_again(&self, stopped: Stopped) -> Stopped {
        let since = in_doubt_since(&self.progress, self.cobrowse());
        let recent = since.is_some_and(|since| {
            let age = Duration::try_from(Timestamp::now().duration_since(since));
            age.unwrap_or_default() < REFUSED_FOR
        });
        match stopped {
            Stopped::Setback(setback) if recent && matches!(setback.wait, Wait::Final) => {
                let wait = Wait::Between(LOOK_AGAIN.0, LOOK_AGAIN.1);
                Stopped::Setback(Setback { wait, ..setback })
            }
            Stopped::Setback(_)
            | Stopped::Ledger(_)
            | Stopped::InOtherHands(_)
            | Stopped::Interrupted => stopped,
        }
    }

    /// The end could not be written, since a claim is gone: it has not ended. What is ours still is given back.
    async fn not_ended(&mut self) -> Ended {
        self.history.retain(|line| line.kind != EntryKind::Ended);
        let _ = self.release().await;
        self.in_other_hands(CLAIM_LOST)
    }

    pub(super) async fn finish(&mut self, end: End) -> Ended {
        let outcome = match &end {
            End::Done => "done",
            End::Cancelled => "cancelled",
            End::Dead { .. } => "dead",
        };
        self.note(EntryKind::Ended, None, outcome);
        match self.end(end).await {
            Ok(()) => {
                self.story.outcome = outcome;
                Ended::Over
            }
            Err(Error::Fenced) => self.not_ended().await,
            Err(error) => {
                self.history.retain(|line| line.kind != EntryKind::Ended);
                self.ledger_away(&error, LEDGER_AWAY).await
            }
        }
    }

    pub(super) async fn die(&mut self, step: Step, code: Code, reason: String) -> Ended {
        let line = self.line(
            EntryKind::Ended,
            Some(step),
            format!("dead: {reason}"),
            Some(code),
        );
        self.history.push(line);
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
            Err(Error::Fenced) => self.not_ended().await,
            Err(error) => {
                self.history.retain(|line| line.kind != EntryKind::Ended);
                self.ledger_away(&error, LEDGER_AWAY).await
            }
        }
    }

    pub(super) async fn hand_back(&mut self) -> Ended {
        self.story.outcome = "handed_back";
        self.note(EntryKind::HandedBack, None, "its worker was told to end");
        // Should this fail, the lease ends by itself.
        self.give_back().await;
        Ended::HandBack
    }

    pub(super) fn in_other_hands(&mut self, delay: Duration) -> Ended {
        self.story.outcome = "later";
        self.story.code = Some(Code::InOtherHands);
        Ended::Later(jittered(delay))
    }

    pub(super) async fn ledger_away(&mut self, error: &Error, at_least: Duration) -> Ended {
        self.give_back().await;
        self.story.outcome = "later";
        self.story.code = Some(Code::LedgerUnavailable);
        self.story.reason = Some(error.to_string());
        Ended::Later(jittered(at_least.max(LEDGER_AWAY)))
    }
}

pub(super) fn wait_until(step: Step, until: Timestamp) -> Setback {
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
