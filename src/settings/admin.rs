//! The listener for operators.

use std::net::SocketAddr;

use secrecy::{ExposeSecret, SecretString};

use super::reader::Reader;

/// Settings of the admin listener.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Where it listens; none where it is off.
    pub listen: Option<SocketAddr>,
    /// The bearer token for everything but metrics and health. Never none on an address that others can reach.
    pub token: Option<SecretString>,
}

impl Admin {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let listen = reader.socket_or_off("admin.listen");
        let token = bearer_token(reader, "admin.token");
        if let (Some(Some(address)), Some(None)) = (listen, &token)
            && !address.ip().is_loopback()
        {
            let problem =
                format!("is needed, since admin.listen is {address}, which others can reach");
            reader.fault(
                "admin.token",
                problem,
                "set it, or let admin.listen be on 127.0.0.1",
            );
        }
        Some(Self {
            listen: listen?,
            token: token?,
        })
    }
}

/// A token that callers send in an `Authorization` header.
pub(super) fn bearer_token(reader: &mut Reader<'_>, key: &str) -> Option<Option<SecretString>> {
    let token = reader.optional_secret(key)?;
    if let Some(token) = &token {
        let text = token.expose_secret();
        if !text.chars().all(|c| c.is_ascii_graphic()) {
            reader.fault(
                key,
                "cannot be sent in a header",
                "use letters, digits and signs of ASCII, no spaces",
            );
            return None;
        }
        if text.len() < super::SHORT_SECRET {
            reader.warn(key, super::short_secret());
        }
    }
    Some(token)
}
