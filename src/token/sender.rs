//! Who sends a request: what they prove to have by DPoP (RFC 9449) or by the certificate of their connection (RFC 8705), when
//! tokens are issued and when one is used.

use super::{
    Tokens,
    dpop::{self, For},
    presented::{Presented, Scheme},
};
use crate::{
    authorization::{AccessToken, Possession},
    clock::Timestamp,
    oauth::{Code, Error, error::Challenge},
    realm::{Client, Endpoint},
    store::NotUsed,
};

/// What of a request shows who sends it.
#[derive(Clone, Debug)]
pub struct Sender<'a> {
    /// As in the request line.
    pub method: &'a str,
    pub endpoint: Endpoint,
    /// Every `DPoP` header.
    pub proofs: Vec<&'a str>,
    /// The certificate of the connection (DER), whose key was proved in the handshake.
    pub certificate: Option<&'a [u8]>,
}

impl Tokens {
    /// What the sender of a token request has, with all that the client's registration demands today. A proof is used up here;
    /// nothing else is changed yet, so that a failed proof spends no `auth_req_id`.
    pub(super) async fn possession<'a>(
        &self,
        client: &Client,
        sender: &Sender<'a>,
        now: Timestamp,
    ) -> Result<Possession<'a>, Error> {
        let jkt = match sender.proofs.is_empty() {
            true => None,
            false => Some(self.proved(client, sender, None, now).await?),
        };
        let possession = Possession { jkt, certificate: sender.certificate };
        possession.bind(client.sender_constraint)?;
        Ok(possession)
    }

    /// Whether the sender is who an access token is bound to (RFC 9449 7.1, RFC 8705 3).
    pub(super) async fn is_holder(
        &self,
        client: &Client,
        token: &AccessToken,
        presented: &Presented<'_>,
        sender: &Sender<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let invalid = |sentence| Error::new(Code::InvalidToken, sentence);
        match (&token.bound_to.jkt, presented.scheme) {
            (None, Scheme::Bearer) => {}
            (None, Scheme::Dpop) => {
                return Err(invalid("The access token is bound to no key and must be sent with the scheme Bearer"));
            }
            (Some(_), Scheme::Bearer) => {
                return Err(invalid("The access token is bound to a key and must be sent with a DPoP proof")
                    .challenge_with(Challenge::DpopError));
            }
            (Some(jkt), Scheme::Dpop) => {
                self.proved(client, sender, Some((presented.token, jkt)), now).await?;
            }
        }
        let shown = Possession { jkt: None, certificate: sender.certificate }.certificate_thumbprint();
        if token.bound_to.certificate.is_some() && token.bound_to.certificate != shown {
            return Err(invalid(match shown {
                Some(_) => "The access token is bound to another certificate",
                None => "The access token is bound to a certificate, and none was presented",
            }));
        }
        Ok(())
    }

    /// The thumbprint of the key of the one proof, which was not used before and is used up now. `bound`: an access token, and
    /// the key that it is bound to.
    async fn proved(
        &self,
        client: &Client,
        sender: &Sender<'_>,
        bound: Option<(&str, &str)>,
        now: Timestamp,
    ) -> Result<String, Error> {
        let [proof] = sender.proofs[..] else {
            return Err(dpop::refused("The request must have exactly one DPoP header"));
        };
        let access_token = bound.map(|(token, _)| token);
        let wanted = For { method: sender.method, endpoint: sender.endpoint, access_token };
        let proof = dpop::verify(&self.realm, proof, wanted, now)?;
        // before it is used up: whoever stole a token makes any number of proofs, and must not fill its client's quota
        if bound.is_some_and(|(_, jkt)| proof.jkt != jkt) {
            let another = "The access token is bound to another key than that of the DPoP proof";
            return Err(Error::new(Code::InvalidToken, another));
        }
        // each key numbers its own proofs: installations of one client do not get in each other's way
        let id = format!("{} {}", proof.jkt, proof.jti);
        match self.used.use_up("dpop", &self.realm.name, &client.client_id, &id, proof.until).await {
            Ok(()) => Ok(proof.jkt),
            Err(NotUsed::Again) => Err(dpop::refused("The DPoP proof was used before")),
            Err(fault @ NotUsed::Full) => Err(Error::unavailable(fault.to_string())),
            Err(NotUsed::Unavailable(fault)) => Err(fault.into()),
        }
    }
}
