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
    iat: u64,
    iss: &'a str,
    aud: &'a str,
    typ: &'static str,
    sid: &'a str,
    jti: &'a str,
}

/// What a refresh token says.
#[derive(Deserialize)]
pub(super) struct Named {
    typ: String,
    pub(super) exp: u64,
    pub(super) iat: u64,
    pub(super) sid: String,
    pub(super) jti: String,
}

impl RefreshKey {
    pub fn derive(sealing_key: &[u8; 32], realm: &str) -> Self {
        let half = |n: u8| hmac_sha256(sealing_key, &[b"refresh tokens of ", realm.as_bytes(), &[0, n]].concat());
        let mut secret = [0; 64];
        secret[..32].copy_from_slice(&half(1));
        secret[32..].copy_from_slice(&half(2));
        Self(HmacKey::new(&secret))
    }

    pub(super) fn sign(
        &self,
        issuer: &str,
        sid: &str,
        jti: &str,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<String, NotSigned> {
        let (exp, iat) = (expires.seconds(), now.seconds());
        self.0.sign(&Claims { exp, iat, iss: issuer, aud: issuer, typ: "Refresh", sid, jti })
    }

    /// What a refresh token of this realm says. Until when it counts is the caller's to judge.
    pub(super) fn verify(&self, issuer: &str, token: &str) -> Result<Named, NotVerified> {
        let named: Named = self.0.verify(token, issuer)?;
        if named.typ == "Refresh" { Ok(named) } else { Err(NotVerified::because("not a refresh token")) }
    }
}
