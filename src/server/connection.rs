//! One connection, from the handshake to its end. HTTP/1.1 on plain connections; with TLS HTTP/1.1 or HTTP/2 as ALPN said.
//! hyper's builder that guesses the protocol is not used: while it guesses it has no time limit.
//!
//! hyper's header timer is not used either. It knows one limit for a fresh connection and an idle one, it is for HTTP/1
//! alone, and it starts a timer for each request; [`drive`] has one timer for each connection and serves both protocols.

use std::{
    convert::Infallible,
    net::IpAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{HeaderValue, Request, Response, Uri};
use hyper::{
    body::{Body, Incoming},
    server::conn::{http1, http2},
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use super::{Settings, forwarded, tls};
use crate::peer::{Peer, Presented};

/// Of a request's header with its first line, in bytes; above it the answer is 431.
const HEADER: usize = 16 * 1024;
/// Of what is read ahead of the service, in bytes.
const READ_AHEAD: usize = 64 * 1024;
/// HTTP/2: requests at a time on one connection, and the rhythm in which a silent peer is asked whether it is there.
const STREAMS: u32 = 64;
const PING: Duration = Duration::from_secs(20);
/// At an end, for a connection on which no request is under way: one may be on its way, or the last answer.
const QUIET: Duration = Duration::from_secs(1);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Closed,
    /// By us, with a request unanswered.
    Cut,
}

/// Serves one connection to its end.
pub(super) async fn serve<S, B>(
    stream: TcpStream,
    address: IpAddr,
    service: S,
    settings: Arc<Settings>,
    stop: watch::Receiver<()>,
) -> Ended
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    // an answer is written at once; failing to ask for that costs time only
    let _ = stream.set_nodelay(true);
    let Some(config) = &settings.tls else {
        let peer = Peer { address: Some(address), certificate: None };
        return speak(stream, false, service, peer, settings, stop).await;
    };
    let acceptor = TlsAcceptor::from(config.load_full());
    match timeout(settings.handshake, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let session = stream.get_ref().1;
            let is_h2 = session.alpn_protocol() == Some(tls::H2);
            let certificate = session.peer_certificates().and_then(|presented| {
                let (leaf, chain) = presented.split_first()?;
                Presented::new(leaf, chain.iter().map(|certificate| certificate.to_vec()).collect())
            });
            let peer = Peer { address: Some(address), certificate };
            // on the heap, so that a plain connection's task has no room for it
            Box::pin(speak(stream, is_h2, service, peer, settings, stop)).await
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "A TLS handshake failed");
            Ended::Closed
        }
        Err(_) => Ended::Closed,
    }
}

/// Speaks HTTP on a stream, with the peer in each request's extensions.
async fn speak<S, B>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    is_h2: bool,
    service: S,
    peer: Peer,
    settings: Arc<Settings>,
    stop: watch::Receiver<()>,
) -> Ended
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let (activity, settings) = (&Activity::new(), &*settings);
    let service = TowerToHyperService::new(service);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let under_way = activity.begin();
        let peer = forwarded::peer(&peer, request.headers(), &settings.trusted_proxies);
        request.extensions_mut().insert(peer);
        leave_buffer(&mut request);
        let answer = service.call(request);
        async move {
            let answer = answer.await;
            drop(under_way);
            answer
        }
    });
    let stream = TokioIo::new(stream);
    if is_h2 {
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEADER as u32)
            .initial_stream_window_size(READ_AHEAD as u32)
            .initial_connection_window_size(4 * READ_AHEAD as u32)
            .serve_connection(stream, service);
        drive(Box::pin(connection).as_mut(), activity, settings, stop).await
    } else {
        let connection = http1::Builder::new()
            .header_read_timeout(None)
            .max_header_size(HEADER)
            .max_buf_size(READ_AHEAD)
            .serve_connection(stream, service);
        drive(pin!(connection), activity, settings, stop).await
    }
}

/// Address and header values are parts of hyper's read buffer, which cannot be used again while one of them lives. A request
/// may be held for long (long polling), and then one buffer of 8 KiB for each would be in memory for nothing.
fn leave_buffer(request: &mut Request<Incoming>) {
    for value in request.headers_mut().values_mut() {
        if let Ok(copy) = HeaderValue::from_bytes(value.as_bytes()) {
            *value = copy;
        }
    }
    if let Ok(uri) = Uri::try_from(request.uri().to_string()) {
        *request.uri_mut() = uri;
    }
}

/// Polls the connection to its end. It is asked to end when it is idle or the server stops, and cut when it does not.
async fn drive(
    mut connection: Pin<&mut impl GracefulConnection<Error = hyper::Error>>,
    activity: &Activity,
    settings: &Settings,
    mut stop: watch::Receiver<()>,
) -> Ended {
    let stopped = tokio::select! {
        biased;
        ended = connection.as_mut() => return closed(ended),
        () = activity.idle(settings) => false,
        _ = stop.changed() => true,
    };
    if activity.last().is_none() && !stopped {
        return Ended::Closed; // not one header in the time that was given for it
    }
    connection.as_mut().graceful_shutdown();
    // A peer that is gone answers nothing, and HTTP/2 would wait for it.
    let quiet = async {
        let mut times = 0;
        while times < 2 {
            sleep(QUIET).await;
            times = if activity.is_any_under_way() { 0 } else { times + 1 };
        }
    };
    tokio::select! {
        biased;
        ended = connection => closed(ended),
        () = quiet => Ended::Closed,
        () = sleep(settings.drain) => if activity.is_any_under_way() { Ended::Cut } else { Ended::Closed },
    }
}

fn closed(ended: Result<(), hyper::Error>) -> Ended {
    if let Err(error) = ended {
        tracing::debug!(%error, "A connection ended with an error");
    }
    Ended::Closed
}

/// When the last request began, and whether one is under way.
struct Activity {
    opened: Instant,
    /// In milliseconds since `opened`, plus one; zero: there was none.
    last: AtomicU64,
    /// One more than there are requests under way.
    under_way: Arc<()>,
}

impl Activity {
    fn new() -> Self {
        Self { opened: Instant::now(), last: AtomicU64::new(0), under_way: Arc::default() }
    }

    /// To be dropped when the request has its answer.
    fn begin(&self) -> Arc<()> {
        let millis = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.last.store(millis + 1, Ordering::Relaxed);
        Arc::clone(&self.under_way)
    }

    fn is_any_under_way(&self) -> bool {
        Arc::strong_count(&self.under_way) > 1
    }

    fn last(&self) -> Option<Instant> {
        let millis = self.last.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.opened + Duration::from_millis(millis))
    }

    /// Resolves when no request has begun for as long as the settings allow.
    async fn idle(&self, settings: &Settings) {
        sleep(settings.first_request).await;
        while let Some(last) = self.last() {
            let left = settings.idle.saturating_sub(last.elapsed());
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }
}
