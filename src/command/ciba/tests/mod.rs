//! The whole command against a stub authorization server. Nothing here waits: pauses advance a manual clock.

mod arguments;
mod dpop;
mod ends;
mod notified;
mod sent;
mod tls;
mod userinfo;

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::Notify;
use warp::Filter;

use super::{
    ask::{Hint, Question},
    authentication::Credentials,
    client::Client,
    issuer::Issuer,
    signer::Signer,
    *,
};
use crate::{
    clock::{Clock, Timestamp},
    http::{Http, Outbound},
    jose,
    keys::{Algorithm, SigningKey},
    random::Random,
};

const START: u64 = 1_800_000_000;

#[derive(Clone)]
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

fn reply(status: u16, body: &Value) -> Reply {
    Reply { status, headers: Vec::new(), body: body.to_string() }
}

fn error(code: &str) -> Reply {
    reply(400, &json!({ "error": code }))
}

impl Reply {
    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// What the stub answers; the last of a queue is repeated.
struct Script {
    metadata: Reply,
    ask: Reply,
    polls: VecDeque<Reply>,
    userinfo: VecDeque<Reply>,
    keys: VecDeque<Reply>,
    /// The answer to a request waits for this.
    hold: Option<Arc<Notify>>,
    seen: Vec<Seen>,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
struct Seen {
    path: String,
    headers: http::HeaderMap,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn form(&self) -> BTreeMap<String, String> {
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect();
        let form: BTreeMap<_, _> = pairs.iter().cloned().collect();
        assert_eq!(form.len(), pairs.len(), "a parameter is repeated: {}", self.body);
        form
    }
}

struct World {
    issuer: String,
    /// The server's.
    key: SigningKey,
    script: Arc<Mutex<Script>>,
    /// Told when the request has come.
    asked: Arc<Notify>,
    clock: Clock,
    slept: RefCell<Vec<Duration>>,
    out: Out,
}

/// Standard output, which can be read before the run has ended.
#[derive(Clone, Default)]
struct Out(Arc<Mutex<Vec<u8>>>);

impl Out {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Ended {
    code: u8,
    out: String,
    err: String,
}

/// A server that has the person approve before the second poll.
async fn world() -> World {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = World::at(&format!("http://{}/shop", listener.local_addr().unwrap()));
    tokio::spawn(warp::serve(routes(&world)).incoming(listener).run());
    world
}

/// The stub's answer to everything.
fn routes(World { script, asked, .. }: &World) -> warp::filters::BoxedFilter<(http::Response<String>,)> {
    let script = Arc::clone(script);
    let asked = Arc::clone(asked);
    warp::path::full()
        .and(warp::header::headers_cloned())
        .and(warp::body::bytes())
        .then(move |path: warp::path::FullPath, headers, body: Bytes| {
            let (script, asked) = (Arc::clone(&script), Arc::clone(&asked));
            async move {
                let body = String::from_utf8(body.to_vec()).unwrap();
                let is_request = path.as_str() == "/shop/ask";
                let answer = answer(&script, Seen { path: path.as_str().to_owned(), headers, body });
                let hold = script.lock().unwrap().hold.clone();
                if is_request {
                    asked.notify_one();
                    if let Some(hold) = hold {
                        hold.notified().await;
                    }
                }
                answer
            }
        })
        .boxed()
}

fn answer(script: &Mutex<Script>, seen: Seen) -> http::Response<String> {
    let mut script = script.lock().unwrap();
    let (path, is_poll) = (seen.path.clone(), seen.body.contains("auth_req_id="));
    script.seen.push(seen);
    let next = |queue: &mut VecDeque<Reply>| if queue.len() > 1 { queue.pop_front() } else { queue.front().cloned() };
    let reply = match path.as_str() {
        "/shop/.well-known/openid-configuration" => script.metadata.clone(),
        "/shop/ask" => script.ask.clone(),
        "/shop/with-certificate" if is_poll => next(&mut script.polls).unwrap(),
        "/shop/with-certificate" => script.ask.clone(),
        "/shop/token" => next(&mut script.polls).unwrap(),
        "/shop/userinfo" => next(&mut script.userinfo).unwrap(),
        "/shop/jwks" => next(&mut script.keys).unwrap(),
        other => panic!("nobody should ask for {other}"),
    };
    let mut response = http::Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(reply.body).unwrap()
}

/// A token response for `till`, after `bend` changed what the access token and the ID token say.
fn tokens(issuer: &str, key: &SigningKey, bend: impl FnOnce(&mut Value, &mut Value)) -> Value {
    let mut access = json!({"iss": issuer});
    let mut id = json!({
        "iss": issuer, "sub": "248289761001", "aud": "till", "iat": START, "exp": START + 300, "name": "Alice",
    });
    bend(&mut access, &mut id);
    let access_token = jose::sign(key, &access).unwrap();
    id["at_hash"] = jose::half_hash(key.algorithm(), &access_token).into();
    json!({
        "access_token": access_token, "token_type": "Bearer", "expires_in": 300,
        "id_token": jose::sign(key, &id).unwrap(), "scope": "openid profile",
    })
}

impl World {
    fn at(issuer: &str) -> Self {
        let (key, _) = SigningKey::generate(Algorithm::ES256).unwrap();
        let metadata = json!({
            "issuer": issuer,
            "token_endpoint": format!("{issuer}/token"),
            "backchannel_authentication_endpoint": format!("{issuer}/ask"),
            "userinfo_endpoint": format!("{issuer}/userinfo?x=y"),
            "jwks_uri": format!("{issuer}/jwks"),
        });
        let script = Script {
            metadata: reply(200, &metadata),
            ask: reply(200, &json!({"auth_req_id": "id-1", "expires_in": 120, "interval": 5})),
            polls: [error("authorization_pending"), reply(200, &tokens(issuer, &key, |_, _| ()))].into(),
            userinfo: [reply(200, &json!({"sub": "248289761001", "email": "alice@example.com"}))].into(),
            keys: [reply(200, &json!({ "keys": [key.jwk()] }))].into(),
            hold: None,
            seen: Vec::new(),
        };
        Self {
            issuer: issuer.to_owned(),
            key,
            script: Arc::new(Mutex::new(script)),
            asked: Arc::default(),
            clock: Clock::manual(Timestamp::from_seconds(START)),
            slept: RefCell::default(),
            out: Out::default(),
        }
    }

    fn bend(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    fn bend_metadata(&self, change: impl FnOnce(&mut Value)) {
        self.bend(|script| {
            let mut metadata = serde_json::from_str(&script.metadata.body).unwrap();
            change(&mut metadata);
            script.metadata = reply(200, &metadata);
        });
    }

    fn plan(&self) -> Plan {
        let client = Client {
            http: Http::new(&Outbound::default()).unwrap(),
            clock: self.clock.clone(),
            random: Random::counting(),
            issuer: Issuer::parse(&self.issuer).unwrap(),
            client_id: "till".into(),
            credentials: Credentials::Basic(Secret::new("a secret")),
            request_signer: None,
            dpop: None,
            certificate: None,
        };
        let question = Question {
            hint: Hint::Login("alice".into()),
            scope: "openid profile".into(),
            binding_message: Some("KX-42".into()),
            requested_expiry: None,
            user_code: None,
            acr_values: None,
            authorization_details: None,
        };
        Plan { client, question, delivery: Delivery::Poll, userinfo: false }
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
        self.out.take();
        let mut err = Vec::new();
        let mut show = Show::plain(Box::new(self.out.clone()), Box::new(&mut err), json, false);
        let code = carry_out(plan, &mut show, sleep, interrupt).await;
        drop(show);
        Ended { code, out: self.out.take(), err: String::from_utf8(err).unwrap() }
    }

    fn slept(&self) -> u64 {
        self.slept.borrow().iter().sum::<Duration>().as_secs()
    }

    /// What was sent there, oldest first.
    fn sent(&self, path: &str) -> Vec<Seen> {
        self.script.lock().unwrap().seen.iter().filter(|seen| seen.path == path).cloned().collect()
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

/// Header and claims of a compact JWS, unverified.
fn parts(token: &str) -> (Value, Value) {
    let part = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let [header, claims, _] = token.split('.').collect::<Vec<_>>()[..] else { panic!("no JWS: {token}") };
    (part(header), part(claims))
}

/// Whether this key signed a compact JWS.
fn is_signed_by(key: &SigningKey, token: &str) -> bool {
    let key = jsonwebtoken::DecodingKey::from_jwk(key.jwk()).unwrap();
    let (header, _) = parts(token);
    let algorithm = header["alg"].as_str().unwrap().parse().unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, algorithm).unwrap()
}
