//! The token endpoint (RFC 6749 4.1.3, OpenID Connect Core 3.1.3): `client_secret_basic` or `client_secret_post`, then a
//! code for an ID token and an access token.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::header;
use serde_json::{Map, Value, json};
use warp::reply::Response;

use super::{Access, Provider, Registration, code};
use crate::{
    demo::{call::Call, people::Person, reply},
    jose,
    keys::Algorithm,
    oauth::{AuthorizationDetails, Code, Error, Params, Scope, params::decode, response::TokenResponse},
    secret::{Digest, Secret},
};

/// Of both tokens, in seconds.
const LIFE: u64 = 300;

/// Nothing about the person was checked; the word for it is the demo's own.
pub(super) const ACR: &str = "1";

impl Provider {
    pub(super) async fn token(&self, call: &Call) -> Result<Response, Error> {
        let now = self.clock.now();
        let form = call.form()?;
        let client = self.client(call, &form)?;
        match form.get("grant_type") {
            Some("authorization_code") => {}
            Some(_) => return Err(Error::new(Code::UnsupportedGrantType, "The grant type is not supported")),
            None => return Err(Error::invalid_request("grant_type is missing")),
        }
        let sent = |name| form.get(name).ok_or_else(|| Error::invalid_request(format!("{name} is missing")));
        let (code, redirect_uri, verifier) = (sent("code")?, sent("redirect_uri")?, sent("code_verifier")?);
        let invalid = |description| Error::new(Code::InvalidGrant, description);
        let code = self
            .spend(code, &client.client_id)
            .await?
            .filter(|code| now < code.expires_at)
            .ok_or_else(|| invalid("The code is not known, used or expired"))?;
        if code.redirect_uri != redirect_uri {
            return Err(invalid("The redirect_uri is not that of the code"));
        }
        if !Secret::new(Digest::of(verifier.as_bytes()).base64url()).matches(&code.code_challenge) {
            return Err(invalid("The code_verifier does not fit"));
        }
        let person = self.able(&code.sub).ok_or_else(|| invalid("The account is disabled"))?;
        let access = Access {
            sub: code.sub.clone(),
            scope: code.scope.clone(),
            expires_at: now.plus(Duration::from_secs(LIFE)),
        };
        let access = serde_json::to_vec(&access).map_err(|error| Error::server_error(error.to_string()))?;
        let access_token =
            self.sealer.seal("access token", &access).map_err(|error| Error::server_error(error.to_string()))?;
        let id_token = self.id_token(client, &code, person, &access_token, now.seconds())?;
        Ok(reply::json(&TokenResponse {
            access_token,
            token_type: "Bearer",
            expires_in: LIFE,
            refresh_token: None,
            id_token: Some(id_token),
            scope: code.scope.to_string(),
            authorization_details: AuthorizationDetails::default(),
        }))
    }

    fn id_token(
        &self,
        client: &Registration,
        code: &code::Code,
        person: &Person,
        access_token: &str,
        now: u64,
    ) -> Result<String, Error> {
        let mut claims = claims(person, &code.scope);
        for (name, value) in [
            ("iss", json!(self.issuer)),
            ("aud", json!(client.client_id)),
            ("iat", json!(now)),
            ("exp", json!(now + LIFE)),
            ("auth_time", json!(code.auth_time.seconds())),
            ("acr", json!(ACR)),
            ("amr", json!(["demo"])),
            ("at_hash", json!(jose::half_hash(Algorithm::ES256, access_token))),
        ] {
            claims.insert(name.to_owned(), value);
        }
        if let Some(nonce) = &code.nonce {
            claims.insert("nonce".to_owned(), json!(nonce));
        }
        let key = self.keys.for_algorithm(Algorithm::ES256).map_err(|error| Error::server_error(error.to_string()))?;
        jose::sign(key, &claims).map_err(|error| Error::server_error(error.to_string()))
    }

    /// Who is calling: by exactly one of the two methods (RFC 6749 2.3).
    fn client(&self, call: &Call, form: &Params) -> Result<&Registration, Error> {
        let invalid = || Error::new(Code::InvalidClient, "The client is not known or its secret is wrong");
        let (client_id, secret) = match (call.header(header::AUTHORIZATION.as_str()), form.get("client_secret")) {
            (Some(_), Some(_)) => return Err(Error::invalid_request("Two ways of client authentication")),
            (Some(header), None) => basic(header).ok_or_else(invalid)?,
            (None, Some(secret)) => (form.get("client_id").ok_or_else(invalid)?.to_owned(), secret.to_owned()),
            (None, None) => return Err(invalid()),
        };
        if form.get("client_id").is_some_and(|other| other != client_id) {
            return Err(Error::invalid_request("The client_id is not that of the client"));
        }
        self.registration(&client_id)
            .filter(|registration| registration.client_secret.matches(&secret))
            .ok_or_else(invalid)
    }
}

/// RFC 6749 2.3.1: both parts are form-encoded before they are joined.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let credentials = STANDARD.decode(credentials.trim()).ok()?;
    let at = credentials.iter().position(|byte| *byte == b':')?;
    Some((decode(&credentials[..at]).ok()?, decode(&credentials[at + 1..]).ok()?))
}

/// What `scope` says about the person (OpenID Connect Core 5.4).
pub(super) fn claims(person: &Person, scope: &Scope) -> Map<String, Value> {
    let mut claims = Map::new();
    claims.insert("sub".to_owned(), json!(person.sub));
    if scope.contains("profile") {
        claims.insert("name".to_owned(), json!(person.name));
        claims.insert("preferred_username".to_owned(), json!(person.sub));
    }
    if scope.contains("email") {
        claims.insert("email".to_owned(), json!(person.email));
        claims.insert("email_verified".to_owned(), json!(true));
    }
    claims
}
