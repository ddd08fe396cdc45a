//! The request as features see it, by kind of call: *open* (metadata), *client* (form parsed once, duplicates refused,
//! client authenticated before the feature is reached), *bearer* (userinfo, callback), *browser* (the person's pages).

use std::{sync::Arc, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, Method, header};

use crate::{
    client_auth::{AuthenticatedClient, Credentials},
    clock::Timestamp,
    gateway::{Gateway, LiveRealm},
    oauth::{Error, Params},
    peer::{Peer, Presented},
    realm::{Endpoint, Style},
    token::Sender,
};

/// The largest body, in bytes.
const LARGEST_BODY: usize = 64 * 1024;
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Parameters of OAuth that must never stand in a query string of a POST (RFC 6749 3.2): there they end in logs.
const OAUTH_PARAMETERS: &[&str] = &[
    "acr_values",
    "access_token",
    "auth_req_id",
    "authorization_details",
    "binding_message",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_notification_token",
    "client_secret",
    "grant_type",
    "id_token_hint",
    "login_hint",
    "login_hint_token",
    "post_logout_redirect_uri",
    "refresh_token",
    "request",
    "request_uri",
    "requested_expiry",
    "scope",
    "token",
    "token_type_hint",
    "user_code",
];

/// One request.
pub(super) struct Call {
    pub(super) gateway: Arc<Gateway>,
    pub(super) live: Arc<LiveRealm>,
    pub(super) style: Style,
    pub(super) method: Method,
    pub(super) handle: Option<String>,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    /// Read to its end, or why it could not be.
    pub(super) body: Result<Bytes, Error>,
    pub(super) peer: Option<Peer>,
    pub(super) now: Timestamp,
}

impl Call {
    /// The only header of this name, as text.
    pub(super) fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The `Authorization` header; two of them are no authentication.
    pub(super) fn authorization(&self) -> Result<Option<&str>, Error> {
        let mut headers = self.headers.get_all(header::AUTHORIZATION).iter();
        match (headers.next(), headers.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => Ok(Some(value.to_str().unwrap_or("malformed"))),
            _ => Err(Error::invalid_request("The request has more than one Authorization header")),
        }
    }

    /// The parameters of a client's call.
    pub(super) fn form(&self) -> Result<Params, Error> {
        self.no_oauth_parameters_in_query()?;
        if !self.is_form() {
            return Err(Error::invalid_request("The content type must be application/x-www-form-urlencoded"));
        }
        Params::parse(self.body.as_ref().map_err(Clone::clone)?)
    }

    /// The client that calls, authenticated.
    pub(super) async fn client(&self, params: &Params) -> Result<AuthenticatedClient, Error> {
        let credentials =
            Credentials { authorization: self.authorization()?, params, peer: self.peer.as_ref(), now: self.now };
        self.live.client_auth.authenticate(&credentials).await
    }

    /// What shows who sends a request to this endpoint, besides client authentication.
    pub(super) fn sender(&self, endpoint: Endpoint) -> Sender<'_> {
        // what is no text is no proof
        let proofs = self.headers.get_all("dpop").iter().map(|value| value.to_str().unwrap_or_default()).collect();
        let certificate = self.peer.as_ref().and_then(|peer| peer.certificate.as_ref()).map(Presented::leaf);
        Sender { method: self.method.as_str(), endpoint, proofs, certificate }
    }

    /// Whether a parameter of this name stands in the query string.
    pub(super) fn has_in_query(&self, name: &str) -> bool {
        url::form_urlencoded::parse(self.query.as_bytes()).any(|(other, _)| other == name)
    }

    /// With or without a charset parameter (it is UTF-8 anyway); and as a well-known page prints it.
    pub(super) fn is_form(&self) -> bool {
        self.media_type().is_some_and(|media_type| {
            media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
                || media_type.eq_ignore_ascii_case("x-www-form-urlencoded")
        })
    }

    /// The content type without its parameters.
    pub(super) fn media_type(&self) -> Option<&str> {
        self.header(header::CONTENT_TYPE)?.split(';').next().map(str::trim)
    }

    fn no_oauth_parameters_in_query(&self) -> Result<(), Error> {
        if self.query.is_empty() {
            return Ok(());
        }
        for (name, _) in url::form_urlencoded::parse(self.query.as_bytes()) {
            if OAUTH_PARAMETERS.contains(&&*name) {
                return Err(Error::invalid_request("Parameters must be sent in the body, not in the query string"));
            }
        }
        Ok(())
    }
}

/// Reads a body within its limits of size and time.
pub(super) async fn read(stream: impl Stream<Item = Result<impl Buf, warp::Error>> + Send) -> Result<Bytes, Error> {
    let reading = async {
        let mut stream = std::pin::pin!(stream);
        let mut body = BytesMut::new();
        while let Some(chunk) = stream.next().await {
            let mut chunk = chunk.map_err(|_| Error::invalid_request("The body could not be read"))?;
            if body.len() + chunk.remaining() > LARGEST_BODY {
                return Err(Error::invalid_request("The body is too large").with_status(413));
            }
            while chunk.has_remaining() {
                let length = chunk.chunk().len();
                body.extend_from_slice(chunk.chunk());
                chunk.advance(length);
            }
        }
        Ok(body.freeze())
    };
    tokio::time::timeout(BODY_TIME, reading)
        .await
        .unwrap_or_else(|_| Err(Error::invalid_request("The body did not arrive in time").with_status(408)))
}
