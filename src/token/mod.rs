//! The token endpoint: `grant_type` decides who serves it (RFC 6749 3.2); and userinfo.

mod refresh;
pub mod userinfo;

use crate::{
    authorization::Issuer,
    ciba::Ciba,
    client_auth::AuthenticatedClient,
    clock::Timestamp,
    event::Events,
    oauth::{CIBA_GRANT_TYPE, Code, Error, Params, REFRESH_TOKEN_GRANT_TYPE, response::TokenResponse},
};

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

/// Serves one token request of an authenticated client.
pub async fn token(
    ciba: &Ciba,
    issuer: &Issuer,
    events: &Events,
    client: &AuthenticatedClient,
    params: &Params,
    now: Timestamp,
) -> Result<TokenResponse, Error> {
    match GrantType::of(params)? {
        GrantType::Ciba => ciba.redeem(client, params, now).await,
        // boxed, so that a poll that is held has no room for it
        GrantType::RefreshToken => Box::pin(refresh::refresh(ciba, issuer, events, client, params, now)).await,
    }
}
