//! docs/cases.md: polls that are held, and polls that come too fast.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use realmgate::{
    ciba::decide::Decision,
    config::ClientCertificates,
    http::{Http, Limit, Outbound},
    server, web,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{
    app::{self, App},
    world::{Answer, Build, CIBA, World, basic, encode, realm_file},
};

/// The happy world, in which a poll is held for 20 seconds.
async fn world() -> Arc<World> {
    Arc::new(World::with(|realm| realm.push_str("[ciba]\nlong_poll = 20\n")).await)
}

/// A poll of `till`, which is held by the time this returns.
async fn held(world: &Arc<World>, id: &str) -> JoinHandle<Answer> {
    let before = world.gateway.held_polls();
    let poll = poll(world, id);
    holds(world, before + 1).await;
    poll
}

fn poll(world: &Arc<World>, id: &str) -> JoinHandle<Answer> {
    let (world, id) = (Arc::clone(world), id.to_owned());
    tokio::spawn(async move { world.poll(&id).await })
}

/// Waits until so many polls are held, and a moment more, in which they settle down.
async fn holds(world: &World, count: usize) {
    for _ in 0..2000 {
        if world.gateway.held_polls() == count {
            return tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{} polls are held instead of {count}", world.gateway.held_polls());
}

async fn answered(poll: JoinHandle<Answer>) -> Answer {
    tokio::time::timeout(Duration::from_secs(10), poll).await.unwrap().unwrap()
}

#[tokio::test]
async fn k36_a_decision_is_answered_at_once() {
    for (decision, expected) in [(Decision::Approve, "200"), (Decision::Deny, "400 access_denied")] {
        let world = world().await;
        let id = world.ask_alice().await;
        let poll = held(&world, &id).await;
        world.advance(7);
        world.decides("alice-sub", decision).await;
        assert_eq!(answered(poll).await.brief(), expected);
        assert_eq!(world.gateway.held_polls(), 0);
        let again = if expected == "200" { "400 invalid_grant" } else { expected };
        assert_eq!(world.poll(&id).await.brief(), again);
    }
}

#[tokio::test]
async fn k35_without_a_decision_it_is_pending_when_the_time_is_over() {
    let world = world().await;
    let id = world.ask_alice().await;
    let poll = held(&world, &id).await;
    world.clock.advance(Duration::from_millis(19_999));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!poll.is_finished());
    world.clock.advance(Duration::from_millis(1));
    let answer = answered(poll).await;
    assert_eq!((answer.brief().as_str(), answer.header("retry-after")), ("400 authorization_pending", Some("0")));
    // the interval is over since long: it began when the poll came
    let next = held(&world, &id).await;
    world.decides("alice-sub", Decision::Approve).await;
    assert_eq!(answered(next).await.status, 200);
}

#[tokio::test]
async fn k20_expiry_wakes_by_the_clock() {
    let world = world().await;
    let form = [("scope", "openid"), ("login_hint", "alice"), ("requested_expiry", "10")];
    let asked = world.as_till("/master/bc-authorize", &form).await.json();
    let poll = held(&world, asked["auth_req_id"].as_str().unwrap()).await;
    world.advance(10);
    assert_eq!(answered(poll).await.brief(), "400 expired_token");
}

#[tokio::test]
async fn k34_one_poll_of_a_request_is_held_and_an_overlapping_one_slows_down() {
    let world = world().await;
    let (id, other) = (world.ask_alice().await, world.ask_bob().await);
    let first = held(&world, &id).await;
    world.advance(6);
    let second = world.poll(&id).await;
    assert_eq!((second.brief().as_str(), second.header("retry-after")), ("400 slow_down", Some("10")));
    let another = held(&world, &other).await;
    assert!(!first.is_finished(), "the first one goes on");
    world.decides("alice-sub", Decision::Approve).await;
    assert_eq!(answered(first).await.status, 200);
    another.abort();
    let _ = another.await;
    assert_eq!(world.gateway.held_polls(), 0);
}

#[tokio::test]
async fn k34_an_overlapping_poll_after_the_decision_is_answered_with_it() {
    let world = world().await;
    let id = world.ask_alice().await;
    let first = held(&world, &id).await;
    world.decides("alice-sub", Decision::Approve).await;
    let second = world.poll(&id).await;
    let mut both = [answered(first).await.brief(), second.brief()];
    both.sort();
    assert_eq!(both, ["200", "400 invalid_grant"]);
}

#[tokio::test]
async fn k6_another_client_keeps_nobody_out() {
    let world = world().await;
    let id = world.ask_alice().await;
    let form = [("grant_type", CIBA), ("auth_req_id", id.as_str())];
    assert_eq!(world.as_post("/master/token", &form).await.brief(), "400 invalid_grant");
    let poll = held(&world, &id).await;
    assert_eq!(world.as_post("/master/token", &form).await.brief(), "400 invalid_grant", "and is not held");
    world.decides("alice-sub", Decision::Approve).await;
    assert_eq!(answered(poll).await.status, 200);
}

#[tokio::test]
async fn a_held_poll_counts_as_one_that_was_made_when_it_came() {
    let world = world().await;
    let id = world.ask_alice().await;
    let poll = held(&world, &id).await;
    world.advance(3);
    poll.abort(); // the client is gone, and comes again too early
    let _ = poll.await;
    assert_eq!(world.poll(&id).await.brief(), "400 slow_down", "nothing that comes too early is held");
    world.advance(10);
    let poll = held(&world, &id).await;
    world.decides("alice-sub", Decision::Approve).await;
    assert_eq!(answered(poll).await.status, 200);
}

#[tokio::test]
async fn a_client_that_is_gone_since_gets_nothing() {
    let world = world().await;
    let id = world.ask_alice().await;
    let poll = held(&world, &id).await;
    let without = realm_file().replace("client_id = \"till\"", "client_id = \"till\"\nenabled = false");
    // denied: nobody decides for a disabled client
    world.serve(&[("master", &without)]);
    world.decides("alice-sub", Decision::Deny).await;
    assert_eq!(answered(poll).await.brief(), "401 invalid_client");
}

#[tokio::test]
async fn a_reload_keeps_held_polls() {
    let world = world().await;
    let id = world.ask_alice().await;
    let poll = held(&world, &id).await;
    world.serve(&[("master", &realm_file())]);
    assert_eq!(world.gateway.held_polls(), 1);
    world.decides("alice-sub", Decision::Approve).await;
    assert_eq!(answered(poll).await.status, 200);
    assert_eq!(
        world.poll(&world.ask_alice().await).await.brief(),
        "400 authorization_pending",
        "no long_poll any more"
    );
}

#[tokio::test]
async fn push_clients_are_never_held_and_ping_clients_may_be() {
    let hold = |realm: &mut String| realm.push_str("[ciba]\nlong_poll = 20\n");
    let push = App::with("push", 204, hold, Build::default()).await;
    let id = push.ask().await;
    assert_eq!(push.poll(&id).await.brief(), "400 unauthorized_client");
    let ping = App::with("ping", 204, hold, Build::default()).await;
    let id = ping.ask().await;
    let world = Arc::new(ping.world);
    let (of_task, of_poll) = (Arc::clone(&world), id.clone());
    let poll = tokio::spawn(async move { app::poll(&of_task, &of_poll).await });
    holds(&world, 1).await;
    world.decides("alice-sub", Decision::Approve).await;
    assert_eq!(answered(poll).await.status, 200);
}

#[tokio::test]
async fn retry_after_says_when_to_poll_next() {
    let world = World::new().await;
    let id = world.ask_alice().await;
    let after = |answer: &Answer| (answer.brief(), answer.header("retry-after").map(str::to_owned));
    let said = |code: &str, seconds: &str| (format!("400 {code}"), Some(seconds.to_owned()));
    assert_eq!(after(&world.poll(&id).await), said("authorization_pending", "5"));
    assert_eq!(after(&world.poll(&id).await), said("slow_down", "10"));
    world.advance(10);
    assert_eq!(after(&world.poll(&id).await), said("authorization_pending", "10"));
    let free = World::with(|realm| realm.push_str("[ciba]\ninterval = 0\n")).await;
    assert_eq!(free.poll(&free.ask_alice().await).await.header("retry-after"), None, "polls are not throttled");
}

#[tokio::test]
async fn k13_a_client_that_polls_too_fast_again_and_again_is_refused_until_the_decision() {
    let world = World::new().await;
    let id = world.ask_alice().await;
    assert_eq!(world.poll(&id).await.brief(), "400 authorization_pending");
    for _ in 0..10 {
        assert_eq!(world.poll(&id).await.brief(), "400 slow_down");
    }
    for _ in 0..3 {
        assert_eq!(world.poll(&id).await.brief(), "400 invalid_request");
        world.advance(30);
    }
    world.decides("alice-sub", Decision::Approve).await;
    assert_eq!(world.poll(&id).await.status, 200, "the person's decision counts");
}

// ---- over sockets ----

/// The world behind a real listener: its address, and what stops it.
async fn listening(
    world: &Arc<World>,
    settings: server::Settings,
) -> (std::net::SocketAddr, tokio::sync::oneshot::Sender<()>, JoinHandle<server::Stopped>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let gateway = Arc::clone(&world.gateway);
    // as `serve` does it
    let stopping = async move {
        let _ = stopped.await;
        gateway.stop();
    };
    let service = web::service(world.routes.clone());
    (address, stop, tokio::spawn(server::serve(listener, service, settings, stopping)))
}

async fn send_poll(address: std::net::SocketAddr, id: &str) -> TcpStream {
    let body = encode(&[("grant_type", CIBA), ("auth_req_id", id)]);
    let request = format!(
        "POST /master/token HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        basic("till", "till secret: a+b%20c"),
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn k37_a_client_that_goes_away_frees_its_place_and_spends_nothing() {
    let world = world().await;
    let (address, _stop, _server) = listening(&world, server::Settings::default()).await;
    let id = world.ask_alice().await;
    let stream = send_poll(address, &id).await;
    holds(&world, 1).await;
    drop(stream);
    holds(&world, 0).await;
    world.decides("alice-sub", Decision::Approve).await;
    assert_eq!(world.poll(&id).await.status, 200);
}

#[tokio::test]
async fn k37_the_same_over_http_2() {
    let certified = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let (pem, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    let tls = server::tls::server_config(pem.as_bytes(), key.as_bytes(), ClientCertificates::None).unwrap();
    let tls = Some(Arc::new(ArcSwap::from_pointee(tls)));
    let world = world().await;
    let (address, _stop, _server) = listening(&world, server::Settings { tls, ..server::Settings::default() }).await;
    let outbound = Outbound { ca_certificates: vec![("test".into(), pem.into())], ..Outbound::default() };
    let http = Http::new(&outbound).unwrap();
    let url: url::Url = format!("https://localhost:{}/master/token", address.port()).parse().unwrap();
    let poll = |id: &str| {
        let request = http.post(url.clone()).header("authorization", basic("till", "till secret: a+b%20c"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(encode(&[("grant_type", CIBA), ("auth_req_id", id)]))
    };
    let known = http.send(poll("x"), Limit::API).await.unwrap();
    assert_eq!((known.version, known.status.as_u16()), (http::Version::HTTP_2, 400));

    let id = world.ask_alice().await;
    let request = poll(&id);
    let sender = http.clone();
    let sent = tokio::spawn(async move { sender.send(request, Limit::API).await });
    holds(&world, 1).await;
    sent.abort(); // resets the stream; the connection stays
    holds(&world, 0).await;
    world.decides("alice-sub", Decision::Approve).await;
    assert_eq!(http.send(poll(&id), Limit::API).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l6_a_stop_answers_five_hundred_held_polls_within_a_second() {
    let world = Arc::new(
        World::with(|realm| realm.push_str("[ciba]\nlong_poll = 20\n[limits]\npending_per_user = 1000\n")).await,
    );
    let (address, stop, server) = listening(&world, server::Settings::default()).await;
    let mut streams = Vec::new();
    for _ in 0..500 {
        let id = world.ask_alice().await;
        streams.push(send_poll(address, &id).await);
    }
    holds(&world, 500).await;
    let started = std::time::Instant::now();
    stop.send(()).unwrap();
    for stream in &mut streams {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 400") && answer.contains("\"error\":\"authorization_pending\""),
            "{answer}"
        );
    }
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(server.await.unwrap(), server::Stopped::Drained);
    assert_eq!(world.gateway.held_polls(), 0);
    assert_eq!(world.poll(&world.ask_bob().await).await.brief(), "400 authorization_pending", "none is held any more");
}
