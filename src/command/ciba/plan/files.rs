//! What the flags name files for: secrets, keys, certificates.

use std::{io, path::Path};

use rustls_pki_types::{CertificateDer, pem::PemObject};

use crate::secret::{Digest, Secret};

pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| unreadable(path, &error))
}

/// The text of a file without the line break at its end.
pub(super) fn secret(path: &Path) -> Result<Secret, String> {
    let text = text(path)?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() { Err(format!("{}: the file is empty", path.display())) } else { Ok(Secret::new(text)) }
}

pub(super) fn key(path: &Path) -> Result<Secret, String> {
    text(path).map(Secret::new)
}

/// A certificate with its chain, as PEM, and the first one's digest as `x5t#S256` has it (RFC 8705 3.1).
pub(super) fn certificate(path: &Path) -> Result<(Vec<u8>, String), String> {
    let pem = read(path)?;
    match CertificateDer::pem_slice_iter(&pem).next() {
        Some(Ok(first)) => Ok((pem.clone(), Digest::of(&first).base64url())),
        Some(Err(error)) => Err(format!("{}: it is not PEM: {error}", path.display())),
        None => Err(format!("{}: it holds no certificate", path.display())),
    }
}

pub(super) fn text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}
