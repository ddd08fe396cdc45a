//! Load on one server: workers that each do one thing after the other, as fast as the answers come.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{Result, http1::Connection, process::Server};

/// Before counting begins.
pub(crate) const WARM_UP: Duration = Duration::from_millis(500);
/// For one step; a server that hangs ends the bench.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) trait Worker: Send + 'static {
    /// One request, or one whole flow; an error is a wrong answer.
    fn step(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// What one round gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) per_second: f64,
    /// Processor time of the server for each step, in microseconds.
    pub(crate) cpu: f64,
    /// How much of its core the server used.
    pub(crate) busy: f64,
    /// How long a step took, in milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Runs the workers for so many seconds.
pub(crate) async fn measure<W: Worker>(workers: Vec<W>, server: &Server, seconds: f64) -> Result<Round> {
    let steps = Arc::new(AtomicU64::new(0));
    let from = Instant::now() + WARM_UP;
    let until = from + Duration::from_secs_f64(seconds);
    let mut running = JoinSet::<Result<Vec<Duration>>>::new();
    for mut worker in workers {
        let steps = Arc::clone(&steps);
        running.spawn(async move {
            let mut took = Vec::new();
            loop {
                let start = Instant::now();
                if start >= until {
                    return Ok(took);
                }
                match timeout(PATIENCE, worker.step()).await {
                    Ok(answered) => answered?,
                    Err(_) => return Err("no answer".into()),
                }
                steps.fetch_add(1, Ordering::Relaxed);
                if start >= from {
                    took.push(start.elapsed());
                }
            }
        });
    }
    let look = || -> Result<_> { Ok((Instant::now(), steps.load(Ordering::Relaxed), server.cpu()?)) };
    sleep(WARM_UP).await;
    let (start, steps_before, cpu_before) = look()?;
    sleep(until.saturating_duration_since(start)).await;
    let (end, steps_after, cpu_after) = look()?;
    let mut took = Vec::new();
    while let Some(worker) = running.join_next().await {
        took.append(&mut worker??);
    }
    took.sort_unstable();
    let elapsed = (end - start).as_secs_f64();
    let (steps, cpu) = ((steps_after - steps_before) as f64, cpu_after - cpu_before);
    Ok(Round {
        per_second: steps / elapsed,
        cpu: cpu * 1e6 / steps,
        busy: cpu / elapsed,
        p50: quantile(&took, 0.5),
        p99: quantile(&took, 0.99),
    })
}

/// Of sorted times, in milliseconds.
pub(crate) fn quantile(sorted: &[Duration], q: f64) -> f64 {
    let at = (sorted.len() as f64 * q) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).map_or(0.0, |took| took.as_secs_f64() * 1e3)
}

/// Sends prepared requests, one after the other, and checks each reply.
pub(crate) struct Repeat {
    connection: Connection,
    requests: Arc<Vec<Vec<u8>>>,
    next: usize,
    expected: (u16, &'static str),
}

impl Repeat {
    /// So many of them, each beginning at another request; a reply must have the status and hold the text.
    pub(crate) async fn workers(
        server: &Server,
        count: usize,
        requests: Vec<Vec<u8>>,
        expected: (u16, &'static str),
    ) -> Result<Vec<Self>> {
        let requests = Arc::new(requests);
        let mut workers = Vec::new();
        for n in 0..count {
            let connection = Connection::open(server.address).await?;
            let next = n * requests.len() / count;
            workers.push(Self { connection, requests: Arc::clone(&requests), next, expected });
        }
        Ok(workers)
    }
}

impl Worker for Repeat {
    async fn step(&mut self) -> Result<()> {
        let request = &self.requests[self.next % self.requests.len()];
        self.next += 1;
        exchange(&mut self.connection, request, self.expected).await
    }
}

/// Sends each of its requests once, for what must not be sent again.
pub(crate) struct Once {
    connection: Connection,
    requests: std::vec::IntoIter<Vec<u8>>,
    expected: (u16, &'static str),
}

impl Once {
    /// So many of them, which share the requests.
    pub(crate) async fn workers(
        server: &Server,
        count: usize,
        requests: impl IntoIterator<Item = Vec<u8>>,
        expected: (u16, &'static str),
    ) -> Result<Vec<Self>> {
        let mut workers = Vec::new();
        for share in shares(count, requests) {
            let connection = Connection::open(server.address).await?;
            workers.push(Self { connection, requests: share.into_iter(), expected });
        }
        Ok(workers)
    }
}

impl Worker for Once {
    async fn step(&mut self) -> Result<()> {
        let request = self.requests.next().ok_or("too few requests were prepared")?;
        exchange(&mut self.connection, &request, self.expected).await
    }
}

async fn exchange(connection: &mut Connection, request: &[u8], (expected, text): (u16, &str)) -> Result<()> {
    let (status, body) = connection.exchange(request).await?;
    let found = body.windows(text.len()).any(|part| part == text.as_bytes());
    if status == expected && found { Ok(()) } else { Err(wrong(status, body)) }
}

pub(crate) fn wrong(status: u16, body: &[u8]) -> super::BoxError {
    format!("a wrong reply: {status} {}", String::from_utf8_lossy(body)).into()
}

/// Sends each of the requests once and hands over the bodies of the replies.
pub(crate) async fn send_each(
    server: &Server,
    connections: usize,
    requests: impl IntoIterator<Item = Vec<u8>>,
) -> Result<Vec<String>> {
    let mut running = JoinSet::<Result<Vec<String>>>::new();
    for share in shares(connections, requests) {
        let mut connection = Connection::open(server.address).await?;
        running.spawn(async move {
            let mut bodies = Vec::with_capacity(share.len());
            for request in share {
                match connection.exchange(&request).await? {
                    (200, body) => bodies.push(String::from_utf8_lossy(body).into_owned()),
                    (status, body) => return Err(wrong(status, body)),
                }
            }
            Ok(bodies)
        });
    }
    let mut bodies = Vec::new();
    while let Some(share) = running.join_next().await {
        bodies.append(&mut share??);
    }
    Ok(bodies)
}

/// Deals them out.
fn shares(count: usize, requests: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<Vec<u8>>> {
    let mut shares = vec![Vec::new(); count];
    for (n, request) in requests.into_iter().enumerate() {
        shares[n % count].push(request);
    }
    shares
}
