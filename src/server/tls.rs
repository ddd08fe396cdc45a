//! The server's side of TLS: 1.3, and 1.2 with ECDHE AES-GCM suites alone; HTTP/2 or HTTP/1.1 by ALPN; a client's
//! certificate where it is asked for.
//!
//! A client's certificate is taken whoever issued it, and the handshake proves its private key alone: each realm has other
//! authorities, and a self-signed one has none, so that whom it stands for is judged later, for one client (RFC 8705).
//!
//! The cryptographic provider is named here and not taken from the process's default, which another library could set.

use std::sync::Arc;

use tokio_rustls::rustls::{
    CertificateError, CipherSuite, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::{
        NoClientAuth,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version::{TLS12, TLS13},
};

use crate::{config::ClientCertificates, peer::Presented};

pub(super) const H2: &[u8] = b"h2";

/// Why TLS cannot be served with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    #[error("the certificate file is not PEM: {0}")]
    CertificateNotPem(String),
    #[error("the certificate file holds no certificate")]
    NoCertificate,
    #[error("the private key file holds no private key in PEM (PKCS#8, PKCS#1 or SEC1)")]
    NoKey,
    #[error("the private key is not the certificate's")]
    AnotherKey,
    #[error("the certificate or the private key cannot be used: {0}")]
    Unusable(Error),
}

/// From a certificate with its chain (leaf first) and its private key, both PEM. The one place where such a configuration
/// is made, at the start and at each reload (CVE-2024-23656: a reload that forgot half of it).
pub fn server_config(
    certificate_pem: &[u8],
    key_pem: &[u8],
    client_certificates: ClientCertificates,
) -> Result<ServerConfig, TlsFault> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate_pem)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsFault::CertificateNotPem(error.to_string()))?;
    if chain.is_empty() {
        return Err(TlsFault::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| TlsFault::NoKey)?;
    let provider = provider();
    let verifier: Arc<dyn ClientCertVerifier> = match client_certificates {
        ClientCertificates::None => Arc::new(NoClientAuth),
        ClientCertificates::Optional => Arc::new(AnyCertificate(provider.signature_verification_algorithms)),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsFault::Unusable)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|error| match error {
            Error::InconsistentKeys(_) => TlsFault::AnotherKey,
            other => TlsFault::Unusable(other),
        })?;
    config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| {
        suite.tls13().is_some()
            || matches!(
                suite.suite(),
                CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                    | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
                    | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
                    | CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
            )
    });
    provider
}

/// Asks for a certificate and goes on without one. No authorities are named to the client: one that is given a list keeps
/// certificates of others to itself.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    /// Judges the size alone; whoever sends more gets no connection.
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let lengths = std::iter::once(end_entity).chain(intermediates).map(|certificate| certificate.len());
        if Presented::is_bounded(lengths) {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::BadEncoding))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
