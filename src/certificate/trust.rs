//! Who vouches for a certificate: a realm's own roots (`[mtls] ca_certificates`), and the path from the leaf to one of them
//! over the intermediates that were presented (RFC 5280, section 6), judged by webpki. The system's roots never count.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime, pem::PemObject};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};

use super::{ClientCertificate, Unusable, is_within, public_key::PublicKey, read, seconds};
use crate::clock::Timestamp;

/// At least one. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TrustRoots(Arc<[Root]>);

#[derive(Clone, Debug)]
struct Root {
    anchor: TrustAnchor<'static>,
    valid: RangeInclusive<i64>,
}

/// Why a file cannot be a realm's roots. Certificates are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableRoots {
    #[error("it is not PEM: {0}")]
    NotPem(String),
    #[error("it holds no certificate")]
    Empty,
    #[error("its certificate {0} cannot be read")]
    NotRead(usize),
    #[error("its certificate {0} cannot be used: {1}")]
    Key(usize, Unusable),
    /// Whose owner could vouch for everybody.
    #[error("its certificate {0} is no authority's (CA:TRUE, and keyCertSign where it has a key usage)")]
    NoAuthority(usize),
}

/// Why nobody vouches for a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    #[error("it, or one that vouches for it, has expired")]
    Expired,
    #[error("it, or one that vouches for it, is not valid yet")]
    NotYetValid,
    #[error("it was issued by nobody who is trusted here")]
    UnknownIssuer,
    #[error("its extended key usage excludes client authentication")]
    NotForClients,
    #[error("it is an authority's (CA:TRUE), which is nobody's own")]
    AnAuthority,
    #[error("its path does not hold: {0}")]
    Else(String),
}

impl TrustRoots {
    /// From a PEM file of one or more authorities' certificates.
    pub fn from_pem(pem: &[u8]) -> Result<Self, UnusableRoots> {
        let certificates: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|error| UnusableRoots::NotPem(error.to_string()))?;
        if certificates.is_empty() {
            return Err(UnusableRoots::Empty);
        }
        certificates
            .iter()
            .zip(1..)
            .map(|(certificate, number)| root(certificate, number))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// These, and those of another file.
    pub fn and(&self, others: &Self) -> Self {
        Self(self.0.iter().chain(&*others.0).cloned().collect())
    }

    /// webpki does not judge a root's dates.
    fn at(&self, now: Timestamp) -> Vec<TrustAnchor<'_>> {
        self.0.iter().filter(|root| is_within(&root.valid, now)).map(|root| root.anchor.clone()).collect()
    }
}

fn root(der: &CertificateDer<'_>, number: usize) -> Result<Root, UnusableRoots> {
    let certificate = read(der).ok_or(UnusableRoots::NotRead(number))?;
    let anchor = anchor_from_trusted_cert(der).map_err(|_| UnusableRoots::NotRead(number))?;
    let may_sign = match certificate.key_usage() {
        Ok(usage) => usage.is_none_or(|usage| usage.value.key_cert_sign()),
        Err(_) => return Err(UnusableRoots::NotRead(number)),
    };
    if !certificate.is_ca() || !may_sign {
        return Err(UnusableRoots::NoAuthority(number));
    }
    PublicKey::of(certificate.public_key()).map_err(|fault| UnusableRoots::Key(number, fault))?;
    Ok(Root { anchor: anchor.to_owned(), valid: seconds(certificate.validity()) })
}

impl ClientCertificate {
    /// Whether one of the roots vouches for it as a client's certificate at this time. One that has no extended key usage
    /// may be used for anything.
    pub fn validate(&self, roots: &TrustRoots, now: Timestamp) -> Result<(), Untrusted> {
        let leaf = CertificateDer::from(self.presented.leaf());
        let chain: Vec<_> = self.presented.chain().iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let now_for_webpki = UnixTime::since_unix_epoch(Duration::from_secs(now.seconds()));
        EndEntityCert::try_from(&leaf)
            .and_then(|leaf| {
                let (anchors, usage) = (roots.at(now), KeyUsage::client_auth());
                leaf.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &chain, now_for_webpki, usage, None, None)
                    .map(drop)
            })
            .map_err(|error| match error {
                Error::CertExpired { .. } => Untrusted::Expired,
                Error::CertNotValidYet { .. } => Untrusted::NotYetValid,
                Error::UnknownIssuer => Untrusted::UnknownIssuer,
                Error::RequiredEkuNotFoundContext(_) => Untrusted::NotForClients,
                Error::CaUsedAsEndEntity => Untrusted::AnAuthority,
                other => Untrusted::Else(other.to_string()),
            })
    }
}
