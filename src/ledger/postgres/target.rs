//! Where the server is, and how to get a session there.

use secrecy::{ExposeSecret, SecretString};
use std::error::Error as _;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::NoTls;
use tokio_postgres::{Client, Config, Connection};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

use super::Error;
use super::tls::{self, Mode};

/// How long it may take to get a session: connecting, TLS, login. A server that hangs must not take all workers along.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// The server's own limits for what we ask of it, in milliseconds: for a row that somebody else has, for one statement,
/// and for a transaction whose client says nothing more (it lost its connection and nobody noticed). Each is shorter than
/// a third of the default lease, so that a renewal that runs into one has time to be tried again.
///
/// And an answer means that it is on the disk, whatever the server's default is; `remote_apply` promises even more.
const SESSION: &str = "SELECT
    set_config('lock_timeout', '2000', false),
    set_config('statement_timeout', '4000', false),
    set_config('idle_in_transaction_session_timeout', '4000', false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                                     WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)";

const READ_ONLY: &str = "SET default_transaction_read_only = on";

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// To read and write.
    Work,
    /// To read. A write is refused by the server; a standby will do.
    Read,
}

/// A server, with all that is needed to log in there.
pub(super) struct Target {
    config: Config,
    access: Access,
    tls: Option<MakeRustlsConnect>,
    at: String,
}

impl Target {
    /// Understands an address. The text of an error holds nothing of it.
    pub(super) fn parse(url: &SecretString, access: Access) -> Result<Self, Error> {
        let unreadable =
            || Error::Open("database.url is not a PostgreSQL address that can be read".to_owned());
        let mut url = Url::parse(url.expose_secret()).map_err(|_| unreadable())?;
        let mode = match url.query_pairs().find(|(name, _)| name == "sslmode") {
            Some((_, mode)) => Mode::parse(&mode).ok_or_else(unreadable)?,
            None => Mode::Prefer,
        };
        // The client knows fewer modes than there are, and is told in its own terms.
        url.set_query(None);
        let mut config: Config = url.as_str().parse().map_err(|_| unreadable())?;
        config
            .ssl_mode(match mode {
                Mode::Disable => SslMode::Disable,
                Mode::Prefer => SslMode::Prefer,
                Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
            })
            .application_name("escalator")
            .connect_timeout(CONNECT_WITHIN)
            .tcp_user_timeout(Duration::from_secs(10))
            .keepalives_idle(Duration::from_secs(15))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3);
        Ok(Self {
            at: shown(&config),
            tls: tls::connector(mode)?,
            config,
            access,
        })
    }

    pub(super) fn access(&self) -> Access {
        self.access
    }

    /// Host, port and database, to be shown.
    pub(super) fn at(&self) -> &str {
        &self.at
    }

    /// A session that writes durably and waits for nothing too long.
    ///
    /// # Errors
    /// [`Error::Open`] when a person has to change something; [`Error::Unavailable`] when it may come right by itself.
    pub(super) async fn session(&self) -> Result<Client, Error> {
        let starting = async {
            let client = self.connect().await?;
            client.query_typed(SESSION, &[]).await?;
            match self.access {
                Access::Work => {}
                Access::Read => client.batch_execute(READ_ONLY).await?,
            }
            Ok(client)
        };
        match tokio::time::timeout(CONNECT_WITHIN, starting).await {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(error)) => Err(self.failed(&error)),
            Err(_) => Err(Error::Unavailable(format!(
                "{}: no session within {CONNECT_WITHIN:?}",
                self.at
            ))),
        }
    }

    async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        match &self.tls {
            None => self.config.connect(NoTls).await.map(driven),
            Some(tls) => self.config.connect(tls.clone()).await.map(driven),
        }
    }

    /// The error of somebody who could not log in.
    pub(super) fn failed(&self, error: &tokio_postgres::Error) -> Error {
        let text = format!("{}: {}", self.at, text(error));
        match needs_a_person(error) {
            true => Error::Open(text),
            false => Error::Unavailable(text),
        }
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Target").field(&self.at).finish()
    }
}

/// Lets the connection run on its own. What goes wrong with it is told by whoever asks something of it.
fn driven<S, T>((client, connection): (Client, Connection<S, T>)) -> Client
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(connection);
    client
}

fn shown(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.as_str(),
        #[cfg(unix)]
        Some(Host::Unix(_)) => "a socket",
        None => "localhost",
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().unwrap_or_default();
    format!("{host}:{port}/{database}")
}

/// Whether waiting would help nobody: wrong password, no such database, a certificate that is not believed …
fn needs_a_person(error: &tokio_postgres::Error) -> bool {
    if let Some(error) = error.as_db_error() {
        // Connection, resources, being stopped or started, the disk, an inner error: these pass.
        return !["08", "53", "57", "58", "XX"]
            .iter()
            .any(|class| error.code().code().starts_with(class));
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return error
                .get_ref()
                .is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>);
        }
        cause = error.source();
    }
    !error.is_closed()
}

/// What went wrong, in one line: the client's own text leaves out the reason, and a `DETAIL` of the server's may quote a row.
pub(super) fn text(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", error.message(), error.code().code());
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parsed(text: &str) -> Result<Target, Error> {
        Target::parse(&SecretString::from(text), Access::Work)
    }

    #[test]
    fn an_address_is_shown_without_user_and_password() {
        let target = parsed("postgres://me:hu%40sh@db.example.com:5433/ledger?sslmode=require");
        let target = target.unwrap();
        assert_eq!(target.at(), "db.example.com:5433/ledger");
        assert!(!format!("{target:?}").contains("hu"));
        assert_eq!(target.config.get_password(), Some(&b"hu@sh"[..]));
    }

    #[test]
    fn no_mode_but_disable_and_prefer_ever_talks_plain_text() {
        for (mode, expected) in [
            ("disable", SslMode::Disable),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::Require),
            ("verify-full", SslMode::Require),
        ] {
            let target = parsed(&format!("postgres://me@db/ledger?sslmode={mode}")).unwrap();
            assert_eq!(target.config.get_ssl_mode(), expected, "{mode}");
            assert_eq!(target.tls.is_none(), mode == "disable", "{mode}");
        }
        assert!(parsed("postgres://me@db/ledger?sslmode=verify").is_err());
    }

    #[test]
    fn what_cannot_be_read_is_not_repeated() {
        for text in [
            "hush",
            "postgres://me:hush@db:hush/x",
            "postgres://me:hush%zz@db/x",
        ] {
            if let Err(error) = parsed(text) {
                assert!(!error.to_string().contains("hush"), "{error}");
            }
        }
    }
}
