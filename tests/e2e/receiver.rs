//! An operator's service on a port of its own: takes whatever is sent and hands it to the test.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use tokio::{net::TcpListener, sync::mpsc, time::timeout};
use warp::Filter;

pub(crate) struct Receiver {
    port: u16,
    arrived: mpsc::UnboundedReceiver<Received>,
}

#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let (tell, arrived) = mpsc::unbounded_channel();
        let routes = warp::path::full()
            .and(warp::query::raw().or(warp::any().map(String::new)).unify())
            .and(warp::header::headers_cloned())
            .and(warp::body::bytes())
            .map(move |path: warp::path::FullPath, query, headers, body| {
                let path = path.as_str().to_owned();
                if path != "/favicon.ico" {
                    let _ = tell.send(Received { path, query, headers, body });
                }
                "taken"
            });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(warp::serve(routes).incoming(listener).run());
        Self { port, arrived }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What arrives next; a test that waits in vain fails.
    pub(crate) async fn next(&mut self) -> Received {
        let next = timeout(Duration::from_secs(15), self.arrived.recv()).await;
        next.expect("something arrives within 15 s").expect("the receiver runs")
    }

    /// The link of the next webhook call, whose signature is checked.
    pub(crate) async fn link(&mut self, secret: &str) -> String {
        let call = self.next().await;
        call.assert_signed(secret);
        let told = call.json();
        assert_eq!(told["event"], "approval.requested", "{told}");
        told["link"].as_str().expect("a link").to_owned()
    }
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|fault| panic!("{fault}: {:?}", self.body))
    }

    /// Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`; the key stands in Base64 behind `whsec_`.
    pub(crate) fn assert_signed(&self, secret: &str) {
        let header = |name: &str| self.headers[name].to_str().unwrap();
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut message = format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).into_bytes();
        message.extend_from_slice(&self.body);
        let signature = header("webhook-signature").strip_prefix("v1,").expect("version 1 of the signature");
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key), &message, &STANDARD.decode(signature).unwrap())
            .expect("the webhook's signature is right");
    }
}
