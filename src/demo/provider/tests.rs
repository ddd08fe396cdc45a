//! The provider's flow as a browser and a client see it: a happy world, and one deviation per test.

use std::{sync::Mutex, time::Duration};

use bytes::Bytes;
use http::Response;
use serde_json::Value;

use super::*;
use crate::{demo::PEOPLE, jose};

const ISSUER: &str = "http://127.0.0.1:8081";
const CALLBACK: &str = "http://127.0.0.1:8080/master/sign-in/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// RFC 7636 appendix B
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

type Pairs<'a> = Vec<(&'a str, &'a str)>;

/// A provider and one browser.
struct World {
    routes: Routes,
    clock: Clock,
    cookie: Mutex<Option<String>>,
}

fn world() -> World {
    let clock = Clock::manual(Timestamp::from_seconds(1_790_000_000));
    let registration = |client_id: &str| Registration {
        client_id: client_id.to_owned(),
        client_name: "A <Gateway>".to_owned(),
        client_secret: Secret::new("s3cret&"),
        redirect_path: "/sign-in/callback",
    };
    let registrations = vec![registration("gateway"), registration("other")];
    let issuer = Url::parse(ISSUER).unwrap();
    let provider = Provider::new(issuer, PEOPLE, registrations, clock.clone(), Random::system()).unwrap();
    World { routes: provider.routes(), clock, cookie: Mutex::default() }
}

fn encode(pairs: &Pairs<'_>) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// `pairs` with `name` replaced, or left out.
fn but<'a>(mut pairs: Pairs<'a>, name: &'a str, value: Option<&'a str>) -> Pairs<'a> {
    pairs.retain(|(other, _)| *other != name);
    pairs.extend(value.map(|value| (name, value)));
    pairs
}

fn request() -> Pairs<'static> {
    vec![
        ("client_id", "gateway"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid profile email"),
        ("state", "a state&"),
        ("nonce", "a nonce"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

fn exchange(code: &str) -> Pairs<'_> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("client_id", "gateway"),
        ("client_secret", "s3cret&"),
    ]
}

impl World {
    async fn send(&self, request: warp::test::RequestBuilder) -> Response<Bytes> {
        let mut request = request.header("host", "127.0.0.1:8081");
        if let Some(cookie) = self.cookie.lock().unwrap().clone() {
            request = request.header("cookie", format!("other=1; {cookie}"));
        }
        let response = request.reply(&self.routes).await;
        if let Some(cookie) = response.headers().get("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
            *self.cookie.lock().unwrap() = cookie.split(';').next().map(str::to_owned);
        }
        response
    }

    async fn get(&self, path: &str) -> Response<Bytes> {
        self.send(warp::test::request().path(path)).await
    }

    async fn post(&self, path: &str, form: &Pairs<'_>) -> Response<Bytes> {
        let request = warp::test::request().method("POST").path(path);
        self.send(request.header("content-type", "application/x-www-form-urlencoded").body(encode(form))).await
    }

    async fn authorize(&self, request: &Pairs<'_>) -> Response<Bytes> {
        self.get(&format!("/authorize?{}", encode(request))).await
    }

    /// Asks, and chooses alice.
    async fn code(&self) -> String {
        let page = self.authorize(&request()).await;
        let answer = self.post("/choose", &vec![("request", &sealed(&page)), ("person", "alice")]).await;
        let answer = answered(&answer);
        assert_eq!(of(&answer, "state"), Some("a state&"));
        assert_eq!(of(&answer, "iss"), Some(ISSUER));
        of(&answer, "code").unwrap().to_owned()
    }
}

#[track_caller]
fn text(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

/// The request in the form of the page.
#[track_caller]
fn sealed(page: &Response<Bytes>) -> String {
    assert_eq!(page.status(), 200, "{}", text(page));
    let (_, rest) = text(page).split_once("name=\"request\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// What the browser takes back to the client.
#[track_caller]
fn answered(response: &Response<Bytes>) -> Vec<(String, String)> {
    assert_eq!(response.status(), 303, "{}", text(response));
    let location = response.headers()["location"].to_str().unwrap();
    assert!(location.starts_with(CALLBACK), "{location}");
    Url::parse(location).unwrap().query_pairs().into_owned().collect()
}

fn of<'a>(answer: &'a [(String, String)], name: &str) -> Option<&'a str> {
    answer.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

#[track_caller]
fn json(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap_or_else(|_| panic!("{}", text(response)))
}

fn error(response: &Response<Bytes>) -> (u16, String) {
    (response.status().as_u16(), json(response)["error"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_code_becomes_an_id_token_that_the_key_set_verifies() {
    let world = world();
    let code = world.code().await;
    world.clock.advance(Duration::from_secs(59));
    let tokens = json(&world.post("/token", &exchange(&code)).await);
    let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_slice(world.get("/jwks").await.body()).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(&keys.keys[0]).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&["gateway"]);
    validation.validate_exp = false;
    let id_token = tokens["id_token"].as_str().unwrap();
    let claims = jsonwebtoken::decode::<Value>(id_token, &key, &validation).unwrap().claims;
    let expected = serde_json::json!({
        "iss": ISSUER, "aud": "gateway", "sub": "alice", "nonce": "a nonce",
        "auth_time": 1_790_000_000, "iat": 1_790_000_059, "exp": 1_790_000_359,
        "acr": "1", "amr": ["demo"],
        "at_hash": jose::half_hash(Algorithm::ES256, tokens["access_token"].as_str().unwrap()),
        "name": "Alice Liddell", "preferred_username": "alice",
        "email": "alice@example.com", "email_verified": true,
    });
    assert_eq!(claims, expected);

    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let userinfo = || world.send(warp::test::request().path("/userinfo").header("authorization", &bearer));
    assert_eq!(json(&userinfo().await)["email"], "alice@example.com");
    world.clock.advance(Duration::from_secs(300));
    assert_eq!(error(&userinfo().await), (401, "invalid_token".into()), "expired");
}

#[tokio::test]
async fn claims_are_those_of_the_scope_and_a_nonce_is_not_needed() {
    let world = world();
    let bare = but(but(request(), "scope", Some("openid")), "nonce", None);
    let page = world.authorize(&bare).await;
    let answer = answered(&world.post("/choose", &vec![("request", &sealed(&page)), ("person", "bob")]).await);
    let tokens = json(&world.post("/token", &exchange(of(&answer, "code").unwrap())).await);
    let claims = tokens["id_token"].as_str().unwrap().split('.').nth(1).unwrap();
    let claims = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["sub"], "bob");
    assert!(claims.get("nonce").is_none() && claims.get("name").is_none() && claims.get("email").is_none(), "{claims}");
}

/// OpenID Connect Core 3.1.2.6, RFC 6749 4.1.2.1
#[tokio::test]
async fn requests_that_are_refused() {
    let at_client: &[(&str, &str, Option<&str>, &str)] = &[
        ("response type missing", "response_type", None, "invalid_request"),
        ("implicit", "response_type", Some("id_token"), "unsupported_response_type"),
        ("no openid", "scope", Some("profile"), "invalid_scope"),
        ("no PKCE", "code_challenge", None, "invalid_request"),
        ("plain PKCE", "code_challenge_method", Some("plain"), "invalid_request"),
        ("PKCE without a method is plain", "code_challenge_method", None, "invalid_request"),
        ("PKCE that is no digest", "code_challenge", Some("short"), "invalid_request"),
        ("fragment", "response_mode", Some("fragment"), "invalid_request"),
        ("request object", "request", Some("x.y.z"), "request_not_supported"),
        ("request object by reference", "request_uri", Some("https://a/"), "request_uri_not_supported"),
        ("unknown prompt", "prompt", Some("shout"), "invalid_request"),
        ("none stands alone", "prompt", Some("none login"), "invalid_request"),
        ("nobody there", "prompt", Some("none"), "login_required"),
        ("max_age", "max_age", Some("soon"), "invalid_request"),
    ];
    for (case, name, value, code) in at_client {
        let answer = world().authorize(&but(request(), name, *value)).await;
        let answer = answered(&answer);
        assert_eq!(of(&answer, "error"), Some(*code), "{case}");
        assert_eq!(of(&answer, "state"), Some("a state&"), "{case}");
    }
    // never a redirect to an address that is not registered
    let page: &[(&str, &str, Option<&str>)] = &[
        ("unknown client", "client_id", Some("nobody")),
        ("no client", "client_id", None),
        ("no redirect URI", "redirect_uri", None),
        ("another redirect URI", "redirect_uri", Some("http://evil.example/")),
        ("almost the redirect URI", "redirect_uri", Some("http://127.0.0.1:8080/master/sign-in/callback/")),
        ("not on this machine", "redirect_uri", Some("http://192.0.2.1/master/sign-in/callback")),
        ("a name that begins so", "redirect_uri", Some("http://localhost.evil.example/master/sign-in/callback")),
        ("with a user", "redirect_uri", Some("http://127.0.0.1:8080@evil.example/sign-in/callback")),
        ("with a user of its own", "redirect_uri", Some("http://evil@127.0.0.1:8080/sign-in/callback")),
        ("with a query", "redirect_uri", Some("http://127.0.0.1:8080/?x=/sign-in/callback")),
        ("with a query more", "redirect_uri", Some("http://127.0.0.1:8080/sign-in/callback?x=1")),
        ("with a fragment", "redirect_uri", Some("http://127.0.0.1:8080/sign-in/callback#x")),
        ("no web address", "redirect_uri", Some("app://localhost/sign-in/callback")),
        ("not as a browser writes it", "redirect_uri", Some("http://0x7f.1/master/sign-in/callback")),
    ];
    for (case, name, value) in page {
        let answer = world().authorize(&but(request(), name, *value)).await;
        assert_eq!(answer.status(), 400, "{case}");
        assert!(!answer.headers().contains_key("location"), "{case}");
    }
    let twice = format!("/authorize?{}&state=b", encode(&request()));
    assert_eq!(world().get(&twice).await.status(), 400, "a parameter twice");
    assert_eq!(world().post("/authorize", &request()).await.status(), 200, "a form is as good as a query");
}

#[tokio::test]
async fn a_realm_of_ones_own_on_this_machine_is_served() {
    for redirect_uri in [
        "http://localhost:8080/acme/sign-in/callback",
        "https://localhost:8443/auth/acme/sign-in/callback",
        "http://127.0.0.1:9999/other/sign-in/callback",
        "http://[::1]:8080/acme/sign-in/callback",
    ] {
        let world = world();
        let page = world.authorize(&but(request(), "redirect_uri", Some(redirect_uri))).await;
        let answer = world.post("/choose", &vec![("request", &sealed(&page)), ("person", "alice")]).await;
        let location = Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
        assert!(location.as_str().starts_with(redirect_uri), "{location}");
        let (_, code) = location.query_pairs().find(|(name, _)| name == "code").unwrap();
        let elsewhere = world.post("/token", &exchange(&code)).await;
        assert_eq!(error(&elsewhere), (400, "invalid_grant".into()), "the code is for {redirect_uri}");

        let page = world.authorize(&but(request(), "redirect_uri", Some(redirect_uri))).await;
        let location = Url::parse(page.headers()["location"].to_str().unwrap()).unwrap();
        let (_, code) = location.query_pairs().find(|(name, _)| name == "code").unwrap();
        let tokens = world.post("/token", &but(exchange(&code), "redirect_uri", Some(redirect_uri))).await;
        assert_eq!(tokens.status(), 200, "{redirect_uri}");
    }
}

#[tokio::test]
async fn codes_that_are_refused() {
    let table: &[(&str, &str, Option<&str>, (u16, &str))] = &[
        ("wrong verifier", "code_verifier", Some("another"), (400, "invalid_grant")),
        ("no verifier", "code_verifier", None, (400, "invalid_request")),
        ("another redirect URI", "redirect_uri", Some("http://127.0.0.1:8080/"), (400, "invalid_grant")),
        ("unknown code", "code", Some("x"), (400, "invalid_grant")),
        ("another client", "client_id", Some("other"), (400, "invalid_grant")),
        ("wrong secret", "client_secret", Some("x"), (401, "invalid_client")),
        ("no secret", "client_secret", None, (401, "invalid_client")),
        ("unknown client", "client_id", Some("nobody"), (401, "invalid_client")),
        ("another grant type", "grant_type", Some("password"), (400, "unsupported_grant_type")),
        ("no grant type", "grant_type", None, (400, "invalid_request")),
    ];
    for (case, name, value, (status, code)) in table {
        let world = world();
        let issued = world.code().await;
        let answer = world.post("/token", &but(exchange(&issued), name, *value)).await;
        assert_eq!(error(&answer), (*status, (*code).to_owned()), "{case}");
        assert_eq!(answer.headers().contains_key("www-authenticate"), *status == 401, "{case}");
    }
    let world = world();
    let code = world.code().await;
    assert_eq!(world.post("/token", &exchange(&code)).await.status(), 200);
    assert_eq!(error(&world.post("/token", &exchange(&code)).await), (400, "invalid_grant".into()), "used");
    let code = world.code_again().await;
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(error(&world.post("/token", &exchange(&code)).await), (400, "invalid_grant".into()), "expired");
}

impl World {
    /// Without being asked: the browser is somebody.
    async fn code_again(&self) -> String {
        of(&answered(&self.authorize(&request()).await), "code").unwrap().to_owned()
    }
}

/// RFC 6749 2.3.1: the secret `s3cret&` is encoded before it goes into the header.
#[tokio::test]
async fn a_client_may_use_basic_but_not_both() {
    for (case, body, status) in [("basic", None, 200), ("basic and post", Some("s3cret&"), 400)] {
        let world = world();
        let code = world.code().await;
        let form = but(exchange(&code), "client_secret", body);
        let credentials = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "gateway:s3cret%26");
        let request = warp::test::request()
            .method("POST")
            .path("/token")
            .header("authorization", format!("Basic {credentials}"))
            .header("content-type", "application/x-www-form-urlencoded;charset=UTF-8")
            .body(encode(&form));
        assert_eq!(world.send(request).await.status(), status, "{case}");
    }
}

#[tokio::test]
async fn a_browser_that_is_somebody_is_asked_again_only_when_it_must_be() {
    let table: &[(&str, &str, &str, u64, bool)] = &[
        ("nothing said", "display", "page", 60, false),
        ("prompt none", "prompt", "none", 60, false),
        ("prompt login", "prompt", "login", 60, true),
        ("prompt select_account", "prompt", "select_account", 60, true),
        ("young enough", "max_age", "61", 60, false),
        ("too old", "max_age", "60", 60, true),
        ("max_age 0", "max_age", "0", 0, true),
        ("the same person is expected", "login_hint", "ALICE@example.com", 60, false),
        ("another person is expected", "login_hint", "bob", 60, true),
        ("after a day", "display", "page", 24 * 60 * 60, true),
    ];
    for (case, name, value, after, asked) in table {
        let world = world();
        world.code().await;
        world.clock.advance(Duration::from_secs(*after));
        let answer = world.authorize(&but(request(), name, Some(value))).await;
        assert_eq!(answer.status().as_u16() == 200, *asked, "{case}");
        if !asked {
            assert!(of(&answered(&answer), "code").is_some(), "{case}");
        }
    }
}

#[tokio::test]
async fn the_expected_person_comes_first_and_the_disabled_one_has_no_button() {
    let page = world().authorize(&but(request(), "login_hint", Some("dave"))).await;
    let html = text(&page);
    let at = |what: &str| html.find(what).unwrap_or_else(|| panic!("{what} in {html}"));
    assert!(at("value=\"dave\"") < at("value=\"alice\"") && at("value=\"alice\"") < at("value=\"bob\""));
    assert!(html.contains("Carol") && !html.contains("value=\"carol\""));
    assert!(html.contains("Expected by A &#60;Gateway&#62;"), "escaped: {html}");
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("form-action 'self' http://127.0.0.1:8080;"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.headers()["cache-control"], "no-store");
    assert_eq!(page.headers()["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn choices_that_are_refused() {
    for (case, person) in [("disabled", "carol"), ("unknown", "mallory")] {
        let world = world();
        let page = world.authorize(&request()).await;
        let answer = world.post("/choose", &vec![("request", &sealed(&page)), ("person", person)]).await;
        assert_eq!(answer.status(), 403, "{case}");
        assert_eq!(answered(&world.authorize(&but(request(), "prompt", Some("none"))).await)[0].1, "login_required");
    }

    let (mine, theirs) = (world(), world());
    let (page, of_theirs) = (mine.authorize(&request()).await, theirs.authorize(&request()).await);
    let form = sealed(&page);
    let choose = |request: &str| {
        let form = encode(&vec![("request", request), ("person", "alice")]);
        let request = warp::test::request().method("POST").path("/choose").body(form);
        request.header("content-type", "application/x-www-form-urlencoded")
    };
    let refused = |case: &'static str, answer: Response<Bytes>| assert_eq!(answer.status(), 403, "{case}");
    refused("no CSRF token", mine.post("/choose", &vec![("person", "alice")]).await);
    refused("a token of another browser", mine.send(choose(&sealed(&of_theirs))).await);
    refused("from another site", mine.send(choose(&form).header("sec-fetch-site", "cross-site")).await);
    refused("from another port", mine.send(choose(&form).header("sec-fetch-site", "same-site")).await);
    refused("not a form", mine.send(choose(&form).header("content-type", "text/plain")).await);
    let cookie = mine.cookie.lock().unwrap().take();
    refused("no cookie", mine.send(choose(&form)).await);
    *mine.cookie.lock().unwrap() = cookie;
    let cancelled = mine.post("/choose", &vec![("request", &form), ("cancel", "yes")]).await;
    assert_eq!(of(&answered(&cancelled), "error"), Some("access_denied"));
    mine.clock.advance(Duration::from_secs(600));
    refused("too late", mine.send(choose(&form).header("sec-fetch-site", "same-origin")).await);
}

#[tokio::test]
async fn another_host_is_421_and_other_paths_and_methods_are_told() {
    let world = world();
    for (host, path, status) in [
        ("127.0.0.1:8081", "/", 200),
        ("localhost:8081", "/", 421),
        ("evil.example", "/.well-known/openid-configuration", 421),
        ("127.0.0.1:8080", "/nothing", 421),
        ("not a host", "/", 421),
    ] {
        let answer = warp::test::request().path(path).header("host", host).reply(&world.routes).await;
        assert_eq!(answer.status(), status, "{host}");
        assert!(status == 200 || !text(&answer).contains(host), "{host}");
    }
    assert_eq!(warp::test::request().path("/").reply(&world.routes).await.status(), 421, "no Host");
    assert_eq!(world.get("/nothing").await.status(), 404);
    let answer = world.get("/token").await;
    assert_eq!((answer.status().as_u16(), answer.headers()["allow"].to_str().unwrap()), (405, "POST"));
    let large = world.post("/token", &vec![("code", "x".repeat(20_000).as_str())]).await;
    assert_eq!(error(&large), (413, "invalid_request".into()));
    let json_body = warp::test::request().method("POST").path("/token").json(&1);
    assert_eq!(error(&world.send(json_body).await), (400, "invalid_request".into()));
}

#[tokio::test]
async fn discovery_names_what_is_there() {
    let world = world();
    let metadata = json(&world.get("/.well-known/openid-configuration").await);
    assert_eq!(metadata["issuer"], ISSUER);
    for name in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"] {
        let path = metadata[name].as_str().unwrap().strip_prefix(ISSUER).unwrap();
        assert_ne!(world.get(path).await.status(), 404, "{name}");
    }
}
