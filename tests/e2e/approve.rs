//! The main job: a client asks for alice, she signs in at her own provider, approves or denies, the client gets tokens or
//! learns that she said no.

use crate::{
    browser::Browser,
    client::Client,
    gateway::Gateway,
    keycloak::{ALICE, Keycloak},
    realm::{self, HOOK_SECRET, TILL, TILL_NAME},
    receiver::Receiver,
};

#[tokio::test]
async fn an_approved_request_gives_verified_tokens_once() {
    let keycloak = Keycloak::shared().await;
    let mut hook = Receiver::start().await;
    let gateway = Gateway::serve(realm::NAME, &realm::in_front_of(&keycloak.issuer(), &hook.url("/hook")));
    let client = Client::discover(&gateway.issuer(realm::NAME), TILL).await;

    let form = [("scope", "openid profile email"), ("login_hint", "alice"), ("binding_message", "Table 7, KX-42")];
    let id = client.ask(&form).await;
    let link = hook.link(HOOK_SECRET).await;

    // the link alone shows nothing of the request and changes nothing (I5)
    let browser = Browser::open().await;
    browser.goto(&link).await;
    browser.sees("Sign in").await;
    for detail in [TILL_NAME, "KX-42", "alice", "Alice"] {
        assert!(!browser.text().await.contains(detail), "{detail}: {}", browser.text().await);
    }
    browser.photograph("sign-in").await;
    assert_eq!(client.poll(&id).await.1["error"], "authorization_pending");

    browser.press("Continue to").await;
    browser.sign_in_at_keycloak("alice").await;
    for detail in [TILL_NAME, "Table 7, KX-42", "Alice"] {
        browser.sees(detail).await;
    }
    browser.photograph("decision").await;
    browser.press("Approve").await;
    browser.sees("You approved").await;
    browser.photograph("approved").await;

    let (status, tokens) = client.outcome(&id).await;
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(tokens["token_type"], "Bearer");
    let claims = client.verify(tokens["id_token"].as_str().unwrap()).await;
    assert_eq!(claims["sub"], ALICE, "Keycloak's user id");
    assert_eq!(claims["preferred_username"], "alice");
    assert_eq!(claims["email"], "alice@acme.example");
    assert!(claims["auth_time"].is_u64(), "of the sign-in at Keycloak: {claims}");

    let access_token = tokens["access_token"].as_str().unwrap();
    let (status, user) = client.userinfo(access_token).await;
    assert_eq!((status, &user["sub"]), (200, &claims["sub"]), "{user}");

    let (status, again) = client.poll(&id).await;
    assert_eq!((status, &again["error"]), (400, &"invalid_grant".into()), "redeemed once: {again}");

    // reload and link: the same final state, and no second decision
    browser.goto(&link).await;
    browser.sees("You approved").await;
    assert!(!browser.has("Approve").await && !browser.has("Deny").await);

    let output = gateway.stop();
    let handle = link.rsplit('/').next().unwrap();
    for secret in [access_token, &id, handle, TILL.1, "upst-secret", HOOK_SECRET, "KX-42", "alice@acme.example"] {
        assert!(!output.contains(secret), "the log holds {secret}:\n{output}");
    }
}

#[tokio::test]
async fn a_request_denied_from_the_inbox_is_access_denied() {
    let keycloak = Keycloak::shared().await;
    let hook = Receiver::start().await;
    let gateway = Gateway::serve(realm::NAME, &realm::in_front_of(&keycloak.issuer(), &hook.url("/hook")));
    let client = Client::discover(&gateway.issuer(realm::NAME), TILL).await;

    let id = client.ask(&[("scope", "openid"), ("login_hint", "alice")]).await;
    let inbox = format!("{}/approvals", gateway.issuer(realm::NAME));
    let browser = gateway.visit(&inbox, "alice").await;
    browser.sees(TILL_NAME).await;
    browser.photograph("inbox").await;
    browser.press("Review").await;
    browser.press("Deny").await;
    browser.sees("You denied").await;
    browser.photograph("denied").await;

    let (status, refused) = client.outcome(&id).await;
    assert_eq!((status, &refused["error"]), (400, &"access_denied".into()), "{refused}");

    browser.goto(&inbox).await;
    browser.sees("Nothing is waiting for you").await;
    browser.photograph("inbox-empty").await;
    gateway.stop();
}
