//! `client_secret_basic` and `client_secret_post` (RFC 6749 2.3.1).

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::refused;
use crate::{
    oauth::{Error, Params, params},
    realm::{Client, Realm, client::Authentication},
    secret::Secret,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Basic,
    Post,
}

/// A client id with a secret, as it was sent. RFC 6749 has both form-encoded inside Basic; clients that do not encode are
/// common, so the text as it stands counts, too.
pub(super) struct Presented {
    method: Method,
    /// As decoded, then as sent; one where both are the same.
    readings: Vec<(String, String)>,
}

impl Presented {
    pub(super) fn basic(header: &str) -> Result<Self, Error> {
        let malformed = || refused("the Authorization header is not Basic with id and secret");
        let (scheme, encoded) = header.split_once(' ').ok_or_else(malformed)?;
        if !scheme.eq_ignore_ascii_case("Basic") {
            return Err(malformed());
        }
        let bytes = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
        let text = String::from_utf8(bytes).map_err(|_| malformed())?;
        let (id, secret) = text.split_once(':').ok_or_else(malformed)?;
        let mut readings = Vec::with_capacity(2);
        if let (Ok(id), Ok(secret)) = (params::decode(id.as_bytes()), params::decode(secret.as_bytes())) {
            readings.push((id, secret));
        }
        let as_sent = (id.to_owned(), secret.to_owned());
        if readings.first() != Some(&as_sent) {
            readings.push(as_sent);
        }
        Ok(Self { method: Method::Basic, readings })
    }

    pub(super) fn post(params: &Params) -> Result<Self, Error> {
        let id = params.get("client_id").ok_or_else(|| refused("no client_id"))?;
        let secret = params.get("client_secret").ok_or_else(|| refused("no client authentication"))?;
        Ok(Self { method: Method::Post, readings: vec![(id.to_owned(), secret.to_owned())] })
    }

    pub(super) fn is_for(&self, client_id: &str) -> bool {
        self.readings.iter().any(|(id, _)| id == client_id)
    }

    pub(super) fn client_id(&self) -> &str {
        self.readings.first().map_or("", |(id, _)| id)
    }

    /// The client that registered this secret and this method.
    pub(super) fn judge(&self, realm: &Realm) -> Result<Arc<Client>, Error> {
        let client = self.readings.iter().find_map(|(id, _)| realm.clients.get(id));
        // compared even where there is no such client, so that the time tells nothing
        let (registered, method) = match client.map(|client| &client.authentication) {
            Some(Authentication::ClientSecretBasic(secret)) => (Some(secret), Method::Basic),
            Some(Authentication::ClientSecretPost(secret)) => (Some(secret), Method::Post),
            _ => (None, Method::Post),
        };
        let right = self.matches(registered);
        match client {
            None => Err(refused("unknown client")),
            Some(_) if !right => Err(refused("wrong secret")),
            Some(_) if self.method != method => Err(refused("not the registered method")),
            Some(client) if !client.enabled => Err(refused("the client is disabled")),
            Some(client) => Ok(Arc::clone(client)),
        }
    }

    fn matches(&self, registered: Option<&Secret>) -> bool {
        let nobody = Secret::new("");
        let secret = registered.unwrap_or(&nobody);
        let mut right = false;
        for (_, presented) in &self.readings {
            right |= secret.matches(presented);
        }
        right && registered.is_some()
    }
}
