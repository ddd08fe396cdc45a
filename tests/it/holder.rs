//! Whoever holds a key or a certificate that tokens are bound to.

use std::sync::atomic::{AtomicU64, Ordering};

use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use realmgate::{
    keys::Algorithm,
    peer::{Peer, Presented},
    secret::Digest,
};
use serde_json::{Value, json};

use crate::{
    signer::Signer,
    world::{Answer, PUBLIC, World, encode},
};

/// A key with which proofs are made.
pub(crate) struct Holder {
    signer: Signer,
    made: AtomicU64,
}

impl Holder {
    pub(crate) fn new() -> Self {
        Self { signer: Signer::new(Algorithm::ES256), made: AtomicU64::new(0) }
    }

    pub(crate) const fn jwk(&self) -> &Value {
        self.signer.jwk()
    }

    /// RFC 7638.
    pub(crate) fn thumbprint(&self) -> String {
        let jwk: Jwk = serde_json::from_value(self.jwk().clone()).unwrap();
        jwk.thumbprint(ThumbprintHash::SHA256).unwrap()
    }

    /// What a good proof for this address says now.
    pub(crate) fn claims(&self, world: &World, method: &str, path: &str) -> Value {
        let jti = format!("proof {}", self.made.fetch_add(1, Ordering::SeqCst));
        json!({"jti": jti, "htm": method, "htu": format!("{PUBLIC}{path}"), "iat": world.clock.now().seconds()})
    }

    /// A good proof for the token endpoint.
    pub(crate) fn proof(&self, world: &World) -> String {
        self.sign(&self.claims(world, "POST", "/master/token"))
    }

    /// A good proof for userinfo with this access token.
    pub(crate) fn proof_with(&self, world: &World, method: &str, token: &Value) -> String {
        let mut claims = self.claims(world, method, "/master/userinfo");
        claims["ath"] = Digest::of(token.as_str().unwrap().as_bytes()).base64url().into();
        self.sign(&claims)
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_with(&json!({"typ": "dpop+jwt", "jwk": self.jwk()}), claims)
    }

    pub(crate) fn sign_with(&self, header: &Value, claims: &Value) -> String {
        self.signer.jwt(header, claims)
    }
}

/// A form with these headers besides, over a connection with this certificate.
pub(crate) async fn form_over(
    world: &World,
    certificate: Option<&[u8]>,
    path: &str,
    headers: &[(&str, &str)],
    form: &[(&str, &str)],
) -> Answer {
    let form_type = ("content-type", "application/x-www-form-urlencoded");
    send_over(world, certificate, "POST", path, &[&[form_type], headers].concat(), &encode(form)).await
}

pub(crate) async fn send_over(
    world: &World,
    certificate: Option<&[u8]>,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let certificate = certificate.map(|leaf| Presented::new(leaf, vec![b"DER of an authority".to_vec()]).unwrap());
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes().to_owned())).collect();
    world.send_as(Some(Peer { address: None, certificate }), method, path, &headers, body.into()).await
}
