//! A certificate's public key in the form that a JWK has (RFC 7518, 8037), for comparison by thumbprint (RFC 7638). The
//! kinds are those that a handshake can prove and a JWK Set can hold.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use x509_parser::{
    der_parser::oid::Oid,
    oid_registry::{
        OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_PKCS1_RSAENCRYPTION,
        OID_SIG_ED25519,
    },
    prelude::FromDer as _,
    public_key::RSAPublicKey,
    x509::SubjectPublicKeyInfo,
};

use super::Unusable;
use crate::secret::Digest;

/// Numbers are big-endian: `n` and `e` without leading zeros, coordinates as long as the curve has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PublicKey {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ec { curve: &'static str, x: Vec<u8>, y: Vec<u8> },
    Ed25519 { x: Vec<u8> },
}

impl PublicKey {
    pub(super) fn of(spki: &SubjectPublicKeyInfo<'_>) -> Result<Self, Unusable> {
        let (kind, bits) = (&spki.algorithm.algorithm, &spki.subject_public_key);
        let key = match bits.data.as_ref() {
            _ if bits.unused_bits != 0 => None,
            key if *kind == OID_PKCS1_RSAENCRYPTION => return rsa(key),
            key if *kind == OID_KEY_TYPE_EC_PUBLIC_KEY => {
                let curve = spki.algorithm.parameters.as_ref().and_then(|it| it.as_oid().ok());
                curve.and_then(|curve| ec(&curve, key))
            }
            key if *kind == OID_SIG_ED25519 && key.len() == 32 => Some(Self::Ed25519 { x: key.to_vec() }),
            _ => None,
        };
        key.ok_or(Unusable::KeyKind)
    }

    pub(super) fn jwk_thumbprint(&self) -> Digest {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        // section 3.2: the required members alone, in the order of their names
        let jwk = match self {
            Self::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(e), text(n)),
            Self::Ec { curve, x, y } => {
                format!(r#"{{"crv":"{curve}","kty":"EC","x":"{}","y":"{}"}}"#, text(x), text(y))
            }
            Self::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(x)),
        };
        Digest::of(jwk.as_bytes())
    }
}

fn rsa(key: &[u8]) -> Result<PublicKey, Unusable> {
    let number = |bytes: &[u8]| {
        let is_negative = bytes.first().is_none_or(|first| first & 0x80 != 0);
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        (!is_negative).then(|| bytes.iter().skip(zeros).copied().collect::<Vec<_>>())
    };
    let (_, key) = RSAPublicKey::from_der(key).map_err(|_| Unusable::KeyKind)?;
    let (n, e) = number(key.modulus).zip(number(key.exponent)).ok_or(Unusable::KeyKind)?;
    // its first bit is set where the length says so: one bit less is refused, too
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if (2048..=8192).contains(&bits) { Ok(PublicKey::Rsa { n, e }) } else { Err(Unusable::KeySize) }
}

/// From an uncompressed point (SEC 1, 2.3.3); the others are not in use with TLS.
fn ec(curve: &Oid<'_>, point: &[u8]) -> Option<PublicKey> {
    let curves = [(OID_EC_P256, "P-256", 32), (OID_NIST_EC_P384, "P-384", 48), (OID_NIST_EC_P521, "P-521", 66)];
    let (_, curve, length) = curves.into_iter().find(|(oid, ..)| oid == curve)?;
    let coordinates = point.strip_prefix(&[4]).filter(|coordinates| coordinates.len() == 2 * length)?;
    let (x, y) = coordinates.split_at_checked(length)?;
    Some(PublicKey::Ec { curve, x: x.to_vec(), y: y.to_vec() })
}
