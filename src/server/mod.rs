//! The only place that knows hyper and rustls: accept loop, TLS, limits, shutdown. Any tower service can be served; which
//! requests it takes is not known here.
//!
//! Why the loop is ours: warp's own has no TLS, no time limit and no connection limit, and waits without end when it stops.
//! Nothing slow happens on the accept path, every wait of a connection has a limit (`connection`), and a stop has a
//! deadline and says how it ended. A panic ends one connection (HTTP/2: one stream), never the server.

mod connection;
pub mod forwarded;
#[cfg(test)]
mod tests;
pub mod tls;

use std::{convert::Infallible, io::ErrorKind, pin::pin, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use ipnet::IpNet;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinError, JoinSet},
    time::sleep,
};
use tower_service::Service;

use connection::Ended;
pub use tokio_rustls::rustls::ServerConfig;

/// How long to wait after an accept that failed for want of something (descriptors, memory), instead of spinning.
const PAUSE: Duration = Duration::from_millis(100);

/// What one listener is served with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Absent: plain HTTP/1.1. Each new connection takes the configuration that is stored at that moment.
    pub tls: Option<Arc<ArcSwap<ServerConfig>>>,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// From a fresh connection to the end of its first request's header.
    pub first_request: Duration,
    /// From the beginning of a request to the end of the next one's header. Longer than clients' poll intervals, or else
    /// each poll is a new connection.
    pub idle: Duration,
    /// Connections at a time; further ones wait in the operating system's queue.
    pub connections: usize,
    /// For requests that are under way when the server stops or the connection has been idle.
    pub drain: Duration,
    /// Peers whose `X-Forwarded-For` and `Client-Cert` are believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tls: None,
            handshake: Duration::from_secs(5),
            first_request: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            connections: 10_240,
            drain: Duration::from_secs(30),
            trusted_proxies: Vec::new(),
        }
    }
}

/// How the server stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Every request that was under way has been answered.
    Drained,
    /// The deadline was there first, for so many connections.
    Cut(usize),
}

/// Serves until `stop` resolves, then closes the listener and waits for the requests that are under way, `settings.drain`
/// at most. Each request carries a [`Peer`](crate::peer::Peer) in its extensions. Dropping the future ends everything at
/// once.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    settings: Settings,
    stop: impl Future<Output = ()> + Send,
) -> Stopped
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let settings = Arc::new(settings);
    let (stopping, _) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut failing = false;
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(ended) = connections.join_next() => {
                was_cut(ended);
            }
            accepted = listener.accept(), if connections.len() < settings.connections => match accepted {
                Ok((stream, peer)) => {
                    failing = false;
                    let (service, settings) = (service.clone(), Arc::clone(&settings));
                    connections.spawn(connection::serve(stream, peer.ip(), service, settings, stopping.subscribe()));
                }
                // the peer went away while it waited
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "Connections cannot be accepted at the moment");
                    }
                    failing = true;
                    sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    stopping.send_replace(());
    let mut cut = 0;
    while let Some(ended) = connections.join_next().await {
        cut += usize::from(was_cut(ended));
    }
    if cut == 0 { Stopped::Drained } else { Stopped::Cut(cut) }
}

fn was_cut(ended: Result<Ended, JoinError>) -> bool {
    match ended {
        Ok(ended) => ended == Ended::Cut,
        Err(error) => {
            if error.is_panic() {
                tracing::error!("The task of a connection panicked");
            }
            false
        }
    }
}
