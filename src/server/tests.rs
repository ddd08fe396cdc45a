//! The accept loop with real sockets and short limits, around a warp filter as in production.

mod client_certificates;

use std::net::{Ipv4Addr, SocketAddr};

use arc_swap::ArcSwap;
use http::{StatusCode, Version};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        CipherSuite, ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
        version::{TLS12, TLS13},
    },
};
use warp::{Filter, Reply};

use super::*;
use crate::{
    config::ClientCertificates,
    http::{Http, Limit, Outbound},
    peer::Peer,
    secret::Digest,
};

/// Much longer than any limit that a test sets, much shorter than the defaults.
const LONG: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(150);

const HELLO: &[u8] = b"GET /hello HTTP/1.1\r\nhost: gateway\r\n\r\n";

/// A server, and what its `/held` waits for.
struct World {
    address: SocketAddr,
    release: Arc<Notify>,
    held: Arc<Notify>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<Stopped>,
}

impl World {
    async fn new(settings: Settings) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (release, held) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (stop, stopped) = oneshot::channel::<()>();
        let service = warp::service(filter(Arc::clone(&release), Arc::clone(&held)));
        let server = tokio::spawn(serve(listener, service, settings, async {
            let _ = stopped.await;
        }));
        Self { address, release, held, stop, server }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(self) -> Stopped {
        self.stop.send(()).unwrap();
        timeout(LONG, self.server).await.unwrap().unwrap()
    }
}

fn filter(
    release: Arc<Notify>,
    held: Arc<Notify>,
) -> impl Filter<Extract = (impl Reply,), Error = warp::Rejection> + Clone {
    let hello = warp::path!("hello").map(|| "hello");
    let peer = warp::path!("peer")
        .and(warp::ext::get::<Peer>())
        .map(|peer: Peer| peer.address.map(|address| address.to_string()).unwrap_or_default());
    let certificate = warp::path!("certificate").and(warp::ext::get::<Peer>()).map(|peer: Peer| shown(&peer));
    let panics = warp::path!("panic").map(|| -> &'static str { panic!("on purpose") });
    let waits = warp::path!("held").then(move || {
        let (release, held) = (Arc::clone(&release), Arc::clone(&held));
        async move {
            held.notify_one();
            release.notified().await;
            "released"
        }
    });
    hello.or(peer).or(certificate).or(panics).or(waits)
}

/// A certificate's digest, and how many came with it.
fn shown(peer: &Peer) -> String {
    let Some(presented) = &peer.certificate else { return "none".to_owned() };
    format!("{} {}", Digest::of(presented.leaf()).base64url(), presented.chain().len())
}

/// Reads until `end` or the end of the stream; nothing within [`LONG`] fails the test.
async fn read(stream: &mut (impl AsyncReadExt + Unpin), end: &str) -> String {
    let mut text = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&text).ends_with(end) || end.is_empty() {
            let mut buffer = [0; 4096];
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(n) => text.extend_from_slice(&buffer[..n]),
            }
        }
    };
    timeout(LONG, reading).await.expect("the connection should have been answered or closed");
    String::from_utf8(text).unwrap()
}

/// How long it takes until the server closes the connection without a word.
async fn cut_after(stream: &mut TcpStream) -> Duration {
    let start = Instant::now();
    assert_eq!(read(stream, "").await, "");
    start.elapsed()
}

fn within(limit: Duration, waited: Duration) {
    assert!(waited >= limit.mul_f32(0.9) && waited < limit + LONG / 2, "{waited:?} for a limit of {limit:?}");
}

// ---- time limits ----

#[tokio::test]
async fn a_silent_peer_is_cut() {
    let world = World::new(Settings { first_request: SHORT, ..Settings::default() }).await;
    within(SHORT, cut_after(&mut world.connect().await).await);
}

#[tokio::test]
async fn half_a_header_is_cut() {
    let world = World::new(Settings { first_request: SHORT, ..Settings::default() }).await;
    let mut stream = world.connect().await;
    stream.write_all(&HELLO[..20]).await.unwrap();
    within(SHORT, cut_after(&mut stream).await);
}

#[tokio::test]
async fn half_a_header_that_goes_on_and_on_is_cut() {
    let world = World::new(Settings { first_request: SHORT, ..Settings::default() }).await;
    let mut stream = world.connect().await;
    stream.write_all(b"GET /hello HTTP/1.1\r\n").await.unwrap();
    let start = Instant::now();
    while start.elapsed() < LONG && stream.write_all(b"x: y\r\n").await.is_ok() {
        tokio::time::sleep(SHORT / 10).await;
    }
    within(SHORT, start.elapsed());
}

#[tokio::test]
async fn half_of_the_second_header_is_cut_too() {
    let world = World::new(Settings { first_request: SHORT / 3, idle: SHORT, ..Settings::default() }).await;
    let mut stream = world.connect().await;
    stream.write_all(HELLO).await.unwrap();
    read(&mut stream, "hello").await;
    stream.write_all(&HELLO[..20]).await.unwrap();
    within(SHORT, cut_after(&mut stream).await);
}

#[tokio::test]
async fn keep_alive_works_until_it_is_idle() {
    let world = World::new(Settings { first_request: SHORT / 3, idle: SHORT * 2, ..Settings::default() }).await;
    let mut stream = world.connect().await;
    let start = Instant::now();
    while start.elapsed() < SHORT * 6 {
        stream.write_all(HELLO).await.unwrap();
        assert!(read(&mut stream, "hello").await.starts_with("HTTP/1.1 200"));
        tokio::time::sleep(SHORT / 2).await;
    }
    within(SHORT, cut_after(&mut stream).await);
}

#[tokio::test]
async fn a_request_may_take_longer_than_idle() {
    let world = World::new(Settings { first_request: SHORT / 3, idle: SHORT, ..Settings::default() }).await;
    let mut stream = world.connect().await;
    stream.write_all(b"GET /held HTTP/1.1\r\nhost: gateway\r\n\r\n").await.unwrap();
    tokio::time::sleep(SHORT * 2).await;
    world.release.notify_one();
    assert!(read(&mut stream, "").await.ends_with("released"), "answered, then closed");
}

// ---- other limits ----

#[tokio::test]
async fn the_connection_limit_holds() {
    let world = World::new(Settings { connections: 2, ..Settings::default() }).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = world.connect().await;
        stream.write_all(HELLO).await.unwrap();
        open.push(stream);
    }
    let mut third = open.pop().unwrap();
    for stream in &mut open {
        read(stream, "hello").await;
    }
    let mut buffer = [0; 1];
    assert!(timeout(SHORT, third.read(&mut buffer)).await.is_err(), "the third waits");
    drop(open.pop());
    assert!(read(&mut third, "hello").await.starts_with("HTTP/1.1 200"), "until another one has gone");
}

#[tokio::test]
async fn a_large_header_is_431() {
    let world = World::new(Settings::default()).await;
    // name, size of the value, status
    for (name, size, status) in [("just below", 16_000, 200), ("above", 16_400, 431), ("far above", 500_000, 431)] {
        let mut stream = world.connect().await;
        let request = format!("GET /hello HTTP/1.1\r\nhost: gateway\r\nx: {}\r\n\r\n", "y".repeat(size));
        // the server answers and closes before it has read a very large one
        let _ = stream.write_all(request.as_bytes()).await;
        let end = if status == 200 { "hello" } else { "\r\n\r\n" };
        assert!(read(&mut stream, end).await.starts_with(&format!("HTTP/1.1 {status}")), "{name}");
    }
}

#[tokio::test]
async fn a_panic_ends_its_connection_alone() {
    let world = World::new(Settings::default()).await;
    let mut stream = world.connect().await;
    stream.write_all(b"GET /panic HTTP/1.1\r\nhost: gateway\r\n\r\n").await.unwrap();
    assert_eq!(read(&mut stream, "").await, "");
    let mut stream = world.connect().await;
    stream.write_all(HELLO).await.unwrap();
    assert!(read(&mut stream, "hello").await.starts_with("HTTP/1.1 200"));
    drop(stream);
    assert_eq!(world.stop().await, Stopped::Drained);
}

// ---- the peer ----

#[tokio::test]
async fn the_peer_is_known_and_forwarded_addresses_are_believed_from_listed_proxies() {
    // name, listed, header, address
    for (name, listed, header, address) in [
        ("not listed", "192.0.2.0/24", "", "127.0.0.1"),
        ("not listed, spoofed", "192.0.2.0/24", "x-forwarded-for: 203.0.113.5\r\n", "127.0.0.1"),
        ("listed", "127.0.0.0/8", "x-forwarded-for: 203.0.113.5\r\n", "203.0.113.5"),
        ("listed, spoofed", "127.0.0.0/8", "x-forwarded-for: 1.1.1.1, 203.0.113.5\r\n", "203.0.113.5"),
    ] {
        let settings = Settings { trusted_proxies: vec![listed.parse().unwrap()], ..Settings::default() };
        let world = World::new(settings).await;
        let mut stream = world.connect().await;
        let request = format!("GET /peer HTTP/1.1\r\nhost: gateway\r\n{header}connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let reply = read(&mut stream, "").await;
        assert_eq!(reply.rsplit("\r\n").next(), Some(address), "{name}");
    }
}

// ---- stopping ----

#[tokio::test]
async fn a_stop_lets_a_request_finish() {
    let world = World::new(Settings::default()).await;
    let mut idle = world.connect().await;
    idle.write_all(HELLO).await.unwrap();
    read(&mut idle, "hello").await;
    let _fresh = world.connect().await;
    let mut stream = world.connect().await;
    stream.write_all(b"GET /held HTTP/1.1\r\nhost: gateway\r\n\r\n").await.unwrap();
    world.held.notified().await;
    let (address, release) = (world.address, Arc::clone(&world.release));
    let stopping = tokio::spawn(world.stop());
    assert_eq!(read(&mut idle, "").await, "", "an idle connection is closed at once");
    assert!(TcpStream::connect(address).await.is_err(), "the listener is gone");
    assert!(!stopping.is_finished());
    release.notify_one();
    let reply = read(&mut stream, "").await;
    assert!(reply.ends_with("released") && reply.contains("connection: close"), "{reply}");
    assert_eq!(stopping.await.unwrap(), Stopped::Drained);
}

#[tokio::test]
async fn a_stop_cuts_what_is_stuck_at_its_deadline() {
    let world = World::new(Settings { drain: SHORT, ..Settings::default() }).await;
    let mut stuck = world.connect().await;
    stuck.write_all(b"GET /held HTTP/1.1\r\nhost: gateway\r\n\r\n").await.unwrap();
    world.held.notified().await;
    let mut half = world.connect().await;
    half.write_all(&HELLO[..20]).await.unwrap();
    let start = Instant::now();
    assert_eq!(world.stop().await, Stopped::Cut(1), "half a header is not a request");
    within(SHORT, start.elapsed());
    assert_eq!(read(&mut stuck, "").await, "");
}

// ---- TLS ----

/// A certificate of its own for `localhost`, as PEM, with its key.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn tls_config((certificate, key): &(String, String), client_certificates: ClientCertificates) -> ServerConfig {
    tls::server_config(certificate.as_bytes(), key.as_bytes(), client_certificates).unwrap()
}

fn tls_settings(certificate: &(String, String)) -> Settings {
    let config = tls_config(certificate, ClientCertificates::None);
    Settings { tls: Some(Arc::new(ArcSwap::from_pointee(config))), ..Settings::default() }
}

/// A handshake as a client that trusts this certificate alone and offers this much alone.
async fn handshake(
    world: &World,
    trusted: &str,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&str],
    suites: impl Fn(CipherSuite) -> bool,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| suites(suite.suite()));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(ServerName::try_from("localhost").unwrap(), world.connect().await).await
}

#[tokio::test]
async fn a_handshake_has_a_time_limit() {
    let world = World::new(Settings { handshake: SHORT, ..tls_settings(&certificate()) }).await;
    let mut stream = world.connect().await;
    stream.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
    within(SHORT, cut_after(&mut stream).await);
}

#[tokio::test]
async fn a_silent_peer_is_cut_after_the_handshake_too() {
    let certificate = certificate();
    for alpn in ["http/1.1", "h2"] {
        let world = World::new(Settings { first_request: SHORT, ..tls_settings(&certificate) }).await;
        let mut stream = handshake(&world, &certificate.0, &[&TLS13], &[alpn], |_| true).await.unwrap();
        let start = Instant::now();
        let mut greeting = Vec::new(); // HTTP/2's settings
        let _ = timeout(LONG, stream.read_to_end(&mut greeting)).await.expect(alpn);
        within(SHORT, start.elapsed());
    }
}

#[tokio::test]
async fn table_of_handshakes() {
    let certificate = certificate();
    let world = World::new(tls_settings(&certificate)).await;
    let any = |_| true;
    let gcm = |suite| suite == CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    let chacha = |suite| suite == CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
    type Suites = fn(CipherSuite) -> bool;
    // name, version, ALPN offered, suites offered, version and ALPN agreed or nothing when refused
    let table: [(&str, &'static SupportedProtocolVersion, &[&str], Suites, Option<(ProtocolVersion, &str)>); 7] = [
        ("1.3, both", &TLS13, &["http/1.1", "h2"], any, Some((ProtocolVersion::TLSv1_3, "h2"))),
        ("1.3, HTTP/1.1", &TLS13, &["http/1.1"], any, Some((ProtocolVersion::TLSv1_3, "http/1.1"))),
        ("1.3, no ALPN", &TLS13, &[], any, Some((ProtocolVersion::TLSv1_3, ""))),
        ("1.3, none of ours", &TLS13, &["ftp"], any, None),
        ("1.2", &TLS12, &["h2"], any, Some((ProtocolVersion::TLSv1_2, "h2"))),
        ("1.2, AES-GCM", &TLS12, &["h2"], gcm, Some((ProtocolVersion::TLSv1_2, "h2"))),
        ("1.2, ChaCha20", &TLS12, &["h2"], chacha, None),
    ];
    for (name, version, alpn, suites, expected) in table {
        let stream = handshake(&world, &certificate.0, &[version], alpn, suites).await.ok();
        let agreed = stream.as_ref().map(|stream| {
            let session = stream.get_ref().1;
            let alpn = session.alpn_protocol().unwrap_or_default();
            (session.protocol_version().unwrap(), std::str::from_utf8(alpn).unwrap())
        });
        assert_eq!(agreed, expected, "{name}");
    }
}

#[tokio::test]
async fn a_usual_client_gets_http_2_and_its_address_is_known() {
    let certificate = certificate();
    let world = World::new(tls_settings(&certificate)).await;
    let outbound = Outbound { ca_certificates: vec![("test".into(), certificate.0.into())], ..Outbound::default() };
    let http = Http::new(&outbound).unwrap();
    let url = |path| format!("https://localhost:{}/{path}", world.address.port()).parse().unwrap();
    let reply = http.send(http.get(url("hello")), Limit::API).await.unwrap();
    assert_eq!((reply.version, reply.status), (Version::HTTP_2, StatusCode::OK));
    let large = http.get(url("hello")).header("x", "y".repeat(17_000));
    assert_eq!(http.send(large, Limit::API).await.unwrap().status, 431);
    assert!(http.send(http.get(url("panic")), Limit::API).await.is_err());
    assert_eq!(http.send(http.get(url("peer")), Limit::API).await.unwrap().body, "127.0.0.1");
}

#[tokio::test]
async fn http_2_closes_when_idle_and_finishes_requests_at_a_stop() {
    let certificate = certificate();
    let settings = Settings { first_request: SHORT / 3, idle: SHORT, ..tls_settings(&certificate) };
    let world = World::new(settings).await;
    let outbound = Outbound { ca_certificates: vec![("test".into(), certificate.0.into())], ..Outbound::default() };
    let http = Http::new(&outbound).unwrap();
    let url = format!("https://localhost:{}/held", world.address.port()).parse().unwrap();
    let (release, held) = (Arc::clone(&world.release), Arc::clone(&world.held));
    let request = tokio::spawn(async move { http.send(http.get(url), Limit::API).await.unwrap().body });
    held.notified().await;
    tokio::time::sleep(SHORT * 2).await; // idle, which the open stream survives
    let stopping = tokio::spawn(world.stop());
    tokio::task::yield_now().await;
    release.notify_one();
    assert_eq!(request.await.unwrap(), "released");
    assert_eq!(stopping.await.unwrap(), Stopped::Drained);
}

#[tokio::test]
async fn an_http_2_peer_that_is_gone_does_not_delay_a_stop() {
    let certificate = certificate();
    let world = World::new(tls_settings(&certificate)).await;
    let mut stream = handshake(&world, &certificate.0, &[&TLS13], &["h2"], |_| true).await.unwrap();
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    // HEADERS, the stream's and the header's last, of HPACK's `GET`, `https`, `/` and `:authority: localhost`
    let get = [&[0, 0, 14, 1, 5, 0, 0, 0, 1, 0x82, 0x87, 0x84, 0x41, 9], b"localhost".as_slice()].concat();
    stream.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &settings, &get].concat()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(&[0, 0, 0, 0, 1]) && !answer.windows(9).any(|frame| frame[3] == 1 && frame[8] == 1) {
        let mut buffer = [0; 4096];
        let read = timeout(LONG, stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(read > 0, "the request is answered: {answer:?}");
        answer.extend_from_slice(&buffer[..read]);
    }
    // from now on it reads nothing and says nothing
    assert_eq!(world.stop().await, Stopped::Drained);
}

#[tokio::test]
async fn new_connections_see_a_swapped_certificate() {
    let (old, new) = (certificate(), certificate());
    let settings = tls_settings(&old);
    let swap = settings.tls.clone().unwrap();
    let world = World::new(settings).await;
    let mut before = handshake(&world, &old.0, &[&TLS13], &["http/1.1"], |_| true).await.unwrap();
    swap.store(Arc::new(tls_config(&new, ClientCertificates::None)));
    assert!(handshake(&world, &old.0, &[&TLS13], &["http/1.1"], |_| true).await.is_err());
    assert!(handshake(&world, &new.0, &[&TLS13], &["http/1.1"], |_| true).await.is_ok());
    before.write_all(HELLO).await.unwrap();
    assert!(read(&mut before, "hello").await.starts_with("HTTP/1.1 200"), "old connections go on");
}

#[test]
fn table_of_tls_faults() {
    let (one, other) = (certificate(), certificate());
    // certificate, key, the sentence
    let table: [(&str, &str, &str); 5] = [
        ("", &one.1, "the certificate file holds no certificate"),
        (&one.1, &one.1, "the certificate file holds no certificate"),
        (&one.0, "", "the private key file holds no private key in PEM (PKCS#8, PKCS#1 or SEC1)"),
        (&one.0, &one.0, "the private key file holds no private key in PEM (PKCS#8, PKCS#1 or SEC1)"),
        (&one.0, &other.1, "the private key is not the certificate's"),
    ];
    for (certificate, key, sentence) in table {
        let fault = tls::server_config(certificate.as_bytes(), key.as_bytes(), ClientCertificates::None).unwrap_err();
        assert_eq!(fault.to_string(), sentence);
    }
}
