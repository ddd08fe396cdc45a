//! Keys and certificates, made anew for each test.

use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{
    Algorithm, EncodingKey,
    jwk::{Jwk, JwkSet},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CertifiedKey, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256, RsaKeySize,
};

/// A key of a client that signs: its private part as PEM, its public part as the client's `jwks_file` holds it.
pub(crate) struct SigningKey {
    pub(crate) pem: String,
    pub(crate) jwks: String,
}

impl SigningKey {
    /// For ES256. The only key of its set, hence without a key id.
    pub(crate) fn p256() -> Self {
        let pem = KeyPair::generate().unwrap().serialize_pem();
        let key = EncodingKey::from_ec_pem(pem.as_bytes()).unwrap();
        Self { pem, jwks: jwks(Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap()) }
    }

    /// For PS256.
    pub(crate) fn rsa(key_id: &str) -> Self {
        let pem = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap().serialize_pem();
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::PS256).unwrap();
        jwk.common.key_id = Some(key_id.to_owned());
        Self { pem, jwks: jwks(jwk) }
    }
}

fn jwks(key: Jwk) -> String {
    serde_json::to_string(&JwkSet { keys: vec![key] }).unwrap()
}

/// A certificate with its key, as PEM.
pub(crate) struct Certified {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// A certificate that nobody else signed, and the key set that a client registers for it (RFC 8705 2.2.2).
pub(crate) fn self_signed(name: &str) -> (Certified, String) {
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let certified = Certified { certificate: cert.pem(), key: signing_key.serialize_pem() };
    let key = EncodingKey::from_ec_pem(certified.key.as_bytes()).unwrap();
    let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
    jwk.common.x509_chain = Some(vec![STANDARD.encode(cert.der())]);
    (certified, jwks(jwk))
}

/// A certification authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for this DNS name.
    pub(crate) fn certify(&self, name: &str) -> Certified {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Certified { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}
