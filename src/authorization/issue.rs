//! Minting: one authorization becomes an access token, an ID token and, for clients that may refresh, a refresh token.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Authorization, RefreshKey, RefreshToken, released};
use crate::{
    clock::Timestamp,
    jose,
    keys::KeySet,
    oauth::{Code, Error, Scope, response::TokenResponse},
    random::Random,
    realm::{Client, Realm, user::Claims},
    store::{Change, NotInserted, Table, Unavailable},
};

/// Issues and reads the tokens of one realm.
pub struct Issuer {
    realm: Arc<Realm>,
    keys: Arc<KeySet>,
    refresh_key: RefreshKey,
    authorizations: Arc<Table<Authorization>>,
    random: Random,
}

/// The claims of an access or ID token, in Keycloak's order.
#[derive(Serialize)]
struct Token<'a> {
    exp: u64,
    iat: u64,
    auth_time: u64,
    jti: String,
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    typ: &'static str,
    azp: &'a str,
    sid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_hash: Option<String>,
    #[serde(rename = "urn:openid:params:jwt:claim:rt_hash", skip_serializing_if = "Option::is_none")]
    rt_hash: Option<String>,
    #[serde(rename = "urn:openid:params:jwt:claim:auth_req_id", skip_serializing_if = "Option::is_none")]
    auth_req_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    amr: &'a [Box<str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(flatten)]
    claims: &'a Claims,
}

/// What the gateway needs to know of an access token that it issued.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AccessToken {
    typ: String,
    pub sid: String,
    pub azp: String,
    pub scope: String,
}

impl Issuer {
    pub const fn new(
        realm: Arc<Realm>,
        keys: Arc<KeySet>,
        refresh_key: RefreshKey,
        authorizations: Arc<Table<Authorization>>,
        random: Random,
    ) -> Self {
        Self { realm, keys, refresh_key, authorizations, random }
    }

    /// The realm's name.
    pub fn realm(&self) -> &str {
        &self.realm.name
    }

    /// Whether one more authorization can be kept.
    pub fn has_room(&self) -> bool {
        self.authorizations.has_room()
    }

    /// Mints the first tokens of an authorization and keeps it under `sid`. Where they are `pushed`, the ID token names the
    /// `auth_req_id` and the refresh token (CIBA Core 10.3.1).
    pub async fn issue(
        &self,
        client: &Client,
        mut authorization: Authorization,
        sid: &str,
        pushed: Option<&str>,
        now: Timestamp,
    ) -> Result<TokenResponse, Error> {
        let tokens = self.mint(client, &mut authorization, sid, pushed, now)?;
        match self.authorizations.insert(Table::<Authorization>::key(&self.realm.name, sid), authorization, &[]).await {
            Ok(()) => Ok(tokens),
            Err(NotInserted::Unavailable(fault)) => Err(fault.into()),
            Err(fault) => Err(Error::server_error(fault.to_string())),
        }
    }

    /// The tokens of `authorization` at `now`; it then knows its refresh token and its end.
    fn mint(
        &self,
        client: &Client,
        authorization: &mut Authorization,
        sid: &str,
        pushed: Option<&str>,
        now: Timestamp,
    ) -> Result<TokenResponse, Error> {
        let policy = &self.realm.tokens;
        let fault = |fault: &dyn std::fmt::Display| Error::server_error(fault.to_string());
        let claims = released(&authorization.claims, &authorization.scope);
        let expires = now.plus(policy.access_token_lifespan);
        let jti = || self.random.uuid().map_err(|e| fault(&e));
        let mut token = Token {
            exp: expires.seconds(),
            iat: now.seconds(),
            auth_time: authorization.auth_time.seconds(),
            jti: jti()?,
            iss: &self.realm.issuer,
            aud: &self.realm.issuer,
            sub: &authorization.sub,
            typ: "Bearer",
            azp: &client.client_id,
            sid,
            at_hash: None,
            rt_hash: None,
            auth_req_id: None,
            acr: authorization.acr.as_deref(),
            amr: &authorization.amr,
            scope: Some(authorization.scope.to_string()),
            claims: &claims,
        };
        let key = self.keys.for_algorithm(policy.signing_alg).map_err(|e| fault(&e))?;
        let access_token = jose::sign(key, &token).map_err(|e| fault(&e))?;

        // before the ID token, which may name it
        let mut refresh = None;
        if client.grant_types.refresh_token {
            // counted from the first tokens on: the person was told for how long the access can be renewed (I6)
            let expires_at = authorization.issued_at.plus(policy.refresh_token_lifespan);
            let jti = jti()?;
            let signed = self.refresh_key.sign(&self.realm.issuer, sid, &jti, expires_at).map_err(|e| fault(&e))?;
            refresh = Some((signed, RefreshToken { jti: jti.into(), expires_at }));
        }

        let algorithm = client.id_token_signed_response_alg.unwrap_or(policy.signing_alg);
        let key = self.keys.for_algorithm(algorithm).map_err(|e| fault(&e))?;
        token.jti = jti()?;
        token.aud = &client.client_id;
        token.typ = "ID";
        token.scope = None;
        token.at_hash = Some(jose::half_hash(algorithm, &access_token));
        token.auth_req_id = pushed;
        let hashed = refresh.as_ref().filter(|_| pushed.is_some());
        token.rt_hash = hashed.map(|(refresh_token, _)| jose::half_hash(algorithm, refresh_token));
        let id_token = jose::sign(key, &token).map_err(|e| fault(&e))?;

        let (refresh_token, refresh) = refresh.unzip();
        let last = refresh.as_ref().map_or(expires, |refresh| expires.max(refresh.expires_at));
        authorization.keep_until = authorization.keep_until.max(last);
        if refresh.is_some() {
            authorization.refresh = refresh;
        }
        Ok(TokenResponse {
            access_token,
            token_type: "Bearer",
            expires_in: policy.access_token_lifespan.as_secs(),
            refresh_token,
            id_token: Some(id_token),
            scope: authorization.scope.to_string(),
        })
    }

    /// Forgets an authorization: none of its tokens counts any more.
    pub async fn withdraw(&self, sid: &str) -> Result<(), Unavailable> {
        let key = Table::<Authorization>::key(&self.realm.name, sid);
        self.authorizations.change(key, |_| Change::Remove(())).await
    }

    /// The authorization that an access token of this realm stands for, while both count; with the token's own scope, which
    /// a refresh may have narrowed.
    pub async fn authorization(&self, token: &str, now: Timestamp) -> Result<Authorization, Error> {
        let invalid = |cause: String| Error::new(Code::InvalidToken, "The access token is not valid").because(cause);
        let issuer = &self.realm.issuer;
        let token: AccessToken =
            jose::verify_own(&self.keys, token, issuer, issuer, now).map_err(|fault| invalid(fault.to_string()))?;
        if token.typ != "Bearer" {
            return Err(invalid("not an access token".into()));
        }
        let key = Table::<Authorization>::key(&self.realm.name, &token.sid);
        let authorization = self.authorizations.get(key).await?;
        let authorization = authorization
            .filter(|authorization| *authorization.client_id == token.azp && now < authorization.keep_until)
            .ok_or_else(|| invalid("no such authorization".into()))?;
        let scope = Scope::parse(&token.scope).map_err(|fault| invalid(fault.to_string()))?;
        Ok(Authorization { scope, ..authorization })
    }

    /// The authorization that a refresh token names, whether or not the token still counts.
    pub async fn refreshable(&self, token: &str, now: Timestamp) -> Result<(String, String, Authorization), Error> {
        let named = self.refresh_key.verify(&self.realm.issuer, token, now).ok().flatten();
        let (sid, jti) = named.ok_or_else(not_refreshed)?;
        let key = Table::<Authorization>::key(&self.realm.name, &sid);
        let authorization = self.authorizations.get(key).await?.ok_or_else(not_refreshed)?;
        Ok((sid, jti, authorization))
    }

    /// Rotation (RFC 9700 4.14.2): new tokens for the refresh token that counts. One that counted before ends the
    /// authorization: somebody has a copy.
    pub async fn rotate(
        &self,
        client: &Client,
        sid: &str,
        jti: &str,
        scope: Option<&Scope>,
        now: Timestamp,
    ) -> Result<TokenResponse, Error> {
        let key = Table::<Authorization>::key(&self.realm.name, sid);
        self.authorizations
            .change(key, |authorization| {
                let Some(authorization) = authorization.filter(|a| a.client_id == client.client_id) else {
                    return Change::Keep(Err(not_refreshed()));
                };
                match &authorization.refresh {
                    Some(refresh) if *refresh.jti == *jti && now < refresh.expires_at => {}
                    Some(refresh) if *refresh.jti == *jti => return Change::Keep(Err(not_refreshed())),
                    _ => return Change::Remove(Err(not_refreshed().because("a refresh token was used again"))),
                }
                let mut next = authorization.clone();
                let granted = next.scope.clone();
                if let Some(narrower) = scope {
                    next.scope = narrower.clone();
                }
                match self.mint(client, &mut next, sid, None, now) {
                    Ok(tokens) => {
                        next.scope = granted;
                        Change::Put(next, Ok(tokens))
                    }
                    Err(error) => Change::Keep(Err(error)),
                }
            })
            .await?
    }
}

fn not_refreshed() -> Error {
    Error::new(Code::InvalidGrant, "The refresh token is not valid")
}
