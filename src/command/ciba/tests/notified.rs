//! Ping and push: the server calls back.

use http::StatusCode;

use super::{
    super::{delivery::Listen, notification::Inbox},
    *,
};
use crate::{config::ClientCertificates, http::Limit};

impl World {
    fn plan_in(&self, mode: fn(Listen) -> Delivery) -> Plan {
        let listen = Listen { address: "127.0.0.1:0".parse().unwrap(), tls: None };
        Plan { delivery: mode(listen), ..self.plan() }
    }

    /// Runs in this mode while `server` does its part as soon as the request has come. Time stands still.
    async fn run_beside<T>(&self, mode: fn(Listen) -> Delivery, server: impl Future<Output = T>) -> (Ended, T) {
        let plan = self.plan_in(mode);
        let still = async |_| std::future::pending().await;
        let beside = async {
            self.asked.notified().await;
            server.await
        };
        tokio::join!(self.run_with(&plan, true, &still, std::future::pending()), beside)
    }

    /// Sends a notification as the server would, and returns the status.
    async fn notify(&self, body: &Value) -> u16 {
        let token = self.sent("/shop/ask").pop().unwrap().form().remove("client_notification_token").unwrap();
        post(&self.endpoint(), &token, body).await
    }

    /// The endpoint that the run has told.
    fn endpoint(&self) -> String {
        let out = self.out.text();
        let line: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
        assert_eq!(line["state"], "listening");
        line["notification_endpoint"].as_str().unwrap().to_owned()
    }

    /// What is pushed after an approval, before `bend`.
    fn pushed(&self, bend: impl FnOnce(&mut Value, &mut Value)) -> Value {
        let mut tokens = tokens(&self.issuer, &self.key, |access, id| {
            id["urn:openid:params:jwt:claim:auth_req_id"] = "id-1".into();
            id["urn:openid:params:jwt:claim:rt_hash"] = jose::half_hash(Algorithm::ES256, "refresh").into();
            bend(access, id);
        });
        tokens["auth_req_id"] = "id-1".into();
        tokens["refresh_token"] = "refresh".into();
        tokens
    }
}

async fn post(endpoint: &str, token: &str, body: &Value) -> u16 {
    let http = Http::new(&Outbound::default()).unwrap();
    let request = http.post(endpoint.parse().unwrap()).bearer_auth(token).json(body);
    http.send(request, Limit::API).await.unwrap().status.as_u16()
}

fn ping() -> Value {
    json!({"auth_req_id": "id-1"})
}

#[tokio::test]
async fn after_a_ping_the_tokens_are_collected_at_once() {
    let world = world().await;
    world.bend(|script| drop(script.polls.pop_front()));
    let (ended, status) = world.run_beside(Delivery::Ping, world.notify(&ping())).await;
    assert_eq!((ended.code, status), (0, 204), "{}", ended.out);
    let states: Vec<_> = ended.lines().iter().map(|line| line["state"].clone()).collect();
    assert_eq!(states, ["listening", "requested", "pinged", "approved"]);
    assert_eq!(world.sent("/shop/token").len(), 1);
    let token = world.sent("/shop/ask")[0].form().remove("client_notification_token").unwrap();
    assert_eq!(token.len(), 43, "256 bits");
}

#[tokio::test]
async fn exit_3_when_the_answer_behind_a_ping_is_no() {
    let world = world().await;
    world.bend(|script| script.polls = [error("access_denied")].into());
    let (ended, status) = world.run_beside(Delivery::Ping, world.notify(&ping())).await;
    assert_eq!((ended.code, status), (3, 204));
}

#[tokio::test]
async fn without_a_ping_the_answer_is_asked_for_while_there_is_one() {
    let pending = || error("authorization_pending");
    let table = [
        ("approved", vec![], 0, 110, 1),
        ("denied", vec![error("access_denied")], 3, 110, 1),
        ("nobody decides", vec![pending(), pending(), pending()], 4, 120, 3),
        ("nobody decided", vec![pending(), pending(), error("expired_token")], 4, 120, 3),
    ];
    for (case, polls, code, slept, asked) in table {
        let world = world().await;
        world.bend(|script| {
            script.polls.pop_front();
            script.polls = polls.into_iter().chain(script.polls.drain(..)).collect();
        });
        let ended = world.run_plan(&world.plan_in(Delivery::Ping), true).await;
        assert_eq!((ended.code, world.slept(), world.sent("/shop/token").len()), (code, slept, asked), "{case}");
        assert!(ended.lines().iter().all(|line| line["state"] != "pinged"), "{case}");
    }
    let world = world().await;
    let ended = world.run_plan(&world.plan_in(Delivery::Ping), false).await;
    assert!(ended.err.contains("\nNo ping has come; asking for the outcome all the same\n"), "{}", ended.err);
}

#[tokio::test]
async fn exit_6_before_anybody_is_asked_where_a_mode_is_not_offered() {
    type Mode = fn(Listen) -> Delivery;
    let modes: [(Mode, &str); 3] = [(|_| Delivery::Poll, "poll"), (Delivery::Ping, "ping"), (Delivery::Push, "push")];
    for (mode, name) in modes {
        let world = world().await;
        let others: Vec<_> = modes.iter().map(|(_, mode)| *mode).filter(|mode| *mode != name).collect();
        world.bend_metadata(|metadata| metadata["backchannel_token_delivery_modes_supported"] = json!(others));
        let ended = world.run_plan(&world.plan_in(mode), true).await;
        assert_eq!((ended.code, world.sent("/shop/ask").len()), (6, 0), "{name}");
        let expected = format!("{} does not offer mode {name}", world.issuer);
        assert_eq!(ended.last()["error_description"], expected);
    }
}

#[tokio::test]
async fn what_is_not_for_this_run_is_refused_and_changes_nothing() {
    let world = world().await;
    world.bend(|script| drop(script.polls.pop_front()));
    let (ended, statuses) = world
        .run_beside(Delivery::Ping, async {
            let wrong_token = post(&world.endpoint(), "another", &ping()).await;
            let wrong_request = world.notify(&json!({"auth_req_id": "id-2"})).await;
            [wrong_token, wrong_request, world.notify(&ping()).await]
        })
        .await;
    assert_eq!((ended.code, statuses), (0, [401, 401, 204]), "{}", ended.out);
}

#[tokio::test]
async fn a_ping_that_overtakes_the_acknowledgement_is_held() {
    let world = world().await;
    let hold = Arc::new(Notify::new());
    world.bend(|script| {
        script.polls.pop_front();
        script.hold = Some(Arc::clone(&hold));
    });
    let (ended, status) = world
        .run_beside(Delivery::Ping, async {
            let body = ping();
            let mut notified = Box::pin(world.notify(&body));
            let early = tokio::time::timeout(Duration::from_millis(50), notified.as_mut()).await;
            assert!(early.is_err(), "nobody can know yet whether it is ours");
            hold.notify_one();
            notified.await
        })
        .await;
    assert_eq!((ended.code, status), (0, 204), "{}", ended.out);
}

#[tokio::test]
async fn pushed_tokens_are_verified_and_shown() {
    let world = world().await;
    let pushed = world.pushed(|_, _| ());
    let (ended, status) = world.run_beside(Delivery::Push, world.notify(&pushed)).await;
    assert_eq!((ended.code, status), (0, 204), "{}", ended.out);
    assert_eq!(world.sent("/shop/token").len(), 0);
    let last = ended.last();
    assert_eq!(
        (&last["state"], &last["tokens"], &last["claims"]["name"]),
        (&json!("approved"), &pushed, &json!("Alice"))
    );
}

/// The process ends with the run, and an answer that has not left by then never does.
#[tokio::test]
async fn a_run_ends_after_its_last_answer_has_left() {
    let world = world().await;
    let plan = world.plan_in(Delivery::Push);
    let endpoint = RefCell::new(String::new());
    let run = async {
        let still = async |_| std::future::pending().await;
        let ended = world.run_with(&plan, true, &still, std::future::pending()).await;
        let address = endpoint.borrow().trim_start_matches("http://").trim_end_matches('/').to_owned();
        (ended.code, std::net::TcpStream::connect(address).is_err()) // at once: nothing else has a turn in between
    };
    let server = async {
        world.asked.notified().await;
        *endpoint.borrow_mut() = world.endpoint();
        world.notify(&json!({"auth_req_id": "id-1", "error": "access_denied"})).await
    };
    assert_eq!(tokio::join!(run, server), ((3, true), 204));
}

#[tokio::test]
async fn table_of_pushes() {
    type Bend = fn(&mut Value, &mut Value);
    const AUTH_REQ_ID: &str = "urn:openid:params:jwt:claim:auth_req_id";
    const RT_HASH: &str = "urn:openid:params:jwt:claim:rt_hash";
    let without = |claim: &'static str| format!("the ID token: its {claim} does not fit");
    let error = |code: &str| json!({"auth_req_id": "id-1", "error": code, "error_description": "As it is"});
    let tokens: [(&str, Bend, String); 5] = [
        ("no auth_req_id", |_, id| drop(id.as_object_mut().unwrap().remove(AUTH_REQ_ID)), without(AUTH_REQ_ID)),
        ("another auth_req_id", |_, id| id[AUTH_REQ_ID] = "id-2".into(), without(AUTH_REQ_ID)),
        ("no rt_hash", |_, id| drop(id.as_object_mut().unwrap().remove(RT_HASH)), without(RT_HASH)),
        ("another rt_hash", |_, id| id[RT_HASH] = "Wt0kVFXMacqvnHeyU0001w".into(), without(RT_HASH)),
        (
            "bound",
            |access, _| access["cnf"] = json!({"jkt": "x"}),
            "the access token: it is bound to another key".into(),
        ),
    ];
    for (case, bend, expected) in tokens {
        let world = world().await;
        let (ended, status) = world.run_beside(Delivery::Push, world.notify(&world.pushed(bend))).await;
        assert_eq!((ended.code, status), (7, 204), "{case}");
        assert_eq!(ended.last()["error_description"], expected, "{case}");
    }
    for (code, exit, state) in [
        ("access_denied", 3, "denied"),
        ("expired_token", 4, "expired"),
        ("transaction_failed", 5, "refused"),
        ("something_else", 5, "refused"),
    ] {
        let world = world().await;
        let (ended, status) = world.run_beside(Delivery::Push, world.notify(&error(code))).await;
        assert_eq!((ended.code, status), (exit, 204), "{code}");
        let expected = json!({"state": state, "error": code, "error_description": "As it is"});
        assert_eq!(ended.last(), expected);
    }
}

#[tokio::test]
async fn exit_7_when_a_push_brings_no_id_token_or_no_at_hash() {
    let world = world().await;
    let mut pushed = world.pushed(|_, _| ());
    pushed.as_object_mut().unwrap().remove("id_token");
    let (ended, _) = world.run_beside(Delivery::Push, world.notify(&pushed)).await;
    assert_eq!((ended.code, &ended.last()["error_description"]), (7, &json!("the ID token: there is none")));

    let mut pushed = world.pushed(|_, _| ());
    let claims = json!({
        "iss": world.issuer, "sub": "248289761001", "aud": "till", "iat": START, "exp": START + 300,
        "urn:openid:params:jwt:claim:auth_req_id": "id-1",
        "urn:openid:params:jwt:claim:rt_hash": jose::half_hash(Algorithm::ES256, "refresh"),
    });
    pushed["id_token"] = jose::sign(&world.key, &claims).unwrap().into();
    let (ended, _) = world.run_beside(Delivery::Push, world.notify(&pushed)).await;
    assert_eq!(ended.last()["error_description"], "the ID token: its at_hash does not fit");
}

#[tokio::test]
async fn exit_6_when_the_client_is_registered_for_another_mode() {
    let world = world().await;
    let (ended, _) = world.run_beside(Delivery::Push, world.notify(&ping())).await;
    assert_eq!(ended.code, 6);
    assert!(ended.out.contains("registered for --mode ping"), "{}", ended.out);
    let pushed = world.pushed(|_, _| ());
    let (ended, _) = world.run_beside(Delivery::Ping, world.notify(&pushed)).await;
    assert_eq!((ended.code, world.sent("/shop/token").len()), (6, 0));
    assert!(ended.out.contains("registered for --mode push"), "{}", ended.out);
}

#[tokio::test]
async fn exit_4_when_nothing_is_pushed() {
    let world = world().await;
    let ended = world.run_plan(&world.plan_in(Delivery::Push), true).await;
    assert_eq!((ended.code, world.slept(), world.sent("/shop/token").len()), (4, 125, 0));
    assert_eq!(ended.last(), json!({"state": "expired", "error": "expired_token"}));
}

#[tokio::test]
async fn exit_2_when_the_address_is_taken() {
    let world = world().await;
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let plan = Plan { delivery: Delivery::Push(Listen { address, tls: None }), ..world.plan() };
    let ended = world.run_plan(&plan, false).await;
    assert_eq!((ended.code, world.sent("/shop/ask").len()), (2, 0));
    assert!(ended.err.contains(&format!("cannot listen on {address}: ")), "{}", ended.err);
    assert!(ended.err.contains("choose another by --notification-listen"), "{}", ended.err);
}

#[tokio::test]
async fn the_endpoint_is_told_to_people() {
    let world = world().await;
    let ended = world.run_plan(&world.plan_in(Delivery::Push), false).await;
    assert!(ended.err.contains("\nTaking notifications at http://127.0.0.1:"), "{}", ended.err);
}

// --- the endpoint alone ----------------------------------------------------------------------------------------------

async fn inbox(tls: Option<Arc<crate::server::ServerConfig>>) -> Inbox {
    let listen = Listen { address: "127.0.0.1:0".parse().unwrap(), tls };
    let inbox = Inbox::open(&listen, &Random::system()).await.unwrap();
    inbox.expect("id-1");
    inbox
}

#[tokio::test]
async fn table_of_calls() {
    let mut inbox = inbox(None).await;
    let good = format!("Bearer {}", inbox.token.reveal());
    let good = good.as_str();
    let lower = good.replace("Bearer", "bearer");
    let other = format!("{good}x");
    let large = json!({"auth_req_id": "id-1", "x": "x".repeat(64 * 1024)}).to_string();
    let ping = r#"{"auth_req_id":"id-1"}"#;
    let table: [(&str, &str, &[&str], &str, u16); 14] = [
        ("a GET", "GET", &[good], "", 405),
        ("a PUT", "PUT", &[good], ping, 405),
        ("no token", "POST", &[], ping, 401),
        ("another token", "POST", &["Bearer another"], ping, 401),
        ("a longer token", "POST", &[&other], ping, 401),
        ("another scheme", "POST", &["Basic dGlsbA=="], ping, 401),
        ("two headers", "POST", &[good, "Bearer another"], ping, 401),
        ("another request", "POST", &[good], r#"{"auth_req_id":"id-2"}"#, 401),
        ("no request", "POST", &[good], "{}", 400),
        ("a number", "POST", &[good], r#"{"auth_req_id":1}"#, 400),
        ("no object", "POST", &[good], "[]", 400),
        ("no JSON", "POST", &[good], "auth_req_id=id-1", 400),
        ("too large", "POST", &[good], &large, 413),
        ("a scheme in lower case", "POST", &[&lower], ping, 204),
    ];
    let http = Http::new(&Outbound::default()).unwrap();
    for (case, method, authorization, body, status) in table {
        let url: url::Url = format!("{}any/path", inbox.address).parse().unwrap();
        let mut request = http.blank().request(method.parse().unwrap(), url);
        for value in authorization {
            request = request.header("authorization", *value);
        }
        let answer = http.send(request.body(body.to_owned()), Limit::API).await.unwrap();
        assert_eq!(answer.status.as_u16(), status, "{case}");
        assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401, "{case}");
        assert!(answer.body.is_empty(), "{case}");
        if answer.status == StatusCode::METHOD_NOT_ALLOWED {
            assert_eq!(answer.headers["allow"], "POST");
        }
    }
    assert_eq!(Value::Object(inbox.next().await.unwrap()), json!({"auth_req_id": "id-1"}));
    inbox.close().await;
}

#[tokio::test]
async fn it_speaks_https_where_it_has_a_certificate() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (pem, key) = (own.cert.pem().into_bytes(), own.signing_key.serialize_pem().into_bytes());
    let tls = crate::server::tls::server_config(&pem, &key, ClientCertificates::None).unwrap();
    let mut inbox = inbox(Some(Arc::new(tls))).await;
    assert!(inbox.address.starts_with("https://127.0.0.1:"));
    let url = inbox.address.replace("127.0.0.1", "localhost").parse().unwrap();
    let http = Http::new(&Outbound { ca_certificates: vec![("own.pem".into(), pem)], ..Outbound::default() }).unwrap();
    let request = http.post(url).bearer_auth(inbox.token.reveal()).json(&ping());
    assert_eq!(http.send(request, Limit::API).await.unwrap().status, 204);
    assert!(inbox.next().await.is_some());
}
