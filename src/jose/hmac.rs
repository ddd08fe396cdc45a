//! JWTs that only the gateway itself reads: signed with HMAC-SHA-512.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Serialize, de::DeserializeOwned};

use super::{NotSigned, NotVerified};

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

    /// The claims of a token of this key, for this issuer and audience. Until when it counts is the caller's to judge.
    pub fn verify<T: DeserializeOwned>(&self, token: &str, issuer: &str) -> Result<T, NotVerified> {
        let mut validation = Validation::new(Algorithm::HS512);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.validate_exp = false;
        let token = jsonwebtoken::decode(token, &self.decoding, &validation);
        token.map(|token| token.claims).map_err(|_| NotVerified("signature or claims"))
    }
}
