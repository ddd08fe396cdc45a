//! docs/cases.md: the token endpoint with the CIBA grant.

use std::sync::Arc;

use realmgate::ciba::decide::Decision;
use serde_json::Value;

use crate::world::{CIBA, World, claims, realm_file};

#[tokio::test]
async fn table_of_what_is_refused() {
    let world = World::new().await;
    let table: &[(&str, &[(&str, &str)], &str)] = &[
        ("K1 no grant_type", &[("auth_req_id", "x")], "400 invalid_request"),
        ("K2 unknown", &[("grant_type", "password")], "400 unsupported_grant_type"),
        ("K2 other case", &[("grant_type", "URN:openid:params:grant-type:ciba")], "400 unsupported_grant_type"),
        ("K4 no auth_req_id", &[("grant_type", CIBA)], "400 invalid_request"),
        ("K5 unknown", &[("grant_type", CIBA), ("auth_req_id", "x")], "400 invalid_grant"),
        ("K5 empty", &[("grant_type", CIBA), ("auth_req_id", "")], "400 invalid_request"),
        ("no refresh token", &[("grant_type", "refresh_token")], "400 invalid_request"),
        ("unknown refresh token", &[("grant_type", "refresh_token"), ("refresh_token", "x")], "400 invalid_grant"),
    ];
    for (number, form, expected) in table {
        for path in ["/master/token", "/realms/master/protocol/openid-connect/token"] {
            assert_eq!(world.as_till(path, form).await.brief(), *expected, "{number} at {path}");
        }
    }
    let long = "x".repeat(70_000);
    let answer = world.as_till("/master/token", &[("grant_type", CIBA), ("auth_req_id", &long)]).await;
    assert_eq!(answer.status, 413, "K5 over the limit");
}

#[tokio::test]
async fn k6_k7_another_clients_or_realms_request_is_unknown_and_stays_untouched() {
    let text = realm_file();
    let world = World::of(&[("master", &text), ("other", &text)], Default::default()).await;
    let id = world.ask_alice().await;
    let poll = [("grant_type", CIBA), ("auth_req_id", id.as_str())];
    for _ in 0..3 {
        assert_eq!(world.as_post("/master/token", &poll).await.brief(), "400 invalid_grant", "K6");
        assert_eq!(world.as_till("/other/token", &poll).await.brief(), "400 invalid_grant", "K7");
    }
    assert_eq!(world.poll(&id).await.brief(), "400 authorization_pending", "the first poll of its owner");
    world.decides("alice-sub", Decision::Approve).await;
    assert_eq!(world.as_post("/master/token", &poll).await.brief(), "400 invalid_grant");
    assert_eq!(world.poll(&id).await.status, 200);
}

#[tokio::test]
async fn k9_to_k12_polling() {
    let world = World::new().await;
    let id = world.ask_alice().await;
    assert_eq!(world.poll(&id).await.brief(), "400 authorization_pending", "K9");
    world.advance(5);
    assert_eq!(world.poll(&id).await.brief(), "400 authorization_pending", "K10");
    world.advance(4);
    assert_eq!(world.poll(&id).await.brief(), "400 slow_down", "K11");
    world.advance(9);
    assert_eq!(world.poll(&id).await.brief(), "400 slow_down", "K12");
    world.advance(15);
    assert_eq!(world.poll(&id).await.brief(), "400 authorization_pending");
}

#[tokio::test]
async fn k14_to_k16_approved() {
    let world = World::new().await;
    let id = world.ask_alice().await;
    assert_eq!(world.poll(&id).await.brief(), "400 authorization_pending");
    world.decides("alice-sub", Decision::Approve).await;
    let answer = world.poll(&id).await;
    assert_eq!(answer.status, 200, "K14, however early: {answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    let json = answer.json();
    let mut members: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["access_token", "expires_in", "id_token", "refresh_token", "scope", "token_type"], "K15");
    assert_eq!((&json["token_type"], &json["expires_in"]), (&"Bearer".into(), &300.into()));
    assert_eq!(json["scope"], "openid profile email");
    assert_eq!(world.poll(&id).await.brief(), "400 invalid_grant", "K16");
}

#[tokio::test]
async fn tokens_say_what_the_sign_in_was() {
    let world = World::new().await;
    let id = world.ask_alice().await;
    world.decides("alice-sub", Decision::Approve).await;
    world.advance(20);
    let json = world.poll(&id).await.json();
    let now = world.clock.now().seconds();
    let (id_token, access) = (claims(&json["id_token"]), claims(&json["access_token"]));
    for token in [&id_token, &access] {
        assert_eq!(token["iss"], "http://127.0.0.1:8080/master");
        assert_eq!(token["sub"], "alice-sub");
        assert_eq!((&token["iat"], &token["exp"]), (&now.into(), &(now + 300).into()));
        assert_eq!(token["auth_time"], now - 23, "of the upstream sign-in, not of the decision");
        assert_eq!((&token["acr"], &token["amr"][0]), (&"1".into(), &"pwd".into()));
        assert_eq!(token["azp"], "till");
        assert_eq!(token["preferred_username"], "alice");
        assert_eq!(
            (&token["name"], &token["email"]),
            (&"Alice Liddell".into(), &"alice@example.com".into()),
            "where the sign-in says nothing, the lookup's"
        );
    }
    assert_eq!((&id_token["typ"], &id_token["aud"]), (&"ID".into(), &"till".into()));
    assert_eq!((&access["typ"], &access["aud"]), (&"Bearer".into(), &"http://127.0.0.1:8080/master".into()));
    assert_eq!(access["scope"], "openid profile email");
    assert_eq!(id_token["sid"], access["sid"]);
    assert_ne!(id_token["jti"], access["jti"]);
    let half = realmgate::jose::half_hash(realmgate::keys::Algorithm::ES256, json["access_token"].as_str().unwrap());
    assert_eq!(id_token["at_hash"], half);
}

#[tokio::test]
async fn every_algorithm_signs_tokens_that_the_published_keys_verify() {
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        let world = World::with(|realm| *realm = realm.replace("\"ES256\"", &format!("\"{algorithm}\""))).await;
        let id = world.ask_alice().await;
        world.decides("alice-sub", Decision::Approve).await;
        let tokens = world.poll(&id).await.json();
        let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_value(world.get("/master/jwks").await.json()).unwrap();
        for token in [&tokens["id_token"], &tokens["access_token"]] {
            let token = token.as_str().unwrap();
            let header = jsonwebtoken::decode_header(token).unwrap();
            assert_eq!(format!("{:?}", header.alg), algorithm);
            let key = jsonwebtoken::DecodingKey::from_jwk(keys.find(&header.kid.unwrap()).unwrap()).unwrap();
            let mut validation = jsonwebtoken::Validation::new(header.alg);
            validation.validate_exp = false;
            validation.validate_aud = false;
            jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k17_of_fifty_racing_redemptions_one_wins() {
    let world = Arc::new(World::new().await);
    for _ in 0..5 {
        let id = world.ask_alice().await;
        world.decides("alice-sub", Decision::Approve).await;
        let polls: Vec<_> = (0..50)
            .map(|_| {
                let (world, id) = (Arc::clone(&world), id.clone());
                tokio::spawn(async move { world.poll(&id).await.brief() })
            })
            .collect();
        let mut answers = Vec::new();
        for poll in polls {
            answers.push(poll.await.unwrap());
        }
        assert_eq!(answers.iter().filter(|answer| *answer == "200").count(), 1);
        assert_eq!(answers.iter().filter(|answer| *answer == "400 invalid_grant").count(), 49);
    }
}

#[tokio::test]
async fn k18_a_failed_client_authentication_spends_nothing() {
    let world = World::new().await;
    let id = world.ask_alice().await;
    world.decides("alice-sub", Decision::Approve).await;
    let form = [("grant_type", CIBA), ("auth_req_id", &id), ("client_id", "till"), ("client_secret", "x")];
    assert_eq!(world.form("/master/token", &form).await.brief(), "401 invalid_client");
    assert_eq!(world.poll(&id).await.status, 200);
}

#[tokio::test]
async fn k19_k23_denied_stays_denied() {
    let world = World::new().await;
    let id = world.ask_alice().await;
    world.decides("alice-sub", Decision::Deny).await;
    assert_eq!(world.poll(&id).await.brief(), "400 access_denied", "K19");
    assert_eq!(world.poll(&id).await.brief(), "400 access_denied", "K19, again and early");
    world.advance(140);
    assert_eq!(world.poll(&id).await.brief(), "400 access_denied", "K23, after expiry");
    world.advance(60);
    assert_eq!(world.poll(&id).await.brief(), "400 invalid_grant", "K24");
}

#[tokio::test]
async fn k20_to_k24_expired() {
    let world = World::new().await;
    let (pending, approved) = (world.ask_alice().await, world.ask_bob().await);
    world.decides("bob-sub", Decision::Approve).await;
    world.advance(120);
    assert_eq!(world.poll(&pending).await.brief(), "400 expired_token", "K20, K22");
    assert_eq!(world.poll(&approved).await.brief(), "400 expired_token", "K21");
    world.advance(29);
    assert_eq!(world.poll(&pending).await.brief(), "400 expired_token", "for at least 30 s");
    world.advance(1);
    assert_eq!(world.poll(&pending).await.brief(), "400 invalid_grant", "K24");
}

#[tokio::test]
async fn k27_parameters_of_the_token_request_change_nothing() {
    let world = World::new().await;
    let id = world.ask_alice().await;
    world.decides("alice-sub", Decision::Approve).await;
    let form = [("grant_type", CIBA), ("auth_req_id", id.as_str()), ("scope", "openid")];
    assert_eq!(world.as_till("/master/token", &form).await.json()["scope"], "openid profile email");
}

#[tokio::test]
async fn p63_the_token_request_at_bc_authorize_as_a_page_prints_it() {
    let world = World::new().await;
    let id = world.ask_alice().await;
    let form = [("grant_type", CIBA), ("auth_req_id", id.as_str())];
    assert_eq!(world.as_till("/master/bc-authorize", &form).await.brief(), "400 authorization_pending");
    world.decides("alice-sub", Decision::Approve).await;
    assert_eq!(world.as_till("/master/bc-authorize", &form).await.status, 200);
    assert_eq!(
        world.as_till("/master/bc-authorize", &[("grant_type", "x")]).await.brief(),
        "400 unsupported_grant_type"
    );
}

#[tokio::test]
async fn a_user_disabled_in_between_gets_no_tokens() {
    let world = World::new().await;
    let id = world.ask_alice().await;
    world.decides("alice-sub", Decision::Approve).await;
    let text = realm_file();
    let disabled = text.replacen("name = \"Alice Liddell\"", "enabled = false", 1);
    world.serve(&[("master", &disabled)]);
    assert_eq!(world.poll(&id).await.brief(), "400 invalid_grant", "K25");
    world.serve(&[("master", &text)]);
    assert_eq!(world.poll(&id).await.status, 200, "nothing was spent");
}

#[tokio::test]
async fn k26_a_client_that_lost_scope_or_grant_gets_no_tokens() {
    let world = World::new().await;
    let id = world.ask_alice().await;
    world.decides("alice-sub", Decision::Approve).await;
    let text = realm_file();
    for (from, to, expected) in [
        ("scope = \"openid profile email\"", "scope = \"openid\"", "400 invalid_scope"),
        ("\"urn:openid:params:grant-type:ciba\", \"refresh_token\"", "\"refresh_token\"", "400 unauthorized_client"),
    ] {
        world.serve(&[("master", &text.replacen(from, to, 1))]);
        assert_eq!(world.poll(&id).await.brief(), expected);
    }
}
