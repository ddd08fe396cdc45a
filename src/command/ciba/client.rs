//! Who asks: a registered client, and how its forms are sent.

use std::{sync::Arc, time::Duration};

use url::Url;

use super::{
    authentication::{Credentials, Proof},
    dpop::Dpop,
    issuer::Issuer,
    signer::Signer,
};
use crate::{
    clock::Clock,
    http::{Answer, Fault, Http, Limit},
    random::Random,
};

/// A token endpoint may hold a poll for 30 s (CIBA Core 7.3), and nobody waits at the other end of the line.
const PATIENT: Limit = Limit { time: Duration::from_secs(35), size: Limit::API.size };

/// Whom to ask, as somebody who is registered there.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) http: Http,
    pub(super) clock: Clock,
    pub(super) random: Random,
    pub(super) issuer: Issuer,
    pub(super) client_id: String,
    pub(super) credentials: Credentials,
    /// Signs the authentication request, where that is to be signed.
    pub(super) request_signer: Option<Arc<Signer>>,
    /// Where the tokens are to be bound to a key.
    pub(super) dpop: Option<Dpop>,
    /// The digest of the certificate that its TLS connections show (RFC 8705 3.1: `x5t#S256`).
    pub(super) certificate: Option<String>,
}

impl Client {
    /// Sends a form with what proves who the client is, and with a proof of the key that its tokens are bound to, if any.
    pub(super) async fn post(
        &self,
        url: &Url,
        mut form: Vec<(&'static str, String)>,
        dpop: Option<String>,
    ) -> Result<Answer, Fault> {
        let mut request = self.http.post(url.clone());
        if let Some(proof) = dpop {
            request = request.header("DPoP", proof);
        }
        let proof = self.credentials.proof(&self.client_id, &self.issuer.text, self.clock.now(), &self.random);
        match proof.map_err(|fault| Fault::Setup(fault.to_string()))? {
            Proof::Header(value) => request = request.header(http::header::AUTHORIZATION, value),
            Proof::Parameters(proof) => form.extend(proof),
        }
        self.http.send(request.form(&form), PATIENT).await
    }
}
