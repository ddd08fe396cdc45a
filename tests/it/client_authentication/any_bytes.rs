//! Whatever is presented: an answer of ours, and never a client where nobody proved to be one.

use jsonwebtoken::Algorithm::HS512;
use proptest::{
    prelude::{Just, Strategy, any, prop},
    prop_assert, prop_oneof,
    test_runner::{Config, TestRunner},
};
use realmgate::{keys::Algorithm, peer::Presented};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use super::{Proof, assertions::TYPE};
use crate::{signer::Signer, world::World};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Clients of each method that has something to parse.
fn world(runtime: &Runtime, key: &Signer) -> World {
    let client = |id: &str, method: &str, rest: &str| {
        format!("\n[[clients]]\nclient_id = \"{id}\"\ntoken_endpoint_auth_method = \"{method}\"\n{rest}\n")
    };
    let jwks = format!("jwks = {{ keys = [{}] }}", key.toml());
    let secret = format!("client_secret = \"{}\"", str::from_utf8(SECRET).unwrap());
    let clients = client("bank", "private_key_jwt", &jwks)
        + &client("hmac", "client_secret_jwt", &secret)
        + &client("self-signed", "self_signed_tls_client_auth", &jwks);
    runtime.block_on(World::with(|realm| realm.push_str(&clients)))
}

/// Each of these makes no client.
fn none_is_accepted(proofs: impl Strategy<Value = Proof>, key: &Signer) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = world(&runtime, key);
    let config = Config { cases: 500, failure_persistence: None, ..Config::default() };
    let judged = TestRunner::new(config).run(&proofs, |proof| {
        let answer = runtime.block_on(proof.brief(&world));
        prop_assert!(["401 invalid_client", "400 invalid_request"].contains(&answer.as_str()), "{answer}");
        Ok(())
    });
    judged.unwrap();
}

/// What a header can hold.
fn header_text() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>().prop_filter("no control characters", |it| *it >= 32 && *it != 127), 0..80)
}

#[test]
fn no_authorization_header_panics() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let basic = any::<Vec<u8>>().prop_map(|bytes| format!("Basic {}", STANDARD.encode(bytes)).into_bytes());
    let scheme = header_text().prop_map(|bytes| [b"Basic ".as_slice(), &bytes].concat());
    let headers = prop_oneof![header_text(), basic, scheme];
    let proofs = headers.prop_map(|authorization| Proof { authorization: Some(authorization), ..Proof::default() });
    none_is_accepted(proofs, &Signer::new(Algorithm::ES256));
}

fn assertion(text: impl Into<String>) -> Proof {
    Proof::form(&[("client_assertion_type", TYPE)]).and("client_assertion", text)
}

/// Some of these members, with values of any kind.
fn members(names: &'static [&'static str]) -> impl Strategy<Value = Map<String, Value>> {
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (1_799_999_900_u64..1_800_003_700).prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        prop::sample::select(vec!["bank", "hmac", "JWT", "at+jwt", "http://127.0.0.1:8080/master/x"])
            .prop_map(Value::from),
    ];
    let value = value.prop_recursive(3, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    let member = (prop::sample::select(names), value).prop_map(|(name, value)| (name.to_owned(), value));
    prop::collection::vec(member, 0..6).prop_map(|members| members.into_iter().collect())
}

#[test]
fn no_assertion_panics() {
    let key = Signer::new(Algorithm::ES256);
    let (by_key, by_secret) = (key.clone(), Signer::with_secret(SECRET).by(HS512));
    let header = || members(&["typ", "kid", "crit", "b64", "jwk", "jku", "x5c", "x5t#S256", "cty"]);
    let claims = || members(&["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope"]);
    let whose = |client: &str, rest: Map<String, Value>| {
        let mut claims = json!({"iss": client, "sub": client});
        claims.as_object_mut().unwrap().extend(rest);
        claims
    };
    let proofs = prop_oneof![
        ".{0,200}".prop_map(assertion),
        "[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}".prop_map(assertion),
        // rightly signed, whatever else it says
        (header(), claims()).prop_map(move |(header, claims)| {
            assertion(by_key.jwt(&Value::Object(header), &whose("bank", claims)))
        }),
        (header(), claims()).prop_map(move |(header, claims)| {
            assertion(by_secret.jwt(&Value::Object(header), &whose("hmac", claims)))
        }),
    ];
    none_is_accepted(proofs, &key);
}

#[test]
fn no_assertion_with_a_changed_byte_is_accepted() {
    let key = Signer::new(Algorithm::ES256);
    let claims = json!({
        "iss": "bank", "sub": "bank", "aud": "http://127.0.0.1:8080/master", "exp": 1_800_000_060_u64, "jti": "1",
    });
    let good = key.jwt(&json!({"typ": "JWT"}), &claims);
    let changed = (any::<prop::sample::Index>(), "[A-Za-z0-9_.-]").prop_filter_map("the same", move |(at, with)| {
        let (at, mut text) = (at.index(good.len()), good.clone());
        text.replace_range(at..=at, &with);
        (text != good).then(|| assertion(text))
    });
    none_is_accepted(changed, &key);
}

#[test]
fn no_certificate_panics() {
    let key = Signer::new(Algorithm::ES256);
    let bytes = || prop::collection::vec(any::<u8>(), 1..300);
    let proofs = (bytes(), prop::collection::vec(bytes(), 0..4)).prop_map(|(leaf, chain)| {
        Proof::form(&[("client_id", "self-signed")]).with(Presented::new(&leaf, chain).unwrap())
    });
    none_is_accepted(proofs, &key);
}
