//! A whole flow: the loader is the client and the device service. It asks, is told as the device service, answers 201,
//! calls back with the bearer that it was given, and redeems. Each worker has a user of its own, so that it knows which
//! bearer is its.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

use super::{
    Result,
    http1::{self, Connection, post_form, post_json},
    load::{Worker, wrong},
    process::Server,
    world,
};

/// Who waits for the bearer of which user's request.
type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<String>>>>;

/// The device service.
pub(crate) struct Device {
    waiting: Waiting,
    task: JoinHandle<()>,
}

impl Device {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind(world::DEVICE).await?;
        let waiting = Waiting::default();
        let task = {
            let waiting = Arc::clone(&waiting);
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&waiting)));
                }
            })
        };
        Ok(Self { waiting, task })
    }

    fn expect(&self, user: &str) -> oneshot::Receiver<String> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(user.to_owned(), sender);
        receiver
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, waiting: Waiting) -> Result<()> {
    #[derive(Deserialize)]
    struct Told {
        login_hint: String,
    }
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some((authorization, body)) = http1::request(&mut stream, &mut buffer).await? {
        let told: Told = serde_json::from_slice(&body)?;
        let bearer = authorization.strip_prefix("Bearer ").ok_or("no bearer")?.to_owned();
        stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n").await?;
        let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&told.login_hint);
        if let Some(waiting) = waiting {
            let _ = waiting.send(bearer);
        }
    }
    Ok(())
}

/// Where the steps of a flow go.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) authorize: String,
    pub(crate) callback: String,
    pub(crate) token: String,
}

impl Target {
    /// At the gateway.
    pub(crate) fn of_realm(realm: &str) -> Self {
        Self {
            authorize: format!("/{realm}/bc-authorize"),
            callback: format!("/{realm}/bc-authorize/callback"),
            token: format!("/{realm}/token"),
        }
    }
}

pub(crate) struct Flow {
    connection: Connection,
    device: Arc<Device>,
    target: Target,
    user: String,
    request: Vec<u8>,
}

impl Flow {
    pub(crate) async fn workers(
        server: &Server,
        count: usize,
        device: &Arc<Device>,
        target: &Target,
    ) -> Result<Vec<Self>> {
        let mut workers = Vec::new();
        for n in 0..count {
            let user = world::user(n);
            workers.push(Self {
                connection: Connection::open(server.address).await?,
                device: Arc::clone(device),
                target: target.clone(),
                request: post_form(&target.authorize, &world::authorize_form(&user)),
                user,
            });
        }
        Ok(workers)
    }
}

impl Worker for Flow {
    async fn step(&mut self) -> Result<()> {
        let Self { connection, device, target, user, request } = self;
        let (auth_req_id, bearer) = ask(connection, device, request, user).await?;
        approve(connection, &target.callback, &bearer).await?;
        let token = post_form(&target.token, &world::token_form(&auth_req_id));
        match connection.exchange(&token).await? {
            (200, body) => check(body, user).map(|_| ()),
            (status, body) => Err(wrong(status, body)),
        }
    }
}

/// Sends an authentication request for this user: the accepted one, and the bearer that the device service was given.
pub(crate) async fn ask(
    connection: &mut Connection,
    device: &Device,
    request: &[u8],
    user: &str,
) -> Result<(String, String)> {
    let bearer = device.expect(user);
    let auth_req_id = match connection.exchange(request).await? {
        (200, body) => world::auth_req_id(body)?,
        (status, body) => return Err(wrong(status, body)),
    };
    Ok((auth_req_id, bearer.await?))
}

/// Calls back as the device service.
pub(crate) async fn approve(connection: &mut Connection, callback: &str, bearer: &str) -> Result<()> {
    match connection.exchange(&post_json(callback, bearer, r#"{"status":"SUCCEED"}"#)).await? {
        (200, _) => Ok(()),
        (status, body) => Err(wrong(status, body)),
    }
}

/// Two JWTs, both for this user; the access token.
pub(crate) fn check(body: &[u8], user: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Tokens<'a> {
        access_token: &'a str,
        id_token: &'a str,
    }
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
    }
    let tokens: Tokens<'_> = serde_json::from_slice(body)?;
    for token in [tokens.access_token, tokens.id_token] {
        let claims = token.split('.').nth(1).ok_or("no JWT")?;
        let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?;
        if claims.sub != user {
            return Err("tokens for another user".into());
        }
    }
    Ok(tokens.access_token.to_owned())
}
