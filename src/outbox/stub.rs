//! For tests: a server on loopback that keeps what it receives and answers as it is told.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use url::Url;

use crate::clock::Clock;

pub(crate) struct Stub {
    pub(crate) url: Url,
    received: mpsc::UnboundedReceiver<Received>,
}

/// A request, in the order of arrival.
#[derive(Debug)]
pub(crate) struct Received {
    /// Method and path.
    pub(crate) line: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What the server does with a request.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// With a body of this many bytes.
    Status(u16, usize),
    RedirectToItself,
    Never,
}

impl Stub {
    /// The first request gets the first answer, and so on; all after the last get the last.
    pub(crate) async fn answering(answers: &'static [Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap()).parse().unwrap();
        let (sender, received) = mpsc::unbounded_channel();
        let count = Arc::new(AtomicUsize::new(0));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answers, Arc::clone(&count), sender.clone()));
            }
        });
        Self { url, received }
    }

    /// The next request.
    pub(crate) async fn next(&mut self) -> Received {
        let next = tokio::time::timeout(std::time::Duration::from_secs(10), self.received.recv());
        next.await.expect("no request within 10 s").unwrap()
    }

    /// The next request, which comes when enough time has passed on this manual clock.
    pub(crate) async fn next_as_time_passes(&mut self, clock: &Clock) -> Received {
        for _ in 0..1000 {
            let short = std::time::Duration::from_millis(10);
            if let Ok(received) = tokio::time::timeout(short, self.received.recv()).await {
                return received.unwrap();
            }
            clock.advance(std::time::Duration::from_millis(250));
        }
        panic!("no request within 250 s of the clock");
    }

    /// What has been received by now and was not yet taken out.
    pub(crate) fn rest(&mut self) -> usize {
        std::iter::from_fn(|| self.received.try_recv().ok()).count()
    }
}

async fn serve(
    stream: TcpStream,
    answers: &'static [Answer],
    count: Arc<AtomicUsize>,
    sender: mpsc::UnboundedSender<Received>,
) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        let number = count.fetch_add(1, Ordering::SeqCst);
        if sender.send(request).is_err() {
            return;
        }
        let answer = match answers[number.min(answers.len() - 1)] {
            Answer::Status(status, size) => {
                format!("HTTP/1.1 {status} -\r\ncontent-length: {size}\r\n\r\n{}", "x".repeat(size))
            }
            Answer::RedirectToItself => "HTTP/1.1 307 -\r\nlocation: /hook\r\ncontent-length: 0\r\n\r\n".to_owned(),
            Answer::Never => std::future::pending().await,
        };
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut headers = http::HeaderMap::new();
    for line in &lines[1..] {
        let (name, value) = line.split_once(": ")?;
        headers.append(http::HeaderName::from_bytes(name.as_bytes()).ok()?, value.parse().ok()?);
    }
    let mut body = vec![0; headers.get("content-length")?.to_str().ok()?.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    Some(Received { line: lines[0].trim_end_matches(" HTTP/1.1").to_owned(), headers, body })
}
