//! Somebody else opens the link: they see no detail, decide nothing, and the request stays open for the right person (I7).

use crate::{
    client::Client,
    gateway::Gateway,
    keycloak::Keycloak,
    realm::{self, HOOK_SECRET, TILL, TILL_NAME},
    receiver::Receiver,
};

#[tokio::test]
async fn bob_neither_sees_nor_decides_what_is_alices() {
    let keycloak = Keycloak::shared().await;
    let mut hook = Receiver::start().await;
    let gateway = Gateway::serve(realm::NAME, &realm::in_front_of(&keycloak.issuer(), &hook.url("/hook")));
    let client = Client::discover(&gateway.issuer(realm::NAME), TILL).await;

    let form = [("scope", "openid"), ("login_hint", "alice"), ("binding_message", "KX-42")];
    let id = client.ask(&form).await;
    let link = hook.link(HOOK_SECRET).await;

    let browser = gateway.visit(&link, "bob").await;
    browser.sees("another account").await;
    browser.photograph("wrong-person").await;
    let text = browser.text().await;
    for detail in [TILL_NAME, "KX-42", "alice", "Alice"] {
        assert!(!text.contains(detail), "{detail}: {text}");
    }
    assert!(!browser.has("Approve").await && !browser.has("Deny").await);

    browser.goto(&format!("{}/approvals", gateway.issuer(realm::NAME))).await;
    browser.sees("Nothing is waiting for you").await;

    let (_, pending) = client.poll(&id).await;
    assert_eq!(pending["error"], "authorization_pending");

    let browser = gateway.visit(&link, "alice").await;
    browser.press("Approve").await;
    browser.sees("You approved").await;
    assert_eq!(client.outcome(&id).await.0, 200);
    gateway.stop();
}
