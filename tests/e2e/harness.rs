//! The harness itself, without the gateway.

use crate::{browser::Browser, client, keycloak::Keycloak, receiver::Receiver};

#[tokio::test]
async fn keycloak_answers_discovery() {
    let keycloak = Keycloak::shared().await;
    let metadata = client::get(&format!("{}/.well-known/openid-configuration", keycloak.issuer())).await;
    assert_eq!(metadata["issuer"], keycloak.issuer());
}

#[tokio::test]
async fn alice_signs_in_on_keycloaks_page() {
    let keycloak = Keycloak::shared().await;
    let mut receiver = Receiver::start().await;
    let browser = Browser::open().await;

    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"; // RFC 7636, appendix B
    browser
        .goto(&format!(
            "{}/protocol/openid-connect/auth?client_id=acme-upstream&response_type=code&scope=openid&state=state-1\
             &redirect_uri={}&code_challenge={challenge}&code_challenge_method=S256",
            keycloak.issuer(),
            receiver.url("/callback"),
        ))
        .await;
    assert_eq!(browser.title().await, "Sign in to Acme Corporation");
    browser.photograph("keycloak-sign-in").await;
    browser.sign_in_at_keycloak("alice").await;

    let returned = receiver.next().await;
    assert_eq!(returned.path, "/callback");
    assert!(returned.query.contains("code=") && returned.query.contains("state=state-1"), "{}", returned.query);
}
