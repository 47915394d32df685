//! The OAuth token: one per process, in memory only, fetched once for everybody who waits.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use url::Url;

use super::super::call::{CallError, Operation};
use super::super::heard;
use super::super::http::Http;
use super::super::lenient::Field;
use super::super::limits::{Gate, Limits};
use super::errors;
use crate::telemetry::carried;

/// A token is renewed this long before it ends, or a fifth of its life if that is shorter.
const RENEW_BEFORE: Duration = Duration::from_secs(60);
/// After a refusal the credentials are not tried again for this long; everybody hears the same answer meanwhile.
const REFUSAL_HOLDS: Duration = Duration::from_secs(10);
/// Genesys documents 5 minutes to 48 hours. What an answer without a lifetime gets.
const LIFETIME_DEFAULT: Duration = Duration::from_secs(300);
/// No token is kept for longer, whatever its answer says.
const LIFETIME_MAX: Duration = Duration::from_secs(48 * 3600);

/// How the credentials are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// HTTP Basic, as published.
    Basic,
    /// In the form.
    Form,
}

pub(super) struct Credentials {
    /// The ways to ask, best first. Where one is refused, the next is tried, once; the one that worked is asked first from
    /// then on.
    pub(super) ways: Vec<(Style, Url)>,
    pub(super) client_id: String,
    pub(super) client_secret: SecretString,
}

/// A token, and which one: 401 for an old token must not throw a new one away.
#[derive(Clone)]
pub(super) struct Token {
    secret: SecretString,
    serial: u64,
    renew_at: Instant,
}

impl Token {
    pub(super) fn secret(&self) -> &str {
        self.secret.expose_secret()
    }
}

pub(super) struct TokenCache {
    /// The login host's word is its own.
    closed: Gate,
    /// What a failure says of Genesys as a whole is said here: once, not by all who wait for the token.
    limits: Limits,
    http: Http,
    credentials: Credentials,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    serial: u64,
    /// Which way worked last.
    way: usize,
    failed: Option<Failed>,
}

/// The last fetch, if it failed.
struct Failed {
    at: Instant,
    /// Whoever comes before this time hears it too.
    holds_until: Instant,
    error: CallError,
}

impl std::fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenCache")
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    expires_in: Field<u64>,
}

/// How long a token is used.
fn life(expires_in: Field<u64>) -> Duration {
    let lifetime = expires_in.read().map(Duration::from_secs);
    let lifetime = lifetime.unwrap_or(LIFETIME_DEFAULT).min(LIFETIME_MAX);
    lifetime.saturating_sub(RENEW_BEFORE.min(lifetime / 5))
}

impl TokenCache {
    pub(super) fn new(http: Http, credentials: Credentials, limits: Limits) -> Self {
        Self {
            closed: Gate::default(),
            limits,
            http,
            credentials,
            state: Mutex::default(),
        }
    }

    /// Whether there is one that is good still.
    pub(super) fn is_at_hand(&self) -> bool {
        self.at_hand().is_some()
    }

    /// The token. Whoever comes while one is being fetched waits for that one, and hears its failure too: a hundred tasks
    /// that wait for a login host which hangs must not find that out one after the other. Cancel-safe: a fetch that nobody
    /// waits for any more is finished, and remembered, for the next.
    pub(super) async fn get(self: &Arc<Self>) -> Result<Token, CallError> {
        if let Some(token) = self.at_hand() {
            return Ok(token);
        }
        let (this, came) = (self.clone(), Instant::now());
        let fetching = heard::listening(async move { (this.wait_or_fetch(came).await, heard()) });
        let (fetched, by) = tokio::spawn(carried(fetching))
            .await
            .map_err(|error| CallError::NotSent(error.to_string()))?;
        heard::hear(by.as_deref());
        fetched
    }

    /// Nobody waits here while one is being fetched.
    fn at_hand(&self) -> Option<Token> {
        let state = self.state.try_lock().ok()?;
        let token = state.token.as_ref();
        token
            .filter(|token| Instant::now() < token.renew_at)
            .cloned()
    }

    async fn wait_or_fetch(&self, came: Instant) -> Result<Token, CallError> {
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if let Some(token) = state.token.as_ref().filter(|token| now < token.renew_at) {
            return Ok(token.clone());
        }
        if let Some(failed) = state
            .failed
            .as_ref()
            .filter(|f| came < f.at || now < f.holds_until)
        {
            return Err(failed.error.clone());
        }
        self.closed.pass()?;
        match self.fetch(&mut state.way).await {
            Ok(answer) => {
                state.serial += 1;
                let token = Token {
                    secret: answer.access_token.into(),
                    serial: state.serial,
                    renew_at: now + life(answer.expires_in),
                };
                state.token = Some(token.clone());
                state.failed = None;
                Ok(token)
            }
            Err(error) => {
                self.closed.heed(&error);
                self.limits.login_failed(&error);
                // From the answer on: the next question comes no sooner after it.
                let at = Instant::now();
                let refused = matches!(error, CallError::SetUp { .. });
                state.failed = Some(Failed {
                    at,
                    holds_until: if refused { at + REFUSAL_HOLDS } else { at },
                    error: error.clone(),
                });
                Err(error)
            }
        }
    }

    /// A new token after a 401. Of a hundred tasks that all got their 401 for the same token, one renews it.
    pub(super) async fn renewed(self: &Arc<Self>, rejected: &Token) -> Result<Token, CallError> {
        {
            let mut state = self.state.lock().await;
            if state
                .token
                .as_ref()
                .is_some_and(|t| t.serial == rejected.serial)
            {
                state.token = None;
            }
        }
        self.get().await
    }

    /// Asks in the way that worked last. Only a refusal makes it try another: a host that cannot be reached says nothing
    /// about what it would have said.
    async fn fetch(&self, way: &mut usize) -> Result<Answer, CallError> {
        let count = self.credentials.ways.len();
        let mut first_refusal = None;
        for at in (0..count).map(|step| (*way + step) % count.max(1)) {
            let Some((style, url)) = self.credentials.ways.get(at) else {
                break;
            };
            match self.ask(*style, url).await {
                Ok(answer) => {
                    *way = at;
                    return Ok(answer);
                }
                Err(refused @ CallError::SetUp { .. }) => {
                    first_refusal.get_or_insert(refused);
                }
                // The first one has refused, and what the second would say is not known: the refusal is what a person
                // needs to read, unless the second asks for patience.
                Err(other) => match first_refusal {
                    Some(refused)
                        if !matches!(
                            other,
                            CallError::Throttled { .. } | CallError::Waits { .. }
                        ) =>
                    {
                        return Err(refused);
                    }
                    Some(_) | None => return Err(other),
                },
            }
        }
        Err(first_refusal.unwrap_or_else(|| CallError::NotSent("no way to ask".to_owned())))
    }

    async fn ask(&self, style: Style, url: &Url) -> Result<Answer, CallError> {
        let (id, secret) = (
            self.credentials.client_id.as_str(),
            self.credentials.client_secret.expose_secret(),
        );
        let request = self
            .http
            .client()
            .post(url.clone())
            .header("accept", "application/json");
        let grant = ("grant_type", "client_credentials");
        let request = match style {
            Style::Basic => request.basic_auth(id, Some(secret)).form(&[grant]),
            Style::Form => request.form(&[grant, ("client_id", id), ("client_secret", secret)]),
        };
        let reply = self
            .http
            .send(Operation::Token, request, errors::CORRELATION)
            .await?;
        if reply.status.is_success() {
            reply.json()
        } else {
            Err(errors::failure(Operation::Token, &reply))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    fn renewed_after(expires_in: &Value) -> u64 {
        let answer = json!({"access_token": "t", "expires_in": expires_in});
        let answer: Answer = serde_json::from_value(answer).unwrap();
        life(answer.expires_in).as_secs()
    }

    #[test]
    fn a_token_is_renewed_before_its_end_and_kept_for_two_days_at_most() {
        for (expires_in, renewed) in [
            (json!(86_400), 86_340),
            (json!(100), 80),
            (json!(0), 0),
            (json!(172_800), 172_740),
            (json!(u64::MAX), 172_740),
            (json!(null), 240),
            (json!("86400"), 240),
            (json!(-1), 240),
        ] {
            assert_eq!(renewed_after(&expires_in), renewed, "{expires_in}");
        }
        // What made the clock overflow.
        assert!(
            Instant::now()
                .checked_add(Duration::from_secs(u64::MAX))
                .is_none()
        );
    }
}
