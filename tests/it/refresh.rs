//! docs/cases.md, the refresh token grant: rotation, reuse, races, and everything judged again.

use std::sync::Arc;

use crate::world::{World, claims, realm_file};
use realmgate::ciba::decide::Decision;

#[tokio::test]
async fn g1_g2_rotation_and_a_replay_that_ends_the_family() {
    let world = World::new().await;
    let first = world.tokens_of_alice().await;
    let second = world.refresh(&first["refresh_token"]).await;
    assert_eq!(second.status, 200, "{second:?}");
    let second = second.json();
    assert_eq!(claims(&second["id_token"])["sub"], "alice-sub");
    let form = [("grant_type", "refresh_token"), ("refresh_token", second["refresh_token"].as_str().unwrap())];
    assert_eq!(world.as_post("/master/token", &form).await.brief(), "400 unauthorized_client", "K41");
    world.audited();
    assert_eq!(world.refresh(&first["refresh_token"]).await.brief(), "400 invalid_grant", "replayed");
    let types: Vec<_> = world.audited().iter().map(|record| format!("{} {}", record["type"], record["via"])).collect();
    assert_eq!(types, [r#""authorization_ended" "replay""#, r#""token_refused" null"#]);
    assert_eq!(world.refresh(&second["refresh_token"]).await.brief(), "400 invalid_grant", "the family has ended");
    assert_eq!(world.userinfo(&second["access_token"]).await.status, 401, "and so have its access tokens");
}

/// K41: a client with the grant.
#[tokio::test]
async fn k41_another_clients_refresh_token() {
    let world = World::new().await;
    let tokens = world.tokens_of_alice().await;
    let form = [
        ("client_id", "no-ciba"),
        ("client_secret", "none-secret-0123456789"),
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(world.form("/master/token", &form).await.brief(), "400 invalid_grant");
    assert_eq!(world.refresh(&tokens["refresh_token"]).await.status, 200, "untouched");
}

/// One wins; the others are replays, which end the family.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_of_fifty_racing_refreshes_one_wins() {
    let world = Arc::new(World::new().await);
    for _ in 0..5 {
        let tokens = world.tokens_of_alice().await;
        let refreshes: Vec<_> = (0..50)
            .map(|_| {
                let (world, token) = (Arc::clone(&world), tokens["refresh_token"].clone());
                tokio::spawn(async move { world.refresh(&token).await })
            })
            .collect();
        let (mut won, mut lost) = (Vec::new(), 0);
        for refresh in refreshes {
            let answer = refresh.await.unwrap();
            match answer.brief().as_str() {
                "200" => won.push(answer.json()),
                "400 invalid_grant" => lost += 1,
                other => panic!("{other}"),
            }
        }
        assert_eq!((won.len(), lost), (1, 49));
        assert_eq!(world.userinfo(&won[0]["access_token"]).await.brief(), "401 invalid_token");
        assert_eq!(world.refresh(&won[0]["refresh_token"]).await.brief(), "400 invalid_grant");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g4_no_tokens_count_after_a_revocation_that_raced_a_refresh() {
    let world = Arc::new(World::new().await);
    let (mut first, mut second) = (0, 0);
    for round in 0..60 {
        let tokens = world.tokens_of_alice().await;
        let refresh = || {
            let (world, token) = (Arc::clone(&world), tokens["refresh_token"].clone());
            tokio::spawn(async move { world.refresh(&token).await })
        };
        let revocation = || {
            let (world, token) = (Arc::clone(&world), tokens["access_token"].as_str().unwrap().to_owned());
            tokio::spawn(async move { world.as_till("/master/revoke", &[("token", &token)]).await })
        };
        let (refresh, revocation) = if round % 2 == 0 {
            (refresh(), revocation())
        } else {
            let revocation = revocation();
            (refresh(), revocation)
        };
        let (refreshed, revoked) = (refresh.await.unwrap(), revocation.await.unwrap());
        assert_eq!(revoked.status, 200, "round {round}");
        if refreshed.status == 200 {
            first += 1;
            let refreshed = refreshed.json();
            assert_eq!(world.userinfo(&refreshed["access_token"]).await.brief(), "401 invalid_token");
            assert_eq!(world.refresh(&refreshed["refresh_token"]).await.brief(), "400 invalid_grant");
        } else {
            second += 1;
            assert_eq!(refreshed.brief(), "400 invalid_grant");
        }
    }
    println!("the refresh came first {first} times, the revocation {second} times");
}

/// The decision page says for how long the access can be renewed.
#[tokio::test]
async fn g5_refreshing_does_not_lengthen_the_time_in_which_one_can_refresh() {
    let world = World::new().await;
    let mut tokens = world.tokens_of_alice().await;
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        world.advance(900);
        let answer = world.refresh(&tokens["refresh_token"]).await;
        outcomes.push(answer.brief());
        tokens = if answer.status == 200 { answer.json() } else { tokens };
    }
    assert_eq!(outcomes, ["200", "400 invalid_grant"]);
}

#[tokio::test]
async fn g5_a_refresh_token_ends_with_its_time() {
    let world = World::new().await;
    let tokens = world.tokens_of_alice().await;
    world.advance(1800);
    assert_eq!(world.refresh(&tokens["refresh_token"]).await.brief(), "400 invalid_grant");
}

/// Whoever is handed a narrower token learns no more by it.
#[tokio::test]
async fn g6_a_token_that_a_refresh_narrowed_releases_no_more_than_its_own_scope() {
    let world = World::new().await;
    let first = world.tokens_of_alice().await;
    let token = first["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", "openid")];
    let narrowed = world.as_till("/master/token", &form).await.json();
    assert_eq!(narrowed["scope"], "openid");
    let claims = world.userinfo(&narrowed["access_token"]).await.json();
    assert_eq!(claims, serde_json::json!({"sub": "alice-sub"}));
    let form = [("token", narrowed["access_token"].as_str().unwrap())];
    let introspected = world.as_till("/master/introspect", &form).await.json();
    assert_eq!((&introspected["scope"], introspected.get("username")), (&"openid".into(), None));
    assert_eq!(world.userinfo(&first["access_token"]).await.json()["email"], "alice@example.com");
}

/// Nothing is spent, so all is well again once the reason is gone.
#[tokio::test]
async fn g7_everything_is_judged_again() {
    let world = World::new().await;
    let text = realm_file();
    let scope = "scope = \"openid profile email\"";
    let table = [
        ("user disabled", "name = \"Alice Liddell\"", "enabled = false", "400 invalid_grant"),
        (
            "user gone",
            "sub = \"alice-sub\"\npreferred_username = \"alice\"",
            "sub = \"x\"\npreferred_username = \"x\"",
            "400 invalid_grant",
        ),
        ("scope withdrawn", scope, "scope = \"openid profile\"", "400 invalid_scope"),
        ("refreshing withdrawn", ", \"refresh_token\"]", "]", "400 unauthorized_client"),
        (
            "CIBA withdrawn",
            "[\"urn:openid:params:grant-type:ciba\", \"refresh_token\"]",
            "[\"refresh_token\"]",
            "400 unauthorized_client",
        ),
        ("client disabled", scope, "enabled = false\nscope = \"openid profile email\"", "401 invalid_client"),
        ("client gone", "client_id = \"till\"", "client_id = \"other\"", "401 invalid_client"),
    ];
    for (case, from, to, expected) in table {
        let tokens = world.tokens_of_alice().await;
        let bent = text.replacen(from, to, 1);
        assert_ne!(bent, text, "{case}");
        world.serve(&[("master", &bent)]);
        assert_eq!(world.refresh(&tokens["refresh_token"]).await.brief(), expected, "{case}");
        world.serve(&[("master", &text)]);
        assert_eq!(world.refresh(&tokens["refresh_token"]).await.status, 200, "{case}, taken back");
    }
}

#[tokio::test]
async fn g7_a_narrower_scope_may_still_be_asked_for_when_another_was_withdrawn() {
    let world = World::new().await;
    let tokens = world.tokens_of_alice().await;
    world.serve(&[("master", &realm_file().replacen("scope = \"openid profile email\"", "scope = \"openid\"", 1))]);
    let token = tokens["refresh_token"].as_str().unwrap();
    for (scope, expected) in [("openid profile", "400 invalid_scope"), ("openid", "200")] {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)];
        assert_eq!(world.as_till("/master/token", &form).await.brief(), expected, "{scope}");
    }
}

#[tokio::test]
async fn g7_a_type_of_authorization_details_is_withdrawn() {
    let types = "[[authorization_details_types]]\ntype = \"payment\"\n";
    let text = realm_file().replacen(
        "scope = \"openid profile email\"",
        "scope = \"openid profile email\"\nauthorization_details_types = [\"payment\"]",
        1,
    ) + types;
    let world = World::of(&[("master", &text)], Default::default()).await;
    let details = r#"[{"type":"payment","amount":"1"}]"#;
    let form = [("scope", "openid"), ("login_hint", "alice"), ("authorization_details", details)];
    let asked = world.as_till("/master/bc-authorize", &form).await.json();
    world.decides("alice-sub", Decision::Approve).await;
    let tokens = world.poll(asked["auth_req_id"].as_str().unwrap()).await.json();
    world.serve(&[("master", &text.replacen("authorization_details_types = [\"payment\"]\n", "", 1))]);
    let refused = world.refresh(&tokens["refresh_token"]).await;
    assert_eq!(refused.brief(), "400 invalid_authorization_details", "{refused:?}");
    for token in ["access_token", "refresh_token"] {
        let form = [("token", tokens[token].as_str().unwrap())];
        let introspected = world.as_till("/master/introspect", &form).await.json();
        assert_eq!(introspected["authorization_details"], tokens["authorization_details"], "Q1, Q2: {token}");
    }
    world.serve(&[("master", &text)]);
    assert_eq!(world.refresh(&tokens["refresh_token"]).await.status, 200);
}
