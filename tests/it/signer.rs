//! Somebody who signs JWTs: with keys of every kind, headers and claims as a test wants them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use realmgate::{
    keys::{self, SigningKey},
    secret::Secret,
};
use serde_json::{Value, json};

#[derive(Clone)]
pub(crate) struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
    jwk: Value,
}

impl Signer {
    /// With a new key.
    pub(crate) fn new(algorithm: keys::Algorithm) -> Self {
        Self::from_pem(algorithm, &SigningKey::generate(algorithm).unwrap().1)
    }

    pub(crate) fn from_pem(algorithm: keys::Algorithm, pem: &Secret) -> Self {
        let key = SigningKey::from_pem(algorithm, pem).unwrap();
        let pem = pem.reveal().as_bytes();
        let (encoding, algorithm) = match algorithm {
            keys::Algorithm::RS256 => (EncodingKey::from_rsa_pem(pem), Algorithm::RS256),
            keys::Algorithm::PS256 => (EncodingKey::from_rsa_pem(pem), Algorithm::PS256),
            keys::Algorithm::ES256 => (EncodingKey::from_ec_pem(pem), Algorithm::ES256),
            keys::Algorithm::EdDSA => (EncodingKey::from_ed_pem(pem), Algorithm::EdDSA),
        };
        let mut jwk = serde_json::to_value(key.jwk()).unwrap();
        // so that a test may sign with another algorithm of the key's kind
        jwk.as_object_mut().unwrap().remove("alg");
        Self { algorithm, key: encoding.unwrap(), jwk }
    }

    pub(crate) fn with_secret(secret: &[u8]) -> Self {
        Self { algorithm: Algorithm::HS256, key: EncodingKey::from_secret(secret), jwk: json!({}) }
    }

    /// The same key with another algorithm of its kind.
    pub(crate) fn by(&self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self.clone() }
    }

    /// The public key.
    pub(crate) const fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// The public key as TOML.
    pub(crate) fn toml(&self) -> String {
        let members = self.jwk.as_object().unwrap().iter().map(|(name, value)| format!("{name} = {value}"));
        format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
    }

    /// A JWT; `alg` and `kid` are in the header unless it says otherwise. What is null is left out.
    pub(crate) fn jwt(&self, header: &Value, claims: &Value) -> String {
        let mut all = json!({"alg": self.algorithm, "kid": self.jwk["kid"]});
        for (name, value) in header.as_object().unwrap() {
            all[name] = value.clone();
        }
        let [header, claims] = [&all, claims].map(|object| {
            let members = object.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
            Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect()).to_string()
        });
        self.compact(&header, &claims)
    }

    /// A JWT with the usual header.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.jwt(&json!({}), claims)
    }

    /// The same of texts that need not be JSON.
    pub(crate) fn compact(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }
}

/// The value with members over its own; `null` takes one away.
pub(crate) fn over(mut value: Value, patch: &Value) -> Value {
    for (name, member) in patch.as_object().unwrap() {
        if member.is_null() {
            value.as_object_mut().unwrap().remove(name);
        } else {
            value[name] = member.clone();
        }
    }
    value
}
