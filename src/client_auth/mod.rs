//! Who is calling: one implementation for every endpoint that a client authenticates at (RFC 6749 2.3, OpenID Connect
//! Core 9). Exactly one method a request, and the registered one. The answer for an unknown client is that for a wrong
//! secret, in content and, where a secret is compared, in time.
//!
//! That time is not hidden where a public key is verified: a client id is no secret (RFC 6749 2.2), and what such a client
//! signs with cannot be guessed.

mod assertion;
mod attempts;
mod certificate;
mod secret;

use std::sync::Arc;

pub use attempts::FailedAttempts;

use self::{assertion::Assertions, attempts::Attempts, certificate::Certificates};
use crate::{
    clock::Timestamp,
    jose::RemoteKeys,
    oauth::{Code, Error, Params},
    peer::Peer,
    realm::{Client, Realm},
    store::{Table, Used},
};

/// What of a request can prove who the client is.
pub struct Credentials<'a> {
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    pub params: &'a Params,
    /// `None` in tests.
    pub peer: Option<&'a Peer>,
    pub now: Timestamp,
}

/// A client that has proved who it is. Only [`ClientAuthentication::authenticate`] makes one.
#[derive(Clone, Debug)]
pub struct AuthenticatedClient(Arc<Client>);

impl std::ops::Deref for AuthenticatedClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
    }
}

/// Client authentication in one realm.
pub struct ClientAuthentication {
    realm: Arc<Realm>,
    assertions: Assertions,
    certificates: Certificates,
    attempts: Attempts,
}

/// What the request proves it with.
enum Presented<'a> {
    Secret(secret::Presented),
    Assertion(assertion::Presented<'a>),
    Certificate(certificate::Presented<'a>),
}

impl ClientAuthentication {
    pub fn new(
        realm: Arc<Realm>,
        used: Arc<Table<Used>>,
        failed: Arc<Table<FailedAttempts>>,
        keys: RemoteKeys,
    ) -> Self {
        Self {
            assertions: Assertions::new(Arc::clone(&realm), used, keys.clone()),
            certificates: Certificates::new(Arc::clone(&realm), keys),
            attempts: Attempts::new(Arc::clone(&realm.name), failed),
            realm,
        }
    }

    /// # Errors
    /// `invalid_client` (401); `invalid_request` where a request uses two methods or names two clients;
    /// `temporarily_unavailable` (429) after many failures of this client from this address.
    pub async fn authenticate(&self, credentials: &Credentials<'_>) -> Result<AuthenticatedClient, Error> {
        let now = credentials.now;
        let presented = Presented::of(credentials)?;
        let attempt = presented.guess().map(|client_id| self.attempts.of(client_id, credentials.peer));
        if let Some(attempt) = &attempt {
            attempt.is_allowed(now).await?;
        }
        let judged = match &presented {
            Presented::Secret(presented) => presented.judge(&self.realm),
            Presented::Assertion(presented) => self.assertions.judge(presented, now).await,
            Presented::Certificate(presented) => self.certificates.judge(presented, now).await,
        };
        if let (Err(error), Some(attempt)) = (&judged, &attempt)
            && error.code() == Code::InvalidClient
        {
            attempt.failed(now).await?;
        }
        judged.map(AuthenticatedClient).map_err(|error| self.naming(presented.client_id(), error))
    }

    /// With the client that was claimed in the cause, for the log: only a registered one, or anybody's text would stand there.
    fn naming(&self, claimed: &str, error: Error) -> Error {
        match (self.realm.clients.get(claimed), error.cause()) {
            (Some(client), Some(cause)) => {
                let cause = format!("{cause} (as client {})", client.client_id);
                error.because(cause)
            }
            _ => error,
        }
    }
}

impl<'a> Presented<'a> {
    /// One method, and one client (RFC 6749 2.3).
    fn of(credentials: &Credentials<'a>) -> Result<Self, Error> {
        let params = credentials.params;
        let has_assertion = params.get("client_assertion").is_some() || params.get("client_assertion_type").is_some();
        let methods = [credentials.authorization.is_some(), params.get("client_secret").is_some(), has_assertion];
        if methods.into_iter().filter(|is_used| *is_used).count() > 1 {
            return Err(Error::invalid_request("The request authenticates the client in two ways"));
        }
        if has_assertion {
            return assertion::Presented::of(params).map(Self::Assertion);
        }
        if let Some(header) = credentials.authorization {
            let presented = secret::Presented::basic(header)?;
            if params.get("client_id").is_some_and(|id| !presented.is_for(id)) {
                return Err(Error::invalid_request("The request names two clients"));
            }
            return Ok(Self::Secret(presented));
        }
        if params.get("client_secret").is_some() {
            return secret::Presented::post(params).map(Self::Secret);
        }
        certificate::Presented::of(params, credentials.peer).map(Self::Certificate)
    }

    /// Who it claims to be.
    fn client_id(&self) -> &str {
        match self {
            Self::Secret(presented) => presented.client_id(),
            Self::Assertion(presented) => presented.client_id(),
            Self::Certificate(presented) => presented.client_id(),
        }
    }

    /// Whose secret this may be a guess of; nothing where none can be guessed.
    fn guess(&self) -> Option<&str> {
        match self {
            Self::Secret(presented) => Some(presented.client_id()),
            Self::Assertion(presented) => presented.is_by_secret().then(|| presented.client_id()),
            Self::Certificate(_) => None,
        }
    }
}

/// The one answer to who could not prove it. The cause is for the log.
fn refused(cause: impl Into<String>) -> Error {
    Error::new(Code::InvalidClient, "Client authentication failed").because(cause)
}
