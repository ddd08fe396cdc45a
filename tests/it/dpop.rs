//! docs/cases.md, DPoP (RFC 9449): at the token endpoint, at refresh, at userinfo.

use std::{sync::Arc, time::Duration};

use realmgate::{ciba::decide::Decision, store::Group};
use serde_json::{Value, json};

use crate::{
    holder::{Holder, form_over},
    world::{Answer, CIBA, World, basic, claims, realm_file},
};

const APP: &str = r#"
[[clients]]
client_id = "app"
client_secret = "app-secret-0123456789"
token_endpoint_auth_method = "client_secret_post"
scope = "openid profile"
grant_types = ["urn:openid:params:grant-type:ciba", "refresh_token"]
dpop_bound_access_tokens = true
"#;
const CREDENTIALS: [(&str, &str); 2] = [("client_id", "app"), ("client_secret", "app-secret-0123456789")];

async fn world() -> World {
    World::with(|realm| realm.push_str(APP)).await
}

/// A form of `app` with these proofs.
async fn as_app(world: &World, path: &str, proofs: &[&str], form: &[(&str, &str)]) -> Answer {
    let headers: Vec<_> = proofs.iter().map(|proof| ("dpop", *proof)).collect();
    form_over(world, None, path, &headers, &[&CREDENTIALS, form].concat()).await
}

async fn ask(world: &World) -> String {
    let form = [("scope", "openid profile"), ("login_hint", "alice")];
    let answer = as_app(world, "/master/bc-authorize", &[], &form).await;
    assert_eq!(answer.status, 200, "no proof is needed to ask: {answer:?}");
    answer.json()["auth_req_id"].as_str().unwrap().to_owned()
}

async fn poll(world: &World, id: &str, proofs: &[&str]) -> Answer {
    as_app(world, "/master/token", proofs, &[("grant_type", CIBA), ("auth_req_id", id)]).await
}

async fn refresh(world: &World, tokens: &Value, proofs: &[&str]) -> Answer {
    let token = tokens["refresh_token"].as_str().unwrap();
    as_app(world, "/master/token", proofs, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

/// The tokens of `app`, bound to this holder's key.
async fn tokens(world: &World, holder: &Holder) -> Value {
    let id = ask(world).await;
    world.decides("alice-sub", Decision::Approve).await;
    let answer = poll(world, &id, &[&holder.proof(world)]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn k18_k28_to_k31_a_failed_proof_spends_nothing() {
    let world = world().await;
    let (holder, other) = (Holder::new(), Holder::new());
    let id = ask(&world).await;
    world.decides("alice-sub", Decision::Approve).await;
    let good = || holder.claims(&world, "POST", "/master/token");
    let with = |name: &str, value: Value| {
        let mut claims = good();
        claims[name] = value;
        holder.sign(&claims)
    };
    let header = |name: &str, value: Value| {
        let mut header = json!({"typ": "dpop+jwt", "jwk": holder.jwk()});
        header[name] = value;
        holder.sign_with(&header, &good())
    };
    let now = world.clock.now().seconds();
    let mut private = holder.jwk().clone();
    private["d"] = "AA".into();
    let table: Vec<(&str, Vec<String>)> = vec![
        ("K28 none", vec![]),
        ("K29 two", vec![holder.proof(&world), holder.proof(&world)]),
        ("K29 two in one header", vec![format!("{}, {}", holder.proof(&world), holder.proof(&world))]),
        ("K29 garbage", vec!["a.b.c".into()]),
        ("K29 empty", vec![String::new()]),
        ("K29 htm", vec![with("htm", "GET".into())]),
        ("K29 htu", vec![with("htu", "http://127.0.0.1:8080/master/userinfo".into())]),
        ("K29 htu made from Host", vec![with("htu", "http://evil.example/master/token".into())]),
        ("K29 typ", vec![header("typ", "JWT".into())]),
        ("K29 alg", vec![header("alg", "none".into())]),
        ("K29 jwk of another", vec![header("jwk", other.jwk().clone())]),
        ("K29 private jwk", vec![header("jwk", private)]),
        ("K30 another realm", vec![with("htu", "http://127.0.0.1:8080/other/token".into())]),
        ("K31 too old", vec![with("iat", (now - 60).into())]),
        ("K31 too far ahead", vec![with("iat", (now + 31).into())]),
    ];
    for (number, proofs) in table {
        let proofs: Vec<_> = proofs.iter().map(String::as_str).collect();
        let answer = poll(&world, &id, &proofs).await;
        assert_eq!(answer.brief(), "400 invalid_dpop_proof", "{number}: {answer:?}");
        assert_eq!(answer.header("www-authenticate"), None, "{number}");
    }
    let answer = poll(&world, &id, &[&holder.proof(&world)]).await;
    assert_eq!(answer.status, 200, "nothing was spent: {answer:?}");
    let json = answer.json();
    assert_eq!(json["token_type"], "DPoP");
    assert_eq!(claims(&json["access_token"])["cnf"], json!({"jkt": holder.thumbprint()}));
    assert_eq!(claims(&json["id_token"]).get("cnf"), None);
    assert!(world.audited().iter().any(|record| record["error"] == "invalid_dpop_proof" && record["client"] == "app"));
}

#[tokio::test]
async fn k30_both_styles_of_address_query_and_fragment() {
    let world = world().await;
    let holder = Holder::new();
    let short = "/master/token";
    let keycloak = "/realms/master/protocol/openid-connect/token";
    // where it is sent, what the proof says
    for (path, htu) in [
        (short, short),
        (short, keycloak),
        (keycloak, keycloak),
        (keycloak, short),
        (short, "/master/token?a=b#c"),
        ("/master/bc-authorize", "/master/bc-authorize"),
    ] {
        let id = ask(&world).await;
        world.decides("alice-sub", Decision::Approve).await;
        let proof = holder.sign(&holder.claims(&world, "POST", htu));
        let form = [("grant_type", CIBA), ("auth_req_id", id.as_str())];
        let answer = as_app(&world, path, &[&proof], &form).await;
        assert_eq!(answer.status, 200, "{htu} at {path}: {answer:?}");
    }
}

#[tokio::test]
async fn k31_a_proof_counts_once_and_a_failed_one_leaves_the_interval_alone() {
    let world = world().await;
    let holder = Holder::new();
    let id = ask(&world).await;
    let proof = holder.proof(&world);
    assert_eq!(poll(&world, &id, &[]).await.brief(), "400 invalid_dpop_proof");
    assert_eq!(poll(&world, &id, &[&proof]).await.brief(), "400 authorization_pending", "the first poll");
    world.advance(5);
    assert_eq!(poll(&world, &id, &[&proof]).await.brief(), "400 invalid_dpop_proof", "replayed");
    assert_eq!(poll(&world, &id, &[&holder.proof(&world)]).await.brief(), "400 authorization_pending");
    world.advance(5);
    // another key may count its proofs the same way
    let other = Holder::new();
    assert_eq!(poll(&world, &id, &[&other.proof(&world)]).await.brief(), "400 authorization_pending");
    world.decides("alice-sub", Decision::Approve).await;
    world.advance(49);
    assert_eq!(poll(&world, &id, &[&proof]).await.brief(), "400 invalid_dpop_proof", "as long as it would count");
    assert_eq!(poll(&world, &id, &[&holder.proof(&world)]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k31_of_fifty_that_race_with_one_proof_one_is_taken() {
    let world = Arc::new(world().await);
    let id = ask(&world).await;
    let proof = Holder::new().proof(&world);
    let polls: Vec<_> = (0..50)
        .map(|_| {
            let (world, id, proof) = (Arc::clone(&world), id.clone(), proof.clone());
            tokio::spawn(async move { poll(&world, &id, &[&proof]).await.brief() })
        })
        .collect();
    let mut answers = Vec::new();
    for poll in polls {
        answers.push(poll.await.unwrap());
    }
    answers.sort_unstable();
    assert_eq!(answers[0], "400 authorization_pending");
    assert!(answers[1..].iter().all(|answer| answer == "400 invalid_dpop_proof"), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k17_of_fifty_racing_redemptions_with_proofs_one_wins() {
    let world = Arc::new(world().await);
    let holder = Arc::new(Holder::new());
    let id = ask(&world).await;
    world.decides("alice-sub", Decision::Approve).await;
    let polls: Vec<_> = (0..50)
        .map(|_| {
            let (world, holder, id) = (Arc::clone(&world), Arc::clone(&holder), id.clone());
            tokio::spawn(async move { poll(&world, &id, &[&holder.proof(&world)]).await.brief() })
        })
        .collect();
    let mut answers = Vec::new();
    for poll in polls {
        answers.push(poll.await.unwrap());
    }
    assert_eq!(answers.iter().filter(|answer| *answer == "200").count(), 1);
    assert_eq!(answers.iter().filter(|answer| *answer == "400 invalid_grant").count(), 49);
}

#[tokio::test]
async fn k36_a_held_poll_gets_tokens_that_are_bound_to_its_proof() {
    let world = Arc::new(World::with(|realm| realm.push_str(&format!("[ciba]\nlong_poll = 20\n{APP}"))).await);
    let holder = Holder::new();
    let id = ask(&world).await;
    let held = {
        let (world, id, proof) = (Arc::clone(&world), id.clone(), holder.proof(&world));
        tokio::spawn(async move { poll(&world, &id, &[&proof]).await })
    };
    let is_held = async {
        while world.gateway.held_polls() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), is_held).await.unwrap();
    world.decides("alice-sub", Decision::Approve).await;
    let tokens = tokio::time::timeout(Duration::from_secs(10), held).await.unwrap().unwrap().json();
    assert_eq!(claims(&tokens["access_token"])["cnf"]["jkt"], holder.thumbprint());
}

/// RFC 9449 5: whoever sends a proof gets bound tokens; a bad one is refused.
#[tokio::test]
async fn a_client_that_need_not_may_bind_its_tokens() {
    let world = World::new().await;
    let holder = Holder::new();
    let id = world.ask_alice().await;
    world.decides("alice-sub", Decision::Approve).await;
    let authorization = basic("till", "till secret: a+b%20c");
    let form = [("grant_type", CIBA), ("auth_req_id", id.as_str())];
    let as_till = async |proof: &str| {
        form_over(&world, None, "/master/token", &[("authorization", &authorization), ("dpop", proof)], &form).await
    };
    assert_eq!(as_till("a.b.c").await.brief(), "400 invalid_dpop_proof");
    let tokens = as_till(&holder.proof(&world)).await.json();
    assert_eq!(tokens["token_type"], "DPoP");
    assert_eq!(claims(&tokens["access_token"])["cnf"]["jkt"], holder.thumbprint());
    let refreshed = world.refresh(&tokens["refresh_token"]).await.json();
    assert_eq!(refreshed["token_type"], "Bearer", "as it was asked for this time");
    assert_eq!(claims(&refreshed["access_token"]).get("cnf"), None);
}

/// What was registered when the person was asked counts, and what is registered now.
#[tokio::test]
async fn k28_g9_registrations_then_and_now_both_count() {
    let world = world().await;
    let holder = Holder::new();
    let bound = format!("{}{APP}", realm_file());
    let free = bound.replace("dpop_bound_access_tokens = true", "");
    for (then, now) in [(&bound, &free), (&free, &bound)] {
        world.serve(&[("master", then)]);
        let id = ask(&world).await;
        world.decides("alice-sub", Decision::Approve).await;
        world.serve(&[("master", now)]);
        assert_eq!(poll(&world, &id, &[]).await.brief(), "400 invalid_dpop_proof");
        let tokens = poll(&world, &id, &[&holder.proof(&world)]).await.json();
        assert_eq!(refresh(&world, &tokens, &[]).await.brief(), "400 invalid_dpop_proof");
        let refreshed = refresh(&world, &tokens, &[&holder.proof(&world)]).await;
        assert_eq!(refreshed.json()["token_type"], "DPoP", "{refreshed:?}");
    }
}

#[tokio::test]
async fn g8_g9_a_refreshed_token_is_bound_to_the_proof_that_comes_with_it() {
    let world = world().await;
    let (first, second) = (Holder::new(), Holder::new());
    let tokens = tokens(&world, &first).await;
    assert_eq!(refresh(&world, &tokens, &[]).await.brief(), "400 invalid_dpop_proof");
    assert_eq!(refresh(&world, &tokens, &["x"]).await.brief(), "400 invalid_dpop_proof");
    let refreshed = refresh(&world, &tokens, &[&second.proof(&world)]).await;
    assert_eq!(refreshed.status, 200, "neither was a use of the token: {refreshed:?}");
    let refreshed = refreshed.json();
    assert_eq!(refreshed["token_type"], "DPoP");
    assert_eq!(claims(&refreshed["access_token"])["cnf"]["jkt"], second.thumbprint());
}

#[tokio::test]
async fn u7_to_u9_userinfo_is_for_who_holds_the_key() {
    let world = world().await;
    let (holder, other) = (Holder::new(), Holder::new());
    let tokens = tokens(&world, &holder).await;
    let (bound, unbound) = (&tokens["access_token"], &world.tokens_of_bob().await["access_token"]);
    let foreign = Value::from("x");
    let proof = || holder.proof_with(&world, "GET", bound);
    let with = |name: &str, value: Value| {
        let mut claims = claims(&Value::from(proof()));
        claims[name] = value;
        holder.sign(&claims)
    };
    let keycloak = "http://127.0.0.1:8080/realms/master/protocol/openid-connect/userinfo";
    // case, scheme, token, proofs, answer, challenge
    let dpop = r#"DPoP realm="master", error="#;
    let bearer = r#"Bearer realm="master", error="#;
    let table: Vec<(&str, &str, &Value, Vec<String>, &str, &str)> = vec![
        ("good", "DPoP", bound, vec![proof()], "200", ""),
        ("scheme in other case", "dpop", bound, vec![proof()], "200", ""),
        ("the other style", "DPoP", bound, vec![with("htu", keycloak.into())], "200", ""),
        ("as a bearer's", "Bearer", bound, vec![], "401 invalid_token", dpop),
        ("as a bearer's, with a proof", "Bearer", bound, vec![proof()], "401 invalid_token", dpop),
        ("unbound with a proof", "DPoP", unbound, vec![proof()], "401 invalid_token", dpop),
        ("unbound with a needless proof", "Bearer", unbound, vec![proof()], "200", ""),
        ("no proof", "DPoP", bound, vec![], "401 invalid_dpop_proof", dpop),
        ("two proofs", "DPoP", bound, vec![proof(), proof()], "401 invalid_dpop_proof", dpop),
        ("another key", "DPoP", bound, vec![other.proof_with(&world, "GET", bound)], "401 invalid_token", dpop),
        ("no ath", "DPoP", bound, vec![with("ath", Value::Null)], "401 invalid_dpop_proof", dpop),
        ("ath of another token", "DPoP", bound, vec![with("ath", "x".into())], "401 invalid_dpop_proof", dpop),
        ("another method", "DPoP", bound, vec![with("htm", "POST".into())], "401 invalid_dpop_proof", dpop),
        ("a proof for the token endpoint", "DPoP", bound, vec![holder.proof(&world)], "401 invalid_dpop_proof", dpop),
        ("no token of ours", "DPoP", &foreign, vec![proof()], "401 invalid_token", dpop),
        ("no token of ours, Bearer", "Bearer", &foreign, vec![], "401 invalid_token", bearer),
    ];
    for (case, scheme, token, proofs, expected, challenge) in table {
        let authorization = format!("{scheme} {}", token.as_str().unwrap());
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(proofs.iter().map(|proof| ("dpop", proof.as_str())));
        let answer = world.send("GET", "/master/userinfo", &headers, "").await;
        assert_eq!(answer.brief(), expected, "{case}: {answer:?}");
        let header = answer.header("www-authenticate").unwrap_or_default();
        assert!(header.starts_with(challenge), "{case}: {header}");
        let names_algorithms = header.ends_with(r#"algs="RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 EdDSA""#);
        assert_eq!(names_algorithms, challenge == dpop, "{case}: {header}");
    }
    let again = proof();
    let authorization = format!("DPoP {}", bound.as_str().unwrap());
    let headers = [("authorization", authorization.as_str()), ("dpop", &again)];
    assert_eq!(world.send("GET", "/master/userinfo", &headers, "").await.status, 200);
    assert_eq!(world.send("GET", "/master/userinfo", &headers, "").await.brief(), "401 invalid_dpop_proof", "replayed");
    let posted = holder.proof_with(&world, "POST", bound);
    let headers = [("authorization", authorization.as_str()), ("dpop", &posted)];
    assert_eq!(world.send("POST", "/master/userinfo", &headers, "").await.status, 200);
}

/// Whoever stole a bound token has another key, and as many proofs as they like: none of them fills the client's quota.
#[tokio::test]
async fn u9_proofs_of_another_key_are_not_remembered() {
    let world = world().await;
    let (holder, thief) = (Holder::new(), Holder::new());
    let tokens = tokens(&world, &holder).await;
    let stolen = &tokens["access_token"];
    let remembered = async || {
        let app = Group::Client("master".into(), "app".into());
        world.gateway.parts().tables.used.count(&app).await.unwrap()
    };
    let before = remembered().await;
    let authorization = format!("DPoP {}", stolen.as_str().unwrap());
    let proof = thief.proof_with(&world, "GET", stolen);
    for _ in 0..2 {
        let headers = [("authorization", authorization.as_str()), ("dpop", &proof)];
        assert_eq!(world.send("GET", "/master/userinfo", &headers, "").await.brief(), "401 invalid_token");
    }
    assert_eq!(remembered().await, before);
    let proof = holder.proof_with(&world, "GET", stolen);
    let headers = [("authorization", authorization.as_str()), ("dpop", &proof)];
    assert_eq!(world.send("GET", "/master/userinfo", &headers, "").await.status, 200);
    assert_eq!(remembered().await, before + 1);
}
