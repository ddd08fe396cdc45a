//! Discovery and keys at both styles of address.

use std::path::Path;

use realmgate::{config, realm::Realm};
use serde_json::{Value, json};

use crate::world::{PUBLIC, World};

#[tokio::test]
async fn discovery_states_one_issuer_and_the_endpoints_of_the_style_that_was_asked() {
    let world = World::new().await;
    let short = world.get("/master/.well-known/openid-configuration").await.json();
    let keycloak = world.get("/realms/master/.well-known/openid-configuration").await.json();
    for document in [&short, &keycloak] {
        assert_eq!(document["issuer"], "http://127.0.0.1:8080/master", "D1");
    }
    assert_eq!(short["token_endpoint"], "http://127.0.0.1:8080/master/token");
    assert_eq!(keycloak["token_endpoint"], "http://127.0.0.1:8080/realms/master/protocol/openid-connect/token");
    let members = |document: &Value| document.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&short), members(&keycloak));
}

/// A member, and what it is in the happy world; then in a realm of profile fapi-ciba, with types of details, to which
/// certificates can come. Nothing: it is absent.
#[tokio::test]
async fn table_of_members() {
    const FAPI: &str = r#"
profile = "fapi-ciba"
[upstream]
issuer = "https://login.example.com"
client_id = "realmgate"
[[lookups]]
kind = "sign-in"
[[authorization_details_types]]
type = "payment"
[[clients]]
client_id = "bank"
token_endpoint_auth_method = "private_key_jwt"
jwks_uri = "https://bank.example.com/jwks"
backchannel_authentication_request_signing_alg = "PS256"
tls_client_certificate_bound_access_tokens = true
scope = "openid payments"
"#;
    let asymmetric = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
    let all: Vec<_> = asymmetric.iter().chain(&["HS256", "HS384", "HS512"]).collect();
    let strong = json!(["PS256", "ES256"]);
    let secrets = json!(["private_key_jwt", "client_secret_basic", "client_secret_post", "client_secret_jwt"]);
    let keys = json!(["private_key_jwt", "self_signed_tls_client_auth"]);
    let table = [
        ("backchannel_token_delivery_modes_supported", json!(["poll", "ping", "push"]), json!(["poll", "ping"])),
        ("backchannel_authentication_request_signing_alg_values_supported", json!(asymmetric), strong.clone()), // D7
        ("backchannel_user_code_parameter_supported", json!(true), json!(false)),                               // D8
        ("id_token_signing_alg_values_supported", json!(["ES256"]), json!(["PS256"])),
        ("token_endpoint_auth_methods_supported", secrets.clone(), keys.clone()),
        ("introspection_endpoint_auth_methods_supported", secrets.clone(), keys.clone()),
        ("revocation_endpoint_auth_methods_supported", secrets, keys),
        ("token_endpoint_auth_signing_alg_values_supported", json!(all), strong.clone()),
        ("dpop_signing_alg_values_supported", json!(asymmetric), strong),
        ("tls_client_certificate_bound_access_tokens", json!(false), json!(true)),
        ("authorization_details_types_supported", Value::Null, json!(["payment"])),
        ("scopes_supported", json!(["email", "openid", "profile"]), json!(["openid", "payments"])),
        ("mtls_endpoint_aliases", Value::Null, Value::Null), // D9
        ("request_parameter_supported", json!(false), json!(false)),
        ("response_types_supported", json!([]), json!([])),
        (
            "grant_types_supported",
            json!(["urn:openid:params:grant-type:ciba", "refresh_token"]),
            json!(["urn:openid:params:grant-type:ciba", "refresh_token"]),
        ),
    ];
    let world = World::new().await;
    let plain = world.get("/master/.well-known/openid-configuration").await.json();
    let bank = config::realm_from_toml("bank", Path::new("realms/bank.toml"), FAPI, PUBLIC).unwrap().unwrap();
    let bank = Realm { client_certificates: true, ..bank };
    assert!(world.gateway.serve(vec![bank.into()], &[]).is_empty());
    let bank = world.get("/bank/.well-known/openid-configuration").await.json();
    for (member, of_plain, of_bank) in table {
        assert_eq!((&plain[member], &bank[member]), (&of_plain, &of_bank), "{member}");
    }
}

/// RFC 8414 3.1: between host and path; OpenID Connect Discovery 4.1: behind the path. Same document.
#[tokio::test]
async fn d2_metadata_is_at_every_well_known_address() {
    let world = World::new().await;
    for (base, inserted) in [("/master", "/master"), ("/realms/master", "/realms/master")] {
        let document = world.get(&format!("{base}/.well-known/openid-configuration")).await;
        for path in [
            format!("{base}/.well-known/oauth-authorization-server"),
            format!("/.well-known/oauth-authorization-server{inserted}"),
            format!("/.well-known/openid-configuration{inserted}"),
        ] {
            let other = world.get(&path).await;
            assert_eq!((other.status, other.text), (200, document.text.clone()), "{path}");
        }
    }
    for path in ["/.well-known/oauth-authorization-server/nobody", "/.well-known/other/master", "/.well-known/x"] {
        assert_eq!(world.get(path).await.status, 404, "D3 {path}");
    }
    assert_eq!(world.form("/.well-known/oauth-authorization-server/master", &[]).await.status, 405, "D4");
}

#[tokio::test]
async fn every_endpoint_that_discovery_names_is_served() {
    let world = World::new().await;
    for path in ["/master/.well-known/openid-configuration", "/realms/master/.well-known/openid-configuration"] {
        let document = world.get(path).await.json();
        for (name, url) in document.as_object().unwrap() {
            let Some(path) = url.as_str().and_then(|url| url.strip_prefix("http://127.0.0.1:8080")) else { continue };
            if name != "issuer" {
                assert_ne!(world.get(path).await.status, 404, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn d13_keys_are_public_and_differ() {
    let world = World::new().await;
    let keys = world.get("/master/jwks").await.json();
    assert_eq!(keys, world.get("/realms/master/protocol/openid-connect/certs").await.json());
    let keys = keys["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    for key in keys {
        assert!(["d", "p", "q", "dp", "dq", "qi", "k"].iter().all(|private| key.get(private).is_none()));
        assert_eq!((&key["use"], &key["alg"], &key["crv"]), (&"sig".into(), &"ES256".into(), &"P-256".into()));
    }
}
