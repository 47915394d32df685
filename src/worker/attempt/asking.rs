//! Before a vendor is asked: whether it may be.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Attempt, Stopped};
use crate::escalation::{Call, Contract};
use crate::upstream::{self, CallError, Operation, Priority};

impl Attempt<'_> {
    /// Asks somebody, once it may be asked. Waited for that is here, before an intent names a deadline; and only this wait may be
    /// cut off.
    pub(super) async fn escorted(
        &mut self,
        call: Call,
        stop: &CancellationToken,
    ) -> Result<(), Stopped> {
        let (lane, step) = (self.message.lane, call.step());
        let priority = Priority { lane, step };
        let mut admission = self.admission.take();
        if let Some(operation) = self.first_request(&call)
            && admission.is_none()
        {
            let vendor = operation.vendor();
            let mut waits = pin!(self.runner.admit(vendor, priority));
            let at_once = poll_fn(|context| Poll::Ready(waits.as_mut().poll(context))).await;
            let admitted = match at_once {
                Poll::Ready(admitted) => admitted,
                Poll::Pending => {
                    // It may take a while, and a crash in it must not cost what a vendor has answered.
                    if self.unrecorded {
                        self.record_result().await?;
                    }
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => return Err(Stopped::Interrupted),
                        () = self.lease.lost().cancelled() => return Err(Stopped::Interrupted),
                        admitted = waits => admitted,
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
            Call::LookUpNote => Some(Operation::ReadNotes),
            Call::WriteNote => Some(Operation::WriteNote),
        }
    }
}
