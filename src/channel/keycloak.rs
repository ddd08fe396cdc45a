//! Keycloak's HTTP authentication channel: a device service is asked, asks the person in its own way, and calls back with
//! the bearer token that it was given. It vouches for the person; the gateway sees no sign-in.
//!
//! The bearer is a JWT as Keycloak's, with a new identifier as `jti` (I1). The callback finds its request by the digest of
//! the whole token, so whatever was not issued, to the letter, finds nothing: neither a forged token nor an access token.
//! Nothing is tried again, and no redirect is followed, as in Keycloak.

use std::sync::Arc;

use http::{StatusCode, header};
use url::Url;

use super::{Ask, NotAsked};
use crate::{
    clock::Timestamp,
    http::{Http, Limit, Trust},
    jose,
    keycloak::channel::{BEARER, BearerClaims, DelegationRequest},
    keys::{Algorithm, KeySet},
    realm::{Client, Realm},
};

pub(super) const NAME: &str = "keycloak";

pub(super) struct Keycloak {
    url: Url,
    http: Http,
}

impl Keycloak {
    pub(super) const fn new(url: Url, http: Http) -> Self {
        Self { url, http }
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
            authorization_details: request.authorization_details,
            additional: request.additional,
        };
        let body = serde_json::to_vec(&body).map_err(|error| not_sent(error.to_string()))?;
        let bearer = request.bearer.ok_or_else(|| not_sent("there is no token to call back with".into()))?;
        let post = self
            .http
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .bearer_auth(bearer)
            .body(body);
        match self.http.status(post, Limit::DELIVERY, Trust::Configured).await {
            Ok(StatusCode::CREATED) => Ok(()),
            Ok(status) => Err(NotAsked::Unexpected(status.as_u16())),
            Err(fault) => Err(not_sent(fault.to_string())),
        }
    }
}

/// Makes the tokens with which a realm's device services call back.
pub(super) struct Bearers {
    issuer: String,
    signing_alg: Algorithm,
    keys: Arc<KeySet>,
}

impl Bearers {
    pub(super) fn new(realm: &Realm, keys: Arc<KeySet>) -> Self {
        Self { issuer: realm.issuer.clone(), signing_alg: realm.tokens.signing_alg, keys }
    }

    pub(super) fn sign(
        &self,
        client: &Client,
        sub: &str,
        jti: &str,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<String, jose::NotSigned> {
        let key = self.keys.for_algorithm(self.signing_alg).map_err(|fault| jose::NotSigned::because(&fault))?;
        let claims = BearerClaims {
            exp: expires.seconds(),
            iat: now.seconds(),
            jti,
            iss: &self.issuer,
            aud: &self.issuer,
            sub,
            typ: BEARER,
            azp: &client.client_id,
        };
        jose::sign(key, &claims)
    }
}
