//! The page against a gateway that answers as the test says.

use std::{collections::VecDeque, sync::Mutex, time::Duration};

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};
use warp::Reply;

use super::{request::Outcome, *};
use crate::{clock::Timestamp, demo::only_at, http::Outbound};

const PENDING: (u16, &str) = (400, r#"{"error":"authorization_pending"}"#);

/// Token `{"alg":"none"}.{"sub":"alice","iat":1790000000}.`, for show.
const TOKENS: (u16, &str) =
    (200, r#"{"id_token":"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImlhdCI6MTc5MDAwMDAwMH0.","access_token":"opaque"}"#);

struct World {
    page: Arc<Page>,
    routes: Routes,
    /// Bodies that the gateway was sent.
    sent: Arc<Mutex<Vec<String>>>,
}

/// `acknowledgement` answers the authentication request, `polls` the token requests, one after the other.
async fn world(acknowledgement: (u16, Value), polls: &[(u16, &'static str)]) -> World {
    let sent = Arc::<Mutex<Vec<String>>>::default();
    let polls = Arc::new(Mutex::new(polls.iter().copied().collect::<VecDeque<_>>()));
    let bodies = Arc::clone(&sent);
    let gateway = warp::path!("master" / String).and(warp::body::bytes()).map(move |path: String, body: Bytes| {
        bodies.lock().unwrap().push(String::from_utf8(body.to_vec()).unwrap());
        let (status, body) = match path.as_str() {
            "bc-authorize" => (acknowledgement.0, acknowledgement.1.to_string()),
            _ => polls.lock().unwrap().pop_front().map(|(status, body)| (status, body.to_owned())).unwrap(),
        };
        warp::reply::with_status(body, StatusCode::from_u16(status).unwrap()).into_response()
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(warp::serve(gateway).incoming(listener).run());
    let page = || {
        let http = Http::new(&Outbound::default()).unwrap();
        let clock = Clock::manual(Timestamp::from_seconds(1_790_000_000));
        Page::new(&base, "demo", Secret::new("demo-secret"), "target/debug/realmgate", http, clock, Random::counting())
            .unwrap()
    };
    World { page: Arc::new(page()), routes: page().routes(), sent }
}

fn accepted() -> (u16, Value) {
    (200, json!({"auth_req_id": "a-req", "expires_in": 120, "interval": 0}))
}

fn text(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

#[tokio::test]
async fn what_the_gateway_answers_is_what_the_page_says() {
    let approved = |id_token: Value| Outcome::Approved {
        id_token: id_token.as_object().cloned().unwrap(),
        access_token: serde_json::Map::default(),
    };
    let table = [
        ("approved", vec![PENDING, TOKENS], approved(json!({"sub": "alice", "iat": 1_790_000_000}))),
        ("denied", vec![PENDING, (400, r#"{"error":"access_denied"}"#)], Outcome::Denied),
        ("expired", vec![(400, r#"{"error":"expired_token"}"#)], Outcome::Expired),
        ("another error", vec![(400, r#"{"error":"invalid_grant"}"#)], Outcome::Failed("invalid_grant".into())),
        (
            "trouble passes",
            vec![
                (500, "not JSON"),
                (503, r#"{"error":"temporarily_unavailable"}"#),
                (403, r#"{"error":"access_denied"}"#),
            ],
            Outcome::Denied,
        ),
    ];
    for (case, polls, expected) in table {
        let world = world(accepted(), &polls).await;
        let mut waiting = world.page.ask("alice", Some("KX-42")).await.unwrap();
        waiting.interval = Duration::ZERO;
        let id = waiting.id.clone();
        assert_eq!(world.page.started(&id).await.unwrap().outcome, Outcome::Pending, "{case}");
        waiting.run().await;
        assert_eq!(world.page.started(&id).await.unwrap().outcome, expected, "{case}");
        let sent = world.sent.lock().unwrap();
        assert!(sent[0].contains("login_hint=alice") && sent[0].contains("binding_message=KX-42"), "{case}");
        assert!(sent[1].contains("auth_req_id=a-req") && sent[1].contains("client_id=demo"), "{case}");
        assert_eq!(sent.len(), 1 + polls.len(), "{case}");
    }
}

/// The cookie and the CSRF token of a fresh first page.
async fn opened(world: &World) -> (String, String) {
    let page = warp::test::request().path("/").reply(&world.routes).await;
    assert_eq!(page.status(), 200);
    let cookie = page.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let (_, token) = text(&page).split_once("name=\"csrf_token\" value=\"").unwrap();
    (cookie, token.split('"').next().unwrap().to_owned())
}

fn form(cookie: &str, body: String) -> warp::test::RequestBuilder {
    warp::test::request()
        .method("POST")
        .path("/demo/requests")
        .header("cookie", cookie)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
}

#[tokio::test]
async fn a_request_is_started_and_shown() {
    let world = world(accepted(), &[PENDING; 20]).await;
    let (cookie, token) = opened(&world).await;
    let body = format!("csrf_token={token}&person=bob&binding_message=%3Cb%3E");
    let answer = form(&cookie, body).header("sec-fetch-site", "same-origin").reply(&world.routes).await;
    assert_eq!(answer.status(), 303, "{}", text(&answer));
    let address = answer.headers()["location"].to_str().unwrap();
    let shown = warp::test::request().path(address).reply(&world.routes).await;
    for part in [
        "Waiting for an answer",
        "Bob Cratchit",
        "the one with the message <strong><bdi>&#60;b&#62;</bdi></strong>",
        "/master/approvals",
        "src=\"/demo/script.js\"",
        "<time datetime=\"2026-09-21T14:13:20Z\">14:13 UTC</time>",
    ] {
        assert!(text(&shown).contains(part), "{part} in {}", text(&shown));
    }
    let state = warp::test::request().path(&format!("{address}/state")).reply(&world.routes).await;
    assert_eq!(
        serde_json::from_slice::<Value>(state.body()).unwrap(),
        json!({"state": "pending", "seconds_left": 120})
    );
}

#[tokio::test]
async fn forms_that_start_nothing() {
    let world = world(accepted(), &[]).await;
    let (cookie, token) = opened(&world).await;
    let body = |token: &str| format!("csrf_token={token}&person=alice");
    let table = [
        ("no token", form(&cookie, "person=alice".into()), 403),
        ("wrong token", form(&cookie, body("x")), 403),
        ("no cookie", form("other=1", body(&token)), 403),
        ("cookie of another browser", form("demo-page=other", body(&token)), 403),
        ("from another site", form(&cookie, body(&token)).header("sec-fetch-site", "cross-site"), 403),
        ("from another port", form(&cookie, body(&token)).header("sec-fetch-site", "same-site"), 403),
        ("nobody chosen", form(&cookie, format!("csrf_token={token}")), 400),
        ("somebody else", form(&cookie, format!("csrf_token={token}&person=mallory")), 400),
        ("repeated", form(&cookie, format!("{}&person=bob", body(&token))), 400),
        ("not a form", form(&cookie, body(&token)).header("content-type", "text/plain"), 400),
    ];
    for (case, request, status) in table {
        assert_eq!(request.reply(&world.routes).await.status(), status, "{case}");
    }
    assert!(world.sent.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_refusal_is_told_beside_the_form_as_it_was_filled_in() {
    let refusal = json!({"error": "invalid_binding_message", "error_description": "It is too long"});
    let world = world((400, refusal), &[]).await;
    let (cookie, token) = opened(&world).await;
    let body = format!("csrf_token={token}&person=dave&binding_message=mine");
    let answer = form(&cookie, body).reply(&world.routes).await;
    assert_eq!(answer.status(), 400);
    for part in ["invalid_binding_message", "It is too long", "value=\"mine\"", "value=\"dave\" checked"] {
        assert!(text(&answer).contains(part), "{part}");
    }
}

#[tokio::test]
async fn somebody_who_is_disabled_can_be_asked_to_see_the_refusal() {
    let refusal = json!({"error": "unknown_user_id", "error_description": "The hint does not identify a user"});
    let world = world((400, refusal), &[]).await;
    let first = warp::test::request().path("/").reply(&world.routes).await;
    assert!(text(&first).contains("(carol, disabled)"), "{}", text(&first));
    assert!(text(&first).contains("<code>target/debug/realmgate ciba request"), "as they called it");
    let (cookie, token) = opened(&world).await;
    let answer = form(&cookie, format!("csrf_token={token}&person=carol")).reply(&world.routes).await;
    assert!(text(&answer).contains("unknown_user_id"), "{}", text(&answer));
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_told() {
    let world = world((200, json!({})), &[]).await;
    let (cookie, token) = opened(&world).await;
    let answer = form(&cookie, format!("csrf_token={token}&person=dave")).reply(&world.routes).await;
    assert_eq!(answer.status(), 502);
}

#[tokio::test]
async fn what_is_not_there_and_who_asks() {
    let world = world(accepted(), &[]).await;
    let status = async |path: &str| warp::test::request().path(path).reply(&world.routes).await.status();
    assert_eq!(status("/demo/requests/unknown").await, 404);
    assert_eq!(status("/demo/requests/unknown/state").await, 404);
    assert_eq!(status("/demo/script.js").await, 200);
    let base = Url::parse("http://127.0.0.1:8080").unwrap();
    let guarded = only_at(&base, world.routes.clone());
    for (host, expected) in [("127.0.0.1:8080", 200), ("evil.example:8080", 421)] {
        assert_eq!(warp::test::request().path("/").header("host", host).reply(&guarded).await.status(), expected);
    }
    let page = warp::test::request().path("/").reply(&world.routes).await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    for part in ["default-src 'none'", "script-src 'self'", "form-action 'self';", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
}
