//! Chance, passed in. Identifiers are 256 random bits in base64url (43 characters of `A-Z a-z 0-9 - _`), which is within
//! the character set of OpenID CIBA Core 7.3 and twice its least entropy.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// The operating system or the library gave no random bytes. The request at hand must be refused (I10).
#[derive(Debug, thiserror::Error)]
#[error("no random bytes could be had")]
pub struct NoRandomness;

/// A source of random bytes. Cheap to clone.
#[derive(Clone)]
pub struct Random(Source);

#[derive(Clone)]
enum Source {
    System,
    Counting(Arc<AtomicU64>),
}

impl Random {
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// For tests: bytes that differ at each call and are the same in each run. Never for anything that is a secret.
    pub fn counting() -> Self {
        Self(Source::Counting(Arc::default()))
    }

    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], NoRandomness> {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System => aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoRandomness)?,
            Source::Counting(count) => {
                let n = count.fetch_add(1, Ordering::SeqCst);
                let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &n.to_be_bytes());
                for (to, from) in bytes.iter_mut().zip(digest.as_ref().iter().cycle()) {
                    *to = *from;
                }
            }
        }
        Ok(bytes)
    }

    /// A new identifier that nobody can guess: 256 bits, 43 characters of base64url.
    pub fn identifier(&self) -> Result<String, NoRandomness> {
        Ok(URL_SAFE_NO_PAD.encode(self.bytes::<32>()?))
    }

    /// A UUID of version 4 (RFC 9562), for identifiers that are shown and are no secret.
    pub fn uuid(&self) -> Result<String, NoRandomness> {
        let mut b = self.bytes::<16>()?;
        b[6] = (b[6] & 0x0f) | 0x40;
        b[8] = (b[8] & 0x3f) | 0x80;
        let hex: String = b.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
    }
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Random")
    }
}
