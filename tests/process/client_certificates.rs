//! A client that is known by its certificate: over the gateway's own TLS, and by what a proxy says of it.

use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use realmgate::http::{Http, Limit, Outbound};

use crate::program::{CIBA, Folder, REALM, http};

const FORM: [(&str, &str); 3] = [("client_id", "bank"), ("grant_type", CIBA), ("auth_req_id", "unknown")];
/// To who has proved to be `bank`, and to anybody else.
const ANSWERS: [(u16, &str); 2] = [(400, "invalid_grant"), (401, "invalid_client")];

struct Bank {
    root: CertifiedIssuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Bank {
    fn new() -> Self {
        let mut authority = CertificateParams::new(["Authority".to_owned()]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let root = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let bank = CertificateParams::new(["bank.example.com".to_owned()]).unwrap();
        Self { certificate: bank.signed_by(&key, &root).unwrap(), root, key }
    }

    /// The realm with this client in it.
    fn folder(&self, config: &str) -> Folder {
        let folder = Folder::new(config);
        folder.write("realms/roots/ca.pem", &self.root.pem());
        let client = "[[clients]]\nclient_id = \"bank\"\ntoken_endpoint_auth_method = \"tls_client_auth\"\n\
                      tls_client_auth_san_dns = \"bank.example.com\"\n[mtls]\nca_certificates = [\"roots/ca.pem\"]\n";
        folder.write("realms/master.toml", &format!("{REALM}{client}"));
        folder
    }
}

async fn answer(http: &Http, url: &str, client_cert: Option<&str>) -> (u16, String) {
    let mut request = http.post(url.parse().unwrap()).form(&FORM);
    if let Some(client_cert) = client_cert {
        request = request.header("client-cert", client_cert);
    }
    let answer = http.send(request, Limit::API).await.unwrap();
    let body: serde_json::Value = answer.json().unwrap();
    (answer.status.as_u16(), body["error"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a34_a37_over_tls_of_its_own() {
    let bank = Bank::new();
    let config = "public_url = \"https://localhost:8443\"\n[tls]\ncertificate = \"server.pem\"\nprivate_key = \"server.key\"\n\
                  client_certificates = \"optional\"\n";
    let folder = bank.folder(config);
    let server = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    folder.write("server.pem", &server.cert.pem());
    folder.write("server.key", &server.signing_key.serialize_pem());
    let running = folder.serve();
    let url = format!("https://localhost:{}/master/token", running.address.rsplit(':').next().unwrap());

    #[expect(clippy::disallowed_methods, reason = "a client that shows a certificate")]
    let client = |certificate: Option<&rcgen::Certificate>| {
        let trusted = reqwest::Certificate::from_pem(server.cert.pem().as_bytes()).unwrap();
        let builder = reqwest::Client::builder().no_proxy().tls_certs_only([trusted]);
        let with_key = |certificate: &rcgen::Certificate| certificate.pem() + &bank.key.serialize_pem();
        let identity = certificate.map(|it| reqwest::Identity::from_pem(with_key(it).as_bytes()).unwrap());
        match identity {
            Some(identity) => builder.identity(identity),
            None => builder,
        }
        .build()
        .unwrap()
    };
    let self_signed = CertificateParams::new(["bank.example.com".to_owned()]).unwrap().self_signed(&bank.key).unwrap();
    for (shown, expected) in
        [(Some(&bank.certificate), ANSWERS[0]), (None, ANSWERS[1]), (Some(&self_signed), ANSWERS[1])]
    {
        let answer = client(shown).post(&url).form(&FORM).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!((status, body["error"].as_str().unwrap()), expected);
    }
    let ca_certificates = vec![("server.pem".into(), server.cert.pem().into_bytes())];
    let header = format!(":{}:", STANDARD.encode(bank.certificate.der()));
    let anybody = Http::new(&Outbound { ca_certificates, ..Outbound::default() }).unwrap();
    let forged = answer(&anybody, &url, Some(&header)).await;
    assert_eq!((forged.0, forged.1.as_str()), ANSWERS[1], "A38");
}

#[tokio::test]
async fn a38_a_header_counts_from_a_listed_proxy_alone() {
    let bank = Bank::new();
    let header = format!(":{}:", STANDARD.encode(bank.certificate.der()));
    let table = [
        ("trusted_proxies = [\"127.0.0.1\"]\n", Some(header.as_str()), ANSWERS[0]),
        ("trusted_proxies = [\"127.0.0.1\"]\n", None, ANSWERS[1]),
        ("trusted_proxies = [\"127.0.0.1\"]\n", Some("x"), ANSWERS[1]),
        ("trusted_proxies = [\"127.0.0.2\"]\n", Some(header.as_str()), ANSWERS[1]),
        ("", Some(header.as_str()), ANSWERS[1]),
    ];
    for (config, header, expected) in table {
        let running = bank.folder(config).serve();
        let url = format!("http://{}/master/token", running.address);
        let answer = answer(&http(), &url, header).await;
        assert_eq!((answer.0, answer.1.as_str()), expected, "{config} {header:?}");
    }
}
