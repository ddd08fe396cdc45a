//! The refresh token grant (RFC 6749 6): client, user and policy are judged again (I4), then the token rotates.

use crate::{
    authorization::{Authorization, Issuer},
    ciba::Ciba,
    client_auth::AuthenticatedClient,
    clock::Timestamp,
    event::{Event, Events},
    oauth::{Code, Error, Params, Scope, response::TokenResponse},
    realm::policy,
};

pub(super) async fn refresh(
    ciba: &Ciba,
    issuer: &Issuer,
    events: &Events,
    client: &AuthenticatedClient,
    params: &Params,
    now: Timestamp,
) -> Result<TokenResponse, Error> {
    let realm = issuer.realm();
    match exchange(ciba, issuer, client, params, now).await {
        Ok((tokens, sid, Authorization { sub, scope, .. })) => {
            let client = &client.client_id;
            events.tell(Event::Refreshed { realm, client, sub: &sub, scope: &scope, sid: &sid });
            Ok(tokens)
        }
        Err(error) => {
            events.tell(Event::TokenRefused { realm, client: Some(&client.client_id), error: &error });
            Err(error)
        }
    }
}

/// The new tokens, and the authorization that they name by `sid`, with their scope.
async fn exchange(
    ciba: &Ciba,
    issuer: &Issuer,
    client: &AuthenticatedClient,
    params: &Params,
    now: Timestamp,
) -> Result<(TokenResponse, String, Authorization), Error> {
    policy::may_use(client.grant_types.refresh_token)?;
    let token = params.get("refresh_token").ok_or_else(|| Error::invalid_request("refresh_token is missing"))?;
    let (sid, jti, authorization) = issuer.refreshable(token, now).await?;
    if authorization.client_id != client.client_id {
        return Err(Error::new(Code::InvalidGrant, "The refresh token is not valid").because("another client's"));
    }
    let scope = narrower(params, &authorization.scope)?;
    let status = ciba.status(&authorization.user).await?;
    let asked = scope.as_ref().unwrap_or(&authorization.scope);
    policy::judge(client, status, asked, &authorization.authorization_details)?;
    let tokens = issuer.rotate(client, &sid, &jti, scope.as_ref(), now).await?;
    let scope = scope.unwrap_or(authorization.scope);
    Ok((tokens, sid, Authorization { scope, ..authorization }))
}

/// The scope asked for, which must be within the one granted.
fn narrower(params: &Params, granted: &Scope) -> Result<Option<Scope>, Error> {
    let Some(text) = params.get("scope") else { return Ok(None) };
    let scope = Scope::parse(text).ok().filter(|scope| !scope.is_empty() && scope.is_subset_of(granted));
    scope.map(Some).ok_or_else(|| Error::new(Code::InvalidScope, "scope must be within the one that was granted"))
}
