//! What a client signs: tokens of an explicit type (RFC 8725 3.11) with a key, or with its secret (RFC 7518 3.2), and proofs
//! that carry their own public key (RFC 9449 4.2). What they must say is the caller's.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Value, json};

use super::NotSigned;
use crate::{
    keys::SigningKey,
    secret::{Secret, hmac_sha256},
};

/// As [`sign`](super::sign), with another `typ`, and with the `kid` under which whoever verifies it knows the key, if any.
pub fn sign_typed(
    key: &SigningKey,
    typ: &str,
    kid: Option<&str>,
    claims: &impl Serialize,
) -> Result<String, NotSigned> {
    let mut header = json!({"alg": key.algorithm().as_str(), "typ": typ});
    if let Some(kid) = kid {
        header["kid"] = kid.into();
    }
    signed_by(key, &header, claims)
}

/// With the public key itself in the header and no `kid`.
pub fn sign_proof(key: &SigningKey, typ: &str, claims: &impl Serialize) -> Result<String, NotSigned> {
    let header = json!({"alg": key.algorithm().as_str(), "typ": typ, "jwk": public_members(key)});
    signed_by(key, &header, claims)
}

/// With a shared secret: HS256.
pub fn sign_with_secret(secret: &Secret, typ: &str, claims: &impl Serialize) -> Result<String, NotSigned> {
    compact(&json!({"alg": "HS256", "typ": typ}), claims, |message| {
        Ok(hmac_sha256(secret.reveal().as_bytes(), message).to_vec())
    })
}

/// The members that make the public key, and no other (RFC 7638 3.2), in the order in which its thumbprint wants them.
pub fn public_members(key: &SigningKey) -> BTreeMap<String, Value> {
    let all = serde_json::to_value(key.jwk()).unwrap_or_default();
    let required = ["crv", "e", "kty", "n", "x", "y"];
    required.iter().filter_map(|name| Some(((*name).to_owned(), all.get(name)?.clone()))).collect()
}

fn signed_by(key: &SigningKey, header: &Value, claims: &impl Serialize) -> Result<String, NotSigned> {
    compact(header, claims, |message| key.sign(message).map_err(|_| NotSigned("the library refused".into())))
}

fn compact(
    header: &Value,
    claims: &impl Serialize,
    signature: impl FnOnce(&[u8]) -> Result<Vec<u8>, NotSigned>,
) -> Result<String, NotSigned> {
    let claims = serde_json::to_vec(claims).map_err(|error| NotSigned(error.to_string()))?;
    let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = signature(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};

    use super::*;
    use crate::keys::Algorithm;

    fn header(token: &str) -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap()
    }

    /// The claims, verified with this key.
    fn verified(token: &str, algorithm: jsonwebtoken::Algorithm, key: &DecodingKey) -> Value {
        let mut validation = Validation::new(algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        jsonwebtoken::decode(token, key, &validation).unwrap().claims
    }

    #[test]
    fn the_header_says_what_it_is_and_whose() {
        for algorithm in Algorithm::ALL {
            let (key, _) = SigningKey::generate(algorithm).unwrap();
            let public = DecodingKey::from_jwk(key.jwk()).unwrap();
            let claims = json!({"iss": "till"});

            let token = sign_typed(&key, "example+jwt", None, &claims).unwrap();
            assert_eq!(header(&token), json!({"alg": algorithm.as_str(), "typ": "example+jwt"}));
            assert_eq!(verified(&token, algorithm.for_jsonwebtoken(), &public), claims);
            let token = sign_typed(&key, "example+jwt", Some("till-1"), &claims).unwrap();
            assert_eq!(header(&token)["kid"], "till-1");

            let proof = header(&sign_proof(&key, "dpop+jwt", &claims).unwrap());
            let jwk = serde_json::from_value(proof["jwk"].clone()).unwrap();
            let proved = sign_proof(&key, "dpop+jwt", &claims).unwrap();
            let carried = DecodingKey::from_jwk(&jwk).unwrap();
            assert_eq!(verified(&proved, algorithm.for_jsonwebtoken(), &carried), claims);
            let names = proof["jwk"].as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>().join(",");
            assert!(["crv,kty,x,y", "e,kty,n", "crv,kty,x"].contains(&names.as_str()), "{names}");
            assert!(proof.get("kid").is_none());
        }
    }

    #[test]
    fn a_secret_signs_with_hs256() {
        let token = sign_with_secret(&Secret::new("a secret"), "example+jwt", &json!({"iss": "till"})).unwrap();
        assert_eq!(header(&token), json!({"alg": "HS256", "typ": "example+jwt"}));
        let key = DecodingKey::from_secret(b"a secret");
        assert_eq!(verified(&token, jsonwebtoken::Algorithm::HS256, &key)["iss"], "till");
    }
}
