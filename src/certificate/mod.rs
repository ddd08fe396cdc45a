//! A client's certificate, known to be parsed, and what client authentication asks of it (RFC 8705): who vouches for it
//! ([`TrustRoots`]), whose name it bears ([`RegisteredName`]), which key it is for, and what a token is bound to.
//!
//! Two parsers must take it: webpki, which judges paths, and x509-parser, which reads names and key. That the client has
//! the private key was proved in a handshake. Revocation is not looked up: an authority that takes a certificate back is
//! heard when the client's registration is changed, or the certificate ends. Nothing here knows a client or a realm.

mod alternative_name;
mod distinguished_name;
mod public_key;
mod registered_name;
#[cfg(test)]
mod tests;
mod trust;

use std::ops::RangeInclusive;

use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;
use x509_parser::{
    certificate::{Validity, X509Certificate},
    prelude::FromDer as _,
};

use crate::{clock::Timestamp, peer::Presented, secret::Digest};
use alternative_name::AlternativeName;
use distinguished_name::DistinguishedName;
use public_key::PublicKey;
pub use registered_name::{MalformedName, RegisteredName};
pub use trust::{TrustRoots, Untrusted, UnusableRoots};

/// A certificate with the chain that came with it.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    presented: Presented,
    subject: DistinguishedName,
    alternatives: Vec<AlternativeName>,
    public_key: PublicKey,
    spki: Vec<u8>,
    valid: RangeInclusive<i64>,
}

/// Why nothing can be done with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("it is not an X.509 v3 certificate, or it has extensions that are not understood")]
    NotUnderstood,
    #[error("its key is none of RSA, Ed25519, and EC on P-256, P-384 or P-521")]
    KeyKind,
    #[error("its RSA key has not 2048 to 8192 bits")]
    KeySize,
}

impl ClientCertificate {
    /// Reads the leaf. The chain is read when a path is looked for.
    pub fn parse(presented: &Presented) -> Result<Self, Unusable> {
        let leaf = presented.leaf();
        EndEntityCert::try_from(&CertificateDer::from(leaf)).map_err(|_| Unusable::NotUnderstood)?;
        let certificate = read(leaf).ok_or(Unusable::NotUnderstood)?;
        let spki = certificate.public_key();
        Ok(Self {
            subject: DistinguishedName::of(certificate.subject()),
            alternatives: AlternativeName::all_of(&certificate).ok_or(Unusable::NotUnderstood)?,
            public_key: PublicKey::of(spki)?,
            spki: spki.raw.to_vec(),
            valid: seconds(certificate.validity()),
            presented: presented.clone(),
        })
    }

    /// `x5t#S256` of RFC 8705 (3.1) as a digest: SHA-256 of the whole certificate's DER.
    pub fn thumbprint(&self) -> Digest {
        Digest::of(self.presented.leaf())
    }

    /// The public key as SubjectPublicKeyInfo in DER.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// RFC 7638's SHA-256 thumbprint of the JWK that this public key would be: equal to that of a registered JWK exactly if
    /// the keys are the same.
    pub fn jwk_thumbprint(&self) -> Digest {
        self.public_key.jwk_thumbprint()
    }

    /// Whether `now` lies between its dates, both included. For a self-signed certificate this is all that it says of itself.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        is_within(&self.valid, now)
    }
}

/// The certificate, with nothing after it.
fn read(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, certificate)| certificate)
}

fn seconds(validity: &Validity) -> RangeInclusive<i64> {
    validity.not_before.timestamp()..=validity.not_after.timestamp()
}

fn is_within(seconds: &RangeInclusive<i64>, now: Timestamp) -> bool {
    i64::try_from(now.seconds()).is_ok_and(|now| seconds.contains(&now))
}
