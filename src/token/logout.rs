//! Logout, which ends an authorization: by its client with a refresh token, as Keycloak has it, or by the person's browser with
//! an ID token (OpenID Connect RP-Initiated Logout 1.0). No client can register a `post_logout_redirect_uri`, so nobody is
//! sent anywhere.

use super::Tokens;
use crate::{
    authorization::{IdToken, not_refreshed},
    client_auth::AuthenticatedClient,
    event::Ended,
    jose::NotVerified,
    oauth::{Error, Params},
};

impl Tokens {
    /// Keycloak's logout for clients: the authorization of a refresh token ends. One that has ended already is no error.
    ///
    /// # Errors
    /// `invalid_grant` for what is no refresh token of this client.
    pub async fn log_out(&self, client: &AuthenticatedClient, params: &Params) -> Result<(), Error> {
        let token = params.get("refresh_token").ok_or_else(|| Error::invalid_request("refresh_token is missing"))?;
        let sid =
            self.issuer.sid_of_refresh_token(token).map_err(|fault| not_refreshed().because(fault.to_string()))?;
        let authorization = self.issuer.authorization(&sid).await?;
        if authorization.is_some_and(|authorization| authorization.client_id != client.client_id) {
            return Err(not_refreshed().because("another client's"));
        }
        self.end(&sid, &client.client_id, Ended::Logout).await
    }

    /// The ID token of `id_token_hint`. It may have expired (RP-Initiated Logout 1.0, 4), and `client_id`, where it is sent,
    /// must be the one that it was issued to.
    pub fn id_token_hint(&self, params: &Params) -> Result<IdToken, NotVerified> {
        let hint = params.get("id_token_hint").ok_or(NotVerified::because("no id_token_hint"))?;
        let id_token = self.issuer.id_token(hint)?;
        if params.get("client_id").is_some_and(|client_id| *client_id != *id_token.client_id) {
            return Err(NotVerified::because("another client's"));
        }
        Ok(id_token)
    }

    /// Ends what the ID token stands for, if it has not ended.
    pub async fn log_out_person(&self, id_token: &IdToken) -> Result<(), Error> {
        self.end(&id_token.sid, &id_token.client_id, Ended::IdTokenHint).await
    }
}
