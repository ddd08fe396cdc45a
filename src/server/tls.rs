//! The server's side of TLS: 1.3, and 1.2 with ECDHE AES-GCM suites alone; HTTP/2 or HTTP/1.1 by ALPN.
//!
//! The cryptographic provider is named here and not taken from the process's default, which another library could set.

use std::sync::Arc;

use tokio_rustls::rustls::{
    CipherSuite, Error, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::{TLS12, TLS13},
};

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

/// From a certificate with its chain (leaf first) and its private key, both PEM.
pub fn server_config(certificate_pem: &[u8], key_pem: &[u8]) -> Result<ServerConfig, TlsFault> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate_pem)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsFault::CertificateNotPem(error.to_string()))?;
    if chain.is_empty() {
        return Err(TlsFault::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| TlsFault::NoKey)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsFault::Unusable)?
        .with_no_client_auth()
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
