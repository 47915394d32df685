//! What an attempt makes durable, and when.

use jiff::Timestamp;
use std::time::Duration;

use super::{Attempt, Stopped};
use crate::escalation::{Cobrowse, Code, Cost, End, Intent, Setback, Wait, Write};
use crate::ledger::{CobrowseRecord, Error, HeldConversation, LinkChange, Record, Then};
use crate::upstream::{CALL_SLACK, CallError};

/// For recording an intent; and so much is kept free at the end of a lease.
const LEASE_MARGIN: Duration = Duration::from_secs(1);

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
        let call_timeout = self.runner.config.call_timeout;
        self.lease.outlasts(call_timeout + self.margin()).await?;
        self.record_result().await?;
        let ends_by = Timestamp::now().checked_add(call_timeout + CALL_SLACK);
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

    /// Takes the claim on a conversation into this attempt.
    pub(in crate::worker) fn hold(&mut self, held: HeldConversation, cobrowse: Cobrowse) {
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

    pub(in crate::worker) async fn release(&mut self) -> Result<(), Error> {
        let conversation = self.conversation.as_ref().map(|(held, _)| held.clone());
        self.record(Then::Release { conversation }).await
    }

    pub(in crate::worker) async fn end(&mut self, end: End) -> Result<(), Error> {
        let conversation = self.conversation.as_ref().map(|(held, _)| held.clone());
        self.record(Then::End { end, conversation }).await
    }

    async fn record(&mut self, then: Then) -> Result<(), Error> {
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
        self.history.clear();
        self.link = LinkChange::Keep;
        self.resolved_at = recorded.resolved_at;
        Ok(())
    }
}
