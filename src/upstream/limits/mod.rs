//! What keeps a credential within its limits: the vendor's word, the breaker, and a permit for every request.
//!
//! Asked before anything is put down for a call ([`Limits::admit`]), since waiting for a permit may take a while and an intent has a
//! deadline; told after it ([`Limits::told`]).

mod breaker;
mod gate;
mod permits;

pub(super) use breaker::PROBE;
pub use breaker::Trouble;
pub use permits::{PermitSource, Priority};

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::call::{CallError, Vendor};
use super::http::Http;
use super::retry_after;
use crate::escalation::Code;
use crate::telemetry::Telemetry;
use breaker::{Breaker, Entry, Sign, Standing};
pub(super) use gate::Gate;
use permits::{Permit, Permits};

/// Nobody waits longer for a permit; then the message makes room.
const PATIENCE: Duration = Duration::from_secs(45);
/// For so long.
const MAKES_ROOM: Duration = Duration::from_secs(5);

/// What the whole pool may ask of a vendor with one credential.
#[derive(Clone)]
pub struct Budget {
    /// How many requests a minute may be made.
    pub requests_per_minute: u32,
    /// Where it is kept.
    pub source: Arc<dyn PermitSource>,
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} a minute", self.requests_per_minute)
    }
}

/// One credential's limits. Cheap to clone; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    vendor: Vendor,
    gate: Gate,
    breaker: Breaker,
    permits: Option<Arc<Permits>>,
    telemetry: Arc<Telemetry>,
}

/// Somebody was let in, for one request. Dropped without that, its place and its permit go to the next.
#[derive(Debug)]
pub struct Admission {
    to: Arc<Inner>,
    permit: Option<Permit>,
    probes: bool,
}

impl Drop for Admission {
    fn drop(&mut self) {
        if self.probes {
            self.to.breaker.not_probed(Instant::now());
        }
    }
}

tokio::task_local! {
    static ESCORT: RefCell<Escort>;
}

/// What accompanies a piece of work to the vendors.
struct Escort {
    priority: Priority,
    /// For its first request.
    admission: Option<Admission>,
}

/// Does this work with what was waited for before: its first request goes out on this admission, and all that follow have this
/// priority.
pub async fn accompanied<T>(
    priority: Priority,
    admission: Option<Admission>,
    work: impl Future<Output = T>,
) -> T {
    let escort = Escort {
        priority,
        admission,
    };
    ESCORT.scope(RefCell::new(escort), work).await
}

impl Limits {
    /// `account`: whose limits these are, the same in all processes that use the credential. Without a budget nobody counts: for
    /// commands that a person gives.
    pub(super) fn new(
        vendor: Vendor,
        account: String,
        budget: Option<Budget>,
        http: &Http,
    ) -> Self {
        let telemetry = http.telemetry().clone();
        let permits = budget.map(|budget| {
            let (limit, call) = (budget.requests_per_minute, http.call_timeout());
            telemetry.budget_is(vendor.as_str(), limit);
            Arc::new(Permits::new(account, limit, call, budget.source))
        });
        let inner = Inner {
            vendor,
            gate: Gate::default(),
            breaker: Breaker::default(),
            permits,
            telemetry,
        };
        inner.stands(None);
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Waits until a request may be sent.
    ///
    /// # Errors
    /// [`CallError::Blocked`] while nobody asks this vendor, [`CallError::Waits`] while it wants patience, or where no permit
    /// came for a long time. Nothing was sent then.
    pub(super) async fn admit(&self, priority: Priority) -> Result<Admission, CallError> {
        let inner = &self.inner;
        inner.gate.pass()?;
        let mut admission = self.enter()?;
        if let Some(permits) = &inner.permits {
            let began = Instant::now();
            let vendor = inner.vendor.as_str();
            let waits = inner.telemetry.waits_for_permit(vendor);
            let taken = tokio::time::timeout(PATIENCE, permits.take(priority)).await;
            drop(waits);
            inner.telemetry.permit_waited(vendor, began.elapsed());
            match taken {
                Ok(Ok(permit)) => admission.permit = Some(permit),
                Ok(Err(closed_for)) => {
                    inner.close_for(closed_for);
                    return Err(gate::waits(closed_for));
                }
                Err(_) => {
                    return Err(CallError::Waits {
                        reason: format!("no permit within {PATIENCE:?}: the budget is spent"),
                        left: MAKES_ROOM,
                    });
                }
            }
            // While it waited, somebody may have heard that nobody is to ask.
            inner.gate.pass()?;
            if !admission.probes {
                admission.probes = self.enter()?.taken();
            }
        }
        Ok(admission)
    }

    /// For a request that nobody counts, such as one for a token.
    ///
    /// # Errors
    /// [`CallError::Blocked`].
    pub(super) fn enter(&self) -> Result<Admission, CallError> {
        let inner = &self.inner;
        let probes = match inner.breaker.enter(Instant::now()) {
            Entry::Free => false,
            Entry::Probe => true,
            Entry::Shut(trouble, left) => {
                return Err(CallError::Blocked {
                    trouble,
                    reason: format!(
                        "{} is not asked while {}; the next probe comes in {:.0} s",
                        inner.vendor.as_str(),
                        match trouble {
                            Trouble::Outage => "it does not answer",
                            Trouble::Credential => "it refuses our credential",
                        },
                        left.as_secs_f64()
                    ),
                });
            }
        };
        Ok(Admission {
            to: inner.clone(),
            permit: None,
            probes,
        })
    }

    /// The admission that this work came with, if it is one to this vendor; else waits for one.
    ///
    /// # Errors
    /// As [`admit`](Self::admit).
    pub(super) async fn admission(&self) -> Result<Admission, CallError> {
        let (priority, given) = ESCORT
            .try_with(|escort| {
                let mut escort = escort.borrow_mut();
                let ours = |given: &mut Admission| Arc::ptr_eq(&given.to, &self.inner);
                (escort.priority, escort.admission.take_if(ours))
            })
            .unwrap_or((Priority::LOWEST, None));
        // One that is good no more is gone before another is waited for: it may be the probe, or the only permit.
        match given.filter(Admission::is_good) {
            Some(admission) => Ok(admission),
            None => self.admit(priority).await,
        }
    }

    /// Another request for the same work, which waits for a permit of its own.
    ///
    /// # Errors
    /// As [`admit`](Self::admit), but for the breaker: it may be the probe.
    pub(super) async fn once_more(&self, admission: &mut Admission) -> Result<(), CallError> {
        // The first one has ended.
        admission.permit = None;
        if let Some(permits) = &self.inner.permits {
            match permits.take(Priority::HIGHEST).await {
                Ok(permit) => admission.permit = Some(permit),
                Err(closed_for) => {
                    self.inner.close_for(closed_for);
                    return Err(gate::waits(closed_for));
                }
            }
        }
        self.inner.gate.pass()
    }

    /// What came of a request. Hands it on; with what it costs now, should it have failed.
    pub(super) fn told<T>(
        &self,
        mut admission: Admission,
        result: Result<T, CallError>,
    ) -> Result<T, CallError> {
        let inner = &self.inner;
        let probed = admission.taken();
        drop(admission);
        let Some(sign) = sign_of(result.as_ref().err()) else {
            if probed {
                inner.breaker.not_probed(Instant::now());
            }
            return result;
        };
        inner.hears(sign);
        let mut error = match result {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if let Some(span) = gate::patience(&error) {
            self.close_for(span);
        }
        let down = inner.breaker.standing() != Standing::Closed;
        if let CallError::Unknown { in_outage, .. } = &mut error {
            // It says nothing about the message.
            *in_outage = probed || down;
        }
        Err(error)
    }

    /// There is no token, without which nothing can be asked. What else the login host says is its own affair.
    pub(super) fn login_failed(&self, error: &CallError) {
        match sign_of(Some(error)) {
            // Whoever asks again hears the same.
            Some(Sign::Down(Trouble::Credential)) => {
                self.inner.hears(Sign::Out(Trouble::Credential));
            }
            Some(down @ Sign::Down(_)) => self.inner.hears(down),
            Some(Sign::Alive | Sign::Out(_)) | None => {}
        }
    }

    /// The vendor wants patience, with or without refusing something.
    pub(super) fn close_for(&self, span: Duration) {
        let inner = &self.inner;
        inner.close_for(span);
        let (vendor, capped) = (inner.vendor.as_str(), retry_after::is_capped(span));
        inner
            .telemetry
            .vendor_asks_for_patience(vendor, span, capped);
        if let Some(permits) = &inner.permits {
            // All workers hear it, not only those of this process.
            permits.close_for(span);
            permits.report_soon();
        }
    }

    /// For how long it is idle to take work that needs this vendor.
    pub(super) fn shut_for(&self) -> Option<Duration> {
        self.inner.breaker.shut_for(Instant::now())
    }

    /// Under which name the ledger keeps the budget, where there is one.
    pub(super) fn account(&self) -> Option<&str> {
        self.inner.permits.as_ref().map(|permits| permits.account())
    }

    /// This process ends: what it has goes back.
    pub(super) async fn give_back(&self) {
        if let Some(permits) = &self.inner.permits {
            permits.give_back().await;
        }
    }
}

impl Inner {
    fn hears(&self, sign: Sign) {
        let probe_in = PROBE.0 + (PROBE.1 - PROBE.0).mul_f64(rand::random::<f64>());
        if let Some(standing) = self.breaker.told(sign, probe_in, Instant::now()) {
            self.tell(standing);
        }
    }

    fn close_for(&self, span: Duration) {
        let holds = self.gate.close_for(span);
        self.telemetry
            .vendor_closed_for(self.vendor.as_str(), holds);
    }

    fn tell(&self, standing: Standing) {
        let trouble = match standing {
            Standing::Closed => None,
            Standing::Open(trouble) => Some(trouble),
        };
        self.stands(trouble);
        self.telemetry
            .vendor_moved(self.vendor.as_str(), trouble.map(Trouble::as_str));
    }

    fn stands(&self, trouble: Option<Trouble>) {
        let troubles = Trouble::ALL.map(Trouble::as_str);
        let shut = trouble.map(Trouble::as_str);
        self.telemetry
            .vendor_stands(self.vendor.as_str(), &troubles, shut);
    }
}

impl Admission {
    /// Whether it can be used still.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.permit.as_ref().is_none_or(Permit::is_good)
    }

    /// The request goes out.
    pub(super) fn sends(&mut self) {
        if let Some(permit) = &mut self.permit {
            permit.sends();
        }
    }

    /// Whether it was the probe; it is not any more.
    fn taken(&mut self) -> bool {
        std::mem::take(&mut self.probes)
    }
}

/// Whether what is wrong with the set-up is wrong for every message. A division that is missing, or a route, is met by some and not
/// by others, who are not to wait for them.
fn everybody_meets(code: Code) -> bool {
    matches!(
        code,
        Code::GenesysCredentials
            | Code::GenesysPermissionMissing
            | Code::GenesysUserRequired
            | Code::PagerdutyCredentials
            | Code::PagerdutyFromRefused
            | Code::PagerdutyPermissionMissing
            | Code::PagerdutyAbilityMissing
            | Code::AnsweredByAnother
    )
}

/// What this says of the vendor as a whole; `None`: nothing.
fn sign_of(error: Option<&CallError>) -> Option<Sign> {
    match error {
        Some(CallError::SetUp { code, .. }) if everybody_meets(*code) => {
            Some(Sign::Down(Trouble::Credential))
        }
        None
        | Some(
            CallError::Throttled { .. }
            | CallError::SetUp { .. }
            | CallError::NoRoute { page: false, .. }
            | CallError::Refused { .. }
            | CallError::Conflict(_),
        ) => Some(Sign::Alive),
        Some(CallError::NotSent(_) | CallError::Unknown { .. }) => {
            Some(Sign::Down(Trouble::Outage))
        }
        Some(CallError::NoRoute { page: true, .. }) => Some(Sign::Down(Trouble::Credential)),
        Some(CallError::Blocked { .. } | CallError::Waits { .. }) => None,
    }
}
