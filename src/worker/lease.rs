//! Keeps a claim alive while work goes on, and says when it is lost.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ledger::{Error, Held, HeldConversation, Ledger};

/// A lease that is renewed in the background until it is dropped.
pub(super) struct Lease {
    shared: Arc<Shared>,
    renewal: JoinHandle<()>,
}

struct Shared {
    ledger: Arc<dyn Ledger>,
    held: Held,
    span: Duration,
    state: Mutex<State>,
    lost: CancellationToken,
}

struct State {
    until: Instant,
    conversation: Option<HeldConversation>,
}

impl Lease {
    /// Starts to renew a claim that was granted at `granted` for `span`.
    pub(super) fn keep(
        ledger: Arc<dyn Ledger>,
        held: Held,
        granted: Instant,
        span: Duration,
    ) -> Self {
        let shared = Arc::new(Shared {
            ledger,
            held,
            span,
            state: Mutex::new(State {
                until: granted + span,
                conversation: None,
            }),
            lost: CancellationToken::new(),
        });
        let renewal = tokio::spawn(renew_on_and_on(shared.clone()));
        Self { shared, renewal }
    }

    /// Renews the claim on this conversation along with the other.
    pub(super) fn add(&self, conversation: HeldConversation) {
        self.shared.lock().conversation = Some(conversation);
    }

    /// No more renewals: the claim is given back. One that came after that would be refused, as if somebody had taken over.
    pub(super) fn rest(&self) {
        self.renewal.abort();
    }

    /// Cancelled when the claim is lost: a newer one exists, or it could not be renewed in time.
    pub(super) fn lost(&self) -> &CancellationToken {
        &self.shared.lost
    }

    /// For how long the claim holds still.
    pub(super) fn left(&self) -> Duration {
        let until = self.shared.lock().until;
        until.saturating_duration_since(Instant::now())
    }

    /// Renews a claim that does not hold for this long.
    pub(super) async fn outlasts(&self, span: Duration) -> Result<(), Error> {
        if self.left() > span {
            return Ok(());
        }
        self.shared.renew().await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.rest();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn renew(&self) -> Result<(), Error> {
        let asked = Instant::now();
        let conversation = self.lock().conversation.clone();
        self.ledger
            .renew(&self.held, conversation.as_ref(), self.span)
            .await?;
        // From when it was asked: the ledger may have counted from then, and too short is the safe side.
        self.lock().until = asked + self.span;
        Ok(())
    }
}

async fn renew_on_and_on(shared: Arc<Shared>) {
    let mut pause = shared.span / 3;
    loop {
        tokio::time::sleep(pause).await;
        pause = match shared.renew().await {
            Ok(()) => shared.span / 3,
            Err(Error::Fenced) => break,
            // The ledger is away. As long as the lease holds, nobody else may act, so it is worth another try.
            Err(error) => {
                tracing::warn!(event = "lease.not_renewed", key = %shared.held.key, %error);
                if shared.lock().until <= Instant::now() {
                    break;
                }
                shared.span / 10
            }
        };
    }
    tracing::warn!(event = "lease.lost", key = %shared.held.key, epoch = shared.held.epoch);
    shared.lost.cancel();
}
