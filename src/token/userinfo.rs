//! UserInfo (OpenID Connect Core 5.3): the claims of the authorization that an access token stands for.

use serde::Serialize;

use crate::{
    authorization::{Issuer, released},
    clock::Timestamp,
    oauth::{Code, Error, error::Challenge},
    realm::{Realm, user::Claims},
};

/// The reply: `sub` and what the scope releases.
#[derive(Debug, Serialize)]
pub struct UserInfo {
    pub sub: Box<str>,
    #[serde(flatten)]
    pub claims: Claims,
}

/// `authorization` is the header of that name.
pub async fn userinfo(
    realm: &Realm,
    issuer: &Issuer,
    authorization: Option<&str>,
    now: Timestamp,
) -> Result<(String, UserInfo), Error> {
    let token = bearer(authorization)?;
    let authorization = issuer.authorization(token, now).await?;
    let client = realm.clients.get(&*authorization.client_id).filter(|client| client.enabled);
    if client.is_none() {
        return Err(Error::new(Code::InvalidToken, "The access token is not valid").because("the client is gone"));
    }
    if !authorization.scope.contains("openid") {
        return Err(Error::new(Code::InsufficientScope, "The access token lacks the scope openid"));
    }
    let claims = released(&authorization.claims, &authorization.scope);
    Ok((authorization.client_id.to_string(), UserInfo { sub: authorization.sub, claims }))
}

/// The token of an `Authorization: Bearer` header (RFC 6750 2.1).
pub fn bearer(authorization: Option<&str>) -> Result<&str, Error> {
    let missing = || {
        Error::new(Code::InvalidToken, "An access token is needed")
            .challenge_with(Challenge::Bearer)
            .because("no bearer token")
    };
    let (scheme, token) = authorization.and_then(|header| header.split_once(' ')).ok_or_else(missing)?;
    if !scheme.eq_ignore_ascii_case("Bearer") || token.trim().is_empty() {
        return Err(missing());
    }
    Ok(token.trim())
}
