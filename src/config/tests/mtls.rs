//! Clients that are known by their certificates: `[mtls]` and the names of RFC 8705 2.1.2.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

use super::*;
use crate::config::warnings;

/// A folder with an authority (`ca.pem`) and a certificate of somebody else (`till.pem`).
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut authority = CertificateParams::new(["Authority".to_owned()]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let till = CertificateParams::new(["till".to_owned()]).unwrap();
    for (name, params) in [("ca.pem", authority), ("till.pem", till)] {
        let pem = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
        fs::write(folder.path().join(name), pem).unwrap();
    }
    folder
}

/// `SOUND` with a client that has these keys in place of a secret, and this after it.
fn read(folder: &TempDir, client: &str, more: &str) -> Result<Option<Realm>, Vec<Fault>> {
    let text = bent("client_secret = \"a secret of the till\"\n", client) + more;
    realm::read("acme", &folder.path().join("acme.toml"), &text, PUBLIC, &Environment::none())
}

const ROOTS: &str = "[mtls]\nca_certificates = [\"ca.pem\"]\n";
const METHOD: &str = "token_endpoint_auth_method = \"tls_client_auth\"\n";

#[test]
fn table_of_names() {
    let folder = folder();
    let table = [
        ("subject_dn = \"CN=till,O=Shop\"", None),
        ("subject_dn = \"till\"", Some(("tls_client_auth_subject_dn", "type=value"))),
        ("san_dns = \"till.example.com\"", None),
        ("san_dns = \"*.example.com\"", Some(("tls_client_auth_san_dns", "no DNS name"))),
        ("san_uri = \"urn:example:till\"", None),
        ("san_uri = \"till\"", Some(("tls_client_auth_san_uri", "no URI"))),
        ("san_ip = \"2001:db8::1\"", None),
        ("san_ip = \"till\"", Some(("tls_client_auth_san_ip", "no IP address"))),
        ("san_email = \"till@example.com\"", None),
        ("san_email = \"till\"", Some(("tls_client_auth_san_email", "no e-mail address"))),
        ("san_dns = \"\"", Some(("tls_client_auth_san_dns", "it is empty"))),
        (
            "san_dns = \"a.example\"\ntls_client_auth_san_ip = \"192.0.2.1\"",
            Some(("tls_client_auth_san_dns", "exactly one name")),
        ),
    ];
    for (name, expected) in table {
        let realm = read(&folder, &format!("{METHOD}tls_client_auth_{name}\n"), ROOTS);
        match expected {
            None => assert!(realm.unwrap().unwrap().client_roots.is_some(), "{name}"),
            Some((key, cause)) => {
                let faults = realm.expect_err(name);
                assert_eq!(faults.len(), 1, "{name}: {faults:#?}");
                assert_eq!(faults[0].key, Some(format!("clients[0].{key}")), "{name}: {faults:#?}");
                assert!(faults[0].cause.contains(cause), "{name}: {faults:#?}");
            }
        }
    }
    let faults = read(&folder, METHOD, ROOTS).expect_err("no name");
    assert!(faults[0].cause.contains("exactly one name"), "{faults:#?}");
}

#[test]
fn table_of_authorities() {
    let folder = folder();
    let client = format!("{METHOD}tls_client_auth_san_dns = \"till.example.com\"\n");
    let table = [
        (ROOTS, None),
        ("[mtls]\nca_certificates = [\"ca.pem\", \"ca.pem\"]\n", None),
        ("", Some(("clients[0].token_endpoint_auth_method", "nobody vouches"))),
        ("[mtsl]\nca_certificates = [\"ca.pem\"]\n", Some(("mtsl", "unknown key"))),
        ("[mtls]\nca_certificates = [\"till.pem\"]\n", Some(("mtls.ca_certificates", "no authority"))),
        ("[mtls]\nca_certificates = [\"acme.toml\"]\n", Some(("mtls.ca_certificates", "cannot be read"))),
        ("[mtls]\nca_certificates = [\"ca.pem\"]\nca = 1\n", Some(("mtls.ca", "unknown key"))),
    ];
    for (more, expected) in table {
        match (read(&folder, &client, more), expected) {
            (Ok(realm), None) => assert!(realm.unwrap().client_roots.is_some(), "{more}"),
            (Err(faults), Some((key, cause))) => {
                assert_eq!(faults.len(), 1, "{more}: {faults:#?}");
                assert_eq!(faults[0].key.as_deref(), Some(key), "{more}: {faults:#?}");
                assert!(faults[0].cause.contains(cause), "{more}: {faults:#?}");
            }
            (read, _) => panic!("{more}: {read:#?}"),
        }
    }
}

#[test]
fn where_nobody_sees_certificates_a_warning_says_so() {
    let folder = folder();
    let client = format!("{METHOD}tls_client_auth_san_dns = \"till.example.com\"\n");
    let realm = read(&folder, &client, ROOTS).unwrap().unwrap();
    let unseen = warnings(&realm);
    assert!(matches!(&unseen[..], [one] if one.contains("nobody sees the certificate of the client `till`")));
    assert!(warnings(&Realm { client_certificates: true, ..realm }).is_empty());
}
