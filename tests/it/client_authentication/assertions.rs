//! `client_secret_jwt` and `private_key_jwt`. Each row bends one thing of an assertion that is good.

use std::{cell::Cell, time::Duration};

use jsonwebtoken::Algorithm::{ES384, HS256, HS512, PS256, RS256};
use realmgate::{
    keys::Algorithm,
    store::{Record as _, Table, Used},
};
use serde_json::{Value, json};

use super::{ENDPOINTS, Proof, expect};
use crate::{
    signer::Signer,
    world::{Build, PUBLIC, World, realm_file},
};

pub(super) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ISSUER: &str = "http://127.0.0.1:8080/master";
const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Keys and realm of the client `bank`, which registered no algorithm, and of some others.
struct Keys {
    rsa: Signer,
    p256: Signer,
    ed25519: Signer,
    strange: Signer,
    secret: Signer,
}

impl Keys {
    fn new() -> Self {
        Self {
            rsa: Signer::new(Algorithm::RS256),
            p256: Signer::new(Algorithm::ES256),
            ed25519: Signer::new(Algorithm::EdDSA),
            strange: Signer::new(Algorithm::ES256),
            secret: Signer::with_secret(SECRET.as_bytes()),
        }
    }

    fn clients(&self) -> String {
        let jwks = [&self.rsa, &self.p256, &self.ed25519].map(Signer::toml).join(", ");
        let keys = format!("token_endpoint_auth_method = \"private_key_jwt\"\njwks = {{ keys = [{jwks}] }}\n");
        let secret =
            |secret| format!("token_endpoint_auth_method = \"client_secret_jwt\"\nclient_secret = \"{secret}\"\n");
        let client = |id: &str, rest: &str| format!("\n[[clients]]\nclient_id = \"{id}\"\n{rest}");
        let alg = |alg: &str| format!("token_endpoint_auth_signing_alg = \"{alg}\"\n");
        client("bank", &keys)
            + &client("bank-ps256", &(keys.clone() + &alg("PS256")))
            + &client("bank-off", &format!("{keys}enabled = false\n"))
            + &client("hmac", &secret(SECRET))
            + &client("hmac-hs256", &(secret(SECRET) + &alg("HS256")))
            + &client("hmac-short", &secret(&SECRET[..32]))
    }

    async fn world(&self) -> World {
        World::with(|realm| realm.push_str(&self.clients())).await
    }
}

/// An assertion and the form around it.
struct Case<'k> {
    keys: &'k Keys,
    signer: Signer,
    header: Value,
    claims: Value,
    assertion_type: Option<&'static str>,
    client_id: Option<&'static str>,
    /// What becomes of the assertion at last.
    text: fn(String) -> Option<String>,
    now: u64,
}

impl Case<'_> {
    /// Another client, `iss` and `sub` alike.
    fn is(&mut self, client: &str) {
        (self.claims["iss"], self.claims["sub"]) = (client.into(), client.into());
    }

    fn proof(self) -> Proof {
        let text = (self.text)(self.signer.jwt(&self.header, &self.claims));
        let proof = text.map_or_else(Proof::default, |text| Proof::default().and("client_assertion", text));
        let proof = self.assertion_type.map_or(proof.clone(), |it| proof.and("client_assertion_type", it));
        self.client_id.map_or(proof.clone(), |it| proof.and("client_id", it))
    }
}

/// Makes proofs of `bank`, none with the `jti` of another.
struct Maker<'k> {
    keys: &'k Keys,
    made: Cell<u32>,
}

impl<'k> Maker<'k> {
    fn new(keys: &'k Keys) -> Self {
        Self { keys, made: Cell::new(0) }
    }

    fn make(&self, world: &World, bend: impl Fn(&mut Case<'_>)) -> Proof {
        self.made.set(self.made.get() + 1);
        let now = world.clock.now().seconds();
        let claims = json!({
            "iss": "bank", "sub": "bank", "aud": ISSUER, "exp": now + 300, "iat": now, "jti": format!("jti {}", self.made.get()),
        });
        let mut case = Case {
            keys: self.keys,
            signer: self.keys.p256.clone(),
            header: json!({}),
            claims,
            assertion_type: Some(TYPE),
            client_id: None,
            text: Some,
            now,
        };
        bend(&mut case);
        case.proof()
    }
}

type Row = (&'static str, fn(&mut Case<'_>), bool);

const ROWS: &[Row] = &[
    ("good", |_| {}, true),
    ("with its client_id", |c| c.client_id = Some("bank"), true),
    ("by RSA, PKCS#1 v1.5", |c| c.signer = c.keys.rsa.clone(), true),
    ("by RSA, PSS", |c| c.signer = c.keys.rsa.by(PS256), true),
    ("by Ed25519", |c| c.signer = c.keys.ed25519.clone(), true),
    ("without kid", |c| c.header["kid"] = Value::Null, true),
    // A13, A16, A17
    ("A13 disabled", |c| c.is("bank-off"), false),
    ("A13 unknown", |c| c.is("who"), false),
    (
        "A16 another type",
        |c| c.assertion_type = Some("urn:ietf:params:oauth:client-assertion-type:saml2-bearer"),
        false,
    ),
    (
        "A16 almost the type",
        |c| c.assertion_type = Some("urn:ietf:params:oauth:client-assertion-type:JWT-bearer"),
        false,
    ),
    ("A17 an assertion without its type", |c| c.assertion_type = None, false),
    ("A17 a type without assertion", |c| c.text = |_| None, false),
    // A18
    ("A18 no JWT", |c| c.text = |_| Some("x".into()), false),
    ("A18 two parts", |c| c.text = |jwt| Some(jwt.rsplit_once('.').unwrap().0.into()), false),
    ("A18 JWE", |c| c.text = |jwt| Some(format!("{jwt}.AAAA.AAAA")), false),
    ("A18 too long", |c| c.claims["long"] = "x".repeat(16 * 1024).into(), false),
    ("A18 alg none", |c| c.header["alg"] = "none".into(), false),
    (
        "A18 alg none, no signature",
        |c| {
            c.header["alg"] = "none".into();
            c.text = |jwt| Some(format!("{}.", jwt.rsplit_once('.').unwrap().0));
        },
        false,
    ),
    ("A18 no signature", |c| c.text = |jwt| Some(format!("{}.", jwt.rsplit_once('.').unwrap().0)), false),
    ("A18 alg in other case", |c| c.header["alg"] = "es256".into(), false),
    ("A18 alg missing", |c| c.header["alg"] = Value::Null, false),
    (
        "A18 HMAC with what anybody can read",
        |c| c.signer = Signer::with_secret(c.keys.p256.jwk()["x"].as_str().unwrap().as_bytes()),
        false,
    ),
    ("A18 HMAC with nothing", |c| c.signer = Signer::with_secret(b""), false),
    ("A18 crit", |c| c.header["crit"] = json!(["exp"]), false),
    (
        "A18 a key in the header",
        |c| (c.signer, c.header) = (c.keys.strange.clone(), json!({"jwk": c.keys.strange.jwk()})),
        false,
    ),
    (
        "A18 a key at an address in the header",
        |c| (c.signer, c.header) = (c.keys.strange.clone(), json!({"jku": "https://x.example/jwks"})),
        false,
    ),
    ("wrong key", |c| c.signer = c.keys.strange.clone(), false),
    (
        "wrong key by a right name",
        |c| (c.signer, c.header) = (c.keys.strange.clone(), json!({"kid": c.keys.p256.jwk()["kid"]})),
        false,
    ),
    ("right key by another's name", |c| c.header["kid"] = c.keys.rsa.jwk()["kid"].clone(), false),
    // A19
    ("A19 another algorithm of the key's kind", |c| c.header["alg"] = json!(ES384), false),
    ("A19 the registered one", |c| (c.signer = c.keys.rsa.by(PS256), c.is("bank-ps256")).1, true),
    ("A19 another than the registered one", |c| (c.signer = c.keys.rsa.by(RS256), c.is("bank-ps256")).1, false),
    ("A19 another kind than the registered one", |c| c.is("bank-ps256"), false),
    // A20
    ("A20 iss is another", |c| c.claims["iss"] = "till".into(), false),
    ("A20 sub is another client", |c| c.claims["sub"] = "till".into(), false),
    ("A20 both are another client", |c| c.is("bank-ps256"), false),
    ("A20 no iss", |c| c.claims["iss"] = Value::Null, false),
    ("A20 no sub", |c| c.claims["sub"] = Value::Null, false),
    ("A20 iss is a list", |c| c.claims["iss"] = json!(["bank"]), false),
    ("A20 client_id is another", |c| c.client_id = Some("till"), false),
    ("A20 client_id is unknown", |c| c.client_id = Some("who"), false),
    // A21 to A27
    ("A21 issuer", |c| c.claims["aud"] = ISSUER.into(), true),
    ("A22 token endpoint", |c| c.claims["aud"] = format!("{ISSUER}/token").into(), true),
    (
        "A22 token endpoint as Keycloak has it",
        |c| c.claims["aud"] = format!("{PUBLIC}/realms/master/protocol/openid-connect/token").into(),
        true,
    ),
    ("A23 bc-authorize", |c| c.claims["aud"] = format!("{ISSUER}/bc-authorize").into(), true),
    (
        "A23 bc-authorize as Keycloak has it",
        |c| c.claims["aud"] = format!("{PUBLIC}/realms/master/protocol/openid-connect/ext/ciba/auth").into(),
        true,
    ),
    ("A25 the issuer in a list", |c| c.claims["aud"] = json!([ISSUER]), true),
    ("A25 the issuer and others", |c| c.claims["aud"] = json!(["https://x.example", ISSUER]), true),
    ("A25 a list with something else", |c| c.claims["aud"] = json!([ISSUER, 1]), false),
    ("A26 another realm", |c| c.claims["aud"] = format!("{PUBLIC}/other").into(), false),
    ("A26 another realm's token endpoint", |c| c.claims["aud"] = format!("{PUBLIC}/other/token").into(), false),
    ("A26 a list of others", |c| c.claims["aud"] = json!([format!("{PUBLIC}/other"), "https://x.example"]), false),
    ("A27 the issuer is a prefix", |c| c.claims["aud"] = format!("{ISSUER}-evil").into(), false),
    ("A27 a slash at the end", |c| c.claims["aud"] = format!("{ISSUER}/").into(), false),
    ("A27 other case", |c| c.claims["aud"] = ISSUER.to_uppercase().into(), false),
    ("A27 another endpoint", |c| c.claims["aud"] = format!("{ISSUER}/userinfo").into(), false),
    ("A27 the public address", |c| c.claims["aud"] = PUBLIC.into(), false),
    ("A27 none", |c| c.claims["aud"] = Value::Null, false),
    ("A27 an empty list", |c| c.claims["aud"] = json!([]), false),
    // A28, A29
    ("A28 no exp", |c| c.claims["exp"] = Value::Null, false),
    ("A28 exp is a text", |c| c.claims["exp"] = (c.now + 300).to_string().into(), false),
    ("A28 exp is past, within what clocks differ", |c| c.claims["exp"] = (c.now - 29).into(), true),
    ("A28 exp is past", |c| c.claims["exp"] = (c.now - 30).into(), false),
    ("A28 exp in an hour", |c| c.claims["exp"] = (c.now + 3600).into(), true),
    ("A28 exp in more than an hour", |c| c.claims["exp"] = (c.now + 3631).into(), false),
    ("A29 nbf within what clocks differ", |c| c.claims["nbf"] = (c.now + 30).into(), true),
    ("A29 nbf ahead", |c| c.claims["nbf"] = (c.now + 31).into(), false),
    ("A29 iat ahead", |c| c.claims["iat"] = (c.now + 31).into(), false),
    ("A29 iat missing", |c| c.claims["iat"] = Value::Null, true),
    ("A29 iat is a text", |c| c.claims["iat"] = "now".into(), false),
    // A30
    ("A30 no jti", |c| c.claims["jti"] = Value::Null, false),
    ("A30 empty jti", |c| c.claims["jti"] = "".into(), false),
    ("A30 jti is a number", |c| c.claims["jti"] = 1.into(), false),
    ("A30 jti too long", |c| c.claims["jti"] = "x".repeat(513).into(), false),
    // A33
    ("A33 typ JWT", |c| c.header["typ"] = "JWT".into(), true),
    ("A33 typ of its own", |c| c.header["typ"] = "client-authentication+jwt".into(), true),
    ("A33 the same in full", |c| c.header["typ"] = "application/client-authentication+jwt".into(), true),
    ("A33 a request object", |c| c.header["typ"] = "oauth-authz-req+jwt".into(), false),
    ("A33 an access token", |c| c.header["typ"] = "at+jwt".into(), false),
    ("A33 a proof of possession", |c| c.header["typ"] = "dpop+jwt".into(), false),
    ("A33 typ is a list", |c| c.header["typ"] = json!(["JWT"]), false),
    // client_secret_jwt
    ("by secret", |c| (c.signer = c.keys.secret.clone(), c.is("hmac")).1, true),
    ("by secret, HS512", |c| (c.signer = c.keys.secret.by(HS512), c.is("hmac")).1, true),
    ("by another secret", |c| (c.signer = Signer::with_secret(&[b'x'; 64]), c.is("hmac")).1, false),
    ("A9 by key, secret registered", |c| c.is("hmac"), false),
    ("A9 by secret, key registered", |c| c.signer = c.keys.secret.clone(), false),
    (
        "A9 by the secret that is to be sent",
        |c| (c.signer = Signer::with_secret(b"post-secret-0123456789"), c.is("post")).1,
        false,
    ),
    ("A19 the registered HMAC", |c| (c.signer = c.keys.secret.by(HS256), c.is("hmac-hs256")).1, true),
    ("A19 another HMAC", |c| (c.signer = c.keys.secret.by(HS512), c.is("hmac-hs256")).1, false),
    (
        "A19 an HMAC that the secret is too short for",
        |c| (c.signer = Signer::with_secret(&SECRET.as_bytes()[..32]).by(HS512), c.is("hmac-short")).1,
        false,
    ),
];

#[tokio::test]
async fn table_of_assertions() {
    let keys = Keys::new();
    let world = keys.world().await;
    let maker = Maker::new(&keys);
    for (number, bend, is_good) in ROWS {
        let expected = if *is_good { "ok" } else { "401 invalid_client" };
        expect(&world, number, || maker.make(&world, bend), expected).await;
    }
}

#[tokio::test]
async fn a7_an_assertion_beside_another_method() {
    let keys = Keys::new();
    let world = keys.world().await;
    let maker = Maker::new(&keys);
    let good = || maker.make(&world, |_| {});
    expect(&world, "secret", || good().and("client_secret", "x"), "400 invalid_request").await;
    let basic = || Proof { authorization: Some("Basic YmFuazp4".into()), ..good() };
    expect(&world, "Basic", basic, "400 invalid_request").await;
}

#[tokio::test]
async fn a22_a23_a25_the_strict_audience_is_the_issuer_as_a_string() {
    let keys = Keys::new();
    let world = World::with(|realm| {
        realm.insert_str(0, "strict_audience = true\n");
        realm.push_str(&keys.clients());
    })
    .await;
    let maker = Maker::new(&keys);
    let table = [
        (json!(ISSUER), "ok"),
        (json!([ISSUER]), "401 invalid_client"),
        (json!(format!("{ISSUER}/token")), "401 invalid_client"),
        (json!(format!("{ISSUER}/bc-authorize")), "401 invalid_client"),
    ];
    for (audience, expected) in table {
        let bend = |case: &mut Case<'_>| case.claims["aud"] = audience.clone();
        expect(&world, &audience.to_string(), || maker.make(&world, bend), expected).await;
    }
}

#[tokio::test]
async fn a30_an_assertion_counts_once_wherever_it_comes_again() {
    let keys = Keys::new();
    let world = keys.world().await;
    let maker = Maker::new(&keys);
    for (path, more, good) in ENDPOINTS {
        let proof = maker.make(&world, |_| {});
        assert_eq!(proof.sent(&world, path, more).await.brief(), good, "{path}");
        expect(&world, path, || proof.clone(), "401 invalid_client").await;
    }
}

#[tokio::test]
async fn a30_an_assertion_is_remembered_as_long_as_it_would_be_accepted() {
    let keys = Keys::new();
    let world = keys.world().await;
    let now = world.clock.now();
    let proof = Maker::new(&keys).make(&world, |case| case.claims["exp"] = (case.now + 60).into());
    assert_eq!(proof.brief(&world).await, "400 invalid_grant");
    let used = &world.gateway.parts().tables.used;
    let remembered = used.get(Table::<Used>::key("master", "assertion\0bank\0jti 1")).await.unwrap().unwrap();
    assert_eq!(remembered.keep_until(), now.plus(Duration::from_secs(60 + 30)));
}

#[tokio::test]
async fn a30_what_is_refused_uses_nothing_up_and_clients_share_nothing() {
    let keys = Keys::new();
    let world = keys.world().await;
    let maker = Maker::new(&keys);
    let with_jti = |client: &'static str, signer: Signer| {
        maker.make(&world, move |case| {
            case.is(client);
            case.claims["jti"] = "the same".into();
            case.signer = signer.clone();
        })
    };
    let table = [
        ("forged", with_jti("bank", keys.strange.clone()), "401 invalid_client"),
        ("another client", with_jti("bank-ps256", keys.rsa.by(PS256)), "400 invalid_grant"),
        ("the client", with_jti("bank", keys.p256.clone()), "400 invalid_grant"),
        ("the client again", with_jti("bank", keys.p256.clone()), "401 invalid_client"),
    ];
    for (case, proof, expected) in table {
        assert_eq!(proof.brief(&world).await, expected, "{case}");
    }
}

#[tokio::test]
async fn a30_fifty_at_once_are_one() {
    let keys = Keys::new();
    let world = std::sync::Arc::new(keys.world().await);
    let proof = Maker::new(&keys).make(&world, |_| {});
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (world, proof) = (std::sync::Arc::clone(&world), proof.clone());
        racing.spawn(async move { proof.brief(&world).await });
    }
    let answers = racing.join_all().await;
    assert_eq!(answers.iter().filter(|answer| *answer == "400 invalid_grant").count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| *answer == "401 invalid_client").count(), 49, "{answers:?}");
}

#[tokio::test]
async fn a26_an_assertion_for_one_realm_is_none_for_another() {
    let keys = Keys::new();
    let text = realm_file() + &keys.clients();
    let world = World::of(&[("master", &text), ("other", &text)], Build::default()).await;
    let proof = Maker::new(&keys).make(&world, |_| {});
    let (_, more, good) = ENDPOINTS[1];
    assert_eq!(proof.sent(&world, "/other/token", more).await.brief(), "401 invalid_client");
    assert_eq!(proof.sent(&world, "/master/token", more).await.brief(), good);
}

#[tokio::test]
async fn a19_fapi_takes_ps256_and_es256_alone() {
    let keys = Keys::new();
    let jwks = [&keys.rsa, &keys.p256, &keys.ed25519].map(Signer::toml).join(", ");
    let head = realm_file().split("[[clients]]").next().unwrap().to_owned();
    let realm = format!(
        "profile = \"fapi-ciba\"\n{head}[[clients]]\nclient_id = \"bank\"\n\
         token_endpoint_auth_method = \"private_key_jwt\"\njwks = {{ keys = [{jwks}] }}\n\
         backchannel_authentication_request_signing_alg = \"PS256\"\ndpop_bound_access_tokens = true\n"
    );
    let world = World::of(&[("master", &realm)], Build::default()).await;
    let maker = Maker::new(&keys);
    // a client that has proved who it is still needs a DPoP proof
    let table = [
        ("PS256", keys.rsa.by(PS256), "400 invalid_dpop_proof"),
        ("ES256", keys.p256.clone(), "400 invalid_dpop_proof"),
        ("RS256", keys.rsa.clone(), "401 invalid_client"),
        ("EdDSA", keys.ed25519.clone(), "401 invalid_client"),
    ];
    for (case, signer, expected) in table {
        let proof = maker.make(&world, |case| case.signer = signer.clone());
        assert_eq!(proof.brief(&world).await, expected, "{case}");
    }
}

#[tokio::test]
async fn a_name_that_comes_twice_is_refused() {
    let keys = Keys::new();
    let world = keys.world().await;
    let now = world.clock.now().seconds();
    let rest = format!(r#""aud":"{ISSUER}","exp":{},"jti":"twice""#, now + 60);
    let kid = &keys.p256.jwk()["kid"];
    let table = [
        (format!(r#"{{"alg":"ES256","kid":{kid}}}"#), format!(r#"{{"iss":"bank","sub":"x","sub":"bank",{rest}}}"#)),
        (format!(r#"{{"alg":"none","alg":"ES256","kid":{kid}}}"#), format!(r#"{{"iss":"bank","sub":"bank",{rest}}}"#)),
    ];
    for (header, claims) in table {
        let assertion = keys.p256.compact(&header, &claims);
        let proof = Proof::form(&[("client_assertion_type", TYPE), ("client_assertion", &assertion)]);
        assert_eq!(proof.brief(&world).await, "401 invalid_client", "{header} {claims}");
    }
    let good = keys
        .p256
        .compact(&format!(r#"{{"alg":"ES256","kid":{kid}}}"#), &format!(r#"{{"iss":"bank","sub":"bank",{rest}}}"#));
    let proof = Proof::form(&[("client_assertion_type", TYPE), ("client_assertion", &good)]);
    assert_eq!(proof.brief(&world).await, "400 invalid_grant");
}
