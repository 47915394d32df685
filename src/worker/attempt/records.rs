//! What an attempt makes durable, and when.

use jiff::Timestamp;
use std::time::{Duration, Instant};

use super::{Attempt, Stopped};
use crate::escalation::invariant::{self, Verdict};
use crate::escalation::{
    Cobrowse, Code, Contract, End, EntryKind, Intent, SessionId, Setback, Step, Wait, Write,
    in_doubt_since,
};
use crate::ledger::{
    CobrowseRecord, ConversationClaim, ConversationRequest, Error, HeldConversation, IntendSession,
    LinkChange, Record, Then,
};
use crate::pacing::{Curve, jittered};
use crate::upstream::{CALL_SLACK, CallError};

/// For recording an intent; and so much is kept free at the end of a lease.
const LEASE_MARGIN: Duration = Duration::from_secs(1);
/// So often an intent is recorded in a row until its call may be sent.
const RECORDINGS: u32 = 3;
/// Then a slow ledger is left alone for a time between these two.
const LEDGER_SLOW: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(1));

/// What only this process knows is said again and again for so long, should the ledger not answer.
const UNHEARD_FOR: Duration = Duration::from_secs(60);
/// With such pauses.
const SAY_AGAIN: Curve = Curve {
    first: Duration::from_millis(200),
    factor: 2.0,
    cap: Duration::from_secs(2),
};

/// For so long, where somebody else is at work on the conversation.
const HELD_FOR: Duration = Duration::from_secs(15);

/// Whether it is known what became of an intent that went along with a claim.
enum Found {
    /// It is, or there was none.
    Known,
    /// Somebody else holds the conversation.
    InOtherHands,
}

/// What the history tells of an intent to create a session.
pub(in crate::worker) const CREATES: &str = "asks for a session";

/// Records. Every one carries all that is not recorded yet.
impl Attempt<'_> {
    /// Makes the intent of a write durable. Only after this may it be sent; and the claim outlasts that call.
    ///
    /// When it took so long that the call could end after the deadline that the intent names, or after the claim (a slow
    /// ledger, a process that was stopped for a while), it is recorded anew with more time: whoever reads an intent relies
    /// on it. An intent whose call is not sent is taken back, whatever became of recording it: it names this claim, and
    /// whoever comes after it shuts this attempt out.
    ///
    /// `false`: the incident was resolved before anything was asked for. Decide again.
    pub(in crate::worker) async fn intend(
        &mut self,
        step: Step,
        what: &str,
    ) -> Result<bool, Stopped> {
        self.asked_before = self.progress.asked_at;
        let mut allowance = self.margin();
        for recording in 0..RECORDINGS {
            self.outlast_a_call().await?;
            let (began, intent) = (Instant::now(), self.intent(allowance));
            let deadline = intent.deadline;
            self.put(step, intent);
            if recording == 0 {
                self.note(EntryKind::Intended, Some(step), what);
            }
            if let Err(stopped) = self.record_result().await {
                self.take_back(step);
                self.taken_back_unheard |= matches!(stopped, Stopped::Ledger(_));
                return Err(stopped);
            }
            if self.was_resolved_unasked() {
                self.take_back(step);
                self.taken_back_unheard = true;
                let what = "not sent: the incident was resolved meanwhile";
                self.note(EntryKind::Setback, Some(step), what);
                return Ok(false);
            }
            if self.may_send(deadline) {
                return Ok(true);
            }
            self.take_back(step);
            self.taken_back_unheard = true;
            allowance = allowance.max(began.elapsed() * 2);
        }
        // As with a refusal: a crash in the wait must not leave a doubt.
        self.unrecorded = true;
        Err(Stopped::Setback(Setback::parked(
            Code::LedgerUnavailable,
            "the ledger takes too long to record an intent; nothing was sent",
            Wait::Between(LEDGER_SLOW.0, LEDGER_SLOW.1),
        )))
    }

    /// An intent for a call that starts once it is recorded, which may take so long.
    fn intent(&self, allowance: Duration) -> Intent {
        let deadline = Timestamp::now()
            .checked_add(self.runner.config.call_timeout + allowance)
            .unwrap_or(Timestamp::MAX);
        Intent {
            epoch: self.held.epoch,
            deadline,
            absent_at: None,
        }
    }

    fn put(&mut self, step: Step, intent: Intent) {
        if step == Step::Note {
            self.progress.note = Write::Intended(intent);
            return;
        }
        self.progress.asked_at.get_or_insert(Timestamp::now());
        let (contract, there_before) = (self.contract(), self.there_before());
        let Some((_, cobrowse)) = &mut self.conversation else {
            return;
        };
        if step == Step::Media {
            // A session of an earlier attempt, or of another escalation that crashed: attaching it is asking for it.
            cobrowse.media = Write::Intended(intent);
        } else {
            cobrowse.session = Write::Intended(intent);
            cobrowse.contract = contract;
            cobrowse.there_before = there_before;
        }
    }

    /// There is no call, and none of it remains in the records: it was never sent, or was refused.
    fn take_back(&mut self, step: Step) {
        self.progress.asked_at = self.asked_before;
        self.history.retain(|line| line.kind != EntryKind::Intended);
        let cobrowse = self.conversation.as_mut().map(|(_, cobrowse)| cobrowse);
        match (step, cobrowse) {
            (Step::Note, _) => self.progress.note = Write::Open,
            (Step::Media, Some(cobrowse)) => cobrowse.media = Write::Open,
            (_, Some(cobrowse)) => cobrowse.session = Write::Open,
            (_, None) => {}
        }
    }

    fn was_resolved_unasked(&self) -> bool {
        let resolved = self.resolved_at.is_some_and(|at| at >= self.occurred_at);
        resolved && self.asked_before.is_none()
    }

    /// Sees to it that the claim outlasts a call that starts soon.
    pub(in crate::worker) async fn outlast_a_call(&self) -> Result<(), Stopped> {
        let call = self.runner.config.call_timeout + self.margin();
        Ok(self.lease.outlasts(call).await?)
    }

    /// Whether a call that starts now will have ended by the deadline that its intent names, and within the claim.
    fn may_send(&self, deadline: Timestamp) -> bool {
        let call = self.runner.config.call_timeout + CALL_SLACK;
        let ends_by = Timestamp::now().checked_add(call);
        ends_by.is_ok_and(|ends_by| ends_by <= deadline) && self.lease.left() >= call
    }

    /// The intent that was recorded with the claim on the conversation: may its call be sent now? One that may not be is none.
    pub(in crate::worker) fn takes_up_intent(&mut self) -> bool {
        if !self.unsent {
            return false;
        }
        let cobrowse = self.conversation.as_ref().map(|(_, cobrowse)| cobrowse);
        if let Some(Write::Intended(intent)) = cobrowse.map(|cobrowse| &cobrowse.session)
            && self.may_send(intent.deadline)
        {
            self.unsent = false;
            return true;
        }
        self.take_back_unsent();
        false
    }

    /// How long recording an intent may take.
    fn margin(&self) -> Duration {
        LEASE_MARGIN.min(self.runner.config.lease / 5)
    }

    /// Makes a result durable.
    pub(in crate::worker) async fn record_result(&mut self) -> Result<(), Stopped> {
        Ok(self.record(Then::Continue).await?)
    }

    /// What a failed write leaves behind: nothing, if it certainly had no effect, and that is worth recording before any
    /// wait. Else the intent stays, and whether it took effect is found out later. The call has ended on our side, so that
    /// time counts from now.
    pub(in crate::worker) fn write_failed(&mut self, step: Step, error: &CallError) {
        if !error.may_have_taken_effect() {
            self.take_back(step);
            self.unrecorded = true;
            // Should only the conversation be lost, this remains true of the escalation.
            self.taken_back_unheard = true;
            return;
        }
        let now = Timestamp::now();
        let cobrowse = self.conversation.as_mut().map(|(_, cobrowse)| cobrowse);
        match (step, cobrowse) {
            (Step::Note, _) => self.progress.note.ends_at(now),
            (Step::Media, Some(cobrowse)) => cobrowse.media.ends_at(now),
            (_, Some(cobrowse)) => cobrowse.session.ends_at(now),
            (_, None) => {}
        }
    }

    fn is_durable(&mut self) {
        self.durable.progress = self.progress.clone();
        self.durable.attempts = self.attempts;
        if let Some((_, cobrowse)) = &self.conversation {
            self.durable.cobrowse = cobrowse.clone();
        }
    }

    /// Takes the claim on a conversation into this attempt.
    pub(in crate::worker) fn hold(&mut self, held: HeldConversation, cobrowse: Cobrowse) {
        self.durable.cobrowse = cobrowse.clone();
        self.lease.add(held.clone());
        self.conversation = Some((held, cobrowse));
    }

    pub(in crate::worker) fn tell_conversation(&mut self) {
        self.story.conversation = self
            .progress
            .context
            .as_ref()
            .map(|context| context.conversation.to_string());
    }

    /// An intent to create a session whose call was not sent is none.
    fn take_back_unsent(&mut self) {
        if std::mem::take(&mut self.unsent) {
            self.take_back(Step::Session);
            self.taken_back_unheard = true;
        }
    }

    /// Whether the ledger lacks what nobody else can know: a vendor's answer, or that something was not sent. Whoever goes on
    /// without it finds a write in doubt, where there is none.
    fn knows_more(&self) -> bool {
        let unheard = self.perhaps_intended.is_some() || self.taken_back_unheard || self.unsent;
        let told = &self.durable;
        let written = |cobrowse: &Cobrowse| {
            cobrowse.session != told.cobrowse.session || cobrowse.media != told.cobrowse.media
        };
        let conversation = self.conversation.as_ref();
        // What became of the note of a failure goes with that of the note, or is found out again.
        unheard
            || self.progress.note != told.progress.note
            || conversation.is_some_and(|(_, cobrowse)| written(cobrowse))
    }

    /// Writes down what is known and gives the claim back: a lease left behind would keep the next one waiting, and counts as a
    /// worker that ended. What nobody else can know is worth a while; and before it is known whether an intent is there,
    /// nothing is given back, or it would be left behind as somebody's.
    pub(in crate::worker) async fn give_back(&mut self) {
        let (began, mut held_since) = (Instant::now(), None::<Instant>);
        // Others may have it.
        self.admission = None;
        for tries in 0.. {
            match self.find_unsent().await {
                Ok(Found::Known) => match self.release().await {
                    Err(Error::Unavailable(_)) => {}
                    Ok(()) | Err(_) => return,
                },
                Ok(Found::InOtherHands) => {
                    if held_since.get_or_insert_with(Instant::now).elapsed() > HELD_FOR {
                        // Whoever has it for so long has found nothing that it would have to wait for.
                        self.perhaps_intended = None;
                        continue;
                    }
                }
                Err(Error::Unavailable(_)) => {}
                Err(_) => return,
            }
            if !self.knows_more() || began.elapsed() > UNHEARD_FOR {
                return;
            }
            tokio::time::sleep(jittered(SAY_AGAIN.delay(tries))).await;
        }
    }

    /// The claim on a conversation, with the intent to create a session, was not answered: perhaps both are in the ledger.
    /// Nothing was sent, and only this attempt knows that; whoever finds the intent would have to take it for a write.
    async fn find_unsent(&mut self) -> Result<Found, Error> {
        let context = self.progress.context.clone();
        let (Some(sent_along), Some(context)) = (self.perhaps_intended.clone(), context) else {
            return Ok(Found::Known);
        };
        let claim = self.runner.ledger.claim_conversation(ConversationRequest {
            held: self.held.clone(),
            conversation: context.conversation,
            lease: self.runner.config.lease,
            intend: None,
        });
        match claim.await {
            Ok(ConversationClaim::Granted { held, cobrowse, .. }) => {
                self.perhaps_intended = None;
                // That very one: another escalation's, which was sent, may have the same epoch. Somebody may have looked behind
                // it meanwhile.
                let is_it = |found: &Intent| {
                    (found.epoch, found.deadline) == (sent_along.epoch, sent_along.deadline)
                };
                self.unsent = matches!(&cobrowse.session, Write::Intended(found) if is_it(found));
                self.asked_before = self.progress.asked_at;
                self.hold(held, cobrowse);
                Ok(Found::Known)
            }
            // Whoever holds it may have found the intent, and looks behind what was never sent: it can be told afterwards.
            Ok(ConversationClaim::Held { .. }) => Ok(Found::InOtherHands),
            Err(error @ Error::Unavailable(_)) => Err(error),
            Err(_) => {
                // The claim on the escalation is gone, most likely. Perhaps it can be given back all the same.
                self.perhaps_intended = None;
                Ok(Found::Known)
            }
        }
    }

    /// Everything that is to be recorded and told by the claim on a conversation itself, should it put down the intent
    /// to create a session.
    pub(in crate::worker) fn intend_session(&self) -> IntendSession {
        let mut progress = self.progress.clone();
        progress.asked_at.get_or_insert(Timestamp::now());
        let mut history = self.history.clone();
        history.push(self.line(
            EntryKind::Intended,
            Some(Step::Session),
            CREATES.to_owned(),
            None,
        ));
        IntendSession {
            intent: self.intent(self.margin()),
            contract: self.contract(),
            there_before: self.there_before(),
            progress,
            attempts: self.attempts,
            history,
            occurred_at: self.occurred_at,
        }
    }

    /// The contract under which a session would be asked for: the one by which the conversation was read.
    pub(in crate::worker) fn contract(&self) -> Contract {
        self.survey.as_ref().map(|s| s.contract).unwrap_or_default()
    }

    /// The sessions that the conversation shows already, under the contract by which only a look can tell what a call made.
    pub(in crate::worker) fn there_before(&self) -> Vec<SessionId> {
        let survey = self.survey.as_ref();
        let survey = survey.filter(|survey| survey.contract == Contract::Conversation);
        survey.map_or_else(Vec::new, |survey| {
            survey.conversation.sessions().cloned().collect()
        })
    }

    /// That intent is in the ledger.
    pub(in crate::worker) fn session_intended(&mut self, recorded: IntendSession) {
        self.unsent = true;
        self.asked_before = self.progress.asked_at;
        self.progress = recorded.progress;
        self.is_durable();
        self.history.clear();
    }

    pub(in crate::worker) async fn release(&mut self) -> Result<(), Error> {
        self.take_back_unsent();
        self.lease.rest();
        self.count_takeovers_anew();
        let conversation = self.conversation.as_ref().map(|(held, _)| held.clone());
        let released = self.record(Then::Release { conversation }).await;
        if matches!(released, Err(Error::Fenced)) && self.conversation.take().is_some() {
            // Perhaps only the conversation is in other hands. What was learned under a claim that is gone is not
            // recorded, but nobody need wait for our own claim to end.
            let known = self.durable.progress.clone();
            // The note is this escalation's own, and so is what became of the one whose place it takes.
            let learned = std::mem::replace(&mut self.progress, known);
            self.progress.note = learned.note;
            self.progress.failure_note = learned.failure_note;
            // A promise to wait is not the conversation's.
            self.progress.not_before = learned.not_before;
            if self.taken_back_unheard {
                self.progress.asked_at = self.asked_before;
            }
            self.count_takeovers_anew();
            return self.record(Then::Release { conversation: None }).await;
        }
        released
    }

    /// Given back in order: what came before does not speak against this message any more. Unless a write of it is in doubt:
    /// then the worker has only looked behind it, and it may be the write that ends its workers.
    fn count_takeovers_anew(&mut self) {
        let cobrowse = self.conversation.as_ref().map(|(_, cobrowse)| cobrowse);
        let asked = cobrowse.is_some_and(|cobrowse| cobrowse.session.in_doubt());
        if !asked && in_doubt_since(&self.progress, cobrowse).is_none() {
            self.progress.takeovers_before = self.takeovers;
        }
    }

    pub(in crate::worker) async fn end(&mut self, end: End) -> Result<(), Error> {
        self.take_back_unsent();
        self.lease.rest();
        let conversation = self.conversation.as_ref().map(|(held, _)| held.clone());
        self.record(Then::End { end, conversation }).await
    }

    /// Asked right before a write is sent: nothing is, without its durable intent of this lease.
    pub(in crate::worker) fn sends(&mut self, step: Step) {
        self.sent = true;
        let (durable, epoch) = (&self.durable, self.held.epoch);
        self.must(match step {
            Step::Session => invariant::sent(&durable.cobrowse.session, epoch),
            Step::Media => invariant::sent(&durable.cobrowse.media, epoch),
            Step::Note => invariant::sent(&durable.progress.note, epoch),
            Step::Context | Step::Token | Step::Verify => Ok(()),
        });
    }

    /// A violation is a defect of ours: it is counted and told, and ends a debug build at once.
    fn must(&self, verdict: Verdict) {
        if let Err(violation) = verdict {
            self.runner
                .telemetry
                .violated(&violation, self.held.key.as_str());
            debug_assert!(false, "{violation}");
        }
    }

    /// Whether the ledger may go from what it has to what is to be recorded.
    fn may_be_recorded(&self) {
        let durable = &self.durable;
        self.must(invariant::edge::progress(&durable.progress, &self.progress));
        self.must(invariant::attempts(durable.attempts, self.attempts));
        if let Some((_, cobrowse)) = &self.conversation {
            self.must(invariant::edge::cobrowse(&durable.cobrowse, cobrowse));
        }
    }

    async fn record(&mut self, then: Then) -> Result<(), Error> {
        self.may_be_recorded();
        let record = Record {
            held: self.held.clone(),
            progress: self.progress.clone(),
            attempts: self.attempts,
            cobrowse: self
                .conversation
                .as_ref()
                .map(|(held, cobrowse)| CobrowseRecord {
                    held: held.clone(),
                    cobrowse: cobrowse.clone(),
                    link: self.link.clone(),
                }),
            history: self.history.clone(),
            then,
        };
        let recorded = self.runner.ledger.record(record).await?;
        self.is_durable();
        self.history.clear();
        self.link = LinkChange::Keep;
        self.unrecorded = false;
        self.taken_back_unheard = false;
        self.resolved_at = recorded.resolved_at;
        Ok(())
    }
}
