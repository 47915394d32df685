//! Serves HTTP, with the limits that axum's own `serve` does not set: how long a header may take, and how many
//! connections there may be at once. Without them a few hundred idle sockets keep everybody else out. And says who is there:
//! the peer's address travels with each request, and [`bears`] looks at its token.

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// From the accept (or the end of the request before) to the end of the header. Shorter than the 5 s that PagerDuty
/// waits: whoever connects and says nothing keeps nobody else out for longer.
const HEADER_WITHIN: Duration = Duration::from_secs(3);
/// More connections wait in the kernel's queue.
const CONNECTIONS: usize = 2048;
/// After the stop, requests under way get this long.
const GRACE: Duration = Duration::from_secs(5);
/// When the process has no descriptor left, accepting fails at once, again and again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A socket that listens, and its routes are served by [`run`](Self::run).
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
}

impl Listener {
    /// Binds the address. Port 0 takes a free one.
    ///
    /// # Errors
    /// When the address is taken, or not this machine's.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            socket: TcpListener::bind(address).await?,
        })
    }

    /// The address that it got.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop`; then lets the requests under way end.
    pub async fn run(self, routes: Router, stop: CancellationToken) {
        let graceful = GracefulShutdown::new();
        let connections = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = async {
                let permit = connections.clone().acquire_owned().await;
                (permit, self.socket.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                () = stop.cancelled() => break,
                accepted = accepted => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(event = "listener.accept_failed", %error);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // Answers are small and somebody waits for each.
            let _ = stream.set_nodelay(true);
            let routes = TowerToHyperService::new(routes.clone());
            let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(ConnectInfo(peer));
                routes.call(request)
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_WITHIN)
                .serve_connection(TokioIo::new(stream), service);
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                // A connection that breaks concerns only its peer.
                let _ = connection.await;
                drop(permit);
            });
        }
        drop(self.socket);
        let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    }
}

/// Whether a request has this bearer token. Digests are compared, so that neither content nor length of the token shows in the
/// time it takes; no token means that nobody has it.
#[must_use]
pub fn bears(headers: &HeaderMap, token: Option<&SecretString>) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    match (given, token) {
        (Some(given), Some(token)) => {
            Sha256::digest(given.trim()) == Sha256::digest(token.expose_secret())
        }
        (Some(_) | None, _) => false,
    }
}
