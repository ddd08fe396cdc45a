//! JWTs that only the gateway itself reads: signed with HMAC-SHA-512.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Serialize, de::DeserializeOwned};

use super::{NotSigned, NotVerified};
use crate::clock::Timestamp;

/// A symmetric key for HS512.
pub struct HmacKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl HmacKey {
    pub fn new(secret: &[u8; 64]) -> Self {
        Self { encoding: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret) }
    }

    pub fn sign(&self, claims: &impl Serialize) -> Result<String, NotSigned> {
        jsonwebtoken::encode(&Header::new(Algorithm::HS512), claims, &self.encoding)
            .map_err(|error| NotSigned(error.to_string()))
    }

    /// The claims of a token of this key, for this issuer and audience, not expired at `now`.
    pub fn verify<T: DeserializeOwned>(&self, token: &str, issuer: &str, now: Timestamp) -> Result<T, NotVerified> {
        let mut validation = Validation::new(Algorithm::HS512);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[issuer]);
        super::verify_with(token, &self.decoding, validation, now)
    }
}
