//! Reading tokens that this realm issued, and ending what they stand for. A token counts while its signature, its time and
//! the authorization that it names by `sid` say so: the token alone never does.

use std::sync::Arc;

use super::{Authorization, Confirmation, Issuer};
use crate::{
    clock::Timestamp,
    jose::{self, Claims, NotVerified},
    oauth::Scope,
    store::{Change, Table, Unavailable},
};

/// An access token that counts.
pub struct AccessToken {
    /// As the token has them.
    pub claims: Arc<Claims>,
    pub sid: String,
    pub bound_to: Confirmation,
    /// With the token's own scope, which a refresh may have narrowed.
    pub authorization: Authorization,
}

/// A refresh token of this realm whose authorization lives. It may have been used already.
pub struct PresentedRefreshToken {
    pub sid: String,
    pub jti: String,
    pub issued_at: Timestamp,
    pub authorization: Authorization,
}

/// What an ID token of this realm says of its origin. It may have expired.
pub struct IdToken {
    pub sid: String,
    pub client_id: String,
}

/// Why a token does not count.
#[derive(Debug, thiserror::Error)]
pub enum NotCounted {
    #[error(transparent)]
    Invalid(#[from] NotVerified),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl PresentedRefreshToken {
    /// Whether it is the one that can be exchanged now.
    pub fn counts(&self, now: Timestamp) -> bool {
        let current = self.authorization.refresh.as_ref();
        current.is_some_and(|refresh| *refresh.jti == *self.jti && now < refresh.expires_at)
    }
}

impl Issuer {
    pub async fn access_token(&self, token: &str, now: Timestamp) -> Result<AccessToken, NotCounted> {
        let claims = self.own_tokens.verify(token)?;
        is_of_type(&claims, "Bearer")?;
        if !claims.audience()?.contains(&self.realm.issuer) {
            return Err(NotVerified::because("for another audience").into());
        }
        if claims.time("exp")?.is_none_or(|expires| expires <= now) {
            return Err(NotVerified::because("expired").into());
        }
        let (sid, azp, scope) = (text(&claims, "sid")?, text(&claims, "azp")?, text(&claims, "scope")?);
        let scope = Scope::parse(scope).map_err(|_| NotVerified::because("scope"))?;
        let bound_to = match claims.get("cnf") {
            None => Confirmation::default(),
            Some(cnf) => serde_json::from_value(cnf.clone()).map_err(|_| NotVerified::because("cnf"))?,
        };
        let authorization = self.living(sid, now).await?;
        if *authorization.client_id != *azp {
            return Err(NotVerified::because("of another client").into());
        }
        let sid = sid.to_owned();
        Ok(AccessToken { claims, sid, bound_to, authorization: Authorization { scope, ..authorization } })
    }

    pub async fn refresh_token(&self, token: &str, now: Timestamp) -> Result<PresentedRefreshToken, NotCounted> {
        let named = self.refresh_key.verify(&self.realm.issuer, token)?;
        if named.exp <= now.seconds() {
            return Err(NotVerified::because("expired").into());
        }
        let authorization = self.living(&named.sid, now).await?;
        let issued_at = Timestamp::from_seconds(named.iat);
        Ok(PresentedRefreshToken { sid: named.sid, jti: named.jti, issued_at, authorization })
    }

    /// The `sid` of a refresh token of this realm, whether or not it still counts for anything.
    pub fn sid_of_refresh_token(&self, token: &str) -> Result<String, NotVerified> {
        self.refresh_key.verify(&self.realm.issuer, token).map(|named| named.sid)
    }

    pub fn id_token(&self, token: &str) -> Result<IdToken, NotVerified> {
        let claims = jose::verify_own(&self.keys, token, &self.realm.issuer)?;
        is_of_type(&claims, "ID")?;
        let client_id = text(&claims, "azp")?.to_owned();
        if !claims.audience()?.contains(&client_id) {
            return Err(NotVerified::because("for another audience"));
        }
        Ok(IdToken { sid: text(&claims, "sid")?.to_owned(), client_id })
    }

    /// The authorization of this `sid`, if there is one.
    pub async fn authorization(&self, sid: &str) -> Result<Option<Authorization>, Unavailable> {
        self.authorizations.get(Table::<Authorization>::key(&self.realm.name, sid)).await
    }

    /// Ends a client's authorization: none of its tokens counts any more. What ended, if there was one.
    pub async fn end(&self, sid: &str, client_id: &str) -> Result<Option<Authorization>, Unavailable> {
        let key = Table::<Authorization>::key(&self.realm.name, sid);
        let end = |authorization: Option<&Authorization>| match authorization.filter(|a| *a.client_id == *client_id) {
            Some(authorization) => Change::Remove(Some(authorization.clone())),
            None => Change::Keep(None),
        };
        self.authorizations.change(key, end).await
    }

    async fn living(&self, sid: &str, now: Timestamp) -> Result<Authorization, NotCounted> {
        let authorization = self.authorization(sid).await?.filter(|authorization| now < authorization.keep_until);
        Ok(authorization.ok_or(NotVerified::because("no such authorization"))?)
    }
}

fn is_of_type(claims: &Claims, typ: &str) -> Result<(), NotVerified> {
    if claims.text("typ")? == Some(typ) { Ok(()) } else { Err(NotVerified::because("a token of another type")) }
}

fn text<'c>(claims: &'c Claims, name: &'static str) -> Result<&'c str, NotVerified> {
    claims.text(name)?.ok_or(NotVerified::because(name))
}
