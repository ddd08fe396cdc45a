//! docs/cases.md: the signed authentication request.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::prelude::*;
use realmgate::{ciba::decide::Decision, keys::Algorithm};
use serde_json::{Value, json};

use crate::{
    signer::{Signer, over},
    world::{Answer, Build, CIBA, World, claims, realm_file},
};

type Key = LazyLock<Signer>;
static BANK: Key = LazyLock::new(|| Signer::new(Algorithm::ES256));
static BANKS_SECOND: Key = LazyLock::new(|| Signer::new(Algorithm::ES256));
static RIVAL: Key = LazyLock::new(|| Signer::new(Algorithm::ES256));
static BROKER: Key = LazyLock::new(|| Signer::new(Algorithm::PS256));

const ISSUER: &str = "http://127.0.0.1:8080/master";
const SECRET: &str = "bank-secret-0123456789";

/// The happy world with three clients that sign: `bank` (ES256, one key), `rival` (the same, another key), `broker` (PS256).
fn file() -> String {
    let client = |id: &str, algorithm: &str, keys: &[&Signer]| {
        let keys: Vec<String> = keys.iter().map(|key| key.toml()).collect();
        format!(
            "\n[[clients]]\nclient_id = \"{id}\"\nclient_secret = \"{SECRET}\"\n\
             token_endpoint_auth_method = \"client_secret_post\"\nscope = \"openid profile\"\n\
             backchannel_user_code_parameter = true\nauthorization_details_types = [\"payment\"]\n\
             backchannel_authentication_request_signing_alg = \"{algorithm}\"\njwks = {{ keys = [{}] }}\n",
            keys.join(", ")
        )
    };
    [
        realm_file().as_str(),
        &client("bank", "ES256", &[&BANK, &BANKS_SECOND]),
        &client("rival", "ES256", &[&RIVAL]),
        &client("broker", "PS256", &[&BROKER]),
        "\n[[authorization_details_types]]\ntype = \"payment\"\n[limits]\npending_per_user = 1000\n",
    ]
    .concat()
}

async fn world() -> World {
    World::of(&[("master", &file())], Build::default()).await
}

/// The claims of a good request of `client`, with these over them.
fn good(world: &World, client: &str, patch: &Value) -> Value {
    let now = world.clock.now().seconds();
    let jti = realmgate::random::Random::system().identifier().unwrap();
    let claims = json!({
        "iss": client, "aud": ISSUER, "iat": now, "nbf": now, "exp": now + 300, "jti": jti, "scope": "openid",
        "login_hint": "alice",
    });
    over(claims, patch)
}

async fn send(world: &World, client: &str, object: &str, beside: &[(&str, &str)]) -> Answer {
    let mut form = vec![("client_id", client), ("client_secret", SECRET), ("request", object)];
    form.extend(beside);
    form.retain(|(_, value)| !value.is_empty());
    world.form("/master/bc-authorize", &form).await
}

#[tokio::test]
async fn who_must_sign_and_who_may_not() {
    let world = world().await;
    let object = BANK.sign(&good(&world, "bank", &json!({})));
    assert_eq!(send(&world, "bank", &object, &[]).await.brief(), "200", "R5");
    let plain = [("scope", "openid"), ("login_hint", "alice")];
    assert_eq!(send(&world, "bank", "", &plain).await.brief(), "400 invalid_request", "R1");
    let forms = [vec![("request", object.as_str())], [&plain[..], &[("request", &object)]].concat()];
    for form in forms {
        assert_eq!(world.as_till("/master/bc-authorize", &form).await.brief(), "400 invalid_request", "R2, R3");
    }
}

#[tokio::test]
async fn r4_nothing_but_client_authentication_stands_beside_it() {
    let world = world().await;
    for name in [
        "scope",
        "login_hint",
        "login_hint_token",
        "id_token_hint",
        "binding_message",
        "user_code",
        "requested_expiry",
        "acr_values",
        "client_notification_token",
        "authorization_details",
        "request_uri",
        "resource",
        "color",
    ] {
        let object = BANK.sign(&good(&world, "bank", &json!({})));
        let answer = send(&world, "bank", &object, &[(name, "openid")]).await;
        assert_eq!(answer.brief(), "400 invalid_request", "{name}");
        assert_eq!(
            send(&world, "bank", &object, &[(name, "")]).await.brief(),
            "200",
            "{name} empty, and the jti is good"
        );
    }
}

#[tokio::test]
async fn table_of_headers_and_signatures() {
    let world = world().await;
    let header = json!({"alg": "ES256", "kid": BANK.jwk()["kid"]});
    let kid = json!({"kid": BANK.jwk()["kid"]});
    let claims = || good(&world, "bank", &json!({}));
    let refused = "400 invalid_request";
    let unsigned = |header: &Value| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(header), part(&claims()))
    };
    let attacker = json!({"jwk": RIVAL.jwk(), "jku": "https://evil.example/jwks", "x5u": "https://evil.example/x5u"});
    let wrong = BANK.sign(&claims());
    let table: Vec<(&str, String, &str)> = vec![
        ("R6 none", unsigned(&json!({"alg": "none"})), refused),
        ("R6 none with a signature", BANK.jwt(&(&json!({"alg": "none"})), &claims()), refused),
        ("R7 HS256", BANK.jwt(&(&json!({"alg": "HS256"})), &claims()), refused),
        ("R8 another than the registered", BANK.jwt(&(&json!({"alg": "ES384"})), &claims()), refused),
        ("R9 another client's key", RIVAL.sign(&claims()), refused),
        ("R9 the same with the right kid", RIVAL.jwt(&kid, &claims()), refused),
        ("R9 nobody's", Signer::new(Algorithm::ES256).sign(&claims()), refused),
        ("R9 cut signature", wrong[..wrong.len() - 8].to_owned(), refused),
        ("R9 no signature", unsigned(&header), refused),
        ("R10 JWE", "e30.e30.e30.e30.e30".into(), refused),
        ("no JWT", "request".into(), refused),
        ("no claims", BANK.compact(&header.to_string(), "[]"), refused),
        ("no JSON", BANK.compact(&header.to_string(), "scope=openid"), refused),
        ("R29 typ", BANK.jwt(&(&json!({"typ": "OautH-auThZ-REQ+jWt"})), &claims()), "200"),
        ("R29 typ JWT", BANK.jwt(&(&json!({"typ": "jwt"})), &claims()), "200"),
        ("R29 no typ", BANK.jwt(&(&json!({"typ": null})), &claims()), "200"),
        ("R30", BANK.jwt(&(&json!({"typ": "at+jwt"})), &claims()), refused),
        ("R30", BANK.jwt(&(&json!({"typ": "dpop+jwt"})), &claims()), refused),
        ("R30", BANK.jwt(&(&json!({"typ": "client-authentication+jwt"})), &claims()), refused),
        ("R31", BANK.jwt(&(&json!({"crit": ["x"], "x": 1})), &claims()), refused),
        ("R31 b64", BANK.jwt(&(&json!({"crit": ["b64"], "b64": false})), &claims()), refused),
        ("R32 attacker's key", RIVAL.jwt(&(&attacker), &claims()), refused),
        ("R32 and no kid", RIVAL.jwt(&over(attacker.clone(), &json!({"kid": Value::Null})), &claims()), refused),
        ("R32 ignored", BANK.jwt(&(&attacker), &claims()), "200"),
        (
            "R34",
            BANK.compact(&header.to_string(), &claims().to_string().replacen('{', "{\"scope\":\"openid profile\",", 1)),
            refused,
        ),
        ("R37 no kid, several keys", BANK.jwt(&(&json!({"kid": null})), &claims()), "200"),
        ("R37 no kid, the second", BANKS_SECOND.jwt(&(&json!({"kid": null})), &claims()), "200"),
        ("R37 the second by its kid", BANKS_SECOND.sign(&claims()), "200"),
        ("kid of the other key", BANKS_SECOND.jwt(&kid, &claims()), refused),
        ("kid that is a path", BANK.jwt(&(&json!({"kid": "../../keys"})), &claims()), refused),
        ("kid that is no text", BANK.jwt(&(&json!({"kid": 1})), &claims()), refused),
        ("too long", BANK.sign(&good(&world, "bank", &json!({"x": "x".repeat(12_500)}))), refused),
    ];
    for (case, object, expected) in table {
        let answer = send(&world, "bank", &object, &[]).await;
        assert_eq!(answer.brief(), expected, "{case}: {}", answer.text);
        if case.starts_with("R10") {
            assert!(answer.text.contains("encrypted"), "said clearly: {}", answer.text);
        }
    }
    let object = "x".repeat(5 << 20);
    assert_eq!(send(&world, "bank", &object, &[]).await.brief(), "413 invalid_request", "R38");
}

#[tokio::test]
async fn r8_rs256_where_ps256_is_registered() {
    let world = world().await;
    use jsonwebtoken::Algorithm;
    let table = [(Algorithm::PS256, "200"), (Algorithm::RS256, "400 invalid_request")];
    for (algorithm, expected) in table {
        let signer = BROKER.by(algorithm); // its JWK names no algorithm
        let object = signer.sign(&good(&world, "broker", &json!({})));
        assert_eq!(send(&world, "broker", &object, &[]).await.brief(), expected, "{algorithm:?}");
    }
}

#[tokio::test]
async fn table_of_claims() {
    let world = world().await;
    let now = world.clock.now().seconds();
    let refused = "400 invalid_request";
    let item = json!([{"type": "payment"}]);
    let table: Vec<(&str, Value, &str)> = vec![
        ("R11 no aud", json!({"aud": null}), refused),
        ("R11 another", json!({"aud": "https://other.example"}), refused),
        ("R11 another realm", json!({"aud": "http://127.0.0.1:8080/other"}), refused),
        ("R11 the issuer and more", json!({"aud": "http://127.0.0.1:8080/master-evil"}), refused),
        ("R11 Keycloak's style of address", json!({"aud": "http://127.0.0.1:8080/realms/master"}), refused),
        ("R11 no text", json!({"aud": [ISSUER, 1]}), refused),
        ("R12", json!({"aud": ["https://other.example", ISSUER]}), "200"),
        ("R13 bc-authorize", json!({"aud": "http://127.0.0.1:8080/master/bc-authorize"}), refused),
        ("R13 token", json!({"aud": "http://127.0.0.1:8080/master/token"}), refused),
        ("R14 no iss", json!({"iss": null}), refused),
        ("R14 another client", json!({"iss": "rival"}), refused),
        ("R14 no text", json!({"iss": ["bank"]}), refused),
        ("R15 another client", json!({"client_id": "rival"}), refused),
        ("R15 no text", json!({"client_id": 1}), refused),
        ("R15 the same", json!({"client_id": "bank"}), "200"),
        ("R16 no exp", json!({"exp": null}), refused),
        ("R16 past", json!({"exp": now - 60, "nbf": now - 300}), refused),
        ("R16 past within the leeway", json!({"exp": now - 29, "nbf": now - 300}), "200"),
        ("R17", json!({"iat": null}), refused),
        ("R17 ahead", json!({"iat": now + 600}), refused),
        ("R18", json!({"nbf": null}), refused),
        ("R19", json!({"jti": null}), refused),
        ("R19 empty", json!({"jti": ""}), refused),
        ("R19 no text", json!({"jti": 7}), refused),
        ("R19 long", json!({"jti": "x".repeat(513)}), refused),
        ("R21 70 minutes", json!({"exp": now + 4200}), refused),
        ("R21 nbf 70 minutes past", json!({"nbf": now - 4200}), refused),
        ("R21 a second more", json!({"nbf": now - 3000, "exp": now + 601}), refused),
        ("R22", json!({"nbf": now - 3000, "exp": now + 600}), "200"),
        ("R22 from now on", json!({"exp": now + 3600}), "200"),
        ("R23 ten minutes ahead", json!({"nbf": now + 600, "exp": now + 900}), refused),
        ("R23 within the leeway", json!({"nbf": now + 30}), "200"),
        ("R24 text", json!({"exp": format!("{}", now + 300)}), refused),
        ("R24 fraction", json!({"exp": (now as f64) + 300.5}), refused),
        ("R24 integral float", json!({"exp": (now as f64) + 300.0}), "200"),
        ("R24 negative", json!({"iat": -1}), refused),
        ("R24 above 2^53", json!({"exp": (1u64 << 53) + 2}), refused),
        ("R24 huge", json!({"exp": 1e300}), refused),
        ("R24 flag", json!({"nbf": true}), refused),
        ("R25 text", json!({"requested_expiry": "300"}), "200"),
        ("R25 number", json!({"requested_expiry": 300}), "200"),
        ("R26 flag", json!({"requested_expiry": true}), refused),
        ("R26 list", json!({"requested_expiry": [300]}), refused),
        ("R26 word", json!({"requested_expiry": "abc"}), refused),
        ("R26 fraction", json!({"requested_expiry": 300.5}), refused),
        ("R26 negative", json!({"requested_expiry": -300}), refused),
        ("R27 list", json!({"scope": ["openid"]}), refused),
        ("hint that is no text", json!({"login_hint": {"x": 1}}), refused),
        ("message that is no text", json!({"binding_message": 42}), refused),
        ("R28 JSON", json!({"authorization_details": item}), "200"),
        ("R28 text", json!({"authorization_details": item.to_string()}), "200"),
        ("P53 an object", json!({"authorization_details": item[0]}), "400 invalid_authorization_details"),
        ("R33 request", json!({"request": "x.y.z"}), refused),
        ("R33 request_uri", json!({"request_uri": "https://bank.example/request"}), refused),
        ("R35", json!({"sub": "bank"}), refused),
        ("sub of another is no matter", json!({"sub": "alice"}), "200"),
        ("R36 two hints", json!({"id_token_hint": "x"}), refused),
        ("P7 no hint", json!({"login_hint": null}), refused),
        ("P1 no scope", json!({"scope": null}), refused),
        ("P2 without openid", json!({"scope": "profile"}), "400 invalid_scope"),
        ("P32", json!({"binding_message": "a\nb"}), "400 invalid_binding_message"),
        ("H20", json!({"acr_values": "a\u{1}"}), refused),
        ("P10", json!({"login_hint": "nobody"}), "400 unknown_user_id"),
        ("P59", json!({"request_context": {"device": "till 4"}}), "200"),
        ("P59 no object", json!({"request_context": ["till 4"]}), refused),
        ("P60", json!({"claims": {"id_token": {"acr": null}}}), "200"),
        ("unknown claims", json!({"color": "red", "size": 3, "shapes": ["round"]}), "200"),
    ];
    for (case, patch, expected) in table {
        let answer = send(&world, "bank", &BANK.sign(&good(&world, "bank", &patch)), &[]).await;
        assert_eq!(answer.brief(), expected, "{case}: {}", answer.text);
    }
}

#[tokio::test]
async fn r20_an_object_counts_once() {
    let world = world().await;
    let patch = json!({"jti": "one", "exp": world.clock.now().seconds() + 3000});
    let object = BANK.sign(&good(&world, "bank", &patch));
    assert_eq!(
        send(&world, "bank", &BANK.sign(&good(&world, "bank", &json!({"jti": "one", "aud": "x"}))), &[]).await.status,
        400
    );
    assert_eq!(send(&world, "bank", &object, &[]).await.status, 200, "one that was refused has used nothing up");
    assert_eq!(send(&world, "bank", &object, &[]).await.brief(), "400 invalid_request");
    let other = BANK.sign(&good(&world, "bank", &json!({"jti": "one"})));
    assert_eq!(send(&world, "bank", &other, &[]).await.brief(), "400 invalid_request", "whatever else it says");
    let rivals = RIVAL.sign(&good(&world, "rival", &json!({"jti": "one"})));
    assert_eq!(send(&world, "rival", &rivals, &[]).await.status, 200, "the identifiers are each client's own");
    world.advance(2999);
    world.gateway.parts().tables.tidy();
    assert_eq!(send(&world, "bank", &object, &[]).await.brief(), "400 invalid_request", "as long as it is good");
    world.advance(31);
    assert!(send(&world, "bank", &object, &[]).await.text.contains("expired"));

    let unknown = BANK.sign(&good(&world, "bank", &json!({"login_hint": "nobody"})));
    assert_eq!(send(&world, "bank", &unknown, &[]).await.brief(), "400 unknown_user_id");
    assert_eq!(
        send(&world, "bank", &unknown, &[]).await.brief(),
        "400 invalid_request",
        "used up before anybody is looked up"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn r20_of_many_at_once_one_counts() {
    let world = world().await;
    let object = BANK.sign(&good(&world, "bank", &json!({})));
    let sent = futures_util::future::join_all((0..20).map(|_| send(&world, "bank", &object, &[]))).await;
    assert_eq!(sent.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(world.pending("master").await, 1);
}

#[tokio::test]
async fn what_was_signed_is_what_is_asked() {
    let world = world().await;
    let patch = json!({
        "scope": "openid profile", "requested_expiry": 60, "binding_message": "KX-42",
        "authorization_details": [{"type": "payment"}],
    });
    let answer = send(&world, "bank", &BANK.sign(&good(&world, "bank", &patch)), &[]).await.json();
    assert_eq!(answer["expires_in"], 60);
    let person = world.signed_in("alice-sub");
    let live = world.gateway.realm("master").unwrap();
    let pending = live.decisions.pending_of(&person, world.clock.now()).await.unwrap();
    assert_eq!(pending[0].request.binding_message.as_deref(), Some("KX-42"));
    world.decides("alice-sub", Decision::Approve).await;
    let id = answer["auth_req_id"].as_str().unwrap();
    let form = [("client_id", "bank"), ("client_secret", SECRET), ("grant_type", CIBA), ("auth_req_id", id)];
    let tokens = world.form("/master/token", &form).await.json();
    assert_eq!(tokens["scope"], "openid profile");
    assert_eq!(tokens["authorization_details"], json!([{"type": "payment"}]));
    assert_eq!(claims(&tokens["id_token"])["aud"], "bank");
}

#[tokio::test]
async fn a_user_code_is_read_out_of_it() {
    let world = world().await;
    for (patch, expected) in [
        (json!({"login_hint": "user"}), "400 missing_user_code"),
        (json!({"login_hint": "user", "user_code": "wrong"}), "400 invalid_user_code"),
        (json!({"login_hint": "user", "user_code": "password"}), "200"),
    ] {
        assert_eq!(send(&world, "bank", &BANK.sign(&good(&world, "bank", &patch)), &[]).await.brief(), expected);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 30, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("type|.{0,3}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Whatever the client signs, or says beside it, is answered, and in the one shape.
#[test]
fn whatever_is_signed_is_answered() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(world());
    let names = "scope|login_hint|login_hint_token|id_token_hint|binding_message|user_code|requested_expiry|acr_values|\
                 authorization_details|claims|request_context|resource|request|sub|aud|exp|.{0,5}";
    let patches = prop::collection::hash_map(names, any_json(), 0..5);
    proptest!(ProptestConfig::with_cases(256), |(patch in patches)| {
        let object = BANK.sign(&good(&world, "bank", &Value::Object(patch.into_iter().collect())));
        let answer = runtime.block_on(send(&world, "bank", &object, &[]));
        prop_assert!([200, 400, 429].contains(&answer.status), "{:?}", answer);
        if answer.status != 200 {
            let json = answer.json();
            let members: Vec<&String> = json.as_object().unwrap().keys().collect();
            prop_assert_eq!(members, ["error", "error_description"]);
            let said = json["error_description"].as_str().unwrap();
            prop_assert!(said.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{}", said);
        }
        world.audited();
    });
}
