//! `tls_client_auth` and `self_signed_tls_client_auth`, from the certificate of the connection on. How it gets there, and from
//! whom a header with one is believed, is tested in `src/server` and `tests/process`.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use realmgate::{keys::Algorithm, peer::Presented, secret::Secret};

use super::{Proof, expect, fetched_keys::Publisher};
use crate::{
    signer::Signer,
    world::{Build, World, basic, realm_file},
};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Shop");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

fn authority_params() -> CertificateParams {
    let mut params = params("Authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn authority() -> Authority {
    CertifiedIssuer::self_signed(authority_params(), KeyPair::generate().unwrap()).unwrap()
}

/// With every kind of name that a client can register.
fn till() -> CertificateParams {
    let mut till = params("till");
    till.subject_alt_names = vec![
        SanType::DnsName("till.example.com".try_into().unwrap()),
        SanType::URI("urn:example:till".try_into().unwrap()),
        SanType::IpAddress([192, 0, 2, 1].into()),
        SanType::Rfc822Name("till@example.com".try_into().unwrap()),
    ];
    till.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    till
}

fn issued(params: &CertificateParams, by: &Authority, chain: &[&Authority]) -> Presented {
    let leaf = params.signed_by(&KeyPair::generate().unwrap(), by).unwrap();
    Presented::new(leaf.der(), chain.iter().map(|above| above.der().to_vec()).collect()).unwrap()
}

fn self_signed(params: &CertificateParams, key: &KeyPair) -> Presented {
    Presented::new(params.self_signed(key).unwrap().der(), Vec::new()).unwrap()
}

fn signer(key: &KeyPair) -> Signer {
    Signer::from_pem(Algorithm::ES256, &Secret::new(key.serialize_pem()))
}

fn client(id: &str, method: &str, rest: &str) -> String {
    format!("\n[[clients]]\nclient_id = \"{id}\"\ntoken_endpoint_auth_method = \"{method}\"\n{rest}\n")
}

/// The realm file with these clients, whose certificates this authority vouches for.
fn realm(folder: &tempfile::TempDir, root: &Authority, clients: &str) -> String {
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, root.pem()).unwrap();
    format!("{}{clients}\n[mtls]\nca_certificates = [{:?}]\n", realm_file(), file.to_str().unwrap())
}

const REFUSED: &str = "401 invalid_client";

#[tokio::test]
async fn table_of_tls_client_auth() {
    let (folder, root) = (tempfile::tempdir().unwrap(), authority());
    let middle = CertifiedIssuer::signed_by(authority_params(), KeyPair::generate().unwrap(), &root).unwrap();
    let names = [
        ("dn", "tls_client_auth_subject_dn = \"CN=till,O=Shop\""),
        ("dns", "tls_client_auth_san_dns = \"till.example.com\""),
        ("uri", "tls_client_auth_san_uri = \"urn:example:till\""),
        ("ip", "tls_client_auth_san_ip = \"192.0.2.1\""),
        ("email", "tls_client_auth_san_email = \"till@example.com\""),
        ("other-dn", "tls_client_auth_subject_dn = \"CN=other,O=Shop\""),
        ("other-dns", "tls_client_auth_san_dns = \"other.example.com\""),
        ("common-name", "tls_client_auth_san_dns = \"till\""),
        ("till-off", "tls_client_auth_san_dns = \"till.example.com\"\nenabled = false"),
    ];
    let clients: String = names.map(|(id, name)| client(id, "tls_client_auth", name)).concat();
    let world = World::of(&[("master", &realm(&folder, &root, &clients))], Build::default()).await;
    let good = issued(&till(), &root, &[]);
    let bent = |bend: fn(&mut CertificateParams)| {
        let mut params = till();
        bend(&mut params);
        issued(&params, &root, &[])
    };
    let of = |id| Proof::form(&[("client_id", id)]);
    let table = [
        ("by subject", of("dn").with(good.clone()), "ok"),
        ("by DNS name", of("dns").with(good.clone()), "ok"),
        ("by URI", of("uri").with(good.clone()), "ok"),
        ("by IP address", of("ip").with(good.clone()), "ok"),
        ("by e-mail address", of("email").with(good.clone()), "ok"),
        ("with an intermediate", of("dn").with(issued(&till(), &middle, &[&middle])), "ok"),
        ("with all of the chain", of("dn").with(issued(&till(), &middle, &[&middle, &root])), "ok"),
        ("A34 A37 no certificate", of("dn"), REFUSED),
        ("A34 the certificate alone", Proof::default().with(good.clone()), REFUSED),
        ("A35 another subject", of("other-dn").with(good.clone()), REFUSED),
        ("A35 another DNS name", of("other-dns").with(good.clone()), REFUSED),
        ("A35 a common name is no DNS name", of("common-name").with(good.clone()), REFUSED),
        ("A35 without the intermediate", of("dn").with(issued(&till(), &middle, &[])), REFUSED),
        ("A35 another authority of the same name", of("dn").with(issued(&till(), &authority(), &[])), REFUSED),
        ("A35 self-signed", of("dn").with(self_signed(&till(), &KeyPair::generate().unwrap())), REFUSED),
        ("A35 the authority itself", of("dn").with(Presented::new(root.der(), vec![]).unwrap()), REFUSED),
        ("A35 expired", of("dn").with(bent(|it| it.not_after = date_time_ymd(2027, 1, 14))), REFUSED),
        ("A35 not valid yet", of("dn").with(bent(|it| it.not_before = date_time_ymd(2027, 1, 16))), REFUSED),
        (
            "A35 for servers alone",
            of("dn").with(bent(|it| it.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth])),
            REFUSED,
        ),
        ("A35 no certificate at all", of("dn").with(Presented::new(b"no certificate", vec![]).unwrap()), REFUSED),
        (
            "rubbish beside a good certificate",
            of("dn").with(Presented::new(good.leaf(), vec![b"x".to_vec()]).unwrap()),
            "ok",
        ),
        ("A13 disabled", of("till-off").with(good.clone()), REFUSED),
        ("A2 unknown client", of("who").with(good.clone()), REFUSED),
        ("A9 a secret, too", of("dn").and("client_secret", "x").with(good.clone()), REFUSED),
        ("A9 Basic", Proof::basic(basic("dn", "x")).with(good.clone()), REFUSED),
        ("A9 a certificate for a secret", of("post").with(good.clone()), REFUSED),
        (
            "a secret, and a certificate by the way",
            of("post").and("client_secret", "post-secret-0123456789").with(good),
            "ok",
        ),
    ];
    for (number, proof, expected) in table {
        expect(&world, number, || proof.clone(), expected).await;
    }
}

#[tokio::test]
async fn table_of_self_signed_tls_client_auth() {
    let (folder, root) = (tempfile::tempdir().unwrap(), authority());
    let [key, second, other, encrypts] = [(); 4].map(|()| KeyPair::generate().unwrap());
    let keys = |keys: &[&KeyPair]| {
        let keys: Vec<String> = keys.iter().map(|key| signer(key).toml()).collect();
        format!("jwks = {{ keys = [{}] }}", keys.join(", "))
    };
    let method = "self_signed_tls_client_auth";
    let clients = client("bank", method, &keys(&[&key, &second]))
        + &client("other", method, &keys(&[&other]))
        + &client("encrypts", method, &keys(&[&encrypts]).replace("\"sig\"", "\"enc\""))
        + &client("till-off", method, &(keys(&[&key]) + "\nenabled = false"))
        + &client("named", "tls_client_auth", "tls_client_auth_san_dns = \"till.example.com\"");
    let world = World::of(&[("master", &realm(&folder, &root, &clients))], Build::default()).await;
    let bent = |bend: fn(&mut CertificateParams)| {
        let mut params = till();
        bend(&mut params);
        self_signed(&params, &key)
    };
    let by_root = Presented::new(till().signed_by(&key, &root).unwrap().der(), Vec::new()).unwrap();
    let of = |id| Proof::form(&[("client_id", id)]);
    let table = [
        ("its key", of("bank").with(self_signed(&till(), &key)), "ok"),
        ("its second key", of("bank").with(self_signed(&till(), &second)), "ok"),
        ("whatever name it bears", of("bank").with(self_signed(&params("somebody"), &key)), "ok"),
        ("whoever signed it", of("bank").with(by_root), "ok"),
        ("A34 no certificate", of("bank"), REFUSED),
        ("A36 another key", of("bank").with(self_signed(&till(), &KeyPair::generate().unwrap())), REFUSED),
        ("A36 one of the realm's authority", of("bank").with(issued(&till(), &root, &[])), REFUSED),
        ("A36 expired", of("bank").with(bent(|it| it.not_after = date_time_ymd(2027, 1, 14))), REFUSED),
        ("A36 not valid yet", of("bank").with(bent(|it| it.not_before = date_time_ymd(2027, 1, 16))), REFUSED),
        ("A36 a key for encryption", of("encrypts").with(self_signed(&till(), &encrypts)), REFUSED),
        ("A39 another client's", of("bank").with(self_signed(&till(), &other)), REFUSED),
        ("A39 for another client", of("other").with(self_signed(&till(), &key)), REFUSED),
        ("A39 for one with a name", of("named").with(self_signed(&till(), &key)), REFUSED),
        ("A13 disabled", of("till-off").with(self_signed(&till(), &key)), REFUSED),
        ("A9 a secret", of("bank").and("client_secret", "x"), REFUSED),
    ];
    for (number, proof, expected) in table {
        expect(&world, number, || proof.clone(), expected).await;
    }
}

#[tokio::test]
async fn a31_a_new_key_at_the_jwks_uri_is_asked_for() {
    let publisher = Publisher::start().await;
    let [old, new, strange] = [(); 3].map(|()| KeyPair::generate().unwrap());
    publisher.publish(&[&signer(&old)]);
    let clients = client("bank", "self_signed_tls_client_auth", &format!("jwks_uri = \"{}\"", publisher.url));
    let world = World::with(|realm| realm.push_str(&clients)).await;
    let brief =
        async |key: &KeyPair| Proof::form(&[("client_id", "bank")]).with(self_signed(&till(), key)).brief(&world).await;
    assert_eq!(brief(&old).await, "400 invalid_grant");
    publisher.publish(&[&signer(&old), &signer(&new)]);
    world.advance(30);
    assert_eq!(brief(&new).await, "400 invalid_grant");
    world.advance(30);
    for _ in 0..5 {
        assert_eq!(brief(&strange).await, REFUSED);
    }
    assert_eq!(publisher.fetched(), 3);
}

#[tokio::test]
async fn a35_the_authority_of_one_realm_vouches_for_nobody_in_another() {
    let (folders, roots) = ([(); 2].map(|()| tempfile::tempdir().unwrap()), [(); 2].map(|()| authority()));
    let clients = client("till-dn", "tls_client_auth", "tls_client_auth_subject_dn = \"CN=till,O=Shop\"");
    let [master, other] = [0, 1].map(|at| realm(&folders[at], &roots[at], &clients));
    let world = World::of(&[("master", &master), ("other", &other)], Build::default()).await;
    for (issuer, master, other) in [(0, "400 invalid_grant", REFUSED), (1, REFUSED, "400 invalid_grant")] {
        let proof = Proof::form(&[("client_id", "till-dn")]).with(issued(&till(), &roots[issuer], &[]));
        let (_, more, _) = super::ENDPOINTS[1];
        assert_eq!(proof.sent(&world, "/master/token", more).await.brief(), master);
        assert_eq!(proof.sent(&world, "/other/token", more).await.brief(), other);
    }
}
