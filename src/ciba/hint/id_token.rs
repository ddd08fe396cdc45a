//! `id_token_hint` (CIBA Core 7.1, OpenID Connect Core 3.1.2.2): an ID token that this realm issued to the calling client, or
//! that the upstream issued to the gateway. It may have expired, but not long ago.

use std::time::Duration;

use super::{Hints, Named, can_be_looked_up};
use crate::{
    clock::Timestamp,
    jose::{self, Audience, Claims, Jws, LEEWAY, NotVerified},
    oauth::Error,
    realm::Client,
    upstream::NotItsToken,
};

/// For how long after its expiry an ID token is still a hint.
const GOOD_AFTER_EXPIRY: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl Hints {
    pub(super) async fn id_token(&self, client: &Client, token: &str, now: Timestamp) -> Result<Named<'static>, Error> {
        let jws = Jws::parse(token).map_err(refused)?;
        // an access token, a logout token, a request object (RFC 8725 3.11)
        if !jws.is_untyped() {
            return Err(refused(NotVerified::because("typ")));
        }
        let issuer = jws.claimed_issuer().unwrap_or_default();
        let upstream = self.upstream.as_ref().filter(|upstream| upstream.issuer() == issuer);
        let (claims, issued_to) = if issuer == self.realm.issuer {
            (jose::verify_own(&self.keys, token, &self.realm.issuer).map_err(refused)?, &*client.client_id)
        } else if let Some(upstream) = upstream {
            let claims = upstream.verify_hint(&jws).await.map_err(|fault| match fault {
                NotItsToken::Refused(fault) => refused(fault),
                NotItsToken::Unavailable(fault) => Error::unavailable(format!("id_token_hint: {fault}")),
            })?;
            (claims, upstream.client_id())
        } else {
            return Err(refused(NotVerified::because("its issuer is neither this realm nor the upstream")));
        };
        subject(&claims, &issuer, issued_to, now).map(Named::Sub).map_err(refused)
    }
}

/// The `sub` of genuine claims, if they are an ID token's of this issuer for this client.
fn subject(claims: &Claims, issuer: &str, client_id: &str, now: Timestamp) -> Result<String, NotVerified> {
    let refused = NotVerified::because;
    if claims.text("iss")? != Some(issuer) {
        return Err(refused("iss"));
    }
    is_issued_to(client_id, &claims.audience()?, claims.text("azp")?)?;
    // the realm's tokens and Keycloak's say here what they are; a logout token holds `events`, and no ID token does
    if claims.text("typ")?.is_some_and(|typ| typ != "ID") || claims.get("events").is_some() {
        return Err(refused("no ID token"));
    }
    let expires = claims.time("exp")?.ok_or_else(|| refused("exp"))?;
    if expires.plus(GOOD_AFTER_EXPIRY) <= now {
        return Err(refused("expired too long ago"));
    }
    if claims.time("iat")?.is_none_or(|iat| iat > now.plus(LEEWAY)) {
        return Err(refused("iat"));
    }
    let sub = claims.text("sub")?.filter(|sub| can_be_looked_up(sub));
    sub.map(str::to_owned).ok_or_else(|| refused("sub"))
}

/// OpenID Connect Core 3.1.3.7: where a token is for several, `azp` says for whom it was issued.
fn is_issued_to(client_id: &str, audience: &Audience<'_>, azp: Option<&str>) -> Result<(), NotVerified> {
    let several = matches!(audience, Audience::List(all) if all.len() > 1);
    match azp {
        _ if !audience.contains(client_id) => Err(NotVerified::because("aud")),
        Some(azp) if azp != client_id => Err(NotVerified::because("azp")),
        None if several => Err(NotVerified::because("no azp beside several aud")),
        _ => Ok(()),
    }
}

fn refused(fault: NotVerified) -> Error {
    Error::invalid_request(format!("id_token_hint is not accepted: {}", fault.reason()))
}
