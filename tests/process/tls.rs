//! `[tls]`: the gateway itself speaks HTTPS, and a new certificate is taken up by SIGHUP.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::Version;
use realmgate::http::{Http, Limit, Outbound};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, SignatureScheme,
        client::ResolvesClientCert,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
        sign::CertifiedKey,
    },
};

use crate::program::{Folder, brief, exits};

/// A certificate of its own for `localhost`, as PEM, with its key.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn write(folder: &Folder, (certificate, key): &(String, String)) {
    folder.write("server.pem", certificate);
    folder.write("server.key", key);
}

/// A client that trusts this certificate.
fn trusting((certificate, _): &(String, String)) -> Http {
    let ca_certificates = vec![("trusted.pem".into(), certificate.clone().into_bytes())];
    Http::new(&Outbound { ca_certificates, ..Outbound::default() }).unwrap()
}

fn config() -> Folder {
    Folder::new(
        "public_url = \"https://localhost:8443\"\n[tls]\ncertificate = \"server.pem\"\nprivate_key = \"server.key\"\n",
    )
}

// the client must be able to answer while this waits for the gateway's end
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_speaks_tls_1_3_and_http_2_to_who_trusts_it() {
    let (folder, certificate) = (config(), certificate());
    write(&folder, &certificate);
    let mut running = folder.serve();
    let port = running.address.rsplit(':').next().unwrap().to_owned();
    let url = format!("https://localhost:{port}/master/.well-known/openid-configuration");

    #[expect(clippy::disallowed_methods, reason = "a client that speaks nothing older than TLS 1.3")]
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_version_min(reqwest::tls::Version::TLS_1_3)
        .tls_certs_only([reqwest::Certificate::from_pem(certificate.0.as_bytes()).unwrap()])
        .build()
        .unwrap();
    let response = client.get(&url).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
    let document: serde_json::Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(document["issuer"], "https://localhost:8443/master");

    assert!(crate::program::http().send(crate::program::http().get(url.parse().unwrap()), Limit::API).await.is_err());
    let plain = tokio::net::TcpStream::connect(&running.address).await.unwrap();
    plain.try_write(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    running.signal("TERM");
    assert_eq!(running.end(), Some(0));
}

/// hyper sends no body after HEAD over HTTP/1.1 whatever it is given; over HTTP/2 that is the service's part.
#[tokio::test]
async fn head_has_no_body_over_either_version() {
    let (folder, certificate) = (config(), certificate());
    write(&folder, &certificate);
    let running = folder.serve();
    let port = running.address.rsplit(':').next().unwrap().to_owned();
    let client = |builder: reqwest::ClientBuilder| {
        let trusted = reqwest::Certificate::from_pem(certificate.0.as_bytes()).unwrap();
        builder.no_proxy().tls_certs_only([trusted]).build().unwrap()
    };
    #[expect(clippy::disallowed_methods, reason = "clients of one version of HTTP each")]
    let (http_1, http_2) = (client(reqwest::Client::builder().http1_only()), client(reqwest::Client::builder()));
    let table = [
        ("/master/jwks", 200),
        ("/master/.well-known/openid-configuration", 200),
        ("/master/approvals", 200),
        ("/master/approvals.css", 200),
        ("/master/userinfo", 401),
        ("/master/token", 405),
        ("/nobody/token", 404),
    ];
    for (path, status) in table {
        for (client, version) in [(&http_1, Version::HTTP_11), (&http_2, Version::HTTP_2)] {
            let url = format!("https://localhost:{port}{path}");
            let head = client.head(&url).send().await.unwrap();
            assert_eq!((head.status().as_u16(), head.version()), (status, version), "{path}");
            let said = head.headers()["content-length"].clone();
            assert_eq!(head.bytes().await.unwrap().len(), 0, "{version:?} {path}");
            if status != 405 {
                let get = client.get(&url).send().await.unwrap().bytes().await.unwrap();
                assert_eq!(said, get.len().to_string().as_str(), "{version:?} {path}: as for GET");
            }
        }
    }
}

#[tokio::test]
async fn a_new_certificate_is_seen_and_a_faulty_one_is_not() {
    let (folder, first, second) = (config(), certificate(), certificate());
    write(&folder, &first);
    let mut running = folder.serve();
    let port = running.address.rsplit(':').next().unwrap().to_owned();
    let seen = async |trusted: &(String, String)| {
        let http = trusting(trusted);
        let url = format!("https://localhost:{port}/master/jwks").parse().unwrap();
        http.send(http.get(url), Limit::API).await.is_ok_and(|answer| brief(&answer) == "200")
    };
    assert!(seen(&first).await && !seen(&second).await);

    folder.write("server.key", &second.1);
    running.reload();
    assert!(running.line("the private key is not the certificate's").contains("ERROR"));
    assert!(seen(&first).await, "half a change changes nothing");

    write(&folder, &second);
    running.reload();
    assert!(seen(&second).await && !seen(&first).await);
}

#[test]
fn a_certificate_that_cannot_be_trusted_is_told_in_words() {
    let folder = config();
    folder.write("secret", "till-secret-of-these-tests");
    folder.write("empty.pem", "");
    folder.write("key.pem", &certificate().1);
    // as `openssl req -x509` makes one
    let mut authority = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "another");
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = (authority.self_signed(&key).unwrap().pem(), key.serialize_pem());
    folder.write("other.pem", &authority.0);
    write(&folder, &authority);
    let mut running = folder.serve();
    let issuer = format!("https://localhost:{}/master", running.address.rsplit(':').next().unwrap());
    let asking = |trusted: &str, code, sentence: &str| {
        let arguments = ["ciba", "request", "--issuer", &issuer, "--client-id", "till", "--login-hint", "alice"];
        let more = ["--client-secret-file", "secret", "--ca-certificate", trusted];
        let printed = exits(&folder.run(&[&arguments[..], &more].concat()), code);
        assert!(printed.contains(sentence), "{trusted}: {printed}");
    };
    asking("server.pem", 6, "says that it is an authority's (CA:TRUE); make one that says CA:FALSE");
    asking("empty.pem", 2, "empty.pem: it holds no certificate");
    asking("key.pem", 2, "key.pem: it holds no certificate");
    asking("absent.pem", 2, "absent.pem: No such file");
    write(&folder, &certificate());
    running.reload();
    asking("other.pem", 6, "the server's certificate was issued by nobody who is trusted here");
}

/// A client that shows this whenever it is asked for a certificate, and counts how often it was.
#[derive(Debug)]
struct Client(Option<Arc<CertifiedKey>>, AtomicUsize);

impl ResolvesClientCert for Client {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl Client {
    fn new(certificate: Option<&(String, String)>) -> Arc<Self> {
        let certified = certificate.map(|(certificate, key)| {
            let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            Arc::new(CertifiedKey::new(vec![certificate], aws_lc_rs::sign::any_supported_type(&key).unwrap()))
        });
        Arc::new(Self(certified, AtomicUsize::new(0)))
    }

    /// The first line of the answer over a fresh session, and how often it was asked for a certificate until now.
    async fn call(self: &Arc<Self>, address: &str, trusted: &(String, String)) -> (String, usize) {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(trusted.0.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesClientCert>);
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let request = b"GET /master/jwks HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        (answer.lines().next().unwrap_or_default().to_owned(), self.1.load(Ordering::SeqCst))
    }
}

#[tokio::test]
async fn client_certificates_are_asked_for_and_not_required_and_a_reload_keeps_that() {
    let (server, own) = (certificate(), certificate());
    let tls = "[tls]\ncertificate = \"server.pem\"\nprivate_key = \"server.key\"\n";
    let folder = Folder::new(&format!("{tls}client_certificates = \"optional\"\n"));
    write(&folder, &server);
    exits(&folder.run(&["check"]), 0);
    let mut running = folder.serve();
    let (with, without) = (Client::new(Some(&own)), Client::new(None));
    let ok = "HTTP/1.1 200 OK";
    assert_eq!(with.call(&running.address, &server).await, (ok.to_owned(), 1));
    assert_eq!(without.call(&running.address, &server).await, (ok.to_owned(), 1));

    let renewed = certificate();
    write(&folder, &renewed);
    running.reload();
    assert_eq!(with.call(&running.address, &renewed).await, (ok.to_owned(), 2), "CVE-2024-23656");
    assert_eq!(without.call(&running.address, &renewed).await, (ok.to_owned(), 2));

    folder.write("config.toml", &format!("listen = \"127.0.0.1:0\"\n{tls}"));
    running.reload();
    assert_eq!(with.call(&running.address, &renewed).await, (ok.to_owned(), 2), "turned off");
}
