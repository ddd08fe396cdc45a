//! docs/cases.md, userinfo: how a token is presented, and the answer as a FAPI resource has it. Bound tokens: `dpop`,
//! `certificate_bound`.

use serde_json::Value;

use crate::world::{Answer, World, encode, realm_file};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const BOTH: [&str; 2] = ["/master/userinfo", "/realms/master/protocol/openid-connect/userinfo"];

#[tokio::test]
async fn u1_u2_it_says_what_the_scope_releases() {
    let world = World::new().await;
    let tokens = world.tokens_of_alice().await;
    let bearer = format!("bEARER {}", tokens["access_token"].as_str().unwrap());
    for path in BOTH {
        for method in ["GET", "POST"] {
            let answer = world.send(method, path, &[("authorization", &bearer)], "").await;
            assert_eq!((answer.status, &answer.json()["sub"]), (200, &"alice-sub".into()), "{method} {path}");
            assert_eq!(answer.json()["email"], "alice@example.com");
            assert_eq!(answer.header("content-type"), Some("application/json"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
    for (case, token) in
        [("ID token", &tokens["id_token"]), ("refresh token", &tokens["refresh_token"]), ("nothing", &"x".into())]
    {
        let refused = world.userinfo(token).await;
        assert_eq!(refused.brief(), "401 invalid_token", "{case}");
        assert!(
            refused.header("www-authenticate").unwrap().starts_with("Bearer realm=\"master\", error=\"invalid_token\"")
        );
    }
    world.advance(300);
    assert_eq!(world.userinfo(&tokens["access_token"]).await.brief(), "401 invalid_token", "expired");
}

#[tokio::test]
async fn u3_without_a_token_both_schemes_are_named() {
    let world = World::new().await;
    for path in BOTH {
        for headers in [vec![], vec![("authorization", "Basic x")]] {
            let answer = world.send("GET", path, &headers, "").await;
            assert_eq!(answer.brief(), "401 invalid_token");
            let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
            assert_eq!(
                challenges,
                [
                    r#"Bearer realm="master""#,
                    r#"DPoP realm="master", algs="RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 EdDSA""#,
                ]
            );
        }
    }
}

#[tokio::test]
async fn u1_u5_u6_table_of_ways_to_present_a_token() {
    let world = World::new().await;
    let tokens = world.tokens_of_alice().await;
    let token = tokens["access_token"].as_str().unwrap();
    let bearer = format!("Bearer {token}");
    let header = ("authorization", bearer.as_str());
    let body = encode(&[("access_token", token)]);
    // case, method, query, headers, body, answer
    let table: Vec<(&str, &str, &str, Vec<(&str, &str)>, &str, &str)> = vec![
        ("header", "GET", "", vec![header], "", "200"),
        ("header, POST with an empty form", "POST", "", vec![header, FORM], "", "200"),
        ("header, POST of what is no form", "POST", "", vec![header, ("content-type", "text/plain")], &body, "200"),
        ("form", "POST", "", vec![FORM], &body, "200"),
        ("form without its content type", "POST", "", vec![], &body, "401 invalid_token"),
        ("form of a GET", "GET", "", vec![FORM], &body, "401 invalid_token"),
        ("form, another token", "POST", "", vec![FORM], "access_token=x", "401 invalid_token"),
        ("form, twice", "POST", "", vec![FORM], "access_token=x&access_token=x", "400 invalid_request"),
        ("header and form", "POST", "", vec![header, FORM], &body, "400 invalid_request"),
        ("two headers", "GET", "", vec![header, header], "", "400 invalid_request"),
        ("query", "GET", &body, vec![], "", "400 invalid_request"),
        ("query of a POST", "POST", &body, vec![], "", "400 invalid_request"),
        ("query and header", "GET", "access_token=x", vec![header], "", "400 invalid_request"),
        ("query, empty", "GET", "access_token=", vec![header], "", "400 invalid_request"),
        ("query, encoded", "GET", "access%5ftoken=x", vec![header], "", "400 invalid_request"),
        ("another query", "GET", "schema=openid", vec![header], "", "200"),
    ];
    for (case, method, query, headers, body, expected) in table {
        for path in BOTH {
            let answer = world.send(method, &format!("{path}?{query}"), &headers, body).await;
            assert_eq!(answer.brief(), expected, "{case}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn u2_u4_a_token_ends_with_its_client_and_needs_openid() {
    let world = World::new().await;
    let tokens = world.tokens_of_alice().await;
    world.serve(&[("master", &realm_file().replacen("client_name = \"Corner shop till\"", "enabled = false", 1))]);
    assert_eq!(world.userinfo(&tokens["access_token"]).await.brief(), "401 invalid_token");
    world.serve(&[("master", &realm_file())]);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ("scope", "profile"),
    ];
    let without = world.as_till("/master/token", &form).await.json();
    let refused = world.userinfo(&without["access_token"]).await;
    assert_eq!(refused.brief(), "403 insufficient_scope");
    assert!(refused.header("www-authenticate").unwrap().ends_with(r#", scope="openid""#));
}

#[tokio::test]
async fn u11_an_interaction_is_named_by_the_caller_or_by_us() {
    let world = World::new().await;
    let tokens = world.tokens_of_alice().await;
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let id = |answer: &Answer| answer.header("x-fapi-interaction-id").unwrap().to_owned();
    let send = async |headers: &[(&str, &str)]| world.send("GET", "/master/userinfo", headers, "").await;
    let theirs = "C770AEF3-6784-41F7-8E0E-FF5F97BDDB3A";
    for headers in [vec![("authorization", bearer.as_str())], vec![]] {
        let answer = send(&[&headers[..], &[("x-fapi-interaction-id", theirs)]].concat()).await;
        assert_eq!(id(&answer), theirs, "echoed, on errors too: {answer:?}");
        let mut made = vec![id(&send(&headers).await)];
        for malformed in ["", "x", "c770aef3678441f78e0eff5f97bddb3a", "c770aef3-6784-41f7-8e0e-ff5f97bddb3a\t,x"] {
            made.push(id(&send(&[&headers[..], &[("x-fapi-interaction-id", malformed)]].concat()).await));
        }
        for ours in &made {
            assert_eq!((ours.len(), ours.matches('-').count(), &ours[14..15]), (36, 4, "4"), "a UUID: {ours}");
        }
        made.sort_unstable();
        made.dedup();
        assert_eq!(made.len(), 5, "a new one each time");
    }
}

#[tokio::test]
async fn u5_the_profile_fapi_ciba_takes_headers_alone() {
    let realm = "profile = \"fapi-ciba\"\n[upstream]\nissuer = \"https://login.example.com\"\nclient_id = \"realmgate\"\n\
                 [[lookups]]\nkind = \"sign-in\"\n";
    let world = World::of(&[("master", realm)], Default::default()).await;
    let answer = world.form("/master/userinfo", &[("access_token", "x")]).await;
    assert_eq!(answer.brief(), "400 invalid_request");
    let answer = world.userinfo(&"x".into()).await;
    assert_eq!(answer.brief(), "401 invalid_token");
    let none = world.get("/master/userinfo").await;
    let challenge = none.headers.get_all("www-authenticate").iter().nth(1).unwrap();
    assert_eq!(challenge, r#"DPoP realm="master", algs="PS256 ES256""#);
}

#[tokio::test]
async fn u2_tokens_that_were_bent() {
    let world = World::new().await;
    let tokens = world.tokens_of_alice().await;
    let token = tokens["access_token"].as_str().unwrap();
    let cut = &token[..token.len() - 4];
    for bent in [format!("{token}x"), token.replacen('.', "..", 1), format!("{token}.a.b"), cut.to_owned()] {
        assert_eq!(world.userinfo(&Value::from(bent)).await.brief(), "401 invalid_token");
    }
}
