//! The token request (OpenID Connect Core 3.1.3): a code becomes an ID token that was verified, and an access token.

use std::sync::Arc;

use openidconnect::{
    AccessToken, AuthType, AuthorizationCode, ClientSecret, OAuth2TokenResponse, PkceCodeVerifier, RequestTokenError,
    TokenResponse,
    core::{CoreClientAuthMethod, CoreErrorResponseType, CoreIdTokenClaims, CoreRequestTokenError, CoreTokenResponse},
};

use super::{
    Fault, Secrets, SignInFault, Upstream,
    begin::redirect_url,
    caller::not_understood,
    discovery::{Metadata, Provider},
    finish::code_name,
};
use crate::{clock::Timestamp, http};

/// What came of a code.
pub(super) struct Tokens {
    pub access_token: AccessToken,
    /// Of the ID token, verified.
    pub claims: CoreIdTokenClaims,
}

impl Upstream {
    pub(super) async fn exchange(
        &self,
        provider: &Arc<Provider>,
        redirect_uri: &str,
        code: &str,
        begun: &Secrets,
        now: Timestamp,
    ) -> Result<Tokens, SignInFault> {
        let result = self.tokens(provider, redirect_uri, code, begun, now).await;
        self.caller.tell("token", &result);
        result
    }

    async fn tokens(
        &self,
        provider: &Arc<Provider>,
        redirect_uri: &str,
        code: &str,
        begun: &Secrets,
        now: Timestamp,
    ) -> Result<Tokens, SignInFault> {
        let response = self.request(&provider.metadata, redirect_uri, code, begun).await?;
        let id_token = response.id_token().ok_or(Fault::new("token endpoint: the answer holds no ID token"))?;
        let claims = self.verified(provider, id_token, begun, now).await?;
        Ok(Tokens { access_token: response.access_token().clone(), claims })
    }

    async fn request(
        &self,
        metadata: &Metadata,
        redirect_uri: &str,
        code: &str,
        begun: &Secrets,
    ) -> Result<CoreTokenResponse, SignInFault> {
        let endpoint = metadata.token_endpoint().ok_or(Fault::new("discovery document: no token_endpoint"))?;
        let mut client = self
            .client()?
            .set_token_uri(endpoint.clone())
            .set_redirect_uri(redirect_url(redirect_uri)?)
            .set_auth_type(auth_type(metadata));
        if let Some(secret) = &self.settings.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.reveal().to_owned()));
        }
        client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(begun.pkce_verifier.clone()))
            .request_async(&self.caller)
            .await
            .map_err(refusal)
    }
}

/// `client_secret_basic`, unless the provider says that it takes `client_secret_post` alone. Without a secret the library
/// sends the bare `client_id` in the body either way.
fn auth_type(metadata: &Metadata) -> AuthType {
    let methods = metadata.token_endpoint_auth_methods_supported().map(Vec::as_slice).unwrap_or_default();
    let takes = |method| methods.contains(&method);
    if takes(CoreClientAuthMethod::ClientSecretPost) && !takes(CoreClientAuthMethod::ClientSecretBasic) {
        AuthType::RequestBody
    } else {
        AuthType::BasicAuth
    }
}

/// `invalid_grant` is about this code; everything else is about the provider, or our registration there. Bodies and
/// descriptions are dropped: they may hold anything.
fn refusal(error: CoreRequestTokenError<http::Fault>) -> SignInFault {
    let fault = match error {
        RequestTokenError::ServerResponse(answer) => match answer.error() {
            CoreErrorResponseType::InvalidGrant => {
                return SignInFault::refused("the token endpoint answered invalid_grant");
            }
            other => Fault::new(format!("it answered {}", code_name(other.as_ref()))),
        },
        RequestTokenError::Request(fault) => fault.into(),
        RequestTokenError::Parse(error, _) => not_understood(error.inner()).of(&error.path().to_string()),
        RequestTokenError::Other(_) => Fault::new("the answer is empty or no JSON"),
    };
    fault.of("token endpoint").into()
}
