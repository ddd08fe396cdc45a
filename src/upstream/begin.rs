//! The authentication request (OpenID Connect Core 3.1.2.1): the address that the browser is sent to, and what must be
//! remembered until it comes back. That travels in a cookie which the caller seals, so that nothing is stored here (I5).

use std::{borrow::Cow, fmt, sync::atomic::Ordering, time::Duration};

use openidconnect::{
    AuthenticationContextClass, ClientId, CsrfToken, IssuerUrl, LoginHint, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope,
    core::{CoreAuthPrompt, CoreAuthenticationFlow, CoreClient, CoreJsonWebKeySet},
};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Fault, Upstream, discovery::Metadata};
use crate::clock::Timestamp;

/// How the person should sign in.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    pub login_hint: Option<&'a str>,
    /// How old the sign-in may be; whole seconds are sent.
    pub max_age: Duration,
    /// Space-separated.
    pub acr_values: Option<&'a str>,
    pub prompt: Option<Prompt>,
}

/// What the provider is to do although the person may have a session there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Ask for the credentials again.
    Login,
    /// Let another account be chosen. Where the provider says that it does not know that, the credentials are asked for.
    SelectAccount,
}

/// A sign-in that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Where to send the browser.
    pub url: Url,
    /// What [`Upstream::finish`] needs; to be sealed into a cookie of this browser.
    pub secrets: Secrets,
}

/// What must be remembered of a sign-in until the browser comes back.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secrets {
    pub(super) issuer: String,
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) pkce_verifier: String,
    pub(super) max_age: Duration,
    /// `prompt=login` was sent.
    pub(super) asked_fresh: bool,
    pub(super) started: Timestamp,
}

impl Secrets {
    /// How long a sign-in may take.
    pub const LIFETIME: Duration = Duration::from_secs(10 * 60);

    /// What tells several sign-ins of one browser apart: the value that comes back as `state`.
    pub fn state(&self) -> &str {
        &self.state
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secrets of a sign-in]")
    }
}

impl Upstream {
    /// # Errors
    /// The provider's metadata can't be had, or there are no random bytes.
    pub async fn begin(&self, redirect_uri: &str, wish: &Wish<'_>) -> Result<Begun, Fault> {
        let provider = self.discovery.current().await?;
        let prompts = self.prompts(wish.prompt, &provider.metadata);
        let secrets = Secrets {
            issuer: self.settings.issuer.clone(),
            state: self.random.identifier()?,
            nonce: self.random.identifier()?,
            pkce_verifier: self.random.identifier()?,
            max_age: wish.max_age,
            asked_fresh: prompts.contains(&CoreAuthPrompt::Login),
            started: self.caller.clock.now(),
        };
        let challenge =
            PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(secrets.pkce_verifier.clone()));
        let client = self.client()?.set_auth_uri(provider.metadata.authorization_endpoint().clone());
        let (state, nonce) = (CsrfToken::new(secrets.state.clone()), Nonce::new(secrets.nonce.clone()));
        let mut request = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, || state, || nonce)
            .set_redirect_uri(Cow::Owned(redirect_url(redirect_uri)?))
            .set_pkce_challenge(challenge)
            .set_max_age(wish.max_age);
        for scope in self.settings.scope.split_ascii_whitespace().filter(|scope| *scope != "openid") {
            request = request.add_scope(Scope::new(scope.to_owned())); // the library adds `openid` itself
        }
        for acr in wish.acr_values.iter().flat_map(|values| values.split_ascii_whitespace()) {
            request = request.add_auth_context_value(AuthenticationContextClass::new(acr.to_owned()));
        }
        if let Some(hint) = wish.login_hint {
            request = request.set_login_hint(LoginHint::new(hint.to_owned()));
        }
        for prompt in prompts {
            request = request.add_prompt(prompt);
        }
        let (url, ..) = request.url();
        Ok(Begun { url, secrets })
    }

    fn prompts(&self, wish: Option<Prompt>, metadata: &Metadata) -> Vec<CoreAuthPrompt> {
        let supported = metadata.additional_metadata().prompt_values_supported.as_deref();
        let can_select = supported.is_none_or(|values| values.iter().any(|value| value == "select_account"));
        let mut prompts = match wish {
            Some(Prompt::SelectAccount) if can_select => vec![CoreAuthPrompt::SelectAccount],
            Some(Prompt::SelectAccount | Prompt::Login) => vec![CoreAuthPrompt::Login],
            None => Vec::new(),
        };
        // Without `auth_time` only a sign-in that was asked for afresh has a known age (I7).
        if self.sends_no_auth_time.load(Ordering::Relaxed) && !prompts.contains(&CoreAuthPrompt::Login) {
            prompts.push(CoreAuthPrompt::Login);
        }
        prompts
    }

    /// The library's client, without endpoints and keys: those are the caller's to add.
    pub(super) fn client(&self) -> Result<CoreClient, Fault> {
        let client_id = ClientId::new(self.settings.client_id.clone());
        Ok(CoreClient::new(client_id, self.issuer_url()?, CoreJsonWebKeySet::default()))
    }

    pub(super) fn issuer_url(&self) -> Result<IssuerUrl, Fault> {
        IssuerUrl::new(self.settings.issuer.clone()).map_err(|_| Fault::new("the issuer is not a URL"))
    }
}

pub(super) fn redirect_url(redirect_uri: &str) -> Result<RedirectUrl, Fault> {
    RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| Fault::new("the redirect URI is not a URL"))
}
