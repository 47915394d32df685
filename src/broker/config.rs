//! How to reach the broker, and the addresses it is given as.

use std::fmt;
use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::Error;

/// Which connections a process needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Deliveries and their acks only.
    Consume,
    /// Publishes only: the ingress.
    Publish,
    /// Both, on a connection each.
    Both,
}

impl Role {
    /// Whether a connection for deliveries is kept.
    #[must_use]
    pub const fn consumes(self) -> bool {
        matches!(self, Self::Consume | Self::Both)
    }

    /// Whether a connection for publishes is kept.
    #[must_use]
    pub const fn publishes(self) -> bool {
        matches!(self, Self::Publish | Self::Both)
    }
}

/// The settings of this room.
#[derive(Clone, Debug)]
pub struct Config {
    /// The hosts of one broker or cluster, tried in turn. `amqp://` or `amqps://`.
    pub urls: Vec<SecretString>,
    /// What the connections are called in the broker's lists; `/consume` or `/publish` is added.
    pub connection_name: String,
    /// Asked of the broker, in whole seconds; a dead peer is noticed after about twice as long. Whatever the
    /// address says about it is overridden.
    pub heartbeat: Duration,
    /// How long to wait for a publisher confirm before the outcome counts as unknown. A quorum queue without
    /// its majority never answers.
    pub confirm_timeout: Duration,
    /// How long TCP, TLS and the AMQP handshake together may take.
    pub connect_timeout: Duration,
    /// How many publishes may be on their way at once: each has a channel of its own.
    pub publish_channels: usize,
    /// Which connections to keep.
    pub role: Role,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            urls: vec![SecretString::from("amqp://guest:guest@127.0.0.1:5672/%2f")],
            connection_name: "escalator".to_owned(),
            heartbeat: Duration::from_secs(10),
            confirm_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            publish_channels: 16,
            role: Role::Both,
        }
    }
}

/// One parsed address. Its `Debug` and `Display` show host, port and virtual host, never who logs in or how.
#[derive(Clone)]
pub(super) struct Endpoint(AMQPUri);

impl Endpoint {
    /// Parses every address of `config`.
    pub(super) fn all(config: &Config) -> Result<Vec<Self>, Error> {
        if config.urls.is_empty() {
            return Err(Error::NoAddress);
        }
        (1..)
            .zip(&config.urls)
            .map(|(position, url)| {
                Self::parse(url.expose_secret(), config.heartbeat)
                    .map_err(|fault| Error::Address { position, fault })
            })
            .collect()
    }

    fn parse(address: &str, heartbeat: Duration) -> Result<Self, String> {
        // The parsers' own error texts may quote the address, and with it the password.
        let url = Url::parse(address).map_err(|_| "it is not a URL".to_owned())?;
        if !matches!(url.scheme(), "amqp" | "amqps") {
            return Err("it must begin with amqp:// or amqps://".to_owned());
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err("it names no host".to_owned());
        }
        if url.path() == "/" {
            return Err(
                "it ends in '/', which names the empty virtual host: write /%2f for the default one"
                    .to_owned(),
            );
        }
        let mut uri: AMQPUri = address
            .parse()
            .map_err(|_| "its virtual host, user, password or options are malformed".to_owned())?;
        // The parser knows names only and would quietly put localhost in the place of an IPv6 address.
        if let Some(Host::Ipv6(host)) = url.host() {
            uri.authority.host = host.to_string();
        }
        if uri.vhost.len() > 255 {
            return Err("its virtual host is longer than 255 bytes".to_owned());
        }
        uri.query.heartbeat = Some(u16::try_from(heartbeat.as_secs().max(1)).unwrap_or(u16::MAX));
        Ok(Self(uri))
    }

    pub(super) fn uri(&self) -> AMQPUri {
        self.0.clone()
    }

    pub(super) fn user(&self) -> String {
        self.0.authority.userinfo.username.clone()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tls = match self.0.scheme {
            AMQPScheme::AMQP => "",
            AMQPScheme::AMQPS => " (TLS)",
        };
        let authority = &self.0.authority;
        write!(
            f,
            "{}:{} vhost '{}'{tls}",
            authority.host, authority.port, self.0.vhost
        )
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parse(url: &str) -> Result<Endpoint, Error> {
        let config = Config {
            urls: vec![SecretString::from(url)],
            ..Config::default()
        };
        Endpoint::all(&config).map(|mut all| all.remove(0))
    }

    #[test]
    fn a_password_shows_nowhere() {
        let url = "amqp://who:hunter2@broker:5672/esc";
        let endpoint = parse(url).unwrap();
        assert_eq!(endpoint.to_string(), "broker:5672 vhost 'esc'");
        let config = Config {
            urls: vec![SecretString::from(url)],
            ..Config::default()
        };
        for shown in [format!("{endpoint:?}"), format!("{config:?}")] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn a_faulty_address_is_refused_without_being_quoted() {
        for url in [
            "",
            "hunter2",
            "http://u:hunter2@h/",
            "amqp://u:hunter2@h/",
            "amqp://u:hunter2@h:hunter2/%2f",
            "amqp:u:hunter2@h",
            "amqp://u:hunter2@h/%2f?heartbeat=hunter2",
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error.code(), "broker_address", "{url}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn no_address_at_all_is_its_own_error() {
        let config = Config {
            urls: Vec::new(),
            ..Config::default()
        };
        assert_eq!(Endpoint::all(&config).unwrap_err(), Error::NoAddress);
    }

    #[test]
    fn the_heartbeat_is_ours_whatever_the_address_says() {
        let uri = parse("amqp://h/%2f?heartbeat=0").unwrap().uri();
        assert_eq!(uri.query.heartbeat, Some(10));
    }

    #[test]
    fn an_ipv6_host_stays_that_host() {
        let uri = parse("amqp://[2001:db8::7]:5673/%2f").unwrap().uri();
        assert_eq!(uri.authority.host, "2001:db8::7");
        assert_eq!(uri.authority.port, 5673);
    }
}
