//! For tests: a server on the loopback interface that answers what it is told, broken answers included.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::caller::Caller;
use crate::{
    clock::{Clock, Timestamp},
    event::{Audit, Events},
    http::{Http, Limit, Outbound},
};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    pub head: String,
    pub body: String,
}

impl Seen {
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// The query's parameter, decoded.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?').map(|(_, query)| query).unwrap_or_default();
        form(query, name)
    }

    pub(super) fn form(&self, name: &str) -> Option<String> {
        form(&self.body, name)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|line| line.split_once(": ")).find(|(n, _)| *n == name).map(|(_, value)| value)
    }
}

fn form(pairs: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(pairs.as_bytes()).find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
}

#[derive(Clone, Debug)]
pub(super) enum Reply {
    Json(u16, serde_json::Value),
    Text(String),
    Redirect(String),
    /// One byte now and then, without an end.
    Drip,
    /// Half of what `Content-Length` promises.
    CutOff(String),
    Huge,
}

/// Answers until it is dropped.
pub(super) struct Stub {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Stub {
    pub(super) async fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (answer, all) = (Arc::new(answer), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&answer), Arc::clone(&all)));
            }
        });
        Self { address, seen, task }
    }

    pub(super) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn count(&self, path: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|seen| seen.path() == path).count()
    }

    pub(super) fn last(&self, path: &str) -> Seen {
        self.seen.lock().unwrap().iter().rfind(|seen| seen.path() == path).unwrap().clone()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<impl Fn(&Seen) -> Reply + Send + Sync>, all: Arc<Mutex<Vec<Seen>>>) {
    let Some(seen) = read(&mut stream).await else { return };
    let reply = answer(&seen);
    all.lock().unwrap().push(seen);
    let with = |status: u16, headers: &str, body: &str| {
        format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
    };
    let json = "content-type: application/json\r\n";
    let text = match reply {
        Reply::Json(status, value) => with(status, json, &value.to_string()),
        Reply::Text(text) => with(200, json, &text),
        Reply::Redirect(to) => with(302, &format!("location: {to}\r\n"), ""),
        Reply::Huge => with(200, json, &format!("\"{}\"", "x".repeat(300 * 1024))),
        Reply::CutOff(text) => {
            let length = text.len() * 2;
            format!("HTTP/1.1 200 x\r\nconnection: close\r\ncontent-length: {length}\r\n{json}\r\n{text}")
        }
        Reply::Drip => {
            let _ = stream.write_all(format!("HTTP/1.1 200 x\r\ncontent-length: 1000\r\n{json}\r\n").as_bytes()).await;
            for _ in 0..150 {
                tokio::time::sleep(Duration::from_millis(20)).await;
                if stream.write_all(b" ").await.is_err() {
                    break;
                }
            }
            return;
        }
    };
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let n = stream.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        if body.len() >= length {
            let mut words = head.split(' ');
            let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
            return Some(Seen { method, target, head: head.to_owned(), body: body.to_owned() });
        }
    }
}

/// What tests begin with: 2026-11-24T12:00:00Z.
pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_795_521_600);

/// A caller that has time.
pub(super) fn caller(clock: &Clock) -> Caller {
    let http = Http::new(&Outbound::default()).unwrap();
    let caller = Caller::new("acme".into(), http, Events::new(Audit::Off, clock.clone()), clock.clone());
    Caller { limit: Limit { time: Duration::from_secs(20), ..Limit::API }, ..caller }
}

/// A caller that has not: for answers that never end.
pub(super) fn impatient(clock: &Clock) -> Caller {
    Caller { limit: Limit { time: Duration::from_secs(1), ..Limit::API }, ..caller(clock) }
}
