//! Genesys Cloud.
//!
//! This file is the seam: what the worker can ask of Genesys, whichever contract the other side speaks. The contract
//! itself, paths and field names and what an answer means, is in [`sessions`].

mod errors;
mod sessions;
mod token;

use secrecy::SecretString;
use std::sync::Arc;
use url::Url;

use self::token::{Credentials, TokenCache};
use super::call::CallError;
use super::gate::Gate;
use super::http::Http;
use crate::escalation::{Conversation, ConversationId, SessionId, SessionLink};

/// Where Genesys is, and who we are there.
#[derive(Debug, Clone)]
pub struct GenesysConfig {
    /// Base of the API, e.g. `https://api.mypurecloud.ie/`.
    pub api_url: Url,
    /// The OAuth client's id.
    pub client_id: String,
    /// The OAuth client's secret.
    pub client_secret: SecretString,
}

/// A session that was just created.
#[derive(Debug, Clone)]
pub struct CreatedSession {
    /// Its id.
    pub id: SessionId,
    /// Its link, where the answer has one.
    pub link: Option<SessionLink>,
}

/// Calls to Genesys. Cheap to clone; clones share token and connections.
#[derive(Debug, Clone)]
pub struct Genesys {
    http: Http,
    api: Url,
    tokens: Arc<TokenCache>,
    gate: Arc<Gate>,
}

impl Genesys {
    /// Sets it up. Nothing is called yet.
    #[must_use]
    pub fn new(http: Http, config: GenesysConfig) -> Self {
        let tokens = TokenCache::new(
            http.clone(),
            Credentials {
                url: sessions::token_url(&config.api_url),
                client_id: config.client_id,
                client_secret: config.client_secret,
            },
        );
        Self {
            http,
            api: config.api_url,
            tokens: Arc::new(tokens),
            gate: Arc::default(),
        }
    }

    /// Base of the API.
    #[must_use]
    pub fn at(&self) -> &Url {
        &self.api
    }

    /// Sees to it that there is a valid token. All tasks that wait for one share a single request.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::SetUp`] when Genesys does not accept the credentials.
    pub async fn ensure_token(&self) -> Result<(), CallError> {
        self.tokens.get().await.map(|_| ())
    }

    /// Reads a conversation. Also the look-up twin of [`attach_media`](Self::attach_media). May be repeated.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Refused`] when there is no such conversation.
    pub async fn conversation(&self, id: &ConversationId) -> Result<Conversation, CallError> {
        sessions::read_conversation(self, id).await
    }

    /// Creates a session. Not idempotent, and there is no way to look up whether one was created; a session that is
    /// attached to nothing is out of everybody's reach.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn create_session(&self) -> Result<CreatedSession, CallError> {
        sessions::create_session(self).await
    }

    /// Attaches a session to a conversation. Not idempotent; the look-up twin is
    /// [`conversation`](Self::conversation).
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn attach_media(
        &self,
        conversation: &ConversationId,
        session: &SessionId,
    ) -> Result<(), CallError> {
        sessions::attach_media(self, conversation, session).await
    }
}
