//! docs/cases.md: the parameters of an authentication request.

use crate::world::{World, realm_file};

#[tokio::test]
async fn table_of_c3() {
    let world = World::with(|realm| realm.push_str("\n[limits]\npending_per_user = 1000\n")).await;
    let a = |n: usize| "a".repeat(n);
    let b = |n: usize| "\u{e4}".repeat(n);
    let (h255, h256, m150, m151, u150, u151) = (a(255), a(256), a(150), a(151), b(150), b(151));
    let hint = ("login_hint", "alice");
    let scope = ("scope", "openid");
    let table: Vec<(&str, Vec<(&str, &str)>, &str)> = vec![
        ("P1 no scope", vec![hint], "400 invalid_request"),
        ("P2 without openid", vec![("scope", "profile"), hint], "400 invalid_scope"),
        ("P3 not the client's", vec![("scope", "openid payments"), hint], "400 invalid_scope"),
        ("P4 repeated", vec![("scope", "openid openid"), hint], "200"),
        ("P5 spaces", vec![("scope", " openid   profile "), hint], "200"),
        ("P5 quote", vec![("scope", "openid \"x"), hint], "400 invalid_scope"),
        ("P6 other order", vec![("scope", "profile openid"), hint], "200"),
        ("P7 no hint", vec![scope], "400 invalid_request"),
        ("P8 two hints", vec![scope, hint, ("id_token_hint", "x")], "400 invalid_request"),
        ("P8 three hints", vec![scope, hint, ("id_token_hint", "x"), ("login_hint_token", "x")], "400 invalid_request"),
        ("P9 an empty one does not count", vec![scope, hint, ("login_hint_token", "")], "200"),
        ("P10 unknown user", vec![scope, ("login_hint", "nobody")], "400 unknown_user_id"),
        ("P12 ambiguous", vec![scope, ("login_hint", "twin@example.com")], "400 unknown_user_id"),
        ("P13 filter characters", vec![scope, ("login_hint", "*)(uid=*")], "400 unknown_user_id"),
        ("P13 quotes", vec![scope, ("login_hint", "alice' or '1'='1")], "400 unknown_user_id"),
        ("P14 longest hint", vec![scope, ("login_hint", &h255)], "400 unknown_user_id"),
        ("P14 too long", vec![scope, ("login_hint", &h256)], "400 invalid_request"),
        ("P15 disabled", vec![scope, ("login_hint", "carol")], "400 unknown_user_id"),
        ("P21 no login_hint_token here", vec![scope, ("login_hint_token", "x")], "400 invalid_request"),
        ("P22 no ID token", vec![scope, ("id_token_hint", "x")], "400 invalid_request"),
        ("e-mail in other case", vec![scope, ("login_hint", "Alice@Example.com")], "200"),
        ("part of a name", vec![scope, ("login_hint", "alic")], "400 unknown_user_id"),
        ("P30 151 characters", vec![scope, hint, ("binding_message", &m151)], "400 invalid_binding_message"),
        ("P31 150 characters", vec![scope, hint, ("binding_message", &m150)], "200"),
        ("P31 150 that are not ASCII", vec![scope, hint, ("binding_message", &u150)], "200"),
        ("P30 151 that are not ASCII", vec![scope, hint, ("binding_message", &u151)], "400 invalid_binding_message"),
        ("P32 line break", vec![scope, hint, ("binding_message", "a\nb")], "400 invalid_binding_message"),
        (
            "P32 right-to-left override",
            vec![scope, hint, ("binding_message", "a\u{202e}b")],
            "400 invalid_binding_message",
        ),
        ("P32 isolate", vec![scope, hint, ("binding_message", "a\u{2066}b")], "400 invalid_binding_message"),
        ("P32 zero width", vec![scope, hint, ("binding_message", "a\u{200b}b")], "400 invalid_binding_message"),
        (
            "P32 a letter that shows nothing",
            vec![scope, hint, ("binding_message", "\u{3164}")],
            "400 invalid_binding_message",
        ),
        (
            "P32 a mark that shows nothing",
            vec![scope, hint, ("binding_message", "a\u{34f}b")],
            "400 invalid_binding_message",
        ),
        ("P32 line separator", vec![scope, hint, ("binding_message", "a\u{2028}b")], "400 invalid_binding_message"),
        ("private use", vec![scope, hint, ("binding_message", "\u{e000}")], "400 invalid_binding_message"),
        ("P33 emoji", vec![scope, hint, ("binding_message", "\u{1f44d} ok")], "400 invalid_binding_message"),
        ("P33 keycap", vec![scope, hint, ("binding_message", "1\u{fe0f}\u{20e3}")], "400 invalid_binding_message"),
        (
            "any language",
            vec![
                scope,
                hint,
                (
                    "binding_message",
                    "Zahlung 12,50 \u{20ac} \u{2013} \u{6c34}\u{66dc} \u{0645}\u{0631}\u{062d}\u{0628}\u{0627}",
                ),
            ],
            "200",
        ),
        ("P35 HTML is text", vec![scope, hint, ("binding_message", "<b>x</b> & \"y\"")], "200"),
        ("blank", vec![scope, hint, ("binding_message", "   ")], "400 invalid_binding_message"),
        ("P42 zero", vec![scope, hint, ("requested_expiry", "0")], "400 invalid_request"),
        ("P42 negative", vec![scope, hint, ("requested_expiry", "-1")], "400 invalid_request"),
        ("P42 fraction", vec![scope, hint, ("requested_expiry", "1.5")], "400 invalid_request"),
        ("P42 word", vec![scope, hint, ("requested_expiry", "abc")], "400 invalid_request"),
        ("P42 exponent", vec![scope, hint, ("requested_expiry", "1e3")], "400 invalid_request"),
        ("P42 sign", vec![scope, hint, ("requested_expiry", "+60")], "400 invalid_request"),
        (
            "P42 too large a number",
            vec![scope, hint, ("requested_expiry", "9999999999999999999999")],
            "400 invalid_request",
        ),
        ("P42 other digits", vec![scope, hint, ("requested_expiry", "\u{0661}\u{0660}")], "400 invalid_request"),
        ("P45 unknown acr_values", vec![scope, hint, ("acr_values", "gold silver")], "200"),
        ("P51 a poll client's token is ignored", vec![scope, hint, ("client_notification_token", "x")], "200"),
        ("P1 no scope, but details", vec![hint, ("authorization_details", "[{}]")], "400 invalid_request"),
        ("P56 no details and no scope", vec![hint, ("authorization_details", "[]")], "400 invalid_request"),
        ("no details", vec![scope, hint, ("authorization_details", "[]")], "200"),
        ("P58 request_uri", vec![scope, hint, ("request_uri", "https://x")], "400 invalid_request"),
        ("R2 request", vec![scope, hint, ("request", "x.y.z")], "400 invalid_request"),
        ("P59 request_context", vec![scope, hint, ("request_context", r#"{"device":"till 4"}"#)], "200"),
        ("P59 no object", vec![scope, hint, ("request_context", r#"["till 4"]"#)], "400 invalid_request"),
        ("P59 no JSON", vec![scope, hint, ("request_context", "till 4")], "400 invalid_request"),
        ("P60 claims", vec![scope, hint, ("claims", r#"{"id_token":{"acr":null}}"#)], "200"),
        ("P60 no JSON", vec![scope, hint, ("claims", "acr")], "400 invalid_request"),
        ("P60 no object", vec![scope, hint, ("claims", "[]")], "400 invalid_request"),
        ("P61 unknown", vec![scope, hint, ("resource", "https://api.example.com")], "400 invalid_target"),
        ("P61 fragment", vec![scope, hint, ("resource", "http://127.0.0.1:8080/master#x")], "400 invalid_target"),
        ("P61 the issuer", vec![scope, hint, ("resource", "http://127.0.0.1:8080/master")], "200"),
        (
            "P62 parameters of other flows are ignored",
            vec![scope, hint, ("redirect_uri", "x"), ("prompt", "y"), ("state", "z"), ("nonce", "n")],
            "200",
        ),
    ];
    for (number, form, expected) in table {
        for path in ["/master/bc-authorize", "/realms/master/protocol/openid-connect/ext/ciba/auth"] {
            let answer = world.as_till(path, &form).await;
            assert_eq!(answer.brief(), expected, "{number} at {path}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn p11_a_user_of_another_realm_is_unknown() {
    let text = realm_file();
    let other = text.replace("alice", "zoe");
    let world = World::of(&[("master", &text), ("other", &other)], Default::default()).await;
    let answer = world.as_till("/master/bc-authorize", &[("scope", "openid"), ("login_hint", "zoe")]).await;
    assert_eq!(answer.brief(), "400 unknown_user_id");
    let unknown = world.as_till("/master/bc-authorize", &[("scope", "openid"), ("login_hint", "nobody")]).await;
    assert_eq!(answer.text, unknown.text);
}

#[tokio::test]
async fn p36_to_p40_user_codes() {
    let world = World::new().await;
    let ask = async |more: &[(&str, &str)]| {
        let mut form = vec![("scope", "openid")];
        form.extend(more);
        world.as_post("/master/bc-authorize", &form).await.brief()
    };
    assert_eq!(ask(&[("login_hint", "user")]).await, "400 missing_user_code", "P36");
    assert_eq!(ask(&[("login_hint", "user"), ("user_code", "password")]).await, "200");
    assert_eq!(ask(&[("login_hint", "user"), ("user_code", "Password")]).await, "400 invalid_user_code", "P37");
    assert_eq!(ask(&[("login_hint", "alice")]).await, "200", "a user without a code needs none");
    assert_eq!(ask(&[("login_hint", "alice"), ("user_code", "x")]).await, "200", "nor does one that is sent matter");
    assert_eq!(ask(&[("login_hint", "nobody"), ("user_code", "x")]).await, "400 unknown_user_id", "P39");
    let form = [("scope", "openid"), ("login_hint", "user"), ("user_code", "password")];
    assert_eq!(world.as_till("/master/bc-authorize", &form).await.brief(), "400 invalid_request", "P40");
    let without = [("scope", "openid"), ("login_hint", "user")];
    assert_eq!(world.as_till("/master/bc-authorize", &without).await.brief(), "200", "this client has no codes");
}

#[tokio::test]
async fn p38_five_wrong_codes_lock_this_client_for_this_user() {
    let world = World::new().await;
    let ask = async |code: &str| {
        let form = [("scope", "openid"), ("login_hint", "user"), ("user_code", code)];
        world.as_post("/master/bc-authorize", &form).await
    };
    let wrong = ask("x").await;
    for _ in 0..4 {
        assert_eq!(ask("x").await.brief(), "400 invalid_user_code");
    }
    let locked = ask("password").await;
    assert_eq!(
        (locked.status, &locked.text),
        (wrong.status, &wrong.text),
        "the right one is answered like a wrong one"
    );
    world.advance(15 * 60);
    assert_eq!(ask("password").await.brief(), "200");
}

#[tokio::test]
async fn p43_p44_requested_expiry_is_honoured_within_bounds() {
    let world = World::new().await;
    for (asked, given) in [("10", 10), ("60", 60), ("600", 600), ("601", 600), ("9", 10), ("1", 10), ("00030", 30)] {
        world.advance(700);
        let form = [("scope", "openid"), ("login_hint", "alice"), ("requested_expiry", asked)];
        let answer = world.as_till("/master/bc-authorize", &form).await;
        assert_eq!(answer.json()["expires_in"], given, "{asked}");
    }
}

#[tokio::test]
async fn the_reply_is_the_profile_pages() {
    let world = World::new().await;
    let answer = world.as_till("/master/bc-authorize", &[("scope", "openid"), ("login_hint", "alice")]).await;
    let json = answer.json();
    assert_eq!((json["expires_in"].as_u64(), json["interval"].as_u64()), (Some(120), Some(5)));
    assert_eq!(json.as_object().unwrap().len(), 3);
    let id = json["auth_req_id"].as_str().unwrap();
    assert!(id.len() == 43 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{id}");
}

#[tokio::test]
async fn d24_an_interval_of_zero_is_left_out() {
    let world = World::with(|realm| realm.push_str("\n[ciba]\ninterval = 0\n")).await;
    let answer = world.as_till("/master/bc-authorize", &[("scope", "openid"), ("login_hint", "alice")]).await;
    assert!(answer.json().get("interval").is_none());
    let id = answer.json()["auth_req_id"].as_str().unwrap().to_owned();
    for _ in 0..3 {
        assert_eq!(world.poll(&id).await.brief(), "400 authorization_pending");
    }
}

#[tokio::test]
async fn p64_the_same_request_twice_is_two_requests() {
    let world = World::new().await;
    let (one, two) = (world.ask_alice().await, world.ask_alice().await);
    assert_ne!(one, two);
}

#[tokio::test]
async fn p65_limits_refuse_and_drop_nothing() {
    let table = [
        (
            "pending_per_user = 2",
            "429 temporarily_unavailable",
            "Too many requests are waiting for this person's decision",
        ),
        (
            "pending_per_client = 2",
            "503 temporarily_unavailable",
            "Too many requests of this client are waiting for a decision",
        ),
        ("pending = 2", "503 temporarily_unavailable", "Too many requests are waiting for a decision"),
    ];
    for (limit, expected, description) in table {
        let world = World::with(|realm| realm.push_str(&format!("\n[limits]\n{limit}\n"))).await;
        let first = world.ask_alice().await;
        let second = world.ask_alice().await;
        let refused = world.as_till("/master/bc-authorize", &[("scope", "openid"), ("login_hint", "alice")]).await;
        assert_eq!(refused.brief(), expected, "{limit}");
        assert_eq!(refused.json()["error_description"], description, "{limit}");
        assert_eq!(refused.header("retry-after"), Some("10"), "{limit}");
        for id in [first, second] {
            assert_eq!(world.poll(&id).await.brief(), "400 authorization_pending", "{limit}");
        }
    }
}
