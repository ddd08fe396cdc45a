//! Discovery documents (OpenID Connect Discovery 3, CIBA Core 4). Every member is true: nothing is published that does not
//! work. The issuer is the realm's one; endpoints are in the style that was asked.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    keys::KeySet,
    oauth::GRANT_TYPES,
    realm::{Endpoint, Profile, Realm, Style},
};

/// The document of a realm in one style.
pub fn discovery(realm: &Realm, keys: &KeySet, style: Style) -> Value {
    let at = |endpoint| realm.addresses.of(endpoint, style);
    let algorithms: BTreeSet<&str> = keys.algorithms().map(|algorithm| algorithm.as_str()).collect();
    let scopes: BTreeSet<&str> = realm.clients.values().flat_map(|client| client.scope.iter()).collect();
    let mut claims = vec!["iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr", "azp", "sid"];
    if scopes.contains("profile") {
        claims.extend(["name", "given_name", "family_name", "preferred_username", "locale"]);
    }
    if scopes.contains("email") {
        claims.extend(["email", "email_verified"]);
    }
    if scopes.contains("phone") {
        claims.extend(["phone_number", "phone_number_verified"]);
    }
    let user_codes = realm.clients.values().any(|client| client.backchannel_user_code_parameter);
    json!({
        "issuer": realm.issuer,
        "token_endpoint": at(Endpoint::Token),
        "userinfo_endpoint": at(Endpoint::Userinfo),
        "jwks_uri": at(Endpoint::Jwks),
        "backchannel_authentication_endpoint": at(Endpoint::BackchannelAuthentication),
        "backchannel_token_delivery_modes_supported": delivery_modes(realm.profile),
        "backchannel_user_code_parameter_supported": user_codes,
        "grant_types_supported": GRANT_TYPES,
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algorithms,
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": scopes,
        "claims_supported": claims,
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    })
}

/// FAPI-CIBA 5.2.2 forbids push.
const fn delivery_modes(profile: Profile) -> &'static [&'static str] {
    match profile {
        Profile::Standard => &["poll", "ping", "push"],
        Profile::FapiCiba => &["poll", "ping"],
    }
}
