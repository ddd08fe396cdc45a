//! Compact JWS (RFC 7515): made with parsed keys, verified by jsonwebtoken.

mod claims;
pub mod foreign;
mod hmac;
mod jws;
mod remote;
mod typed;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, Validation};
use serde::{Serialize, de::DeserializeOwned};

pub use claims::{Audience, Claims, LEEWAY};
pub use foreign::ForeignKeys;
pub use hmac::HmacKey;
pub use jws::{Jws, JwsAlgorithm};
pub use remote::{PublicKeys, RemoteKeys};
pub use typed::{public_members, sign_proof, sign_typed, sign_with_secret};

use crate::{clock::Timestamp, keys::KeySet, keys::SigningKey};

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

/// The claims of a token that one of `keys` signed, for this issuer and audience, not expired at `now`. The key decides the
/// algorithm; `crit` is refused (RFC 7515 4.1.11). What else the claims must say is the caller's.
pub fn verify_own<T: DeserializeOwned>(
    keys: &KeySet,
    token: &str,
    issuer: &str,
    audience: &str,
    now: Timestamp,
) -> Result<T, NotVerified> {
    if token.len() > 16 * 1024 {
        return Err(NotVerified("too long"));
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| NotVerified("no JWT"))?;
    if has_crit(token) {
        return Err(NotVerified("crit"));
    }
    let kid = header.kid.ok_or(NotVerified("no kid"))?;
    let key = keys.by_kid(&kid).ok_or(NotVerified("unknown kid"))?;
    let mut validation = Validation::new(key.algorithm().for_jsonwebtoken());
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    let key = DecodingKey::from_jwk(key.jwk()).map_err(|_| NotVerified("key"))?;
    verify_with(token, &key, validation, now)
}

/// What all verifications share: `exp`, `iss` and `aud` must be there, and time is what was handed in.
fn verify_with<T: DeserializeOwned>(
    token: &str,
    key: &DecodingKey,
    mut validation: Validation,
    now: Timestamp,
) -> Result<T, NotVerified> {
    #[derive(serde::Deserialize)]
    struct Registered<T> {
        exp: u64,
        #[serde(flatten)]
        claims: T,
    }
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.validate_exp = false; // judged below
    let token = jsonwebtoken::decode::<Registered<T>>(token, key, &validation)
        .map_err(|_| NotVerified("signature or claims"))?;
    if token.claims.exp <= now.seconds() {
        return Err(NotVerified("expired"));
    }
    Ok(token.claims.claims)
}

fn has_crit(token: &str) -> bool {
    let header = token.split('.').next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
    header
        .and_then(|header| serde_json::from_slice::<serde_json::Value>(&header).ok())
        .is_none_or(|header| header.get("crit").is_some())
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
    fn what_is_signed_verifies_for_its_issuer_audience_and_time_alone() {
        let (key, _) = SigningKey::generate(Algorithm::ES256).unwrap();
        let keys = KeySet::new(vec![Arc::new(key)]);
        let key = keys.for_algorithm(Algorithm::ES256).unwrap();
        let token = sign(key, &json!({"iss": "i", "aud": "a", "exp": 100, "x": 1})).unwrap();
        let verify = |token: &str, issuer, audience, now| {
            verify_own::<serde_json::Value>(&keys, token, issuer, audience, Timestamp::from_seconds(now)).is_ok()
        };
        assert!(verify(&token, "i", "a", 99));
        assert!(!verify(&token, "i", "a", 100), "expired");
        assert!(!verify(&token, "j", "a", 99), "issuer");
        assert!(!verify(&token, "i", "b", 99), "audience");
        assert!(!verify(&format!("{token}x"), "i", "a", 99), "signature");
        for claims in [json!({"iss": "i", "aud": "a", "exp": "100"}), json!({"iss": "i", "exp": 100})] {
            assert!(!verify(&sign(key, &claims).unwrap(), "i", "a", 99), "{claims}");
        }
    }
}
