//! What can be wrong with the broker, said so that an operator knows what to do.

use lapin::ErrorKind;

/// Why the broker cannot be used. No variant ever carries a password: addresses appear as host, port and
/// virtual host only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The settings name no address.
    #[error("no broker address is set: give amqp.url, such as amqp://user:password@host:5672/%2f")]
    NoAddress,
    /// An address cannot be used as written. Found before anything is tried.
    #[error("broker address number {position} cannot be used: {fault}")]
    Address {
        /// Which address, counted from 1.
        position: usize,
        /// What is wrong with it; never a part of the address that could be secret.
        fault: String,
    },
    /// Nobody answers there, the name does not resolve, or TLS fails.
    #[error(
        "cannot reach the broker at {at}: {why}; check that it runs, and host, port and certificate"
    )]
    Unreachable {
        /// Host, port and virtual host.
        at: String,
        /// What the network said.
        why: String,
    },
    /// The broker does not know the user, or the password is wrong.
    #[error("the broker at {at} refused the login of user '{user}': check user and password")]
    LoginRefused {
        /// Host, port and virtual host.
        at: String,
        /// Who tried.
        user: String,
    },
    /// The virtual host does not exist, or the user may not enter it.
    #[error(
        "the broker at {at} does not let user '{user}' into the virtual host: {why}; create it, or grant the user access to it"
    )]
    VirtualHost {
        /// Host, port and virtual host.
        at: String,
        /// Who tried.
        user: String,
        /// What the broker said.
        why: String,
    },
    /// The user may not declare or use one of the objects.
    #[error(
        "the broker at {at} does not allow {object}: {why}; grant the user configure, write and read on '^escalations'"
    )]
    Forbidden {
        /// Host, port and virtual host.
        at: String,
        /// Which exchange, queue or binding.
        object: String,
        /// What the broker said.
        why: String,
    },
    /// An object of that name exists and is made differently.
    #[error(
        "{object} exists at {at} with other properties than needed: {why}; empty it, delete it, and start again"
    )]
    Mismatch {
        /// Host, port and virtual host.
        at: String,
        /// Which exchange or queue.
        object: String,
        /// What the broker said: which property, wanted and found.
        why: String,
    },
    /// The connection was there, and ended.
    #[error("the connection to the broker at {at} was lost: {why}")]
    Lost {
        /// Host, port and virtual host.
        at: String,
        /// Who ended it and why.
        why: String,
    },
    /// The broker did something else than it should.
    #[error("the broker at {at} failed while {doing}: {why}; see the broker's log")]
    Broker {
        /// Host, port and virtual host.
        at: String,
        /// What was tried.
        doing: String,
        /// What came back.
        why: String,
    },
    /// It did not become ready in the time given.
    #[error("the broker was not ready within {within_ms} ms: {why}")]
    NotReady {
        /// How long was waited, in milliseconds.
        within_ms: u128,
        /// What was missing.
        why: String,
    },
}

impl Error {
    /// A stable name of the kind of fault, for metrics and `explain`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoAddress => "broker_no_address",
            Self::Address { .. } => "broker_address",
            Self::Unreachable { .. } => "broker_unreachable",
            Self::LoginRefused { .. } => "broker_login_refused",
            Self::VirtualHost { .. } => "broker_virtual_host",
            Self::Forbidden { .. } => "broker_forbidden",
            Self::Mismatch { .. } => "broker_mismatch",
            Self::Lost { .. } => "broker_lost",
            Self::Broker { .. } => "broker_failed",
            Self::NotReady { .. } => "broker_not_ready",
        }
    }

    /// Whether it stays wrong until a person changes something: settings, rights or an object on the broker.
    #[must_use]
    pub const fn needs_a_person(&self) -> bool {
        match self {
            Self::NoAddress
            | Self::Address { .. }
            | Self::LoginRefused { .. }
            | Self::VirtualHost { .. }
            | Self::Forbidden { .. }
            | Self::Mismatch { .. } => true,
            Self::Unreachable { .. }
            | Self::Lost { .. }
            | Self::Broker { .. }
            | Self::NotReady { .. } => false,
        }
    }
}

/// AMQP's reply code of a refusal by the broker, and its words; `None` for every other failure.
pub(super) fn refusal(error: &lapin::Error) -> Option<(u16, String)> {
    // lapin's list of error kinds is open; the others carry no reply code.
    #[allow(clippy::wildcard_enum_match_arm)]
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some((error.get_id(), error.get_message().to_string())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_which_object_and_what_to_do() {
        let error = Error::Mismatch {
            at: "localhost:5672/%2f".to_owned(),
            object: "queue 'escalations.high'".to_owned(),
            why: "PRECONDITION_FAILED".to_owned(),
        };
        let text = error.to_string();
        assert!(text.starts_with("queue 'escalations.high' exists at localhost:5672/%2f"));
        assert!(text.ends_with("empty it, delete it, and start again"));
        assert!(error.needs_a_person());
        assert_eq!(error.code(), "broker_mismatch");
    }
}
