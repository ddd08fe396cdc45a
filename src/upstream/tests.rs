//! Signing in at a provider that does as it is told: a good sign-in, and one deviation per row.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    Begun, NotItsToken, Prompt, Returned, Secrets, SignInFault, Upstream, Wish,
    caller::Caller,
    stub::{NOW, Reply, Seen, Stub, caller, impatient},
};
use crate::{
    clock::{Clock, Timestamp},
    jose,
    keys::{Algorithm, SigningKey},
    random::Random,
    realm::{self, SignIn},
    secret::{Secret, hmac_sha256},
};

const REDIRECT_URI: &str = "https://gateway.example/acme/sign-in/callback";
const DISCOVERY: &str = "/.well-known/openid-configuration";
const WISH: Wish<'_> = Wish { login_hint: None, max_age: Duration::from_secs(900), acr_values: None, prompt: None };

type Key = LazyLock<SigningKey>;
static RS256: Key = LazyLock::new(|| SigningKey::generate(Algorithm::RS256).unwrap().0);
static PS256: Key = LazyLock::new(|| SigningKey::generate(Algorithm::PS256).unwrap().0);
static ES256: Key = LazyLock::new(|| SigningKey::generate(Algorithm::ES256).unwrap().0);
static EDDSA: Key = LazyLock::new(|| SigningKey::generate(Algorithm::EdDSA).unwrap().0);
static NEW: Key = LazyLock::new(|| SigningKey::generate(Algorithm::ES256).unwrap().0);

/// What the provider does.
struct Does {
    metadata: Value,
    publishes: Vec<&'static SigningKey>,
    signs: fn(&Value) -> String,
    /// Of the ID token; over the good ones. `null` takes one away.
    claims: Value,
    nonce: String,
    access_token: &'static str,
    userinfo: Value,
    /// Instead of the good answer, by path.
    replies: HashMap<&'static str, Reply>,
}

struct World {
    does: Arc<Mutex<Does>>,
    stub: Stub,
    clock: Clock,
    upstream: Upstream,
}

impl World {
    async fn new() -> Self {
        Self::with(caller, |_| {}).await
    }

    async fn with(caller: fn(&Clock) -> Caller, settings: impl FnOnce(&mut realm::Upstream)) -> Self {
        let does = Arc::new(Mutex::new(Does {
            metadata: json!({}),
            publishes: vec![&*ES256],
            signs: |claims| jose::sign(&ES256, claims).unwrap(),
            claims: json!({}),
            nonce: String::new(),
            access_token: "at",
            userinfo: json!({"sub": "248289761001"}),
            replies: HashMap::new(),
        }));
        let clock = Clock::manual(NOW);
        let (told, time) = (Arc::clone(&does), clock.clone());
        let stub = Stub::start(move |seen| answer(&told.lock().unwrap(), seen, time.now())).await;
        let mut upstream = realm::Upstream {
            issuer: stub.base(),
            client_id: "gateway".into(),
            client_secret: Some(Secret::new("a+secret&?")),
            scope: "openid profile email".into(),
        };
        settings(&mut upstream);
        let upstream = Upstream::with_caller(upstream, caller(&clock), Random::counting());
        Self { does, stub, clock, upstream }
    }

    fn bend(&self, bend: impl FnOnce(&mut Does)) {
        bend(&mut self.does.lock().unwrap());
    }

    async fn begin(&self, wish: Wish<'_>) -> Begun {
        let begun = self.upstream.begin(REDIRECT_URI, &wish).await.unwrap();
        self.bend(|does| does.nonce = of_url(&begun, "nonce").unwrap());
        begun
    }

    async fn finish(&self, begun: &Begun) -> Result<SignIn, SignInFault> {
        let state = of_url(begun, "state");
        let returned = Returned { code: Some("the-code"), state: state.as_deref(), iss: None, error: None };
        self.upstream.finish(REDIRECT_URI, &returned, &begun.secrets).await
    }

    async fn sign_in(&self) -> Result<SignIn, SignInFault> {
        let begun = self.begin(WISH).await;
        self.finish(&begun).await
    }
}

fn of_url(begun: &Begun, name: &str) -> Option<String> {
    begun.url.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
}

fn over(mut value: Value, patch: &Value) -> Value {
    for (name, member) in patch.as_object().unwrap() {
        if member.is_null() {
            value.as_object_mut().unwrap().remove(name);
        } else {
            value[name] = member.clone();
        }
    }
    value
}

fn answer(does: &Does, seen: &Seen, now: Timestamp) -> Reply {
    let issuer = format!("http://{}", seen.header("host").unwrap());
    if let Some(reply) = does.replies.get(seen.path()) {
        return reply.clone();
    }
    match seen.path() {
        DISCOVERY => {
            let metadata = json!({
                "issuer": issuer, "authorization_endpoint": format!("{issuer}/auth?brand=x"),
                "token_endpoint": format!("{issuer}/token"), "userinfo_endpoint": format!("{issuer}/userinfo"),
                "jwks_uri": format!("{issuer}/jwks"), "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA", "HS256", "none", "X"],
            });
            Reply::Json(200, over(metadata, &does.metadata))
        }
        "/jwks" => {
            let keys: Vec<_> = does.publishes.iter().map(|key| key.jwk()).collect();
            Reply::Json(200, json!({"keys": keys}))
        }
        "/token" => {
            let now = now.seconds();
            let claims = json!({
                "iss": issuer, "aud": "gateway", "sub": "248289761001", "iat": now, "exp": now + 60,
                "auth_time": now - 5, "nonce": does.nonce, "preferred_username": "alice", "name": "Alice L",
                "email": "alice@x.example", "email_verified": true, "acr": "silver", "amr": ["pwd", "otp"],
                "updated_at": "2026-11-22T11:33:44.555Z",
            });
            let id_token = (does.signs)(&over(claims, &does.claims));
            Reply::Json(200, json!({"access_token": does.access_token, "token_type": "Bearer", "id_token": id_token}))
        }
        "/userinfo" => Reply::Json(200, does.userinfo.clone()),
        _ => Reply::Json(404, json!({})),
    }
}

/// The outcome as one line, for tables.
fn line(outcome: &Result<SignIn, SignInFault>) -> String {
    match outcome {
        Ok(_) => "signed in".into(),
        Err(SignInFault::Refused(why)) => format!("refused: {why}"),
        Err(SignInFault::Unavailable(fault)) => format!("unavailable: {fault}"),
        Err(other) => format!("{other:?}"),
    }
}

fn by_hand(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", encode(header), encode(claims));
    let signature = sign(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn a_person_signs_in() {
    let world = World::new().await;
    let wish = Wish { login_hint: Some("a&b=c@x"), acr_values: Some("gold silver"), ..WISH };
    let begun = world.begin(wish).await;
    assert_eq!(begun.url.path(), "/auth");
    let sent = [
        ("brand", "x"),
        ("response_type", "code"),
        ("client_id", "gateway"),
        ("redirect_uri", REDIRECT_URI),
        ("scope", "openid profile email"),
        ("code_challenge_method", "S256"),
        ("login_hint", "a&b=c@x"),
        ("acr_values", "gold silver"),
        ("max_age", "900"),
    ];
    for (name, value) in sent {
        assert_eq!(of_url(&begun, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(of_url(&begun, "prompt"), None);

    let sign_in = world.finish(&begun).await.unwrap();
    assert_eq!(*sign_in.identity.iss, *world.stub.base());
    assert_eq!(&*sign_in.identity.sub, "248289761001");
    assert_eq!(sign_in.claims.preferred_username.as_deref(), Some("alice"));
    assert_eq!(sign_in.claims.email_verified, Some(true));
    assert_eq!(sign_in.auth_time, NOW.minus(Duration::from_secs(5)));
    assert_eq!(sign_in.acr.as_deref(), Some("silver"));
    assert_eq!(sign_in.amr, ["pwd".into(), "otp".into()]);

    let request = world.stub.last("/token");
    assert_eq!(request.form("grant_type").as_deref(), Some("authorization_code"));
    assert_eq!(request.form("redirect_uri").as_deref(), Some(REDIRECT_URI));
    assert_eq!(request.form("client_secret"), None);
    let basic = base64::engine::general_purpose::STANDARD.encode("gateway:a%2Bsecret%26%3F");
    assert_eq!(request.header("authorization"), Some(format!("Basic {basic}").as_str()));
    let verifier = request.form("code_verifier").unwrap();
    let challenge = crate::secret::Digest::of(verifier.as_bytes()).base64url();
    assert_eq!(of_url(&begun, "code_challenge"), Some(challenge), "RFC 7636 4.6");
    assert_eq!(world.stub.count("/userinfo"), 0, "the ID token holds all");

    let metrics = world.upstream.caller.events.metrics(&[]);
    for operation in ["discovery", "keys", "token"] {
        let line = format!("upstream_requests_total{{realm=\"acme\",operation=\"{operation}\",result=\"ok\"}} 1");
        assert!(metrics.contains(&line), "{operation}: {metrics}");
    }
}

#[tokio::test]
async fn the_client_authenticates_as_the_provider_wants() {
    let table = [
        ("post alone", Some("s"), json!(["client_secret_post"]), (None, Some("gateway"), Some("s"))),
        ("both", Some("s"), json!(["client_secret_post", "client_secret_basic"]), (Some("Basic"), None, None)),
        ("no secret", None, json!(["none"]), (None, Some("gateway"), None)),
    ];
    for (case, secret, methods, expected) in table {
        let world = World::with(caller, |settings| settings.client_secret = secret.map(Secret::new)).await;
        world.bend(|does| does.metadata = json!({"token_endpoint_auth_methods_supported": methods}));
        world.sign_in().await.unwrap();
        let request = world.stub.last("/token");
        let basic = request.header("authorization").and_then(|value| value.split(' ').next());
        let sent = (basic, request.form("client_id"), request.form("client_secret"));
        assert_eq!((sent.0, sent.1.as_deref(), sent.2.as_deref()), expected, "{case}");
    }
}

#[tokio::test]
async fn secrets_survive_the_cookie_and_are_never_printed() {
    let world = World::new().await;
    let Begun { url, secrets } = world.begin(WISH).await;
    assert_eq!(format!("{secrets:?}"), "[secrets of a sign-in]");
    let secrets: Secrets = serde_json::from_str(&serde_json::to_string(&secrets).unwrap()).unwrap();
    assert_eq!(line(&world.finish(&Begun { url, secrets }).await), "signed in");
}

#[tokio::test]
async fn id_tokens() {
    let table: &[(&str, fn(&mut Does), &str)] = &[
        ("ES256", |_| {}, "signed in"),
        (
            "RS256",
            |does| {
                does.publishes = vec![&*ES256, &*RS256];
                does.signs = |claims| jose::sign(&RS256, claims).unwrap();
            },
            "signed in",
        ),
        (
            "PS256",
            |does| {
                does.publishes = vec![&*PS256];
                does.signs = |claims| jose::sign(&PS256, claims).unwrap();
            },
            "signed in",
        ),
        (
            "EdDSA",
            |does| {
                does.publishes = vec![&*EDDSA];
                does.signs = |claims| jose::sign(&EDDSA, claims).unwrap();
            },
            "signed in",
        ),
        (
            "a good alg that the metadata does not name",
            |does| does.metadata = json!({"id_token_signing_alg_values_supported": ["RS256"]}),
            "refused: ID token: alg",
        ),
        (
            "alg none",
            |does| does.signs = |claims| by_hand(&json!({"alg": "none"}), claims, |_| Vec::new()),
            "refused: ID token: alg",
        ),
        (
            "HS256 with the client secret",
            |does| {
                does.signs = |claims| {
                    by_hand(&json!({"alg": "HS256"}), claims, |input| hmac_sha256(b"a+secret&?", input).to_vec())
                };
            },
            "refused: ID token: alg",
        ),
        (
            "HS256 with the public key",
            |does| {
                does.signs = |claims| {
                    let key = serde_json::to_string(ES256.jwk()).unwrap();
                    let header = json!({"alg": "HS256", "kid": ES256.kid()});
                    by_hand(&header, claims, |input| hmac_sha256(key.as_bytes(), input).to_vec())
                };
            },
            "refused: ID token: alg",
        ),
        (
            "another's signature under a known kid",
            |does| {
                does.signs = |claims| {
                    let header = json!({"alg": "ES256", "kid": ES256.kid()});
                    by_hand(&header, claims, |input| NEW.sign(input).unwrap())
                };
            },
            "refused: ID token: the signature is wrong",
        ),
        (
            "crit",
            |does| {
                does.signs = |claims| {
                    let header = json!({"alg": "ES256", "kid": ES256.kid(), "crit": ["x"], "x": 1});
                    by_hand(&header, claims, |input| ES256.sign(input).unwrap())
                };
            },
            "refused: ID token: unsupported",
        ),
        (
            "unknown kid",
            |does| does.signs = |claims| jose::sign(&NEW, claims).unwrap(),
            "refused: ID token: signed with an unknown key",
        ),
        ("iss", |does| does.claims = json!({"iss": "https://evil.example"}), "refused: ID token: iss"),
        ("aud", |does| does.claims = json!({"aud": "another"}), "refused: ID token: aud"),
        ("no aud", |does| does.claims = json!({"aud": null}), "refused: ID token: aud"),
        ("two aud, azp is us", |does| does.claims = json!({"aud": ["gateway", "b"], "azp": "gateway"}), "signed in"),
        (
            "two aud, no azp",
            |does| does.claims = json!({"aud": ["gateway", "b"]}),
            "refused: ID token: it was made for another client",
        ),
        (
            "azp is another",
            |does| does.claims = json!({"azp": "b"}),
            "refused: ID token: it was made for another client",
        ),
        ("nonce", |does| does.claims = json!({"nonce": "another"}), "refused: ID token: nonce"),
        ("no nonce", |does| does.claims = json!({"nonce": null}), "refused: ID token: nonce"),
        ("expired", |does| does.claims = json!({"exp": NOW.seconds() - 61}), "refused: ID token: expired"),
        ("expired within the leeway", |does| does.claims = json!({"exp": NOW.seconds() - 30}), "signed in"),
        ("no exp", |does| does.claims = json!({"exp": null}), "unavailable: token endpoint"),
        ("iat long ago", |does| does.claims = json!({"iat": NOW.seconds() - 61}), "refused: ID token: iat"),
        ("iat to come", |does| does.claims = json!({"iat": NOW.seconds() + 61}), "refused: ID token: iat"),
        ("empty sub", |does| does.claims = json!({"sub": ""}), "refused: ID token: sub"),
        ("long sub", |does| does.claims = json!({"sub": "x".repeat(256)}), "refused: ID token: sub"),
        ("no auth_time", |does| does.claims = json!({"auth_time": null}), "NoAuthTime"),
        ("auth_time at the limit", |does| does.claims = json!({"auth_time": NOW.seconds() - 960}), "signed in"),
        ("auth_time too old", |does| does.claims = json!({"auth_time": NOW.seconds() - 961}), "TooOld"),
        ("auth_time to come", |does| does.claims = json!({"auth_time": NOW.seconds() + 61}), "refused: auth_time"),
        ("a text for auth_time", |does| does.claims = json!({"auth_time": "x"}), "unavailable: token endpoint"),
    ];
    for (case, bend, expected) in table {
        let world = World::new().await;
        world.bend(bend);
        let line = line(&world.sign_in().await);
        assert!(line.starts_with(expected), "{case}: {line}");
    }
}

#[tokio::test]
async fn what_comes_back_from_the_browser() {
    fn bend(bend: impl for<'a> FnOnce(&mut Returned<'a>)) -> Returned<'static> {
        let mut returned = Returned { code: Some("the-code"), ..Returned::default() };
        bend(&mut returned);
        returned
    }
    let required = json!({"authorization_response_iss_parameter_supported": true});
    let table = [
        ("good", bend(|_| {}), &json!({}), "signed in"),
        ("T-C1 state of another", bend(|r| r.state = Some("another")), &json!({}), "WrongState"),
        ("T-C1 empty state", bend(|r| r.state = Some("")), &json!({}), "WrongState"),
        ("T-C2 iss of another", bend(|r| r.iss = Some("https://evil.example")), &json!({}), "refused: iss"),
        ("RFC 9207 2.4 iss is missing", bend(|_| {}), &required, "refused: the answer lacks iss"),
        ("cancelled", bend(|r| (r.error, r.code) = (Some("access_denied"), None)), &json!({}), "Cancelled"),
        (
            "another error",
            bend(|r| r.error = Some("login_required")),
            &json!({}),
            "refused: the provider answered login_required",
        ),
        (
            "an error that is none",
            bend(|r| r.error = Some("mail a@x.example\n")),
            &json!({}),
            "refused: the provider answered an unknown error",
        ),
        (
            "the provider has trouble",
            bend(|r| r.error = Some("temporarily_unavailable")),
            &json!({}),
            "unavailable: the provider answered temporarily_unavailable",
        ),
        ("no code", bend(|r| r.code = None), &json!({}), "refused: the answer holds no code"),
    ];
    for (case, mut returned, metadata, expected) in table {
        let world = World::new().await;
        world.bend(|does| does.metadata = metadata.clone());
        let begun = world.begin(WISH).await;
        let state = of_url(&begun, "state");
        returned.state = returned.state.or(state.as_deref());
        let line = line(&world.upstream.finish(REDIRECT_URI, &returned, &begun.secrets).await);
        assert!(line.starts_with(expected), "{case}: {line}");
        assert_eq!(world.stub.count("/token"), usize::from(expected == "signed in"), "{case}: code exchanged");
    }
}

#[tokio::test]
async fn the_issuer_as_iss_parameter_is_accepted() {
    let world = World::new().await;
    world.bend(|does| does.metadata = json!({"authorization_response_iss_parameter_supported": true}));
    let begun = world.begin(WISH).await;
    let (state, iss) = (of_url(&begun, "state"), world.stub.base());
    let returned = Returned { code: Some("c"), state: state.as_deref(), iss: Some(&iss), error: None };
    assert_eq!(line(&world.upstream.finish(REDIRECT_URI, &returned, &begun.secrets).await), "signed in");
}

#[tokio::test]
async fn secrets_of_another_sign_in_or_of_long_ago() {
    let (world, other) = (World::new().await, World::new().await);
    let foreign = other.begin(WISH).await;
    assert_eq!(line(&world.finish(&foreign).await), "WrongState", "T-C2 begun at another provider");
    assert!(world.stub.seen.lock().unwrap().is_empty(), "nobody was asked");

    let begun = world.begin(WISH).await;
    world.clock.advance(Secrets::LIFETIME + Duration::from_secs(1));
    assert_eq!(line(&world.finish(&begun).await), "WrongState", "long ago");
}

#[tokio::test]
async fn faults_of_the_provider() {
    let hostile = |path| move |reply| (path, reply);
    let (discovery, keys, token) = (hostile(DISCOVERY), hostile("/jwks"), hostile("/token"));
    let userinfo = hostile("/userinfo");
    let json = |status, value| Reply::Json(status, value);
    let table = [
        ("T-H4 discovery drips", discovery(Reply::Drip), "discovery document: no answer"),
        ("T-H4 discovery is huge", discovery(Reply::Huge), "discovery document: the answer is larger"),
        (
            "T-H3 discovery redirects",
            discovery(Reply::Redirect("/x".into())),
            "discovery document: unexpected status 302",
        ),
        ("discovery is cut off", discovery(Reply::CutOff("{\"issuer\":".into())), "discovery document: no answer"),
        ("discovery is HTML", discovery(Reply::Text("<html>".into())), "discovery document: the answer is not"),
        ("discovery 404", discovery(json(404, json!({}))), "discovery document: unexpected status 404"),
        ("keys 500", keys(json(500, json!({}))), "key set: unexpected status 500"),
        ("keys are huge", keys(Reply::Huge), "key set: the answer is larger"),
        ("no keys", keys(json(200, json!({"keys": []}))), "key set: it holds no key"),
        ("no key that is understood", keys(json(200, json!({"keys": [{"kty": "x"}]}))), "key set: it holds no key"),
        ("T-H3 token redirects", token(Reply::Redirect("/x".into())), "token endpoint: "),
        ("T-H4 token drips", token(Reply::Drip), "token endpoint: no answer"),
        ("T-H4 token is huge", token(Reply::Huge), "token endpoint: the answer is larger"),
        (
            "wrong client secret",
            token(json(401, json!({"error": "invalid_client", "error_description": "x"}))),
            "token endpoint: it answered invalid_client",
        ),
        ("token is HTML", token(Reply::Text("<html>a@x.example".into())), "token endpoint: "),
        (
            "no ID token",
            token(json(200, json!({"access_token": "a", "token_type": "Bearer"}))),
            "token endpoint: the answer holds no ID token",
        ),
        ("userinfo 500", userinfo(json(500, json!({}))), "userinfo endpoint: unexpected status 500"),
        ("userinfo is no object", userinfo(json(200, json!(["a@x.example"]))), "userinfo endpoint: the answer is not"),
    ];
    for (case, (path, reply), expected) in table {
        let world = World::with(if case.contains("drips") { impatient } else { caller }, |_| {}).await;
        world.bend(|does| {
            does.replies.insert(path, reply);
            does.claims = json!({"name": null});
        });
        let outcome = match world.upstream.begin(REDIRECT_URI, &WISH).await {
            Err(fault) => fault.to_string(),
            Ok(begun) => {
                world.bend(|does| does.nonce = of_url(&begun, "nonce").unwrap());
                line(&world.finish(&begun).await).replace("unavailable: ", "")
            }
        };
        assert!(outcome.starts_with(expected), "{case}: {outcome}");
        assert!(!outcome.contains("x.example"), "{case}: {outcome}");
    }
}

#[tokio::test]
async fn an_access_token_that_is_no_header_value() {
    let world = World::new().await;
    world.bend(|does| (does.claims, does.access_token) = (json!({"name": null}), "a\nb"));
    assert!(line(&world.sign_in().await).starts_with("unavailable: userinfo endpoint: no answer"));
}

#[tokio::test]
async fn the_code_is_refused() {
    let world = World::new().await;
    let refusal = Reply::Json(400, json!({"error": "invalid_grant", "error_description": "alice@x.example"}));
    world.bend(|does| does.replies = HashMap::from([("/token", refusal)]));
    assert_eq!(line(&world.sign_in().await), "refused: the token endpoint answered invalid_grant");
}

#[tokio::test]
async fn metadata_that_is_not_believed() {
    let table = [
        ("D14 T-H6 another issuer", json!({"issuer": "https://evil.example"}), "it states another issuer"),
        ("T-H6 a slash more", json!({"issuer": "SLASH"}), "it states another issuer"),
        ("no token endpoint", json!({"token_endpoint": null}), "no token_endpoint"),
        ("no key set", json!({"jwks_uri": null}), "the answer is not what the protocol says"),
        ("a script", json!({"authorization_endpoint": "javascript:alert(1)"}), "an endpoint is not https"),
        ("a file", json!({"userinfo_endpoint": "file:///etc/passwd"}), "an endpoint is not https"),
    ];
    for (case, mut metadata, expected) in table {
        let world = World::new().await;
        if metadata["issuer"] == "SLASH" {
            metadata["issuer"] = format!("{}/", world.stub.base()).into();
        }
        world.bend(|does| does.metadata = metadata);
        let fault = world.upstream.begin(REDIRECT_URI, &WISH).await.unwrap_err().to_string();
        assert!(fault.contains(expected), "{case}: {fault}");
    }
}

#[tokio::test]
async fn userinfo_says_what_the_id_token_does_not() {
    let world = World::new().await;
    world.bend(|does| {
        does.claims = json!({"name": null, "email": null, "email_verified": null});
        does.userinfo = json!({
            "sub": "248289761001", "name": "Alice", "preferred_username": "mallory", "email": "a@x.example",
            "email_verified": "true",
        });
    });
    let claims = world.sign_in().await.unwrap().claims;
    assert_eq!(claims.name.as_deref(), Some("Alice"));
    assert_eq!(claims.preferred_username.as_deref(), Some("alice"), "the signed one");
    assert_eq!((claims.email.as_deref(), claims.email_verified), (Some("a@x.example"), None), "a text is no `true`");
    assert_eq!(world.stub.last("/userinfo").header("authorization"), Some("Bearer at"));

    world.bend(|does| does.userinfo["sub"] = "another".into());
    assert_eq!(line(&world.sign_in().await), "refused: userinfo: sub is another person's");
    world.bend(|does| does.metadata = json!({"userinfo_endpoint": null}));
    world.clock.advance(Duration::from_secs(601));
    assert_eq!(line(&world.sign_in().await), "signed in", "where there is no such endpoint");
}

#[tokio::test]
async fn a_provider_without_auth_time_is_asked_for_a_fresh_sign_in() {
    let world = World::new().await;
    world.bend(|does| does.claims = json!({"auth_time": null}));
    assert_eq!(line(&world.sign_in().await), "NoAuthTime");

    let again = world.begin(WISH).await;
    assert_eq!(of_url(&again, "prompt").as_deref(), Some("login"), "from now on");
    assert_eq!(world.finish(&again).await.unwrap().auth_time, NOW, "iat");

    world.bend(|does| does.claims = json!({}));
    assert_eq!(line(&world.sign_in().await), "signed in");
    assert_eq!(of_url(&world.begin(WISH).await, "prompt"), None, "it has learnt it");
}

#[tokio::test]
async fn prompts() {
    let listed = json!({"prompt_values_supported": ["none", "login", "consent"]});
    let table = [
        ("login", Prompt::Login, json!({}), "login"),
        ("another account", Prompt::SelectAccount, json!({}), "select_account"),
        ("another account where that is not known", Prompt::SelectAccount, listed, "login"),
    ];
    for (case, prompt, metadata, expected) in table {
        let world = World::new().await;
        world.bend(|does| does.metadata = metadata);
        let begun = world.begin(Wish { prompt: Some(prompt), ..WISH }).await;
        assert_eq!(of_url(&begun, "prompt").as_deref(), Some(expected), "{case}");
    }
}

#[tokio::test]
async fn metadata_and_keys_are_fetched_once_and_again_after_ten_minutes() {
    let world = World::new().await;
    let begin = || world.upstream.begin(REDIRECT_URI, &WISH);
    assert!(world.stub.seen.lock().unwrap().is_empty(), "building it asks nobody");
    let (a, b, c) = tokio::join!(begin(), begin(), begin());
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!((world.stub.count(DISCOVERY), world.stub.count("/jwks")), (1, 1));
    world.clock.advance(Duration::from_secs(599));
    begin().await.unwrap();
    assert_eq!(world.stub.count(DISCOVERY), 1);
    world.clock.advance(Duration::from_secs(1));
    begin().await.unwrap();
    assert_eq!((world.stub.count(DISCOVERY), world.stub.count("/jwks")), (2, 2));
}

#[tokio::test]
async fn keys_that_change_mid_way() {
    let world = World::new().await;
    let begun = world.begin(WISH).await;
    world.bend(|does| {
        does.publishes = vec![&*ES256, &*NEW];
        does.signs = |claims| jose::sign(&NEW, claims).unwrap();
    });
    assert_eq!(line(&world.finish(&begun).await), "signed in", "T-H7 within one refetch");
    assert_eq!((world.stub.count(DISCOVERY), world.stub.count("/jwks")), (1, 2));
    world.bend(|does| does.signs = |claims| jose::sign(&ES256, claims).unwrap());
    assert_eq!(line(&world.sign_in().await), "signed in", "the old one is still published");
}

#[tokio::test]
async fn unknown_keys_make_no_storm() {
    let world = World::new().await;
    world.bend(|does| does.signs = |claims| jose::sign(&NEW, claims).unwrap());
    for _ in 0..20 {
        assert_eq!(line(&world.sign_in().await), "refused: ID token: signed with an unknown key");
        world.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(world.stub.count("/jwks"), 2, "the first fetch and one more");
    world.clock.advance(Duration::from_secs(10));
    world.bend(|does| does.publishes = vec![&*NEW]);
    assert_eq!(line(&world.sign_in().await), "signed in", "30 s later");
}

#[tokio::test]
async fn a_provider_that_is_down_comes_back() {
    let world = World::new().await;
    let down = || HashMap::from([(DISCOVERY, Reply::Json(503, json!({}))), ("/jwks", Reply::Json(503, json!({})))]);
    world.bend(|does| does.replies = down());
    for _ in 0..3 {
        assert!(world.upstream.begin(REDIRECT_URI, &WISH).await.is_err());
    }
    assert_eq!(world.stub.count(DISCOVERY), 1, "no storm");
    world.bend(|does| does.replies.clear());
    world.clock.advance(Duration::from_secs(5));
    assert_eq!(line(&world.sign_in().await), "signed in");

    world.bend(|does| does.replies = down());
    world.clock.advance(Duration::from_secs(24 * 60 * 60 - 1));
    assert_eq!(line(&world.sign_in().await), "signed in", "T-H6 with the last good copy");
    world.clock.advance(Duration::from_secs(1));
    assert!(world.upstream.begin(REDIRECT_URI, &WISH).await.is_err(), "too stale");
}

#[tokio::test]
async fn warming_up_fails_in_silence() {
    let world = World::new().await;
    world.bend(|does| does.replies = HashMap::from([(DISCOVERY, Reply::Json(503, json!({})))]));
    world.upstream.warm_up().await;
    assert_eq!(world.stub.count(DISCOVERY), 1);
    assert_eq!(world.upstream.display_name(), "127.0.0.1");
}

#[tokio::test]
async fn what_the_provider_signed_is_known_without_a_sign_in() {
    let world = World::new().await;
    let claims = json!({"iss": "x", "exp": 1});
    let verified = async |key: &SigningKey| {
        let token = jose::sign(key, &claims).unwrap();
        let jws = jose::Jws::parse(&token).unwrap();
        world.upstream.verify_hint(&jws).await.map(|claims| claims.into_map().len()).map_err(|fault| fault.to_string())
    };
    assert_eq!(verified(&ES256).await, Ok(2), "whatever it says");
    let unknown = verified(&NEW).await.unwrap_err();
    assert!(unknown.contains("no key"), "{unknown}");
    world.bend(|does| does.publishes = vec![&*ES256, &*NEW]);
    assert!(verified(&NEW).await.is_err(), "asked a moment ago");
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(verified(&NEW).await, Ok(2), "T-H7 a new key");
    assert_eq!(world.stub.count("/jwks"), 3);

    let world = World::new().await;
    world.bend(|does| does.replies = HashMap::from([(DISCOVERY, Reply::Json(503, json!({})))]));
    let token = jose::sign(&ES256, &claims).unwrap();
    let fault = world.upstream.verify_hint(&jose::Jws::parse(&token).unwrap()).await.unwrap_err();
    assert!(matches!(fault, NotItsToken::Unavailable(_)), "I10: {fault}");
}
