//! `client_certificates = "optional"`: what is asked for, what is taken, and that neither a reload, nor a resumed session,
//! nor a proxy's header loses or forges it.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::rustls::{
    HandshakeKind, SignatureScheme, client::ResolvesClientCert, crypto::aws_lc_rs::sign::any_supported_type,
    pki_types::PrivateKeyDer, sign::CertifiedKey,
};

use super::*;

/// A client that shows this whenever it is asked for a certificate.
#[derive(Debug)]
struct Client {
    certified: Option<Arc<CertifiedKey>>,
    asked: AtomicUsize,
    hints: AtomicUsize,
}

impl ResolvesClientCert for Client {
    fn resolve(&self, hints: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.hints.fetch_add(hints.len(), Ordering::SeqCst);
        self.certified.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl Client {
    fn new(certified: Option<CertifiedKey>) -> Arc<Self> {
        Arc::new(Self { certified: certified.map(Arc::new), asked: AtomicUsize::new(0), hints: AtomicUsize::new(0) })
    }

    /// How often it was asked.
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// One connection after the other can go on with the same session.
    fn config(self: &Arc<Self>, trusted: &str, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesClientCert>);
        Arc::new(config)
    }
}

fn certified(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> CertifiedKey {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    CertifiedKey::new(chain, any_supported_type(&key).unwrap())
}

fn self_signed(key: &KeyPair) -> CertificateDer<'static> {
    CertificateParams::new(["till".to_owned()]).unwrap().self_signed(key).unwrap().der().clone()
}

fn optional(certificate: &(String, String)) -> Settings {
    let config = tls_config(certificate, ClientCertificates::Optional);
    Settings { tls: Some(Arc::new(ArcSwap::from_pointee(config))), ..Settings::default() }
}

/// What the server takes the client's certificate to be, and whether the session went on; nothing when it hangs up.
async fn seen(world: &World, config: &Arc<ClientConfig>, headers: &str) -> Option<(String, HandshakeKind)> {
    let connector = TlsConnector::from(Arc::clone(config));
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, world.connect().await).await.ok()?;
    let request = format!("GET /certificate HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let reply = read(&mut stream, "").await;
    let body = reply.rsplit_once("\r\n\r\n")?.1.to_owned();
    Some((body, stream.get_ref().1.handshake_kind()?))
}

fn digest(der: &[u8]) -> String {
    Digest::of(der).base64url()
}

#[tokio::test]
async fn table_of_what_is_presented() {
    let server = certificate();
    let world = World::new(optional(&server)).await;
    let keys = [&rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519, &rcgen::PKCS_RSA_SHA256];
    let [ec, ed, rsa] = keys.map(|algorithm| KeyPair::generate_for(algorithm).unwrap());
    let mut old = CertificateParams::new(["till".to_owned()]).unwrap();
    old.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let old = old.self_signed(&ec).unwrap().der().clone();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let own_authority = authority.self_signed(&ec).unwrap().der().clone();
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let issued = CertificateParams::new(["till".to_owned()]).unwrap().signed_by(&ec, &authority).unwrap().der().clone();
    let large = |length: usize| CertificateDer::from(vec![0x30; length]);
    let with = |chain: &[&CertificateDer<'static>], key: &KeyPair| {
        let chain = chain.iter().map(|der| (*der).clone()).collect();
        Some(certified(chain, key))
    };
    let taken = |leaf: &CertificateDer<'_>, chain: usize| Some(format!("{} {chain}", digest(leaf)));
    let one = self_signed(&ec);
    let table: [(&str, Option<CertifiedKey>, Option<String>); 14] = [
        ("none", None, Some("none".to_owned())),
        ("self-signed", with(&[&one], &ec), taken(&one, 0)),
        ("self-signed, Ed25519", with(&[&self_signed(&ed)], &ed), taken(&self_signed(&ed), 0)),
        ("self-signed, RSA", with(&[&self_signed(&rsa)], &rsa), taken(&self_signed(&rsa), 0)),
        ("an authority's", with(&[&own_authority], &ec), taken(&own_authority, 0)),
        ("ended: judged later", with(&[&old], &ec), taken(&old, 0)),
        ("with a chain", with(&[&issued, authority.der()], &ec), taken(&issued, 1)),
        ("with any chain", with(&[&one, &large(1)], &ec), taken(&one, 1)),
        ("as many as may be", with(&[&one; 8], &ec), taken(&one, 7)),
        ("as long as may be", with(&[&one, &large(16 * 1024)], &ec), taken(&one, 1)),
        ("too many", with(&[&one; 9], &ec), None),
        ("too long", with(&[&one, &large(16 * 1024 + 1)], &ec), None),
        ("another's: no proof of the private key", with(&[&one], &KeyPair::generate_for(keys[0]).unwrap()), None),
        ("no certificate", with(&[&large(100)], &ec), None),
    ];
    for (name, certified, expected) in table {
        let client = Client::new(certified);
        for version in [&TLS13, &TLS12] {
            let found = seen(&world, &client.config(&server.0, version), "").await.map(|(seen, _)| seen);
            assert_eq!(found, expected, "{name}, {version:?}");
        }
        assert_eq!(client.asked(), 2, "{name}");
        assert_eq!(client.hints.load(Ordering::SeqCst), 0, "{name}: no authorities are named");
    }
}

#[tokio::test]
async fn nobody_is_asked_where_certificates_are_off() {
    let (server, key) = (certificate(), KeyPair::generate().unwrap());
    let world = World::new(tls_settings(&server)).await;
    let client = Client::new(Some(certified(vec![self_signed(&key)], &key)));
    for version in [&TLS13, &TLS12] {
        assert_eq!(seen(&world, &client.config(&server.0, version), "").await.unwrap().0, "none");
    }
    assert_eq!(client.asked(), 0);
}

#[tokio::test]
async fn a_resumed_session_keeps_its_certificate() {
    let (server, key) = (certificate(), KeyPair::generate().unwrap());
    let world = World::new(optional(&server)).await;
    let leaf = self_signed(&key);
    let with = Client::new(Some(certified(vec![leaf.clone(), leaf.clone()], &key)));
    let without = Client::new(None);
    for version in [&TLS13, &TLS12] {
        for (client, expected) in [(&with, format!("{} 1", digest(&leaf))), (&without, "none".to_owned())] {
            let config = client.config(&server.0, version);
            let before = client.asked();
            let first = seen(&world, &config, "").await.unwrap();
            assert_eq!(first, (expected.clone(), HandshakeKind::Full), "{version:?}");
            let second = seen(&world, &config, "").await.unwrap();
            assert_eq!(second, (expected, HandshakeKind::Resumed), "{version:?}");
            assert_eq!(client.asked(), before + 1, "{version:?}");
        }
    }
}

/// CVE-2024-23656: what a reload forgets. A session from before it does not go on after it.
#[tokio::test]
async fn a_new_server_certificate_changes_nothing_about_clients() {
    let (old, key) = (certificate(), KeyPair::generate().unwrap());
    let settings = optional(&old);
    let swap = settings.tls.clone().unwrap();
    let world = World::new(settings).await;
    let leaf = self_signed(&key);
    let client = Client::new(Some(certified(vec![leaf.clone()], &key)));
    let config = client.config(&old.0, &TLS13);
    let expected = (format!("{} 0", digest(&leaf)), HandshakeKind::Full);
    assert_eq!(seen(&world, &config, "").await.unwrap(), expected);
    swap.store(Arc::new(tls_config(&old, ClientCertificates::Optional)));
    assert_eq!(seen(&world, &config, "").await.unwrap(), expected);
    assert_eq!(client.asked(), 2);
    swap.store(Arc::new(tls_config(&old, ClientCertificates::None)));
    assert_eq!(seen(&world, &config, "").await.unwrap(), ("none".to_owned(), HandshakeKind::Full), "turned off");
}

#[tokio::test]
async fn a_header_counts_from_a_listed_proxy_alone() {
    let (server, key) = (certificate(), KeyPair::generate().unwrap());
    let (own, passed_on) = (self_signed(&key), self_signed(&KeyPair::generate().unwrap()));
    let client = Client::new(Some(certified(vec![own.clone()], &key)));
    let header = format!("client-cert: :{}:\r\n", STANDARD.encode(&passed_on));
    let proxied = format!("{header}x-forwarded-for: 127.0.0.1\r\n");
    let from_elsewhere = format!("{header}x-forwarded-for: 192.0.2.1\r\n");
    let (own, passed_on) = (format!("{} 0", digest(&own)), format!("{} 0", digest(&passed_on)));
    // name, listed proxies, headers, what counts
    let table = [
        ("no proxies", "", header.as_str(), &own),
        ("A38 another is listed", "192.0.2.0/24", &header, &own),
        ("A38 another is listed, and named by the client", "192.0.2.0/24", &from_elsewhere, &own),
        ("listed", "127.0.0.0/8", &header, &passed_on),
        ("listed, whoever it calls", "127.0.0.0/8", &proxied, &passed_on),
        ("listed, without the header", "127.0.0.0/8", "", &"none".to_owned()),
    ];
    for (name, listed, headers, expected) in table {
        let trusted_proxies = listed.parse().into_iter().collect();
        let world = World::new(Settings { trusted_proxies, ..optional(&server) }).await;
        let found = seen(&world, &client.config(&server.0, &TLS13), headers).await.unwrap().0;
        assert_eq!(found, *expected, "{name}");
    }
}

/// Behind a proxy that ends TLS itself.
#[tokio::test]
async fn a_header_counts_on_plain_connections_too() {
    let leaf = self_signed(&KeyPair::generate().unwrap());
    let address: IpAddr = Ipv4Addr::LOCALHOST.into();
    for (listed, expected) in [(vec![address.into()], format!("{} 0", digest(&leaf))), (vec![], "none".to_owned())] {
        let world = World::new(Settings { trusted_proxies: listed, ..Settings::default() }).await;
        let mut stream = world.connect().await;
        let header = format!("Client-Cert: :{}:", STANDARD.encode(&leaf));
        let request = format!("GET /certificate HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n{header}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let reply = read(&mut stream, "").await;
        assert_eq!(reply.rsplit_once("\r\n\r\n").unwrap().1, expected);
    }
}
