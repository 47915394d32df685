//! Where the broker is.

use secrecy::SecretString;
use url::Url;

use super::base_url::is_loopback;
use super::reader::Reader;

const KEY: &str = "amqp.url";
const ADVICE: &str =
    "write it as amqps://user:password@host:5671/%2f, special characters of the password as %XX";
const MOST_HOSTS: usize = 16;

/// Settings of the broker connection.
#[derive(Debug, Clone)]
pub struct Amqp {
    /// One address for each node of the cluster, in the order in which they are tried; at least one.
    pub urls: Vec<SecretString>,
}

impl Amqp {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.secret_address(KEY)?;
        let urls = each_host(&text);
        if urls.len() > MOST_HOSTS {
            reader.fault(
                KEY,
                format!("names more than {MOST_HOSTS} hosts"),
                "name fewer",
            );
            return None;
        }
        for url in &urls {
            match check(url) {
                Ok(parsed) => advise(reader, &parsed),
                Err(problem) => {
                    reader.fault(KEY, problem, ADVICE);
                    return None;
                }
            }
        }
        Some(Self {
            urls: urls.into_iter().map(SecretString::from).collect(),
        })
    }
}

/// Takes `amqp://one/v,amqp://two/v` apart, and `amqp://user:password@one,two:5671/v` too.
fn each_host(text: &str) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    for piece in text.split(',') {
        match urls.last_mut() {
            Some(url) if !piece.trim_start().starts_with("amqp") || !piece.contains("://") => {
                url.push(',');
                url.push_str(piece.trim());
            }
            _ => urls.push(piece.trim().to_owned()),
        }
    }
    urls.iter()
        .flat_map(|url| one_address_a_host(url))
        .collect()
}

fn one_address_a_host(url: &str) -> Vec<String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return vec![url.to_owned()];
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), authority),
    };
    hosts
        .split(',')
        .map(|host| format!("{scheme}://{user}{}{path}", host.trim()))
        .collect()
}

/// Refuses what the AMQP client would silently take for something else. No problem repeats a part of the address.
fn check(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "is not an address")?;
    if !matches!(url.scheme(), "amqp" | "amqps") {
        return Err("is neither amqp:// nor amqps://".to_owned());
    }
    match url.host() {
        Some(url::Host::Domain(host)) if !host.is_empty() => {}
        // The client would connect to localhost instead.
        Some(url::Host::Ipv6(_)) => {
            return Err("has an IPv6 address, where the client needs a host name".to_owned());
        }
        Some(url::Host::Domain(_) | url::Host::Ipv4(_)) | None => {
            return Err("has no host".to_owned());
        }
    }
    // The client would use guest's.
    if !url.username().is_empty() && url.password().is_none_or(str::is_empty) {
        return Err("has a user without a password".to_owned());
    }
    match url.path() {
        "/" => return Err("ends in a slash, which means a virtual host without a name".to_owned()),
        path if path.get(1..).is_some_and(|vhost| vhost.contains('/')) => {
            return Err("has more than one slash in its path (within the name of a virtual host, write %2f)".to_owned());
        }
        _ => {}
    }
    if url.fragment().is_some() {
        return Err("has a # in it (in a password, write %23)".to_owned());
    }
    for (name, value) in url.query_pairs() {
        let number = || value.parse::<u16>().is_ok();
        let fine = match name.as_ref() {
            "heartbeat" | "channel_max" => number(),
            "frame_max" | "connection_timeout" => value.parse::<u32>().is_ok(),
            _ => false,
        };
        if !fine {
            return Err(
                "has an option that is none of heartbeat, channel_max, frame_max and connection_timeout with a number"
                    .to_owned(),
            );
        }
    }
    Ok(url)
}

fn advise(reader: &mut Reader<'_>, url: &Url) {
    if is_loopback(url.host()) {
        return;
    }
    if url.scheme() == "amqp" {
        reader.warn(
            KEY,
            "is plain amqp to another machine: the password goes over the network unprotected",
        );
    }
    if matches!(url.username(), "" | "guest") {
        reader.warn(
            KEY,
            "uses the user guest, whom RabbitMQ refuses from other machines unless told otherwise",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_hosts_share_user_and_virtual_host_or_have_their_own() {
        assert_eq!(
            each_host("amqps://me:hush@one, two:5671,three/%2f?heartbeat=10"),
            [
                "amqps://me:hush@one/%2f?heartbeat=10",
                "amqps://me:hush@two:5671/%2f?heartbeat=10",
                "amqps://me:hush@three/%2f?heartbeat=10",
            ]
        );
        assert_eq!(
            each_host("amqp://a:b@one/x,amqps://c:d@two,amqp-2/y"),
            [
                "amqp://a:b@one/x",
                "amqps://c:d@two/y",
                "amqps://c:d@amqp-2/y"
            ]
        );
        assert_eq!(each_host("amqp://127.0.0.1"), ["amqp://127.0.0.1"]);
    }

    #[test]
    fn good_addresses_pass() {
        for text in [
            "amqp://guest:guest@127.0.0.1:5672/%2f",
            "amqp://broker",
            "amqps://me:hush@broker.example.com:5671/escalations?heartbeat=20&connection_timeout=1000",
            "amqp://me:hush@broker/%2f",
        ] {
            assert!(check(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_the_client_would_misread_is_refused_without_repeating_it() {
        for text in [
            "broker:5672",
            "http://hush@broker",
            "amqp://",
            "amqp://me:hush@",
            "amqp://[::1]/%2f",
            "amqp://hush@broker/%2f",
            "amqp://hush:@broker/%2f",
            "amqp://me:hush@broker/",
            "amqp://me:hush@broker/a/b",
            "amqp://me:hush@broker//",
            "amqp://me:hu#sh@broker/%2f",
            "amqp://me:hush@broker/%2f?heartbeats=10",
            "amqp://me:hush@broker/%2f?heartbeat=hush",
        ] {
            let problem = check(text).err();
            assert!(
                problem.as_ref().is_some_and(|p| !p.contains("hush")),
                "{text}: {problem:?}"
            );
        }
    }
}
