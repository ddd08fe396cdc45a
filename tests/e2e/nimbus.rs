//! Nimbus' oauth2-oidc-sdk (Java) as the client: signed requests and DPoP, TLS certificates, ping and push.

use serde_json::{Value, json};

use crate::{
    credentials::{self, Authority, Certified, SigningKey},
    free_port,
    program::Program,
    world::{BANK, World},
};

const SECRET: &str = "a secret of 32 bytes or somewhat more";

/// `private_key_jwt` and signed requests with PS256, tokens bound to a key of the client's.
#[tokio::test]
async fn a_signed_request_gets_tokens_bound_by_dpop() {
    let key = SigningKey::rsa(BANK);
    let client = r#"
token_endpoint_auth_method = "private_key_jwt"
token_endpoint_auth_signing_alg = "PS256"
backchannel_authentication_request_signing_alg = "PS256"
dpop_bound_access_tokens = true
jwks_file = "keys/bank.jwks"
"#;
    let files = [("realms/keys/bank.jwks", &*key.jwks), ("bank.key", &*key.pem)];
    let mut world = World::open("", client, &files).await;
    let program = Program::start("SignedRequest.java", &[&world.issuer(), BANK, &world.path("bank.key"), "alice"]);
    world.decide("Approve").await;
    let saw = program.saw();
    assert_eq!(saw["asked"]["expires_in"], 60, "`requested_expiry` of the request object: {saw}");
    assert_eq!(saw["token_type"], "DPoP", "{saw}");
    assert_is_alices(&saw);
    assert_eq!(saw["userinfo"]["sub"], "alice", "{saw}");
    world.close();
}

/// A certificate that an authority signed, known by its DNS name (RFC 8705 2.1).
#[tokio::test]
async fn a_certificate_of_the_realms_authority_authenticates_the_client() {
    let clients = Authority::new("An authority for clients");
    let client = r#"
token_endpoint_auth_method = "tls_client_auth"
tls_client_auth_san_dns = "bank.example"
tls_client_certificate_bound_access_tokens = true

[mtls]
ca_certificates = ["keys/clients-ca.pem"]
"#;
    let files = [("realms/keys/clients-ca.pem", &*clients.pem())];
    by_certificate("tls_client_auth", client, &clients.certify("bank.example"), &files).await;
}

/// A certificate that the client registered itself (RFC 8705 2.2).
#[tokio::test]
async fn a_self_signed_certificate_authenticates_the_client() {
    let (own, jwks) = credentials::self_signed("bank.example");
    let client = r#"
token_endpoint_auth_method = "self_signed_tls_client_auth"
tls_client_certificate_bound_access_tokens = true
jwks_file = "keys/bank.jwks"
"#;
    let files = [("realms/keys/bank.jwks", &*jwks)];
    by_certificate("self_signed_tls_client_auth", client, &own, &files).await;
}

/// A whole flow over the gateway's own TLS with this certificate, to which the access token is bound.
async fn by_certificate(method: &str, client: &str, own: &Certified, files: &[(&str, &str)]) {
    let authority = Authority::new("An authority for servers");
    let server = authority.certify("localhost");
    let ca = authority.pem();
    let config = r#"
[tls]
certificate = "tls/server.pem"
private_key = "tls/server.key"
client_certificates = "optional"
"#;
    let mut all = vec![
        ("tls/server.pem", &*server.certificate),
        ("tls/server.key", &*server.key),
        ("ca.pem", &*ca),
        ("bank.pem", &*own.certificate),
        ("bank.key", &*own.key),
    ];
    all.extend_from_slice(files);
    let mut world = World::open(config, client, &all).await;
    let [certificate, key, ca] = ["bank.pem", "bank.key", "ca.pem"].map(|name| world.path(name));
    let arguments = [&*world.issuer(), BANK, method, &certificate, &key, &ca, "alice"];
    let program = Program::start("ClientCertificate.java", &arguments);
    world.decide("Approve").await;
    let saw = program.saw();
    assert_is_alices(&saw);
    assert_eq!(saw["bound"], true, "`cnf` names the certificate: {saw}");
    assert_eq!(saw["userinfo"]["sub"], "alice", "{saw}");
    world.close();
}

#[tokio::test]
async fn a_pinged_client_collects_its_tokens() {
    let saw = notified("ping", "Approve").await;
    assert_eq!(saw["asked"]["interval"], 1, "{saw}");
    assert_eq!(saw["same_request"], true, "{saw}");
    assert_is_alices(&saw);
}

#[tokio::test]
async fn a_pinged_client_learns_of_a_denial() {
    let saw = notified("ping", "Deny").await;
    assert_eq!((&saw["same_request"], &saw["error"]), (&json!(true), &json!("access_denied")), "{saw}");
}

/// The program checks that the ID token vouches for the rest (CIBA Core 10.3.1).
#[tokio::test]
async fn tokens_are_pushed() {
    let saw = notified("push", "Approve").await;
    assert_eq!(saw["asked"].get("interval"), None, "a push client never polls: {saw}");
    assert_eq!((&saw["same_request"], &saw["refresh_token"]), (&json!(true), &json!(true)), "{saw}");
    assert_is_alices(&saw);
}

#[tokio::test]
async fn a_denial_is_pushed() {
    let saw = notified("push", "Deny").await;
    assert_eq!((&saw["same_request"], &saw["error"]), (&json!(true), &json!("access_denied")), "{saw}");
}

/// What a client with a notification endpoint on this machine sees.
async fn notified(mode: &str, button: &str) -> Value {
    let authority = Authority::new("An authority for servers");
    let endpoint = authority.certify("localhost");
    let port = free_port().to_string();
    let config = r#"
[outbound]
ca_certificates = ["ca.pem"]
private_networks = ["127.0.0.0/8", "::1/128"]
"#;
    let client = format!(
        r#"
client_secret = "{SECRET}"
backchannel_token_delivery_mode = "{mode}"
backchannel_client_notification_endpoint = "https://localhost:{port}/notify"
"#
    );
    let files = [
        ("ca.pem", &*authority.pem()),
        ("bank.secret", SECRET),
        ("bank.pem", &*endpoint.certificate),
        ("bank.key", &*endpoint.key),
    ];
    let mut world = World::open(config, &client, &files).await;
    let [secret, certificate, key] = ["bank.secret", "bank.pem", "bank.key"].map(|name| world.path(name));
    let arguments = [&*world.issuer(), BANK, &secret, mode, &port, &certificate, &key, "alice"];
    let program = Program::start("Notified.java", &arguments);
    world.decide(button).await;
    let saw = program.saw();
    world.close();
    saw
}

#[track_caller]
fn assert_is_alices(saw: &Value) {
    let claims = &saw["id_token"];
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!("alice"), &json!(BANK)), "{saw}");
}
