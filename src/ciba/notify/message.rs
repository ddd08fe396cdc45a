//! One message to a client's notification endpoint: what is in it, when it may be sent, what an answer means.
//!
//! Every attempt sends the same bytes. They are in memory alone; what the record keeps to make them from is sealed (I1).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::Serialize;

use crate::{
    ciba::grant::{Delivery, Grant, Notification},
    clock::{Clock, Timestamp},
    event::{Event, Events},
    http::Trust,
    oauth::response::TokenResponse,
    outbox::{self, About, Ending, Outbox, Unwanted, Verdict},
    random::NoRandomness,
    realm::{Client, Profile, Realm, Served, client},
    secret::{Sealed, Sealer, Secret},
};

/// Three attempts at most where an endpoint does not answer, or says 5xx.
const PAUSES: &[Duration] = &[Duration::from_secs(1), Duration::from_secs(5)];
/// For how long after a request's expiry a push may begin: its client cannot ask, and the expiry itself is told then.
const AFTER_EXPIRY: Duration = Duration::from_secs(30);

/// Sends what the clients of one realm are told.
pub(super) struct Messenger {
    pub(super) realm: Arc<Realm>,
    pub(super) served: Served,
    pub(super) outbox: Outbox,
    pub(super) sealer: Arc<Sealer>,
    pub(super) events: Events,
    pub(super) clock: Clock,
}

#[derive(Serialize)]
struct Ping<'a> {
    auth_req_id: &'a str,
}

#[derive(Serialize)]
struct Tokens<'a> {
    auth_req_id: &'a str,
    #[serde(flatten)]
    tokens: &'a TokenResponse,
}

#[derive(Serialize)]
struct Failure<'a> {
    auth_req_id: &'a str,
    error: &'a str,
}

/// Why a message cannot be made from its record.
#[derive(Debug, thiserror::Error)]
#[error("the request was sealed with another key")]
pub(super) struct SealedOtherwise;

impl From<SealedOtherwise> for String {
    fn from(fault: SealedOtherwise) -> Self {
        fault.to_string()
    }
}

impl Messenger {
    pub(super) fn delivery(
        &self,
        client: &Client,
        auth_req_id: &str,
        token: Option<&str>,
    ) -> Result<Delivery, NoRandomness> {
        let (endpoint, make): (_, fn(Notification) -> Delivery) = match &client.delivery {
            client::Delivery::Poll => return Ok(Delivery::Poll),
            client::Delivery::Ping(endpoint) => (endpoint, Delivery::Ping),
            client::Delivery::Push(endpoint) => (endpoint, Delivery::Push),
        };
        let seal = |purpose, text| Sealed::new(&self.sealer, &self.purpose(purpose), &Secret::new(text));
        Ok(make(Notification {
            endpoint: endpoint.clone(),
            auth_req_id: seal("auth_req_id", auth_req_id)?,
            client_notification_token: seal("client_notification_token", token.unwrap_or_default())?,
        }))
    }

    /// `{"auth_req_id"}` (CIBA Core 10.2). Not after the expiry: there is nothing to collect.
    pub(super) fn ping(&self, grant: &Grant, notification: &Notification) {
        let not_after = grant.request.expires_at;
        let _ = self.send(grant, notification, not_after, |auth_req_id| json(&Ping { auth_req_id }));
    }

    /// `{"auth_req_id", "error"}` (CIBA Core 12).
    pub(super) fn push_error(&self, grant: &Grant, notification: &Notification, error: &str) {
        let not_after = grant.request.expires_at.plus(AFTER_EXPIRY);
        let _ = self.send(grant, notification, not_after, |auth_req_id| json(&Failure { auth_req_id, error }));
    }

    /// The token response with `auth_req_id` (CIBA Core 10.3.1). Returns whether the client has it, once that is certain.
    pub(super) async fn push(&self, grant: &Grant, notification: &Notification, tokens: &TokenResponse) -> bool {
        let not_after = grant.request.expires_at.plus(AFTER_EXPIRY);
        let body = |auth_req_id: &str| json(&Tokens { auth_req_id, tokens });
        match self.send(grant, notification, not_after, body) {
            Some(ending) => ending.is_delivered().await,
            None => false,
        }
    }

    pub(super) fn auth_req_id(&self, notification: &Notification) -> Result<Secret, SealedOtherwise> {
        self.opened("auth_req_id", &notification.auth_req_id)
    }

    /// Hands a message over to the outbox. What cannot be sent is told.
    fn send(
        &self,
        grant: &Grant,
        notification: &Notification,
        not_after: Timestamp,
        body: impl FnOnce(&str) -> Bytes,
    ) -> Option<Ending> {
        let (realm, client_id) = (&grant.request.realm, &grant.request.client_id);
        let mode = mode(&grant.request.delivery);
        let sent = self.message(notification, body).and_then(|(headers, body)| {
            let delivery = outbox::Delivery {
                url: notification.endpoint.clone(),
                to: Trust::Registered,
                headers,
                body,
                realm: Arc::clone(realm),
                about: About::Client { client_id: Arc::clone(client_id), mode },
                not_before: self.clock.now(),
                not_after,
                pauses: pauses(self.realm.profile),
                judge,
                unwanted: Some(self.unwanted(grant)),
            };
            self.outbox.put(delivery).map_err(|fault| fault.to_string())
        });
        let told = |fault: String| {
            let (realm, client, fault) = (&**realm, &**client_id, Some(fault.as_str()));
            self.events.tell(Event::Notified { realm, client, mode, fault });
        };
        sent.map_err(told).ok()
    }

    fn message(
        &self,
        notification: &Notification,
        body: impl FnOnce(&str) -> Bytes,
    ) -> Result<(outbox::Headers, Bytes), String> {
        let auth_req_id = self.auth_req_id(notification)?;
        let token = self.opened("client_notification_token", &notification.client_notification_token)?;
        let headers: outbox::Headers = Box::new(move |_| {
            let bearer = format!("Bearer {}", token.reveal());
            vec![("content-type", "application/json".to_owned()), ("authorization", bearer)]
        });
        Ok((headers, body(auth_req_id.reveal())))
    }

    /// Whoever was removed, disabled or moved to another endpoint since the request is sent nothing.
    fn unwanted(&self, grant: &Grant) -> Unwanted {
        let (served, request) = (self.served.clone(), Arc::clone(&grant.request));
        Box::new(move || {
            let Some(client) = served.client(&request.realm, &request.client_id) else {
                return Some("the client was removed or disabled");
            };
            let is_same = match (&request.delivery, &client.delivery) {
                (Delivery::Ping(then), client::Delivery::Ping(now))
                | (Delivery::Push(then), client::Delivery::Push(now)) => then.endpoint == *now,
                _ => false,
            };
            (!is_same).then_some("the client is not registered for this endpoint any more")
        })
    }

    /// What is sealed for one realm and use opens for no other.
    fn purpose(&self, of: &str) -> String {
        format!("{of} of {}", self.realm.name)
    }

    fn opened(&self, purpose: &str, sealed: &Sealed) -> Result<Secret, SealedOtherwise> {
        sealed.open(&self.sealer, &self.purpose(purpose)).ok_or(SealedOtherwise)
    }
}

/// CIBA Core 10.2: 204 or 200, and whatever the body is. Redirects are not followed; who refuses is not called again.
fn judge(status: http::StatusCode) -> Verdict {
    if status.is_success() {
        Verdict::Delivered
    } else if status.is_server_error() {
        Verdict::TryAgain
    } else {
        Verdict::Refused
    }
}

const fn pauses(profile: Profile) -> &'static [Duration] {
    if profile.restrictions().notified_again { PAUSES } else { &[] }
}

const fn mode(delivery: &Delivery) -> &'static str {
    match delivery {
        Delivery::Poll => "poll",
        Delivery::Ping(_) => "ping",
        Delivery::Push(_) => "push",
    }
}

fn json(body: &impl Serialize) -> Bytes {
    serde_json::to_vec(body).map(Bytes::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_answers() {
        use Verdict::{Delivered, Refused, TryAgain};
        let table = [
            ("N5", 200, Delivered),
            ("N5", 202, Delivered),
            ("N5", 204, Delivered),
            ("N6", 301, Refused),
            ("N6", 302, Refused),
            ("N6", 307, Refused),
            ("N6", 308, Refused),
            ("N7", 400, Refused),
            ("N7", 401, Refused),
            ("N7", 403, Refused),
            ("N7", 429, Refused),
            ("N8", 500, TryAgain),
            ("N8", 503, TryAgain),
        ];
        for (number, status, verdict) in table {
            assert_eq!(judge(http::StatusCode::from_u16(status).unwrap()), verdict, "{number} {status}");
        }
    }

    #[test]
    fn n8_three_attempts_and_one_under_fapi_ciba() {
        assert_eq!((pauses(Profile::Standard).len(), pauses(Profile::FapiCiba).len()), (2, 0));
    }
}
