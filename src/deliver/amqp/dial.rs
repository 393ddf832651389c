//! One connection to one broker, and how it is cut.

use std::{
    net::{Shutdown, TcpStream as Socket},
    os::fd::AsFd,
    sync::{Arc, Mutex},
    time::Duration,
};

use lapin::{
    AsyncTcpStream, Connection, ConnectionProperties,
    tcp::OwnedTLSConfig,
    uri::{AMQPScheme, AMQPUri},
};

/// Connects and logs in. A handle on the socket is left in `keep`: lapin has no way to drop a connection that hangs, and
/// would keep a thread for each.
pub(super) async fn dial(
    uri: &AMQPUri,
    name: &str,
    timeout: Duration,
    keep: Arc<Mutex<Option<Socket>>>,
) -> Result<Connection, String> {
    let properties =
        ConnectionProperties::default().with_connection_name(format!("zohook {name}").into());
    let runtime = lapin::runtime::default_runtime().map_err(text)?;
    Connection::connector(
        uri.clone(),
        runtime,
        async move |uri, runtime| {
            let host = uri.authority.host.as_str();
            let stream = async {
                let addresses: Vec<_> = tokio::net::lookup_host((host, uri.authority.port))
                    .await?
                    .collect();
                let stream = AsyncTcpStream::connect(&runtime, addresses).await?;
                if let AsyncTcpStream::Plain(stream) = &stream
                    && let Ok(mut keep) = keep.lock()
                {
                    *keep = Some(stream.get_ref().as_fd().try_clone_to_owned()?.into());
                }
                match uri.scheme {
                    AMQPScheme::AMQP => Ok(stream),
                    AMQPScheme::AMQPS => {
                        let settings = OwnedTLSConfig::default();
                        stream.into_tls(host, settings.as_ref()).await
                    }
                }
            };
            let dialled = tokio::time::timeout(timeout, stream).await;
            Ok(dialled.map_err(std::io::Error::other)??)
        },
        properties,
    )
    .await
    .map_err(text)
}

/// Ends a connection without a goodbye.
pub(super) fn cut(socket: &Mutex<Option<Socket>>) {
    if let Ok(mut socket) = socket.lock()
        && let Some(socket) = socket.take()
    {
        // An error means that it is closed already.
        drop(socket.shutdown(Shutdown::Both));
    }
}

/// What went wrong, for the log.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
pub(super) fn text(error: lapin::Error) -> String {
    error.to_string()
}
