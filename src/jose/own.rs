//! Access tokens that a realm signed itself and is shown again. The same one is introspected for each call that is made with
//! it, so those that were verified are remembered: verifying ES256 takes three quarters of such a request.
//!
//! Only good ones are, by the digest of the whole token, and only as long as the realm has these keys: with others there is
//! another [`OwnTokens`], which remembers nothing. It answers what verifying again would; what changes meanwhile (time, the
//! authorization behind the token) is the caller's to judge, each time.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;

use super::{Claims, NotVerified, verify_own};
use crate::{keys::KeySet, secret::Digest};

/// Of remembered tokens, in bytes as they were sent; their claims take about four times as much.
const MOST: u64 = 4 * 1024 * 1024;
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// Verifies tokens of one realm.
pub struct OwnTokens {
    keys: Arc<KeySet>,
    issuer: String,
    verified: Cache<Digest, Verified>,
}

#[derive(Clone)]
struct Verified {
    claims: Arc<Claims>,
    length: u32,
}

impl OwnTokens {
    pub fn new(keys: Arc<KeySet>, issuer: String) -> Self {
        let verified = Cache::builder().max_capacity(MOST).weigher(|_, token: &Verified| token.length);
        Self { keys, issuer, verified: verified.time_to_idle(FORGOTTEN_AFTER).build() }
    }

    /// As [`verify_own`].
    pub fn verify(&self, token: &str) -> Result<Arc<Claims>, NotVerified> {
        let digest = Digest::of(token.as_bytes());
        if let Some(known) = self.verified.get(&digest) {
            return Ok(known.claims);
        }
        let claims = Arc::new(verify_own(&self.keys, token, &self.issuer)?);
        let length = u32::try_from(token.len()).unwrap_or(u32::MAX);
        self.verified.insert(digest, Verified { claims: Arc::clone(&claims), length });
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        jose,
        keys::{Algorithm, SigningKey},
    };

    #[test]
    fn a_good_token_is_remembered_to_the_last_byte_and_nothing_else_is() {
        let (key, _) = SigningKey::generate(Algorithm::ES256).unwrap();
        let (other, _) = SigningKey::generate(Algorithm::ES256).unwrap();
        let good = jose::sign(&key, &json!({"iss": "i", "sub": "x"})).unwrap();
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let (header, _) = signed.split_once('.').unwrap();
        let claims = jose::sign(&other, &json!({"iss": "i", "sub": "y"})).unwrap();
        let claims = claims.split('.').nth(1).unwrap();
        let bad = [
            format!("{header}.{claims}.{signature}"),
            format!("{signed}."),
            format!("{good}="),
            jose::sign(&other, &json!({"iss": "i", "sub": "x"})).unwrap(),
            jose::sign(&key, &json!({"iss": "j", "sub": "x"})).unwrap(),
        ];
        let tokens = OwnTokens::new(Arc::new(KeySet::new(vec![Arc::new(key)])), "i".into());
        for _ in 0..2 {
            for token in &bad {
                assert!(tokens.verify(token).is_err(), "{token}");
            }
            assert_eq!(tokens.verify(&good).unwrap().get("sub"), Some(&json!("x")));
        }
        tokens.verified.run_pending_tasks();
        assert_eq!(tokens.verified.entry_count(), 1);
        let first = tokens.verify(&good).unwrap();
        assert!(Arc::ptr_eq(&first, &tokens.verify(&good).unwrap()), "remembered");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (key, _) = SigningKey::generate(Algorithm::ES256).unwrap();
        let key = Arc::new(key);
        let tokens = OwnTokens::new(Arc::new(KeySet::new(vec![Arc::clone(&key)])), "i".into());
        let long = "x".repeat(10_000);
        for n in 0..500 {
            assert!(tokens.verify(&jose::sign(&key, &json!({"iss": "i", "n": n, "long": long})).unwrap()).is_ok());
        }
        tokens.verified.run_pending_tasks();
        assert!((100..500).contains(&tokens.verified.entry_count()), "{}", tokens.verified.entry_count());
        assert!(tokens.verified.weighted_size() <= MOST);
    }
}
