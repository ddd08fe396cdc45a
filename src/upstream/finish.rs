//! The authentication response (OpenID Connect Core 3.1.2.5 to 3.1.3): the browser comes back with a code or an error.
//!
//! First what costs nothing is checked (`state`, `iss`, age), then the code is exchanged once, then the ID token is judged.

use std::{sync::atomic::Ordering, time::Duration};

use openidconnect::core::CoreIdTokenClaims;

use super::{Fault, Secrets, Upstream, claims};
use crate::{
    clock::Timestamp,
    realm::{SignIn, user::Identity},
    secret::Digest,
};

/// How far the provider's clock may be from ours.
pub(super) const LEEWAY: Duration = Duration::from_secs(60);

/// The parameters with which the browser came back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Returned<'a> {
    pub code: Option<&'a str>,
    pub state: Option<&'a str>,
    /// RFC 9207
    pub iss: Option<&'a str>,
    pub error: Option<&'a str>,
}

/// Why nobody has signed in. The texts are for the log.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInFault {
    /// `error=access_denied`
    #[error("the person or the provider cancelled the sign-in")]
    Cancelled,
    /// The provider's answer is an error, or proves nothing.
    #[error("the sign-in was refused: {0}")]
    Refused(String),
    /// Not begun by this browser, at this provider, within [`Secrets::LIFETIME`].
    #[error("the answer belongs to no sign-in that this browser began")]
    WrongState,
    #[error("the person signed in longer ago than the client allows")]
    TooOld,
    /// The provider did not say when the person signed in. To be begun again: from now on it is asked for a fresh sign-in.
    #[error("the provider sends no auth_time")]
    NoAuthTime,
    #[error(transparent)]
    Unavailable(#[from] Fault),
}

impl SignInFault {
    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }
}

impl Upstream {
    /// Who signed in. A code is worth one call: whatever comes out, the sign-in is over.
    pub async fn finish(
        &self,
        redirect_uri: &str,
        returned: &Returned<'_>,
        begun: &Secrets,
    ) -> Result<SignIn, SignInFault> {
        let now = self.caller.clock.now();
        let code = self.check(returned, begun, now)?;
        let provider = self.discovery.current().await?;
        if returned.iss.is_none()
            && provider.metadata.additional_metadata().authorization_response_iss_parameter_supported
        {
            return Err(SignInFault::refused("the answer lacks iss")); // RFC 9207 2.4
        }
        let tokens = self.exchange(&provider, redirect_uri, code, begun, now).await?;
        let auth_time = self.auth_time(&tokens.claims, begun, now)?;
        let sub = tokens.claims.subject().as_str();
        let mut claims = claims::of_id_token(&tokens.claims);
        if claims.preferred_username.is_none() || claims.email.is_none() || claims.name.is_none() {
            claims = self.complete(claims, &provider, &tokens.access_token, sub).await?;
        }
        let methods = tokens.claims.auth_method_refs().map(Vec::as_slice).unwrap_or_default();
        Ok(SignIn {
            identity: Identity { iss: self.settings.issuer.as_str().into(), sub: sub.into() },
            claims,
            auth_time,
            acr: tokens.claims.auth_context_ref().and_then(|acr| claims::bounded(acr.as_str())),
            amr: methods.iter().filter_map(|method| claims::bounded(method.as_str())).take(16).collect(),
        })
    }

    /// What can be told without asking anybody; then the code.
    fn check<'a>(&self, returned: &Returned<'a>, begun: &Secrets, now: Timestamp) -> Result<&'a str, SignInFault> {
        let state = returned.state.unwrap_or_default();
        let ours = Digest::of(state.as_bytes()) == Digest::of(begun.state.as_bytes()); // in constant time
        if !ours || begun.issuer != self.settings.issuer || now.since(begun.started) > Secrets::LIFETIME {
            return Err(SignInFault::WrongState);
        }
        if returned.iss.is_some_and(|iss| iss != self.settings.issuer) {
            return Err(SignInFault::refused("iss is another issuer's"));
        }
        match (returned.error, returned.code) {
            (Some("access_denied"), _) => Err(SignInFault::Cancelled),
            (Some(error @ ("server_error" | "temporarily_unavailable")), _) => {
                Err(Fault::new(format!("the provider answered {error}")).into())
            }
            (Some(error), _) => Err(SignInFault::refused(format!("the provider answered {}", code_name(error)))),
            (None, Some(code)) => Ok(code),
            (None, None) => Err(SignInFault::refused("the answer holds no code")),
        }
    }

    /// When the person signed in: `auth_time`, or `iat` where the sign-in was asked for afresh and there is no better (I7).
    fn auth_time(&self, claims: &CoreIdTokenClaims, begun: &Secrets, now: Timestamp) -> Result<Timestamp, SignInFault> {
        self.sends_no_auth_time.store(claims.auth_time().is_none(), Ordering::Relaxed);
        let at = match claims.auth_time() {
            Some(at) => at,
            None if begun.asked_fresh => claims.issue_time(),
            None => return Err(SignInFault::NoAuthTime),
        };
        let at = u64::try_from(at.timestamp()).map(Timestamp::from_seconds).unwrap_or_default();
        if at > now.plus(LEEWAY) {
            return Err(SignInFault::refused("auth_time is in the future"));
        }
        if now.since(at) > begun.max_age + LEEWAY {
            return Err(SignInFault::TooOld);
        }
        Ok(at)
    }
}

/// An error code, or a placeholder for a text that is none: it comes from outside and goes to the log.
pub(super) fn code_name(error: &str) -> &str {
    let is_code = error.len() <= 64 && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_code { error } else { "an unknown error" }
}
