//! `X-PagerDuty-Signature`: HMAC-SHA256 over the raw body, `v1=` and lower-case hex, several separated by commas while
//! a secret is rotated. Valid if any of them was made with any of our secrets. There is no time in it, so a replay is
//! told from a delivery by nothing; that is what the ledger's keys are for.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The header's name.
pub(super) const HEADER: &str = "x-pagerduty-signature";

/// More signatures than this are not looked at: each costs a comparison with every secret.
const MAX_SIGNATURES: usize = 20;

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No header, or nothing in it that could be a signature of a version we know.
    Malformed,
    /// None of the signatures matches.
    NoMatch,
}

/// The signatures of version 1 in these header values.
pub(super) fn signatures<'a>(
    values: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<[u8; 32]>, Refusal> {
    let found: Vec<[u8; 32]> = values
        .flat_map(|value| value.split(|byte| *byte == b','))
        .filter_map(|entry| entry.trim_ascii().strip_prefix(b"v1="))
        .filter_map(|digits| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(digits, &mut bytes)
                .ok()
                .map(|()| bytes)
        })
        .take(MAX_SIGNATURES)
        .collect();
    if found.is_empty() {
        Err(Refusal::Malformed)
    } else {
        Ok(found)
    }
}

/// Whether any of the signatures was made over this body with any of the secrets. Constant time.
pub(super) fn verify(
    signatures: &[[u8; 32]],
    body: &[u8],
    secrets: &[SecretString],
) -> Result<(), Refusal> {
    let mut valid = false;
    for secret in secrets {
        // The secret looks like Base64 and is used as the text that it is. HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
            continue;
        };
        mac.update(body);
        for signature in signatures {
            valid |= mac.clone().verify_slice(signature).is_ok();
        }
    }
    if valid { Ok(()) } else { Err(Refusal::NoMatch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made with: printf '%s' '{"event":{"id":"01EXAMPLE"}}' | openssl dgst -sha256 -hmac 'a-webhook-secret'
    const SECRET: &str = "a-webhook-secret";
    const BODY: &[u8] = br#"{"event":{"id":"01EXAMPLE"}}"#;
    const SIGNATURE: &str = "5c67b3997787c061ba57eb3a9a61ccec6e9aad1df8c9835b9e46af267796c23c";

    fn check(header: &str, secrets: &[&str], body: &[u8]) -> Result<(), Refusal> {
        let secrets: Vec<SecretString> = secrets.iter().map(|s| SecretString::from(*s)).collect();
        signatures(std::iter::once(header.as_bytes())).and_then(|s| verify(&s, body, &secrets))
    }

    #[test]
    fn a_signature_made_elsewhere_is_accepted() {
        assert_eq!(check(&format!("v1={SIGNATURE}"), &[SECRET], BODY), Ok(()));
    }

    #[test]
    fn any_signature_and_any_secret_will_do() {
        let other = "0".repeat(64);
        for header in [
            format!("v1={other},v1={SIGNATURE}"),
            format!("v1={SIGNATURE},v1={other}"),
            format!("v2=deadbeef, v1={SIGNATURE}"),
            format!("v1=zz,v1={SIGNATURE}"),
        ] {
            assert_eq!(
                check(&header, &["another", SECRET], BODY),
                Ok(()),
                "{header}"
            );
        }
    }

    #[test]
    fn a_changed_body_or_an_unknown_secret_does_not_match() {
        let header = format!("v1={SIGNATURE}");
        assert_eq!(check(&header, &[SECRET], b"{}"), Err(Refusal::NoMatch));
        assert_eq!(check(&header, &[SECRET], b""), Err(Refusal::NoMatch));
        assert_eq!(check(&header, &["another"], BODY), Err(Refusal::NoMatch));
        assert_eq!(check(&header, &[], BODY), Err(Refusal::NoMatch));
    }

    #[test]
    fn what_cannot_be_a_signature_is_malformed() {
        for header in ["", ",", "v1=", "v1=abc", "v2=00", SIGNATURE, "V1=00"] {
            assert_eq!(
                check(header, &[SECRET], BODY),
                Err(Refusal::Malformed),
                "{header:?}"
            );
        }
        assert_eq!(signatures(std::iter::empty()), Err(Refusal::Malformed));
    }
}
