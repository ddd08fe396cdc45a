//! `client_secret_basic` and `client_secret_post`.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{ENDPOINTS, Proof, expect};
use crate::world::{CIBA, World, basic, realm_file};

#[tokio::test]
async fn table_of_c2() {
    let world = World::new().await;
    let secret = "till secret: a+b%20c";
    let raw = |text: &str| Proof::basic(format!("Basic {}", STANDARD.encode(text)));
    let till = || Proof::basic(basic("till", secret));
    let post = |id, secret| Proof::form(&[("client_id", id), ("client_secret", secret)]);
    let table = [
        ("right, Basic", till(), "ok"),
        ("right, post", post("post", "post-secret-0123456789"), "ok"),
        ("A1 nothing", Proof::default(), "401 invalid_client"),
        ("A1 client_id alone", Proof::form(&[("client_id", "post")]), "401 invalid_client"),
        ("A2 unknown client", post("who", "x"), "401 invalid_client"),
        ("A3 wrong secret, post", post("post", "x"), "401 invalid_client"),
        ("A4 wrong secret, Basic", Proof::basic(basic("till", "x")), "401 invalid_client"),
        ("A5 not base64", Proof::basic("Basic %%%"), "401 invalid_client"),
        ("A5 no colon", raw("till"), "401 invalid_client"),
        ("other scheme", Proof::basic("Bearer x"), "401 invalid_client"),
        ("scheme in other case", Proof::basic(basic("till", secret).replace("Basic", "bAsIc")), "ok"),
        ("A6 form-encoded", raw("till:till+secret%3A+a%2Bb%2520c"), "ok"),
        ("A6 as it is, as many clients send it", raw("till:till secret: a+b%20c"), "ok"),
        ("A7 Basic and a secret", till().and("client_secret", "x"), "400 invalid_request"),
        ("A7 Basic and an assertion", till().and("client_assertion", "x"), "400 invalid_request"),
        ("A7 Basic and an assertion's type", till().and("client_assertion_type", "x"), "400 invalid_request"),
        (
            "A7 a secret and an assertion",
            post("post", "post-secret-0123456789").and("client_assertion", "x"),
            "400 invalid_request",
        ),
        ("A8 two clients", till().and("client_id", "post"), "400 invalid_request"),
        ("the same client twice", till().and("client_id", "till"), "ok"),
        ("A9 post registered, Basic used", Proof::basic(basic("post", "post-secret-0123456789")), "401 invalid_client"),
        ("A9 Basic registered, post used", post("till", secret), "401 invalid_client"),
        ("A13 disabled", post("off", "off-secret-0123456789"), "401 invalid_client"),
    ];
    for (number, proof, expected) in table {
        expect(&world, number, || proof.clone(), expected).await;
    }
}

#[tokio::test]
async fn a11_a12_without_the_grant() {
    let world = World::new().await;
    for (at, (path, more, good)) in ENDPOINTS.into_iter().enumerate() {
        let client = Proof::form(&[("client_id", "no-ciba"), ("client_secret", "none-secret-0123456789")]);
        let answer = client.sent(&world, path, more).await;
        // about tokens that there are, it may still ask
        let expected = if at < 4 { "400 unauthorized_client" } else { good };
        assert_eq!(answer.brief(), expected, "{path}");
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
