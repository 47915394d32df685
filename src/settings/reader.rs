//! Reads settings one by one, and gathers every fault on the way instead of stopping at the first.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use secrecy::SecretString;

use super::base_url::BaseUrl;
use super::faults::{Fault, shown};
use super::layers::{Layers, Origin, Raw};
use super::reference;
use super::span::parse_span;
use super::suspicious;

/// No list of settings is longer than this.
const MOST_ITEMS: usize = 100;
/// No duration that is waited for is longer than this many days: about a month.
const LONGEST_WAIT_D: u64 = 30;
/// Nothing is kept for longer than this many days: ten years.
const LONGEST_KEPT_D: u64 = 3650;

/// What makes a value one that cannot be meant.
type Suspicion = fn(&str) -> Option<&'static str>;

/// Every method answers `None` after it has noted a fault. What may be left out answers `Some(None)` where it was.
pub(super) struct Reader<'a> {
    layers: Layers<'a>,
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(layers: Layers<'a>, faults: Vec<Fault>) -> Self {
        Self {
            layers,
            faults,
            warnings: Vec::new(),
        }
    }

    /// A text that has to be there.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        self.needed(key, suspicious::reason)
    }

    /// A secret that has to be there.
    pub(super) fn secret(&mut self, key: &str) -> Option<SecretString> {
        self.needed(key, suspicious::reason).map(SecretString::from)
    }

    /// A secret that may be left out.
    pub(super) fn optional_secret(&mut self, key: &str) -> Option<Option<SecretString>> {
        Some(self.one(key, suspicious::reason)?.map(SecretString::from))
    }

    /// An address with a password in it, as text.
    pub(super) fn secret_address(&mut self, key: &str) -> Option<String> {
        self.needed(key, suspicious::reason_in_address)
    }

    /// The base address of a vendor's API.
    pub(super) fn base_url(&mut self, key: &str) -> Option<BaseUrl> {
        let text = self.needed(key, suspicious::reason_in_address)?;
        self.as_base_url(key, &text)
    }

    /// The base address of a vendor's API, which may be left out.
    pub(super) fn optional_base_url(&mut self, key: &str) -> Option<Option<BaseUrl>> {
        match self.one(key, suspicious::reason_in_address)? {
            Some(text) => Some(Some(self.as_base_url(key, &text)?)),
            None => Some(None),
        }
    }

    /// The same, of something that is sent no credential.
    pub(super) fn optional_collector(&mut self, key: &str) -> Option<Option<BaseUrl>> {
        match self.one(key, suspicious::reason_in_address)? {
            Some(text) => Some(Some(self.without_credential(key, &text)?)),
            None => Some(None),
        }
    }

    fn as_base_url(&mut self, key: &str, text: &str) -> Option<BaseUrl> {
        let url = self.without_credential(key, text)?;
        self.warn_of_readers(key, &url);
        Some(url)
    }

    /// Warns of credentials that others can read.
    pub(super) fn warn_of_readers(&mut self, key: &str, url: &BaseUrl) {
        if url.is_open_to_readers() {
            self.warn(
                key,
                "is plain http to another machine: credentials go over the network unprotected",
            );
        }
    }

    fn without_credential(&mut self, key: &str, text: &str) -> Option<BaseUrl> {
        match BaseUrl::parse(text) {
            Ok(url) => Some(url),
            Err(problem) => {
                self.fault(
                    key,
                    problem,
                    "write an address such as https://api.example.com",
                );
                None
            }
        }
    }

    /// A duration above zero, of a month at most.
    pub(super) fn duration(&mut self, key: &str) -> Option<Duration> {
        self.duration_up_to(key, LONGEST_WAIT_D)
    }

    /// A duration above zero for which something is kept.
    pub(super) fn kept_for(&mut self, key: &str) -> Option<Duration> {
        self.duration_up_to(key, LONGEST_KEPT_D)
    }

    fn duration_up_to(&mut self, key: &str, days: u64) -> Option<Duration> {
        let longest = Duration::from_secs(days * 24 * 3600);
        let parse = |text: &str| {
            parse_span(text).filter(|duration| !duration.is_zero() && *duration <= longest)
        };
        let advice = format!(
            "write a duration above zero with its unit, as 500ms, 30s, 15m, 24h or 7d, of {days} days at most"
        );
        self.parsed(key, parse, &advice)
    }

    /// A whole number of a range.
    pub(super) fn number(&mut self, key: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let advice = format!(
            "write a whole number from {} to {}",
            range.start(),
            range.end()
        );
        self.parsed(
            key,
            |text| text.parse().ok().filter(|n| range.contains(n)),
            &advice,
        )
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        self.parsed(key, |text| text.parse().ok(), "write true or false")
    }

    /// An IP address with a port.
    pub(super) fn socket(&mut self, key: &str) -> Option<SocketAddr> {
        self.parsed(key, parse_socket, SOCKET_ADVICE)
    }

    /// An IP address with a port, or `off`.
    pub(super) fn socket_or_off(&mut self, key: &str) -> Option<Option<SocketAddr>> {
        let parse = |text: &str| match text {
            "off" => Some(None),
            _ => parse_socket(text).map(Some),
        };
        self.parsed(key, parse, &format!("{SOCKET_ADVICE}, or off"))
    }

    /// A value of any form. It is shown when it cannot be parsed, unless it is a secret.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        advice: &str,
    ) -> Option<T> {
        let text = self.needed(key, suspicious::reason)?;
        let value = parse(&text);
        if value.is_none() {
            let secret = self.layers.is_secret(key);
            let what = if secret {
                "is not valid".to_owned()
            } else {
                format!("is {}", shown(&text))
            };
            self.fault(key, what, advice);
        }
        value
    }

    /// A list with at least one entry.
    pub(super) fn list(&mut self, key: &str) -> Option<Vec<String>> {
        let items = self.items(key, suspicious::reason)?;
        self.require(key, items)
    }

    /// A list that may be empty.
    pub(super) fn optional_list(&mut self, key: &str) -> Option<Vec<String>> {
        self.items(key, suspicious::reason)
    }

    /// Whether the key has any value, good or bad.
    pub(super) fn is_given(&self, key: &str) -> bool {
        !matches!(self.layers.find(key), Ok((raw, _)) if raw.joined().is_empty())
    }

    /// Notes a fault of a key. `problem` must not repeat what may be a secret.
    pub(super) fn fault(&mut self, key: &str, problem: impl Display, advice: impl Display) {
        let origin = self
            .layers
            .find(key)
            .map_or(Origin::Default, |(_, origin)| origin);
        self.faults.push(Fault {
            subject: key.to_owned(),
            variable: Some(reference::variable(key)),
            found_in: self.layers.place(&origin),
            problem: problem.to_string(),
            advice: advice.to_string(),
        });
    }

    /// Notes something that is allowed and hardly meant.
    pub(super) fn warn(&mut self, key: &str, what: impl Display) {
        self.warnings
            .push(format!("{key} ({}) {what}", reference::variable(key)));
    }

    fn needed(&mut self, key: &str, suspicion: Suspicion) -> Option<String> {
        let value = self.one(key, suspicion)?;
        self.require_some(key, value)
    }

    fn require(&mut self, key: &str, items: Vec<String>) -> Option<Vec<String>> {
        self.require_some(key, (!items.is_empty()).then_some(items))
    }

    fn require_some<T>(&mut self, key: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            let origin = self.layers.find(key).map(|(_, origin)| origin);
            if matches!(origin, Ok(Origin::Default) | Err(_)) {
                let advice = format!("set it: {}", self.layers.describe(key));
                self.fault(
                    key,
                    "is required and has no value",
                    advice.trim_end_matches('.'),
                );
            } else {
                let has_default = self.layers.has_default(key);
                let advice = if has_default {
                    "give it a value, or leave it out altogether"
                } else {
                    "give it a value"
                };
                self.fault(key, "is empty", advice);
            }
        }
        value
    }

    /// One value; `Some(None)` where it is empty.
    fn one(&mut self, key: &str, suspicion: Suspicion) -> Option<Option<String>> {
        match self.raw(key, suspicion)? {
            Raw::One(text) if text.is_empty() => Some(None),
            Raw::One(text) => Some(Some(text)),
            Raw::Many(_) => {
                self.fault(key, "is a list", "write one value");
                None
            }
        }
    }

    fn items(&mut self, key: &str, suspicion: Suspicion) -> Option<Vec<String>> {
        let items: Vec<String> = match self.raw(key, suspicion)? {
            Raw::One(text) if text.is_empty() => Vec::new(),
            Raw::One(text) => text.split(',').map(|item| item.trim().to_owned()).collect(),
            Raw::Many(items) => items,
        };
        if items.iter().any(String::is_empty) {
            self.fault(
                key,
                "has an empty entry",
                "write one comma between two entries, none at the end",
            );
            return None;
        }
        if items.len() > MOST_ITEMS {
            self.fault(
                key,
                format!("has more than {MOST_ITEMS} entries"),
                "give fewer",
            );
            return None;
        }
        Some(items)
    }

    fn raw(&mut self, key: &str, suspicion: Suspicion) -> Option<Raw> {
        let raw = match self.layers.find(key) {
            Ok((raw, _)) => raw,
            Err((problem, advice)) => {
                self.fault(key, problem, advice);
                return None;
            }
        };
        let problem = match &raw {
            Raw::One(text) => suspicion(text),
            Raw::Many(items) => items.iter().find_map(|item| suspicion(item)),
        };
        match problem {
            Some(problem) => {
                self.fault(key, problem, "put the real value in its place");
                None
            }
            None => Some(raw),
        }
    }
}

const SOCKET_ADVICE: &str = "write an IP address with a port, as 127.0.0.1:8080 or 0.0.0.0:8080";

fn parse_socket(text: &str) -> Option<SocketAddr> {
    // The one name that means an address everywhere; any other would have to be resolved, and may have several.
    let text = text.replacen("localhost:", "127.0.0.1:", 1);
    text.parse().ok()
}
