//! docs/cases.md: hints that are tokens, and which hints a client may send.

use std::sync::LazyLock;

use realmgate::{
    ciba::decide::Decision,
    keys::{Algorithm, SigningKey},
    secret::Secret,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use warp::Filter;

use crate::{
    signer::{Signer, over},
    world::{Answer, Build, World, realm_file},
};

type Key = LazyLock<Signer>;
/// The realm's own.
static REALM: Key = LazyLock::new(|| Signer::from_pem(Algorithm::ES256, &REALM_PEM));
static REALM_PEM: LazyLock<Secret> = LazyLock::new(|| SigningKey::generate(Algorithm::ES256).unwrap().1);
/// That of an issuer of login_hint_tokens.
static HINTS: Key = LazyLock::new(|| Signer::new(Algorithm::ES256));
static UPSTREAM: Key = LazyLock::new(|| Signer::new(Algorithm::ES256));
static NOBODY: Key = LazyLock::new(|| Signer::new(Algorithm::ES256));

const ISSUER: &str = "http://127.0.0.1:8080/master";
const HINT_ISSUER: &str = "https://hints.example.com";
const DAY: u64 = 24 * 60 * 60;

/// The happy world with a key that tests can sign with, too, and an issuer of hints.
fn file() -> String {
    let key = format!("\n[[keys]]\nalg = \"ES256\"\nprivate_key = '''{}'''\n", REALM_PEM.reveal());
    let issuer = format!("\n[[login_hint_token_issuers]]\nissuer = \"{HINT_ISSUER}\"\n{}\n", hint_keys());
    [realm_file().as_str(), &key, &issuer, "\n[limits]\npending_per_user = 1000\n"].concat()
}

/// The keys of the issuer of hints.
fn hint_keys() -> String {
    format!("jwks = {{ keys = [{}] }}", HINTS.toml())
}

async fn world() -> World {
    World::of(&[("master", &file())], Build::default()).await
}

async fn ask(world: &World, kind: &str, hint: &str) -> Answer {
    world.as_till("/master/bc-authorize", &[("scope", "openid"), (kind, hint)]).await
}

/// The claims of an ID token of `till` for alice, as the realm issues them.
fn id_token(world: &World, patch: &Value) -> Value {
    let now = world.clock.now().seconds();
    let claims = json!({
        "iss": ISSUER, "aud": "till", "azp": "till", "sub": "alice-sub", "typ": "ID", "iat": now, "exp": now + 300,
    });
    over(claims, patch)
}

#[tokio::test]
async fn an_id_token_of_the_realm_names_its_person_again() {
    let world = world().await;
    let id = world.ask_alice().await;
    world.decides("alice-sub", Decision::Approve).await;
    let tokens = world.poll(&id).await.json();
    let hint = tokens["id_token"].as_str().unwrap();
    for days in [0, 29] {
        world.advance(days * DAY);
        assert_eq!(ask(&world, "id_token_hint", hint).await.brief(), "200", "P24 after {days} days");
        world.decides("alice-sub", Decision::Deny).await;
    }
    world.advance(2 * DAY);
    assert_eq!(ask(&world, "id_token_hint", hint).await.brief(), "400 invalid_request", "P25");
    for name in ["access_token", "refresh_token"] {
        let answer = ask(&world, "id_token_hint", tokens[name].as_str().unwrap()).await;
        assert_eq!(answer.brief(), "400 invalid_request", "P28 {name}");
    }
}

#[tokio::test]
async fn table_of_id_token_hints() {
    let world = world().await;
    let now = world.clock.now().seconds();
    let refused = "400 invalid_request";
    let of = |patch: &Value| REALM.sign(&id_token(&world, patch));
    let with = |patch: &Value| REALM.jwt(patch, &id_token(&world, &json!({})));
    let good = of(&json!({}));
    let table: Vec<(&str, String, &str)> = vec![
        ("as issued", good.clone(), "200"),
        ("P22 no JWT", "alice".into(), refused),
        ("P22 JWE", "e30.e30.e30.e30.e30".into(), refused),
        ("P22 none", with(&json!({"alg": "none"})), refused),
        ("P22 HS256", with(&json!({"alg": "HS256"})), refused),
        ("P22 crit", with(&json!({"crit": ["x"]})), refused),
        ("P23 bad signature", good[..good.len() - 6].to_owned() + "AAAAAA", refused),
        ("P23 another key", NOBODY.sign(&id_token(&world, &json!({}))), refused),
        (
            "P23 another key, the same kid",
            NOBODY.jwt(&json!({"kid": REALM.jwk()["kid"]}), &id_token(&world, &json!({}))),
            refused,
        ),
        ("P23 without kid", with(&json!({"kid": null})), refused),
        ("P23 of another realm", of(&json!({"iss": "http://127.0.0.1:8080/other"})), refused),
        ("P23 of nobody", of(&json!({"iss": null})), refused),
        ("P23 of an issuer of hints", HINTS.sign(&id_token(&world, &json!({"iss": HINT_ISSUER}))), refused),
        ("P24 expired a moment ago", of(&json!({"exp": now - 1})), "200"),
        ("P24 almost too old", of(&json!({"exp": now - 30 * DAY + 1})), "200"),
        ("P25 too old", of(&json!({"exp": now - 30 * DAY})), refused),
        ("without exp", of(&json!({"exp": null})), refused),
        ("exp that is no time", of(&json!({"exp": "never"})), refused),
        ("without iat", of(&json!({"iat": null})), refused),
        ("issued in the future", of(&json!({"iat": now + 300})), refused),
        ("P26 of another client", of(&json!({"aud": "post", "azp": "post"})), refused),
        ("P26 another's, shown to this client", of(&json!({"aud": ["till", "post"], "azp": "post"})), refused),
        ("P26 for several, and nobody says for whom", of(&json!({"aud": ["till", "post"], "azp": null})), refused),
        ("for several", of(&json!({"aud": ["post", "till"]})), "200"),
        ("without azp", of(&json!({"azp": null})), "200"),
        ("P27", of(&json!({"aud": ["till", 1]})), refused),
        ("P27 no text", of(&json!({"aud": {"till": 1}})), refused),
        ("P28 access token", of(&json!({"typ": "Bearer"})), refused),
        (
            "P28 by its claims",
            of(&json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}})),
            refused,
        ),
        ("P28 by its header", with(&json!({"typ": "at+jwt"})), refused),
        ("P28 logout token", with(&json!({"typ": "logout+jwt"})), refused),
        ("P28 request object", with(&json!({"typ": "oauth-authz-req+jwt"})), refused),
        ("nobody any more", of(&json!({"sub": "gone"})), "400 unknown_user_id"),
        ("P15 disabled", of(&json!({"sub": "carol-sub"})), "400 unknown_user_id"),
        ("a user name is no sub", of(&json!({"sub": "alice"})), "400 unknown_user_id"),
        ("no sub", of(&json!({"sub": null})), refused),
        ("an empty sub", of(&json!({"sub": ""})), refused),
        ("a sub that is too long", of(&json!({"sub": "x".repeat(256)})), refused),
        ("a sub with controls", of(&json!({"sub": "a\u{0}"})), refused),
    ];
    for (case, hint, expected) in table {
        let answer = ask(&world, "id_token_hint", &hint).await;
        assert_eq!(answer.brief(), expected, "{case}: {}", answer.text);
    }
}

#[tokio::test]
async fn p23_an_id_token_of_another_realm() {
    let text = realm_file();
    let world = World::of(&[("master", &text), ("other", &text)], Build::default()).await;
    let form = [("scope", "openid"), ("login_hint", "alice")];
    let asked = world.as_till("/other/bc-authorize", &form).await.json();
    let live = world.gateway.realm("other").unwrap();
    let (person, now) = (world.signed_in("alice-sub"), world.clock.now());
    let handle = live.decisions.pending_of(&person, now).await.unwrap()[0].request.handle.clone();
    let shown = realmgate::secret::Digest::of(b"shown");
    live.decisions.by_person(&handle, &person, Decision::Approve, shown, now).await.unwrap();
    let id = asked["auth_req_id"].as_str().unwrap();
    let form = [("grant_type", crate::world::CIBA), ("auth_req_id", id)];
    let tokens = world.as_till("/other/token", &form).await.json();
    let answer = ask(&world, "id_token_hint", tokens["id_token"].as_str().unwrap()).await;
    assert_eq!(answer.brief(), "400 invalid_request");
}

/// Serves metadata and keys as a provider; its issuer.
async fn provider() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let metadata = json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/auth"), "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"), "response_types_supported": ["code"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256"],
    });
    let metadata = warp::path!(".well-known" / "openid-configuration").map(move || warp::reply::json(&metadata));
    let keys = warp::path!("jwks").map(|| warp::reply::json(&json!({"keys": [UPSTREAM.jwk()]})));
    tokio::spawn(warp::serve(metadata.or(keys)).incoming(listener).run());
    issuer
}

#[tokio::test]
async fn p29_an_id_token_of_the_upstream() {
    let upstream = provider().await;
    let text = file().replace("https://login.example.com", &upstream);
    let world = World::of(&[("master", &text)], Build::default()).await;
    let refused = "400 invalid_request";
    let gateways = |patch: &Value| {
        let theirs = json!({"iss": upstream, "aud": "realmgate", "azp": null, "typ": null});
        id_token(&world, &over(theirs, patch))
    };
    let table: Vec<(&str, String, &str)> = vec![
        ("issued to the gateway", UPSTREAM.sign(&gateways(&json!({}))), "200"),
        ("expired", UPSTREAM.sign(&gateways(&json!({"exp": world.clock.now().seconds() - DAY}))), "200"),
        ("issued to somebody else there", UPSTREAM.sign(&gateways(&json!({"aud": "portal"}))), refused),
        ("issued to the calling client there", UPSTREAM.sign(&gateways(&json!({"aud": "till"}))), refused),
        ("for several", UPSTREAM.sign(&gateways(&json!({"aud": ["realmgate", "portal"]}))), refused),
        ("Keycloak's access token", UPSTREAM.sign(&gateways(&json!({"typ": "Bearer"}))), refused),
        ("Keycloak's ID token", UPSTREAM.sign(&gateways(&json!({"typ": "ID"}))), "200"),
        ("another key", NOBODY.sign(&gateways(&json!({}))), refused),
        ("the realm's key", REALM.sign(&gateways(&json!({}))), refused),
        ("the upstream in the realm's name", UPSTREAM.sign(&id_token(&world, &json!({}))), refused),
        ("unknown here", UPSTREAM.sign(&gateways(&json!({"sub": "mallory"}))), "400 unknown_user_id"),
    ];
    for (case, hint, expected) in table {
        let answer = ask(&world, "id_token_hint", &hint).await;
        assert_eq!(answer.brief(), expected, "{case}: {}", answer.text);
    }

    // nobody listens at the address of this one
    let text = file().replace("https://login.example.com", "http://127.0.0.1:9");
    let world = World::of(&[("master", &text)], Build::default()).await;
    let hint = UPSTREAM.sign(&id_token(&world, &json!({"iss": "http://127.0.0.1:9", "aud": "realmgate", "azp": null})));
    let answer = ask(&world, "id_token_hint", &hint).await;
    assert_eq!(answer.brief(), "503 temporarily_unavailable", "I10");
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
async fn without_a_lookup_the_person_must_sign_in_as_that_sub() {
    let table = [("sub", "200"), ("preferred_username", "200"), ("email", "400 unknown_user_id")];
    for (matching, expected) in table {
        let domains = if matching == "email" { "email_domains = [\"example.com\"]\n" } else { "" };
        let text = file();
        let (before, rest) = text.split_once("[[lookups]]").unwrap();
        let (_, after) = rest.split_once("[tokens]").unwrap();
        let lookup = format!("[[lookups]]\nkind = \"sign-in\"\nmatch = \"{matching}\"\n{domains}\n[tokens]");
        let world = World::of(&[("master", &[before, &lookup, after].concat())], Build::default()).await;
        let answer = ask(&world, "id_token_hint", &REALM.sign(&id_token(&world, &json!({"sub": "new-sub"})))).await;
        assert_eq!(answer.brief(), expected, "{matching}");
        if answer.status == 200 {
            let live = world.gateway.realm("master").unwrap();
            let waiting =
                async |sub| live.decisions.pending_of(&world.signed_in(sub), world.clock.now()).await.unwrap().len();
            assert_eq!((waiting("new-sub").await, waiting("bob-sub").await), (1, 0), "{matching}");
        }
    }
}

/// The claims of a login_hint_token that names nobody yet.
fn hint_token(world: &World, patch: &Value) -> Value {
    let now = world.clock.now().seconds();
    over(json!({"iss": HINT_ISSUER, "aud": ISSUER, "iat": now, "exp": now + 300}), patch)
}

#[tokio::test]
async fn table_of_login_hint_tokens() {
    let world = world().await;
    let now = world.clock.now().seconds();
    let (refused, expired) = ("400 invalid_request", "400 expired_login_hint_token");
    let alice = |patch: &Value| over(hint_token(&world, &json!({"login_hint": "alice"})), patch);
    let of = |patch: &Value| HINTS.sign(&alice(patch));
    let with = |patch: &Value| HINTS.jwt(patch, &alice(&json!({})));
    let good = of(&json!({}));
    let table: Vec<(&str, String, &str)> = vec![
        ("good", good.clone(), "200"),
        ("again: it is a hint, not a right", good.clone(), "200"),
        ("P18", of(&json!({"exp": now - 31})), expired),
        ("P18 within the leeway", of(&json!({"exp": now - 29})), "200"),
        ("P18 expired, but not signed", NOBODY.sign(&alice(&json!({"exp": now - 31}))), refused),
        ("P19 no exp", of(&json!({"exp": null})), refused),
        ("P19 not good yet", of(&json!({"nbf": now + 60})), refused),
        ("P19 issued in the future", of(&json!({"iat": now + 60})), refused),
        ("P19 no JWT", "alice".into(), refused),
        ("P19 JWE", "e30.e30.e30.e30.e30".into(), refused),
        ("P19 none", with(&json!({"alg": "none"})), refused),
        ("P19 unsigned", good[..good.rfind('.').unwrap() + 1].to_owned(), refused),
        ("P19 crit", with(&json!({"crit": ["x"]})), refused),
        ("P19 another typ", with(&json!({"typ": "at+jwt"})), refused),
        ("P19 bad signature", NOBODY.jwt(&json!({"kid": HINTS.jwk()["kid"]}), &alice(&json!({}))), refused),
        ("P19 the realm's key", REALM.sign(&alice(&json!({}))), refused),
        ("P19 unknown issuer", HINTS.sign(&alice(&json!({"iss": "https://evil.example"}))), refused),
        ("P19 no issuer", of(&json!({"iss": null})), refused),
        ("P19 no aud", of(&json!({"aud": null})), refused),
        ("P19 another realm's aud", of(&json!({"aud": "http://127.0.0.1:8080/other"})), refused),
        ("for several", of(&json!({"aud": ["https://other.example", ISSUER]})), "200"),
        ("P20", of(&json!({"login_hint": "nobody"})), "400 unknown_user_id"),
        ("P20 disabled", of(&json!({"login_hint": "carol"})), "400 unknown_user_id"),
        ("P20 ambiguous", of(&json!({"login_hint": "twin@example.com"})), "400 unknown_user_id"),
        ("P14", of(&json!({"login_hint": "x".repeat(256)})), refused),
        ("P13 controls", of(&json!({"login_hint": "alice\u{0}"})), refused),
        ("no text", of(&json!({"login_hint": ["alice"]})), refused),
    ];
    for (case, hint, expected) in table {
        let answer = ask(&world, "login_hint_token", &hint).await;
        assert_eq!(answer.brief(), expected, "{case}: {}", answer.text);
    }
}

#[tokio::test]
async fn how_a_login_hint_token_names_somebody() {
    let world = world().await;
    let subject = |members: Value| json!({"sub_id": members});
    let table = [
        ("a user name", json!({"login_hint": "bob"}), Ok("bob-sub")),
        ("an e-mail address", json!({"login_hint": "bob@example.com"}), Ok("bob-sub")),
        ("sub", json!({"sub": "bob-sub"}), Ok("bob-sub")),
        ("sub is no user name", json!({"sub": "bob"}), Err("400 unknown_user_id")),
        ("login_hint before sub", json!({"login_hint": "bob", "sub": "alice-sub"}), Ok("bob-sub")),
        ("sub_id before sub", json!({"sub_id": {"format": "opaque", "id": "bob-sub"}, "sub": "x"}), Ok("bob-sub")),
        ("a broken one is not passed over", json!({"login_hint": 1, "sub": "bob-sub"}), Err("400 invalid_request")),
        ("iss_sub of the realm", subject(json!({"format": "iss_sub", "iss": ISSUER, "sub": "bob-sub"})), Ok("bob-sub")),
        (
            "iss_sub of the upstream",
            subject(json!({"format": "iss_sub", "iss": "https://login.example.com", "sub": "bob-sub"})),
            Ok("bob-sub"),
        ),
        (
            "iss_sub of somebody else",
            subject(json!({"format": "iss_sub", "iss": HINT_ISSUER, "sub": "bob-sub"})),
            Err("400 invalid_request"),
        ),
        ("iss_sub without iss", subject(json!({"format": "iss_sub", "sub": "bob-sub"})), Err("400 invalid_request")),
        ("email", subject(json!({"format": "email", "email": "bob@example.com"})), Ok("bob-sub")),
        ("opaque", subject(json!({"format": "opaque", "id": "bob-sub"})), Ok("bob-sub")),
        (
            "another format",
            subject(json!({"format": "phone_number", "phone_number": "+1"})),
            Err("400 invalid_request"),
        ),
        ("no format", subject(json!({"id": "bob-sub"})), Err("400 invalid_request")),
        ("no object", subject(json!("bob-sub")), Err("400 invalid_request")),
        ("nobody", json!({}), Err("400 invalid_request")),
    ];
    for (case, patch, expected) in table {
        let answer = ask(&world, "login_hint_token", &HINTS.sign(&hint_token(&world, &patch))).await;
        match expected {
            Ok(sub) => {
                assert_eq!(answer.brief(), "200", "{case}: {}", answer.text);
                world.decides(sub, Decision::Deny).await;
            }
            Err(refused) => assert_eq!(answer.brief(), refused, "{case}: {}", answer.text),
        }
    }
}

#[tokio::test]
async fn an_issuer_of_hints_publishes_its_keys() {
    let address = provider().await; // its keys are the upstream's
    let text = file().replace(&hint_keys(), &format!("jwks_uri = \"{address}/jwks\""));
    assert!(text.contains("jwks_uri"));
    let world = World::of(&[("master", &text)], Build::default()).await;
    for (signer, expected) in [(&*UPSTREAM, "200"), (&*HINTS, "400 invalid_request")] {
        let hint = signer.sign(&hint_token(&world, &json!({"login_hint": "alice"})));
        assert_eq!(ask(&world, "login_hint_token", &hint).await.brief(), expected);
    }
}

#[tokio::test]
async fn which_hints_a_client_may_send() {
    let id = |world: &World| REALM.sign(&id_token(world, &json!({})));
    let token = |world: &World| HINTS.sign(&hint_token(world, &json!({"login_hint": "alice"})));
    let kinds = ["login_hint", "login_hint_token", "id_token_hint"];
    for allowed in kinds {
        let till = "client_name = \"Corner shop till\"\n";
        let text = file().replace(till, &format!("{till}hints = [\"{allowed}\"]\n"));
        let world = World::of(&[("master", &text)], Build::default()).await;
        for (kind, hint) in kinds.into_iter().zip(["alice".to_owned(), token(&world), id(&world)]) {
            let expected = if kind == allowed { "200" } else { "400 invalid_request" };
            assert_eq!(ask(&world, kind, &hint).await.brief(), expected, "{kind} where {allowed} is allowed");
        }
    }
    let world = world().await;
    let (id, token) = (id(&world), token(&world));
    let form = [("scope", "openid"), ("id_token_hint", id.as_str()), ("login_hint_token", token.as_str())];
    assert_eq!(world.as_till("/master/bc-authorize", &form).await.brief(), "400 invalid_request", "P8");
}
