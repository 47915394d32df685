//! What an operator reaches: the token that lets one in, and what the routes work with.

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::answer::Problem;
use super::fields::{Fields, words};
use crate::dead_letters::{Drivers, Planner};
use crate::ledger::{Deed, Entered, Ledger, Letters};
use crate::listener::bears;

/// Bodies but those of [`PLAN_CAP`].
pub(super) const BODY_CAP: usize = 64 * 1024;
/// A body with a plan in it. A line of a plan has some 300 bytes.
pub(super) const PLAN_CAP: usize = 32 * 1024 * 1024;
/// So many plans are made at once: whoever makes one asks both vendors much.
const PLANS: usize = 1;
/// So many bodies with a plan are held at once.
const BIG_BODIES: usize = 2;
/// Who did it, where nobody says so.
const SOMEBODY: &str = "http";
/// The longest name of somebody, in characters.
const NAME: usize = 100;
/// The longest reason.
const REASON: usize = 1_000;

/// Who may come in, and to what.
#[derive(Clone)]
pub struct Operator {
    /// The bearer token; without one there is no operator.
    pub token: SecretString,
    /// What the routes work with; the ingress has none.
    pub office: Option<Office>,
}

/// What the routes work with.
#[derive(Clone)]
pub struct Office {
    /// Where letters and replays are.
    pub ledger: Arc<dyn Ledger>,
    /// Within the pool's budgets.
    pub planner: Planner,
    /// Drives replays.
    pub drivers: Drivers,
    /// Whether letters may be edited: `dead_letters.edit`.
    pub edit: bool,
}

/// The state of the routes.
pub(super) struct Desk {
    token: SecretString,
    office: Option<Office>,
    draining: CancellationToken,
    pub(super) plans: Arc<Semaphore>,
    pub(super) big_bodies: Semaphore,
}

impl Desk {
    pub(super) fn new(operator: Operator, draining: CancellationToken) -> Self {
        Self {
            token: operator.token,
            office: operator.office,
            draining,
            plans: Arc::new(Semaphore::new(PLANS)),
            big_bodies: Semaphore::new(BIG_BODIES),
        }
    }

    pub(super) fn office(&self) -> Result<&Office, Problem> {
        self.office.as_ref().ok_or(Problem::NotHere)
    }

    pub(super) fn letters(&self) -> Result<&dyn Letters, Problem> {
        self.office().map(|office| office.ledger.letters())
    }

    /// For what goes on after the answer: a process that is ending begins nothing. Cancelled when it begins to end.
    pub(super) fn stays(&self) -> Result<&CancellationToken, Problem> {
        match self.draining.is_cancelled() {
            true => Err(Problem::Busy(
                "this process is ending: ask another one".to_owned(),
            )),
            false => Ok(&self.draining),
        }
    }
}

/// Lets nobody in without the token.
pub(super) async fn guard(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    match bears(request.headers(), Some(&desk.token)) {
        true => next.run(request).await,
        false => (
            StatusCode::UNAUTHORIZED,
            [(header::WWW_AUTHENTICATE, "Bearer")],
        )
            .into_response(),
    }
}

/// Who does it, as far as a body says so, and from where.
pub(super) struct By {
    pub(super) name: String,
    from: String,
}

impl By {
    pub(super) fn read(fields: &mut Fields, ConnectInfo(peer): ConnectInfo<SocketAddr>) -> Self {
        let name = fields.parsed("by", words(NAME));
        Self {
            name: name.unwrap_or_else(|| SOMEBODY.to_owned()),
            from: peer.ip().to_string(),
        }
    }

    /// A line of the audit.
    pub(super) fn entered(self, deed: Deed, what: Option<String>, why: Option<String>) -> Entered {
        Entered {
            deed,
            by: self.name,
            from: Some(self.from),
            why,
            what,
            result: None,
        }
    }
}

/// Why it is done, where that may be left out.
pub(super) fn because(fields: &mut Fields) -> Option<String> {
    fields.parsed("because", words(REASON))
}

/// Why it is done, where that has to be said.
pub(super) fn because_needed(fields: &mut Fields) -> Option<String> {
    fields.required("because", words(REASON))
}
