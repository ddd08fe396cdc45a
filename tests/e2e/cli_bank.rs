//! Our own command line as a bank's client: with keys, signed requests and bound tokens; with a certificate, and pinged.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::{
    credentials::{Authority, SigningKey},
    end_of, free_port,
    gateway::PROGRAM,
    world::{BANK, World},
};

const PAYMENT: &str = r#"[{
    "type": "payment_initiation", "amount": {"value": "12.50", "currency": "EUR"}, "creditor": "Zoe",
    "reference": "Invoice 2026-11", "locations": ["https://payments.example.com"]
}]"#;

/// Profile fapi-ciba: `private_key_jwt` and a signed request with ES256, details of a payment, tokens bound to a key.
#[tokio::test]
async fn private_key_jwt_with_a_signed_request_details_and_dpop() {
    let key = SigningKey::p256();
    let client = r#"
token_endpoint_auth_method = "private_key_jwt"
jwks_file = "keys/bank.jwks"
backchannel_authentication_request_signing_alg = "ES256"
dpop_bound_access_tokens = true
authorization_details_types = ["payment_initiation"]

[[authorization_details_types]]
type = "payment_initiation"
sentence = "Pay {amount.value} {amount.currency} to {creditor}"
members = { amount = "object", creditor = "string", reference = "string" }
required = ["amount", "creditor"]
"#;
    let files = [("realms/keys/bank.jwks", &*key.jwks), ("bank.key", &*key.pem), ("payment.json", PAYMENT)];
    let top = "profile = \"fapi-ciba\"\nstrict_audience = true\n";
    let mut world = World::open_as(top, "", client, &files).await;
    let (key, payment) = (world.path("bank.key"), format!("@{}", world.path("payment.json")));
    let more = ["--auth-method", "private_key_jwt", "--private-key", &key, "--signed", "--dpop"];
    let asking = ask(&world, &[&more[..], &["--authorization-details", &payment]].concat());
    let browser = world.read().await;
    browser.sees("Pay 12.50 EUR to Zoe").await;
    browser.sees("Invoice 2026-11").await;
    browser.photograph("payment").await;
    browser.press("Approve").await;
    browser.sees("You approved").await;
    let saw = got(asking);
    assert_eq!(saw["tokens"]["token_type"], "DPoP", "{saw}");
    let granted = &saw["tokens"]["authorization_details"];
    assert_eq!(granted, &serde_json::from_str::<Value>(PAYMENT).unwrap(), "{saw}");
    assert_eq!(saw["userinfo"]["sub"], "alice", "the token works with a proof: {saw}");
    world.close();
}

/// `tls_client_auth` over the gateway's own TLS, tokens bound to the certificate, and a ping in place of polls.
#[tokio::test]
async fn a_certificate_and_a_ping() {
    let (servers, clients) = (Authority::new("An authority for servers"), Authority::new("An authority for clients"));
    let (server, own, port) = (servers.certify("localhost"), clients.certify("bank.example"), free_port());
    let config = r#"
[tls]
certificate = "tls/server.pem"
private_key = "tls/server.key"
client_certificates = "optional"

[outbound]
private_networks = ["127.0.0.0/8"]
"#;
    let client = format!(
        r#"
token_endpoint_auth_method = "tls_client_auth"
tls_client_auth_subject_dn = "CN=bank.example"
tls_client_certificate_bound_access_tokens = true
backchannel_token_delivery_mode = "ping"
backchannel_client_notification_endpoint = "http://127.0.0.1:{port}/ping"

[mtls]
ca_certificates = ["keys/clients-ca.pem"]
"#
    );
    let files = [
        ("tls/server.pem", &*server.certificate),
        ("tls/server.key", &*server.key),
        ("realms/keys/clients-ca.pem", &*clients.pem()),
        ("ca.pem", &*servers.pem()),
        ("bank.pem", &*own.certificate),
        ("bank.key", &*own.key),
    ];
    let mut world = World::open(config, &client, &files).await;
    let [certificate, key, ca] = ["bank.pem", "bank.key", "ca.pem"].map(|name| world.path(name));
    let here = format!("127.0.0.1:{port}");
    let who = ["--auth-method", "tls_client_auth", "--certificate", &certificate, "--private-key", &key];
    let how = ["--ca-certificate", &ca, "--mode", "ping", "--notification-listen", &here, "--userinfo"];
    let asking = ask(&world, &[&who[..], &how].concat());
    world.decide("Approve").await;
    let saw = got(asking);
    assert_eq!(saw["userinfo"]["sub"], "alice", "the token works over a connection with the certificate: {saw}");
    world.close();
}

/// `realmgate ciba request` asks alice.
fn ask(world: &World, more: &[&str]) -> Child {
    let mut command = Command::new(PROGRAM);
    command.args(["ciba", "request", "--issuer", &world.issuer(), "--client-id", BANK, "--login-hint", "alice"]);
    command.args(["--binding-message", "KX-42", "--json"]).args(more);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The last of what it printed; it must end well, which it does only when the tokens verify.
fn got(mut asking: Child) -> Value {
    let ended = end_of(&mut asking);
    if ended.is_none() {
        let _ = asking.kill();
    }
    let output = asking.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}: {printed}");
    serde_json::from_str(text(&output.stdout).lines().last().unwrap())
        .unwrap_or_else(|fault| panic!("{fault}: {printed}"))
}
