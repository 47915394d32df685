//! A TCP proxy that counts its connections, can go silent without hanging up, and can hang up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::program::PATIENCE;

/// A proxy in front of one address; ends when dropped.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    mode: watch::Sender<Mode>,
    holds: watch::Sender<bool>,
    task: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Forwarding,
    Frozen,
    HungUp,
}

/// The port of a proxy that is not there yet: nobody else gets it, and whoever connects is refused.
pub(crate) struct Reserved {
    /// Where the proxy will listen.
    pub(crate) address: SocketAddr,
    socket: TcpSocket,
}

impl Reserved {
    /// Takes a free port.
    pub(crate) fn port() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self {
            address: socket.local_addr().unwrap(),
            socket,
        }
    }

    /// The proxy is there.
    pub(crate) fn before(self, target: String) -> Proxy {
        Proxy::on(self.socket.listen(128).unwrap(), target)
    }
}

impl Proxy {
    /// Listens on a free port and forwards to `target`.
    pub(crate) async fn before(target: String) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), target)
    }

    fn on(listener: TcpListener, target: String) -> Self {
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let mode = watch::Sender::new(Mode::Forwarding);
        let holds = watch::Sender::new(false);
        let (count, watched) = (Arc::clone(&accepted), mode.clone());
        let held = holds.clone();
        let task = tokio::spawn(async move {
            while let Ok((inner, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                if *watched.borrow() == Mode::HungUp {
                    continue;
                }
                let outer = TcpStream::connect(&target).await.unwrap();
                let (from, to) = (inner.into_split(), outer.into_split());
                tokio::spawn(forward(
                    from.0,
                    to.1,
                    watched.subscribe(),
                    Some(held.clone()),
                ));
                tokio::spawn(forward(to.0, from.1, watched.subscribe(), None));
            }
        });
        Self {
            address,
            accepted,
            mode,
            holds,
            task,
        }
    }

    /// Connections taken so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Forwards nothing more, in neither direction, and keeps every connection open.
    pub(crate) fn freeze(&self) {
        self.holds.send_replace(false);
        self.mode.send_replace(Mode::Frozen);
    }

    /// Waits until it holds something back that was meant for the target.
    pub(crate) async fn holds_something(&self) {
        let mut holds = self.holds.subscribe();
        let waiting = holds.wait_for(|holds| *holds);
        drop(timeout(PATIENCE, waiting).await.unwrap().unwrap());
    }

    /// Ends every connection, and every new one at once.
    pub(crate) fn hang_up(&self) {
        self.mode.send_replace(Mode::HungUp);
    }

    /// Forwards again, what was held first.
    pub(crate) fn thaw(&self) {
        self.mode.send_replace(Mode::Forwarding);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ends, and with it this direction of the connection, when either side or the proxy hangs up. What it holds back then
/// is lost.
async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    holds: Option<watch::Sender<bool>>,
) {
    let mut buffer = vec![0; 64 * 1024];
    let mut hung_up = mode.clone();
    let piping = async {
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            if let (Some(holds), Mode::Frozen) = (&holds, *mode.borrow()) {
                holds.send_replace(true);
            }
            let moved_on = mode.wait_for(|mode| *mode != Mode::Frozen).await;
            if !moved_on.is_ok_and(|mode| *mode == Mode::Forwarding) {
                return;
            }
            if to.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = piping => {}
        _ = async { hung_up.wait_for(|mode| *mode == Mode::HungUp).await.is_ok() } => {}
    }
}
