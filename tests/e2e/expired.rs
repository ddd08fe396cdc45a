//! A request whose time runs out while the person looks at it: nothing is approved, whatever they press.

use std::time::Duration;

use crate::{
    client::Client,
    gateway::Gateway,
    keycloak::Keycloak,
    realm::{self, HOOK_SECRET, TILL},
    receiver::Receiver,
};

#[tokio::test]
async fn an_approval_that_comes_too_late_approves_nothing() {
    let keycloak = Keycloak::shared().await;
    let mut hook = Receiver::start().await;
    let gateway = Gateway::serve(realm::NAME, &realm::in_front_of(&keycloak.issuer(), &hook.url("/hook")));
    let client = Client::discover(&gateway.issuer(realm::NAME), TILL).await;

    let lifetime = Duration::from_secs(25);
    let id = client.ask(&[("scope", "openid"), ("login_hint", "alice"), ("requested_expiry", "25")]).await;
    let expiry = tokio::time::Instant::now() + lifetime;
    let link = hook.link(HOOK_SECRET).await;
    let browser = gateway.visit(&link, "alice").await;
    browser.sees("Approve").await;

    tokio::time::sleep_until(expiry + Duration::from_secs(1)).await;
    browser.press("Approve").await;
    browser.sees("no longer open").await;
    browser.photograph("expired").await;

    let (status, expired) = client.poll(&id).await;
    assert_eq!((status, &expired["error"]), (400, &"expired_token".into()), "{expired}");

    browser.goto(&link).await;
    browser.sees("no longer open").await;
    assert!(!browser.has("Approve").await && !browser.has("Deny").await);
    gateway.stop();
}
