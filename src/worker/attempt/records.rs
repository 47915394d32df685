//! What an attempt makes durable, and when.

use jiff::Timestamp;
use std::time::Duration;

use super::{Attempt, Stopped};
use crate::escalation::{Cobrowse, End, Intent, Write};
use crate::ledger::{CobrowseRecord, Error, HeldConversation, LinkChange, Record, Then};
use crate::upstream::CallError;

/// Kept free at the end of a lease when a call is started in it.
const LEASE_MARGIN: Duration = Duration::from_secs(1);

/// Records. Every one carries all that is not recorded yet.
impl Attempt<'_> {
    /// An intent for a call that starts now. Not recorded yet.
    pub(in crate::worker) fn intent(&self) -> Intent {
        let now = Timestamp::now();
        Intent {
            epoch: self.held.epoch,
            deadline: now
                .checked_add(self.runner.config.call_timeout)
                .unwrap_or(Timestamp::MAX),
            absent_at: None,
        }
    }

    /// Makes an intent durable. Only after this may its call be made; and the claim outlasts that call.
    pub(in crate::worker) async fn record_intent(&mut self) -> Result<(), Stopped> {
        let config = &self.runner.config;
        let span = config.call_timeout + LEASE_MARGIN.min(config.lease / 5);
        self.lease.outlasts(span).await?;
        self.record_result().await
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
            intent.deadline = intent.deadline.min(Timestamp::now());
        }
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
