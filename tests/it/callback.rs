//! ciba.md C8 in Keycloak's words: the device service's callback, and which tokens count there.

use std::sync::Arc;

use realmgate::{ciba::decide::Decision, config};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::world::{Answer, PUBLIC, REALM, World};

const CHANNEL: &str = "\n[[channels]]\nkind = \"keycloak\"\nurl = \"http://ADDRESS/device\"\n";
const SUCCEED: &str = r#"{"status":"SUCCEED"}"#;

fn realm(address: &str) -> String {
    let text = REALM.replace("PASSWORD_HASH", "").replace("user_code = \"\"", "");
    text + &CHANNEL.replace("ADDRESS", address)
}

/// Two realms whose people are asked by the same device service.
struct Asked {
    world: World,
    service: TcpListener,
}

impl Asked {
    async fn new() -> Self {
        let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let text = realm(&service.local_addr().unwrap().to_string());
        Self { world: World::of(&[("master", &text), ("other", &text)], Default::default()).await, service }
    }

    /// `till` asks for alice in a realm; the `auth_req_id`, and the bearer that the device service is sent.
    async fn ask(&self, realm: &str) -> (String, String) {
        let path = format!("/{realm}/bc-authorize");
        let form = [("scope", "openid profile email"), ("login_hint", "alice")];
        let (answer, bearer) = tokio::join!(self.world.as_till(&path, &form), self.asked());
        (answer.json()["auth_req_id"].as_str().unwrap().to_owned(), bearer)
    }

    /// Takes one request of the gateway, and answers it as a device service does.
    async fn asked(&self) -> String {
        let (mut stream, _) = self.service.accept().await.unwrap();
        let (mut request, mut part) = (String::new(), [0; 4096]);
        let (head, body) = loop {
            let read = stream.read(&mut part).await.unwrap();
            request.push_str(std::str::from_utf8(&part[..read]).unwrap());
            if let Some((head, body)) = request.split_once("\r\n\r\n") {
                break (head, body);
            }
        };
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        let (bearer, length): (_, usize) =
            (header("authorization: Bearer "), header("content-length: ").parse().unwrap());
        for _ in body.len()..length {
            stream.read_u8().await.unwrap();
        }
        stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
        bearer
    }

    async fn call_back(&self, realm: &str, bearer: &str, body: &str) -> Answer {
        let authorization = format!("Bearer {bearer}");
        let headers = [("content-type", "application/json"), ("authorization", authorization.as_str())];
        self.world.send("POST", &format!("/{realm}/bc-authorize/callback"), &headers, body).await
    }
}

#[tokio::test]
async fn the_device_service_decides_once() {
    let asked = Asked::new().await;
    let (id, bearer) = asked.ask("master").await;
    assert_eq!(asked.world.poll(&id).await.brief(), "400 authorization_pending");
    assert_eq!(asked.call_back("master", &bearer, SUCCEED).await.status, 200);
    for body in [SUCCEED, r#"{"status":"CANCELLED"}"#] {
        assert_eq!(asked.call_back("master", &bearer, body).await.brief(), "403 invalid_token", "{body}");
    }
    assert_eq!(asked.world.poll(&id).await.status, 200);

    let (id, bearer) = asked.ask("master").await;
    assert_eq!(asked.call_back("master", &bearer, r#"{"status":"UNAUTHORIZED"}"#).await.status, 200);
    assert_eq!(asked.world.poll(&id).await.brief(), "400 access_denied");
}

/// T-F4, T-D3: every token of a client, and the bearer of another realm, where decisions are made; and the bearer where access
/// tokens are taken.
#[tokio::test]
async fn no_other_token_decides_and_the_bearer_is_no_other_token() {
    let asked = Asked::new().await;
    let world = &asked.world;
    let (first, bearer) = asked.ask("master").await;
    asked.call_back("master", &bearer, SUCCEED).await;
    let tokens = world.poll(&first).await.json();
    let (id, bearer) = asked.ask("master").await;
    let (_, of_other) = asked.ask("other").await;
    let (head, signature) = bearer.rsplit_once('.').unwrap();
    let unsigned = bearer.split('.').nth(1).map(|claims| format!("eyJhbGciOiJub25lIn0.{claims}.")).unwrap();
    let of = |name: &str| tokens[name].as_str().unwrap().to_owned();
    let table = [
        ("access token", of("access_token")),
        ("ID token", of("id_token")),
        ("refresh token", of("refresh_token")),
        ("auth_req_id", id.clone()),
        ("bearer of another realm", of_other),
        ("another signature", format!("{head}.{}", signature.chars().rev().collect::<String>())),
        ("alg none", unsigned),
    ];
    for (case, token) in table {
        assert_eq!(asked.call_back("master", &token, SUCCEED).await.brief(), "403 invalid_token", "{case}");
    }
    let header = format!("Bearer {bearer}");
    let userinfo = world.send("GET", "/master/userinfo", &[("authorization", &header)], "").await;
    assert_eq!(userinfo.brief(), "401 invalid_token");
    for (name, token) in [("refresh_token", &bearer), ("refresh_token", &of("access_token")), ("auth_req_id", &bearer)]
    {
        let grant_type = if name == "auth_req_id" { crate::world::CIBA } else { "refresh_token" };
        let form = [("grant_type", grant_type), (name, token.as_str())];
        assert_eq!(world.as_till("/master/token", &form).await.brief(), "400 invalid_grant", "{name}");
    }
    assert_eq!(world.poll(&id).await.brief(), "400 authorization_pending", "nothing was decided");
}

#[tokio::test]
async fn a_device_service_that_was_removed_decides_nothing_more() {
    let asked = Asked::new().await;
    let (id, bearer) = asked.ask("master").await;
    let text = REALM.replace("PASSWORD_HASH", "").replace("user_code = \"\"", "");
    let realm = config::realm_from_toml("master", "x".as_ref(), &text, PUBLIC).unwrap().unwrap();
    asked.world.gateway.serve(vec![Arc::new(realm)], &[]);
    assert_eq!(asked.call_back("master", &bearer, SUCCEED).await.brief(), "403 invalid_token");
    asked.world.decides("alice-sub", Decision::Approve).await;
    assert_eq!(asked.world.poll(&id).await.status, 200);
}

#[tokio::test]
async fn without_a_page_channel_there_is_no_page() {
    let asked = Asked::new().await;
    for path in ["/master/approvals", "/master/approvals?sign-in=start", "/master/sign-in/callback?state=x&code=y"] {
        assert_eq!(asked.world.get(path).await.status, 404, "{path}");
    }
}
