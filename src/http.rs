//! The one outbound client (I8): time limits, size limits, no redirects, no proxy but the configured one.
//!
//! Every request of the gateway to somebody else is sent by it. Requests to addresses that a *client* registered are sent
//! by a client of their own, which no proxy serves and whose connections are guarded (`guard`).

mod guard;

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use ipnet::IpNet;
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, Response, redirect::Policy};
use tokio::time::{Instant, timeout_at};
use url::Url;

use self::guard::Guard;

/// How outgoing connections are made (`[outbound]`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbound {
    /// More trust roots, as PEM.
    pub ca_certificates: Vec<(PathBuf, Vec<u8>)>,
    pub proxy: Option<Url>,
    /// Where addresses that clients registered may lead besides the public ones.
    pub private_networks: Vec<IpNet>,
}

impl Outbound {
    /// Whether an address that a client registered will be called. One that is a name is judged when it is called.
    pub fn may_lead_to(&self, url: &Url) -> bool {
        Guard::new(self.private_networks.clone()).allows_host_of(url)
    }
}

/// Who named the address that a request goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Named by the operator: an upstream, a webhook, a device service.
    Configured,
    /// An address that a client registered: a notification endpoint, a `jwks_uri`.
    Registered,
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
    pub version: http::Version,
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
    #[error("the address is private and not listed in [outbound] private_networks")]
    Private,
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
    /// Requests are put together with this one, which trusts nobody and is never sent with.
    blank: Client,
    outbound: Arc<Outbound>,
    /// Made at the first request or by [`Http::ready`]: reading the system's trust roots takes as long as the rest of the
    /// start.
    sending: Arc<OnceLock<Result<Client, String>>>,
    guarded: Arc<OnceLock<Result<Client, String>>>,
    guard: Guard,
}

impl Http {
    /// Trust roots and a proxy that are configured are tried at once.
    #[expect(clippy::disallowed_methods, reason = "the one place that builds outgoing clients")]
    pub fn new(outbound: &Outbound) -> Result<Self, Fault> {
        let blank = Client::builder().tls_certs_only([]).no_proxy().build();
        let http = Self {
            blank: blank.map_err(|error| Fault::Setup(reason(&error)))?,
            outbound: Arc::new(outbound.clone()),
            sending: Arc::default(),
            guarded: Arc::default(),
            guard: Guard::new(outbound.private_networks.clone()),
        };
        if !outbound.ca_certificates.is_empty() || outbound.proxy.is_some() {
            http.sending()?;
        }
        Ok(http)
    }

    /// The same, for somebody who shows a certificate of their own where a server asks for one (RFC 8705 2). `identity` is
    /// PEM: the certificate, the rest of its chain, and its private key last.
    #[expect(clippy::disallowed_methods, reason = "the one place that builds outgoing clients")]
    pub fn with_identity(outbound: &Outbound, identity: &[u8]) -> Result<Self, Fault> {
        let setup = |error: reqwest::Error| Fault::Setup(reason(&error));
        let shown = reqwest::Identity::from_pem(identity).map_err(setup)?;
        // tried alone first, so that a fault is not taken for one of the trust roots
        Client::builder().tls_certs_only([]).no_proxy().identity(shown.clone()).build().map_err(setup)?;
        let sending = builder(outbound, None)?.identity(shown).build().map_err(setup)?;
        Ok(Self { sending: Arc::new(OnceLock::from(Ok(sending))), ..Self::new(outbound)? })
    }

    pub fn get(&self, url: Url) -> RequestBuilder {
        self.blank.get(url)
    }

    pub fn post(&self, url: Url) -> RequestBuilder {
        self.blank.post(url)
    }

    /// For libraries that bring their own requests: to make a [`RequestBuilder`] of them.
    pub const fn blank(&self) -> &Client {
        &self.blank
    }

    /// Makes the client that sends, if it is not there yet. Blocking: some milliseconds.
    pub fn ready(&self) {
        let _ = self.sending();
    }

    fn sending(&self) -> Result<&Client, Fault> {
        made(&self.sending, || build(&self.outbound, None))
    }

    fn guarded(&self) -> Result<&Client, Fault> {
        made(&self.guarded, || build(&self.outbound, Some(&self.guard)))
    }

    async fn answer(&self, request: RequestBuilder, to: Trust) -> Result<Response, Fault> {
        let request = request.build().map_err(|error| Fault::NoAnswer(reason(&error)))?;
        let client = match to {
            Trust::Configured => self.sending()?,
            Trust::Registered if self.guard.allows_host_of(request.url()) => self.guarded()?,
            Trust::Registered => return Err(Fault::Private),
        };
        client.execute(request).await.map_err(|error| Fault::NoAnswer(reason(&error)))
    }

    /// Sends, and reads the whole answer within `limit`. Any status is an answer.
    pub async fn send(&self, request: RequestBuilder, limit: Limit) -> Result<Answer, Fault> {
        self.exchange(request, limit, Trust::Configured).await
    }

    /// The same, to an address that a client registered.
    pub async fn send_to_registered(&self, request: RequestBuilder, limit: Limit) -> Result<Answer, Fault> {
        self.exchange(request, limit, Trust::Registered).await
    }

    async fn exchange(&self, request: RequestBuilder, limit: Limit, to: Trust) -> Result<Answer, Fault> {
        let exchange = async {
            let response = self.answer(request, to).await?;
            let (version, status, headers) = (response.version(), response.status(), response.headers().clone());
            let body = read(response, limit.size).await?;
            Ok(Answer { version, status, headers, body })
        };
        tokio::time::timeout(limit.time, Box::pin(exchange)).await.unwrap_or_else(|_| Err(late(limit)))
    }

    /// Sends, and returns the answer's status, whatever its body is like: for deliveries.
    pub async fn status(&self, request: RequestBuilder, limit: Limit, to: Trust) -> Result<http::StatusCode, Fault> {
        let deadline = Instant::now() + limit.time;
        let response = timeout_at(deadline, Box::pin(self.answer(request, to))).await.map_err(|_| late(limit))??;
        let status = response.status();
        // A small body is read to its end, so that the connection can be used again.
        let _ = timeout_at(deadline, read(response, limit.size)).await;
        Ok(status)
    }
}

fn late(limit: Limit) -> Fault {
    Fault::NoAnswer(format!("nothing within {} s", limit.time.as_secs()))
}

fn made(
    client: &OnceLock<Result<Client, String>>,
    build: impl FnOnce() -> Result<Client, Fault>,
) -> Result<&Client, Fault> {
    let made = client.get_or_init(|| {
        build().map_err(|fault| match fault {
            Fault::Setup(cause) => cause,
            other => other.to_string(),
        })
    });
    made.as_ref().map_err(|fault| Fault::Setup(fault.clone()))
}

fn build(outbound: &Outbound, guard: Option<&Guard>) -> Result<Client, Fault> {
    builder(outbound, guard)?.build().map_err(|error| Fault::Setup(error.to_string()))
}

#[expect(clippy::disallowed_methods, reason = "the one place that builds outgoing clients")]
fn builder(outbound: &Outbound, guard: Option<&Guard>) -> Result<ClientBuilder, Fault> {
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
    if let Some(guard) = guard {
        builder = builder.dns_resolver(guard.clone());
    } else if let Some(proxy) = &outbound.proxy {
        let proxy = reqwest::Proxy::all(proxy.as_str()).map_err(|error| Fault::Setup(error.to_string()))?;
        builder = builder.proxy(proxy);
    }
    Ok(builder)
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
        ("KeyMismatch", "the private key is not the certificate's"),
        ("UnknownIssuer", "the server's certificate was issued by nobody who is trusted here"),
    ];
    words.iter().find(|(name, _)| cause.contains(name)).map_or(cause, |(_, sentence)| (*sentence).to_owned())
}
