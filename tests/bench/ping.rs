//! Pings (CIBA Core 10.2) while some notification endpoints accept connections and never answer. Decisions come at a steady
//! rate, spread over all clients; what is measured is the time from the moment at which the device service's callback is sent
//! to the ping at an endpoint that lives.

use std::{
    collections::HashMap,
    fmt::Write,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{interval, sleep, sleep_until},
};

use super::{
    Result,
    flow::{self, Device, Target},
    http1::{self, Connection, post_form},
    process::Server,
    run::Bench,
    world::{self, World},
};

/// Each with an endpoint of its own; three of ten are dead.
pub(crate) const CLIENTS: usize = 100;
pub(crate) const DEAD: usize = 30;
/// Decisions a second.
pub(crate) const RATE: u32 = 500;
/// For the last pings, before they are missed.
const PATIENCE: Duration = Duration::from_secs(2);
const TOKEN: &str = "notification-token-0123456789abcdef";

/// What was seen of the endpoints that live.
pub(crate) struct Pings {
    /// Sorted.
    pub(crate) took: Vec<Duration>,
    pub(crate) missed: usize,
}

const fn is_dead(client: usize) -> bool {
    client % 10 < DEAD / 10
}

fn endpoint(client: usize) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(127, 0, 1, client as u8 + 1), world::NOTIFIED))
}

pub(crate) fn add_clients(world: &World) -> Result<()> {
    let mut clients = String::new();
    for n in 0..CLIENTS {
        write!(
            clients,
            "\n[[clients]]\nclient_id = \"ping-{n}\"\nclient_secret = \"bench-secret-0123456789\"\n\
             token_endpoint_auth_method = \"client_secret_post\"\nscope = \"openid profile\"\n\
             backchannel_token_delivery_mode = \"ping\"\n\
             backchannel_client_notification_endpoint = \"http://{}/ping\"\n",
            endpoint(n)
        )?;
    }
    world.add_clients("ping", &clients)
}

/// When which request's ping came.
type Received = Arc<Mutex<HashMap<String, Instant>>>;

/// All the notification endpoints; gone when dropped.
struct Endpoints {
    received: Received,
    /// Held for its drop.
    _listening: JoinSet<()>,
}

impl Endpoints {
    async fn start() -> Result<Self> {
        let received = Received::default();
        let mut listening = JoinSet::new();
        for client in 0..CLIENTS {
            let listener = TcpListener::bind(endpoint(client)).await?;
            let received = Arc::clone(&received);
            listening.spawn(async move {
                let mut silent = Vec::new();
                while let Ok((stream, _)) = listener.accept().await {
                    if is_dead(client) {
                        silent.push(stream);
                    } else {
                        tokio::spawn(receive(stream, Arc::clone(&received)));
                    }
                }
            });
        }
        Ok(Self { received, _listening: listening })
    }

    fn take(&self, auth_req_id: &str) -> Option<Instant> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).remove(auth_req_id)
    }
}

async fn receive(mut stream: TcpStream, received: Received) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some((authorization, body)) = http1::request(&mut stream, &mut buffer).await? {
        let now = Instant::now();
        if authorization.strip_prefix("Bearer ") == Some(TOKEN) {
            let auth_req_id = world::auth_req_id(&body)?;
            received.lock().unwrap_or_else(PoisonError::into_inner).insert(auth_req_id, now);
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
    }
    Ok(())
}

impl Bench<'_> {
    pub(super) async fn ping(&mut self, device: &Arc<Device>) -> Result<()> {
        let Some(path) = self.gateway else { return Ok(()) };
        let server = self.large.gateway(path).start()?;
        let endpoints = Endpoints::start().await?;
        let decided = self.decided(&server, device).await?;
        sleep(PATIENCE).await;
        let mut pings = Pings { took: Vec::new(), missed: 0 };
        for (auth_req_id, sent) in decided {
            match endpoints.take(&auth_req_id) {
                Some(received) => pings.took.push(received.saturating_duration_since(sent)),
                None => pings.missed += 1,
            }
        }
        pings.took.sort_unstable();
        self.report.ping(&pings)
    }

    /// Approves requests at the rate, for as long as all rounds of another measurement take: those whose client lives, and
    /// when the callback was sent.
    async fn decided(&self, server: &Server, device: &Arc<Device>) -> Result<Vec<(String, Instant)>> {
        let workers = self.args.connections;
        let count = (f64::from(RATE) * self.args.seconds * self.args.rounds as f64) as usize;
        let start = tokio::time::Instant::now() + Duration::from_millis(100);
        let mut running = JoinSet::<Result<Vec<_>>>::new();
        for first in 0..workers {
            let mut connection = Connection::open(server.address).await?;
            let (device, target) = (Arc::clone(device), Target::of_realm("ping"));
            running.spawn(async move {
                let mut decided = Vec::new();
                sleep_until(start + Duration::from_secs(1) * first as u32 / RATE).await;
                let mut ticks = interval(Duration::from_secs(1) * workers as u32 / RATE);
                for n in (first..count).step_by(workers) {
                    ticks.tick().await;
                    let (client, user) = (n % CLIENTS, world::user(n % world::USERS));
                    let request = post_form(&target.authorize, &form(client, &user));
                    let (auth_req_id, bearer) = flow::ask(&mut connection, &device, &request, &user).await?;
                    let sent = Instant::now();
                    flow::approve(&mut connection, &target.callback, &bearer).await?;
                    if !is_dead(client) {
                        decided.push((auth_req_id, sent));
                    }
                }
                Ok(decided)
            });
        }
        let mut all = Vec::new();
        for decided in running.join_all().await {
            all.append(&mut decided?);
        }
        Ok(all)
    }
}

fn form(client: usize, user: &str) -> String {
    format!(
        "client_id=ping-{client}&client_secret=bench-secret-0123456789&scope=openid+profile&login_hint={user}\
         &client_notification_token={TOKEN}"
    )
}
