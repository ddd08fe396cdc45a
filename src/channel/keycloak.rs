//! Keycloak's HTTP authentication channel: a device service is asked, asks the person in its own way, and calls back with
//! the bearer token that it was given. It vouches for the person; the gateway sees no sign-in.
//!
//! The bearer is a JWT as Keycloak's whose `jti` is the channel token (I1). [`verify_bearer`] is for the callback, which is
//! not served here. Nothing is tried again, and no redirect is followed, as in Keycloak.

use std::sync::Arc;

use http::{StatusCode, header};
use serde::{Deserialize, de::IgnoredAny};
use url::Url;

use super::{Ask, NotAsked};
use crate::{
    clock::Timestamp,
    http::{Http, Limit},
    jose,
    keycloak::channel::{BEARER, BearerClaims, DelegationRequest},
    keys::{Algorithm, KeySet},
    realm::Realm,
};

pub(super) const NAME: &str = "keycloak";

pub(super) struct Keycloak {
    issuer: String,
    url: Url,
    signing_alg: Algorithm,
    keys: Arc<KeySet>,
    http: Http,
}

impl Keycloak {
    pub(super) fn new(realm: &Realm, url: Url, keys: Arc<KeySet>, http: Http) -> Self {
        Self { issuer: realm.issuer.clone(), url, signing_alg: realm.tokens.signing_alg, keys, http }
    }

    /// Done when the device service has answered 201.
    pub(super) async fn ask(&self, request: &Ask<'_>) -> Result<(), NotAsked> {
        let not_sent = |cause: String| NotAsked::NotSent(format!("device service: {cause}"));
        let sub =
            request.user.sub.as_deref().ok_or_else(|| not_sent("the user has no sub before the sign-in".into()))?;
        let claims = &request.user.claims;
        let body = DelegationRequest {
            scope: &request.scope.to_string(),
            binding_message: request.binding_message,
            login_hint: claims.preferred_username.as_deref().or(claims.email.as_deref()).unwrap_or(sub),
            is_consent_required: false,
            acr_values: request.acr_values,
            additional: request.additional,
        };
        let body = serde_json::to_vec(&body).map_err(|error| not_sent(error.to_string()))?;
        let bearer = self.bearer(request, sub).map_err(not_sent)?;
        let post = self
            .http
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .bearer_auth(bearer)
            .body(body);
        match self.http.status(post, Limit::DELIVERY).await {
            Ok(StatusCode::CREATED) => Ok(()),
            Ok(status) => Err(NotAsked::Unexpected(status.as_u16())),
            Err(fault) => Err(not_sent(fault.to_string())),
        }
    }

    fn bearer(&self, request: &Ask<'_>, sub: &str) -> Result<String, String> {
        let key = self.keys.for_algorithm(self.signing_alg).map_err(|error| error.to_string())?;
        let claims = BearerClaims {
            exp: request.expires.seconds(),
            iat: request.now.seconds(),
            jti: request.channel_token,
            iss: &self.issuer,
            aud: &self.issuer,
            sub,
            typ: BEARER,
            azp: &request.client.client_id,
        };
        jose::sign(key, &claims).map_err(|error| error.to_string())
    }
}

/// What a verified bearer of a callback says.
#[derive(Debug, PartialEq, Eq)]
pub struct ChannelBearer {
    /// The channel token, by which the request is found.
    pub jti: String,
    /// The client that asked.
    pub azp: String,
    /// The user that was asked.
    pub sub: String,
}

/// The bearer is none that a device service was given, or has expired.
#[derive(Debug, thiserror::Error)]
pub enum NotVerified {
    #[error(transparent)]
    Token(#[from] jose::NotVerified),
    #[error("the token is not one of a channel")]
    OtherUse,
}

/// Verifies the bearer of a callback to the realm with this issuer. Access tokens are signed with the same keys and have the
/// same `typ`, but name an authorization (`sid`) and a scope, which a channel's token never does; a client must not be able
/// to decide with one (I7).
pub fn verify_bearer(keys: &KeySet, issuer: &str, token: &str, now: Timestamp) -> Result<ChannelBearer, NotVerified> {
    #[derive(Deserialize)]
    struct Claims {
        typ: String,
        jti: String,
        azp: String,
        sub: String,
        sid: Option<IgnoredAny>,
        scope: Option<IgnoredAny>,
    }
    let claims: Claims = jose::verify_own(keys, token, issuer, issuer, now)?;
    if claims.typ != BEARER || claims.sid.is_some() || claims.scope.is_some() {
        return Err(NotVerified::OtherUse);
    }
    Ok(ChannelBearer { jti: claims.jti, azp: claims.azp, sub: claims.sub })
}
