//! What fuzz targets share: a gateway with one realm, asked over its routes, without a socket.

use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use realmgate::{
    clock::{Clock, Timestamp},
    config,
    event::{Audit, Events},
    gateway::{Gateway, Parts, Tables},
    http::{Http, Outbound},
    jose::RemoteKeys,
    keys::folder::StateFolder,
    outbox::{self, Outbox},
    random::Random,
    secret::Sealer,
    web::{self, Routes, Settings},
};
use serde_json::Value;
use tokio::runtime::Runtime;
use tower_service::Service;

pub const PUBLIC: &str = "http://127.0.0.1:8080";

/// The realm `master`. Nobody listens where its upstream is said to be.
const REALM: &str = include_str!("../realm.toml");

struct Served {
    runtime: Runtime,
    routes: Routes,
}

static SERVED: LazyLock<Served> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let routes = runtime.block_on(async { routes() });
    Served { runtime, routes }
});

fn routes() -> Routes {
    let state = tempfile::tempdir().expect("a folder");
    let (clock, random) = (Clock::manual(Timestamp::from_seconds(1_800_000_000)), Random::system());
    let events = Events::new(Audit::Off, clock.clone());
    let http = Http::new(&Outbound::default()).expect("a client");
    let folder = StateFolder::open(&state.path().join("state"), random.clone()).expect("a state folder");
    let sealing_key = folder.sealing_key().expect("a key");
    let gateway = Gateway::new(Parts {
        outbox: Outbox::start(http.clone(), events.clone(), clock.clone(), outbox::Limits::default()),
        sealer: Arc::new(Sealer::new(&sealing_key, random.clone()).expect("a sealer")),
        tables: Tables::in_memory(&clock),
        remote_keys: RemoteKeys::new(http.clone(), clock.clone()),
        state: folder,
        clock,
        sealing_key,
        random,
        events,
        http,
    });
    let realm = config::realm_from_toml("master", Path::new("realm.toml"), REALM, PUBLIC).expect("a sound realm");
    assert!(gateway.serve(vec![Arc::new(realm.expect("an enabled realm"))], &[]).is_empty());
    web::routes(Arc::new(gateway), Settings::default(), None)
}

/// An answer that has the shape that every answer must have.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Asks the gateway. A fault of the gateway is a panic.
pub fn ask(request: Request<&[u8]>) -> Answer {
    let Served { runtime, routes } = &*SERVED;
    let (head, body) = request.map(|body| Full::new(Bytes::copy_from_slice(body))).into_parts();
    let response = runtime.block_on(async {
        let Ok(response) = web::service(routes.clone()).call(Request::from_parts(head, body)).await;
        let (head, body) = response.into_parts();
        Response::from_parts(head, body.collect().await.expect("a body").to_bytes())
    });
    let (head, body) = response.into_parts();
    let answer = Answer { status: head.status.as_u16(), headers: head.headers, body };
    answer.judge();
    answer
}

impl Answer {
    fn judge(&self) {
        assert!(self.status < 500, "{}: {:?}", self.status, self.body);
        let content_type = self.headers.get(http::header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
        if self.status < 400 || content_type != Some(b"application/json") {
            return;
        }
        let body: Value = serde_json::from_slice(&self.body).expect("JSON");
        for (name, text) in body.as_object().expect("an object") {
            // OpenID CIBA Core 13
            assert!(["error", "error_description", "error_uri"].contains(&&**name), "{name}");
            let text = text.as_str().expect("a text");
            assert!(text.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{text}");
        }
    }
}
