//! The webhook receiver.

use std::net::SocketAddr;

use secrecy::SecretString;

use super::admin::bearer_token;
use super::reader::Reader;

pub(super) const WEBHOOK_SECRETS: &str = "pagerduty.webhook_secrets";

/// Settings of the webhook receiver.
#[derive(Debug, Clone)]
pub struct Ingress {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The bearer token of `POST /escalations`; without one there is no such route.
    pub token: Option<SecretString>,
    /// The signing secrets, of which any may match; at least one, and none is empty.
    pub webhook_secrets: Vec<SecretString>,
}

impl Ingress {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let listen = reader.socket("ingress.listen");
        let token = bearer_token(reader, "ingress.token");
        let secrets = reader.list(WEBHOOK_SECRETS);
        if secrets
            .iter()
            .flatten()
            .any(|secret| secret.len() < super::SHORT_SECRET)
        {
            reader.warn(WEBHOOK_SECRETS, super::short_secret());
        }
        Some(Self {
            listen: listen?,
            token: token?,
            webhook_secrets: secrets?.into_iter().map(SecretString::from).collect(),
        })
    }
}
