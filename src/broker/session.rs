//! One connection, from the first byte to the last.

use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::tcp::{AsyncTcpStream, TLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties, ErrorKind};
use tokio::time::timeout;

use super::Error;
use super::config::Endpoint;
use super::error::refusal;

/// How long the goodbye of a connection may take before the socket is shut under it.
const GOODBYE: Duration = Duration::from_secs(2);

/// A connection that is open.
pub(super) struct Session {
    /// lapin's connection; its auto-recovery is off, because a channel error would leave a consumer waiting for ever.
    pub(super) connection: Connection,
    /// Counts the sessions of a process, so that a channel of an older one is recognised.
    pub(super) number: u64,
    /// Host, port and virtual host.
    pub(super) at: String,
    cable: Cable,
}

impl Session {
    /// Connects and logs in. Nothing of a failed attempt stays behind: neither socket nor thread.
    pub(super) async fn open(
        endpoint: &Endpoint,
        name: &str,
        number: u64,
        limit: Duration,
    ) -> Result<Self, Error> {
        let at = endpoint.to_string();
        let cable = Cable::default();
        let opening = Box::pin(connect(endpoint.uri(), name, limit, cable.clone()));
        // A little more than the dialling itself gets, so that its own words about the time-out come through.
        let opened = timeout(limit + Duration::from_millis(100), opening).await;
        let result = match opened {
            Ok(Ok(connection)) => {
                return Ok(Self {
                    connection,
                    number,
                    at,
                    cable,
                });
            }
            Ok(Err(error)) => Err(opening_failed(&error, endpoint)),
            Err(_) => Err(Error::Unreachable {
                at,
                why: format!(
                    "connected, but no AMQP answer within {} ms",
                    limit.as_millis()
                ),
            }),
        };
        cable.cut();
        result
    }

    /// Says goodbye where the broker still listens, and frees socket and thread in any case. May run twice.
    pub(super) async fn close(&self) {
        if self.connection.status().connected() {
            let goodbye = self.connection.close(200, "closing".into());
            // Whatever comes back, the cable is cut next.
            let _ = timeout(GOODBYE, goodbye).await;
        }
        self.cable.cut();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.cable.cut();
    }
}

async fn connect(
    uri: AMQPUri,
    name: &str,
    limit: Duration,
    cable: Cable,
) -> lapin::Result<Connection> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let runtime = lapin::runtime::default_runtime()?;
    Connection::connector(
        uri,
        runtime,
        async move |uri, runtime| {
            let host = uri.authority.host.clone();
            let dialling = async {
                let addresses = runtime.to_socket_addrs((host.clone(), uri.authority.port));
                let stream = AsyncTcpStream::connect(&runtime, addresses).await?;
                if let AsyncTcpStream::Plain(plain) = &stream {
                    cable.hold(plain.get_ref())?;
                }
                match uri.scheme {
                    AMQPScheme::AMQP => Ok(stream),
                    AMQPScheme::AMQPS => stream.into_tls(&host, TLSConfig::default()).await,
                }
            };
            // lapin itself puts no limit on any of this.
            let dialled = timeout(limit, dialling).await;
            dialled
                .unwrap_or_else(|_| Err(took_too_long(limit)))
                .map_err(lapin::Error::from)
        },
        properties,
    )
    .await
}

fn took_too_long(limit: Duration) -> io::Error {
    let why = format!("no connection within {} ms", limit.as_millis());
    io::Error::new(io::ErrorKind::TimedOut, why)
}

fn opening_failed(error: &lapin::Error, endpoint: &Endpoint) -> Error {
    let at = endpoint.to_string();
    let user = endpoint.user();
    match refusal(error) {
        Some((403, _)) => return Error::LoginRefused { at, user },
        Some((402 | 530, why)) => return Error::VirtualHost { at, user, why },
        Some((_, why)) => {
            return Error::Broker {
                at,
                doing: "opening the connection".to_owned(),
                why,
            };
        }
        None => {}
    }
    // lapin's list of error kinds is open.
    #[allow(clippy::wildcard_enum_match_arm)]
    let why = match error.kind() {
        ErrorKind::IOError(error) => error.to_string(),
        _ => error.to_string(),
    };
    Error::Unreachable { at, why }
}

/// A second handle on a connection's socket, to shut it.
///
/// lapin keeps the socket in a thread of its own that reads until somebody hangs up. Giving up on a peer that
/// accepts and then stays mute would leave that thread, its buffers and the socket behind, once per attempt.
#[derive(Clone, Default)]
struct Cable(Arc<Mutex<Option<std::net::TcpStream>>>);

impl Cable {
    fn hold(&self, socket: &impl AsFd) -> io::Result<()> {
        let copy = socket.as_fd().try_clone_to_owned()?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(copy.into());
        Ok(())
    }

    fn cut(&self) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(socket) = held {
            // It fails only where the peer has hung up already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}
