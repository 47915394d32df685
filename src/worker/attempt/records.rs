//! What an attempt makes durable, and when.

use jiff::Timestamp;
use std::time::Duration;

use super::{Attempt, Stopped};
use crate::escalation::invariant::{self, Verdict};
use crate::escalation::{
    Cobrowse, Code, Contract, Cost, End, EntryKind, Intent, SessionId, Setback, Step, Wait, Write,
    in_doubt_since,
};
use crate::ledger::{
    CobrowseRecord, Error, HeldConversation, IntendSession, LinkChange, Record, Then,
};
use crate::upstream::{CALL_SLACK, CallError};

/// For recording an intent; and so much is kept free at the end of a lease.
const LEASE_MARGIN: Duration = Duration::from_secs(1);

/// What the history tells of an intent to create a session.
pub(in crate::worker) const CREATES: &str = "asks for a session";

/// Records. Every one carries all that is not recorded yet.
impl Attempt<'_> {
    /// An intent for a call that starts once it is recorded. Not recorded yet.
    pub(in crate::worker) fn intent(&self) -> Intent {
        let deadline = Timestamp::now()
            .checked_add(self.runner.config.call_timeout + self.margin())
            .unwrap_or(Timestamp::MAX);
        Intent {
            epoch: self.held.epoch,
            deadline,
            absent_at: None,
        }
    }

    /// Makes an intent durable. Only after this may its call be made; and the claim outlasts that call.
    ///
    /// When it took so long that the call could end after the deadline that the intent names (a slow ledger, a process
    /// that was stopped for a while), it is not made: whoever reads that intent relies on it.
    pub(in crate::worker) async fn record_intent(
        &mut self,
        deadline: Timestamp,
    ) -> Result<(), Stopped> {
        self.outlast_a_call().await?;
        self.record_result().await?;
        self.in_time_for(deadline)
    }

    /// Sees to it that the claim outlasts a call that starts soon.
    pub(in crate::worker) async fn outlast_a_call(&self) -> Result<(), Stopped> {
        let call = self.runner.config.call_timeout + self.margin();
        Ok(self.lease.outlasts(call).await?)
    }

    /// Whether a call that starts now will have ended by the deadline that its intent names.
    pub(in crate::worker) fn in_time_for(&self, deadline: Timestamp) -> Result<(), Stopped> {
        let call = self.runner.config.call_timeout + CALL_SLACK;
        let ends_by = Timestamp::now().checked_add(call);
        if ends_by.is_ok_and(|ends_by| ends_by <= deadline) {
            return Ok(());
        }
        Err(Stopped::Setback(Setback::parked(
            Code::LedgerUnavailable,
            "the ledger took too long to record the intent; nothing was sent",
            Wait::Backoff {
                at_least: None,
                cost: Cost::Free,
            },
        )))
    }

    /// How long recording an intent may take.
    fn margin(&self) -> Duration {
        LEASE_MARGIN.min(self.runner.config.lease / 5)
    }

    /// Makes a result durable.
    pub(in crate::worker) async fn record_result(&mut self) -> Result<(), Stopped> {
        Ok(self.record(Then::Continue).await?)
    }

    /// What a failed write leaves behind: nothing, if it certainly had no effect; else the intent stays, and whether
    /// it took effect is found out later. The call has ended on our side, so that time counts from now.
    pub(in crate::worker) fn write_failed<T>(write: &mut Write<T>, error: &CallError) {
        if !error.may_have_taken_effect() {
            *write = Write::Open;
        } else if let Write::Intended(intent) = write {
            intent.deadline = Timestamp::now();
        }
    }

    /// Whether the failure of recording an intent is one after which nothing was sent, and nothing will be: the intent
    /// may be taken back. After any other, somebody may have read it.
    pub(in crate::worker) fn was_not_sent(stopped: &Stopped) -> bool {
        matches!(stopped, Stopped::Setback(_))
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
    pub(in crate::worker) fn take_back_unsent(&mut self) {
        if let Some(asked_before) = self.unsent.take() {
            self.progress.asked_at = asked_before;
            if let Some((_, cobrowse)) = &mut self.conversation {
                cobrowse.session = Write::Open;
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
            intent: self.intent(),
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
        self.unsent = Some(self.progress.asked_at);
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
            self.progress = self.durable.progress.clone();
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
        self.resolved_at = recorded.resolved_at;
        Ok(())
    }
}
