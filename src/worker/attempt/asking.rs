//! Before a vendor is asked: whether it may be. Afterwards: how it went.

use std::pin::pin;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::{Attempt, Stopped};
use crate::escalation::{Call, Contract, Setback, Step, Wait};
use crate::telemetry::{Span, StepFinished};
use crate::upstream::{self, Admission, CallError, Operation, Priority};

/// A wait for a permit that is over within so long is none.
const AT_ONCE: Duration = Duration::from_millis(50);

impl Attempt<'_> {
    /// Asks somebody, as a step of this attempt, and tells how it went.
    pub(super) async fn told(
        &mut self,
        call: Call,
        stop: &CancellationToken,
    ) -> Result<(), Stopped> {
        let (step, looks) = (call.step(), call.looks());
        let telemetry = &self.runner.telemetry;
        let mut span = telemetry.step_begins(step.as_str(), call.as_str());
        // In a box: around a span it would be kept twice.
        let asking = Box::pin(upstream::listening(self.escorted(call, stop)));
        let mut result = match &span {
            Some(span) => span.around(asking).await,
            None => asking.await,
        };
        if looks {
            result = result.map_err(|stopped| self.looks_again(stopped));
        }
        self.tell_step(step, &result, span.as_mut());
        result
    }

    fn tell_step(&self, step: Step, result: &Result<(), Stopped>, span: Option<&mut Span>) {
        let outcome = match result {
            Ok(()) => "ok",
            Err(Stopped::Setback(Setback {
                wait: Wait::Final, ..
            })) => "final",
            Err(Stopped::Setback(_)) => "later",
            Err(Stopped::Ledger(_)) => "ledger_away",
            Err(Stopped::InOtherHands(_)) => "in_other_hands",
            Err(Stopped::Interrupted) => "interrupted",
        };
        if let Some(span) = span {
            let code = match result {
                Err(Stopped::Setback(setback)) => Some(setback.code.as_str()),
                Ok(())
                | Err(Stopped::Ledger(_) | Stopped::InOtherHands(_) | Stopped::Interrupted) => None,
            };
            span.step_ended(outcome, code);
        }
        self.runner.telemetry.step_finished(&StepFinished {
            step: step.as_str(),
            outcome,
            key: self.held.key.as_str(),
            took: self.step_began.elapsed(),
        });
    }

    /// Asks somebody, once it may be asked. Waited for that is here, before an intent names a deadline; and only this wait may be
    /// cut off.
    async fn escorted(&mut self, call: Call, stop: &CancellationToken) -> Result<(), Stopped> {
        let (lane, step) = (self.message.lane, call.step());
        let priority = Priority { lane, step };
        // It may have been waited for something else since.
        let mut admission = self.admission.take().filter(Admission::is_good);
        if let Some(operation) = self.first_request(&call)
            && admission.is_none()
        {
            let vendor = operation.vendor();
            let (runner, lost) = (self.runner, self.lease.lost().clone());
            let mut waits = pin!(runner.admit(vendor, priority));
            let admitted = match tokio::time::timeout(AT_ONCE, waits.as_mut()).await {
                Ok(admitted) => admitted,
                Err(_) => {
                    let waits = async {
                        tokio::select! {
                            biased;
                            () = stop.cancelled() => Err(Stopped::Interrupted),
                            () = lost.cancelled() => Err(Stopped::Interrupted),
                            admitted = waits => Ok(admitted),
                        }
                    };
                    // It may take a while, and a crash in it must not cost what a vendor has answered. Who waits is to be heard
                    // of meanwhile: others stand in line behind it.
                    match self.unrecorded {
                        true => tokio::try_join!(self.record_result(), waits)?.1,
                        false => waits.await?,
                    }
                }
            };
            let refused = |error: CallError| Stopped::Setback(error.setback(operation));
            admission = Some(admitted.map_err(refused)?);
        }
        if matches!(call, Call::ClaimConversation { .. }) {
            self.admission = admission.take();
        }
        self.step_began = Instant::now();
        upstream::accompanied(priority, admission, self.call(call)).await
    }

    /// What a call asks of a vendor first, or lets follow at once.
    fn first_request(&self, call: &Call) -> Option<Operation> {
        match call {
            Call::FindContext if self.start.conversation_id.is_some() => None,
            Call::GetToken | Call::ClaimConversation { create: false } => None,
            Call::FindContext => Some(Operation::ReadAlerts),
            Call::ReadConversation(_) => Some(Operation::ReadConversation),
            Call::ClaimConversation { create: true } => Some(Operation::CreateSession),
            Call::CreateSession(Contract::Sessions) => Some(Operation::CreateSession),
            Call::CreateSession(Contract::Conversation) => Some(Operation::OfferSession),
            Call::AttachMedia(_) => Some(Operation::AttachMedia),
            Call::LookUpNote(_) => Some(Operation::ReadNotes),
            Call::WriteNote => Some(Operation::WriteNote),
            Call::RewriteNote(_) => Some(Operation::RewriteNote),
        }
    }
}
