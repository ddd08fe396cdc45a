//! Tokens that somebody else signed, verified with that party's published key set (RFC 7517 5, RFC 8725 3).
//!
//! Signatures alone: what the claims must say is the caller's. Nothing is fetched or cached here: `remote` does.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    AlgorithmFamily, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse, ThumbprintHash},
};
use serde_json::{Map, Value};

use super::{Claims, Jws, JwsAlgorithm, NotVerified, jws::is_weak};

/// The most keys of one set that are looked at.
const MOST_KEYS: usize = 100;

/// The most keys that one signature is tried with: anybody can send one that fits them all.
const MOST_TRIED: usize = 8;

/// The public keys of another party. Keys of a kind that is not known here, and symmetric ones, are left out.
#[derive(Debug)]
pub struct ForeignKeys(Vec<Jwk>);

/// A token whose signature is good.
#[derive(Debug)]
pub struct Signed {
    pub claims: Map<String, Value>,
    pub kid: Option<String>,
    algorithm: JwsAlgorithm,
}

impl ForeignKeys {
    /// From a JWK Set as JSON.
    ///
    /// # Errors
    /// The text is no JWK Set. Single keys that cannot be used are no error.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(serde::Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(json)?;
        let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        Ok(Self(keys.filter(is_usable).take(MOST_KEYS).collect()))
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether some key of the set can make signatures with this algorithm.
    pub fn serves(&self, algorithm: JwsAlgorithm) -> bool {
        self.0.iter().any(|key| serves(key, algorithm))
    }

    /// Whether some key of the set may have made this signature.
    pub fn has_key_for(&self, jws: &Jws<'_>) -> bool {
        self.0.iter().any(|key| fits(key, jws))
    }

    /// The claims of a JWS that one of these keys signed. Where the header names a `kid`, only keys of that name count; a key
    /// with an `alg` verifies that algorithm alone.
    pub fn verify_jws(&self, jws: &Jws<'_>) -> Result<Claims, NotVerified> {
        let mut fault = NotVerified("no key of the set is for it");
        for key in self.0.iter().filter(|key| fits(key, jws)).take(MOST_TRIED) {
            match jws.verify_jwk(key) {
                Ok(claims) => return Ok(claims),
                Err(refused) => fault = refused,
            }
        }
        Err(fault)
    }

    /// The same for a token as it was sent.
    pub fn verify(&self, token: &str) -> Result<Signed, NotVerified> {
        let jws = Jws::parse(token)?;
        let claims = self.verify_jws(&jws)?.into_map();
        Ok(Signed { claims, kid: jws.kid().map(str::to_owned), algorithm: jws.algorithm() })
    }

    /// Whether one of the keys has this RFC 7638 thumbprint (SHA-256, base64url). A key for encryption proves nothing.
    pub fn has(&self, thumbprint: &str) -> bool {
        let mut keys = self.0.iter().filter(|key| is_for_signatures(key));
        keys.any(|key| key.thumbprint(ThumbprintHash::SHA256).is_ok_and(|its| its == thumbprint))
    }
}

impl Signed {
    /// The name of the algorithm, such as `RS256`.
    pub fn algorithm(&self) -> String {
        self.algorithm.to_string()
    }

    /// The left half of the hash of `text`, as this token's `at_hash` has it (OpenID Connect Core 3.1.3.6). EdDSA is
    /// Ed25519 here, which hashes with SHA-512.
    pub fn half_hash(&self, text: &str) -> String {
        use JwsAlgorithm::{ES384, EdDSA, HS384, HS512, PS384, PS512, RS384, RS512};
        let hash = match self.algorithm {
            HS384 | RS384 | PS384 | ES384 => &digest::SHA384,
            HS512 | RS512 | PS512 | EdDSA => &digest::SHA512,
            _ => &digest::SHA256,
        };
        let hash = digest::digest(hash, text.as_bytes());
        URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
    }
}

/// Whether a text is a compact JWS by its form: an access token that is none is opaque, which is no fault.
pub fn is_jws(token: &str) -> bool {
    let header = token.split('.').next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
    token.split('.').count() == 3
        && header.is_some_and(|header| {
            serde_json::from_slice::<Map<String, Value>>(&header).is_ok_and(|header| header.contains_key("alg"))
        })
}

fn is_usable(key: &Jwk) -> bool {
    let parsed = DecodingKey::from_jwk(key);
    parsed.is_ok_and(|parsed| parsed.family() != AlgorithmFamily::Hmac) && !is_weak(key) && is_whole(key)
}

/// The coordinates of a point have the length of its curve (RFC 7518 6.2.1.2, RFC 8037 2); a copy may have lost some of it.
fn is_whole(key: &Jwk) -> bool {
    let length = |text: &str| URL_SAFE_NO_PAD.decode(text).map_or(0, |bytes| bytes.len());
    match &key.algorithm {
        AlgorithmParameters::EllipticCurve(key) => {
            let wanted = match key.curve {
                EllipticCurve::P256 => 32,
                EllipticCurve::P384 => 48,
                _ => return true,
            };
            [&key.x, &key.y].iter().all(|coordinate| length(coordinate) == wanted)
        }
        AlgorithmParameters::OctetKeyPair(key) => length(&key.x) == 32,
        _ => true,
    }
}

fn serves(key: &Jwk, algorithm: JwsAlgorithm) -> bool {
    let only = key.common.key_algorithm;
    let curve = match (&key.algorithm, algorithm) {
        (AlgorithmParameters::EllipticCurve(key), JwsAlgorithm::ES256) => key.curve == EllipticCurve::P256,
        (AlgorithmParameters::EllipticCurve(key), JwsAlgorithm::ES384) => key.curve == EllipticCurve::P384,
        _ => true,
    };
    let algorithm = algorithm.for_jsonwebtoken();
    let family = DecodingKey::from_jwk(key).is_ok_and(|parsed| parsed.family() == algorithm.family());
    family
        && curve
        && only.is_none_or(|only| only == KeyAlgorithm::from(algorithm))
        && key.common.public_key_use.as_ref().is_none_or(|only| *only == PublicKeyUse::Signature)
}

fn fits(key: &Jwk, jws: &Jws<'_>) -> bool {
    let algorithm = KeyAlgorithm::from(jws.algorithm().for_jsonwebtoken());
    jws.kid().is_none_or(|kid| key.common.key_id.as_deref() == Some(kid))
        && key.common.key_algorithm.is_none_or(|only| only == algorithm)
        && is_for_signatures(key)
}

fn is_for_signatures(key: &Jwk) -> bool {
    key.common.public_key_use.as_ref().is_none_or(|only| *only == PublicKeyUse::Signature)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{jose::sign, keys, keys::SigningKey};

    fn set(keys: &[Value]) -> ForeignKeys {
        ForeignKeys::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    fn unsigned(header: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(header), part(&json!({"sub": "x"})))
    }

    #[test]
    fn every_algorithm_of_ours_verifies_among_keys_of_unknown_kinds() {
        for algorithm in keys::Algorithm::ALL {
            let (key, _) = SigningKey::generate(algorithm).unwrap();
            let keys = set(&[
                json!({"kty": "LATTICE", "kid": "future"}),
                json!({"kty": "OKP", "crv": "X25519", "x": "AA"}),
                serde_json::to_value(key.jwk()).unwrap(),
            ]);
            let signed = keys.verify(&sign(&key, &json!({"sub": "x"})).unwrap()).unwrap();
            assert_eq!(signed.claims["sub"], "x", "{algorithm}");
            assert_eq!(signed.algorithm(), algorithm.as_str());
            assert_eq!(signed.kid.as_deref(), Some(key.kid()));
            assert_eq!(signed.half_hash("token"), crate::jose::half_hash(algorithm, "token"));
        }
    }

    #[test]
    fn what_no_published_key_signed_is_refused() {
        let (key, _) = SigningKey::generate(keys::Algorithm::ES256).unwrap();
        let (other, _) = SigningKey::generate(keys::Algorithm::ES256).unwrap();
        let token = sign(&key, &json!({"sub": "x"})).unwrap();
        let mut jwk = serde_json::to_value(key.jwk()).unwrap();
        let refused = |keys: &ForeignKeys, token: &str| keys.verify(token).unwrap_err().to_string();

        assert!(refused(&set(&[]), &token).contains("no key"));
        assert!(refused(&set(&[serde_json::to_value(other.jwk()).unwrap()]), &token).contains("no key"), "other kid");
        let mut impostor = serde_json::to_value(other.jwk()).unwrap();
        impostor["kid"] = key.kid().into();
        assert!(refused(&set(&[impostor]), &token).contains("signature"), "same kid, other key");
        jwk["use"] = "enc".into();
        assert!(refused(&set(&[jwk.clone()]), &token).contains("no key"), "a key for encryption");
        jwk["use"] = "sig".into();
        jwk["alg"] = "ES384".into();
        assert!(refused(&set(&[jwk]), &token).contains("no key"), "a key for another algorithm");

        let symmetric = set(&[json!({"kty": "oct", "k": "c2VjcmV0"})]);
        for header in [json!({"alg": "none"}), json!({"alg": "HS256"}), json!({"alg": "ES256", "crit": ["b64"]})] {
            assert!(symmetric.verify(&unsigned(&header)).is_err(), "{header}");
        }
    }

    #[test]
    fn an_opaque_token_is_no_jws() {
        for (token, expected) in [
            ("opaque", false),
            ("a.b.c", false),
            ("a.b.c.d.e", false),
            (unsigned(&json!({"typ": "JWT"})).as_str(), false),
            (unsigned(&json!({"alg": "none"})).as_str(), true),
        ] {
            assert_eq!(is_jws(token), expected, "{token}");
        }
    }
}
