//! What a simulator is started with.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

/// The cobrowse contract that the simulated Genesys speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CobrowseApi {
    /// A session is created by itself and then attached to a conversation's media. Credentials in the form.
    Sessions,
    /// The published one: one call offers a session in a conversation. Credentials by HTTP Basic.
    Conversation,
}

/// Where the simulator listens, whom it lets in, and how slow it is.
#[derive(Clone)]
pub struct Config {
    /// Genesys, login host and API host in one; port 0 takes a free one.
    pub listen_genesys: SocketAddr,
    /// PagerDuty's REST API; port 0 takes a free one.
    pub listen_pagerduty: SocketAddr,
    /// The OAuth client that Genesys knows.
    pub client_id: String,
    /// Its secret; changed later with `set_secret`.
    pub client_secret: String,
    /// The account's API key at PagerDuty; changed later with `set_api_token`.
    pub api_token: String,
    /// The one user of the PagerDuty account, for the header `From`.
    pub from_email: String,
    /// What webhooks are signed with, as text and never decoded.
    pub webhook_secret: String,
    /// How long an access token of Genesys is good for. `expires_in` says it in whole seconds, rounded down.
    pub token_lifetime: Duration,
    /// Added to each answer, after the effect.
    pub latency: Duration,
    /// How long after its opening an incident's alerts have a body: for the first third the list is empty, then
    /// the alerts have no body, then they are whole.
    pub hydration: Duration,
    /// How long an attached session is missing in the conversation that it was attached to.
    pub media_visible_after: Duration,
    /// The contract that Genesys speaks.
    pub cobrowse_api: CobrowseApi,
    /// Under `conversation`: whether a conversation shows a session that nobody has joined.
    pub shows_offers: bool,
    /// Under `conversation`: whether a read has `state` at its top, which the published schema says it has not.
    pub shows_state: bool,
    /// Of ids and of faults with a share.
    pub seed: u64,
    /// How many notes one incident takes.
    pub note_limit: usize,
    /// Requests in any 60 seconds that Genesys takes before it answers 429; tokens do not count. `None`: no limit.
    pub genesys_per_minute: Option<u32>,
    /// The same for PagerDuty.
    pub pagerduty_per_minute: Option<u32>,
    /// Whether requests are kept whole, with headers and bodies, for [`captured`](super::Simulator::captured).
    pub capture: bool,
}

impl Default for Config {
    /// Free ports of this machine, credentials for demonstrations, and delays that a person does not notice.
    ///
    /// The seed is a fresh one, so that a ledger which outlives a simulator never meets the same incident twice;
    /// a test that wants to be repeated sets it and prints it.
    fn default() -> Self {
        let anywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self {
            listen_genesys: anywhere,
            listen_pagerduty: anywhere,
            client_id: "demo-client".to_owned(),
            client_secret: "demo-client-secret".to_owned(),
            api_token: "demo-api-token".to_owned(),
            from_email: "escalator@example.invalid".to_owned(),
            webhook_secret: "demo-webhook-secret".to_owned(),
            token_lifetime: Duration::from_secs(24 * 60 * 60),
            latency: Duration::from_millis(5),
            hydration: Duration::from_millis(150),
            media_visible_after: Duration::from_millis(20),
            cobrowse_api: CobrowseApi::Sessions,
            shows_offers: true,
            shows_state: false,
            seed: rand::random(),
            note_limit: 2000,
            genesys_per_minute: None,
            pagerduty_per_minute: None,
            capture: false,
        }
    }
}

impl fmt::Debug for Config {
    /// Without the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen_genesys", &self.listen_genesys)
            .field("listen_pagerduty", &self.listen_pagerduty)
            .field("client_id", &self.client_id)
            .field("from_email", &self.from_email)
            .field("token_lifetime", &self.token_lifetime)
            .field("latency", &self.latency)
            .field("hydration", &self.hydration)
            .field("media_visible_after", &self.media_visible_after)
            .field("cobrowse_api", &self.cobrowse_api)
            .field("shows_offers", &self.shows_offers)
            .field("shows_state", &self.shows_state)
            .field("seed", &self.seed)
            .field("note_limit", &self.note_limit)
            .field("genesys_per_minute", &self.genesys_per_minute)
            .field("pagerduty_per_minute", &self.pagerduty_per_minute)
            .field("capture", &self.capture)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_credential() {
        let config = Config::default();
        let shown = format!("{config:?}");
        for secret in [
            &config.client_secret,
            &config.api_token,
            &config.webhook_secret,
        ] {
            assert!(!shown.contains(secret.as_str()));
        }
    }
}
