//! Who is calling: one implementation for every endpoint that a client authenticates at (RFC 6749 2.3, OpenID Connect
//! Core 9). Exactly one method a request, and the registered one. The answer for an unknown client is that for a wrong
//! secret, in content and in time.

mod secret;

use std::sync::Arc;

use crate::{
    clock::Timestamp,
    jose::RemoteKeys,
    oauth::{Code, Error, Params},
    realm::{Client, Realm, client::Authentication},
    store::{Table, Used},
};

/// What of a request can prove who the client is.
pub struct Credentials<'a> {
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    pub params: &'a Params,
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
    #[expect(dead_code, reason = "for assertions")]
    used: Arc<Table<Used>>,
    #[expect(dead_code, reason = "for assertions")]
    keys: RemoteKeys,
}

impl ClientAuthentication {
    pub const fn new(realm: Arc<Realm>, used: Arc<Table<Used>>, keys: RemoteKeys) -> Self {
        Self { realm, used, keys }
    }

    /// # Errors
    /// `invalid_client` (401), or `invalid_request` where a request uses two methods or names two clients.
    pub async fn authenticate(&self, credentials: &Credentials<'_>) -> Result<AuthenticatedClient, Error> {
        secrets(&self.realm, credentials)
    }
}

fn secrets(realm: &Realm, credentials: &Credentials<'_>) -> Result<AuthenticatedClient, Error> {
    let params = credentials.params;
    if params.get("client_assertion").is_some() || params.get("client_assertion_type").is_some() {
        if credentials.authorization.is_some() || params.get("client_secret").is_some() {
            return Err(two_methods());
        }
        return Err(refused("client assertions are not supported"));
    }
    let presented = match credentials.authorization {
        Some(header) => {
            if params.get("client_secret").is_some() {
                return Err(two_methods());
            }
            let presented = secret::Presented::basic(header)?;
            if params.get("client_id").is_some_and(|id| !presented.is_for(id)) {
                return Err(Error::invalid_request("The request names two clients"));
            }
            presented
        }
        None => secret::Presented::post(params)?,
    };
    let client = presented.client(&realm.clients);
    // compared even where there is no such client, so that the time tells nothing
    let (registered, method) = match client.map(|client| &client.authentication) {
        Some(Authentication::ClientSecretBasic(secret)) => (Some(secret), secret::Method::Basic),
        Some(Authentication::ClientSecretPost(secret)) => (Some(secret), secret::Method::Post),
        _ => (None, secret::Method::Post),
    };
    let right = presented.matches(registered);
    match client {
        None => Err(refused("unknown client")),
        Some(_) if !right => Err(refused("wrong secret")),
        Some(_) if presented.method() != method => Err(refused("not the registered method")),
        Some(client) if !client.enabled => Err(refused("the client is disabled")),
        Some(client) => Ok(AuthenticatedClient(Arc::clone(client))),
    }
}

fn two_methods() -> Error {
    Error::invalid_request("The request authenticates the client in two ways")
}

fn refused(cause: &'static str) -> Error {
    Error::new(Code::InvalidClient, "Client authentication failed").because(cause)
}
