//! A whole life of tokens with Python's authlib as the client: asked for, polled, verified, used, refreshed, introspected,
//! revoked.

use serde_json::{Value, json};

use crate::{
    credentials::SigningKey,
    program::Program,
    world::{BANK, World},
};

#[tokio::test]
async fn private_key_jwt_with_es256() {
    let key = SigningKey::p256();
    let client = r#"
token_endpoint_auth_method = "private_key_jwt"
token_endpoint_auth_signing_alg = "ES256"
jwks_file = "keys/bank.jwks"
"#;
    let files = [("realms/keys/bank.jwks", &*key.jwks), ("bank.key", &*key.pem)];
    let mut world = World::open("", client, &files).await;
    lives(&mut world, "private_key_jwt", "bank.key").await;
    world.close();
}

#[tokio::test]
async fn client_secret_jwt() {
    let secret = "a secret of 32 bytes or somewhat more";
    let client = format!("token_endpoint_auth_method = \"client_secret_jwt\"\nclient_secret = \"{secret}\"");
    let mut world = World::open("", &client, &[("bank.secret", secret)]).await;
    lives(&mut world, "client_secret_jwt", "bank.secret").await;
    world.close();
}

/// What the client sees with this method and the credential in this file.
async fn lives(world: &mut World, method: &str, file: &str) {
    let issuer = world.issuer();
    let program = Program::start("authlib_client.py", &[&issuer, BANK, method, &world.path(file), "alice"]);
    world.decide("Approve").await;
    let saw = program.saw();

    assert_eq!(saw["asked"]["interval"], 1, "{saw}");
    let claims = &saw["id_token"];
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(issuer), &json!(BANK)), "{saw}");
    for claims in [claims, &saw["userinfo"]] {
        assert_eq!((&claims["sub"], &claims["email"]), (&json!("alice"), &json!("alice@example.com")), "{saw}");
    }
    assert_eq!(saw["refreshed"], json!(["access_token", "refresh_token"]), "{saw}");
    let introspected = &saw["introspected"];
    assert_eq!(introspected["active"], true, "{saw}");
    assert_eq!((&introspected["client_id"], &introspected["sub"]), (&json!(BANK), &json!("alice")), "{saw}");
    assert_eq!(introspected["scope"], "openid profile email", "{saw}");
    // a revoked refresh token takes its access tokens along (RFC 7009 2.1), and an inactive one is told nothing of
    assert_eq!(
        (&saw["revoked"], &saw["introspected_after"]),
        (&Value::from(200), &json!({ "active": false })),
        "{saw}"
    );
}
