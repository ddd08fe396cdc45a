//! Limits that the wire meets: 413, 408, 431, and bytes that are no HTTP.

use realmgate::random::Random;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::program::{Folder, Running, brief};

/// Sends these bytes, and reads the answer until the connection ends.
async fn raw(running: &Running, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(&running.address).await.unwrap();
    let _ = stream.write_all(bytes).await; // the answer may come before all is sent
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(length: usize, body: &str) -> String {
    let form = "content-type: application/x-www-form-urlencoded";
    format!(
        "POST /master/token HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{form}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

#[track_caller]
fn is_error(answer: &str, status: u16, code: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    let head = head.to_lowercase();
    assert!(head.contains("content-type: application/json") && head.contains("cache-control: no-store"), "{answer}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["error"], code);
    assert!(body["error_description"].is_string());
}

#[tokio::test]
async fn a_body_that_is_too_large() {
    let folder = Folder::new("");
    let running = folder.serve();
    is_error(&raw(&running, post(70_000, &"a".repeat(70_000)).as_bytes()).await, 413, "invalid_request");
    let chunked = post(0, "").replace("content-length: 0\r\n\r\n", "transfer-encoding: chunked\r\n\r\n");
    let chunks = format!("2710\r\n{}\r\n", "a".repeat(10_000)).repeat(7);
    is_error(&raw(&running, format!("{chunked}{chunks}0\r\n\r\n").as_bytes()).await, 413, "invalid_request");
    let value = "a".repeat(70_000);
    let answer = running.till("/master/bc-authorize", &[("scope", "openid"), ("login_hint", &value)]).await;
    assert_eq!(brief(&answer), "413 invalid_request");
}

#[tokio::test]
async fn h27_a_body_that_does_not_come() {
    let folder = Folder::new("");
    let running = folder.serve();
    is_error(&raw(&running, post(100, "grant_type=").as_bytes()).await, 408, "invalid_request");
}

#[tokio::test]
async fn h28_a_header_that_is_too_large() {
    let folder = Folder::new("");
    let running = folder.serve();
    let request = format!("GET /master/jwks HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(20_000));
    let answer = raw(&running, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "nothing of it comes back: {answer}");
}

#[tokio::test]
async fn bytes_that_are_no_http() {
    let folder = Folder::new("");
    let running = folder.serve();
    let random = Random::counting();
    for number in 0..200 {
        let mut bytes: Vec<u8> = (0..8).flat_map(|_| random.bytes::<32>().unwrap()).collect();
        match number % 4 {
            0 => bytes.extend(b"\r\n\r\n"),
            1 => bytes.splice(0..0, *b"POST /master/token HTTP/1.1\r\n").for_each(drop),
            2 => bytes.splice(0..0, *b"GET / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").for_each(drop),
            _ => {}
        }
        let mut stream = TcpStream::connect(&running.address).await.unwrap();
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{number}: {answer}");
    }
    assert_eq!(brief(&running.ask().await), "200");
    assert!(!running.log().contains("panic"), "{}", running.log());
}
