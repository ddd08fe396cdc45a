//! A compact JWS that somebody sent: parsed, its header judged, not yet verified (RFC 7515 3.1, RFC 8725 3).
//!
//! `none`, unknown algorithms, `crit` and JWE are refused here, for every use. `jku`, `x5u`, `x5c` and, but for DPoP, `jwk`
//! are never looked at: which keys count is said by registration (RFC 8725 3.10).

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{AlgorithmParameters, Jwk, ThumbprintHash},
};
use serde_json::Value;

use super::{Claims, NotVerified};
use crate::{oauth::json, secret::Secret};

/// The longest JWT that is read, in bytes.
const LONGEST: usize = 16 * 1024;
/// The longest `kid`, in bytes.
const LONGEST_KID: usize = 256;

/// The algorithms that a signature from outside may have (RFC 7518 3.1, RFC 8037 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JwsAlgorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl JwsAlgorithm {
    pub const SYMMETRIC: [Self; 3] = [Self::HS256, Self::HS384, Self::HS512];

    pub const ASYMMETRIC: [Self; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }

    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }

    /// The least length of a secret for it, in bytes (RFC 7518 3.2); zero for asymmetric ones.
    pub const fn least_secret(self) -> usize {
        match self {
            Self::HS256 => 32,
            Self::HS384 => 48,
            Self::HS512 => 64,
            _ => 0,
        }
    }

    pub(super) const fn for_jsonwebtoken(self) -> Algorithm {
        match self {
            Self::HS256 => Algorithm::HS256,
            Self::HS384 => Algorithm::HS384,
            Self::HS512 => Algorithm::HS512,
            Self::RS256 => Algorithm::RS256,
            Self::RS384 => Algorithm::RS384,
            Self::RS512 => Algorithm::RS512,
            Self::PS256 => Algorithm::PS256,
            Self::PS384 => Algorithm::PS384,
            Self::PS512 => Algorithm::PS512,
            Self::ES256 => Algorithm::ES256,
            Self::ES384 => Algorithm::ES384,
            Self::EdDSA => Algorithm::EdDSA,
        }
    }
}

impl fmt::Display for JwsAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for JwsAlgorithm {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut all = Self::SYMMETRIC.into_iter().chain(Self::ASYMMETRIC);
        all.find(|algorithm| algorithm.as_str() == text).ok_or(())
    }
}

/// A compact JWS with a header that can be judged.
#[derive(Debug)]
pub struct Jws<'a> {
    /// `header.payload`
    message: &'a str,
    signature: &'a str,
    algorithm: JwsAlgorithm,
    typ: Option<String>,
    kid: Option<String>,
    jwk: Option<Value>,
}

impl<'a> Jws<'a> {
    /// # Errors
    /// What is no compact JWS of at most 16 KiB with a plain JSON header.
    pub fn parse(token: &'a str) -> Result<Self, NotVerified> {
        if token.len() > LONGEST {
            return Err(NotVerified("too long"));
        }
        match token.split('.').count() {
            3 => {}
            5 => return Err(NotVerified("encrypted (JWE)")),
            _ => return Err(NotVerified("no signed JWT")),
        }
        let (message, signature) = token.rsplit_once('.').ok_or(NotVerified("no signed JWT"))?;
        let (header, _) = message.split_once('.').ok_or(NotVerified("no signed JWT"))?;
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| NotVerified("no signed JWT"))?;
        let mut header = json::strict_object(&header).ok_or(NotVerified("the header is no JSON object"))?;
        if header.contains_key("crit") {
            return Err(NotVerified("crit"));
        }
        let mut text = |name| match header.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(NotVerified("the header has a member of the wrong type")),
        };
        let (alg, typ, kid) = (text("alg")?, text("typ")?, text("kid")?);
        let algorithm = alg.and_then(|alg| alg.parse().ok()).ok_or(NotVerified("alg"))?;
        if kid.as_ref().is_some_and(|kid| kid.len() > LONGEST_KID) {
            return Err(NotVerified("kid is too long"));
        }
        Ok(Self { message, signature, algorithm, typ, kid, jwk: header.remove("jwk") })
    }

    pub const fn algorithm(&self) -> JwsAlgorithm {
        self.algorithm
    }

    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether `typ` is this media type, without `application/` and without regard to case (RFC 7515 4.1.9).
    pub fn is_typ(&self, wanted: &str) -> bool {
        self.typ.as_deref().is_some_and(|typ| {
            let short = match typ.get(..12) {
                Some(prefix) if prefix.eq_ignore_ascii_case("application/") => &typ[12..],
                _ => typ,
            };
            short.eq_ignore_ascii_case(wanted)
        })
    }

    pub const fn has_typ(&self) -> bool {
        self.typ.is_some()
    }

    /// Whether it is no more than a JWT by its header: a token of another use says so in `typ` (RFC 8725 3.11).
    pub fn is_untyped(&self) -> bool {
        !self.has_typ() || self.is_typ("JWT")
    }

    /// The `iss` that the claims hold, *not verified*: good for choosing whose keys are tried, and for nothing else.
    pub fn claimed_issuer(&self) -> Option<String> {
        let mut claims = self.payload().ok()?.into_map();
        match claims.remove("iss")? {
            Value::String(issuer) => Some(issuer),
            _ => None,
        }
    }

    /// The claims, if `secret` made the signature. Only for HMAC algorithms.
    pub fn verify_hmac(&self, secret: &Secret) -> Result<Claims, NotVerified> {
        if !self.algorithm.is_symmetric() {
            return Err(NotVerified("alg is not symmetric"));
        }
        self.claims_if_signed_by(&DecodingKey::from_secret(secret.reveal().as_bytes()))
    }

    /// The claims, if the key in the header's `jwk` made the signature, and that key's thumbprint (RFC 7638): DPoP's way
    /// (RFC 9449 4.2). Private and symmetric keys are refused.
    pub fn verify_embedded(&self) -> Result<(Claims, String), NotVerified> {
        let jwk = self.jwk.as_ref().ok_or(NotVerified("no jwk in the header"))?;
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|private| jwk.get(private).is_some()) {
            return Err(NotVerified("jwk holds a private key"));
        }
        let jwk: Jwk = serde_json::from_value(jwk.clone()).map_err(|_| NotVerified("jwk"))?;
        let claims = self.verify_jwk(&jwk)?;
        let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| NotVerified("jwk"))?;
        Ok((claims, thumbprint))
    }

    pub(super) fn verify_jwk(&self, jwk: &Jwk) -> Result<Claims, NotVerified> {
        if self.algorithm.is_symmetric() || is_weak(jwk) {
            return Err(NotVerified("the key is not for it"));
        }
        let key = DecodingKey::from_jwk(jwk).map_err(|_| NotVerified("the key is not understood"))?;
        self.claims_if_signed_by(&key)
    }

    fn claims_if_signed_by(&self, key: &DecodingKey) -> Result<Claims, NotVerified> {
        let algorithm = self.algorithm.for_jsonwebtoken();
        // the key decides the algorithm's family (RFC 8725 3.1)
        if key.family() != algorithm.family()
            || (key.family() == AlgorithmFamily::Hmac) != self.algorithm.is_symmetric()
        {
            return Err(NotVerified("the key is not for it"));
        }
        let good = jsonwebtoken::crypto::verify(self.signature, self.message.as_bytes(), key, algorithm);
        if !good.is_ok_and(|good| good) {
            return Err(NotVerified("signature"));
        }
        self.payload()
    }

    fn payload(&self) -> Result<Claims, NotVerified> {
        let (_, payload) = self.message.split_once('.').ok_or(NotVerified("no signed JWT"))?;
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| NotVerified("no signed JWT"))?;
        json::strict_object(&payload).map(Claims::new).ok_or(NotVerified("the claims are no plain JSON object"))
    }
}

/// RSA below 2048 bits (RFC 7518 3.3).
pub(super) fn is_weak(jwk: &Jwk) -> bool {
    match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            let modulus = URL_SAFE_NO_PAD.decode(rsa.n.trim_end_matches('=')).unwrap_or_default();
            let leading = modulus.iter().take_while(|byte| **byte == 0).count();
            let first = modulus.get(leading).map_or(0, |byte| 8 - byte.leading_zeros() as usize);
            modulus.len().saturating_sub(leading + 1) * 8 + first < 2048
        }
        _ => false,
    }
}
