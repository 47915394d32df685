//! The OAuth token: one per process, in memory only, fetched once for everybody who waits.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use url::Url;

use super::super::call::{CallError, Operation};
use super::super::http::Http;
use super::errors;

/// A token is renewed this long before it ends, or a fifth of its life if that is shorter.
const RENEW_BEFORE: Duration = Duration::from_secs(60);
/// After a refusal the credentials are not tried again for this long; everybody hears the same answer meanwhile.
const REFUSAL_HOLDS: Duration = Duration::from_secs(10);
/// Genesys documents 5 minutes to 48 hours. What an answer without a lifetime gets.
const LIFETIME_DEFAULT: Duration = Duration::from_secs(300);

pub(super) struct Credentials {
    pub(super) url: Url,
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
    http: Http,
    credentials: Credentials,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    serial: u64,
    refused: Option<(Instant, CallError)>,
}

impl std::fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenCache")
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<u64>,
}

impl TokenCache {
    pub(super) fn new(http: Http, credentials: Credentials) -> Self {
        Self {
            http,
            credentials,
            state: Mutex::default(),
        }
    }

    /// The token. Whoever comes while one is being fetched waits for that one: the lock is held over the request.
    pub(super) async fn get(&self) -> Result<Token, CallError> {
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if let Some(token) = state.token.as_ref().filter(|token| now < token.renew_at) {
            return Ok(token.clone());
        }
        if let Some((until, error)) = state.refused.as_ref().filter(|(until, _)| now < *until) {
            tracing::trace!(?until, "still refused");
            return Err(error.clone());
        }
        match self.fetch().await {
            Ok(answer) => {
                let lifetime = answer
                    .expires_in
                    .map_or(LIFETIME_DEFAULT, Duration::from_secs);
                let life = lifetime.saturating_sub(RENEW_BEFORE.min(lifetime / 5));
                state.serial += 1;
                let token = Token {
                    secret: answer.access_token.into(),
                    serial: state.serial,
                    renew_at: now + life,
                };
                state.token = Some(token.clone());
                state.refused = None;
                Ok(token)
            }
            Err(error) => {
                if matches!(error, CallError::SetUp { .. }) {
                    // From the answer on: the next question comes no sooner after it.
                    state.refused = Some((Instant::now() + REFUSAL_HOLDS, error.clone()));
                }
                Err(error)
            }
        }
    }

    /// A new token after a 401. Of a hundred tasks that all got their 401 for the same token, one renews it.
    pub(super) async fn renewed(&self, rejected: &Token) -> Result<Token, CallError> {
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

    async fn fetch(&self) -> Result<Answer, CallError> {
        let request = self
            .http
            .client()
            .post(self.credentials.url.clone())
            .header("accept", "application/json")
            .form(&[
                ("grant_type", "client_credentials"),
                ("client_id", &self.credentials.client_id),
                (
                    "client_secret",
                    self.credentials.client_secret.expose_secret(),
                ),
            ]);
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
