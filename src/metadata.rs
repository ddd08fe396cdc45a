//! Metadata (OpenID Connect Discovery 3, RFC 8414 2, CIBA Core 4). Every member is true: nothing is published that does not
//! work. The issuer is the realm's one; endpoints are in the style that was asked.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{
    jose::JwsAlgorithm,
    keys::KeySet,
    oauth::GRANT_TYPES,
    realm::{Endpoint, Realm, Style},
};

/// The document of a realm in one style.
pub fn discovery(realm: &Realm, keys: &KeySet, style: Style) -> Value {
    let mut document = Map::new();
    for part in [endpoints(realm, style), ciba(realm), tokens(realm, keys), client_authentication(realm), fixed()] {
        if let Value::Object(members) = part {
            document.extend(members);
        }
    }
    Value::Object(document)
}

fn endpoints(realm: &Realm, style: Style) -> Value {
    let at = |endpoint| realm.addresses.of(endpoint, style);
    json!({
        "issuer": realm.issuer,
        "authorization_endpoint": at(Endpoint::Authorization),
        "token_endpoint": at(Endpoint::Token),
        "introspection_endpoint": at(Endpoint::Introspection),
        "revocation_endpoint": at(Endpoint::Revocation),
        "userinfo_endpoint": at(Endpoint::Userinfo),
        "end_session_endpoint": at(Endpoint::Logout),
        "jwks_uri": at(Endpoint::Jwks),
        "backchannel_authentication_endpoint": at(Endpoint::BackchannelAuthentication),
    })
}

/// CIBA Core 4.
fn ciba(realm: &Realm) -> Value {
    let restrictions = realm.profile.restrictions();
    let modes: &[&str] = if restrictions.push { &["poll", "ping", "push"] } else { &["poll", "ping"] };
    json!({
        "backchannel_token_delivery_modes_supported": modes,
        "backchannel_authentication_request_signing_alg_values_supported": names(restrictions.client_algorithms),
        "backchannel_user_code_parameter_supported":
            realm.clients.values().any(|client| client.backchannel_user_code_parameter),
    })
}

fn tokens(realm: &Realm, keys: &KeySet) -> Value {
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
    let mut document = json!({
        "id_token_signing_alg_values_supported": algorithms,
        "scopes_supported": scopes,
        "claims_supported": claims,
        "dpop_signing_alg_values_supported": names(realm.profile.restrictions().client_algorithms),
        "tls_client_certificate_bound_access_tokens": realm.client_certificates,
    });
    let types: BTreeSet<&String> = realm.authorization_details_types.keys().collect();
    if !types.is_empty() {
        document["authorization_details_types_supported"] = json!(types);
    }
    document
}

/// The same for all four endpoints at which a client authenticates (CIBA Core 4 has none of its own for its endpoint).
fn client_authentication(realm: &Realm) -> Value {
    let restrictions = realm.profile.restrictions();
    let mut methods = vec!["private_key_jwt"];
    let mut algorithms = names(restrictions.client_algorithms);
    if restrictions.client_secrets {
        methods.extend(["client_secret_basic", "client_secret_post", "client_secret_jwt"]);
        algorithms.extend(names(&JwsAlgorithm::SYMMETRIC));
    }
    if realm.client_certificates {
        methods.push("self_signed_tls_client_auth");
        if realm.client_roots.is_some() {
            methods.push("tls_client_auth");
        }
    }
    let mut document = Map::new();
    for endpoint in ["token", "introspection", "revocation"] {
        document.insert(format!("{endpoint}_endpoint_auth_methods_supported"), json!(methods));
        document.insert(format!("{endpoint}_endpoint_auth_signing_alg_values_supported"), json!(algorithms));
    }
    Value::Object(document)
}

fn fixed() -> Value {
    json!({
        "grant_types_supported": GRANT_TYPES,
        // required, and empty: nobody signs in to a client by its browser
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    })
}

fn names(algorithms: &[JwsAlgorithm]) -> Vec<&'static str> {
    algorithms.iter().map(|algorithm| algorithm.as_str()).collect()
}
