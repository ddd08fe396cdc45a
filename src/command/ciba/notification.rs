//! The client notification endpoint (CIBA Core 9, 10.2, 10.3): takes what the server sends for one request, at any path,
//! so that it can stand behind whatever address the client is registered with.
//!
//! Nothing passes but a POST with the bearer token that was made for this run and sent with the request, about this request.

use std::{pin::pin, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, Method, Response, StatusCode, header};
use serde_json::{Map, Value};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use warp::{Filter, filters::BoxedFilter};

use super::{delivery::Listen, failure::Failure};
use crate::{random::Random, secret::Secret, server};

/// Of a notification, in bytes: tokens are the largest.
const LARGEST: usize = 64 * 1024;
/// How long a notification may take to arrive; and how long one that comes before the acknowledgement is held.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the last answer may take to leave.
const DRAIN: Duration = Duration::from_secs(2);

type Notification = Map<String, Value>;

/// What has come in.
pub(super) struct Inbox {
    /// Such as `http://127.0.0.1:8089/`.
    pub(super) address: String,
    /// The `client_notification_token`.
    pub(super) token: Secret,
    auth_req_id: watch::Sender<Option<String>>,
    notifications: mpsc::Receiver<Notification>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<server::Stopped>,
}

impl Inbox {
    /// Listens.
    pub(super) async fn open(listen: &Listen, random: &Random) -> Result<Self, Failure> {
        let cannot = |fault: String| {
            let address = listen.address;
            Failure::Listen(format!("cannot listen on {address}: {fault}; choose another by --notification-listen"))
        };
        let token = Secret::new(random.identifier().map_err(|fault| cannot(fault.to_string()))?);
        let listener = TcpListener::bind(listen.address).await.map_err(|fault| cannot(fault.to_string()))?;
        let address = listener.local_addr().map_err(|fault| cannot(fault.to_string()))?;
        let scheme = if listen.tls.is_some() { "https" } else { "http" };

        let (auth_req_id, expected) = watch::channel(None);
        let (sender, notifications) = mpsc::channel(4);
        let (stop, stopped) = oneshot::channel::<()>();
        let service = warp::service(routes(Arc::new(Door { token: token.clone(), expected, sender })));
        let tls = listen.tls.clone().map(|tls| Arc::new(ArcSwap::new(tls)));
        let settings = server::Settings { tls, connections: 16, drain: DRAIN, ..server::Settings::default() };
        let server = tokio::spawn(server::serve(listener, service, settings, async {
            let _ = stopped.await;
        }));
        Ok(Self { address: format!("{scheme}://{address}/"), token, auth_req_id, notifications, stop, server })
    }

    /// From now on it is known which request notifications must be about.
    pub(super) fn expect(&self, auth_req_id: &str) {
        self.auth_req_id.send_replace(Some(auth_req_id.to_owned()));
    }

    /// The next one, verified.
    pub(super) async fn next(&mut self) -> Option<Notification> {
        self.notifications.recv().await
    }

    /// Ends when the answers have left: a server that gets none would take its push for lost and revoke the tokens.
    pub(super) async fn close(self) {
        drop(self.auth_req_id);
        let _ = self.stop.send(());
        let _ = self.server.await;
    }
}

/// What a notification must get through.
struct Door {
    token: Secret,
    expected: watch::Receiver<Option<String>>,
    sender: mpsc::Sender<Notification>,
}

fn routes(door: Arc<Door>) -> BoxedFilter<(Response<String>,)> {
    warp::method()
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |method, headers: HeaderMap, body| {
            let door = Arc::clone(&door);
            async move { answer(door.take(&method, &headers, body).await) }
        })
        .boxed()
}

fn answer(taken: Result<(), StatusCode>) -> Response<String> {
    let status = taken.err().unwrap_or(StatusCode::NO_CONTENT);
    let mut response = Response::new(String::new());
    *response.status_mut() = status;
    let header = match status {
        StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
        StatusCode::METHOD_NOT_ALLOWED => Some((header::ALLOW, "POST")),
        _ => None,
    };
    response.headers_mut().extend(header.map(|(name, value)| (name, http::HeaderValue::from_static(value))));
    response
}

impl Door {
    async fn take<B: Buf>(
        &self,
        method: &Method,
        headers: &HeaderMap,
        body: impl Stream<Item = Result<B, warp::Error>>,
    ) -> Result<(), StatusCode> {
        if method != Method::POST {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        if !bearer(headers).is_some_and(|token| self.token.matches(token)) {
            return Err(StatusCode::UNAUTHORIZED);
        }
        let body = timeout(PATIENCE, read(body)).await.map_err(|_| StatusCode::REQUEST_TIMEOUT)??;
        let notification: Notification = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
        let auth_req_id = notification.get("auth_req_id").and_then(Value::as_str).ok_or(StatusCode::BAD_REQUEST)?;
        // the token is for one request alone (10.2)
        let mut expected = self.expected.clone();
        let known = timeout(PATIENCE, expected.wait_for(Option::is_some)).await;
        let is_ours = known.is_ok_and(|known| known.is_ok_and(|known| known.as_deref() == Some(auth_req_id)));
        if !is_ours {
            return Err(StatusCode::UNAUTHORIZED);
        }
        let _ = self.sender.try_send(notification); // full: the same was said before
        Ok(())
    }
}

/// The token of the one `Authorization` header (RFC 6750 2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(one), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = one.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim_start())
}

async fn read<B: Buf>(stream: impl Stream<Item = Result<B, warp::Error>>) -> Result<Bytes, StatusCode> {
    let mut stream = pin!(stream);
    let mut body = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let mut chunk = chunk.map_err(|_| StatusCode::BAD_REQUEST)?;
        if body.len() + chunk.remaining() > LARGEST {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let length = chunk.remaining();
        body.extend_from_slice(&chunk.copy_to_bytes(length));
    }
    Ok(body.freeze())
}
