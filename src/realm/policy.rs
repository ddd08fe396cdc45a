//! Who may do what: the one function that judges a request, a decision and a redemption alike (I4), with today's
//! configuration and today's status of the user.

use super::Client;
use crate::oauth::{AuthorizationDetails, Code, Error, Scope};

/// What is known of the user's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A lookup said so at most 60 seconds ago, or the person has just signed in.
    Active,
    /// The lookup knows the user and says that they may not sign in.
    Disabled,
    /// The lookup does not know the user (any more).
    Gone,
    /// The lookup has no status to ask for (`sign-in`): the upstream's sign-in counts.
    Untracked,
}

/// # Errors
/// The refusal, with the code of the token endpoint for a user that may not (`invalid_grant`); the caller at the
/// authentication endpoint answers `unknown_user_id` for these before it comes here.
pub fn judge(client: &Client, status: Status, scope: &Scope, details: &AuthorizationDetails) -> Result<(), Error> {
    if !client.enabled {
        return Err(Error::new(Code::InvalidClient, "Client authentication failed").because("the client is disabled"));
    }
    may_use(client.grant_types.ciba)?;
    if matches!(status, Status::Disabled | Status::Gone) {
        return Err(
            Error::new(Code::InvalidGrant, "The user may not sign in").because(format!("user status: {status:?}"))
        );
    }
    if !scope.is_subset_of(&client.scope) {
        return Err(Error::new(Code::InvalidScope, "The client may not ask for this scope"));
    }
    if !details.types().all(|kind| client.authorization_details_types.iter().any(|allowed| allowed == kind)) {
        let description = "The client may not ask for this type of authorization_details";
        return Err(Error::new(Code::InvalidAuthorizationDetails, description));
    }
    Ok(())
}

/// Whether the client is registered for a grant type, as `allowed` says.
pub fn may_use(allowed: bool) -> Result<(), Error> {
    let refusal = || Error::new(Code::UnauthorizedClient, "The client may not use this grant type");
    if allowed { Ok(()) } else { Err(refusal()) }
}
