//! The device service's callback (Keycloak's HTTP authentication channel): the bearer that it was sent comes back with a
//! status. Answers as recorded of Keycloak, except that a second callback is refused and changes nothing.

use crate::{
    channel::keycloak::verify_bearer,
    ciba::decide::{Decision, Decisions, NotDecided},
    clock::Timestamp,
    event::{Event, Events, Via},
    keycloak::callback::{self, Status},
    keys::KeySet,
    oauth::{Code, Error, error::Challenge},
    realm::{Channel, Realm},
};

/// `bearer` is the token of the `Authorization` header, `body` the JSON.
pub async fn callback(
    realm: &Realm,
    keys: &KeySet,
    decisions: &Decisions,
    events: &Events,
    bearer: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Result<String, Error> {
    let tell = |client, reason| {
        events.tell(Event::DecisionRefused { realm: &realm.name, client, via: Via::DeviceService, reason });
    };
    let refused = |reason| {
        tell(None, reason);
        Error::new(Code::InvalidToken, "Invalid token").with_status(403).because(reason)
    };
    let Some(bearer) = bearer else {
        tell(None, "no token");
        return Err(Error::new(Code::InvalidToken, "Invalid token").challenge_with(Challenge::Bearer));
    };
    // a device service that the operator has removed decides nothing more (I4)
    if !realm.channels.iter().any(|channel| matches!(channel, Channel::Keycloak { .. })) {
        return Err(refused("the realm has no device service"));
    }
    let bearer = verify_bearer(keys, &realm.issuer, bearer, now).map_err(|_| refused("invalid token"))?;
    let decision = match callback::parse(body).inspect_err(|_| tell(Some(&bearer.azp), "unreadable"))?.status {
        Status::Succeed => Decision::Approve,
        Status::Unauthorized | Status::Cancelled => Decision::Deny,
    };
    if !realm.clients.get(&bearer.azp).is_some_and(|client| client.enabled) {
        tell(Some(&bearer.azp), "client gone");
        return Err(Error::invalid_request("Invalid token recipient"));
    }
    match decisions.by_device_service(&bearer.jti, decision, now).await {
        Ok(grant) => Ok(grant.request.client_id.to_string()),
        Err(NotDecided::Unavailable(fault)) => Err(fault.into()),
        Err(NotDecided::Policy(error)) => Err(error),
        Err(NotDecided::Unknown) => Err(refused("unknown request")),
        // these have told their event
        Err(fault) => Err(Error::new(Code::InvalidToken, "Invalid token").with_status(403).because(fault.to_string())),
    }
}
