//! docs/cases.md: notification by ping, and what a client must send to be notified.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use realmgate::{ciba::decide::Decision, config::ClientCertificates, outbox, server};
use tokio::{io::AsyncWriteExt, net::TcpListener};
use warp::Filter;

use crate::{
    app::{App, TOKEN, ask, counted, full, poll, realm, request},
    receiver::Receiver,
    world::{Build, World},
};

#[tokio::test]
async fn p47_to_p50_the_notification_token() {
    let whole = |length: usize| "x".repeat(length);
    let table = [
        ("P47 none", String::new(), "400 invalid_request"),
        ("P48 the longest", whole(1024), "200"),
        ("P48 too long", whole(1025), "400 invalid_request"),
        ("P49 a space", format!("{TOKEN} x"), "400 invalid_request"),
        ("P49 a comma", format!("{TOKEN},x"), "400 invalid_request"),
        ("P49 a semicolon", format!("{TOKEN};x"), "400 invalid_request"),
        ("P49 a quotation mark", format!("{TOKEN}\"x"), "400 invalid_request"),
        ("P49 not ASCII", format!("{TOKEN}ß"), "400 invalid_request"),
        ("P49 a line break", format!("{TOKEN}\r\nx: y"), "400 invalid_request"),
        ("P49 = in the middle", format!("{TOKEN}=x"), "400 invalid_request"),
        ("P49 nothing but =", "=".repeat(20), "400 invalid_request"),
        ("P49 = at the end", format!("{TOKEN}=="), "200"),
        ("P49 all that may stand in it", "abcXYZ019-._~+/0=".into(), "200"),
        ("P50 too short", whole(15), "400 invalid_request"),
        ("P50 the shortest", whole(16), "200"),
    ];
    for mode in ["ping", "push"] {
        let app = App::new(mode, 204).await;
        for (number, token, expected) in &table {
            let answer = request(&app.world, &[("client_notification_token", token)]).await;
            assert_eq!(answer.brief(), *expected, "{number}, {mode}");
        }
    }
}

#[tokio::test]
async fn acknowledgements_of_ping_and_push() {
    let ping = request(&App::new("ping", 204).await.world, &[]).await.json();
    assert_eq!((&ping["expires_in"], &ping["interval"]), (&120.into(), &5.into()));
    let push = request(&App::new("push", 204).await.world, &[]).await.json();
    assert_eq!((&push["expires_in"], push.get("interval")), (&120.into(), None), "CIBA Core 7.3");
}

#[tokio::test]
async fn n1_k14_an_approval_is_told_and_polled_for_at_once() {
    let mut app = App::new("ping", 204).await;
    let id = app.ask().await;
    assert_eq!(app.poll(&id).await.brief(), "400 authorization_pending", "a ping client may poll");
    app.world.decides("alice-sub", Decision::Approve).await;
    let ping = app.receiver.next().await;
    assert_eq!(ping.line, "POST /hook");
    assert_eq!(ping.body, format!(r#"{{"auth_req_id":"{id}"}}"#));
    assert_eq!(ping.headers["content-type"], "application/json");
    assert_eq!(ping.headers["authorization"], format!("Bearer {TOKEN}"));
    assert_eq!(app.poll(&id).await.status, 200, "K14: right after the ping, whatever the interval");
    app.ended("ping", "ok").await;
    assert_eq!(app.receiver.rest(), 0, "once");
    assert!(app.world.audited().iter().any(|record| record["type"] == "notification" && record["via"] == "ping"));
}

#[tokio::test]
async fn n2_a_denial_is_told() {
    let mut app = App::new("ping", 204).await;
    let id = app.ask().await;
    app.world.decides("alice-sub", Decision::Deny).await;
    assert_eq!(app.receiver.next().await.body, format!(r#"{{"auth_req_id":"{id}"}}"#));
    assert_eq!(app.poll(&id).await.brief(), "400 access_denied");
}

#[tokio::test]
async fn n3_an_expiry_is_not_told() {
    let mut app = App::new("ping", 204).await;
    let id = app.ask().await;
    app.world.advance(121);
    assert_eq!(app.poll(&id).await.brief(), "400 expired_token");
    let next = app.ask().await;
    app.world.decides("alice-sub", Decision::Approve).await;
    assert_eq!(app.receiver.next().await.json()["auth_req_id"], next, "nothing came before it");
}

#[tokio::test]
async fn n4_a_client_that_polls_is_never_called() {
    let mut app = App::new("ping", 204).await;
    let id = app.world.ask_alice().await;
    app.world.decides("alice-sub", Decision::Approve).await;
    assert_eq!(app.world.poll(&id).await.status, 200);
    app.ask().await;
    app.world.decides("alice-sub", Decision::Approve).await;
    app.receiver.next().await;
    app.ended("ping", "ok").await;
    assert_eq!((app.receiver.rest(), app.counted("ping", "ok"), app.counted("poll", "ok")), (0, 1, 0));
}

#[tokio::test]
async fn n5_to_n7_answers_of_the_endpoint() {
    let table = [
        ("N5", 200, "ok"),
        ("N5", 202, "ok"),
        ("N5", 204, "ok"),
        ("N6", 301, "fault"),
        ("N6", 302, "fault"),
        ("N6", 307, "fault"),
        ("N6", 308, "fault"),
        ("N7", 400, "fault"),
        ("N7", 401, "fault"),
        ("N7", 403, "fault"),
        ("N7", 404, "fault"),
    ];
    for (number, status, result) in table {
        let mut app = App::new("ping", status).await;
        let id = app.ask().await;
        app.world.decides("alice-sub", Decision::Approve).await;
        app.receiver.next().await;
        app.ended("ping", result).await;
        app.world.advance(60);
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(app.receiver.rest(), 0, "{number} {status}: neither followed nor tried again");
        assert_eq!(app.poll(&id).await.status, 200, "{number} {status}: the tokens are there all the same");
    }
}

#[tokio::test]
async fn n8_an_endpoint_in_trouble_is_called_three_times_at_most() {
    let mut app = App::new("ping", 503).await;
    let id = app.ask().await;
    app.world.decides("alice-sub", Decision::Approve).await;
    let first = app.receiver.next().await;
    for _ in 0..2 {
        let again = app.receiver.next_as_time_passes(&app.world.clock).await;
        assert_eq!((&first.body, &first.headers["authorization"]), (&again.body, &again.headers["authorization"]));
    }
    app.ended("ping", "fault").await;
    assert_eq!((app.counted("ping", "retry"), app.receiver.rest()), (2, 0));
    assert_eq!(app.poll(&id).await.status, 200);
}

#[tokio::test]
async fn n8_an_endpoint_that_is_up_again_is_told() {
    let mut app = App::new("ping", 500).await;
    app.ask().await;
    app.world.decides("alice-sub", Decision::Approve).await;
    app.receiver.next().await;
    app.receiver.answer(204);
    app.receiver.next_as_time_passes(&app.world.clock).await;
    app.ended("ping", "ok").await;
    assert_eq!(app.receiver.rest(), 0);
}

#[tokio::test]
async fn n8_no_attempt_begins_after_expiry() {
    let mut app = App::new("ping", 500).await;
    app.ask().await;
    app.world.advance(119);
    app.world.decides("alice-sub", Decision::Approve).await;
    app.receiver.next().await;
    app.ended("ping", "fault").await;
    assert_eq!(app.counted("ping", "retry"), 0, "the next one would be too late");
}

#[tokio::test]
async fn n8_a_refused_connection_and_a_full_outbox_change_nothing_of_the_decision() {
    let nobody = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    for (url, build) in [(format!("http://{nobody}/"), Build::default()), ("http://127.0.0.1:1/".into(), full())] {
        let world = World::of(&[("master", &realm("ping", &url))], build).await;
        let id = ask(&world).await;
        world.decides("alice-sub", Decision::Approve).await;
        assert_eq!(poll(&world, &id).await.status, 200);
        for _ in 0..2000 {
            if counted(&world, "ping", "fault") > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            world.clock.advance(Duration::from_millis(50));
        }
        assert_eq!(counted(&world, "ping", "fault"), 1);
    }
}

#[tokio::test]
async fn n9_a_certificate_that_nobody_vouches_for_is_not_told() {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".into()]).unwrap();
    let tls = server::tls::server_config(
        certified.cert.pem().as_bytes(),
        certified.signing_key.serialize_pem().as_bytes(),
        ClientCertificates::None,
    );
    let settings =
        server::Settings { tls: Some(Arc::new(ArcSwap::from_pointee(tls.unwrap()))), ..server::Settings::default() };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}/hook", listener.local_addr().unwrap());
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let service = warp::service(warp::any().map(move || {
        let _ = tell.send(());
        "told"
    }));
    tokio::spawn(server::serve(listener, service, settings, std::future::pending()));

    let world = World::of(&[("master", &realm("ping", &url))], Build::default()).await;
    ask(&world).await;
    world.decides("alice-sub", Decision::Approve).await;
    for _ in 0..2000 {
        if counted(&world, "ping", "fault") > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        world.clock.advance(Duration::from_millis(50));
    }
    assert_eq!((counted(&world, "ping", "fault"), counted(&world, "ping", "ok")), (1, 0));
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn n10_an_answer_without_end_is_cut() {
    let endless = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", endless.local_addr().unwrap());
    let answering = tokio::spawn(async move {
        let (mut stream, _) = endless.accept().await.unwrap();
        let mut answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
        let mut sent = 0;
        while stream.write_all(answer.as_bytes()).await.is_ok() {
            sent += answer.len();
            answer = format!("400\r\n{}\r\n", "x".repeat(0x400));
        }
        sent
    });
    let world = World::of(&[("master", &realm("ping", &url))], Build::default()).await;
    ask(&world).await;
    world.decides("alice-sub", Decision::Approve).await;
    let sent = tokio::time::timeout(Duration::from_secs(10), answering).await.unwrap().unwrap();
    assert!(sent < 10_000_000, "{sent} bytes went into buffers on the way");
    for _ in 0..1000 {
        if counted(&world, "ping", "ok") > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it was told, whatever the body is like");
}

#[tokio::test]
async fn n11_d17_an_endpoint_on_a_private_address_is_called_only_where_it_is_listed() {
    let build = Build { private_networks: &["10.0.0.0/8"], ..Build::default() };
    let mut app = App::with("ping", 204, |_| {}, build).await;
    let id = app.ask().await;
    app.world.decides("alice-sub", Decision::Approve).await;
    app.ended("ping", "fault").await;
    assert_eq!((app.receiver.rest(), app.counted("ping", "retry")), (0, 0), "refused before it is connected to");
    assert_eq!(app.poll(&id).await.status, 200);
    // listed: every other test here
}

#[tokio::test]
async fn n12_polls_are_served_while_the_ping_is_under_way() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let world = World::of(&[("master", &realm("ping", &url))], Build::default()).await;
    let id = ask(&world).await;
    world.decides("alice-sub", Decision::Approve).await;
    let _held = silent.accept().await.unwrap();
    assert_eq!(poll(&world, &id).await.status, 200);
    assert_eq!(counted(&world, "ping", "ok") + counted(&world, "ping", "fault"), 0);
}

#[tokio::test]
async fn n21_who_is_gone_disabled_or_elsewhere_since_is_not_told() {
    type Bend = fn(&str) -> String;
    let table: [(&str, Bend); 4] = [
        ("removed", |realm| realm.split("[[clients]]\nclient_id = \"app\"").next().unwrap().to_owned()),
        ("disabled", |realm| realm.replace("client_id = \"app\"", "client_id = \"app\"\nenabled = false")),
        ("elsewhere", |realm| realm.replace("/hook", "/another")),
        ("polls", |realm| realm.split("backchannel_token_delivery_mode = \"ping\"").next().unwrap().to_owned()),
    ];
    for (what, bend) in table {
        let mut app = App::new("ping", 500).await;
        app.ask().await;
        app.world.decides("alice-sub", Decision::Approve).await;
        app.receiver.next().await;
        app.receiver.answer(204);
        app.world.serve(&[("master", &bend(&app.realm))]);
        app.ended_as_time_passes("ping", "fault").await;
        assert_eq!((app.receiver.rest(), app.counted("ping", "ok")), (0, 0), "{what}");
    }
}

#[tokio::test]
async fn b13_b14_the_device_services_decision_is_told_too() {
    for status in ["SUCCEED", "CANCELLED"] {
        let mut service = Receiver::answering(201).await;
        let channel = format!("[[channels]]\nkind = \"keycloak\"\nurl = \"{}\"\n", service.url);
        let mut app = App::with("ping", 204, |realm| realm.push_str(&channel), Build::default()).await;
        let id = app.ask().await;
        let bearer = format!("Bearer {}", service.next().await.bearer());
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = format!(r#"{{"status":"{status}"}}"#);
        for expected in [200, 403] {
            let answer = app.world.send("POST", "/master/bc-authorize/callback", &headers, &body).await;
            assert_eq!(answer.status, expected, "B6: the second one changes nothing");
        }
        assert_eq!(app.receiver.next().await.json()["auth_req_id"], id);
        app.ended("ping", "ok").await;
        assert_eq!(app.receiver.rest(), 0, "and is not told");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_that_answer_are_told_at_once_though_others_are_dead() {
    let (mut live, mut dead, mut text) = (Vec::new(), Vec::new(), crate::world::realm_file());
    for n in 0..20 {
        let url = if n % 10 < 3 {
            dead.push(TcpListener::bind(("127.0.0.1", 0)).await.unwrap()); // takes connections, says nothing
            format!("http://{}/hook", dead.last().unwrap().local_addr().unwrap())
        } else {
            live.push(Receiver::answering(204).await);
            live.last().unwrap().url.clone()
        };
        text += &format!(
            "[[clients]]\nclient_id = \"app-{n}\"\nclient_secret = \"app-secret-0123456789\"\n\
             token_endpoint_auth_method = \"client_secret_post\"\nbackchannel_token_delivery_mode = \"ping\"\n\
             backchannel_client_notification_endpoint = \"{url}\"\n"
        );
    }
    let few = outbox::Limits { sending: 2, trying: 20, ..outbox::Limits::default() };
    let world = World::of(&[("master", &text)], Build { outbox: few, ..Build::default() }).await;
    let started = std::time::Instant::now();
    for _ in 0..5 {
        for n in 0..20 {
            let id = format!("app-{n}");
            let form = [
                ("client_id", id.as_str()),
                ("client_secret", "app-secret-0123456789"),
                ("scope", "openid"),
                ("login_hint", "alice"),
                ("client_notification_token", TOKEN),
            ];
            assert_eq!(world.form("/master/bc-authorize", &form).await.status, 200);
            world.decides("alice-sub", Decision::Approve).await;
        }
    }
    for receiver in &mut live {
        for _ in 0..5 {
            receiver.next().await;
        }
    }
    assert!(started.elapsed() < Duration::from_secs(5), "no call of a dead one had to end first");
}
