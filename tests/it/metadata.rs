//! Discovery and keys at both styles of address.

use crate::world::World;

#[tokio::test]
async fn discovery_states_one_issuer_and_the_endpoints_of_the_style_that_was_asked() {
    let world = World::new().await;
    let short = world.get("/master/.well-known/openid-configuration").await.json();
    let keycloak = world.get("/realms/master/.well-known/openid-configuration").await.json();
    for document in [&short, &keycloak] {
        assert_eq!(document["issuer"], "http://127.0.0.1:8080/master");
        assert_eq!(document["backchannel_token_delivery_modes_supported"], serde_json::json!(["poll", "ping", "push"]));
        assert_eq!(document["backchannel_user_code_parameter_supported"], true, "D8");
        for absent in [
            "backchannel_authentication_request_signing_alg_values_supported",
            "mtls_endpoint_aliases",
            "introspection_endpoint",
        ] {
            assert!(document.get(absent).is_none(), "{absent} does not work");
        }
    }
    assert_eq!(short["token_endpoint"], "http://127.0.0.1:8080/master/token");
    assert_eq!(keycloak["token_endpoint"], "http://127.0.0.1:8080/realms/master/protocol/openid-connect/token");
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
