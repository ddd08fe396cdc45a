//! docs/cases.md, the device service's callback: a realm whose only channel is Keycloak's HTTP authentication channel. The
//! service is asked as recorded, and its recorded callbacks are replayed at both addresses.

use realmgate::ciba::decide::Decision;
use serde_json::{Value, json};

use crate::{
    receiver::{Received, Receiver},
    world::{Answer, Build, World, basic, claims, realm_file},
};

const SHORT: &str = "/master/bc-authorize/callback";
const KEYCLOAK: &str = "/realms/master/protocol/openid-connect/ext/ciba/auth/callback";
const JSON: Option<&str> = Some("application/json");
const SUCCEED: &str = r#"{"status":"SUCCEED"}"#;
const UNAUTHORIZED: &str = r#"{"status":"UNAUTHORIZED"}"#;

/// The happy world with a device service in the place of the page.
struct Device {
    world: World,
    service: Receiver,
}

fn with_channel(service: &Receiver) -> String {
    format!("{}\n[[channels]]\nkind = \"keycloak\"\nurl = \"{}\"\n", realm_file(), service.url)
}

impl Device {
    async fn new() -> Self {
        Self::answering(201).await
    }

    async fn answering(status: u16) -> Self {
        let service = Receiver::answering(status).await;
        let world = World::of(&[("master", &with_channel(&service))], Build::default()).await;
        Self { world, service }
    }

    /// `till` asks alice: the `auth_req_id`, and the token that the device service is given.
    async fn ask(&mut self) -> (String, String) {
        let id = self.world.ask_alice().await;
        (id, self.service.next().await.bearer())
    }

    async fn call_back(&self, bearer: &str, body: &str) -> Answer {
        call(&self.world, SHORT, Some(&format!("Bearer {bearer}")), JSON, body).await
    }
}

async fn call(
    world: &World,
    path: &str,
    authorization: Option<&str>,
    content_type: Option<&str>,
    body: &str,
) -> Answer {
    let headers = [("authorization", authorization), ("content-type", content_type)];
    let headers: Vec<_> = headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    world.send("POST", path, &headers, body).await
}

fn recorded(text: &str, name: &str) -> Value {
    let exchanges: Vec<Value> = serde_json::from_str(text).unwrap();
    exchanges.into_iter().find(|exchange| exchange["name"] == name).unwrap()
}

fn recorded_callback(name: &str) -> Value {
    recorded(include_str!("../recorded/keycloak/ciba-callback.json"), name)
}

#[tokio::test]
async fn a_device_service_is_asked_as_recorded() {
    let recorded = recorded(include_str!("../recorded/keycloak/ciba-channel.json"), "request-as-received");
    for path in ["/master/bc-authorize", "/realms/master/protocol/openid-connect/ext/ciba/auth"] {
        let mut device = Device::new().await;
        let form = [
            ("scope", "openid profile email"),
            ("login_hint", "alice@example.com"),
            ("binding_message", "hold-A1"),
            ("acr_values", "gold"),
            ("requested_expiry", "90"),
            ("color", "red"),
        ];
        let answer = device.world.as_till(path, &form).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let Received { line, headers, body } = device.service.next().await;
        assert_eq!(line, "POST /hook");
        assert_eq!(headers["content-type"], recorded["received"]["headers"]["content-type"].as_str().unwrap());
        let mut expected = recorded["received"]["json"].clone();
        expected["scope"] = json!("openid profile email"); // Keycloak adds its default scopes
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);

        let bearer = headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
        let (ours, theirs) = (claims(&json!(bearer)), &recorded["decoded"]["request.headers.authorization"]["claims"]);
        let members = |claims: &Value| claims.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(members(&ours), members(theirs));
        let now = device.world.clock.now().seconds();
        assert_eq!((&ours["iat"], &ours["exp"]), (&json!(now), &json!(now + 90)));
        assert_eq!((&ours["sub"], &ours["azp"], &ours["typ"]), (&json!("alice-sub"), &json!("till"), &json!("Bearer")));
        assert_ne!(ours["jti"], answer.json()["auth_req_id"], "I1");
    }
}

/// What came before a callback.
#[derive(Clone, Copy)]
enum Before {
    Nothing,
    Approved,
    Denied,
    Redeemed,
}

#[tokio::test]
async fn recorded_callbacks() {
    use Before::{Approved, Denied, Nothing, Redeemed};
    let number = "a number is no status: Keycloak takes it as a position in its enum";
    let second = "a second callback changes nothing; Keycloak lets it";
    let no_415 = "there is no 415";
    // the exchange, what came before, what is answered instead of the recorded answer and why, a poll afterwards
    let table: &[(&str, Before, Option<(&str, &str)>, &str)] = &[
        ("succeed", Nothing, None, "200"),
        ("succeed-extra-members", Nothing, None, "200"),
        ("unauthorized", Nothing, None, "400 access_denied"),
        ("cancelled", Nothing, None, "400 access_denied"),
        ("status-unknown", Nothing, None, "400 authorization_pending"),
        ("status-lower-case", Nothing, None, "400 authorization_pending"),
        ("status-missing", Nothing, None, "400 authorization_pending"),
        ("status-null", Nothing, None, "400 authorization_pending"),
        ("status-number-0", Nothing, Some(("400 unknown_error", number)), "400 authorization_pending"),
        ("status-number-9", Nothing, None, "400 authorization_pending"),
        ("status-empty", Nothing, None, "400 authorization_pending"),
        ("empty-body", Nothing, Some(("400 invalid_request", "the sender's fault")), "400 authorization_pending"),
        ("content-type-form", Nothing, Some(("400 invalid_request", no_415)), "400 authorization_pending"),
        ("content-type-text", Nothing, Some(("400 invalid_request", no_415)), "400 authorization_pending"),
        ("content-type-missing", Nothing, None, "200"),
        ("no-token", Nothing, None, "400 authorization_pending"),
        ("basic-instead-of-bearer", Nothing, None, "400 authorization_pending"),
        ("succeed-again", Approved, None, "200"),
        ("unauthorized-after-succeed", Approved, None, "200"),
        ("succeed-right-after-unauthorized", Denied, Some(("403 invalid_token", second)), "400 access_denied"),
        ("after-redemption", Redeemed, None, "400 invalid_grant"),
    ];
    for (name, before, instead, then) in table {
        for path in [SHORT, KEYCLOAK] {
            let mut device = Device::new().await;
            let (id, bearer) = device.ask().await;
            match before {
                Nothing => {}
                Approved => assert_eq!(device.call_back(&bearer, SUCCEED).await.status, 200),
                Denied => assert_eq!(device.call_back(&bearer, UNAUTHORIZED).await.status, 200),
                Redeemed => {
                    assert_eq!(device.call_back(&bearer, SUCCEED).await.status, 200);
                    assert_eq!(device.world.poll(&id).await.status, 200);
                }
            }
            let exchange = recorded_callback(name);
            let (request, response) = (&exchange["request"], &exchange["response"]);
            let authorization = request["headers"]["Authorization"].as_str();
            let authorization = authorization.map(|sent| match sent.starts_with("Bearer ") {
                true => format!("Bearer {bearer}"),
                false => sent.to_owned(),
            });
            let body = match (&request["json"], &request["body"]) {
                (Value::Null, Value::String(text)) => text.clone(),
                (json, _) => json.to_string(),
            };
            let content_type = request["headers"]["Content-Type"].as_str();
            let answer = call(&device.world, path, authorization.as_deref(), content_type, &body).await;
            match instead {
                None => {
                    assert_eq!(response["status"], answer.status, "{name}: {answer:?}");
                    assert_eq!(response["body"], answer.json(), "{name}");
                }
                Some((instead, why)) => assert_eq!(answer.brief(), *instead, "{name}: {why}"),
            }
            assert_eq!(answer.header("content-type"), Some("application/json"), "{name}");
            assert!(answer.status != 401 || answer.header("www-authenticate").is_some(), "{name}");
            assert_eq!(device.world.poll(&id).await.brief(), *then, "{name}, then");
        }
    }
}

#[tokio::test]
async fn b11_what_is_no_json_is_refused_and_leaves_the_request_open() {
    let mut device = Device::new().await;
    let (id, bearer) = device.ask().await;
    for body in
        [r#"{"status":"SUCCEED""#, "status=SUCCEED", "", "\u{0}", &format!("{SUCCEED}{SUCCEED}"), &"[".repeat(9_000)]
    {
        let answer = device.call_back(&bearer, body).await;
        assert_eq!(answer.status, 400, "{body:.40}: {answer:?}");
        assert!(answer.json()["error"].is_string());
    }
    assert_eq!(device.call_back(&bearer, &"x".repeat(70_000)).await.brief(), "413 invalid_request");
    assert_eq!(device.world.poll(&id).await.brief(), "400 authorization_pending");
    assert_eq!(device.call_back(&bearer, SUCCEED).await.status, 200);
}

#[tokio::test]
async fn content_types_that_are_json() {
    for content_type in [None, JSON, Some("application/json; charset=UTF-8"), Some("Application/JSON")] {
        let mut device = Device::new().await;
        let (id, bearer) = device.ask().await;
        let answer = call(&device.world, SHORT, Some(&format!("Bearer {bearer}")), content_type, SUCCEED).await;
        assert_eq!(answer.status, 200, "{content_type:?}");
        assert_eq!(device.world.poll(&id).await.status, 200);
    }
}

#[tokio::test]
async fn tokens_say_when_the_device_service_decided_and_nothing_of_a_sign_in() {
    let mut device = Device::new().await;
    let (id, bearer) = device.ask().await;
    device.world.advance(20);
    let decided = device.world.clock.now().seconds();
    assert_eq!(device.call_back(&bearer, SUCCEED).await.status, 200);
    device.world.advance(20);
    let tokens = device.world.poll(&id).await.json();
    for token in ["id_token", "access_token"] {
        let claims = claims(&tokens[token]);
        assert_eq!((&claims["sub"], &claims["auth_time"]), (&json!("alice-sub"), &json!(decided)), "{token}");
        assert!(claims.get("acr").is_none() && claims.get("amr").is_none(), "{claims}");
        assert_eq!((&claims["name"], &claims["azp"]), (&json!("Alice Liddell"), &json!("till")));
    }
}

#[tokio::test]
async fn b2_b3_credentials_that_are_none_here() {
    let mut device = Device::new().await;
    let (id, bearer) = device.ask().await;
    let (other_id, other_bearer) = device.ask().await;
    assert_eq!(device.call_back(&other_bearer, SUCCEED).await.status, 200);
    let tokens = device.world.poll(&other_id).await.json();

    let [header, payload, signature] = [0, 1, 2].map(|part| bearer.split('.').nth(part).unwrap());
    let altered = |payload: &str| format!("{header}.{payload}.{signature}");
    let other_payload = other_bearer.split('.').nth(1).unwrap();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let of = |token: &str| tokens[token].as_str().unwrap().to_owned();
    let table = [
        ("B2 an auth_req_id", id.clone()),
        ("not a token", "x".into()),
        ("the channel token without its JWT", claims(&json!(bearer))["jti"].as_str().unwrap().into()),
        ("broken-signature", format!("{bearer}A")),
        ("another request's claims", altered(other_payload)),
        ("no signature", format!("{none}.{payload}.")),
        ("access-token-instead", of("access_token")),
        ("ID token", of("id_token")),
        ("refresh token", of("refresh_token")),
        ("B3 of a request that is redeemed", other_bearer),
    ];
    for (case, token) in table {
        for path in [SHORT, KEYCLOAK] {
            let answer = call(&device.world, path, Some(&format!("Bearer {token}")), JSON, SUCCEED).await;
            assert_eq!(answer.brief(), "403 invalid_token", "{case}");
            let recorded = recorded_callback("broken-signature");
            assert_eq!(answer.json(), recorded["response"]["body"], "{case}");
        }
    }
    assert_eq!(device.world.poll(&id).await.brief(), "400 authorization_pending");
}

#[tokio::test]
async fn b1_no_bearer_at_all() {
    let mut device = Device::new().await;
    let (id, _) = device.ask().await;
    let basic = basic("till", "till secret: a+b%20c");
    for authorization in [None, Some(basic.as_str()), Some("Bearer "), Some("Bearer"), Some("")] {
        let answer = call(&device.world, SHORT, authorization, JSON, SUCCEED).await;
        assert_eq!(answer.brief(), "401 invalid_token", "{authorization:?}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"master\""));
    }
    assert_eq!(device.world.poll(&id).await.brief(), "400 authorization_pending");
}

#[tokio::test]
async fn b3_the_token_of_one_request_decides_that_one_alone() {
    let mut device = Device::new().await;
    let ((first, _), (second, bearer)) = (device.ask().await, device.ask().await);
    assert_eq!(device.call_back(&bearer, SUCCEED).await.status, 200);
    assert_eq!(device.world.poll(&first).await.brief(), "400 authorization_pending");
    assert_eq!(device.world.poll(&second).await.status, 200);
}

#[tokio::test]
async fn b3_a_token_of_another_realm() {
    let service = Receiver::answering(201).await;
    let text = with_channel(&service);
    let world = World::of(&[("master", &text), ("other", &text)], Build::default()).await;
    let mut device = Device { world, service };
    let (id, bearer) = device.ask().await;
    let authorization = format!("Bearer {bearer}");
    for path in ["/other/bc-authorize/callback", "/realms/other/protocol/openid-connect/ext/ciba/auth/callback"] {
        assert_eq!(call(&device.world, path, Some(&authorization), JSON, SUCCEED).await.brief(), "403 invalid_token");
    }
    assert_eq!(
        call(&device.world, "/nobody/bc-authorize/callback", Some(&authorization), JSON, SUCCEED).await.status,
        404
    );
    assert_eq!(device.world.poll(&id).await.brief(), "400 authorization_pending");
    assert_eq!(device.call_back(&bearer, SUCCEED).await.status, 200);
}

#[tokio::test]
async fn b5_after_expiry() {
    let mut device = Device::new().await;
    let (id, bearer) = device.ask().await;
    device.world.advance(120);
    for body in [SUCCEED, UNAUTHORIZED] {
        assert_eq!(device.call_back(&bearer, body).await.brief(), "403 invalid_token");
    }
    assert_eq!(device.world.poll(&id).await.brief(), "400 expired_token");
}

#[tokio::test]
async fn b6_a_second_callback_changes_nothing() {
    for (first, second, then) in
        [(SUCCEED, UNAUTHORIZED, "200"), (UNAUTHORIZED, SUCCEED, "400 access_denied"), (SUCCEED, SUCCEED, "200")]
    {
        let mut device = Device::new().await;
        let (id, bearer) = device.ask().await;
        assert_eq!(device.call_back(&bearer, first).await.status, 200);
        for _ in 0..3 {
            assert_eq!(device.call_back(&bearer, second).await.brief(), "403 invalid_token");
        }
        assert_eq!(device.world.poll(&id).await.brief(), then, "{first} {second}");
    }
}

#[tokio::test]
async fn b7_where_the_person_decided_first_the_device_service_is_late() {
    let service = Receiver::answering(201).await;
    let text = with_channel(&service) + "[[channels]]\nkind = \"page\"\n";
    let world = World::of(&[("master", &text)], Build::default()).await;
    let mut device = Device { world, service };
    let (id, bearer) = device.ask().await;
    device.world.decides("alice-sub", Decision::Deny).await;
    assert_eq!(device.call_back(&bearer, SUCCEED).await.brief(), "403 invalid_token");
    assert_eq!(device.world.poll(&id).await.brief(), "400 access_denied");
}

#[tokio::test]
async fn b22_a_client_that_was_disabled_or_removed_in_between() {
    for to in ["client_id = \"till\"\nenabled = false", "client_id = \"another\""] {
        let mut device = Device::new().await;
        let text = with_channel(&device.service);
        let (id, bearer) = device.ask().await;
        device.world.audited();
        device.world.serve(&[("master", &text.replace("client_id = \"till\"", to))]);
        let answer = device.call_back(&bearer, SUCCEED).await;
        assert_eq!(answer.brief(), "400 invalid_request", "{to}");
        let audited = device.world.audited();
        assert_eq!(audited.len(), 1, "{audited:?}");
        assert_eq!((&audited[0]["type"], &audited[0]["via"]), (&json!("decision_refused"), &json!("device_service")));
        device.world.serve(&[("master", &text)]);
        assert_eq!(device.world.poll(&id).await.brief(), "400 authorization_pending", "nothing was decided");
        assert_eq!(device.call_back(&bearer, SUCCEED).await.status, 200);
    }
}

#[tokio::test]
async fn a_token_still_counts_after_a_reload_with_a_new_key_beside_the_old() {
    let mut device = Device::new().await;
    let text = with_channel(&device.service);
    let (id, bearer) = device.ask().await;
    // a client that wants another algorithm brings another key
    device.world.serve(&[(
        "master",
        &text.replace(
            "client_name = \"Corner shop till\"",
            "client_name = \"Corner shop till\"\nid_token_signed_response_alg = \"EdDSA\"",
        ),
    )]);
    assert_eq!(device.call_back(&bearer, SUCCEED).await.status, 200);
    assert_eq!(device.world.poll(&id).await.status, 200);
}

#[tokio::test]
async fn p69_a_request_that_nobody_could_be_told_of_is_removed() {
    for (status, asked) in [(200, 1), (204, 1), (302, 1), (307, 1), (400, 1), (500, 1), (503, 1)] {
        let mut device = Device::answering(status).await;
        let answer =
            device.world.as_till("/master/bc-authorize", &[("scope", "openid"), ("login_hint", "alice")]).await;
        assert_eq!(answer.brief(), "503 temporarily_unavailable", "{status}");
        assert!(answer.header("retry-after").is_some(), "{status}");
        assert!(!answer.text.contains("device") && !answer.text.contains(&status.to_string()), "{}", answer.text);
        assert_eq!(device.world.pending("master").await, 0, "{status}");
        let bearer = device.service.next().await.bearer();
        assert_eq!(device.service.rest() + 1, asked, "{status}: not tried again, no redirect followed");
        assert_eq!(device.call_back(&bearer, SUCCEED).await.brief(), "403 invalid_token", "{status}: it is gone");
    }
}

#[tokio::test]
async fn p69_a_device_service_that_is_not_there() {
    let mut service = Receiver::answering(201).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    service.url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let text = with_channel(&service) + "\n[limits]\npending_per_user = 1\npending_per_client = 1\npending = 1\n";
    let world = World::of(&[("master", &text)], Build::default()).await;
    for _ in 0..3 {
        let answer = world.as_till("/master/bc-authorize", &[("scope", "openid"), ("login_hint", "alice")]).await;
        assert_eq!(answer.brief(), "503 temporarily_unavailable", "no limit is used up");
        assert_eq!(world.pending("master").await, 0);
    }
}

#[tokio::test]
async fn a_realm_without_a_page_serves_none() {
    let mut device = Device::new().await;
    device.ask().await;
    let live = device.world.gateway.realm("master").unwrap();
    let alice = device.world.signed_in("alice-sub");
    let pending = live.decisions.pending_of(&alice, device.world.clock.now()).await.unwrap();
    let link = format!("/master/approvals/{}", pending[0].request.handle);
    for path in
        ["/master/approvals", &link, &format!("{link}?sign-in=start"), "/master/sign-in/callback?code=c&state=s"]
    {
        let answer = device.world.get(path).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text);
        assert!(answer.header("set-cookie").is_none(), "{path}");
    }
}

#[tokio::test]
async fn i4_today_decides_who_may_decide_and_for_whom() {
    // what the realm becomes between the request and the callback, and what the callback is answered then
    let table: [(&str, fn(String) -> String, &str); 3] = [
        (
            "user disabled",
            |realm| realm.replacen("name = \"Alice Liddell\"", "enabled = false", 1),
            "400 invalid_grant",
        ),
        ("user gone", |realm| realm.replacen("sub = \"alice-sub\"", "sub = \"another\"", 1), "400 invalid_grant"),
        ("device service removed", |_| realm_file(), "403 invalid_token"),
    ];
    for (case, bend, expected) in table {
        let mut device = Device::new().await;
        let (id, bearer) = device.ask().await;
        let today = with_channel(&device.service);
        device.world.serve(&[("master", &bend(today.clone()))]);
        assert_eq!(device.call_back(&bearer, SUCCEED).await.brief(), expected, "{case}");
        device.world.serve(&[("master", &today)]);
        assert_eq!(device.world.poll(&id).await.brief(), "400 authorization_pending", "{case}: nothing changed");
        assert_eq!(device.call_back(&bearer, SUCCEED).await.status, 200, "{case}: as it was before");
    }
}
