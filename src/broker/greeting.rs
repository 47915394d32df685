//! What a broker says of itself: the first frame of every connection has its properties, and lapin keeps them to itself.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use lapin::tcp::{AsyncTcpStream, TLSConfig};
use lapin::types::AMQPValue;
use lapin::types::parsing::parse_field_table;
use lapin::uri::AMQPScheme;
use lapin::{Connection, ConnectionProperties};
use tokio::time::timeout;

use super::config::Endpoint;

/// `AMQP`, version 0-9-1.
const HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";
/// Type, channel, size.
const FRAME_HEADER: usize = 7;
/// Class, method, and the two version numbers before the properties.
const BEFORE_PROPERTIES: usize = 6;
/// RabbitMQ's first frame has about 500 bytes.
const FRAME_MAX: usize = 64 * 1024;

/// The broker's version, such as `4.3.6`. `None` where it cannot be had; that is never a fault of its own.
pub(super) async fn version(endpoint: &Endpoint, limit: Duration) -> Option<String> {
    let heard: Arc<Mutex<Option<String>>> = Arc::default();
    let sink = Arc::clone(&heard);
    // lapin's way to dial is used, so that TLS is set up as it is for the real connection. The dialling then fails on
    // purpose: the greeting was all that was wanted, and the socket is closed with it.
    let greeting = Connection::connector(
        endpoint.uri(),
        lapin::runtime::default_runtime().ok()?,
        async move |uri, runtime| {
            let host = uri.authority.host.clone();
            let addresses = runtime.to_socket_addrs((host.clone(), uri.authority.port));
            let stream = AsyncTcpStream::connect(&runtime, addresses).await?;
            let mut stream = match uri.scheme {
                AMQPScheme::AMQP => stream,
                AMQPScheme::AMQPS => stream.into_tls(&host, TLSConfig::default()).await?,
            };
            let version = read(&mut stream).await?;
            *sink.lock().unwrap_or_else(PoisonError::into_inner) = version;
            Err(io::Error::other("the greeting was heard").into())
        },
        ConnectionProperties::default(),
    );
    // Its error says nothing: it is the one from above, or there was no greeting.
    let _ = timeout(limit, Box::pin(greeting)).await;
    heard.lock().unwrap_or_else(PoisonError::into_inner).take()
}

async fn read(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<Option<String>> {
    stream.write_all(&HEADER).await?;
    stream.flush().await?;
    let mut header = [0; FRAME_HEADER];
    stream.read_exact(&mut header).await?;
    let [_, _, _, size @ ..] = header;
    let size = usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX);
    if size > FRAME_MAX {
        return Ok(None);
    }
    let mut payload = vec![0; size];
    stream.read_exact(&mut payload).await?;
    Ok(payload.get(BEFORE_PROPERTIES..).and_then(version_in))
}

fn version_in(properties: &[u8]) -> Option<String> {
    let (_, table) = parse_field_table(properties).ok()?;
    let Some(AMQPValue::LongString(text)) = table.inner().get("version") else {
        return None;
    };
    Some(String::from_utf8_lossy(text.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_among_the_other_properties() {
        // A table of its length, then a text `product` and a text `version`, as they travel.
        let mut table = Vec::new();
        for (name, value) in [("product", "RabbitMQ"), ("version", "4.3.6")] {
            table.push(u8::try_from(name.len()).unwrap_or_default());
            table.extend(name.as_bytes());
            table.push(b'S');
            table.extend(u32::try_from(value.len()).unwrap_or_default().to_be_bytes());
            table.extend(value.as_bytes());
        }
        let mut bytes = u32::try_from(table.len())
            .unwrap_or_default()
            .to_be_bytes()
            .to_vec();
        bytes.extend(table);
        assert_eq!(version_in(&bytes).as_deref(), Some("4.3.6"));
        assert_eq!(version_in(b"\0\0\0\0"), None);
        assert_eq!(version_in(b"nonsense"), None);
    }
}
