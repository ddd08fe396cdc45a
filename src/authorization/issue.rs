//! Minting: one authorization becomes an access token, an ID token and, for clients that may refresh, a refresh token.

use std::sync::Arc;

use serde::Serialize;

use super::{Authorization, Confirmation, RefreshKey, RefreshToken, released};
use crate::{
    clock::Timestamp,
    jose::{self, OwnTokens},
    keys::KeySet,
    oauth::{AuthorizationDetails, Code, Error, Scope, response::TokenResponse},
    random::Random,
    realm::{Client, Realm, user::Claims},
    store::{Change, NotInserted, Table},
};

/// Issues and reads the tokens of one realm (`read`).
pub struct Issuer {
    pub(super) realm: Arc<Realm>,
    pub(super) keys: Arc<KeySet>,
    pub(super) own_tokens: OwnTokens,
    pub(super) refresh_key: RefreshKey,
    pub(super) authorizations: Arc<Table<Authorization>>,
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
    cnf: Option<&'a Confirmation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// RFC 9396 9.1
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_details: Option<&'a AuthorizationDetails>,
    #[serde(flatten)]
    claims: &'a Claims,
}

/// Why there are no new tokens for a refresh token.
#[derive(Debug)]
pub enum NotRotated {
    /// It was used before: somebody has a copy, and the authorization has ended.
    Replayed,
    Refused(Error),
}

impl Issuer {
    pub fn new(
        realm: Arc<Realm>,
        keys: Arc<KeySet>,
        refresh_key: RefreshKey,
        authorizations: Arc<Table<Authorization>>,
        random: Random,
    ) -> Self {
        let own_tokens = OwnTokens::new(Arc::clone(&keys), realm.issuer.clone());
        Self { realm, keys, own_tokens, refresh_key, authorizations, random }
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
        bound_to: &Confirmation,
        pushed: Option<&str>,
        now: Timestamp,
    ) -> Result<TokenResponse, Error> {
        let tokens = self.mint(client, &mut authorization, sid, bound_to, pushed, now)?;
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
        bound_to: &Confirmation,
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
            cnf: (!bound_to.is_empty()).then_some(bound_to),
            scope: Some(authorization.scope.to_string()),
            authorization_details: Some(&authorization.authorization_details).filter(|details| !details.is_empty()),
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
            let signed =
                self.refresh_key.sign(&self.realm.issuer, sid, &jti, now, expires_at).map_err(|e| fault(&e))?;
            refresh = Some((signed, RefreshToken { jti: jti.into(), expires_at }));
        }

        let algorithm = client.id_token_signed_response_alg.unwrap_or(policy.signing_alg);
        let key = self.keys.for_algorithm(algorithm).map_err(|e| fault(&e))?;
        token.jti = jti()?;
        token.aud = &client.client_id;
        token.typ = "ID";
        token.cnf = None;
        token.scope = None;
        token.authorization_details = None;
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
            token_type: bound_to.token_type(),
            expires_in: policy.access_token_lifespan.as_secs(),
            refresh_token,
            id_token: Some(id_token),
            scope: authorization.scope.to_string(),
            authorization_details: authorization.authorization_details.clone(),
        })
    }

    /// Rotation (RFC 9700 4.14.2): new tokens for the refresh token that counts. One that counted before ends the
    /// authorization: somebody has a copy.
    pub async fn rotate(
        &self,
        client: &Client,
        sid: &str,
        jti: &str,
        scope: Option<&Scope>,
        bound_to: &Confirmation,
        now: Timestamp,
    ) -> Result<TokenResponse, NotRotated> {
        let key = Table::<Authorization>::key(&self.realm.name, sid);
        self.authorizations
            .change(key, |authorization| {
                let refused = || Change::Keep(Err(NotRotated::Refused(not_refreshed())));
                let Some(authorization) = authorization.filter(|a| a.client_id == client.client_id) else {
                    return refused();
                };
                match &authorization.refresh {
                    Some(refresh) if *refresh.jti == *jti && now < refresh.expires_at => {}
                    Some(refresh) if *refresh.jti == *jti => return refused(),
                    _ => return Change::Remove(Err(NotRotated::Replayed)),
                }
                let mut next = authorization.clone();
                let granted = next.scope.clone();
                if let Some(narrower) = scope {
                    next.scope = narrower.clone();
                }
                match self.mint(client, &mut next, sid, bound_to, None, now) {
                    Ok(tokens) => {
                        next.scope = granted;
                        Change::Put(next, Ok(tokens))
                    }
                    Err(error) => Change::Keep(Err(NotRotated::Refused(error))),
                }
            })
            .await
            .map_err(|fault| NotRotated::Refused(fault.into()))?
    }
}

/// The refresh token does not count, for whichever reason.
pub fn not_refreshed() -> Error {
    Error::new(Code::InvalidGrant, "The refresh token is not valid")
}
