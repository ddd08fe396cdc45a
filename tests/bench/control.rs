//! The control: bare warp in the gateway's own accept loop. It does the calls that the gateway cannot do without, and
//! nothing else: no client authentication, no lookup, no state machine, no policy, no log.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use jsonwebtoken::{DecodingKey, crypto};
use moka::{ops::compute::Op, sync::Cache};
use realmgate::{
    clock::Clock,
    http::{Http, Limit, Outbound},
    jose,
    keys::{Algorithm, KeySet, SigningKey},
    oauth::Params,
    random::Random,
    secret::Secret,
    server,
};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;
use url::Url;
use warp::{Filter, Reply, filters::BoxedFilter, reply::Response};

use super::Result;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    listen: SocketAddr,
    /// Keys (RS256.pem, ES256.pem) to sign with; without them the whole flow is not served
    #[arg(long, requires = "device")]
    keys: Option<PathBuf>,
    /// The device service
    #[arg(long)]
    device: Option<Url>,
}

/// 200 bytes of JSON.
const REPLY: &str = concat!(
    r#"{"error":"authorization_pending","error_description":"#,
    r#""a reply of two hundred bytes, which is what the replies of a token endpoint to a poll or to "#,
    r#"an authentication request have at the most. 01234567"}"#
);
/// What introspection says of an access token.
const INTROSPECTION: &str = concat!(
    r#"{"exp":1790000300,"iat":1790000000,"auth_time":1790000000,"jti":"8a8a2a6e-3e43-4f6c-9d7b-0a3d5cf3a6b1","#,
    r#""iss":"http://127.0.0.1:28180/es256","aud":"http://127.0.0.1:28180/es256","sub":"user-1000","typ":"Bearer","#,
    r#""azp":"bench","sid":"q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA","scope":"openid profile","#,
    r#""preferred_username":"user-1000","client_id":"bench","token_type":"Bearer","active":true,"username":"user-1000"}"#
);
const USERINFO: &str = r#"{"sub":"user-1000","preferred_username":"user-1000"}"#;
const LIFE: Duration = Duration::from_secs(120);

/// What the whole flow remembers of a request.
#[derive(Clone)]
struct Record {
    client_id: String,
    sub: String,
    scope: String,
    approved: bool,
}

struct Flow {
    keys: KeySet,
    /// The public key of `ES256.pem`, which clients sign with.
    of_clients: DecodingKey,
    http: Http,
    device: Url,
}

struct Control {
    random: Random,
    clock: Clock,
    records: Cache<String, Arc<Record>>,
    /// Polls that are held, by their request.
    held: Mutex<HashMap<String, oneshot::Sender<()>>>,
    flow: Option<Flow>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let flow = match (&args.keys, &args.device) {
        (Some(keys), Some(device)) => {
            let keys = read_keys(keys)?;
            let of_clients = DecodingKey::from_jwk(keys.for_algorithm(Algorithm::ES256)?.jwk())?;
            Some(Flow { keys, of_clients, http: Http::new(&Outbound::default())?, device: device.clone() })
        }
        _ => None,
    };
    let control = Control {
        random: Random::system(),
        clock: Clock::system(),
        records: Cache::builder().time_to_live(LIFE).build(),
        held: Mutex::default(),
        flow,
    };
    control.random.identifier()?; // the first one may have to wait for a seed
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(args.listen).await?;
        let service = warp::service(routes(Arc::new(control)));
        server::serve(listener, service, server::Settings::default(), std::future::pending()).await;
        Ok(())
    })
}

impl Control {
    fn held(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<()>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_keys(folder: &Path) -> Result<KeySet> {
    let read = |algorithm: Algorithm| -> Result<_> {
        let pem = Secret::new(std::fs::read_to_string(folder.join(format!("{algorithm}.pem")))?);
        Ok(Arc::new(SigningKey::from_pem(algorithm, &pem)?))
    };
    Ok(KeySet::new(vec![read(Algorithm::RS256)?, read(Algorithm::ES256)?]))
}

fn routes(control: Arc<Control>) -> BoxedFilter<(Response,)> {
    let with = {
        let control = Arc::clone(&control);
        warp::any().map(move || Arc::clone(&control))
    };
    let body = || warp::post().and(warp::body::bytes()).and(with.clone());
    let ready = warp::path!("ready").map(|| json_reply("{}".to_owned()));
    let form = warp::path!("form").and(body()).map(|body: Bytes, _: Arc<Control>| answer(form(&body)));
    let verify =
        warp::path!("verify").and(body()).map(|body: Bytes, control: Arc<Control>| answer(verify(&control, &body)));
    let introspect = warp::path!("introspect").and(body()).map(|body: Bytes, _| answer(introspect(&body)));
    let userinfo = warp::path!("userinfo")
        .and(warp::get())
        .and(warp::header("authorization"))
        .map(|authorization: String| answer(userinfo(&authorization)));
    let insert =
        warp::path!("insert").and(body()).map(|body: Bytes, control: Arc<Control>| answer(insert(&control, &body)));
    let authorize = warp::path!("flow-authorize")
        .and(body())
        .then(|body: Bytes, control: Arc<Control>| async move { answer(authorize(&control, &body).await) });
    let callback = warp::path!("flow-callback")
        .and(warp::header("authorization"))
        .and(body())
        .map(|bearer: String, body: Bytes, control: Arc<Control>| answer(callback(&control, &bearer, &body)));
    let token = warp::path!("flow-token" / Algorithm)
        .and(body())
        .map(|algorithm, body: Bytes, control: Arc<Control>| answer(token(&control, algorithm, &body)));
    let hold = warp::path!("flow-hold" / Algorithm).and(body()).then(
        |algorithm, body: Bytes, control: Arc<Control>| async move { answer(hold(&control, algorithm, &body).await) },
    );
    let simple =
        ready.or(form).unify().or(verify).unify().or(introspect).unify().or(userinfo).unify().or(insert).unify();
    simple.or(authorize).unify().or(callback).unify().or(token).unify().or(hold).unify().boxed()
}

fn answer(result: Result<String>) -> Response {
    result.map_or_else(
        |error| warp::reply::with_status(error.to_string(), StatusCode::BAD_REQUEST).into_response(),
        json_reply,
    )
}

fn json_reply(body: String) -> Response {
    warp::reply::with_header(body, "content-type", "application/json").into_response()
}

fn parse(body: &[u8]) -> Result<Params> {
    Params::parse(body).map_err(|_| "not a form".into())
}

fn form(body: &[u8]) -> Result<String> {
    parse(body)?;
    Ok(REPLY.to_owned())
}

/// Parses, and verifies the client's signature.
fn verify(control: &Control, body: &[u8]) -> Result<String> {
    let flow = control.flow.as_ref().ok_or("no keys")?;
    let params = parse(body)?;
    let assertion = params.get("client_assertion").ok_or("no client_assertion")?;
    let (message, signature) = assertion.rsplit_once('.').ok_or("no JWS")?;
    let verified = crypto::verify(signature, message.as_bytes(), &flow.of_clients, jsonwebtoken::Algorithm::ES256)?;
    if verified { Ok(REPLY.to_owned()) } else { Err("a wrong signature".into()) }
}

fn introspect(body: &[u8]) -> Result<String> {
    parse(body)?.get("token").ok_or("no token")?;
    Ok(INTROSPECTION.to_owned())
}

fn userinfo(authorization: &str) -> Result<String> {
    authorization.strip_prefix("Bearer ").ok_or("no bearer")?;
    Ok(USERINFO.to_owned())
}

/// Parses, draws 32 random bytes and keeps a record under them.
fn insert(control: &Control, body: &[u8]) -> Result<String> {
    let (id, _) = keep(control, body)?;
    Ok(acknowledgement(&id))
}

fn keep(control: &Control, body: &[u8]) -> Result<(String, Arc<Record>)> {
    let params = parse(body)?;
    let param = |name| params.get(name).map(str::to_owned).ok_or("a parameter is missing");
    let record = Arc::new(Record {
        client_id: param("client_id")?,
        sub: param("login_hint")?,
        scope: param("scope")?,
        approved: false,
    });
    let id = control.random.identifier()?;
    control.records.insert(id.clone(), Arc::clone(&record));
    Ok((id, record))
}

fn acknowledgement(id: &str) -> String {
    json!({ "auth_req_id": id, "expires_in": LIFE.as_secs(), "interval": 5 }).to_string()
}

/// As [`insert`], and tells the device service.
async fn authorize(control: &Control, body: &[u8]) -> Result<String> {
    let flow = control.flow.as_ref().ok_or("no keys")?;
    let (id, record) = keep(control, body)?;
    let told = json!({ "scope": record.scope, "login_hint": record.sub, "is_consent_required": false });
    let request = flow.http.post(flow.device.clone()).bearer_auth(&id).json(&told);
    let reply = flow.http.send(request, Limit::DELIVERY).await?;
    if reply.status != StatusCode::CREATED {
        return Err("the device service refused".into());
    }
    Ok(acknowledgement(&id))
}

/// The device service's decision: parses JSON, updates the record and wakes the poll that waits for it.
fn callback(control: &Control, authorization: &str, body: &[u8]) -> Result<String> {
    #[derive(Deserialize)]
    struct Decision {
        status: String,
    }
    let id = authorization.strip_prefix("Bearer ").ok_or("no bearer")?;
    let decision: Decision = serde_json::from_slice(body)?;
    let mut found = false;
    control.records.entry_by_ref(id).and_compute_with(|entry| {
        let Some(record) = entry.map(|entry| entry.into_value()) else { return Op::Nop };
        found = true;
        Op::Put(Arc::new(Record { approved: decision.status == "SUCCEED", ..(*record).clone() }))
    });
    if let Some(held) = control.held().remove(id) {
        let _ = held.send(());
    }
    if found { Ok("{}".to_owned()) } else { Err("unknown".into()) }
}

/// Waits for the decision, then does as [`token`].
async fn hold(control: &Control, algorithm: Algorithm, body: &[u8]) -> Result<String> {
    let (sender, decided) = oneshot::channel();
    let auth_req_id = parse(body)?.get("auth_req_id").ok_or("no auth_req_id")?.to_owned();
    control.held().insert(auth_req_id, sender);
    decided.await?;
    token(control, algorithm, body)
}

/// Takes the record out, once, and signs two tokens.
fn token(control: &Control, algorithm: Algorithm, body: &[u8]) -> Result<String> {
    let flow = control.flow.as_ref().ok_or("no keys")?;
    let params = parse(body)?;
    let mut taken = None;
    control.records.entry_by_ref(params.get("auth_req_id").ok_or("no auth_req_id")?).and_compute_with(|entry| {
        match entry.map(|entry| entry.into_value()) {
            Some(record) if record.approved => {
                taken = Some(record);
                Op::Remove
            }
            _ => Op::Nop,
        }
    });
    let record = taken.ok_or("not approved")?;
    let key = flow.keys.for_algorithm(algorithm)?;
    let now = control.clock.now().seconds();
    let claims = |typ: &str, aud: &str| {
        json!({
            "iss": "http://127.0.0.1:28180/es256", "sub": record.sub, "aud": aud, "azp": record.client_id, "typ": typ,
            "iat": now, "exp": now + 300, "auth_time": now, "jti": "8a8a2a6e-3e43-4f6c-9d7b-0a3d5cf3a6b1",
            "sid": "8a8a2a6e-3e43-4f6c-9d7b-0a3d5cf3a6b2", "scope": record.scope,
        })
    };
    let access_token = jose::sign(key, &claims("Bearer", "account"))?;
    let id_token = jose::sign(key, &claims("ID", &record.client_id))?;
    Ok(json!({
        "access_token": access_token, "id_token": id_token, "token_type": "Bearer", "expires_in": 300, "scope": record.scope,
    })
    .to_string())
}
