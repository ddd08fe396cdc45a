//! docs/cases.md, client authentication, as far as secrets go: at both endpoints alike.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::world::{CIBA, World, basic, encode, realm_file};

#[tokio::test]
async fn table_of_c2() {
    let world = World::new().await;
    let secret = "till secret: a+b%20c";
    let raw = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let post = vec![("client_id", "post"), ("client_secret", "post-secret-0123456789")];
    let table: Vec<(&str, Option<String>, Vec<(&str, &str)>, &str)> = vec![
        ("right, Basic", Some(basic("till", secret)), vec![], "ok"),
        ("right, post", None, post.clone(), "ok"),
        ("A1 nothing", None, vec![("client_id", "post")], "401 invalid_client"),
        ("A2 unknown client", None, vec![("client_id", "who"), ("client_secret", "x")], "401 invalid_client"),
        ("A3 wrong secret, post", None, vec![("client_id", "post"), ("client_secret", "x")], "401 invalid_client"),
        ("A4 wrong secret, Basic", Some(basic("till", "x")), vec![], "401 invalid_client"),
        ("A5 not base64", Some("Basic %%%".into()), vec![], "401 invalid_client"),
        ("A5 no colon", Some(raw("till")), vec![], "401 invalid_client"),
        ("other scheme", Some("Bearer x".into()), vec![], "401 invalid_client"),
        ("scheme in other case", Some(basic("till", secret).replace("Basic", "bAsIc")), vec![], "ok"),
        ("A6 form-encoded", Some(raw("till:till+secret%3A+a%2Bb%2520c")), vec![], "ok"),
        ("A6 as it is, as many clients send it", Some(raw("till:till secret: a+b%20c")), vec![], "ok"),
        ("A7 Basic and a secret", Some(basic("till", secret)), vec![("client_secret", "x")], "400 invalid_request"),
        (
            "A7 Basic and an assertion",
            Some(basic("till", secret)),
            vec![("client_assertion", "x")],
            "400 invalid_request",
        ),
        ("A8 two clients", Some(basic("till", secret)), vec![("client_id", "post")], "400 invalid_request"),
        ("the same client twice", Some(basic("till", secret)), vec![("client_id", "till")], "ok"),
        ("A9 post registered, Basic used", Some(basic("post", "post-secret-0123456789")), vec![], "401 invalid_client"),
        (
            "A9 Basic registered, post used",
            None,
            vec![("client_id", "till"), ("client_secret", secret)],
            "401 invalid_client",
        ),
        (
            "A12 without the grant",
            None,
            vec![("client_id", "no-ciba"), ("client_secret", "none-secret-0123456789")],
            "400 unauthorized_client",
        ),
        (
            "A13 disabled",
            None,
            vec![("client_id", "off"), ("client_secret", "off-secret-0123456789")],
            "401 invalid_client",
        ),
        (
            "A16 unknown assertion type",
            None,
            vec![("client_id", "post"), ("client_assertion_type", "x")],
            "401 invalid_client",
        ),
        ("A17 assertion alone", None, vec![("client_id", "post"), ("client_assertion", "x")], "401 invalid_client"),
    ];
    for (number, authorization, form, expected) in table {
        let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
        if let Some(authorization) = &authorization {
            headers.push(("authorization", authorization));
        }
        let endpoints: [(&str, Vec<(&str, &str)>, &str); 2] = [
            ("/master/bc-authorize", vec![("scope", "openid"), ("login_hint", "alice")], "200"),
            ("/master/token", vec![("grant_type", CIBA), ("auth_req_id", "unknown")], "400 invalid_grant"),
        ];
        for (path, more, good) in endpoints {
            let all: Vec<_> = form.iter().chain(&more).copied().collect();
            let answer = world.send("POST", path, &headers, &encode(&all)).await;
            let expected = if expected == "ok" { good } else { expected };
            assert_eq!(answer.brief(), expected, "{number} at {path}: {answer:?}");
            if answer.status == 401 {
                assert_eq!(answer.header("www-authenticate"), Some(r#"Basic realm="master""#), "{number}");
            }
        }
    }
}

#[tokio::test]
async fn a2_a3_an_unknown_client_is_answered_like_a_wrong_secret() {
    let world = World::new().await;
    let unknown =
        world.form("/master/token", &[("grant_type", CIBA), ("client_id", "who"), ("client_secret", "x")]).await;
    let wrong =
        world.form("/master/token", &[("grant_type", CIBA), ("client_id", "post"), ("client_secret", "x")]).await;
    assert_eq!((unknown.status, &unknown.text, &unknown.headers), (wrong.status, &wrong.text, &wrong.headers));
}

#[tokio::test]
async fn a14_a_client_of_another_realm() {
    let other = realm_file().replace("\"post\"", "\"theirs\"");
    let text = realm_file();
    let world = World::of(&[("master", &text), ("other", &other)], Default::default()).await;
    let form = [
        ("client_id", "theirs"),
        ("client_secret", "post-secret-0123456789"),
        ("scope", "openid"),
        ("login_hint", "alice"),
    ];
    assert_eq!(world.form("/other/bc-authorize", &form).await.brief(), "200");
    assert_eq!(world.form("/master/bc-authorize", &form).await.brief(), "401 invalid_client");
}

#[tokio::test]
async fn two_authorization_headers_are_refused() {
    let world = World::new().await;
    let basic = basic("till", "till secret: a+b%20c");
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("authorization", basic.as_str()),
        ("authorization", basic.as_str()),
    ];
    let answer = world.send("POST", "/master/bc-authorize", &headers, "scope=openid&login_hint=alice").await;
    assert_eq!(answer.brief(), "400 invalid_request");
}
