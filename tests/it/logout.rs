//! docs/cases.md, logout: by a client with its refresh token, by a browser with an ID token.

use serde_json::{Value, json};

use crate::{
    addresses::is_a_page,
    world::{Answer, World, encode, realm_file},
};

const BOTH: [&str; 2] = ["/master/logout", "/realms/master/protocol/openid-connect/logout"];

async fn by_browser(world: &World, method: &str, form: &[(&str, &str)]) -> Answer {
    world.send(method, &format!("/master/logout?{}", encode(form)), &[], "").await
}

async fn lives(world: &World, tokens: &Value) -> bool {
    world.userinfo(&tokens["access_token"]).await.status == 200
}

#[tokio::test]
async fn l1_a_client_ends_what_its_refresh_token_stands_for() {
    let world = World::new().await;
    for path in BOTH {
        let tokens = world.tokens_of_alice().await;
        world.audited();
        let form = [("refresh_token", tokens["refresh_token"].as_str().unwrap())];
        for case in ["first", "again"] {
            let answer = world.as_till(path, &form).await;
            assert_eq!((answer.status, &*answer.text), (204, ""), "{case}");
            assert_eq!(answer.header("content-type"), None, "{case}");
        }
        let records = world.audited();
        assert_eq!(
            (records.len(), &records[0]["type"], &records[0]["via"]),
            (1, &json!("authorization_ended"), &json!("logout"))
        );
        assert!(!lives(&world, &tokens).await);
        assert_eq!(world.refresh(&tokens["refresh_token"]).await.brief(), "400 invalid_grant");
    }
}

#[tokio::test]
async fn l1_to_l3_which_refresh_tokens_are_taken() {
    let text = realm_file();
    let world = World::of(&[("master", &text), ("other", &text)], Default::default()).await;
    let tokens = world.tokens_of_alice().await;
    let refresh = ("refresh_token", tokens["refresh_token"].as_str().unwrap());
    for path in BOTH {
        for (case, form) in [
            ("garbage", [("refresh_token", "x")]),
            ("an access token", [("refresh_token", tokens["access_token"].as_str().unwrap())]),
        ] {
            assert_eq!(world.as_till(path, &form).await.brief(), "400 invalid_grant", "{case}");
        }
        assert_eq!(world.as_post(path, &[refresh]).await.brief(), "400 invalid_grant", "another client's");
        assert_eq!(world.as_till(path, &[]).await.brief(), "400 invalid_request", "none");
        assert_eq!(world.form(path, &[refresh]).await.brief(), "401 invalid_client");
        assert_eq!(world.form(path, &[]).await.brief(), "401 invalid_client", "nothing at all");
    }
    assert_eq!(world.as_till("/other/logout", &[refresh]).await.brief(), "400 invalid_grant", "another realm's");
    assert!(lives(&world, &tokens).await);
    let second = world.refresh(&tokens["refresh_token"]).await.json();
    assert_eq!(world.as_till("/master/logout", &[refresh]).await.status, 204, "one that was used names it, too");
    assert!(!lives(&world, &second).await);
    world.advance(1800);
    assert_eq!(world.as_till("/master/logout", &[refresh]).await.status, 204, "expired");
}

#[tokio::test]
async fn l4_l6_a_browser_ends_what_its_id_token_stands_for() {
    let world = World::new().await;
    for path in BOTH {
        for method in ["GET", "POST"] {
            let (tokens, other) = (world.tokens_of_alice().await, world.tokens_of_bob().await);
            world.advance(400); // an ID token that has expired is taken
            world.audited();
            let second = world.refresh(&tokens["refresh_token"]).await.json();
            let form = [
                ("id_token_hint", tokens["id_token"].as_str().unwrap()),
                ("client_id", "till"),
                ("post_logout_redirect_uri", "https://shop.example/bye"),
                ("state", "s"),
            ];
            for case in ["first", "again"] {
                let answer = match method {
                    "GET" => world.get(&format!("{path}?{}", encode(&form))).await,
                    _ => world.form(path, &form).await,
                };
                assert_eq!((answer.status, answer.header("location")), (200, None), "{case}: {answer:?}");
                assert!(answer.text.contains("You are signed out of Corner shop till"), "{case}: {}", answer.text);
                is_a_page(&answer);
            }
            assert!(!lives(&world, &second).await);
            assert_eq!(world.refresh(&other["refresh_token"]).await.status, 200, "another authorization");
            let records = world.audited();
            let ended: Vec<_> = records.iter().filter(|record| record["type"] == "authorization_ended").collect();
            assert_eq!((ended.len(), &ended[0]["via"]), (1, &json!("id_token_hint")));
        }
    }
}

#[tokio::test]
async fn l5_which_id_tokens_are_taken() {
    let text = realm_file();
    let world = World::of(&[("master", &text), ("other", &text)], Default::default()).await;
    let tokens = world.tokens_of_alice().await;
    let hint = tokens["id_token"].as_str().unwrap();
    let (header, payload, signature) = {
        let mut parts = hint.split('.');
        (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap())
    };
    for (case, form) in [
        ("none", vec![]),
        (
            "none, but a client and an address",
            vec![("client_id", "till"), ("post_logout_redirect_uri", "https://evil.example/")],
        ),
        ("garbage", vec![("id_token_hint", "x")]),
        ("not signed", vec![("id_token_hint", &*format!("{header}.{payload}."))]),
        ("changed", vec![("id_token_hint", &*format!("{header}.{}.{signature}", payload.replace('a', "b")))]),
        ("an access token", vec![("id_token_hint", tokens["access_token"].as_str().unwrap())]),
        ("a refresh token", vec![("id_token_hint", tokens["refresh_token"].as_str().unwrap())]),
        ("another client's", vec![("id_token_hint", hint), ("client_id", "post")]),
        ("twice", vec![("id_token_hint", hint), ("id_token_hint", hint)]),
    ] {
        let answer = by_browser(&world, "GET", &form).await;
        assert_eq!((answer.status, answer.header("location")), (400, None), "{case}: {answer:?}");
        is_a_page(&answer);
    }
    let elsewhere = world.get(&format!("/other/logout?id_token_hint={hint}")).await;
    assert_eq!(elsewhere.status, 400, "another realm's");
    assert!(lives(&world, &tokens).await, "nothing has changed");
}

/// RFC 9110 9.3.2: link checkers send HEAD.
#[tokio::test]
async fn l7_head_ends_nothing() {
    let world = World::new().await;
    let tokens = world.tokens_of_alice().await;
    let hint = [("id_token_hint", tokens["id_token"].as_str().unwrap())];
    assert_eq!(by_browser(&world, "HEAD", &hint).await.status, 200);
    assert!(lives(&world, &tokens).await);
    assert_eq!(by_browser(&world, "GET", &hint).await.status, 200);
    assert!(!lives(&world, &tokens).await);
}

/// A client's name is the operator's, and still no HTML.
#[tokio::test]
async fn the_page_shows_the_clients_name_as_text() {
    let world = World::with(|realm| *realm = realm.replace("Corner shop till", "A <b>till</b>")).await;
    let tokens = world.tokens_of_alice().await;
    let answer = by_browser(&world, "GET", &[("id_token_hint", tokens["id_token"].as_str().unwrap())]).await;
    assert!(!answer.text.contains("<b>"), "{}", answer.text);
    assert!(answer.text.contains("till"), "{}", answer.text);
}
