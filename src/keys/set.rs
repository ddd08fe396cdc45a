//! The keys of one realm, ready to sign with and to be published.

use std::sync::Arc;

use bytes::Bytes;
use jsonwebtoken::jwk::JwkSet;

use super::{Algorithm, SigningKey};

/// No key of the realm is for this algorithm.
#[derive(Debug, thiserror::Error)]
#[error("the realm has no key for {0}")]
pub struct NoKey(pub Algorithm);

/// A realm's keys; the first one of an algorithm signs, all of them are published.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Arc<SigningKey>>,
    published: Bytes,
}

impl KeySet {
    pub fn new(keys: Vec<Arc<SigningKey>>) -> Self {
        let set = JwkSet { keys: keys.iter().map(|key| key.jwk().clone()).collect() };
        let published = serde_json::to_vec(&set).unwrap_or_default().into();
        Self { keys, published }
    }

    /// The key that signs with this algorithm.
    pub fn for_algorithm(&self, algorithm: Algorithm) -> Result<&SigningKey, NoKey> {
        self.keys.iter().find(|key| key.algorithm() == algorithm).map(AsRef::as_ref).ok_or(NoKey(algorithm))
    }

    pub fn by_kid(&self, kid: &str) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.kid() == kid).map(AsRef::as_ref)
    }

    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.keys.iter().map(|key| key.algorithm())
    }

    /// The JWK Set (RFC 7517 5) as JSON.
    pub fn published(&self) -> Bytes {
        self.published.clone()
    }
}
