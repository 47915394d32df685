//! Genesys Cloud.
//!
//! This file is the seam: what the worker can ask of Genesys, whichever contract the other side speaks. The contracts
//! themselves, paths and field names and what an answer means, are in [`sessions`] and [`conversation`].

mod call;
mod conversation;
pub(super) mod errors;
mod sessions;
mod speaks;
mod token;

use jiff::Timestamp;
use reqwest::Method;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

use self::speaks::Known;
pub use self::speaks::Speaks;
use self::token::{Credentials, Style, TokenCache};
use super::call::Vendor;
use super::call::{CallError, Operation};
use super::http::{self, Http};
use super::limits::{Admission, Budget, Limits, Priority};
use crate::escalation::{Contract, Conversation, ConversationId, Finding, SessionId, SessionLink};

/// Where Genesys is, and who we are there.
#[derive(Debug, Clone)]
pub struct GenesysConfig {
    /// Base of the API, e.g. `https://api.mypurecloud.ie/`.
    pub api_url: Url,
    /// Base of the login host, e.g. `https://login.mypurecloud.ie/`.
    pub login_url: Url,
    /// The contract that it speaks.
    pub speaks: Speaks,
    /// Whether a join code of the `conversation` contract is kept: only where it is to go into a note.
    pub keeps_codes: bool,
    /// The OAuth client's id.
    pub client_id: String,
    /// The OAuth client's secret.
    pub client_secret: SecretString,
    /// What the pool may ask with these credentials; without one nobody counts.
    pub budget: Option<Budget>,
}

/// A session that was just created.
#[derive(Debug, Clone)]
pub struct CreatedSession {
    /// Its id.
    pub id: SessionId,
    /// Under `sessions` its link, where the answer has one; under `conversation` its join code, where that is kept.
    pub link: Option<SessionLink>,
    /// Until when it is offered, where the answer says so.
    pub offer_ends: Option<Timestamp>,
}

/// A conversation that was read.
#[derive(Debug, Clone)]
pub struct ReadConversation {
    /// What it says.
    pub conversation: Conversation,
    /// By which contract it was understood.
    pub contract: Contract,
    /// By which one it looks as if it had been written, if by any.
    pub looks_like: Option<Contract>,
}

/// Calls to Genesys. Cheap to clone; clones share token and connections.
#[derive(Debug, Clone)]
pub struct Genesys {
    http: Http,
    api: Url,
    account: Arc<str>,
    keeps_codes: bool,
    known: Arc<Known>,
    tokens: Arc<TokenCache>,
    limits: Limits,
}

impl Genesys {
    /// Sets it up. Nothing is called yet.
    #[must_use]
    pub fn new(http: Http, config: GenesysConfig) -> Self {
        let set = match config.speaks {
            Speaks::Set(contract) => format!(", set to {contract}"),
            Speaks::Auto => String::new(),
        };
        let client = format!("{} at {}", config.client_id, config.api_url);
        let account = format!("{client}{set}");
        let limits = Limits::new(Vendor::Genesys, client, config.budget, &http);
        // As published first: its answer to a stranger is the clearer one.
        let published = (Style::Basic, config.login_url);
        let in_the_form = (Style::Form, config.api_url.clone());
        let ways = match config.speaks {
            Speaks::Set(Contract::Sessions) => vec![in_the_form],
            Speaks::Set(Contract::Conversation) => vec![published],
            Speaks::Auto => vec![published, in_the_form],
        };
        let ways = ways
            .into_iter()
            .map(|(style, host)| (style, http::url(&host, &["oauth", "token"])));
        let tokens = TokenCache::new(
            http.clone(),
            Credentials {
                ways: ways.collect(),
                client_id: config.client_id,
                client_secret: config.client_secret,
            },
            limits.clone(),
        );
        Self {
            http,
            api: config.api_url,
            account: account.into(),
            keeps_codes: config.keeps_codes,
            known: Arc::new(Known::new(config.speaks)),
            tokens: Arc::new(tokens),
            limits,
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
        if self.tokens.is_at_hand() {
            return Ok(());
        }
        // The login host has limits of its own, and a token is rarely asked for; but it may be what Genesys fails at.
        // A good token says nothing of the API, so that a probe is still to be made.
        let _admission = self.limits.enter()?;
        self.tokens.get().await.map(|_| ())
    }

    /// Waits until a request may be sent to Genesys; see [`accompanied`](super::accompanied).
    ///
    /// # Errors
    /// [`CallError`]; nothing was sent.
    pub async fn admit(&self, priority: Priority) -> Result<Admission, CallError> {
        self.limits.admit(priority).await
    }

    /// For how long nobody asks Genesys, not even to see whether it is back; `None`: it may be asked.
    #[must_use]
    pub fn shut_for(&self) -> Option<Duration> {
        self.limits.shut_for()
    }

    /// Under which name the ledger keeps the budget of its credential, where it has one.
    #[must_use]
    pub fn budget_account(&self) -> Option<&str> {
        self.limits.account()
    }

    /// This process ends: what it may still ask others may ask.
    pub async fn give_back(&self) {
        self.limits.give_back().await;
    }

    /// Under which name the ledger keeps what is found out about this Genesys: client id and address.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// How the contract is settled.
    #[must_use]
    pub fn speaks(&self) -> Speaks {
        self.known.speaks()
    }

    /// What is known of the other side under the contract in force; `None`: nothing yet.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        self.known.finding()
    }

    /// Takes over what all processes have agreed on.
    pub fn agree(&self, finding: Finding) {
        self.known.agree(finding);
    }

    /// Reads a conversation. Also the look-up twin of [`attach_media`](Self::attach_media) and of
    /// [`offer_session`](Self::offer_session). May be repeated.
    ///
    /// It is understood by `contract` if there is one, else by the contract in force, else by what it looks like.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Refused`] when there is no such conversation.
    pub async fn conversation(
        &self,
        id: &ConversationId,
        contract: Option<Contract>,
    ) -> Result<ReadConversation, CallError> {
        let url = http::url(&self.api, &["api", "v2", "conversations", id.as_str()]);
        let operation = Operation::ReadConversation;
        let reply = call::call(self, operation, Method::GET, url, None).await?;
        let looks_like = speaks::contract_of(&reply);
        let contract = contract
            .or_else(|| self.known.contract())
            .or(looks_like)
            .ok_or_else(|| CallError::unknown("the answer is not a conversation"))?;
        let conversation = match contract {
            Contract::Sessions => sessions::understand(&reply)?,
            Contract::Conversation => conversation::understand(&reply)?,
        };
        Ok(ReadConversation {
            conversation,
            contract,
            looks_like,
        })
    }

    /// `sessions`: creates a session. Not idempotent, and there is no way to look up whether one was created; a session
    /// that is attached to nothing is out of everybody's reach.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn create_session(&self) -> Result<CreatedSession, CallError> {
        sessions::create_session(self).await
    }

    /// `conversation`: offers a session in this conversation, which also attaches it. Not idempotent; the look-up twin is
    /// [`conversation`](Self::conversation), as far as this Genesys shows such sessions.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn offer_session(
        &self,
        conversation: &ConversationId,
    ) -> Result<CreatedSession, CallError> {
        conversation::offer_session(self, conversation).await
    }

    /// `sessions`: attaches a session to a conversation. Not idempotent; the look-up twin is
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

#[cfg(test)]
mod tests;
