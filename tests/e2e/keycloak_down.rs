//! Keycloak goes away and comes back: the gateway starts and serves without it, says that it is down and never that a user
//! is unknown (I10), and recovers by itself.

use std::time::Duration;

use crate::{
    client::Client,
    gateway::Gateway,
    keycloak::Mine,
    realm::{self, HOOK_SECRET, TILL},
    receiver::Receiver,
};

#[tokio::test]
async fn the_gateway_starts_without_keycloak_and_recovers_when_it_is_back() {
    let mut keycloak = Mine::take().await;
    let mut hook = Receiver::start().await;
    keycloak.stop();

    let gateway = Gateway::serve(realm::NAME, &realm::in_front_of(&keycloak.issuer(), &hook.url("/hook")));
    let client = Client::discover(&gateway.issuer(realm::NAME), TILL).await;
    let form = [("scope", "openid"), ("login_hint", "alice")];
    let (status, refused) = client.try_ask(&form).await;
    assert_eq!((status, &refused["error"]), (503, &"temporarily_unavailable".into()), "{refused}");

    keycloak.start();
    let id = accepted(&client, &form).await;
    let link = hook.link(HOOK_SECRET).await;
    let browser = gateway.visit(&link, "alice").await;
    browser.sees("Approve").await;

    // down again, with a request open: polls are still answered, new requests are refused
    keycloak.stop();
    let (_, pending) = client.poll(&id).await;
    assert_eq!(pending["error"], "authorization_pending", "{pending}");
    let (status, refused) = client.try_ask(&[("scope", "openid"), ("login_hint", "bob")]).await;
    assert_eq!((status, &refused["error"]), (503, &"temporarily_unavailable".into()), "{refused}");

    keycloak.start();
    browser.press("Approve").await;
    browser.sees("You approved").await;
    let (status, tokens) = client.outcome(&id).await;
    assert_eq!(status, 200, "{tokens}");
    accepted(&client, &[("scope", "openid"), ("login_hint", "bob")]).await;
    gateway.stop();
}

/// Asks until the gateway has noticed that Keycloak is back, at most 30 times.
async fn accepted(client: &Client, form: &[(&str, &str)]) -> String {
    for _ in 0..30 {
        let (status, body) = client.try_ask(form).await;
        match status {
            200 => return body["auth_req_id"].as_str().unwrap().to_owned(),
            503 => tokio::time::sleep(Duration::from_secs(1)).await,
            _ => panic!("{status}: {body}"),
        }
    }
    panic!("the gateway does not notice that Keycloak is back");
}
