//! `[tls]`: the gateway itself speaks HTTPS, and a new certificate is taken up by SIGHUP.

use http::Version;
use realmgate::http::{Http, Limit, Outbound};

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
