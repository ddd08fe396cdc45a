//! docs/cases.md, introspection (RFC 7662): for the client whose token it is, and nobody else.

use serde_json::{Value, json};

use crate::{
    holder::{Holder, form_over},
    world::{Answer, CIBA, World, basic, claims, realm_file},
};

const BOTH: [&str; 2] = ["/master/introspect", "/realms/master/protocol/openid-connect/token/introspect"];

fn inactive() -> Value {
    json!({"active": false})
}

async fn of_till(world: &World, token: &Value) -> Answer {
    world.as_till("/master/introspect", &[("token", token.as_str().unwrap())]).await
}

#[tokio::test]
async fn q1_q4_an_access_token_says_all_that_is_in_it() {
    let world = World::new().await;
    let tokens = world.tokens_of_alice().await;
    let mut expected = claims(&tokens["access_token"]);
    for (name, value) in [("client_id", "till"), ("username", "alice"), ("token_type", "Bearer")] {
        expected[name] = value.into();
    }
    expected["active"] = true.into();
    for path in BOTH {
        for hint in ["access_token", "refresh_token", "magic", ""] {
            let form = [("token", tokens["access_token"].as_str().unwrap()), ("token_type_hint", hint)];
            let answer = world.as_till(path, &form).await;
            assert_eq!((answer.status, answer.json()), (200, expected.clone()), "{hint} at {path}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
    }
    for member in ["scope", "exp", "iat", "sub", "aud", "iss", "jti", "sid", "auth_time", "acr", "typ", "azp"] {
        assert!(!expected[member].is_null(), "{member}");
    }
}

#[tokio::test]
async fn q2_a_refresh_token_says_what_it_stands_for() {
    let world = World::new().await;
    let tokens = world.tokens_of_alice().await;
    world.advance(10);
    let answer = of_till(&world, &tokens["refresh_token"]).await.json();
    let (access, refresh) = (claims(&tokens["access_token"]), claims(&tokens["refresh_token"]));
    let issued = world.clock.now().seconds() - 10;
    assert_eq!(
        answer,
        json!({
            "active": true, "typ": "Refresh", "client_id": "till", "azp": "till", "username": "alice",
            "iss": "http://127.0.0.1:8080/master", "aud": "http://127.0.0.1:8080/master", "sub": "alice-sub",
            "scope": "openid profile email", "acr": "1", "auth_time": access["auth_time"], "sid": access["sid"],
            "jti": refresh["jti"], "iat": issued, "exp": issued + 1800,
        })
    );
}

#[tokio::test]
async fn q1_q2_what_a_token_is_bound_to_is_said() {
    let world = World::new().await;
    let holder = Holder::new();
    let id = world.ask_alice().await;
    world.decides("alice-sub", realmgate::ciba::decide::Decision::Approve).await;
    let headers = [("authorization", &*basic("till", "till secret: a+b%20c")), ("dpop", &holder.proof(&world))];
    let form = [("grant_type", CIBA), ("auth_req_id", id.as_str())];
    let tokens = form_over(&world, None, "/master/token", &headers, &form).await.json();
    let answer = of_till(&world, &tokens["access_token"]).await.json();
    assert_eq!((&answer["token_type"], &answer["cnf"]), (&json!("DPoP"), &json!({"jkt": holder.thumbprint()})));
    let answer = of_till(&world, &tokens["refresh_token"]).await.json();
    assert_eq!((answer.get("token_type"), answer.get("cnf")), (None, None), "it is bound by client authentication");
}

#[tokio::test]
async fn q3_of_what_does_not_count_nothing_is_said() {
    let world = World::new().await;
    let tokens = world.tokens_of_alice().await;
    let refreshed = world.refresh(&tokens["refresh_token"]).await.json();
    for (case, token) in [
        ("garbage", "x"),
        ("an ID token", refreshed["id_token"].as_str().unwrap()),
        ("a refresh token that was used", tokens["refresh_token"].as_str().unwrap()),
        ("cut", &refreshed["access_token"].as_str().unwrap()[1..]),
    ] {
        assert_eq!(of_till(&world, &token.into()).await.json(), inactive(), "{case}");
    }
    for token in ["access_token", "refresh_token"] {
        let form = [("token", refreshed[token].as_str().unwrap())];
        for path in BOTH {
            let answer = world.as_post(path, &form).await;
            assert_eq!((answer.status, answer.json()), (200, inactive()), "another client's {token}");
        }
    }
    assert_eq!(of_till(&world, &refreshed["refresh_token"]).await.json()["active"], true, "looking uses nothing up");
    world.advance(300);
    assert_eq!(of_till(&world, &refreshed["access_token"]).await.json(), inactive(), "expired");
    assert_eq!(of_till(&world, &refreshed["refresh_token"]).await.json()["active"], true);
    world.advance(1500);
    assert_eq!(of_till(&world, &refreshed["refresh_token"]).await.json(), inactive(), "expired");
}

#[tokio::test]
async fn q3_a_token_of_another_realm_or_of_a_grant_that_was_taken_away() {
    let text = realm_file();
    let world = World::of(&[("master", &text), ("other", &text)], Default::default()).await;
    let tokens = world.tokens_of_alice().await;
    for token in ["access_token", "refresh_token"] {
        let form = [("token", tokens[token].as_str().unwrap())];
        assert_eq!(world.as_till("/other/introspect", &form).await.json(), inactive(), "{token}");
    }
    let without = text.replacen(", \"refresh_token\"", "", 1);
    world.serve(&[("master", &without)]);
    assert_eq!(of_till(&world, &tokens["refresh_token"]).await.json(), inactive(), "it cannot be exchanged");
    assert_eq!(of_till(&world, &tokens["access_token"]).await.json()["active"], true);
}

#[tokio::test]
async fn q5_who_may_ask_and_how() {
    let world = World::new().await;
    for path in BOTH {
        assert_eq!(world.as_till(path, &[("x", "y")]).await.brief(), "400 invalid_request", "no token");
        let nobody = world.form(path, &[("token", "x")]).await;
        assert_eq!(nobody.brief(), "401 invalid_client");
        assert_eq!(nobody.header("www-authenticate"), Some(r#"Basic realm="master""#));
        let wrong = [("token", "x"), ("client_id", "post"), ("client_secret", "wrong")];
        assert_eq!(world.form(path, &wrong).await.brief(), "401 invalid_client");
        let off = [("token", "x"), ("client_id", "off"), ("client_secret", "off-secret-0123456789")];
        assert_eq!(world.form(path, &off).await.brief(), "401 invalid_client", "disabled");
        assert_eq!(world.as_till(&format!("{path}?token=x"), &[]).await.brief(), "400 invalid_request", "in the query");
        assert_eq!(world.get(path).await.brief(), "405 method_not_allowed");
    }
}
