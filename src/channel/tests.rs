//! The channels against a stub of the service behind them, and the recorded exchanges of Keycloak's.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;
use crate::{
    clock::Clock,
    event::Audit,
    http::Outbound,
    keys::{Algorithm, SigningKey},
    outbox::{
        Limits,
        stub::{Answer, Received, Stub},
    },
    realm::user::{Claims, Identity, SamePerson},
    secret::{Secret, WebhookKey},
};

const ISSUER: &str = "https://id.example.com/realms/acme";
const CREATED: Answer = Answer::Status(201, 0);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A realm with these channels, a request that is right for all of them, and what they were built from.
struct World {
    channels: Channels,
    clock: Clock,
    events: Events,
    client: Client,
    user: User,
    additional: Vec<(String, String)>,
}

fn world(channels: Vec<realm::Channel>, limits: Limits) -> World {
    world_at(Clock::manual(Timestamp::from_seconds(1_900_000_000)), channels, limits)
}

fn world_at(clock: Clock, channels: Vec<realm::Channel>, limits: Limits) -> World {
    let (key, _) = SigningKey::generate(Algorithm::ES256).unwrap();
    let keys = Arc::new(KeySet::new(vec![Arc::new(key)]));
    let realm = Realm {
        issuer: ISSUER.into(),
        addresses: realm::Addresses::new("https://id.example.com", "acme"),
        channels,
        ..realm::tests::realm("acme")
    };
    let http = Http::new(&Outbound::default()).unwrap();
    let events = Events::new(Audit::Off, clock.clone());
    let outbox = Outbox::start(http.clone(), events.clone(), clock.clone(), limits);
    World {
        channels: Channels::new(&realm, Arc::clone(&keys), http, outbox, events.clone()),
        clock,
        events,
        client: Client {
            client_id: "acme-ciba-poll".into(),
            // not what the channel's token is signed with
            id_token_signed_response_alg: Some(Algorithm::RS256),
            ..realm::client::tests::client()
        },
        user: User {
            sub: Some("1d513016-0118-4227-806f-b3329f88ad02".into()),
            same_person: SamePerson::Identity(Identity { iss: "https://op".into(), sub: "1".into() }),
            claims: Claims {
                preferred_username: Some("alice".into()),
                email: Some("alice@acme.example".into()),
                ..Claims::default()
            },
            user_code: None,
        },
        additional: vec![("color".into(), "red".into())],
    }
}

impl World {
    async fn ask(&self) -> Result<(), AllFailed> {
        let now = self.clock.now();
        let expires = now.plus(Duration::from_secs(90));
        let bearer = self.channels.bearer(&self.client, &self.user, "channel-token", now, expires).unwrap();
        let request = Ask {
            client: &self.client,
            user: &self.user,
            scope: &Scope::parse("openid profile roles email").unwrap(),
            authorization_details: &AuthorizationDetails::default(),
            binding_message: Some("hold-A1"),
            acr_values: Some("gold"),
            handle: "handle",
            bearer: bearer.as_deref(),
            webhook_id: "req_1",
            now,
            expires,
            additional: &self.additional,
        };
        self.channels.ask(&request).await
    }
}

fn device(stub: &Stub) -> realm::Channel {
    realm::Channel::Keycloak { url: stub.url.clone() }
}

fn webhook(stub: &Stub) -> realm::Channel {
    realm::Channel::Webhook { url: stub.url.clone(), key: WebhookKey::parse(&Secret::new(SECRET)).unwrap() }
}

fn recorded() -> Vec<Value> {
    serde_json::from_str(include_str!("../../tests/recorded/keycloak/ciba-channel.json")).unwrap()
}

fn part_of(token: &str, part: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(part).unwrap()).unwrap()).unwrap()
}

fn bearer_of(request: &Received) -> String {
    request.headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap().to_owned()
}

#[tokio::test]
async fn the_page_never_fails() {
    world(vec![realm::Channel::Page], Limits::default()).ask().await.unwrap();
}

#[tokio::test]
async fn a_device_service_is_asked_as_recorded() {
    let mut stub = Stub::answering(&[CREATED]).await;
    let world = world(vec![device(&stub)], Limits::default());
    world.ask().await.unwrap();
    let request = stub.next().await;
    let recorded = &recorded()[0];
    assert_eq!(recorded["name"], "request-as-received");

    assert_eq!(request.line, "POST /hook");
    assert_eq!(request.headers["content-type"], recorded["received"]["headers"]["content-type"].as_str().unwrap());
    let mut expected = recorded["received"]["json"].clone();
    expected["scope"] = json!("openid profile roles email"); // Keycloak repeats `profile`
    assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), expected);

    let token = bearer_of(&request);
    let decoded = &recorded["decoded"]["request.headers.authorization"];
    // what differs from run to run: algorithm and key, times, identifiers, the realm's address
    let mask = |part: &mut Value| {
        for volatile in ["alg", "kid", "exp", "iat", "jti", "iss", "aud"] {
            if let Some(value) = part.get_mut(volatile) {
                *value = json!("masked");
            }
        }
    };
    for (part, recorded) in [(0, &decoded["header"]), (1, &decoded["claims"])] {
        let (mut ours, mut recorded) = (part_of(&token, part), recorded.clone());
        mask(&mut ours);
        mask(&mut recorded);
        assert_eq!(ours, recorded);
    }
    let claims = part_of(&token, 1);
    assert_eq!(part_of(&token, 0)["alg"], "ES256", "the realm's, whatever the client's ID tokens have");
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!(ISSUER)));
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1_900_000_000), &json!(1_900_000_090)));
    assert_eq!(claims["jti"], "channel-token");
}

#[tokio::test]
async fn the_name_that_a_device_service_is_told() {
    let name = |name: &str| Some(name.into());
    let table = [
        (Claims { preferred_username: name("alice"), email: name("a@x.example"), ..Claims::default() }, "alice"),
        (Claims { email: name("a@x.example"), ..Claims::default() }, "a@x.example"),
        (Claims::default(), "1d513016-0118-4227-806f-b3329f88ad02"),
    ];
    for (claims, expected) in table {
        let mut stub = Stub::answering(&[CREATED]).await;
        let mut world = world(vec![device(&stub)], Limits::default());
        world.user.claims = claims;
        world.ask().await.unwrap();
        let body: Value = serde_json::from_slice(&stub.next().await.body).unwrap();
        assert_eq!(body["login_hint"], expected);
    }
}

#[tokio::test]
async fn a_device_service_that_answers_otherwise_has_failed_as_recorded() {
    let table: [(&str, &'static [Answer]); 6] = [
        ("channel-answers-200", &[Answer::Status(200, 0)]),
        ("channel-answers-204", &[Answer::Status(204, 0)]),
        ("channel-answers-302", &[Answer::RedirectToItself, CREATED]),
        ("channel-answers-400", &[Answer::Status(400, 0)]),
        ("channel-answers-500", &[Answer::Status(500, 0)]),
        ("channel-answers-503", &[Answer::Status(503, 0)]),
    ];
    let recorded = recorded();
    for (name, answers) in table {
        let exchange = recorded.iter().find(|exchange| exchange["name"] == name).unwrap();
        let mut stub = Stub::answering(answers).await;
        let failed = world(vec![device(&stub)], Limits::default()).ask().await.unwrap_err();
        assert_eq!(exchange["response"]["body"]["error_description"], failed.text, "{name}");
        stub.next().await;
        assert_eq!(stub.rest(), 0, "{name}: not tried again, no redirect followed");
    }
}

#[tokio::test]
async fn a_device_service_that_cannot_be_reached_has_failed_as_recorded() {
    let recorded = recorded();
    let exchange = recorded.iter().find(|exchange| exchange["name"] == "channel-slow-20s").unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let failed = world(vec![realm::Channel::Keycloak { url }], Limits::default()).ask().await.unwrap_err();
    assert_eq!(exchange["response"]["body"]["error_description"], failed.text);
}

#[tokio::test]
async fn a_user_without_a_sub_cannot_be_asked_by_a_device_service() {
    let mut stub = Stub::answering(&[CREATED]).await;
    let mut world = world(vec![device(&stub)], Limits::default());
    world.user.sub = None;
    assert_eq!(world.ask().await.unwrap_err().text, FAILED_TO_SEND);
    assert_eq!(stub.rest(), 0);
}

#[tokio::test]
async fn only_all_failing_is_a_failure() {
    let mut broken = Stub::answering(&[Answer::Status(500, 0)]).await;
    let mut good = Stub::answering(&[CREATED]).await;
    let mut hook = Stub::answering(&[Answer::Status(200, 0)]).await;
    let full = Limits { taken: 0, ..Limits::default() };
    world(vec![device(&broken), device(&good)], full).ask().await.unwrap();
    world(vec![device(&broken), realm::Channel::Page], full).ask().await.unwrap();
    world(vec![device(&broken), webhook(&hook)], Limits::default()).ask().await.unwrap();
    hook.next().await;
    good.next().await;

    let world = world(vec![webhook(&hook), device(&broken)], full);
    let failed = world.ask().await.unwrap_err();
    assert_eq!(failed.text, UNEXPECTED_RESPONSE);
    assert_eq!(failed.cause, "webhook: the outbox is full; the device service answered 500 instead of 201");
    assert_eq!(broken.next().await.line, "POST /hook");
    let metrics = world.events.metrics(&[]);
    for channel in ["webhook", "keycloak"] {
        let counted = format!(r#"channel_requests_total{{realm="acme",operation="{channel}",result="fault"}} 1"#);
        assert!(metrics.contains(&counted), "{metrics}");
    }
}

#[tokio::test]
async fn a_webhook_is_told_whom_to_alert_and_the_link() {
    let mut stub = Stub::answering(&[Answer::Status(202, 0)]).await;
    let world = world(vec![webhook(&stub)], Limits::default());
    world.ask().await.unwrap();
    let request = stub.next().await;
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["webhook-id"], "req_1");
    assert_eq!(request.headers["webhook-timestamp"], "1900000000");
    let body = String::from_utf8(request.body).unwrap();
    assert_eq!(
        body,
        concat!(
            r#"{"event":"approval.requested","realm":"acme","user":{"sub":"1d513016-0118-4227-806f-b3329f88ad02","#,
            r#""preferred_username":"alice","email":"alice@acme.example"},"#,
            r#""link":"https://id.example.com/acme/approvals/handle","expires_at":"2030-03-17T17:48:10Z"}"#
        )
    );
}

#[tokio::test]
async fn each_attempt_of_a_webhook_verifies_with_the_official_library() {
    let mut stub = Stub::answering(&[Answer::Status(500, 0), Answer::Status(200, 0)]).await;
    // the library compares the signed time with the system's
    let world = world_at(Clock::manual(Clock::system().now()), vec![webhook(&stub)], Limits::default());
    world.ask().await.unwrap();
    let first = stub.next().await;
    let second = stub.next_as_time_passes(&world.clock).await;
    let official = standardwebhooks::Webhook::new(SECRET).unwrap();
    for request in [&first, &second] {
        official.verify(&request.body, &request.headers).unwrap();
    }
    assert_eq!(first.headers["webhook-id"], second.headers["webhook-id"]);
    assert_ne!(first.headers["webhook-timestamp"], second.headers["webhook-timestamp"]);
    assert!(official.verify(b"{}", &first.headers).is_err());
}
