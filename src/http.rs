//! The one outbound client (I8): time limits, size limits, no redirects, no proxy but the configured one.
//!
//! Every request of the gateway to somebody else is sent with [`Http::send`]. Clients that the operator did not name
//! (addresses that a client registered) get a guarded client of their own when there are any.

use std::{path::PathBuf, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{Certificate, Client, RequestBuilder, Response, redirect::Policy};
use tokio::time::{Instant, timeout_at};
use url::Url;

/// How outgoing connections are made (`[outbound]`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbound {
    /// More trust roots, as PEM.
    pub ca_certificates: Vec<(PathBuf, Vec<u8>)>,
    pub proxy: Option<Url>,
}

/// Limits of one exchange.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// For the whole exchange, connecting included.
    pub time: Duration,
    /// Of the answer's body, in bytes.
    pub size: usize,
}

impl Limit {
    /// Metadata, keys, tokens, users.
    pub const API: Self = Self { time: Duration::from_secs(5), size: 256 * 1024 };
    /// Deliveries whose answer is not read.
    pub const DELIVERY: Self = Self { time: Duration::from_secs(5), size: 4 * 1024 };
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: http::StatusCode,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Fault> {
        serde_json::from_slice(&self.body).map_err(|error| Fault::NotUnderstood(error.to_string()))
    }
}

/// Why there is no usable answer. None of these says anything about what was asked for (I10).
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the outgoing connections cannot be set up: {0}")]
    Setup(String),
    #[error("no answer: {0}")]
    NoAnswer(String),
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("unexpected status {0}")]
    Status(u16),
    #[error("the answer is not what the protocol says: {0}")]
    NotUnderstood(String),
}

/// The outbound client. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
}

impl Http {
    #[expect(clippy::disallowed_methods, reason = "the one place that builds outgoing clients")]
    pub fn new(outbound: &Outbound) -> Result<Self, Fault> {
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(2))
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent(concat!("realmgate/", env!("CARGO_PKG_VERSION")));
        let mut roots = Vec::new();
        for (path, pem) in &outbound.ca_certificates {
            let setup = |error: reqwest::Error| Fault::Setup(format!("{}: {}", path.display(), reason(&error)));
            let certificates = Certificate::from_pem_bundle(pem).map_err(setup)?;
            if certificates.is_empty() {
                return Err(Fault::Setup(format!("{}: it holds no certificate", path.display())));
            }
            // read only when a client is made of them
            Client::builder().tls_certs_only(certificates.clone()).build().map_err(setup)?;
            roots.extend(certificates);
        }
        if !roots.is_empty() {
            builder = builder.tls_certs_merge(roots);
        }
        if let Some(proxy) = &outbound.proxy {
            let proxy = reqwest::Proxy::all(proxy.as_str()).map_err(|error| Fault::Setup(error.to_string()))?;
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(|error| Fault::Setup(error.to_string()))?;
        Ok(Self { client })
    }

    pub fn get(&self, url: Url) -> RequestBuilder {
        self.client.get(url)
    }

    pub fn post(&self, url: Url) -> RequestBuilder {
        self.client.post(url)
    }

    /// A builder for any request, for libraries that bring their own.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Sends, and reads the whole answer within `limit`. Any status is an answer.
    pub async fn send(&self, request: RequestBuilder, limit: Limit) -> Result<Answer, Fault> {
        let exchange = async {
            let response = request.send().await.map_err(|error| Fault::NoAnswer(reason(&error)))?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = read(response, limit.size).await?;
            Ok(Answer { status, headers, body })
        };
        tokio::time::timeout(limit.time, Box::pin(exchange)).await.unwrap_or_else(|_| Err(late(limit)))
    }

    /// Sends, and returns the answer's status, whatever its body is like: for deliveries.
    pub async fn status(&self, request: RequestBuilder, limit: Limit) -> Result<http::StatusCode, Fault> {
        let deadline = Instant::now() + limit.time;
        let response = timeout_at(deadline, request.send())
            .await
            .map_err(|_| late(limit))?
            .map_err(|error| Fault::NoAnswer(reason(&error)))?;
        let status = response.status();
        // A small body is read to its end, so that the connection can be used again.
        let _ = timeout_at(deadline, read(response, limit.size)).await;
        Ok(status)
    }
}

fn late(limit: Limit) -> Fault {
    Fault::NoAnswer(format!("nothing within {} s", limit.time.as_secs()))
}

async fn read(mut response: Response, most: usize) -> Result<Bytes, Fault> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Fault::NoAnswer(reason(&error)))? {
        if body.len() + chunk.len() > most {
            return Err(Fault::TooLarge(most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The innermost cause, without the address (which may hold a secret).
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if std::ptr::addr_eq(cause, error) { "the request failed".into() } else { in_words(cause.to_string()) }
}

/// What TLS says by the names of Rust's variants, as a sentence for who runs the server.
fn in_words(cause: String) -> String {
    let words = [
        (
            "CaUsedAsEndEntity",
            "the server's certificate says that it is an authority's (CA:TRUE); make one that says CA:FALSE",
        ),
        ("UnknownIssuer", "the server's certificate was issued by nobody who is trusted here"),
    ];
    words.iter().find(|(name, _)| cause.contains(name)).map_or(cause, |(_, sentence)| (*sentence).to_owned())
}
