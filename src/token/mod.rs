//! The token endpoint: `grant_type` decides who serves it (RFC 6749 3.2); and what becomes of the tokens: userinfo,
//! introspection, revocation, logout.

mod dpop;
mod introspection;
mod logout;
pub mod presented;
mod refresh;
mod revocation;
pub mod sender;
mod userinfo;

use std::sync::Arc;

use crate::{
    authorization::Issuer,
    ciba::Ciba,
    client_auth::AuthenticatedClient,
    clock::Timestamp,
    event::{Ended, Event, Events},
    oauth::{CIBA_GRANT_TYPE, Code, Error, Params, REFRESH_TOKEN_GRANT_TYPE, response::TokenResponse},
    realm::Realm,
    store::{Table, Used},
};

pub use self::{presented::Presented, sender::Sender, userinfo::UserInfo};

/// The tokens of one realm, from the request for them to their end.
pub struct Tokens {
    realm: Arc<Realm>,
    issuer: Arc<Issuer>,
    used: Arc<Table<Used>>,
    events: Events,
}

/// The grant types that the token endpoint knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantType {
    Ciba,
    RefreshToken,
}

impl GrantType {
    /// Judged before the client is authenticated: a request without a known grant type is none of the token endpoint's.
    pub fn of(params: &Params) -> Result<Self, Error> {
        match params.get("grant_type") {
            None => Err(Error::invalid_request("grant_type is missing")),
            Some(CIBA_GRANT_TYPE) => Ok(Self::Ciba),
            Some(REFRESH_TOKEN_GRANT_TYPE) => Ok(Self::RefreshToken),
            Some(_) => Err(Error::new(Code::UnsupportedGrantType, "This grant type is not supported")),
        }
    }
}

impl Tokens {
    pub const fn new(realm: Arc<Realm>, issuer: Arc<Issuer>, used: Arc<Table<Used>>, events: Events) -> Self {
        Self { realm, issuer, used, events }
    }

    /// Serves one token request of an authenticated client.
    pub async fn token(
        &self,
        ciba: &Ciba,
        client: &AuthenticatedClient,
        params: &Params,
        sender: &Sender<'_>,
        now: Timestamp,
    ) -> Result<TokenResponse, Error> {
        let grant_type = GrantType::of(params)?;
        let possession = self.possession(client, sender, now).await.inspect_err(|error| {
            let (realm, client) = (&*self.realm.name, Some(&*client.client_id));
            self.events.tell(Event::TokenRefused { realm, client, error });
        })?;
        match grant_type {
            GrantType::Ciba => ciba.redeem(client, params, &possession, now).await,
            // boxed, so that a poll that is held has no room for it
            GrantType::RefreshToken => Box::pin(self.refresh(ciba, client, params, &possession, now)).await,
        }
    }

    /// Ends a client's authorization, if it has not ended.
    async fn end(&self, sid: &str, client_id: &str, how: Ended) -> Result<(), Error> {
        if let Some(authorization) = self.issuer.end(sid, client_id).await? {
            self.tell_ended(client_id, &authorization.sub, sid, how);
        }
        Ok(())
    }

    fn tell_ended(&self, client: &str, sub: &str, sid: &str, how: Ended) {
        self.events.tell(Event::AuthorizationEnded { realm: &self.realm.name, client, sub, sid, how });
    }
}
