//! The address of a PostgreSQL server.

use url::Url;

use super::SSL_MODES;
use crate::settings::base_url::is_loopback;

/// Refuses what a client would refuse at its first connection, or silently take for something else. A success may come
/// with a warning.
pub(super) fn check(text: &str, url: &Url) -> Result<Option<&'static str>, String> {
    let host = url.host_str().unwrap_or_default();
    if host.is_empty() {
        return Err("has no host".to_owned());
    }
    if host.contains(',') {
        return Err("names several hosts, where one has to answer for all workers".to_owned());
    }
    if host.contains('%') {
        return Err("has an escape in its host (a socket's path cannot stand there)".to_owned());
    }
    if url.port() == Some(0) {
        return Err("has the port 0".to_owned());
    }
    // A client would take the account that the program happens to run as.
    if url.username().is_empty() {
        return Err("names no user".to_owned());
    }
    let authority = text.split("://").nth(1).unwrap_or_default();
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    // Clients do not agree on which of them ends the password.
    if authority.matches('@').count() > 1 {
        return Err("has more than one @ (in a password, write %40)".to_owned());
    }
    let user = authority.split('@').next().unwrap_or_default();
    if matches!(user.split_once(':'), Some((_, ""))) {
        return Err("has an empty password".to_owned());
    }
    match url.path().strip_prefix('/') {
        None | Some("") => return Err("names no database".to_owned()),
        Some(name) if name.contains('/') => {
            return Err("has more than one slash in its path".to_owned());
        }
        Some(_) => {}
    }
    if url.fragment().is_some() {
        return Err("has a # in it (in a password, write %23)".to_owned());
    }
    if !escapes_are_whole(text) {
        return Err(
            "has a % that begins no escape of two hexadecimal digits (in a password, write %25)"
                .to_owned(),
        );
    }
    let mode = ssl_mode(url)?;
    Ok(advice(url, mode))
}

/// The one option that there is.
fn ssl_mode(url: &Url) -> Result<Option<&'static str>, String> {
    // A password with a question mark makes an option of its rest, and only then is there an @: nothing is named here.
    if url.query().is_some_and(|query| query.contains('@')) {
        return Err("has an @ behind a question mark (in a password, write %3F)".to_owned());
    }
    let mut found = None;
    for (name, value) in url.query_pairs() {
        if name != "sslmode" {
            // As all that PostgreSQL has are spelt, and hardly any password.
            let plain = |c: char| c.is_ascii_lowercase() || c == '_';
            let named = !name.is_empty() && name.len() <= 40 && name.chars().all(plain);
            let option = if named {
                name.as_ref()
            } else {
                "with an unusual name"
            };
            return Err(format!(
                "has an option, {option}, where only sslmode may stand"
            ));
        }
        let Some(mode) = SSL_MODES.into_iter().find(|mode| *mode == value) else {
            return Err(format!(
                "has an sslmode that is none of {}",
                SSL_MODES.join(", ")
            ));
        };
        if found.replace(mode).is_some() {
            return Err("has the option sslmode twice".to_owned());
        }
    }
    Ok(found)
}

/// Whether each `%` begins an escape, and none stands for the byte 0, which PostgreSQL takes for the end of the text.
fn escapes_are_whole(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let digits = rest.get(..2).unwrap_or_default();
        digits.len() == 2 && digits.chars().all(|c| c.is_ascii_hexdigit()) && digits != "00"
    })
}

fn advice(url: &Url, mode: Option<&'static str>) -> Option<&'static str> {
    if is_loopback(url.host()) {
        return None;
    }
    match mode {
        None | Some("disable" | "prefer") => Some(
            "does not insist on TLS to another machine (sslmode=verify-full does): whoever is on the network between may read the ledger",
        ),
        Some("require") => Some(
            "has TLS without looking whose certificate it is (sslmode=verify-full does): whoever is on the network between may pass for the server",
        ),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn checked(text: &str) -> Result<Option<&'static str>, String> {
        check(text, &Url::parse(text).map_err(|_| "is not an address")?)
    }

    #[test]
    fn good_addresses_pass() {
        for text in [
            "postgres://me:hush@db.example.com:5433/escalator?sslmode=verify-full",
            "postgresql://me:hush@db/escalator?sslmode=verify-ca",
            "postgres://me:hu%40%2F%3F%23%25sh@127.0.0.1/escalator",
            "postgres://me:hu:sh@[::1]:5432/escalator",
            "postgres://me@localhost/my%20ledger?sslmode=disable",
        ] {
            assert_eq!(checked(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn what_goes_to_another_machine_unproven_is_warned_about() {
        for (end, expected) in [
            ("", "does not insist"),
            ("?sslmode=disable", "does not insist"),
            ("?sslmode=prefer", "does not insist"),
            ("?sslmode=require", "without looking"),
        ] {
            let warning = checked(&format!("postgres://me:hush@db/escalator{end}")).unwrap();
            assert!(warning.is_some_and(|said| said.contains(expected)), "{end}");
        }
    }

    #[test]
    fn what_a_client_would_refuse_or_misread_is_refused_without_repeating_it() {
        for (text, expected) in [
            ("postgres:///escalator", "no host"),
            ("postgres://me:hush@/escalator", "not an address"),
            ("postgres://me:hush@one,two/escalator", "several hosts"),
            ("postgres://me:hush@%2Frun%2Fpostgresql/escalator", "socket"),
            ("postgres://me:hush@db:0/escalator", "port 0"),
            ("postgres://db/escalator", "no user"),
            ("postgres://:hush@db/escalator", "no user"),
            ("postgres://me:@db/escalator", "empty password"),
            ("postgres://me:hush@db", "no database"),
            ("postgres://me:hush@db/", "no database"),
            ("postgres://me:hush@db/a/b", "slash"),
            (
                "postgres://me:hush@db/escalator?sslmode=hush",
                "none of disable",
            ),
            ("postgres://me:hush@db/escalator?sslmode", "none of disable"),
            (
                "postgres://me:hush@db/escalator?sslmode=require&sslmode=disable",
                "twice",
            ),
            (
                "postgres://me:hush@db/escalator?application_name=hush",
                "an option, application_name,",
            ),
            (
                "postgres://me:hush@db/escalator?sslrootcert=/hush&sslmode=verify-full",
                "an option, sslrootcert,",
            ),
            (
                "postgres://me:hush@db/escalator?huSH=hush",
                "an unusual name",
            ),
            (
                "postgres://me:hush@db/escalator?hush%2Fhush",
                "an unusual name",
            ),
        ] {
            let problem = checked(text).err().unwrap_or_default();
            assert!(
                problem.contains(expected) && !problem.contains("hush"),
                "{text}: {problem:?}"
            );
        }
    }

    #[test]
    fn no_part_of_a_password_that_lacks_its_escapes_is_repeated() {
        for inside in [
            "@", "/", "?", "#", "%", "%zz", "%00", "?a=", "1/b?", "@b/c?", "@b/c?d=", "@b/c#",
        ] {
            let text = format!("postgres://me:{inside}hush@db/escalator");
            let problem = checked(&text).err().unwrap_or_default();
            assert!(
                !problem.is_empty() && !problem.contains("hush"),
                "{text}: {problem:?}"
            );
            let text = format!("postgres://me:1{inside}hush@db/escalator");
            let problem = checked(&text).err().unwrap_or_default();
            assert!(
                !problem.is_empty() && !problem.contains("hush"),
                "{text}: {problem:?}"
            );
        }
    }
}
