//! Introspection (RFC 7662): what a token says and whether it counts, for the client that it was issued to and nobody else.
//!
//! Access tokens and refresh tokens; `token_type_hint` is not needed to tell them apart. An answer has the token's own claims
//! in Keycloak's words, and RFC 7662's beside them. Signed answers (RFC 9701) are not made.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Tokens;
use crate::{
    authorization::{AccessToken, NotCounted, PresentedRefreshToken, released},
    client_auth::AuthenticatedClient,
    clock::Timestamp,
    oauth::{Error, Params},
};

impl Tokens {
    /// # Errors
    /// `invalid_request` without a token, or trouble of ours. A token that does not count is no error.
    pub async fn introspect(
        &self,
        client: &AuthenticatedClient,
        params: &Params,
        now: Timestamp,
    ) -> Result<Map<String, Value>, Error> {
        let token = params.get("token").ok_or_else(|| Error::invalid_request("token is missing"))?;
        let described = match self.issuer.access_token(token, now).await {
            Ok(token) if token.authorization.client_id == client.client_id => Some(of_access_token(token)),
            Ok(_) => None,
            Err(NotCounted::Unavailable(fault)) => return Err(fault.into()),
            Err(NotCounted::Invalid(_)) => match self.issuer.refresh_token(token, now).await {
                Ok(token) if token.authorization.client_id == client.client_id && token.counts(now) => {
                    client.grant_types.refresh_token.then(|| self.of_refresh_token(token))
                }
                Ok(_) | Err(NotCounted::Invalid(_)) => None,
                Err(NotCounted::Unavailable(fault)) => return Err(fault.into()),
            },
        };
        Ok(described.unwrap_or_else(|| Map::from_iter([("active".to_owned(), json!(false))])))
    }

    fn of_refresh_token(&self, token: PresentedRefreshToken) -> Map<String, Value> {
        let authorization = token.authorization;
        let expires = authorization.refresh.map(|refresh| refresh.expires_at.seconds());
        let username = released(&authorization.claims, &authorization.scope).preferred_username;
        let mut members = vec![
            ("exp", json!(expires)),
            ("iat", json!(token.issued_at.seconds())),
            ("auth_time", json!(authorization.auth_time.seconds())),
            ("jti", json!(token.jti)),
            ("iss", json!(self.realm.issuer)),
            ("aud", json!(self.realm.issuer)),
            ("sub", json!(authorization.sub)),
            ("typ", json!("Refresh")),
            ("azp", json!(authorization.client_id)),
            ("sid", json!(token.sid)),
            ("acr", json!(authorization.acr)),
            ("scope", json!(authorization.scope.to_string())),
            ("client_id", json!(authorization.client_id)),
            ("username", json!(username)),
            ("active", json!(true)),
        ];
        if !authorization.authorization_details.is_empty() {
            members.push(("authorization_details", json!(authorization.authorization_details)));
        }
        let members = members.into_iter().filter(|(_, value)| !value.is_null());
        members.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn of_access_token(token: AccessToken) -> Map<String, Value> {
    let mut members = Arc::unwrap_or_clone(token.claims).into_map();
    let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
    add("client_id", json!(token.authorization.client_id));
    add("token_type", json!(token.bound_to.token_type()));
    add("active", json!(true));
    if let Some(name) = members.get("preferred_username").cloned() {
        members.insert("username".to_owned(), name);
    }
    members
}
