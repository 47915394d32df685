//! Which header a credential goes into: an API key, of an account or of a user, as `Token token=KEY`; an OAuth token as
//! `Bearer TOKEN`. The two cannot be told apart by their looks, so whoever has a token writes `Bearer` before it.

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const KEY: &str = "Token token=";
const BEARER: &str = "Bearer ";

/// The value of `Authorization`, marked as one that is not to be shown.
pub(super) fn header(credential: &SecretString) -> HeaderValue {
    let written = credential.expose_secret();
    let value = if written.starts_with(KEY) || is_bearer(credential) {
        HeaderValue::from_str(written)
    } else {
        HeaderValue::from_str(&format!("{KEY}{written}"))
    };
    // The settings refuse what a header cannot carry; without a credential PagerDuty would say so.
    let mut value = value.unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// By what processes that use the same credential know that they do: it says nothing about it to anybody else.
pub(super) fn nameless(credential: &SecretString) -> String {
    let digest = Sha256::digest(credential.expose_secret().as_bytes());
    let start = digest.iter().take(8);
    start.map(|byte| format!("{byte:02x}")).collect()
}

/// Whether it is an OAuth token, which ends by itself; a key does not.
pub(super) fn is_bearer(credential: &SecretString) -> bool {
    let start = credential.expose_secret().get(..BEARER.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(BEARER))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sent(credential: &str) -> String {
        header(&credential.into()).to_str().unwrap().to_owned()
    }

    #[test]
    fn a_key_gets_its_scheme_and_what_has_one_is_taken_as_written() {
        assert_eq!(sent("u+Key_1"), "Token token=u+Key_1");
        assert_eq!(sent("Token token=u+Key_1"), "Token token=u+Key_1");
        assert_eq!(sent("Bearer abc.def"), "Bearer abc.def");
        assert_eq!(sent("bearer abc.def"), "bearer abc.def");
        assert_eq!(sent("Bearerabc"), "Token token=Bearerabc");
        assert_eq!(sent("Bear"), "Token token=Bear");
    }

    #[test]
    fn the_header_does_not_show_itself() {
        assert!(!format!("{:?}", header(&"u+Key_1".into())).contains("Key_1"));
    }
}
