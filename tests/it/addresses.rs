//! Every address that is documented is there, in both styles; those of what is not built yet are not.

use realmgate::approval;

use crate::{
    browser::world,
    world::{Answer, Build, World},
};

/// A page with its headers, without a script of its own.
#[track_caller]
pub(crate) fn is_a_page(answer: &Answer) {
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    for (name, value) in approval::HEADERS {
        assert_eq!(answer.header(name), Some(value));
    }
    assert!(answer.text.starts_with("<!doctype html>") && answer.text.contains("<h1>"), "{}", answer.text);
}

/// Method and path of each address that a realm has, and its decision page's handle.
pub(crate) fn served(handle: &str) -> Vec<(&'static str, String)> {
    let both = [
        ("GET", "/.well-known/openid-configuration", "/.well-known/openid-configuration"),
        ("POST", "/bc-authorize", "/protocol/openid-connect/ext/ciba/auth"),
        ("POST", "/bc-authorize/callback", "/protocol/openid-connect/ext/ciba/auth/callback"),
        ("POST", "/token", "/protocol/openid-connect/token"),
        ("GET", "/authorize", "/protocol/openid-connect/auth"),
        ("POST", "/authorize", "/protocol/openid-connect/auth"),
        ("POST", "/introspect", "/protocol/openid-connect/token/introspect"),
        ("POST", "/revoke", "/protocol/openid-connect/revoke"),
        ("GET", "/logout", "/protocol/openid-connect/logout"),
        ("POST", "/logout", "/protocol/openid-connect/logout"),
        ("GET", "/userinfo", "/protocol/openid-connect/userinfo"),
        ("POST", "/userinfo", "/protocol/openid-connect/userinfo"),
        ("GET", "/jwks", "/protocol/openid-connect/certs"),
    ];
    let pages = [
        ("GET", "/sign-in/callback"),
        ("GET", "/approvals"),
        ("GET", &*format!("/approvals/{handle}")),
        ("POST", &*format!("/approvals/{handle}")),
        ("POST", "/sign-out"),
        ("GET", "/approvals.css"),
        ("GET", "/approvals.js"),
    ];
    let short = both.iter().map(|(method, short, _)| (*method, format!("/master{short}")));
    let keycloak = both.iter().map(|(method, _, keycloak)| (*method, format!("/realms/master{keycloak}")));
    let pages = pages.iter().map(|(method, path)| (*method, format!("/master{path}")));
    short.chain(keycloak).chain(pages).collect()
}

#[tokio::test]
async fn every_address_is_there() {
    let world = world(&["master"], Build::default(), |_| {}).await;
    for (method, path) in served(&"A".repeat(43)) {
        let answer = world.send(method, &path, &[], "").await;
        assert!(![404, 405].contains(&answer.status) && answer.status < 500, "{method} {path}: {answer:?}");
        let other = world.send("DELETE", &path, &[], "").await;
        assert_eq!(other.brief(), "405 method_not_allowed", "{path}");
        let allow = other.header("allow").unwrap();
        assert!(allow.split(", ").any(|allowed| allowed == method), "{path}: {allow}");
        if method == "GET" {
            let head = world.send("HEAD", &path, &[], "").await;
            assert_eq!((head.status, allow.contains("HEAD")), (answer.status, true), "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_not_built_yet_is_not_there() {
    let world = World::new().await;
    for path in [
        "/master/backchannel-logout",
        "/realms/master/protocol/openid-connect/logout/backchannel-logout",
        "/master",
        "/realms/master",
        "/realms/master/broker/oidc/endpoint",
        "/realms",
        "/health/live",
        "/metrics",
        "/demo",
    ] {
        for method in ["GET", "POST"] {
            assert_eq!(world.send(method, path, &[], "").await.status, 404, "{method} {path}");
        }
    }
}
