//! Compact JWS (RFC 7515): made with parsed keys, verified by jsonwebtoken.

mod claims;
pub mod foreign;
mod hmac;
mod jws;
mod own;
mod remote;
mod typed;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;

pub use claims::{Audience, Claims, LEEWAY};
pub use foreign::ForeignKeys;
pub use hmac::HmacKey;
pub use jws::{Jws, JwsAlgorithm};
pub use own::OwnTokens;
pub use remote::{PublicKeys, RemoteKeys};
pub use typed::{public_members, sign_proof, sign_typed, sign_with_secret};

use crate::keys::{KeySet, SigningKey};

/// A token could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the token could not be signed: {0}")]
pub struct NotSigned(String);

impl NotSigned {
    pub fn because(fault: &impl ToString) -> Self {
        Self(fault.to_string())
    }
}

/// A token that is not ours, not now or not for this use.
#[derive(Debug, thiserror::Error)]
#[error("the token is not accepted: {0}")]
pub struct NotVerified(&'static str);

impl NotVerified {
    pub const fn because(fault: &'static str) -> Self {
        Self(fault)
    }

    /// A few words of ours, good for an `error_description`.
    pub const fn reason(&self) -> &'static str {
        self.0
    }
}

/// `header.claims.signature`, with `alg`, `typ` and `kid` in the header.
pub fn sign(key: &SigningKey, claims: &impl Serialize) -> Result<String, NotSigned> {
    let claims = serde_json::to_vec(claims).map_err(|error| NotSigned(error.to_string()))?;
    let header = format!(r#"{{"alg":"{}","typ":"JWT","kid":"{}"}}"#, key.algorithm(), key.kid());
    let mut token = String::with_capacity(claims.len() * 2 + 512);
    URL_SAFE_NO_PAD.encode_string(header, &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = key.sign(token.as_bytes()).map_err(|_| NotSigned("the library refused".into()))?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

/// The claims of a token that one of `keys` signed as `issuer`; the key decides the algorithm. For whom, until when and what
/// for it counts is the caller's to judge.
pub fn verify_own(keys: &KeySet, token: &str, issuer: &str) -> Result<Claims, NotVerified> {
    let jws = Jws::parse(token)?;
    let key = keys.by_kid(jws.kid().ok_or(NotVerified("no kid"))?).ok_or(NotVerified("unknown kid"))?;
    if jws.algorithm().as_str() != key.algorithm().as_str() {
        return Err(NotVerified("the key is not for it"));
    }
    let claims = jws.verify_jwk(key.jwk())?;
    if claims.text("iss")? != Some(issuer) {
        return Err(NotVerified("another issuer"));
    }
    Ok(claims)
}

/// The left half of a hash, as `at_hash` has it (OpenID Connect Core 3.1.3.6). All algorithms of the gateway hash with
/// SHA-256, EdDSA with Ed25519 alone with SHA-512.
pub fn half_hash(algorithm: crate::keys::Algorithm, token: &str) -> String {
    use aws_lc_rs::digest::{SHA256, SHA512, digest};
    let algorithm = if algorithm == crate::keys::Algorithm::EdDSA { &SHA512 } else { &SHA256 };
    let hash = digest(algorithm, token.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::keys::Algorithm;

    #[test]
    fn half_hash_known_answer_of_ciba_core_10_3_1() {
        assert_eq!(half_hash(Algorithm::ES256, "G5kXH2wHvUra0sHlDy1iTkDJgsgUO1bN"), "Wt0kVFXMacqvnHeyU0001w");
        let refresh_token = "4bwc0ESC_IAhflf-ACC_vjD_ltc11ne-8gFPfA2Kx16";
        assert_eq!(half_hash(Algorithm::ES256, refresh_token), "sHahCuSpXCRg5mkDDvvr4w");
    }

    #[test]
    fn what_is_signed_verifies_for_its_issuer_alone() {
        for algorithm in Algorithm::ALL {
            let (key, _) = SigningKey::generate(algorithm).unwrap();
            let (other, _) = SigningKey::generate(algorithm).unwrap();
            let keys = KeySet::new(vec![Arc::new(key)]);
            let key = keys.for_algorithm(algorithm).unwrap();
            let token = sign(key, &json!({"iss": "i", "exp": 100})).unwrap();
            let refused = |token: &str, issuer| verify_own(&keys, token, issuer).unwrap_err().to_string();
            assert_eq!(verify_own(&keys, &token, "i").unwrap().get("exp"), Some(&json!(100)), "{algorithm}");
            assert!(refused(&token, "j").contains("another issuer"));
            assert!(refused(&format!("{token}x"), "i").contains("signature"));
            assert!(refused(&sign(key, &json!({"exp": 100})).unwrap(), "i").contains("another issuer"));
            assert!(refused(&sign(&other, &json!({"iss": "i"})).unwrap(), "i").contains("unknown kid"));
        }
    }

    /// RS256 and PS256 have keys of the same kind.
    #[test]
    fn a_key_verifies_its_own_algorithm_alone() {
        let (rs256, pem) = SigningKey::generate(Algorithm::RS256).unwrap();
        let ps256 = SigningKey::from_pem(Algorithm::PS256, &pem).unwrap();
        let keys = KeySet::new(vec![Arc::new(rs256)]);
        let token = sign(&ps256, &json!({"iss": "i"})).unwrap();
        assert!(verify_own(&keys, &token, "i").unwrap_err().to_string().contains("not for it"));
    }
}
