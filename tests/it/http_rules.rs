//! docs/cases.md: HTTP, routing, realm; at both endpoints unless the row says one.

use crate::world::{CIBA, World, basic, encode};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const BOTH: [&str; 4] = [
    "/master/bc-authorize",
    "/master/token",
    "/realms/master/protocol/openid-connect/ext/ciba/auth",
    "/realms/master/protocol/openid-connect/token",
];

#[tokio::test]
async fn h1_h2_other_methods() {
    let world = World::new().await;
    for path in BOTH {
        for method in ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"] {
            let answer = world.send(method, path, &[], "").await;
            assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method} {path}");
        }
    }
    let answer = world.send("POST", "/master/jwks", &[], "").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(world.send("HEAD", "/master/jwks", &[], "").await.status, 200);
}

#[tokio::test]
async fn h3_to_h8_paths() {
    let world = World::new().await;
    let table = [
        ("H3 unknown realm", "/nobody/token", 404),
        ("H3 unknown realm, Keycloak's style", "/realms/nobody/protocol/openid-connect/token", 404),
        ("H5 other case", "/Master/token", 404),
        ("H6 encoded", "/%6Daster/token", 400),
        ("H7 encoded slash", "/master%2Fx/token", 404),
        ("H7 dots", "/../token", 404),
        ("H7 double slash", "//token", 404),
        ("H7 NUL", "/master%00/token", 404),
        ("H8 slash at the end", "/master/token/", 404),
        ("H8 slash at the end, accepted as Keycloak does", "/realms/master/protocol/openid-connect/token/", 400),
        ("nothing there", "/master/nothing", 404),
        ("nothing at all", "/", 404),
    ];
    for (number, path, status) in table {
        let answer = world.send("POST", path, &[FORM], "").await;
        assert_eq!(answer.status, status, "{number}: {answer:?}");
        assert!(answer.header("location").is_none(), "{number}: no redirect, it would lose the body");
        assert!(answer.json()["error"].is_string(), "{number}");
    }
    let answer = world.get("/realms/nobody/.well-known/openid-configuration").await;
    assert_eq!((answer.status, answer.text.as_str()), (404, r#"{"error":"Realm does not exist"}"#));
    let answer = world.get("/nobody/.well-known/openid-configuration").await;
    assert_eq!(answer.brief(), "404 not_found");
}

#[tokio::test]
async fn a_request_without_a_path_is_answered() {
    let world = World::new().await;
    for (method, target) in [("CONNECT", "login.example.com:443"), ("OPTIONS", "*"), ("GET", "http://a.example")] {
        assert_eq!(world.send(method, target, &[], "").await.brief(), "404 not_found", "{method} {target}");
    }
}

#[tokio::test]
async fn h10_h11_hosts_are_not_believed() {
    let world = World::new().await;
    for header in ["host", "x-forwarded-host", "x-forwarded-proto", "forwarded"] {
        let answer =
            world.send("GET", "/master/.well-known/openid-configuration", &[(header, "evil.example")], "").await;
        assert_eq!(answer.status, 200, "{header}");
        assert!(!answer.text.contains("evil"), "{header}: {}", answer.text);
    }
}

#[tokio::test]
async fn h12_to_h16_content_types() {
    let world = World::new().await;
    let form = encode(&[
        ("client_id", "post"),
        ("client_secret", "post-secret-0123456789"),
        ("scope", "openid"),
        ("login_hint", "alice"),
    ]);
    let table = [
        ("plain", Some("application/x-www-form-urlencoded"), "200"),
        ("H12 JSON", Some("application/json"), "400 invalid_request"),
        ("H13 none", None, "400 invalid_request"),
        ("H14 as the profile page prints it (contract)", Some("x-www-form-urlencoded"), "200"),
        ("H15 with a charset", Some("application/x-www-form-urlencoded; charset=ISO-8859-1"), "200"),
        ("other case", Some("Application/X-WWW-Form-Urlencoded"), "200"),
        ("H16 multipart", Some("multipart/form-data; boundary=x"), "400 invalid_request"),
        ("text", Some("text/plain"), "400 invalid_request"),
    ];
    for (number, content_type, expected) in table {
        let headers: Vec<_> = content_type.map(|value| ("content-type", value)).into_iter().collect();
        let answer = world.send("POST", "/master/bc-authorize", &headers, &form).await;
        assert_eq!(answer.brief(), expected, "{number}");
    }
}

#[tokio::test]
async fn h17_to_h30_bodies() {
    let world = World::new().await;
    let client = "client_id=post&client_secret=post-secret-0123456789&scope=openid&login_hint=alice";
    let large = format!("{client}&x={}", "x".repeat(70_000));
    let many = (0..70).fold(client.to_owned(), |form, n| format!("{form}&p{n}=1"));
    let table = [
        ("H17 too large", large, "413 invalid_request"),
        ("H18 not UTF-8", format!("{client}&binding_message=%ff"), "400 invalid_request"),
        ("H19 broken escape", format!("{client}&binding_message=%zz"), "400 invalid_request"),
        ("H20 control character", format!("{client}&acr_values=%01"), "400 invalid_request"),
        ("H21 repeated", format!("{client}&scope=openid"), "400 invalid_request"),
        ("H21 repeated client_id", format!("{client}&client_id=post"), "400 invalid_request"),
        ("H21 repeated, unknown", format!("{client}&color=red&color=blue"), "400 invalid_request"),
        ("H22 empty is omitted", format!("{client}&requested_expiry="), "200"),
        ("H23 unknown is ignored", format!("{client}&color=red"), "200"),
        ("too many", many, "400 invalid_request"),
        ("H25 empty", String::new(), "401 invalid_client"),
    ];
    for (number, body, expected) in table {
        let answer = world.send("POST", "/master/bc-authorize", &[FORM], &body).await;
        assert_eq!(answer.brief(), expected, "{number}");
    }
    assert_eq!(world.send("POST", "/master/token", &[FORM], "").await.brief(), "400 invalid_request", "H25 at token");
}

#[tokio::test]
async fn h24_parameters_in_the_query_string_are_refused() {
    let world = World::new().await;
    let form = [("scope", "openid"), ("login_hint", "alice")];
    for query in ["scope=openid", "client_secret=x", "client_assertion=x", "login_hint=alice", "grant_type=x"] {
        for path in BOTH {
            let answer = world.as_till(&format!("{path}?{query}"), &form).await;
            assert_eq!(answer.brief(), "400 invalid_request", "{path}?{query}");
        }
    }
    assert_eq!(world.as_till("/master/bc-authorize?trace=1", &form).await.status, 200, "no parameter of OAuth");
}

#[tokio::test]
async fn h26_json_whatever_is_accepted_and_no_cache() {
    let world = World::new().await;
    let headers = [FORM, ("accept", "text/html"), ("authorization", &basic("till", "till secret: a+b%20c"))];
    let good = world.send("POST", "/master/bc-authorize", &headers, "scope=openid&login_hint=alice").await;
    let bad = world.send("POST", "/master/bc-authorize", &headers, "scope=openid").await;
    for answer in [good, bad] {
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn h31_descriptions_repeat_nothing_and_keep_to_the_characters() {
    let world = World::new().await;
    let evil = "e\"v\\il\u{e9}\u{202e}<b>";
    let rows: Vec<Vec<(&str, &str)>> = vec![
        vec![("scope", evil), ("login_hint", "alice")],
        vec![("scope", "openid"), ("login_hint", evil)],
        vec![("scope", "openid"), ("login_hint", "alice"), ("binding_message", "\u{1f600}")],
        vec![("scope", "openid"), ("login_hint", "alice"), ("requested_expiry", evil)],
        vec![("grant_type", evil)],
        vec![("grant_type", CIBA), ("auth_req_id", evil)],
    ];
    for form in rows {
        let answer = world.as_till("/master/bc-authorize", &form).await;
        let json = answer.json();
        let members: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(members.iter().all(|m| ["error", "error_description", "error_uri"].contains(m)), "{members:?}");
        let description = json["error_description"].as_str().unwrap();
        assert!(description.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{description}");
        assert!(!description.contains("il"), "{description}");
    }
}
