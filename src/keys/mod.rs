//! A realm's signing keys: parsed once from PEM or generated, kept in the state folder, published as a JWK Set.
//!
//! The `kid` is base64url(SHA-256(SubjectPublicKeyInfo)), as Keycloak derives it. Nothing here signs a token: `jose` does.

mod any;
pub mod folder;
mod set;

use std::{fmt, str::FromStr};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
        RsaKeyPair,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{
    EncodingKey,
    jwk::{Jwk, PublicKeyUse},
};

pub use set::{KeySet, NoKey};

use crate::secret::{Digest, Secret};

/// A key that the realm file names, parsed.
pub type KeySource = std::sync::Arc<SigningKey>;

/// The algorithms that tokens can be signed with (RFC 7518 3.1, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    RS256,
    PS256,
    ES256,
    EdDSA,
}

impl Algorithm {
    pub const ALL: [Self; 4] = [Self::RS256, Self::PS256, Self::ES256, Self::EdDSA];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::PS256 => "PS256",
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
        }
    }

    pub const fn for_jsonwebtoken(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::RS256 => jsonwebtoken::Algorithm::RS256,
            Self::PS256 => jsonwebtoken::Algorithm::PS256,
            Self::ES256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDSA => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text).ok_or(())
    }
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    #[error("it is not a PEM file with one private key (PKCS#8, or PKCS#1 for RSA)")]
    NotPem,
    #[error("it holds no key for {0}")]
    WrongKind(Algorithm),
    #[error("an RSA key must have at least 2048 bits, this one has {0}")]
    TooShort(usize),
    #[error("no key could be generated")]
    NotGenerated,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A private key with its algorithm and public JWK.
pub struct SigningKey {
    kid: Box<str>,
    algorithm: Algorithm,
    pair: Pair,
    jwk: Jwk,
}

impl SigningKey {
    /// From PEM: PKCS#8, or PKCS#1 for RSA.
    pub fn from_pem(algorithm: Algorithm, pem: &Secret) -> Result<Self, KeyFault> {
        let der = private_der(pem.reveal()).ok_or(KeyFault::NotPem)?;
        let wrong = |_| KeyFault::WrongKind(algorithm);
        let (pair, public, encoding) = match algorithm {
            Algorithm::RS256 | Algorithm::PS256 => {
                let pair = RsaKeyPair::from_pkcs8(&der).or_else(|_| RsaKeyPair::from_der(&der)).map_err(wrong)?;
                let bits = pair.public_modulus_len() * 8;
                if bits < 2048 {
                    return Err(KeyFault::TooShort(bits));
                }
                let public: PublicKeyX509Der = pair.public_key().as_der().map_err(|_| KeyFault::NotPem)?;
                let encoding = EncodingKey::from_rsa_pem(pem.reveal().as_bytes()).map_err(|_| KeyFault::NotPem)?;
                (Pair::Rsa(pair), public.as_ref().to_vec(), encoding)
            }
            Algorithm::ES256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).map_err(wrong)?;
                let public: PublicKeyX509Der = pair.public_key().as_der().map_err(|_| KeyFault::NotPem)?;
                let encoding = EncodingKey::from_ec_pem(pem.reveal().as_bytes()).map_err(|_| KeyFault::NotPem)?;
                (Pair::P256(pair), public.as_ref().to_vec(), encoding)
            }
            Algorithm::EdDSA => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(wrong)?;
                let public: PublicKeyX509Der = pair.public_key().as_der().map_err(|_| KeyFault::NotPem)?;
                let encoding = EncodingKey::from_ed_pem(pem.reveal().as_bytes()).map_err(|_| KeyFault::NotPem)?;
                (Pair::Ed25519(pair), public.as_ref().to_vec(), encoding)
            }
        };
        let kid = Digest::of(&public).base64url();
        let mut jwk = Jwk::from_encoding_key(&encoding, algorithm.for_jsonwebtoken()).map_err(|_| KeyFault::NotPem)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { kid: kid.into(), algorithm, pair, jwk })
    }

    /// A new key (RSA with 2048 bits) and its PEM. Takes 0.1 to 1 s for RSA: not for an async thread.
    pub fn generate(algorithm: Algorithm) -> Result<(Self, Secret), KeyFault> {
        let fault = |_| KeyFault::NotGenerated;
        let der = match algorithm {
            Algorithm::RS256 | Algorithm::PS256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(fault)?;
                let der: Pkcs8V1Der = pair.as_der().map_err(fault)?;
                der.as_ref().to_vec()
            }
            Algorithm::ES256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .and_then(|pair| pair.to_pkcs8v1())
                .map_err(fault)?
                .as_ref()
                .to_vec(),
            Algorithm::EdDSA => {
                Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()).map_err(fault)?.as_ref().to_vec()
            }
        };
        let pem = Secret::new(pem_of(&der));
        Ok((Self::from_pem(algorithm, &pem)?, pem))
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public key, with `kid`, `alg` and `use`.
    pub const fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// The signature over `message`, as JWS wants it (RFC 7518 3).
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
        let rsa = |pair: &RsaKeyPair, padding| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(padding, &SystemRandom::new(), message, &mut signature).map(|()| signature)
        };
        match (&self.pair, self.algorithm) {
            (Pair::Rsa(pair), Algorithm::PS256) => rsa(pair, &RSA_PSS_SHA256),
            (Pair::Rsa(pair), _) => rsa(pair, &RSA_PKCS1_SHA256),
            (Pair::P256(pair), _) => Ok(pair.sign(&SystemRandom::new(), message)?.as_ref().to_vec()),
            (Pair::Ed25519(pair), _) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {})", self.algorithm, self.kid)
    }
}

/// The DER inside the first PEM block that holds a private key.
fn private_der(pem: &str) -> Option<Vec<u8>> {
    use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok().map(|key| key.secret_der().to_vec())
}

fn pem_of(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_generates_signs_and_reads_back() {
        for algorithm in Algorithm::ALL {
            let (key, pem) = SigningKey::generate(algorithm).unwrap();
            let again = SigningKey::from_pem(algorithm, &pem).unwrap();
            assert_eq!(key.kid(), again.kid());
            let signature = key.sign(b"message").unwrap();
            let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature);
            let decoding = jsonwebtoken::DecodingKey::from_jwk(again.jwk()).unwrap();
            let good =
                jsonwebtoken::crypto::verify(&encoded, b"message", &decoding, algorithm.for_jsonwebtoken()).unwrap();
            assert!(good, "{algorithm}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let (_, p256) = SigningKey::generate(Algorithm::ES256).unwrap();
        assert!(matches!(SigningKey::from_pem(Algorithm::RS256, &p256), Err(KeyFault::WrongKind(Algorithm::RS256))));
        assert!(matches!(SigningKey::from_pem(Algorithm::ES256, &Secret::new("x")), Err(KeyFault::NotPem)));
    }
}
