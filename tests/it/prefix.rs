//! `path_prefix = "/auth"`: every address is served with and without it; what is published contains it.

use realmgate::web;

use crate::{
    browser::{Browser, world},
    world::{Build, World, claims},
};

const PUBLIC: &str = "http://127.0.0.1:8080/auth";

async fn prefixed() -> World {
    let settings = web::Settings { path_prefix: "/auth".into() };
    world(&["master"], Build { settings, public: PUBLIC, ..Build::default() }, |_| {}).await
}

#[tokio::test]
async fn what_is_published_contains_it() {
    let world = prefixed().await;
    for (path, base) in [("/master", "/auth/master"), ("/realms/master", "/auth/realms/master")] {
        for prefix in ["", "/auth"] {
            let path = format!("{prefix}{path}/.well-known/openid-configuration");
            let document = world.get(&path).await.json();
            assert_eq!(document["issuer"], format!("{PUBLIC}/master"), "the default issuer, at {path}");
            for (name, value) in document.as_object().unwrap() {
                if let Some(address) = value.as_str().filter(|_| name != "issuer") {
                    assert!(address.starts_with(&format!("http://127.0.0.1:8080{base}/")), "{name}: {address}");
                }
            }
        }
    }
}

#[tokio::test]
async fn every_address_is_served_with_and_without_it() {
    let world = prefixed().await;
    for (method, path) in crate::addresses::served(&"A".repeat(43)) {
        let plain = world.send(method, &path, &[], "").await;
        let prefixed = world.send(method, &format!("/auth{path}"), &[], "").await;
        assert_eq!((prefixed.status, &prefixed.text), (plain.status, &plain.text), "{method} {path}");
        assert_ne!(plain.status, 404, "{method} {path}");
    }
    for (path, status) in [
        ("/auth/auth/master/jwks", 404),
        ("/authmaster/jwks", 404),
        ("/Auth/master/jwks", 404),
        ("/auth", 404),
        ("/auth/", 404),
        ("/auth/nobody/jwks", 404),
        ("/auth/realms/nobody/protocol/openid-connect/certs", 404),
    ] {
        let answer = world.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.json()["error"].is_string(), "{path}");
    }
}

#[tokio::test]
async fn a_whole_flow_behind_it() {
    let world = prefixed().await;
    for prefix in ["/auth", ""] {
        let form = [("scope", "openid"), ("login_hint", "alice")];
        let asked = world.as_till(&format!("{prefix}/master/bc-authorize"), &form).await.json();
        let mut browser = Browser::signed_in(&world, "alice-sub", &format!("{PUBLIC}/master/approvals")).await;
        assert_eq!(browser.at.path(), "/auth/master/approvals", "the sign-in leads back");
        let link = browser.page.text.split("class=\"button\" href=\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(link.starts_with("/auth/master/approvals/"), "{link}");
        let link = link.to_owned();
        browser.open(&link).await;
        browser.decide("approve").await;
        let id = asked["auth_req_id"].as_str().unwrap();
        let poll = [("grant_type", crate::world::CIBA), ("auth_req_id", id)];
        let tokens =
            world.as_till(&format!("{prefix}/realms/master/protocol/openid-connect/token"), &poll).await.json();
        assert_eq!(claims(&tokens["id_token"])["iss"], format!("{PUBLIC}/master"));
    }
}
