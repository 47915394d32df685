//! PagerDuty's REST API.

use secrecy::{ExposeSecret, SecretString};

use super::base_url::BaseUrl;
use super::reader::Reader;

/// Settings of PagerDuty's REST API.
#[derive(Debug, Clone)]
pub struct PagerDutyApi {
    /// The REST API key; or, written out as the header has it, `Token token=…` or `Bearer …`.
    pub api_token: SecretString,
    /// The e-mail address of the user in whose name notes are written.
    pub from_email: String,
    /// The address of the API.
    pub api_url: BaseUrl,
    /// How many requests a minute the whole pool may send, 1 to 1,000,000.
    pub requests_per_minute: u32,
}

impl PagerDutyApi {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let api_token = reader.secret("pagerduty.api_token");
        let api_token = api_token.filter(|token| {
            let fits = is_header(token.expose_secret());
            if !fits {
                let problem = "holds characters that a header cannot carry";
                reader.fault(
                    "pagerduty.api_token",
                    problem,
                    "write the key as PagerDuty shows it",
                );
            }
            fits
        });
        let from_email = reader.text("pagerduty.from_email");
        // Not shown: it names a person, or it is the token in the wrong place.
        if from_email.as_deref().is_some_and(|text| !is_email(text)) {
            let advice = "write the address with which a user of the account logs in";
            reader.fault("pagerduty.from_email", "is not an e-mail address", advice);
        }
        let api_url = reader.base_url("pagerduty.api_url");
        let requests_per_minute = reader.number("pagerduty.requests_per_minute", 1..=1_000_000);
        Some(Self {
            api_token: api_token?,
            from_email: from_email?,
            api_url: api_url?,
            requests_per_minute: requests_per_minute?,
        })
    }
}

/// Blanks are in what is written out as `Bearer …`.
fn is_header(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_graphic() || c == ' ')
}

/// As much as is certain: something, one `@`, something, and nothing that a header cannot carry.
fn is_email(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_graphic())
        && text
            .split_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_what_a_header_can_carry() {
        assert!(is_header("u+Key_1") && is_header("Bearer abc.def"));
        assert!(!is_header("schl\u{fc}ssel") && !is_header("one\u{a0}two"));
    }

    #[test]
    fn an_address_has_one_at_sign_with_something_on_both_sides() {
        assert!(is_email("on-call@example.com"));
        for text in [
            "on-call",
            "@example.com",
            "on-call@",
            "a@b@c",
            "on call@example.com",
        ] {
            assert!(!is_email(text), "{text}");
        }
    }
}
