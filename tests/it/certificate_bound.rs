//! docs/cases.md, certificate-bound access tokens (RFC 8705 3).

use realmgate::{ciba::decide::Decision, secret::Digest};
use serde_json::{Value, json};

use crate::{
    holder::{form_over, send_over},
    world::{Answer, CIBA, World, claims},
};

const BANK: &str = r#"
[[clients]]
client_id = "bank"
client_secret = "bank-secret-0123456789"
token_endpoint_auth_method = "client_secret_post"
grant_types = ["urn:openid:params:grant-type:ciba", "refresh_token"]
tls_client_certificate_bound_access_tokens = true
"#;
const CREDENTIALS: [(&str, &str); 2] = [("client_id", "bank"), ("client_secret", "bank-secret-0123456789")];
/// What a connection's certificate is does not matter here: the handshake has proved it.
const CERTIFICATE: Option<&[u8]> = Some(b"DER of a certificate");
const ANOTHER: Option<&[u8]> = Some(b"DER of another certificate");

async fn as_bank(world: &World, certificate: Option<&[u8]>, path: &str, form: &[(&str, &str)]) -> Answer {
    form_over(world, certificate, path, &[], &[&CREDENTIALS, form].concat()).await
}

async fn ask(world: &World) -> String {
    let answer =
        as_bank(world, None, "/master/bc-authorize", &[("scope", "openid"), ("login_hint", "alice")]).await.json();
    world.decides("alice-sub", Decision::Approve).await;
    answer["auth_req_id"].as_str().unwrap().to_owned()
}

async fn poll(world: &World, certificate: Option<&[u8]>, id: &str) -> Answer {
    as_bank(world, certificate, "/master/token", &[("grant_type", CIBA), ("auth_req_id", id)]).await
}

async fn userinfo(world: &World, certificate: Option<&[u8]>, token: &Value) -> Answer {
    let bearer = format!("Bearer {}", token.as_str().unwrap());
    send_over(world, certificate, "GET", "/master/userinfo", &[("authorization", &bearer)], "").await
}

fn bound_to(certificate: Option<&[u8]>) -> Value {
    json!({"x5t#S256": Digest::of(certificate.unwrap()).base64url()})
}

#[tokio::test]
async fn k18_k33_without_a_certificate_nothing_is_spent() {
    let world = World::with(|realm| realm.push_str(BANK)).await;
    let id = ask(&world).await;
    let refused = poll(&world, None, &id).await;
    assert_eq!(refused.brief(), "401 invalid_client", "K33");
    assert_eq!(refused.header("www-authenticate"), Some(r#"Basic realm="master""#));
    let tokens = poll(&world, CERTIFICATE, &id).await.json();
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(claims(&tokens["access_token"])["cnf"], bound_to(CERTIFICATE));
    assert_eq!(claims(&tokens["id_token"]).get("cnf"), None);
}

#[tokio::test]
async fn u10_userinfo_is_for_the_same_certificate() {
    let world = World::with(|realm| realm.push_str(BANK)).await;
    let tokens = poll(&world, CERTIFICATE, &ask(&world).await).await.json();
    assert_eq!(userinfo(&world, CERTIFICATE, &tokens["access_token"]).await.status, 200);
    for certificate in [None, ANOTHER] {
        let refused = userinfo(&world, certificate, &tokens["access_token"]).await;
        assert_eq!(refused.brief(), "401 invalid_token");
        assert!(
            refused.header("www-authenticate").unwrap().starts_with(r#"Bearer realm="master", error="invalid_token""#)
        );
    }
    let unbound = world.tokens_of_bob().await;
    assert_eq!(userinfo(&world, ANOTHER, &unbound["access_token"]).await.status, 200, "bound to none");
}

/// RFC 8705 4: the refresh token is bound by client authentication, which a certificate of the same name may pass.
#[tokio::test]
async fn g8_g9_a_refreshed_token_is_bound_to_the_certificate_that_comes_with_it() {
    let world = World::with(|realm| realm.push_str(BANK)).await;
    let tokens = poll(&world, CERTIFICATE, &ask(&world).await).await.json();
    let form = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    assert_eq!(as_bank(&world, None, "/master/token", &form).await.brief(), "401 invalid_client");
    let refreshed = as_bank(&world, ANOTHER, "/master/token", &form).await.json();
    assert_eq!(claims(&refreshed["access_token"])["cnf"], bound_to(ANOTHER));
    assert_eq!(userinfo(&world, CERTIFICATE, &refreshed["access_token"]).await.brief(), "401 invalid_token");
}

#[tokio::test]
async fn a_certificate_binds_nothing_where_nobody_asks_for_it() {
    let world = World::new().await;
    let id = world.ask_alice().await;
    world.decides("alice-sub", Decision::Approve).await;
    let basic = crate::world::basic("till", "till secret: a+b%20c");
    let form = [("grant_type", CIBA), ("auth_req_id", id.as_str())];
    let tokens = form_over(&world, CERTIFICATE, "/master/token", &[("authorization", &basic)], &form).await.json();
    assert_eq!(claims(&tokens["access_token"]).get("cnf"), None);
}
