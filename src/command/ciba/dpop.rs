//! DPoP (RFC 9449): tokens are bound to a key that is made for this run, and each request with them proves that key.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use serde_json::json;
use url::Url;

use super::{client::Client, failure::Refusal};
use crate::{
    http::{Answer, Fault},
    jose::{self, NotSigned},
    keys::{Algorithm, KeyFault, SigningKey},
    secret::Digest,
};

#[derive(Debug)]
pub(super) struct Dpop {
    key: SigningKey,
    /// As `cnf.jkt` has it (RFC 7638).
    pub(super) thumbprint: String,
    /// What each server wants to see in the next proof (RFC 9449 8 and 9), by its origin.
    nonces: Mutex<HashMap<String, String>>,
}

impl Dpop {
    /// With a new key.
    pub(super) fn new() -> Result<Self, KeyFault> {
        let (key, _) = SigningKey::generate(Algorithm::ES256)?;
        let thumbprint = Digest::of(json!(jose::public_members(&key)).to_string().as_bytes()).base64url();
        Ok(Self { key, thumbprint, nonces: Mutex::default() })
    }

    /// A proof for one request (RFC 9449 4.2), with the access token that goes with it.
    fn proof(&self, client: &Client, method: &str, url: &Url, access_token: Option<&str>) -> Result<String, NotSigned> {
        let mut target = url.clone();
        target.set_query(None);
        target.set_fragment(None);
        let mut claims = json!({
            "jti": client.random.identifier().map_err(|fault| NotSigned::because(&fault))?,
            "htm": method,
            "htu": target.as_str(),
            "iat": client.clock.now().seconds(),
        });
        if let Some(token) = access_token {
            claims["ath"] = Digest::of(token.as_bytes()).base64url().into();
        }
        let nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(nonce) = nonces.get(&origin(url)) {
            claims["nonce"] = nonce.as_str().into();
        }
        jose::sign_proof(&self.key, "dpop+jwt", &claims)
    }

    /// Keeps the nonce for the next proof. Returns whether the answer says that the request may be sent again with it.
    fn takes_nonce(&self, url: &Url, answer: &Answer) -> bool {
        let header = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let Some(nonce) = header("dpop-nonce") else { return false };
        self.nonces.lock().unwrap_or_else(PoisonError::into_inner).insert(origin(url), nonce.to_owned());
        let wanted = "use_dpop_nonce";
        match answer.status.as_u16() {
            400 => answer.json::<Refusal>().is_ok_and(|refusal| refusal.error == wanted),
            401 => header("www-authenticate").is_some_and(|challenge| challenge.contains(wanted)),
            _ => false,
        }
    }
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

impl Client {
    /// Sends with a proof where there is a key for it, and once more where the server only wanted its nonce in there.
    pub(super) async fn send_proved(
        &self,
        method: &str,
        url: &Url,
        access_token: Option<&str>,
        send: impl AsyncFn(Option<String>) -> Result<Answer, Fault>,
    ) -> Result<Answer, Fault> {
        let Some(dpop) = &self.dpop else { return send(None).await };
        let proof = || {
            let proof = dpop.proof(self, method, url, access_token);
            proof.map_err(|fault| Fault::Setup(fault.to_string()))
        };
        let answer = send(Some(proof()?)).await?;
        if dpop.takes_nonce(url, &answer) { send(Some(proof()?)).await } else { Ok(answer) }
    }
}
