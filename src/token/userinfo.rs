//! UserInfo (OpenID Connect Core 5.3): the claims of the authorization that an access token stands for, for whoever the token
//! is bound to.

use serde::Serialize;

use super::{
    Tokens,
    presented::{Presented, Scheme},
    sender::Sender,
};
use crate::{
    authorization::{NotCounted, released},
    clock::Timestamp,
    oauth::{Code, Error, error::Challenge},
    realm::user::Claims,
};

/// The reply: `sub` and what the scope releases.
#[derive(Debug, Serialize)]
pub struct UserInfo {
    pub sub: Box<str>,
    #[serde(flatten)]
    pub claims: Claims,
}

impl Tokens {
    /// The client whose token it is, and the reply.
    ///
    /// # Errors
    /// With the challenge of the scheme that was used (RFC 6750 3, RFC 9449 7.1).
    pub async fn userinfo(
        &self,
        presented: &Presented<'_>,
        sender: &Sender<'_>,
        now: Timestamp,
    ) -> Result<(String, UserInfo), Error> {
        self.released_to(presented, sender, now).await.map_err(|error| match (error.code(), presented.scheme) {
            (Code::InvalidDpopProof, _) => error.with_status(401).challenge_with(Challenge::DpopError),
            (Code::InvalidToken | Code::InsufficientScope, Scheme::Dpop) => error.challenge_with(Challenge::DpopError),
            _ => error,
        })
    }

    async fn released_to(
        &self,
        presented: &Presented<'_>,
        sender: &Sender<'_>,
        now: Timestamp,
    ) -> Result<(String, UserInfo), Error> {
        let invalid = |cause: String| Error::new(Code::InvalidToken, "The access token is not valid").because(cause);
        let token = self.issuer.access_token(presented.token, now).await.map_err(|fault| match fault {
            NotCounted::Invalid(fault) => invalid(fault.to_string()),
            NotCounted::Unavailable(fault) => fault.into(),
        })?;
        let client = self.realm.clients.get(&*token.authorization.client_id).filter(|client| client.enabled);
        let client = client.ok_or_else(|| invalid("the client is gone".into()))?;
        self.is_holder(client, &token, presented, sender, now).await?;
        let authorization = token.authorization;
        if !authorization.scope.contains("openid") {
            return Err(Error::new(Code::InsufficientScope, "The access token lacks the scope openid"));
        }
        let claims = released(&authorization.claims, &authorization.scope);
        Ok((authorization.client_id.to_string(), UserInfo { sub: authorization.sub, claims }))
    }
}
