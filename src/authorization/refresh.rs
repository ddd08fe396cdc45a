//! Refresh tokens: JWTs that only this gateway reads. They name the authorization by `sid` and themselves by `jti`.

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    jose::{HmacKey, NotSigned, NotVerified},
    secret::hmac_sha256,
};

/// A realm's key for refresh tokens, derived from the sealing key of the state folder.
pub struct RefreshKey(HmacKey);

#[derive(Serialize)]
struct Claims<'a> {
    exp: u64,
    iss: &'a str,
    aud: &'a str,
    typ: &'static str,
    sid: &'a str,
    jti: &'a str,
}

#[derive(Deserialize)]
struct Named {
    typ: String,
    sid: String,
    jti: String,
}

impl RefreshKey {
    pub fn derive(sealing_key: &[u8; 32], realm: &str) -> Self {
        let half = |n: u8| hmac_sha256(sealing_key, &[b"refresh tokens of ", realm.as_bytes(), &[0, n]].concat());
        let mut secret = [0; 64];
        secret[..32].copy_from_slice(&half(1));
        secret[32..].copy_from_slice(&half(2));
        Self(HmacKey::new(&secret))
    }

    pub(super) fn sign(&self, issuer: &str, sid: &str, jti: &str, expires: Timestamp) -> Result<String, NotSigned> {
        self.0.sign(&Claims { exp: expires.seconds(), iss: issuer, aud: issuer, typ: "Refresh", sid, jti })
    }

    /// `sid` and `jti` of a refresh token of this realm that has not expired.
    pub(super) fn verify(
        &self,
        issuer: &str,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<(String, String)>, NotVerified> {
        let named: Named = self.0.verify(token, issuer, now)?;
        Ok((named.typ == "Refresh").then_some((named.sid, named.jti)))
    }
}
