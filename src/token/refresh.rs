//! The refresh token grant (RFC 6749 6): client, user and policy are judged again (I4), then the token rotates. The new access
//! token is bound to what comes with this request; the refresh token itself is bound by client authentication (RFC 9449 5,
//! RFC 8705 4).

use super::Tokens;
use crate::{
    authorization::{Authorization, NotCounted, NotRotated, Possession, not_refreshed},
    ciba::Ciba,
    client_auth::AuthenticatedClient,
    clock::Timestamp,
    event::{Ended, Event},
    oauth::{Code, Error, Params, Scope, response::TokenResponse},
    realm::policy,
};

impl Tokens {
    pub(super) async fn refresh(
        &self,
        ciba: &Ciba,
        client: &AuthenticatedClient,
        params: &Params,
        possession: &Possession<'_>,
        now: Timestamp,
    ) -> Result<TokenResponse, Error> {
        let realm = &*self.realm.name;
        match self.exchange(ciba, client, params, possession, now).await {
            Ok((tokens, sid, Authorization { sub, scope, .. })) => {
                let client = &client.client_id;
                self.events.tell(Event::Refreshed { realm, client, sub: &sub, scope: &scope, sid: &sid });
                Ok(tokens)
            }
            Err(error) => {
                self.events.tell(Event::TokenRefused { realm, client: Some(&client.client_id), error: &error });
                Err(error)
            }
        }
    }

    /// The new tokens, and the authorization that they name by `sid`, with their scope.
    async fn exchange(
        &self,
        ciba: &Ciba,
        client: &AuthenticatedClient,
        params: &Params,
        possession: &Possession<'_>,
        now: Timestamp,
    ) -> Result<(TokenResponse, String, Authorization), Error> {
        policy::may_use(client.grant_types.refresh_token)?;
        let token = params.get("refresh_token").ok_or_else(|| Error::invalid_request("refresh_token is missing"))?;
        let presented = self.issuer.refresh_token(token, now).await.map_err(|fault| match fault {
            NotCounted::Invalid(fault) => not_refreshed().because(fault.to_string()),
            NotCounted::Unavailable(fault) => fault.into(),
        })?;
        let (sid, authorization) = (presented.sid, presented.authorization);
        if authorization.client_id != client.client_id {
            return Err(not_refreshed().because("another client's"));
        }
        let scope = narrower(params, &authorization.scope)?;
        let bound_to = possession.bind(client.sender_constraint.into_iter().chain(authorization.sender_constraint))?;
        let status = ciba.status(&authorization.user).await?;
        let asked = scope.as_ref().unwrap_or(&authorization.scope);
        policy::judge(client, status, asked, &authorization.authorization_details)?;
        match self.issuer.rotate(client, &sid, &presented.jti, scope.as_ref(), &bound_to, now).await {
            Ok(tokens) => {
                let scope = scope.unwrap_or(authorization.scope);
                Ok((tokens, sid, Authorization { scope, ..authorization }))
            }
            Err(NotRotated::Replayed) => {
                self.tell_ended(&client.client_id, &authorization.sub, &sid, Ended::Replay);
                Err(not_refreshed().because("a refresh token was used again"))
            }
            Err(NotRotated::Refused(error)) => Err(error),
        }
    }
}

/// The scope asked for, which must be within the one granted.
fn narrower(params: &Params, granted: &Scope) -> Result<Option<Scope>, Error> {
    let Some(text) = params.get("scope") else { return Ok(None) };
    let scope = Scope::parse(text).ok().filter(|scope| !scope.is_empty() && scope.is_subset_of(granted));
    scope.map(Some).ok_or_else(|| Error::new(Code::InvalidScope, "scope must be within the one that was granted"))
}
