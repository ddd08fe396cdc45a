//! `tls_client_auth` and `self_signed_tls_client_auth` (RFC 8705 2): the client is named by `client_id` alone, and proved by the
//! certificate of the connection. That the peer has its private key was proved in a handshake.

use std::sync::Arc;

use super::refused;
use crate::{
    certificate::{ClientCertificate, RegisteredName},
    clock::Timestamp,
    jose::RemoteKeys,
    oauth::{Error, Params},
    peer::{self, Peer},
    realm::{Client, Realm, client::Authentication},
};

/// A client's name and whatever certificate there is. A client of another method may happen to have one: that makes no
/// second method.
pub(super) struct Presented<'a> {
    client_id: &'a str,
    certificate: Option<&'a peer::Presented>,
}

impl<'a> Presented<'a> {
    pub(super) const fn client_id(&self) -> &'a str {
        self.client_id
    }

    pub(super) fn of(params: &'a Params, peer: Option<&'a Peer>) -> Result<Self, Error> {
        let client_id = params.get("client_id").ok_or_else(|| refused("no client authentication"))?;
        Ok(Self { client_id, certificate: peer.and_then(|peer| peer.certificate.as_ref()) })
    }
}

/// Judges certificates of one realm's clients.
pub(super) struct Certificates {
    realm: Arc<Realm>,
    keys: RemoteKeys,
}

impl Certificates {
    pub(super) const fn new(realm: Arc<Realm>, keys: RemoteKeys) -> Self {
        Self { realm, keys }
    }

    pub(super) async fn judge(&self, presented: &Presented<'_>, now: Timestamp) -> Result<Arc<Client>, Error> {
        let client = self.realm.clients.get(presented.client_id).ok_or_else(|| refused("unknown client"))?;
        let certificate = || {
            let certificate = presented.certificate.ok_or_else(|| refused("no certificate"))?;
            ClientCertificate::parse(certificate).map_err(|fault| refused(format!("the certificate: {fault}")))
        };
        match &client.authentication {
            Authentication::TlsClientAuth(name) => self.is_named(&certificate()?, name, now)?,
            Authentication::SelfSignedTlsClientAuth => self.is_of_key(&certificate()?, client, now).await?,
            _ => return Err(refused("no client authentication")),
        }
        if !client.enabled {
            return Err(refused("the client is disabled"));
        }
        Ok(Arc::clone(client))
    }

    /// RFC 8705 2.1. No name is looked at before somebody whom the realm trusts vouches for it.
    fn is_named(&self, certificate: &ClientCertificate, name: &RegisteredName, now: Timestamp) -> Result<(), Error> {
        let roots = self.realm.client_roots.as_ref().ok_or_else(|| refused("the realm has no [mtls]"))?;
        certificate.validate(roots, now).map_err(|fault| refused(format!("the certificate: {fault}")))?;
        if !name.matches(certificate) {
            return Err(refused("the certificate bears another name"));
        }
        Ok(())
    }

    /// RFC 8705 2.2: whoever signed the certificate, it is the client's if the key is.
    async fn is_of_key(&self, certificate: &ClientCertificate, client: &Client, now: Timestamp) -> Result<(), Error> {
        if !certificate.is_valid_at(now) {
            return Err(refused("the certificate is not valid now"));
        }
        let keys = client.keys.as_ref().ok_or_else(|| refused("the client has no keys"))?;
        let thumbprint = certificate.jwk_thumbprint().base64url();
        match self.keys.has_key(keys, &thumbprint).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(refused("the certificate's key is none of the client's")),
            Err(fault) => Err(refused(fault.to_string())),
        }
    }
}
