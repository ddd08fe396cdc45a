//! Somebody else's service on loopback, a device service or a webhook's receiver: keeps what it is sent, answers as told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Response, header};
use realmgate::clock::Clock;
use serde_json::Value;
use tokio::{net::TcpListener, sync::mpsc, time::timeout};
use warp::{Filter, path::FullPath};

pub(crate) struct Receiver {
    pub(crate) url: String,
    status: Arc<AtomicU16>,
    arrived: mpsc::UnboundedReceiver<Received>,
}

#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Receiver {
    /// Answers with this status; where it is one of a redirect, it leads to this service again.
    pub(crate) async fn answering(status: u16) -> Self {
        let (tell, arrived) = mpsc::unbounded_channel();
        let status = Arc::new(AtomicU16::new(status));
        let answer = Arc::clone(&status);
        let routes =
            warp::method().and(warp::path::full()).and(warp::header::headers_cloned()).and(warp::body::bytes()).map(
                move |method, path: FullPath, headers, body| {
                    let _ = tell.send(Received { line: format!("{method} {}", path.as_str()), headers, body });
                    let response = Response::builder().status(answer.load(Ordering::SeqCst));
                    response.header(header::LOCATION, "/again").body(String::new())
                },
            );
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(warp::serve(routes).incoming(listener).run());
        Self { url, status, arrived }
    }

    /// Answers with this status from now on.
    pub(crate) fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// What arrives next, within 10 s.
    pub(crate) async fn next(&mut self) -> Received {
        timeout(Duration::from_secs(10), self.arrived.recv()).await.unwrap().unwrap()
    }

    /// What arrives next, when enough time has passed on this clock.
    pub(crate) async fn next_as_time_passes(&mut self, clock: &Clock) -> Received {
        for _ in 0..1000 {
            if let Ok(received) = timeout(Duration::from_millis(10), self.arrived.recv()).await {
                return received.unwrap();
            }
            clock.advance(Duration::from_millis(50));
        }
        panic!("nothing has arrived");
    }

    /// How many requests have arrived that nobody has looked at.
    pub(crate) fn rest(&mut self) -> usize {
        std::iter::from_fn(|| self.arrived.try_recv().ok()).count()
    }
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The token of `Authorization: Bearer`.
    pub(crate) fn bearer(&self) -> String {
        self.headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap().to_owned()
    }
}
