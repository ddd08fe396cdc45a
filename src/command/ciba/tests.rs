//! The whole command against a stub authorization server. Nothing here waits: pauses advance a manual clock.

use std::{
    cell::RefCell,
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use clap::Parser;
use serde_json::{Value, json};
use warp::Filter;

use super::{
    ask::Question,
    client::{AuthMethod, Client},
    issuer::Issuer,
    *,
};
use crate::{
    clock::{Clock, Timestamp},
    http::{Http, Outbound},
    jose,
    keys::{Algorithm, SigningKey},
};

const START: u64 = 1_800_000_000;

#[derive(Clone)]
struct Reply {
    status: u16,
    retry_after: Option<u64>,
    body: String,
}

fn reply(status: u16, body: &Value) -> Reply {
    Reply { status, retry_after: None, body: body.to_string() }
}

fn error(code: &str) -> Reply {
    reply(400, &json!({ "error": code }))
}

/// What the stub answers; the last of `polls` is repeated.
struct Script {
    metadata: Reply,
    ask: Reply,
    polls: VecDeque<Reply>,
    keys: VecDeque<Reply>,
    seen: Vec<(String, Option<String>, String)>,
}

struct World {
    issuer: String,
    script: Arc<Mutex<Script>>,
    clock: Clock,
    slept: RefCell<Vec<Duration>>,
}

struct Ended {
    code: u8,
    out: String,
    err: String,
}

/// A server that has the person approve before the second poll.
async fn world() -> World {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}/shop", listener.local_addr().unwrap());
    let (key, _) = SigningKey::generate(Algorithm::ES256).unwrap();
    let metadata = json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/token"),
        "backchannel_authentication_endpoint": format!("{issuer}/ask"),
        "jwks_uri": format!("{issuer}/jwks"),
    });
    let script = Arc::new(Mutex::new(Script {
        metadata: reply(200, &metadata),
        ask: reply(200, &json!({"auth_req_id": "id-1", "expires_in": 120, "interval": 5})),
        polls: [error("authorization_pending"), tokens(&issuer, &key)].into(),
        keys: [reply(200, &json!({ "keys": [key.jwk()] }))].into(),
        seen: Vec::new(),
    }));
    let stub = Arc::clone(&script);
    let routes = warp::path::full()
        .and(warp::header::optional("authorization"))
        .and(warp::body::bytes())
        .map(move |path: warp::path::FullPath, authorization, body| answer(&stub, path.as_str(), authorization, &body));
    tokio::spawn(warp::serve(routes).incoming(listener).run());
    World { issuer, script, clock: Clock::manual(Timestamp::from_seconds(START)), slept: RefCell::default() }
}

fn answer(script: &Mutex<Script>, path: &str, authorization: Option<String>, body: &Bytes) -> http::Response<String> {
    let mut script = script.lock().unwrap();
    script.seen.push((path.to_owned(), authorization, String::from_utf8(body.to_vec()).unwrap()));
    let next = |queue: &mut VecDeque<Reply>| if queue.len() > 1 { queue.pop_front() } else { queue.front().cloned() };
    let reply = match path {
        "/shop/.well-known/openid-configuration" => script.metadata.clone(),
        "/shop/ask" => script.ask.clone(),
        "/shop/token" => next(&mut script.polls).unwrap(),
        "/shop/jwks" => next(&mut script.keys).unwrap(),
        other => panic!("nobody should ask for {other}"),
    };
    let mut response = http::Response::builder().status(reply.status);
    if let Some(seconds) = reply.retry_after {
        response = response.header("retry-after", seconds);
    }
    response.body(reply.body).unwrap()
}

fn tokens(issuer: &str, key: &SigningKey) -> Reply {
    let access_token = jose::sign(key, &json!({"iss": issuer})).unwrap();
    let claims = json!({
        "iss": issuer, "sub": "248289761001", "aud": "till", "iat": START, "exp": START + 300, "name": "Alice",
        "at_hash": jose::half_hash(Algorithm::ES256, &access_token),
    });
    let id_token = jose::sign(key, &claims).unwrap();
    reply(
        200,
        &json!({
            "access_token": access_token, "token_type": "Bearer", "expires_in": 300, "id_token": id_token,
            "scope": "openid profile",
        }),
    )
}

impl World {
    fn bend(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    fn plan(&self) -> Plan {
        let client = Client {
            http: Http::new(&Outbound::default()).unwrap(),
            clock: self.clock.clone(),
            issuer: Issuer::parse(&self.issuer).unwrap(),
            client_id: "till".into(),
            secret: Secret::new("a secret"),
            auth_method: AuthMethod::Basic,
        };
        let question = Question {
            login_hint: "alice".into(),
            scope: "openid profile".into(),
            binding_message: Some("KX-42".into()),
            requested_expiry: None,
            user_code: None,
        };
        Plan { client, question }
    }

    async fn run(&self, json: bool) -> Ended {
        self.run_plan(&self.plan(), json).await
    }

    async fn run_plan(&self, plan: &Plan, json: bool) -> Ended {
        let sleep = async |pause| {
            self.slept.borrow_mut().push(pause);
            self.clock.advance(pause);
        };
        self.run_with(plan, json, &sleep, std::future::pending()).await
    }

    async fn run_with(
        &self,
        plan: &Plan,
        json: bool,
        sleep: &impl AsyncFn(Duration),
        interrupt: impl Future<Output = ()>,
    ) -> Ended {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut show = Show::plain(Box::new(&mut out), Box::new(&mut err), json, false);
        let code = carry_out(plan, &mut show, sleep, interrupt).await;
        drop(show);
        Ended { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
    }

    fn slept(&self) -> u64 {
        self.slept.borrow().iter().sum::<Duration>().as_secs()
    }

    fn sent(&self, path: &str) -> Vec<(Option<String>, String)> {
        let script = self.script.lock().unwrap();
        script.seen.iter().filter(|(at, ..)| at == path).map(|(_, auth, body)| (auth.clone(), body.clone())).collect()
    }
}

impl Ended {
    fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn last(&self) -> Value {
        self.lines().pop().unwrap()
    }
}

#[tokio::test]
async fn exit_0_when_the_person_approves() {
    let world = world().await;
    let ended = world.run(false).await;
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(world.slept(), 10, "two polls, five seconds before each");
    let out = ended.out.replace(&world.issuer, "ISSUER");
    let lines: Vec<&str> = out.lines().filter(|line| !line.contains("at_hash")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    Claims
      aud      till
      exp      2027-01-15T08:05:00Z
      iat      2027-01-15T08:00:00Z
      iss      ISSUER
      name     Alice
      sub      248289761001
    Tokens
      access_token  (hidden, see --show-tokens)
      expires_in    300
      id_token      (hidden, see --show-tokens)
      scope         openid profile
      token_type    Bearer
    ");
    assert!(ended.err.contains("The person must see this with the request: KX-42\n"), "{}", ended.err);
    assert!(ended.err.contains(&format!("Approve or deny it at {}/approvals\n", world.issuer)), "{}", ended.err);
    assert!(ended.err.contains("Approved after 10 s\n"), "{}", ended.err);
}

#[tokio::test]
async fn exit_3_when_the_person_denies() {
    let world = world().await;
    world.bend(|script| script.polls = [error("authorization_pending"), error("access_denied")].into());
    let ended = world.run(true).await;
    assert_eq!(ended.code, 3);
    assert_eq!(ended.last(), json!({"state": "denied", "error": "access_denied"}));
}

#[tokio::test]
async fn exit_4_when_the_server_says_that_it_expired() {
    let world = world().await;
    let expired = reply(400, &json!({"error": "expired_token", "error_description": "Too late"}));
    world.bend(|script| script.polls = [expired].into());
    let ended = world.run(true).await;
    assert_eq!(ended.code, 4);
    let expected = json!({"state": "expired", "error": "expired_token", "error_description": "Too late"});
    assert_eq!(ended.last(), expected);
}

#[tokio::test]
async fn exit_4_when_the_time_is_over_whatever_the_server_says() {
    for last in ["authorization_pending", "slow_down", "invalid_grant"] {
        let world = world().await;
        world.bend(|script| {
            script.ask = reply(200, &json!({"auth_req_id": "id-1", "expires_in": 12, "interval": 5}));
            script.polls = [error("authorization_pending"), error("authorization_pending"), error(last)].into();
        });
        let ended = world.run(true).await;
        assert_eq!((ended.code, world.slept()), (4, 12), "{last}: {}", ended.out);
        assert_eq!(world.sent("/shop/token").len(), 3);
    }
}

#[tokio::test]
async fn exit_5_when_the_request_is_refused() {
    for (status, code) in
        [(400, "unknown_user_id"), (401, "invalid_client"), (403, "access_denied"), (429, "temporarily_unavailable")]
    {
        let world = world().await;
        let refusal = json!({"error": code, "error_description": "As it is"});
        world.bend(|script| script.ask = reply(status, &refusal));
        let ended = world.run(true).await;
        assert_eq!(ended.code, 5, "{code}");
        assert_eq!(ended.lines(), [json!({"state": "refused", "error": code, "error_description": "As it is"})]);
        assert_eq!(world.sent("/shop/ask").len(), 1, "it is never sent twice");
    }
}

#[tokio::test]
async fn exit_5_with_when_to_try_again_where_that_helps() {
    let why = "Too many requests are waiting for this person's decision";
    let refusal = json!({"error": "temporarily_unavailable", "error_description": why});
    for (status, retry_after, when) in [(429, Some(10), "in 10 s"), (503, Some(5), "in 5 s"), (503, None, "later")] {
        let world = world().await;
        world.bend(|script| script.ask = Reply { retry_after, ..reply(status, &refusal) });
        let ended = world.run(false).await;
        assert_eq!(ended.code, 5, "{}", ended.err);
        assert!(ended.err.ends_with(&format!("Not now: {why}; try again {when}\n")), "{}", ended.err);
        let json = world.run(true).await.last();
        assert_eq!((&json["state"], json["retry_after"].as_u64()), (&json!("refused"), retry_after));
    }
}

#[tokio::test]
async fn exit_5_when_the_token_endpoint_refuses() {
    let world = world().await;
    world.bend(|script| script.polls = [error("invalid_grant")].into());
    assert_eq!(world.run(true).await.code, 5);
}

#[tokio::test]
async fn exit_6_table_of_what_is_no_server_for_this() {
    let metadata = |bend: fn(&mut Value)| {
        move |script: &mut Script| {
            let mut metadata = serde_json::from_str(&script.metadata.body).unwrap();
            bend(&mut metadata);
            script.metadata = reply(200, &metadata);
        }
    };
    let page = || Reply { status: 200, retry_after: None, body: "<html>".into() };
    let table: Vec<(&str, Box<dyn FnOnce(&mut Script)>, &str)> = vec![
        ("no such realm", Box::new(|script| script.metadata = reply(404, &json!({}))), "unexpected status 404"),
        ("a page", Box::new(move |script| script.metadata = page()), "not what the protocol says"),
        ("other issuer", Box::new(metadata(|m| m["issuer"] = "http://127.0.0.1/other".into())), "it speaks for"),
        (
            "issuer with a slash",
            Box::new(metadata(|m| m["issuer"] = format!("{}/", m["issuer"].as_str().unwrap()).into())),
            "it speaks for",
        ),
        (
            "no CIBA",
            Box::new(metadata(|m| drop(m.as_object_mut().unwrap().remove("backchannel_authentication_endpoint")))),
            "CIBA is not offered",
        ),
        ("odd endpoint", Box::new(metadata(|m| m["token_endpoint"] = "file:///etc/passwd".into())), "token_endpoint"),
        ("a page for an answer", Box::new(move |script| script.ask = page()), "not what the protocol says"),
        ("a proxy", Box::new(|script| script.ask = reply(502, &json!("Bad Gateway"))), "unexpected status 502"),
        ("a page for tokens", Box::new(move |script| script.polls = [page()].into()), "not what the protocol says"),
        ("no keys", Box::new(move |script| script.keys = [page()].into()), "not what the protocol says"),
    ];
    for (case, bend, expected) in table {
        let world = world().await;
        world.bend(bend);
        let ended = world.run(true).await;
        let last = ended.last();
        assert_eq!((ended.code, &last["state"], &last["error"]), (6, &json!("failed"), &json!("network")), "{case}");
        assert!(last["error_description"].as_str().unwrap().contains(expected), "{case}: {last}");
    }
}

#[tokio::test]
async fn exit_6_when_nobody_listens() {
    let world = world().await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut plan = world.plan();
    plan.client.issuer = Issuer::parse(&format!("http://{free}/master")).unwrap();
    let ended = world.run_plan(&plan, false).await;
    assert_eq!(ended.code, 6);
    assert!(ended.err.contains("Is the demo running?"), "{}", ended.err);
}

#[tokio::test]
async fn exit_7_when_another_key_signed() {
    let world = world().await;
    let (other, _) = SigningKey::generate(Algorithm::ES256).unwrap();
    world.bend(|script| script.keys = [reply(200, &json!({ "keys": [other.jwk()] }))].into());
    let ended = world.run(true).await;
    assert_eq!(ended.code, 7);
    assert_eq!((&ended.last()["state"], &ended.last()["error"]), (&json!("failed"), &json!("not_verified")));
    assert!(!ended.out.contains("access_token"), "tokens that do not verify are not handed on");
}

#[tokio::test]
async fn exit_130_when_interrupted() {
    let world = world().await;
    let waiting = tokio::sync::Notify::new();
    let sleep = async |_| {
        waiting.notify_one();
        std::future::pending().await
    };
    let ended = world.run_with(&world.plan(), false, &sleep, waiting.notified()).await;
    assert_eq!(ended.code, 130);
    assert!(
        ended.err.ends_with("Stopped waiting. The request stays open for another 120 s and can still be approved\n"),
        "{}",
        ended.err
    );

    let ended = world.run_with(&world.plan(), true, &sleep, waiting.notified()).await;
    assert_eq!(ended.last(), json!({"state": "interrupted", "expires_in": 120}));
}

#[tokio::test]
async fn slow_down_adds_five_seconds_for_good() {
    let world = world().await;
    world.bend(|script| {
        script.polls.push_front(error("slow_down"));
        script.polls.push_front(error("slow_down"));
    });
    let ended = world.run(true).await;
    assert_eq!((ended.code, world.slept()), (0, 5 + 10 + 15 + 15));
}

#[tokio::test]
async fn without_an_interval_it_is_five_seconds() {
    let world = world().await;
    world.bend(|script| script.ask = reply(200, &json!({"auth_req_id": "id-1", "expires_in": 120})));
    assert_eq!((world.run(true).await.code, world.slept()), (0, 10));
}

#[tokio::test]
async fn an_overloaded_server_is_left_alone_for_as_long_as_it_says() {
    let world = world().await;
    let overloaded = Reply { retry_after: Some(17), ..reply(503, &json!({"error": "temporarily_unavailable"})) };
    world.bend(|script| script.polls.push_front(overloaded));
    let ended = world.run(false).await;
    assert_eq!((ended.code, world.slept()), (0, 5 + 17 + 5));
    assert!(ended.err.contains("unexpected status 503; trying again in 17 s"), "{}", ended.err);
}

#[tokio::test]
async fn a_server_that_stays_away_is_a_network_fault_at_expiry() {
    let world = world().await;
    world.bend(|script| script.polls = [reply(500, &json!({"error": "server_error"}))].into());
    let ended = world.run(true).await;
    assert_eq!((ended.code, world.slept()), (6, 120));
    assert_eq!(world.sent("/shop/token").len(), 6, "after 5, 10, 20, 40 and 80 s, and at the end");
}

#[tokio::test]
async fn keys_that_do_not_come_at_once_are_asked_for_again() {
    let world = world().await;
    world.bend(|script| script.keys.push_front(reply(503, &json!({}))));
    assert_eq!(world.run(true).await.code, 0);
}

#[tokio::test]
async fn what_is_sent() {
    let world = world().await;
    let Plan { mut client, mut question } = world.plan();
    client.secret = Secret::new("a:b c");
    question.requested_expiry = Some(60);
    question.user_code = Some(Secret::new("4711"));
    let mut plan = Plan { client, question };
    assert_eq!(world.run_plan(&plan, true).await.code, 0);
    let ask = "scope=openid+profile&login_hint=alice&binding_message=KX-42&requested_expiry=60&user_code=4711";
    let poll = "grant_type=urn%3Aopenid%3Aparams%3Agrant-type%3Aciba&auth_req_id=id-1";
    let basic = Some("Basic dGlsbDphJTNBYitj".to_owned()); // till:a%3Ab+c
    assert_eq!(world.sent("/shop/ask"), [(basic.clone(), ask.to_owned())]);
    assert_eq!(world.sent("/shop/token")[0], (basic, poll.to_owned()));

    plan.client.auth_method = AuthMethod::Post;
    world.run_plan(&plan, true).await;
    let credentials = "&client_id=till&client_secret=a%3Ab+c";
    assert_eq!(world.sent("/shop/ask")[1], (None, format!("{ask}{credentials}")));
    assert_eq!(world.sent("/shop/token").last().unwrap(), &(None, format!("{poll}{credentials}")));
}

#[tokio::test]
async fn json_lines() {
    let world = world().await;
    world.bend(|script| script.polls.push_front(error("slow_down")));
    world.bend(|script| script.polls.push_front(error("authorization_pending")));
    let ended = world.run(true).await;
    assert_eq!(ended.err, "");
    assert!(ended.out.lines().all(|line| line.starts_with(r#"{"state":""#)), "{}", ended.out);
    insta::assert_json_snapshot!(ended.lines(), {
        "[].claims.iss" => "ISSUER",
        "[].claims.at_hash" => "HASH",
        "[].tokens.access_token" => "JWT",
        "[].tokens.id_token" => "JWT",
    }, @r#"
    [
      {
        "auth_req_id": "id-1",
        "binding_message": "KX-42",
        "expires_in": 120,
        "interval": 5,
        "state": "requested"
      },
      {
        "state": "pending"
      },
      {
        "interval": 10,
        "state": "slow_down"
      },
      {
        "claims": {
          "at_hash": "HASH",
          "aud": "till",
          "exp": 1800000300,
          "iat": 1800000000,
          "iss": "ISSUER",
          "name": "Alice",
          "sub": "248289761001"
        },
        "state": "approved",
        "tokens": {
          "access_token": "JWT",
          "expires_in": 300,
          "id_token": "JWT",
          "scope": "openid profile",
          "token_type": "Bearer"
        }
      }
    ]
    "#);
}

#[tokio::test]
async fn escape_sequences_of_the_server_do_not_reach_the_terminal() {
    let world = world().await;
    let evil = json!({"error": "invalid_scope\u{1b}[2J", "error_description": "\u{9b}31mred\u{202e}"});
    world.bend(|script| script.ask = reply(400, &evil));
    let ended = world.run(false).await;
    assert!(ended.err.ends_with("Refused: invalid_scope[2J (31mred)\n"), "{:?}", ended.err);
    let ended = world.run(true).await;
    assert!(!ended.out.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{:?}", ended.out);
}

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

/// What the arguments mean, or the exit code and the sentence.
fn parse(arguments: &[&str], variable: Option<&str>) -> Result<Plan, (u8, String)> {
    let cli = Cli::try_parse_from(["ciba", "request"].iter().chain(arguments))
        .map_err(|error| (u8::try_from(error.exit_code()).unwrap(), error.to_string()))?;
    let Command::Request(args) = cli.args.command;
    plan(*args, variable.map(Secret::new)).map_err(|fault| (USAGE, fault))
}

#[test]
fn exit_2_table_of_argument_mistakes() {
    let other = "--issuer=https://id.example.com/shop";
    let table: &[(&[&str], &str)] = &[
        (&["--issuer=shop"], "relative URL"),
        (&["--issuer=https://h/x?y"], "no query"),
        (&["--requested-expiry=0"], "0 is not in"),
        (&["--requested-expiry=soon"], "invalid digit"),
        (&["--auth-method=none"], "client_secret_basic, client_secret_post"),
        (&["--scope=a\tb"], "malformed"),
        (&["--scope="], "the scope is empty"),
        (&["--user-code=1", "--user-code-file=f"], "cannot be used with"),
        (&["--client-secret=x"], "unexpected argument"),
        (&["--client-secret-file=/nowhere/secret"], "/nowhere/secret"),
        (&["--user-code-file=/nowhere/code"], "/nowhere/code"),
        (&["--ca-certificate=/nowhere/ca.pem"], "/nowhere/ca.pem"),
        (&["--login-hint="], "--login-hint is empty"),
        (&["--client-id=till"], "no client secret"),
        (&[other], "--client-id is missing"),
        (&[other, "--client-id=till"], "no client secret"),
        (&[other, "--client-id=demo", "--login-hint=alice"], "no client secret"),
    ];
    for (arguments, expected) in table {
        let (code, fault) = parse(arguments, None).map(drop).unwrap_err();
        assert_eq!(code, 2, "{arguments:?}");
        assert!(fault.contains(expected), "{arguments:?}: {fault}");
    }
    let (_, fault) = parse(&[other, "--client-id=till"], Some("a secret")).map(drop).unwrap_err();
    assert!(fault.contains("--login-hint is missing"), "{fault}");
}

#[test]
fn without_arguments_it_is_the_demo() {
    let Plan { client, question } = parse(&[], None).unwrap();
    assert_eq!(client.issuer.text, "http://127.0.0.1:8080/master");
    assert_eq!((client.client_id.as_str(), client.auth_method), ("demo", AuthMethod::Post));
    assert!(client.secret.matches("demo-secret"));
    assert_eq!((question.login_hint.as_str(), question.scope.as_str()), ("alice", "openid profile"));
    assert_eq!(question.binding_message.unwrap().len(), 5);

    let Plan { client, question } =
        parse(&["--issuer=http://localhost:9090/master", "--binding-message="], None).unwrap();
    assert!(client.secret.matches("demo-secret"), "the demo on another port");
    assert_eq!(question.binding_message, None);
    let Plan { client, .. } = parse(&["--auth-method=client_secret_basic"], None).unwrap();
    assert_eq!(client.auth_method, AuthMethod::Basic);
}

#[test]
fn a_secret_that_is_named_wins_over_the_demos() {
    let Plan { client, .. } = parse(&[], Some("from the environment")).unwrap();
    assert!(client.secret.matches("from the environment"));
    assert_eq!(client.auth_method, AuthMethod::Post, "the demo's client is registered so");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    for (written, expected) in [("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), (" a b ", " a b "), ("a\n\n", "a\n")]
    {
        std::fs::write(&file, written).unwrap();
        let Plan { client, .. } =
            parse(&["--client-secret-file", file.to_str().unwrap()], Some("not this one")).unwrap();
        assert!(client.secret.matches(expected), "{written:?}");
    }
    std::fs::write(&file, "\n").unwrap();
    assert!(parse(&["--client-secret-file", file.to_str().unwrap()], None).is_err(), "an empty file");
}
