//! A happy world: one gateway with realm `master`, a clock that stands still, people and a client that works.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, sync_channel},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, Full};
use realmgate::{
    ciba::decide::Decision,
    clock::{Clock, Timestamp},
    config,
    event::{Audit, Events, Line},
    gateway::{Gateway, Parts, Tables},
    http::{Http, Outbound},
    jose::RemoteKeys,
    keys::folder::StateFolder,
    outbox::{self, Outbox},
    peer::Peer,
    random::Random,
    realm::{
        SignIn,
        user::{Claims, Identity},
    },
    secret::{Digest, Sealer},
    store::Group,
    web::{self, Routes},
};
use serde_json::Value;
use tower_service::Service;

pub(crate) const CIBA: &str = "urn:openid:params:grant-type:ciba";
pub(crate) const PUBLIC: &str = "http://127.0.0.1:8080";

pub(crate) const REALM: &str = r#"
[upstream]
issuer = "https://login.example.com"
client_id = "realmgate"
client_secret = "upstream-secret"

[[lookups]]
kind = "static"
[[lookups.users]]
sub = "alice-sub"
preferred_username = "alice"
email = "alice@example.com"
name = "Alice Liddell"
[[lookups.users]]
sub = "bob-sub"
preferred_username = "bob"
email = "bob@example.com"
[[lookups.users]]
sub = "carol-sub"
preferred_username = "carol"
enabled = false
[[lookups.users]]
sub = "twin-1"
preferred_username = "twin-1"
email = "twin@example.com"
[[lookups.users]]
sub = "twin-2"
preferred_username = "twin-2"
email = "twin@example.com"
[[lookups.users]]
sub = "user-sub"
preferred_username = "user"
user_code = "PASSWORD_HASH"

[tokens]
signing_alg = "ES256"

[[clients]]
client_id = "till"
client_secret = "till secret: a+b%20c"
client_name = "Corner shop till"
scope = "openid profile email"
grant_types = ["urn:openid:params:grant-type:ciba", "refresh_token"]

[[clients]]
client_id = "post"
client_secret = "post-secret-0123456789"
token_endpoint_auth_method = "client_secret_post"
scope = "openid profile"
backchannel_user_code_parameter = true

[[clients]]
client_id = "off"
client_secret = "off-secret-0123456789"
token_endpoint_auth_method = "client_secret_post"
enabled = false

[[clients]]
client_id = "no-ciba"
client_secret = "none-secret-0123456789"
token_endpoint_auth_method = "client_secret_post"
grant_types = ["refresh_token"]
"#;

pub(crate) struct World {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) clock: Clock,
    pub(crate) routes: Routes,
    pub(crate) public: &'static str,
    audit: Mutex<Receiver<Line>>,
    _state: tempfile::TempDir,
}

/// How a world may differ from the happy one.
pub(crate) struct Build {
    pub(crate) settings: web::Settings,
    /// The public URL with the path prefix.
    pub(crate) public: &'static str,
    pub(crate) clock: Clock,
    pub(crate) outbox: outbox::Limits,
    /// Where clients' addresses may lead besides public ones.
    pub(crate) private_networks: &'static [&'static str],
}

impl Default for Build {
    fn default() -> Self {
        Self {
            settings: web::Settings::default(),
            public: PUBLIC,
            clock: Clock::manual(Timestamp::from_seconds(1_800_000_000)),
            outbox: outbox::Limits::default(),
            private_networks: &["127.0.0.0/8"],
        }
    }
}

/// An answer, read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// `200`, or status and error code such as `400 invalid_request`.
    pub(crate) fn brief(&self) -> String {
        match serde_json::from_str::<Value>(&self.text).ok().and_then(|v| Some(v.get("error")?.as_str()?.to_owned())) {
            Some(error) => format!("{} {error}", self.status),
            None => self.status.to_string(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The happy world with its realm file bent.
    pub(crate) async fn with(bend: impl FnOnce(&mut String)) -> Self {
        let mut text = realm_file();
        bend(&mut text);
        Self::of(&[("master", &text)], Build::default()).await
    }

    pub(crate) async fn of(realms: &[(&str, &str)], build: Build) -> Self {
        let Build { settings, public, clock, outbox, private_networks } = build;
        let state = tempfile::tempdir().unwrap();
        let random = Random::system();
        let (records, audit) = sync_channel(10_000);
        let events = Events::new(Audit::Queue(records), clock.clone());
        let private_networks = private_networks.iter().map(|network| network.parse().unwrap()).collect();
        let http = Http::new(&Outbound { private_networks, ..Outbound::default() }).unwrap();
        let folder = StateFolder::open(&state.path().join("state"), random.clone()).unwrap();
        let sealing_key = folder.sealing_key().unwrap();
        let parts = Parts {
            outbox: Outbox::start(http.clone(), events.clone(), clock.clone(), outbox),
            sealer: Arc::new(Sealer::new(&sealing_key, random.clone()).unwrap()),
            tables: Tables::in_memory(&clock),
            remote_keys: RemoteKeys::new(http.clone(), clock.clone()),
            state: folder,
            clock: clock.clone(),
            sealing_key,
            random,
            events,
            http,
        };
        let gateway = Arc::new(Gateway::new(parts));
        let routes = web::routes(Arc::clone(&gateway), settings, None);
        let world = Self { gateway, clock, routes, public, audit: Mutex::new(audit), _state: state };
        world.serve(realms);
        world
    }

    /// Reads these realm files instead of those before, as a reload does.
    pub(crate) fn serve(&self, realms: &[(&str, &str)]) {
        let read = |(name, text): &(&str, &str)| {
            let file = format!("realms/{name}.toml");
            match config::realm_from_toml(name, Path::new(&file), text, self.public) {
                Ok(Some(realm)) => Arc::new(realm),
                Ok(None) => panic!("{name} is disabled"),
                Err(faults) => panic!("{faults:#?}"),
            }
        };
        assert!(self.gateway.serve(realms.iter().map(read).collect(), &[]).is_empty());
    }

    /// The audit records since the last call.
    pub(crate) fn audited(&self) -> Vec<Value> {
        let lines = self.audit.lock().unwrap();
        let records = lines.try_iter().map(|line| match line {
            Line::Record(record) => serde_json::from_str(&record).unwrap(),
            Line::Written(_) => Value::Null,
        });
        records.collect()
    }

    /// The undecided requests of a realm.
    pub(crate) async fn pending(&self, realm: &str) -> usize {
        self.gateway.parts().tables.grants.count(&Group::Realm(realm.into())).await.unwrap()
    }

    /// The sessions of a realm's pages.
    pub(crate) async fn sessions(&self, realm: &str) -> usize {
        self.gateway.parts().tables.sessions.count(&Group::Realm(realm.into())).await.unwrap()
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Any request: `headers` as pairs, `body` as it is.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes().to_owned())).collect();
        self.send_bytes(method, path, &headers, body.as_bytes().to_owned()).await
    }

    /// The same of bytes that need not be text.
    pub(crate) async fn send_bytes(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, Vec<u8>)],
        body: Vec<u8>,
    ) -> Answer {
        self.send_as(None, method, path, headers, body).await
    }

    /// The same from somebody whose address or certificate is known.
    pub(crate) async fn send_as(
        &self,
        peer: Option<Peer>,
        method: &str,
        path: &str,
        headers: &[(&str, Vec<u8>)],
        body: Vec<u8>,
    ) -> Answer {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, value.as_slice());
        }
        if let Some(peer) = peer {
            request = request.extension(peer);
        }
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let response = web::service(self.routes.clone()).call(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// A form, without any authentication of its own.
    pub(crate) async fn form(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let form_type = (header::CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded");
        self.send("POST", path, &[form_type], &encode(form)).await
    }

    /// A form of client `post`.
    pub(crate) async fn as_post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let mut all = vec![("client_id", "post"), ("client_secret", "post-secret-0123456789")];
        all.extend(form);
        self.form(path, &all).await
    }

    /// A form of client `till`, which uses Basic.
    pub(crate) async fn as_till(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let headers = [
            (header::CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded"),
            (header::AUTHORIZATION.as_str(), &basic("till", "till secret: a+b%20c")),
        ];
        self.send("POST", path, &headers, &encode(form)).await
    }

    /// `till` asks `alice`; the `auth_req_id`.
    pub(crate) async fn ask_alice(&self) -> String {
        self.ask("alice").await
    }

    /// `till` asks `bob`; the `auth_req_id`.
    pub(crate) async fn ask_bob(&self) -> String {
        self.ask("bob").await
    }

    async fn ask(&self, hint: &str) -> String {
        let form = [("scope", "openid profile email"), ("login_hint", hint)];
        let answer = self.as_till("/master/bc-authorize", &form).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["auth_req_id"].as_str().unwrap().to_owned()
    }

    /// `till` polls.
    pub(crate) async fn poll(&self, auth_req_id: &str) -> Answer {
        self.as_till("/master/token", &[("grant_type", CIBA), ("auth_req_id", auth_req_id)]).await
    }

    /// `till` asks `alice`, who approves; the tokens.
    pub(crate) async fn tokens_of_alice(&self) -> Value {
        let id = self.ask_alice().await;
        self.decides("alice-sub", Decision::Approve).await;
        let answer = self.poll(&id).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// The same of `bob`.
    pub(crate) async fn tokens_of_bob(&self) -> Value {
        let id = self.ask_bob().await;
        self.decides("bob-sub", Decision::Approve).await;
        self.poll(&id).await.json()
    }

    /// `till` refreshes.
    pub(crate) async fn refresh(&self, token: &Value) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str().unwrap())];
        self.as_till("/master/token", &form).await
    }

    /// Userinfo with this token as a bearer's.
    pub(crate) async fn userinfo(&self, token: &Value) -> Answer {
        let bearer = format!("Bearer {}", token.as_str().unwrap());
        self.send("GET", "/master/userinfo", &[("authorization", &bearer)], "").await
    }

    /// The person signs in now and decides their one pending request.
    pub(crate) async fn decides(&self, sub: &str, decision: Decision) {
        let live = self.gateway.realm("master").unwrap();
        let person = self.signed_in(sub);
        let pending = live.decisions.pending_of(&person, self.clock.now()).await.unwrap();
        assert_eq!(pending.len(), 1, "pending requests of {sub}");
        let handle = &pending[0].request.handle;
        let shown = Digest::of(b"shown");
        live.decisions.by_person(handle, &person, decision, shown, self.clock.now()).await.unwrap();
    }

    /// Somebody who signed in at the upstream of `master` a moment ago.
    pub(crate) fn signed_in(&self, sub: &str) -> SignIn {
        let live = self.gateway.realm("master").unwrap();
        let iss = live.realm.upstream.as_ref().unwrap().issuer.as_str();
        SignIn {
            identity: Identity { iss: iss.into(), sub: sub.into() },
            claims: Claims { preferred_username: sub.strip_suffix("-sub").map(Into::into), ..Claims::default() },
            auth_time: self.clock.now().minus(Duration::from_secs(3)),
            acr: Some("1".into()),
            amr: vec!["pwd".into()],
        }
    }
}

pub(crate) fn encode(form: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

/// The claims of a JWT, not verified.
pub(crate) fn claims(token: &Value) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// RFC 6749 2.3.1: both parts form-encoded, then Basic.
pub(crate) fn basic(id: &str, secret: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let part = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", part(id), part(secret))))
}

/// The happy world's realm file.
pub(crate) fn realm_file() -> String {
    REALM.replace("PASSWORD_HASH", &password_hash())
}

/// `password`, hashed with the least that Argon2 takes, since tests hash often.
fn password_hash() -> String {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::SaltString};
    let params = Params::new(8, 1, 1, None).unwrap();
    let salt = SaltString::encode_b64(b"some salt for it").unwrap();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password(b"password", &salt).unwrap().to_string()
}
