//! The device service's callback (Keycloak's HTTP authentication channel): the bearer that it was sent comes back with a
//! status. Answers as recorded of Keycloak, except that a second callback is refused and changes nothing.

use crate::{
    ciba::{
        Ciba,
        decide::{Decision, NotDecided},
    },
    clock::Timestamp,
    event::{Event, Via},
    keycloak::callback::{self, Status},
    oauth::{Code, Error, error::Challenge},
    realm::policy,
};

impl Ciba {
    /// `bearer` is the token of the `Authorization` header, `body` the JSON. Returns the client of the request.
    pub async fn callback(&self, bearer: Option<&str>, body: &[u8], now: Timestamp) -> Result<String, Error> {
        let Some(bearer) = bearer else {
            self.refuse(None, "no token");
            return Err(Error::new(Code::InvalidToken, "Invalid token").challenge_with(Challenge::Bearer));
        };
        let refused = |reason| {
            self.refuse(None, reason);
            Error::new(Code::InvalidToken, "Invalid token").with_status(403).because(reason)
        };
        // a device service that the operator has removed decides nothing more (I4)
        if !self.channels.has_device_service() {
            return Err(refused("the realm has no device service"));
        }
        let found = self.decisions.of_device_service(bearer).await?;
        let (key, grant) = found.ok_or_else(|| refused("invalid token"))?;
        let client = grant.request.client_id.to_string();
        let decision = match callback::parse(body).inspect_err(|_| self.refuse(Some(&client), "unreadable"))?.status {
            Status::Succeed => Decision::Approve,
            Status::Unauthorized | Status::Cancelled => Decision::Deny,
        };
        if !self.realm.clients.get(&client).is_some_and(|client| client.enabled) {
            self.refuse(Some(&client), "client gone");
            return Err(Error::invalid_request("Invalid token recipient"));
        }
        // nobody needs to be asked about to say no
        let status = match decision {
            Decision::Approve => self.status(&grant.request.user).await?,
            Decision::Deny => policy::Status::Untracked,
        };
        match self.decisions.by_device_service((key, grant), decision, status, now).await {
            Ok(_) => Ok(client),
            Err(NotDecided::Unavailable(fault)) => Err(fault.into()),
            Err(NotDecided::Policy(error)) => Err(error),
            // these have told their event
            Err(fault) => {
                Err(Error::new(Code::InvalidToken, "Invalid token").with_status(403).because(fault.to_string()))
            }
        }
    }

    fn refuse(&self, client: Option<&str>, reason: &'static str) {
        let (realm, via) = (&*self.realm.name, Via::DeviceService);
        self.events.tell(Event::DecisionRefused { realm, client, via, reason });
    }
}
