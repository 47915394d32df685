//! Genesys Cloud.

use secrecy::SecretString;

use super::base_url::BaseUrl;
use super::faults::shown;
use super::reader::Reader;
use super::regions;
use crate::escalation::Contract;

const REGION: &str = "genesys.region";

/// Settings of Genesys Cloud.
#[derive(Debug, Clone)]
pub struct Genesys {
    /// The domain of the region, in lower case; where the address of the API is given, any domain.
    pub region: String,
    /// The address of the API.
    pub api_url: BaseUrl,
    /// The address that gives tokens.
    pub login_url: BaseUrl,
    /// The id of the OAuth client.
    pub client_id: String,
    /// The secret of the OAuth client.
    pub client_secret: SecretString,
    /// Which cobrowse contract is spoken.
    pub cobrowse_api: CobrowseApi,
    /// How many requests a minute the whole pool may send, 1 to 1,000,000.
    pub requests_per_minute: u32,
}

/// Which cobrowse contract is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CobrowseApi {
    /// This one.
    Set(Contract),
    /// The one that the other side is found to speak.
    Auto,
}

impl Genesys {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let region = reader
            .text(REGION)
            .and_then(|text| check_region(reader, &text));
        let api_url = reader.optional_base_url("genesys.api_url");
        let login_url = reader.optional_base_url("genesys.login_url");
        let client_id = reader.text("genesys.client_id");
        let client_secret = reader.secret("genesys.client_secret");
        let cobrowse_api = cobrowse_api(reader);
        let requests_per_minute = reader.number("genesys.requests_per_minute", 1..=1_000_000);
        let (region, api_url, login_url) = (region?, api_url?, login_url?);
        if api_url.is_none() && !regions::is_known(&region) {
            unknown_region(reader, &region);
            return None;
        }
        let of_region = |host: &str| BaseUrl::parse(&format!("https://{host}.{region}"));
        // One that points the API elsewhere points it at a proxy or a simulator, which must not see half of the
        // traffic: the credentials follow.
        let login_url = login_url.or_else(|| api_url.clone());
        let (Ok(api_url), Ok(login_url)) = (
            api_url.map_or_else(|| of_region("api"), Ok),
            login_url.map_or_else(|| of_region("login"), Ok),
        ) else {
            reader.fault(REGION, "makes no address", REGION_ADVICE);
            return None;
        };
        Some(Self {
            region,
            api_url,
            login_url,
            client_id: client_id?,
            client_secret: client_secret?,
            cobrowse_api: cobrowse_api?,
            requests_per_minute: requests_per_minute?,
        })
    }
}

fn cobrowse_api(reader: &mut Reader<'_>) -> Option<CobrowseApi> {
    const KEY: &str = "genesys.cobrowse_api";
    let text = reader.text(KEY)?;
    let contract = Contract::ALL.into_iter().find(|c| c.as_str() == text);
    match (contract, text.as_str()) {
        (Some(contract), _) => Some(CobrowseApi::Set(contract)),
        (None, "auto") => Some(CobrowseApi::Auto),
        (None, other) => {
            let advice = "write auto, conversation or sessions";
            reader.fault(KEY, format!("is {}", shown(other)), advice);
            None
        }
    }
}

const REGION_ADVICE: &str = "write the domain that stands behind apps. in the browser, as in mypurecloud.ie or usw2.pure.cloud";

fn check_region(reader: &mut Reader<'_>, text: &str) -> Option<String> {
    let region = text.to_ascii_lowercase();
    if let Some(domain) = regions::domain_of(&region) {
        let problem = format!("is {region}, the name of the AWS region");
        reader.fault(REGION, problem, format!("write its domain, {domain}"));
        return None;
    }
    if !is_domain(&region)
        || ["api.", "apps.", "login."]
            .iter()
            .any(|host| region.starts_with(host))
    {
        reader.fault(
            REGION,
            format!("is {}, not the domain of a region", shown(text)),
            REGION_ADVICE,
        );
        return None;
    }
    Some(region)
}

/// A slip of the pen in a region sends the credentials to whoever owns that domain; one that is newer than this program, or
/// private, is named by its addresses.
fn unknown_region(reader: &mut Reader<'_>, region: &str) {
    let advice = match regions::meant(region) {
        Some(domain) => format!("did you mean {domain}? For"),
        None => format!("{REGION_ADVICE}; for"),
    };
    reader.fault(
        REGION,
        format!(
            "is {}, which is no region that is known here",
            shown(region)
        ),
        format!("{advice} one that is newer, give genesys.api_url and genesys.login_url too"),
    );
}

/// Loosely: where the addresses are given, any domain will do.
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    text.contains('.') && text.len() < 200 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_domain_is_refused() {
        for text in [
            "ie",
            "https://mypurecloud.ie",
            "mypurecloud.ie/",
            "my purecloud.ie",
            "a..b",
            "-a.b",
            "a.b:80",
        ] {
            assert!(!is_domain(text), "{text}");
        }
    }
}
