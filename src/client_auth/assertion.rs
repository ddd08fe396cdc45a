//! `client_secret_jwt` and `private_key_jwt`: a JWT about the client by the client (RFC 7523 2.2 and 3, RFC 7521 4.2, OpenID
//! Connect Core 9). It counts once (RFC 7519 4.1.7), for one realm.

use std::{sync::Arc, time::Duration};

use super::refused;
use crate::{
    clock::Timestamp,
    jose::{Audience, Claims, Jws, JwsAlgorithm, LEEWAY, NotVerified, RemoteKeys},
    oauth::{Error, Params},
    realm::{Client, Endpoint, Realm, Style, client::Authentication},
    secret::Secret,
    store::{LONGEST_JTI, NotUsed, Table, Used},
};

/// RFC 7523 2.2.
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// `typ` of assertions that say what they are; older ones say `JWT` or nothing. A request object, an access token or a logout
/// token is no assertion, whoever signed it (RFC 8725 3.11).
const TYP: [&str; 2] = ["JWT", "client-authentication+jwt"];
/// How far ahead `exp` may be: for this long at most a `jti` must be remembered.
const LONGEST_LIFE: Duration = Duration::from_secs(60 * 60);

/// An assertion as it was sent.
pub(super) struct Presented<'a> {
    jws: Jws<'a>,
    /// `iss`, not verified: whose key is tried.
    client_id: String,
}

impl<'a> Presented<'a> {
    pub(super) fn of(params: &'a Params) -> Result<Self, Error> {
        let text = params.get("client_assertion").ok_or_else(|| refused("client_assertion_type alone"))?;
        if params.get("client_assertion_type") != Some(TYPE) {
            return Err(refused("client_assertion_type"));
        }
        let jws = Jws::parse(text).map_err(|fault| refused(fault.to_string()))?;
        let client_id = jws.claimed_issuer().ok_or_else(|| refused("the assertion has no iss"))?;
        if params.get("client_id").is_some_and(|sent| sent != client_id) {
            return Err(refused("client_id is not the assertion's iss"));
        }
        Ok(Self { jws, client_id })
    }

    pub(super) fn client_id(&self) -> &str {
        &self.client_id
    }

    pub(super) const fn is_by_secret(&self) -> bool {
        self.jws.algorithm().is_symmetric()
    }
}

/// Judges assertions of one realm's clients.
pub(super) struct Assertions {
    realm: Arc<Realm>,
    used: Arc<Table<Used>>,
    keys: RemoteKeys,
    /// What `aud` may name.
    audiences: Vec<String>,
}

impl Assertions {
    pub(super) fn new(realm: Arc<Realm>, used: Arc<Table<Used>>, keys: RemoteKeys) -> Self {
        let mut audiences = vec![realm.issuer.clone()];
        for style in [Style::Short, Style::Keycloak] {
            let endpoints = [Endpoint::Token, Endpoint::BackchannelAuthentication];
            audiences.extend(endpoints.map(|endpoint| realm.addresses.of(endpoint, style)));
        }
        Self { realm, used, keys, audiences }
    }

    /// The client that made the assertion, which does not count again.
    pub(super) async fn judge(&self, presented: &Presented<'_>, now: Timestamp) -> Result<Arc<Client>, Error> {
        let not_accepted = |fault: NotVerified| refused(fault.to_string());
        let client = self.realm.clients.get(&presented.client_id);
        let claims = self.signed_by(client, &presented.jws).await;
        let client = client.ok_or_else(|| refused("unknown client"))?;
        let claims = claims.map_err(not_accepted)?;
        let (jti, expires) = self.accepted(&claims, client, now).map_err(not_accepted)?;
        if !client.enabled {
            return Err(refused("the client is disabled"));
        }
        let until = expires.plus(LEEWAY);
        match self.used.use_up("assertion", &self.realm.name, &client.client_id, jti, until).await {
            Ok(()) => Ok(Arc::clone(client)),
            Err(again @ NotUsed::Again) => Err(refused(again.to_string())),
            Err(fault) => Err(Error::unavailable(fault.to_string())),
        }
    }

    /// The claims, if they were signed as the client registered.
    async fn signed_by(&self, client: Option<&Arc<Client>>, jws: &Jws<'_>) -> Result<Claims, NotVerified> {
        if jws.has_typ() && !TYP.iter().any(|typ| jws.is_typ(typ)) {
            return Err(NotVerified::because("typ"));
        }
        let method = client.map(|client| &client.authentication);
        if jws.algorithm().is_symmetric() {
            return signed_with_secret(method, jws);
        }
        let Some(Authentication::PrivateKeyJwt(only)) = method else {
            return Err(NotVerified::because("not the registered method"));
        };
        let allowed = self.realm.profile.restrictions().client_algorithms;
        if !allowed.contains(&jws.algorithm()) || !is_registered(*only, jws) {
            return Err(NotVerified::because("not the registered algorithm"));
        }
        let keys = client.and_then(|client| client.keys.as_ref());
        self.keys.verify(keys.ok_or(NotVerified::because("the client has no keys"))?, jws).await
    }

    /// RFC 7523 3: its `jti` and `exp`.
    fn accepted<'c>(
        &self,
        claims: &'c Claims,
        client: &Client,
        now: Timestamp,
    ) -> Result<(&'c str, Timestamp), NotVerified> {
        let client_id = Some(&*client.client_id);
        if claims.text("iss")? != client_id || claims.text("sub")? != client_id {
            return Err(NotVerified::because("iss and sub are not the client"));
        }
        if !self.is_audience(&claims.audience()?) {
            return Err(NotVerified::because("aud is another"));
        }
        let expires = claims.are_of_now(now, LONGEST_LIFE)?;
        let jti = claims.text("jti")?.filter(|jti| (1..=LONGEST_JTI).contains(&jti.len()));
        Ok((jti.ok_or(NotVerified::because("jti"))?, expires))
    }

    /// Compared byte for byte (CVE-2025-27370): a part of an address, or another realm's, is none of ours.
    fn is_audience(&self, audience: &Audience<'_>) -> bool {
        if self.realm.strict_audience {
            return *audience == Audience::One(&self.realm.issuer);
        }
        self.audiences.iter().any(|ours| audience.contains(ours))
    }
}

fn signed_with_secret(method: Option<&Authentication>, jws: &Jws<'_>) -> Result<Claims, NotVerified> {
    let (secret, only) = match method {
        Some(Authentication::ClientSecretJwt(secret, only)) => (Some(secret), *only),
        _ => (None, None),
    };
    // verified even where there is no such secret, so that the time tells nothing
    let claims = jws.verify_hmac(secret.unwrap_or(&Secret::new("")));
    let secret = secret.ok_or(NotVerified::because("not the registered method"))?;
    if !is_registered(only, jws) || secret.reveal().len() < jws.algorithm().least_secret() {
        return Err(NotVerified::because("not the registered algorithm"));
    }
    claims
}

fn is_registered(only: Option<JwsAlgorithm>, jws: &Jws<'_>) -> bool {
    only.is_none_or(|only| only == jws.algorithm())
}
