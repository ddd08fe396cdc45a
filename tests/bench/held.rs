//! Long polling: ten thousand polls are held, each on a connection of its own, and some of their requests are decided. How
//! much memory a held poll takes, its connection included, and how soon after the decision it is answered with the tokens.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    task::{JoinHandle, JoinSet},
    time::sleep,
};

use super::{
    Result,
    flow::{self, Device, Target},
    http1::{Connection, post_form},
    load::wrong,
    process::Server,
    run::Bench,
    world,
};

pub(crate) const HELD: usize = 10_000;
/// One in ten is decided: so many at once, again and again.
const BURST: usize = 100;
const BURSTS: usize = 10;
const PAUSE: Duration = Duration::from_millis(100);
/// Until all polls have come in.
const SETTLE: Duration = Duration::from_secs(2);
/// Descriptors for the connections and the rest; the gateway leaves a quarter of its own for others than connections.
pub(crate) const OPEN_FILES: usize = 14_000;

/// What one server gave.
pub(crate) struct HeldPolls {
    /// Bytes for each.
    pub(crate) memory: f64,
    /// From the moment at which the device service's callback is sent to the poll's answer; sorted.
    pub(crate) woken: Vec<Duration>,
}

/// A request whose poll is held.
struct Waiting {
    bearer: String,
    answer: JoinHandle<Result<Instant>>,
}

impl Bench<'_> {
    pub(super) async fn held(&mut self, device: &Arc<Device>) -> Result<()> {
        let (control, gateway) = self.servers()?;
        let target = Target {
            authorize: "/flow-authorize".into(),
            callback: "/flow-callback".into(),
            token: "/flow-hold/ES256".into(),
        };
        let control = self.held_by(control, device, target).await?;
        let gateway = match gateway {
            Some(server) => Some(self.held_by(server, device, Target::of_realm("held")).await?),
            None => None,
        };
        self.report.held(&control, gateway.as_ref())
    }

    async fn held_by(&self, server: Server, device: &Arc<Device>, target: Target) -> Result<HeldPolls> {
        let requests = asked(&server, self.args.connections, device, &target).await?;
        let before = server.memory()?;
        let mut waiting = Vec::with_capacity(HELD);
        for (user, (auth_req_id, bearer)) in requests.into_iter().enumerate() {
            // one after the other: the operating system's queue is shorter
            let connection = Connection::open(server.address).await?;
            let poll = post_form(&target.token, &world::token_form(&auth_req_id));
            let answer = tokio::spawn(hold(connection, poll, world::user(user % world::USERS)));
            waiting.push(Waiting { bearer, answer });
        }
        sleep(SETTLE).await;
        let memory = server.memory()?.saturating_sub(before) as f64 / HELD as f64;
        if let Some(early) = waiting.iter().position(|poll| poll.answer.is_finished()) {
            waiting.swap_remove(early).answer.await??;
            return Err("a poll was answered before the decision".into());
        }
        let every = HELD / (BURST * BURSTS);
        let (mut decided, mut left) = (Vec::new(), Vec::new());
        for (n, poll) in waiting.into_iter().enumerate() {
            if n % every == 0 { decided.push(poll) } else { left.push(poll.answer) }
        }
        let woken = decide(&server, &target, decided).await?;
        for poll in left {
            poll.abort();
        }
        Ok(HeldPolls { memory, woken })
    }
}

/// So many accepted requests, of one user after the other.
async fn asked(
    server: &Server,
    connections: usize,
    device: &Arc<Device>,
    target: &Target,
) -> Result<Vec<(String, String)>> {
    let mut running = JoinSet::<Result<Vec<_>>>::new();
    for first in 0..connections {
        let mut connection = Connection::open(server.address).await?;
        let (device, authorize) = (Arc::clone(device), target.authorize.clone());
        running.spawn(async move {
            let mut asked = Vec::new();
            for n in (first..HELD).step_by(connections) {
                let user = world::user(n % world::USERS);
                let request = post_form(&authorize, &world::authorize_form(&user));
                asked.push((n, flow::ask(&mut connection, &device, &request, &user).await?));
            }
            Ok(asked)
        });
    }
    let mut all = Vec::with_capacity(HELD);
    for asked in running.join_all().await {
        all.append(&mut asked?);
    }
    all.sort_by_key(|(n, _)| *n);
    Ok(all.into_iter().map(|(_, asked)| asked).collect())
}

/// Polls, and returns when the answer is there.
async fn hold(mut connection: Connection, poll: Vec<u8>, user: String) -> Result<Instant> {
    match connection.exchange(&poll).await? {
        (200, body) => {
            let answered = Instant::now();
            flow::check(body, &user).map(|_| answered)
        }
        (status, body) => Err(wrong(status, body)),
    }
}

/// Approves them, in bursts.
async fn decide(server: &Server, target: &Target, waiting: Vec<Waiting>) -> Result<Vec<Duration>> {
    let mut callers = Vec::new();
    for _ in 0..BURST {
        callers.push(Connection::open(server.address).await?);
    }
    let mut woken = Vec::with_capacity(waiting.len());
    let mut waiting = waiting.into_iter();
    for _ in 0..BURSTS {
        sleep(PAUSE).await;
        let mut calls = Vec::new();
        for (mut caller, poll) in callers.drain(..).zip(&mut waiting) {
            let callback = target.callback.clone();
            calls.push(tokio::spawn(async move {
                let sent = Instant::now();
                flow::approve(&mut caller, &callback, &poll.bearer).await?;
                let answered = poll.answer.await??;
                Ok::<_, super::BoxError>((caller, answered.saturating_duration_since(sent)))
            }));
        }
        for call in calls {
            let (caller, took) = call.await??;
            callers.push(caller);
            woken.push(took);
        }
    }
    woken.sort_unstable();
    Ok(woken)
}
