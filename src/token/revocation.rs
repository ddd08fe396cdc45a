//! Revocation (RFC 7009): either token ends the whole authorization, as section 2.1 allows. So nothing is left that could be
//! renewed, or used for the minutes that an access token lives.

use super::Tokens;
use crate::{
    authorization::NotCounted,
    client_auth::AuthenticatedClient,
    clock::Timestamp,
    event::Ended,
    oauth::{Code, Error, Params},
};

impl Tokens {
    /// A token that is unknown, has expired or was revoked is no error (RFC 7009 2.2). `token_type_hint` is not needed.
    ///
    /// # Errors
    /// `invalid_request` without a token, `invalid_grant` for another client's (RFC 6749 5.2: "was issued to another client").
    pub async fn revoke(&self, client: &AuthenticatedClient, params: &Params, now: Timestamp) -> Result<(), Error> {
        let token = params.get("token").ok_or_else(|| Error::invalid_request("token is missing"))?;
        let named = match self.issuer.access_token(token, now).await {
            Err(NotCounted::Invalid(_)) => {
                self.issuer.refresh_token(token, now).await.map(|token| (token.sid, token.authorization))
            }
            read => read.map(|token| (token.sid, token.authorization)),
        };
        let (sid, authorization) = match named {
            Ok(named) => named,
            Err(NotCounted::Invalid(_)) => return Ok(()),
            Err(NotCounted::Unavailable(fault)) => return Err(fault.into()),
        };
        if authorization.client_id != client.client_id {
            return Err(Error::new(Code::InvalidGrant, "The token is another client's"));
        }
        self.end(&sid, &client.client_id, Ended::Revocation).await
    }
}
