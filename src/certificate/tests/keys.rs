//! Keys and thumbprints, and what is no usable certificate.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, EllipticCurveKeyParameters, EllipticCurveKeyType, Jwk,
    OctetKeyPairParameters, OctetKeyPairType, RSAKeyParameters, RSAKeyType, ThumbprintHash,
};
use rcgen::{CustomExtension, PublicKeyData};

use super::*;

/// As jsonwebtoken computes it from the key's parts.
fn jwk_thumbprint(key: &KeyPair, algorithm: &rcgen::SignatureAlgorithm) -> String {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let raw = key.der_bytes();
    let ec = |curve, length: usize| {
        AlgorithmParameters::EllipticCurve(EllipticCurveKeyParameters {
            key_type: EllipticCurveKeyType::EC,
            curve,
            x: text(&raw[1..=length]),
            y: text(&raw[1 + length..]),
        })
    };
    let algorithm = if *algorithm == rcgen::PKCS_ECDSA_P256_SHA256 {
        ec(EllipticCurve::P256, 32)
    } else if *algorithm == rcgen::PKCS_ECDSA_P384_SHA384 {
        ec(EllipticCurve::P384, 48)
    } else if *algorithm == rcgen::PKCS_ECDSA_P521_SHA512 {
        ec(EllipticCurve::P521, 66)
    } else if *algorithm == rcgen::PKCS_ED25519 {
        AlgorithmParameters::OctetKeyPair(OctetKeyPairParameters {
            key_type: OctetKeyPairType::OctetKeyPair,
            curve: EllipticCurve::Ed25519,
            x: text(raw),
        })
    } else {
        // SEQUENCE of two INTEGERs: a modulus of 257 octets, the first zero, and 65537
        AlgorithmParameters::RSA(RSAKeyParameters {
            key_type: RSAKeyType::RSA,
            n: text(&raw[9..265]),
            e: text(&raw[267..]),
        })
    };
    Jwk { common: CommonParameters::default(), algorithm }.thumbprint(ThumbprintHash::SHA256).unwrap()
}

#[test]
fn a_key_has_the_thumbprint_of_its_jwk() {
    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ECDSA_P521_SHA512,
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_RSA_SHA256,
    ] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = self_signed(&params("till"), &key);
        assert_eq!(certificate.jwk_thumbprint().base64url(), jwk_thumbprint(&key, algorithm), "{algorithm:?}");
        assert_eq!(certificate.spki(), key.subject_public_key_info(), "{algorithm:?}");
        let another = self_signed(&params("till"), &KeyPair::generate().unwrap());
        assert_ne!(certificate.jwk_thumbprint(), another.jwk_thumbprint(), "{algorithm:?}");
    }
}

#[test]
fn table_of_unusable_certificates() {
    let key = KeyPair::generate().unwrap();
    let good = params("till").self_signed(&key).unwrap().der().to_vec();
    let mut twice = params("till");
    twice.subject_alt_names = vec![SanType::DnsName("till.example.com".try_into().unwrap())];
    let san = vec![0x30, 0x03, 0x82, 0x01, b'a'];
    twice.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], san)];
    let mut broken = params("till");
    broken.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], vec![0x30, 0x05, 0x82])];
    let mut unknown = params("till");
    let mut extension = CustomExtension::from_oid_content(&[1, 2, 3], vec![5, 0]);
    extension.set_criticality(true);
    unknown.custom_extensions = vec![extension];
    let der = |params: CertificateParams| params.self_signed(&key).unwrap().der().to_vec();
    let table = [
        ("nothing but a byte", vec![0], Unusable::NotUnderstood),
        ("PEM", params("till").self_signed(&key).unwrap().pem().into_bytes(), Unusable::NotUnderstood),
        ("cut", good[..good.len() - 1].to_vec(), Unusable::NotUnderstood),
        ("something after it", [good.as_slice(), &[0]].concat(), Unusable::NotUnderstood),
        ("two", [good.as_slice(), &good].concat(), Unusable::NotUnderstood),
        ("names twice", der(twice), Unusable::NotUnderstood),
        ("broken names", der(broken), Unusable::NotUnderstood),
        ("an unknown critical extension", der(unknown), Unusable::NotUnderstood),
        ("RSA of 1024 bits", decoded(SHORT), Unusable::KeySize),
        ("EC on another curve", decoded(OTHER_CURVE), Unusable::KeyKind),
    ];
    for (name, der, expected) in table {
        assert_eq!(parse(&der, &[]).unwrap_err(), expected, "{name}");
    }
    assert!(parse(&good, &[]).is_ok());
}

/// What `openssl x509 -fingerprint -sha256` says of it.
#[test]
fn the_thumbprint_is_that_of_the_whole_certificate() {
    let certificate = parse(&decoded(MULTIVALUED), &[]).unwrap();
    assert_eq!(certificate.thumbprint().base64url(), "lwNvf1W-MRGAJwf8fr_1plZm3OKgIe_ir6yFv0dbqxY");
}
