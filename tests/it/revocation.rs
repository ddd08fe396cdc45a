//! docs/cases.md, revocation (RFC 7009): either token ends the whole authorization.

use serde_json::{Value, json};

use crate::world::{Answer, World, realm_file};

const BOTH: [&str; 2] = ["/master/revoke", "/realms/master/protocol/openid-connect/revoke"];

async fn revoke(world: &World, token: &Value) -> Answer {
    world.as_till("/master/revoke", &[("token", token.as_str().unwrap())]).await
}

/// Nothing that came of these tokens counts any more.
#[track_caller]
fn ended(outcomes: &[String]) {
    assert_eq!(outcomes, ["401 invalid_token", "400 invalid_grant", "inactive", "inactive"]);
}

async fn outcomes(world: &World, tokens: &Value) -> Vec<String> {
    let introspected = async |token: &Value| {
        let form = [("token", token.as_str().unwrap())];
        let active = world.as_till("/master/introspect", &form).await.json()["active"] == true;
        if active { "active".to_owned() } else { "inactive".to_owned() }
    };
    vec![
        world.userinfo(&tokens["access_token"]).await.brief(),
        world.refresh(&tokens["refresh_token"]).await.brief(),
        introspected(&tokens["access_token"]).await,
        introspected(&tokens["refresh_token"]).await,
    ]
}

#[tokio::test]
async fn v1_v4_either_token_ends_all_of_them() {
    let world = World::new().await;
    for path in BOTH {
        for token in ["access_token", "refresh_token"] {
            for hint in ["access_token", "refresh_token", "magic", ""] {
                let tokens = world.tokens_of_alice().await;
                world.audited();
                let form = [("token", tokens[token].as_str().unwrap()), ("token_type_hint", hint)];
                let answer = world.as_till(path, &form).await;
                assert_eq!((answer.status, &*answer.text), (200, ""), "{token} as {hint}: {answer:?}");
                assert_eq!(answer.header("cache-control"), Some("no-store"));
                let records = world.audited();
                let record = &records[0];
                assert_eq!(
                    (records.len(), &record["type"], &record["via"], &record["client"], &record["sub"]),
                    (1, &json!("authorization_ended"), &json!("revocation"), &json!("till"), &json!("alice-sub"))
                );
                ended(&outcomes(&world, &tokens).await);
            }
        }
    }
}

#[tokio::test]
async fn v1_refreshed_and_used_tokens_end_the_same_authorization() {
    let world = World::new().await;
    let first = world.tokens_of_alice().await;
    let second = world.refresh(&first["refresh_token"]).await.json();
    assert_eq!(revoke(&world, &first["refresh_token"]).await.status, 200, "one that was used already");
    ended(&outcomes(&world, &second).await);
    assert_eq!(world.userinfo(&first["access_token"]).await.brief(), "401 invalid_token");
}

#[tokio::test]
async fn v2_what_is_unknown_is_revoked_already() {
    let world = World::new().await;
    let (first, other) = (world.tokens_of_alice().await, world.tokens_of_bob().await);
    assert_eq!(revoke(&world, &first["access_token"]).await.status, 200);
    for (case, token) in [
        ("revoked", &first["access_token"]),
        ("revoked", &first["refresh_token"]),
        ("garbage", &json!("x")),
        ("an ID token", &other["id_token"]),
    ] {
        assert_eq!(revoke(&world, token).await.status, 200, "{case}");
    }
    assert_eq!(world.userinfo(&other["access_token"]).await.status, 200, "another authorization");
    world.advance(300);
    assert_eq!(revoke(&world, &other["access_token"]).await.status, 200, "expired");
    assert_eq!(world.refresh(&other["refresh_token"]).await.status, 200, "which ends nothing");
}

#[tokio::test]
async fn v3_another_clients_token_stays() {
    let text = realm_file();
    let world = World::of(&[("master", &text), ("other", &text)], Default::default()).await;
    let tokens = world.tokens_of_alice().await;
    for token in ["access_token", "refresh_token"] {
        let form = [("token", tokens[token].as_str().unwrap())];
        for path in BOTH {
            assert_eq!(world.as_post(path, &form).await.brief(), "400 invalid_grant", "{token}");
        }
        assert_eq!(world.as_till("/other/revoke", &form).await.status, 200, "unknown in another realm");
    }
    assert_eq!(world.userinfo(&tokens["access_token"]).await.status, 200);
    assert_eq!(world.refresh(&tokens["refresh_token"]).await.status, 200);
}

#[tokio::test]
async fn v5_who_may_revoke_and_how() {
    let world = World::new().await;
    let tokens = world.tokens_of_alice().await;
    let token = ("token", tokens["access_token"].as_str().unwrap());
    for path in BOTH {
        assert_eq!(world.as_till(path, &[("x", "y")]).await.brief(), "400 invalid_request", "no token");
        assert_eq!(world.form(path, &[token]).await.brief(), "401 invalid_client");
        let wrong = [token, ("client_id", "post"), ("client_secret", "wrong")];
        assert_eq!(world.form(path, &wrong).await.brief(), "401 invalid_client");
        assert_eq!(world.as_till(&format!("{path}?token=x"), &[token]).await.brief(), "400 invalid_request");
        assert_eq!(world.get(path).await.brief(), "405 method_not_allowed");
    }
    assert_eq!(world.userinfo(&tokens["access_token"]).await.status, 200);
}
