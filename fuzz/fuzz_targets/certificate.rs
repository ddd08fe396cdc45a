//! A client's certificate (DER). Nobody is vouched for but those whom the authority has signed, which are in the corpus.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use realmgate::{
    certificate::{ClientCertificate, RegisteredName, TrustRoots},
    peer::Presented,
};
use realmgate_fuzz::NOW;

const ISSUED: [&[u8]; 3] = [
    include_bytes!("../corpus/certificate/ec.der"),
    include_bytes!("../corpus/certificate/ed.der"),
    include_bytes!("../corpus/certificate/rsa.der"),
];

static ROOTS: LazyLock<TrustRoots> = LazyLock::new(|| {
    TrustRoots::from_pem(include_bytes!("../certificate_authority.pem")).expect("an authority's certificate")
});

static NAMES: LazyLock<[RegisteredName; 5]> = LazyLock::new(|| {
    let dn = "emailAddress=till@example.com,CN=till,O=Shop+OU=Tills,C=DE";
    [
        RegisteredName::subject_dn(dn).expect("a name"),
        RegisteredName::san_dns("till.example.com").expect("a name"),
        RegisteredName::san_uri("urn:till").expect("a name"),
        RegisteredName::san_ip("192.0.2.1").expect("a name"),
        RegisteredName::san_email("till@example.com").expect("a name"),
    ]
});

fuzz_target!(|der: &[u8]| {
    let Some(presented) = Presented::new(der, Vec::new()) else { return };
    let Ok(certificate) = ClientCertificate::parse(&presented) else { return };
    let is_issued = ISSUED.contains(&der);
    assert_eq!(certificate.validate(&ROOTS, NOW).is_ok(), is_issued);
    let is_named = NAMES.iter().all(|name| name.matches(&certificate));
    assert!(is_named || !is_issued);
    let _ = (certificate.is_valid_at(NOW), certificate.thumbprint(), certificate.jwk_thumbprint(), certificate.spki());
});
