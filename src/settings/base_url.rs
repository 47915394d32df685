//! The address of a vendor's API.

use std::fmt;

use url::{Host, Url};

/// The base of an HTTP API: `http` or `https`, a host, perhaps a port and a path; no user, no query, and never a
/// slash at its end, so that a path can be put behind it as it stands in the vendor's documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Reads a base address.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words that do not repeat it: an address with a password may stand here by mistake.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "is not an address")?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("is neither http:// nor https://");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("holds a user or a password, which have no place in it");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("has a query or a fragment, which a base address has not");
        }
        Ok(Self(url))
    }

    /// The address without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The host, as it stands in the address.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether requests to it cross a network that others can read.
    pub(super) fn is_open_to_readers(&self) -> bool {
        self.0.scheme() == "http" && !is_loopback(self.0.host())
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether that host is this machine.
pub(super) fn is_loopback(host: Option<Host<&str>>) -> bool {
    match host {
        // In schemes that the URL standard does not know, an IPv4 address arrives as a name.
        Some(Host::Domain(name)) => {
            name.eq_ignore_ascii_case("localhost")
                || name
                    .parse::<std::net::Ipv4Addr>()
                    .is_ok_and(|address| address.is_loopback())
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_slash_at_the_end_makes_no_difference() {
        for text in [
            "https://api.example.com",
            "https://api.example.com/",
            "HTTPS://API.example.com//",
        ] {
            assert_eq!(
                BaseUrl::parse(text).unwrap().as_str(),
                "https://api.example.com"
            );
        }
        assert_eq!(
            BaseUrl::parse("http://127.0.0.1:80/genesys/")
                .unwrap()
                .to_string(),
            "http://127.0.0.1/genesys"
        );
    }

    #[test]
    fn what_is_no_base_address_is_refused_without_repeating_it() {
        for text in [
            "api.example.com",
            "ftp://hush.example.com",
            "https://hush:hush@api.example.com",
            "https://hush@api.example.com",
            "https://api.example.com?hush=1",
            "https://api.example.com#hush",
            "https://",
        ] {
            let problem = BaseUrl::parse(text).unwrap_err();
            assert!(!problem.contains("hush"), "{problem}");
        }
    }

    #[test]
    fn only_plain_http_to_another_machine_is_open_to_readers() {
        let open = |text| BaseUrl::parse(text).unwrap().is_open_to_readers();
        assert!(open("http://api.example.com"));
        assert!(open("http://10.0.0.1"));
        for text in [
            "https://api.example.com",
            "http://localhost:1",
            "http://127.0.0.2",
            "http://[::1]:1",
        ] {
            assert!(!open(text), "{text}");
        }
    }
}
