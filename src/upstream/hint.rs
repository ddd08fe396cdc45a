//! An ID token of the provider that comes as a hint, not from a sign-in: its signature. What it says is the caller's.

use super::{Fault, Upstream};
use crate::jose::{Claims, Jws, NotVerified};

/// Why a token is not taken for the provider's.
#[derive(Debug, thiserror::Error)]
pub enum NotItsToken {
    #[error(transparent)]
    Refused(#[from] NotVerified),
    /// Whether it is cannot be known now.
    #[error(transparent)]
    Unavailable(#[from] Fault),
}

impl Upstream {
    /// The claims, if the provider signed them. A key that is not known may be new: then the keys are fetched once more.
    pub async fn verify_hint(&self, jws: &Jws<'_>) -> Result<Claims, NotItsToken> {
        let provider = self.discovery.current().await?;
        let keys = &provider.keys.for_hints;
        let verified = keys.verify_jws(jws);
        if verified.is_err()
            && (jws.kid().is_none() || !keys.has_key_for(jws))
            && let Some(newer) = self.discovery.newer_keys(&provider).await?
        {
            return Ok(newer.keys.for_hints.verify_jws(jws)?);
        }
        Ok(verified?)
    }
}
