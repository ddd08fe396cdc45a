//! docs/cases.md: notification by push, of tokens and of errors.

use std::{sync::Arc, time::Duration};

use realmgate::{ciba::decide::Decision, jose::half_hash, keys::Algorithm};
use serde_json::{Value, json};

use crate::{
    app::{App, TOKEN, full, of_app, poll},
    receiver::Received,
    world::{Build, World, claims},
};

const AUTH_REQ_ID: &str = "urn:openid:params:jwt:claim:auth_req_id";
const RT_HASH: &str = "urn:openid:params:jwt:claim:rt_hash";

/// A minute passes, and nothing more arrives.
async fn nothing_more(app: &mut App) {
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        app.world.advance(5);
    }
    assert_eq!(app.receiver.rest(), 0);
}

async fn userinfo(world: &World, tokens: &Value) -> u16 {
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    world.send("GET", "/master/userinfo", &[("authorization", &bearer)], "").await.status
}

async fn refresh(world: &World, tokens: &Value) -> String {
    let mut form = of_app();
    form.extend([("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())]);
    world.form("/master/token", &form).await.brief()
}

fn is_notification(received: &Received) {
    assert_eq!(received.line, "POST /hook");
    assert_eq!(received.headers["content-type"], "application/json");
    assert_eq!(received.headers["authorization"], format!("Bearer {TOKEN}"));
}

#[tokio::test]
async fn n14_n20_tokens_are_pushed_once_and_the_id_token_names_what_came_with_it() {
    for (name, algorithm) in [("ES256", Algorithm::ES256), ("EdDSA", Algorithm::EdDSA)] {
        let bend = |realm: &mut String| *realm = realm.replace("\"ES256\"", &format!("\"{name}\""));
        let mut app = App::with("push", 204, bend, Build::default()).await;
        let id = app.ask().await;
        app.world.decides("alice-sub", Decision::Approve).await;
        let push = app.receiver.next().await;
        is_notification(&push);
        let tokens = push.json();
        let mut members: Vec<_> = tokens.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        let expected =
            ["access_token", "auth_req_id", "expires_in", "id_token", "refresh_token", "scope", "token_type"];
        assert_eq!(members, expected);
        assert_eq!((&tokens["auth_req_id"], &tokens["token_type"]), (&id.as_str().into(), &"Bearer".into()));
        assert_eq!(tokens["expires_in"], 300);
        let (id_token, access) = (claims(&tokens["id_token"]), claims(&tokens["access_token"]));
        let half = |name: &str| half_hash(algorithm, tokens[name].as_str().unwrap());
        assert_eq!(id_token[AUTH_REQ_ID], id);
        assert_eq!(
            (&id_token["at_hash"], &id_token[RT_HASH]),
            (&half("access_token").into(), &half("refresh_token").into())
        );
        assert_eq!((&id_token["aud"], &id_token["sub"]), (&"app".into(), &"alice-sub".into()));
        assert!([AUTH_REQ_ID, RT_HASH, "at_hash"].iter().all(|name| access.get(name).is_none()));

        app.ended("push", "ok").await;
        assert_eq!(userinfo(&app.world, &tokens).await, 200);
        assert_eq!(refresh(&app.world, &tokens).await, "200");
        let types: Vec<_> = app.world.audited().iter().map(|record| record["type"].clone()).collect();
        assert_eq!(types, ["request", "decision", "redemption", "notification", "refresh"].map(Value::from));
        nothing_more(&mut app).await; // and nothing of its expiry, too
    }
}

#[tokio::test]
async fn n14_without_a_refresh_token_there_is_no_rt_hash_and_polled_tokens_have_neither() {
    let without = |realm: &mut String| {
        let (before, app) = realm.split_once("client_id = \"app\"").unwrap();
        *realm = format!("{before}client_id = \"app\"{}", app.replace(", \"refresh_token\"", ""));
    };
    let mut app = App::with("push", 204, without, Build::default()).await;
    let id = app.ask().await;
    app.world.decides("alice-sub", Decision::Approve).await;
    let tokens = app.receiver.next().await.json();
    assert!(tokens.get("refresh_token").is_none());
    let id_token = claims(&tokens["id_token"]);
    assert_eq!((&id_token[AUTH_REQ_ID], id_token.get(RT_HASH)), (&id.into(), None));

    let id = app.world.ask_alice().await;
    app.world.decides("alice-sub", Decision::Approve).await;
    let polled = claims(&app.world.poll(&id).await.json()["id_token"]);
    assert!(polled.get(AUTH_REQ_ID).is_none() && polled.get(RT_HASH).is_none());
}

#[tokio::test]
async fn k8_a_push_client_collects_nothing() {
    let mut app = App::new("push", 204).await;
    let id = app.ask().await;
    for auth_req_id in [id.as_str(), "unknown", ""] {
        assert_eq!(app.poll(auth_req_id).await.brief(), "400 unauthorized_client", "pending");
    }
    app.world.serve(&[("master", app.realm.split("backchannel_token_delivery_mode = \"push\"").next().unwrap())]);
    assert_eq!(app.poll(&id).await.brief(), "400 unauthorized_client", "it polls since, but the request is a push one");
    assert_eq!(app.world.poll(&id).await.brief(), "400 invalid_grant", "another client learns nothing");
    let polled = app.ask().await;
    app.world.serve(&[("master", &app.realm)]);
    assert_eq!(app.poll(&polled).await.brief(), "400 unauthorized_client", "it is a push client since");

    app.world.advance(121); // forgets the two
    app.receiver.next().await;
    let id = app.ask().await;
    app.world.decides("alice-sub", Decision::Approve).await;
    assert_eq!(app.poll(&id).await.brief(), "400 unauthorized_client", "approved");
    app.receiver.next().await;
    assert_eq!(app.poll(&id).await.brief(), "400 unauthorized_client", "pushed");
}

#[tokio::test]
async fn n15_a_denial_is_pushed() {
    let mut app = App::new("push", 204).await;
    let id = app.ask().await;
    app.world.decides("alice-sub", Decision::Deny).await;
    let push = app.receiver.next().await;
    is_notification(&push);
    assert_eq!(push.body, format!(r#"{{"auth_req_id":"{id}","error":"access_denied"}}"#));
    nothing_more(&mut app).await;
    app.world.advance(60);
    nothing_more(&mut app).await;
}

#[tokio::test]
async fn n16_an_expiry_is_pushed_when_it_comes() {
    let mut app = App::new("push", 204).await;
    let id = app.ask().await;
    app.world.advance(119);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(app.receiver.rest(), 0);
    app.world.serve(&[("master", &app.realm)]); // a reload forgets no job
    app.world.advance(1);
    let push = app.receiver.next().await;
    is_notification(&push);
    assert_eq!(push.body, format!(r#"{{"auth_req_id":"{id}","error":"expired_token"}}"#));
    nothing_more(&mut app).await;
}

#[tokio::test]
async fn n16_an_expiry_is_tried_again_for_half_a_minute() {
    let mut app = App::new("push", 503).await;
    app.ask().await;
    app.world.advance(120);
    let first = app.receiver.next().await;
    let second = app.receiver.next_as_time_passes(&app.world.clock).await;
    assert_eq!(first.body, second.body);
    app.world.advance(30);
    app.ended("push", "fault").await;
    assert_eq!(app.receiver.rest(), 0);
}

#[tokio::test]
async fn n17_an_approval_that_cannot_be_redeemed_is_a_failed_transaction() {
    let mut app = App::new("push", 204).await;
    let id = app.ask().await;
    app.world.decides("alice-sub", Decision::Approve).await;
    // before the gateway gets any further: the client lost a scope
    let scope = "token_endpoint_auth_method = \"client_secret_post\"\nscope = \"openid profile email\"";
    assert!(app.realm.contains(scope));
    app.world.serve(&[("master", &app.realm.replace(scope, &scope.replace(" email", "")))]);
    let push = app.receiver.next().await;
    is_notification(&push);
    assert_eq!(push.body, format!(r#"{{"auth_req_id":"{id}","error":"transaction_failed"}}"#));
    let audited = app.world.audited();
    let refused = audited.iter().find(|record| record["type"] == "redemption_refused").unwrap();
    assert_eq!((&refused["client"], &refused["error"]), (&"app".into(), &"invalid_scope".into()));
    nothing_more(&mut app).await;
    app.world.advance(60);
    nothing_more(&mut app).await;
}

#[tokio::test]
async fn n18_tokens_that_cannot_be_delivered_do_not_count() {
    for (status, retries) in [(401, 0), (302, 0), (500, 2)] {
        let mut app = App::new("push", status).await;
        let id = app.ask().await;
        app.world.decides("alice-sub", Decision::Approve).await;
        let push = app.receiver.next().await;
        for _ in 0..retries {
            assert_eq!(app.receiver.next_as_time_passes(&app.world.clock).await.body, push.body, "the same bytes");
        }
        app.ended("push", "fault").await;
        let tokens = push.json();
        for _ in 0..1000 {
            if userinfo(&app.world, &tokens).await != 200 {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(userinfo(&app.world, &tokens).await, 401, "{status}");
        assert_eq!(refresh(&app.world, &tokens).await, "400 invalid_grant", "{status}");
        assert_eq!(app.poll(&id).await.brief(), "400 unauthorized_client", "{status}");
        let audited = app.world.audited();
        assert!(audited.iter().any(|record| record["type"] == "notification" && record["error"] == "not_delivered"));
        assert!(
            audited.iter().any(|record| record["type"] == "authorization_ended" && record["via"] == "not_delivered")
        );
        assert_eq!(audited.iter().filter(|record| record["type"] == "redemption").count(), 1, "minted once");
        nothing_more(&mut app).await;
    }
}

#[tokio::test]
async fn n18_tokens_that_are_delivered_late_count() {
    let mut app = App::new("push", 500).await;
    app.ask().await;
    app.world.advance(119);
    app.world.decides("alice-sub", Decision::Approve).await;
    let first = app.receiver.next().await;
    app.receiver.answer(204);
    let second = app.receiver.next_as_time_passes(&app.world.clock).await;
    assert_eq!(first.body, second.body, "also after the request's expiry: it was approved in time");
    app.ended("push", "ok").await;
    assert_eq!(userinfo(&app.world, &second.json()).await, 200);
    nothing_more(&mut app).await;
}

#[tokio::test]
async fn n18_n21_what_is_not_sent_at_all_does_not_count_either() {
    let gone = |app: &App| app.realm.split("[[clients]]\nclient_id = \"app\"").next().unwrap().to_owned();
    for case in ["a full outbox", "the client is gone", "the endpoint is another"] {
        let build = if case == "a full outbox" { full() } else { Build::default() };
        let mut app = App::with("push", 204, |_| {}, build).await;
        app.ask().await;
        app.world.decides("alice-sub", Decision::Approve).await;
        match case {
            "the client is gone" => app.world.serve(&[("master", &gone(&app))]),
            "the endpoint is another" => app.world.serve(&[("master", &app.realm.replace("/hook", "/another"))]),
            _ => {}
        }
        app.ended("push", "fault").await;
        nothing_more(&mut app).await;
        let audited = app.world.audited();
        let count = |kind: &str| audited.iter().filter(|record| record["type"] == kind).count();
        let counts = ["redemption", "redemption_refused", "authorization_ended"].map(count);
        assert_eq!(counts, if case == "the client is gone" { [0, 1, 0] } else { [1, 0, 1] }, "{case}");
    }
}

#[tokio::test]
async fn n21_an_expiry_of_a_client_that_is_gone_is_not_told() {
    let mut app = App::new("push", 204).await;
    app.ask().await;
    app.world.serve(&[("master", &app.realm.replace("client_id = \"app\"", "client_id = \"app\"\nenabled = false"))]);
    app.world.advance(120);
    app.ended("push", "fault").await;
    assert_eq!(app.receiver.rest(), 0);
}

#[tokio::test]
async fn no_job_is_taken_where_there_are_too_many() {
    let mut build = Build::default();
    build.outbox.jobs = 1;
    let app = App::with("push", 204, |_| {}, build).await;
    app.ask().await;
    let refused = crate::app::request(&app.world, &[]).await;
    assert_eq!((refused.brief().as_str(), app.world.pending("master").await), ("503 temporarily_unavailable", 1));
    assert_eq!(
        app.world.as_till("/master/bc-authorize", &[("scope", "openid"), ("login_hint", "bob")]).await.status,
        200
    );
}

async fn yields(times: u32) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

/// Approval and expiry at the same moment: one of them is told, whichever it is, and once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_message_where_approval_and_expiry_race() {
    let mut app = App::new("push", 204).await;
    let (mut approved, mut expired) = (0, 0);
    for round in 0..60 {
        let id = app.ask().await;
        app.world.clock.advance(Duration::from_millis(119_999));
        let live = app.world.gateway.realm("master").unwrap();
        let person = app.world.signed_in("alice-sub");
        let now = app.world.clock.now();
        let pending = live.decisions.pending_of(&person, now).await.unwrap();
        let handle = pending[0].request.handle.clone();
        let clock = app.world.clock.clone();
        let barrier = Arc::new(tokio::sync::Barrier::new(2));
        let other = Arc::clone(&barrier);
        // who is later, and by how much: sometimes by so much that it is none
        let late = if round % 4 < 2 { round } else { 2000 };
        let (before, after) = if round % 2 == 0 { (0, late) } else { (late, 0) };
        let expiring = tokio::spawn(async move {
            other.wait().await;
            yields(after).await;
            clock.advance(Duration::from_millis(1));
        });
        barrier.wait().await;
        yields(before).await;
        let shown = realmgate::secret::Digest::of(b"shown");
        // by the clock that was read before the expiry, however late it comes
        let decided = live.decisions.by_person(&handle, &person, Decision::Approve, shown, now).await;
        expiring.await.unwrap();
        let told = app.receiver.next().await.json();
        assert_eq!(told["auth_req_id"], id, "round {round}");
        if decided.is_ok() {
            approved += 1;
            assert!(told["access_token"].is_string(), "round {round}: {told}");
        } else {
            expired += 1;
            assert_eq!(told, json!({"auth_req_id": id, "error": "expired_token"}), "round {round}");
        }
        app.world.clock.advance(Duration::from_secs(31));
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!(app.receiver.rest(), 0, "round {round}: told once");
    }
    assert!(approved > 0 && expired > 0, "it was no race: approved {approved}, expired {expired}");
    assert_eq!(poll(&app.world, "x").await.brief(), "400 unauthorized_client");
}
