//! What a client is told at its notification endpoint: ping (CIBA Core 10.2), push of tokens (10.3) and of errors (12).
//!
//! It begins when the decision stands in the store and never changes it: what cannot be told is logged. A ping is the
//! client's cue to poll. For a push client the approved grant is redeemed here, its tokens are minted once and every attempt
//! sends the same bytes; tokens that could not be delivered do not count any more. Bodies are in memory alone.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::Serialize;

use crate::{
    ciba::{
        Redemption,
        grant::{self, Grant, Notification, State},
        redeem::By,
    },
    clock::{Clock, Timestamp},
    event::Event,
    http::Trust,
    oauth::{Code, Error, response::TokenResponse},
    outbox::{self, About, NotTaken, Outbox, Verdict},
    random::NoRandomness,
    realm::{
        Client, Profile, Served,
        client::{self, Delivery},
    },
    secret::{Sealed, Sealer, Secret},
    store::{Change, Key},
};

/// Three attempts at most where an endpoint does not answer, or says 5xx.
const PAUSES: &[Duration] = &[Duration::from_secs(1), Duration::from_secs(5)];
/// For how long after a request's expiry a push may begin: its client cannot ask, and the expiry itself is told then.
const AFTER_EXPIRY: Duration = Duration::from_secs(30);

/// Tells the clients of one realm what became of their requests. Cheap to clone.
#[derive(Clone)]
pub struct Notifier(Arc<Inner>);

struct Inner {
    redemption: Arc<Redemption>,
    served: Served,
    outbox: Outbox,
    sealer: Arc<Sealer>,
    clock: Clock,
}

/// The body of a ping.
#[derive(Serialize)]
struct Ping<'a> {
    auth_req_id: &'a str,
}

/// The body of a push of tokens.
#[derive(Serialize)]
struct Tokens<'a> {
    auth_req_id: &'a str,
    #[serde(flatten)]
    tokens: &'a TokenResponse,
}

/// The body of a push of an error.
#[derive(Serialize)]
struct Failure<'a> {
    auth_req_id: &'a str,
    error: &'a str,
}

/// What is sealed in a record, each for its own use.
#[derive(Clone, Copy)]
enum Purpose {
    AuthReqId,
    Token,
}

impl Purpose {
    fn of(self, realm: &str) -> String {
        match self {
            Self::AuthReqId => format!("auth_req_id of {realm}"),
            Self::Token => format!("client_notification_token of {realm}"),
        }
    }
}

impl Notifier {
    pub fn new(redemption: Arc<Redemption>, served: Served, outbox: Outbox, sealer: Arc<Sealer>, clock: Clock) -> Self {
        Self(Arc::new(Inner { redemption, served, outbox, sealer, clock }))
    }

    pub(super) fn served(&self) -> &Served {
        &self.0.served
    }

    /// How the client is told of a request: as it is registered now, with what it sent sealed.
    pub(super) fn delivery(
        &self,
        client: &Client,
        auth_req_id: &str,
        token: Option<&str>,
    ) -> Result<grant::Delivery, NoRandomness> {
        let (endpoint, make): (_, fn(Notification) -> grant::Delivery) = match &client.delivery {
            client::Delivery::Poll => return Ok(grant::Delivery::Poll),
            client::Delivery::Ping(endpoint) => (endpoint, grant::Delivery::Ping),
            client::Delivery::Push(endpoint) => (endpoint, grant::Delivery::Push),
        };
        Ok(make(Notification {
            endpoint: endpoint.clone(),
            auth_req_id: self.0.sealed(Purpose::AuthReqId, auth_req_id)?,
            client_notification_token: self.0.sealed(Purpose::Token, token.unwrap_or_default())?,
        }))
    }

    /// A push client is told when its request expires.
    pub(super) fn tell_of_expiry(&self, key: Key, grant: &Grant) -> Result<(), NotTaken> {
        if !matches!(grant.request.delivery, grant::Delivery::Push(_)) {
            return Ok(());
        }
        let inner = Arc::clone(&self.0);
        self.0.outbox.at(grant.request.expires_at, async move { inner.expire(key).await })
    }

    /// Tells of a decision that was taken at `now` and stands. Returns at once; to be called on the async runtime.
    pub(super) fn tell(&self, key: Key, grant: &Grant, now: Timestamp) {
        match (&grant.request.delivery, &grant.state) {
            (grant::Delivery::Ping(notification), _) => self.0.ping(grant, notification),
            (grant::Delivery::Push(_), State::Approved(_)) => {
                // a task of its own: whoever waits for the answer to the decision may go away
                let (inner, grant) = (Arc::clone(&self.0), grant.clone());
                tokio::spawn(async move { inner.push(key, &grant, now).await });
            }
            (grant::Delivery::Push(notification), State::Denied { .. }) => {
                self.0.push_error(grant, notification, "access_denied");
            }
            (grant::Delivery::Poll | grant::Delivery::Push(_), _) => {}
        }
    }
}

impl Inner {
    fn ping(&self, grant: &Grant, notification: &Notification) {
        let not_after = grant.request.expires_at;
        let _ = self.send(grant, notification, not_after, |auth_req_id| json(&Ping { auth_req_id }));
    }

    fn push_error(&self, grant: &Grant, notification: &Notification, error: &str) {
        let not_after = grant.request.expires_at.plus(AFTER_EXPIRY);
        let _ = self.send(grant, notification, not_after, |auth_req_id| json(&Failure { auth_req_id, error }));
    }

    /// Redeems an approved request and pushes its tokens; one that cannot be redeemed has failed for good.
    async fn push(&self, key: Key, grant: &Grant, now: Timestamp) {
        let grant::Delivery::Push(notification) = &grant.request.delivery else { return };
        match self.redeem(key, grant, notification, now).await {
            Ok((tokens, sid)) => {
                let not_after = grant.request.expires_at.plus(AFTER_EXPIRY);
                let body = |auth_req_id: &str| json(&Tokens { auth_req_id, tokens: &tokens });
                let ending = self.send(grant, notification, not_after, body);
                drop(tokens);
                let is_delivered = match ending {
                    Some(ending) => ending.is_delivered().await,
                    None => false,
                };
                if !is_delivered {
                    self.withdraw(grant, &sid).await;
                }
            }
            Err(Failed { error, told_elsewhere }) => {
                let (realm, client) = (&*grant.request.realm, &*grant.request.client_id);
                self.redemption.events.tell(Event::PushFailed { realm, client, error: &error });
                if !told_elsewhere {
                    self.push_error(grant, notification, "transaction_failed");
                }
            }
        }
    }

    /// Judged as a poll is (`redeem`): the client and the user as they are today.
    async fn redeem(
        &self,
        key: Key,
        grant: &Grant,
        notification: &Notification,
        now: Timestamp,
    ) -> Result<(TokenResponse, String), Failed> {
        let (realm, client_id) = (&*grant.request.realm, &*grant.request.client_id);
        let verdict = async {
            let client = self.served.client(realm, client_id).ok_or_else(gone)?;
            let redeemed = self.redemption.verdict(&client, key, By::Push, now).await?;
            Ok::<_, Error>((client, redeemed))
        };
        let (client, (grant, approval)) = match verdict.await {
            Ok(redeemed) => redeemed,
            // the job at the request's expiry may have been quicker: then it is the one that tells
            Err(error) => return Err(Failed { error, told_elsewhere: !self.close(key).await }),
        };
        let auth_req_id = self.opened(Purpose::AuthReqId, realm, &notification.auth_req_id);
        let auth_req_id = auth_req_id.ok_or_else(|| Failed::here(sealed_otherwise()))?;
        let minted = self.redemption.mint(&client, &grant, &approval, Some(auth_req_id.reveal()), now).await;
        minted.map_err(Failed::here)
    }

    /// Whether it was this call that closed an approved request.
    async fn close(&self, key: Key) -> bool {
        let closed = self.redemption.grants.change(key, |grant| match grant.and_then(Grant::fail) {
            Some(closed) => Change::Put(closed, true),
            None => Change::Keep(false),
        });
        closed.await.unwrap_or(false)
    }

    /// The job at a push client's expiry: looks at what became of the request.
    async fn expire(&self, key: Key) {
        let now = self.clock.now();
        let expired = self.redemption.grants.change(key, |grant| match grant.and_then(|grant| grant.expire(now)) {
            Some(closed) => Change::Put(closed.clone(), Some(closed)),
            None => Change::Keep(None),
        });
        match expired.await {
            Ok(Some(grant)) => {
                if let grant::Delivery::Push(notification) = &grant.request.delivery {
                    self.push_error(&grant, notification, Code::ExpiredToken.as_str());
                }
            }
            Ok(None) => {}
            Err(fault) => tracing::error!(%fault, "A push client cannot be told that its request has expired"),
        }
    }

    /// Tokens that the client did not get must not count.
    async fn withdraw(&self, grant: &Grant, sid: &str) {
        let (realm, client) = (&*grant.request.realm, &*grant.request.client_id);
        let error = match self.redemption.issuer.withdraw(sid).await {
            Ok(()) => Error::new(Code::ServerError, "The tokens were not delivered").because("their push failed"),
            Err(fault) => fault.into(),
        };
        self.redemption.events.tell(Event::PushFailed { realm, client, error: &error });
    }

    /// Hands a message over to the outbox. What cannot be sent is told.
    fn send(
        &self,
        grant: &Grant,
        notification: &Notification,
        not_after: Timestamp,
        body: impl FnOnce(&str) -> Bytes,
    ) -> Option<outbox::Ending> {
        let (realm, client_id) = (&grant.request.realm, &grant.request.client_id);
        let mode = mode(&grant.request.delivery);
        let sent = self.message(notification, realm, body).and_then(|(headers, body)| {
            let delivery = outbox::Delivery {
                url: notification.endpoint.clone(),
                to: Trust::Registered,
                headers,
                body,
                realm: Arc::clone(realm),
                about: About::Client { client_id: Arc::clone(client_id), mode },
                not_before: self.clock.now(),
                not_after,
                pauses: self.pauses(),
                judge,
                unwanted: Some(self.unwanted(grant)),
            };
            self.outbox.put(delivery).map_err(|fault| fault.to_string())
        });
        sent.map_err(|fault| {
            let (realm, client, fault) = (&**realm, &**client_id, Some(fault.as_str()));
            self.redemption.events.tell(Event::Notified { realm, client, mode, fault });
        })
        .ok()
    }

    fn message(
        &self,
        notification: &Notification,
        realm: &str,
        body: impl FnOnce(&str) -> Bytes,
    ) -> Result<(outbox::Headers, Bytes), String> {
        let auth_req_id = self.opened(Purpose::AuthReqId, realm, &notification.auth_req_id);
        let token = self.opened(Purpose::Token, realm, &notification.client_notification_token);
        let (Some(auth_req_id), Some(token)) = (auth_req_id, token) else { return Err(SEALED_OTHERWISE.into()) };
        let headers: outbox::Headers = Box::new(move |_| {
            vec![
                ("content-type", "application/json".to_owned()),
                ("authorization", format!("Bearer {}", token.reveal())),
            ]
        });
        Ok((headers, body(auth_req_id.reveal())))
    }

    /// Whoever was removed, disabled or moved to another endpoint since the request is sent nothing.
    fn unwanted(&self, grant: &Grant) -> outbox::Unwanted {
        let (served, request) = (self.served.clone(), Arc::clone(&grant.request));
        Box::new(move || {
            let Some(client) = served.client(&request.realm, &request.client_id) else {
                return Some("the client was removed or disabled");
            };
            let is_same = match (&request.delivery, &client.delivery) {
                (grant::Delivery::Ping(then), Delivery::Ping(now)) => then.endpoint == *now,
                (grant::Delivery::Push(then), Delivery::Push(now)) => then.endpoint == *now,
                _ => false,
            };
            (!is_same).then_some("the client is not registered for this endpoint any more")
        })
    }

    /// FAPI's conformance suite counts the attempts.
    fn pauses(&self) -> &'static [Duration] {
        match self.redemption.realm.profile {
            Profile::Standard => PAUSES,
            Profile::FapiCiba => &[],
        }
    }

    fn sealed(&self, purpose: Purpose, text: &str) -> Result<Sealed, NoRandomness> {
        Sealed::new(&self.sealer, &purpose.of(&self.redemption.realm.name), &Secret::new(text))
    }

    fn opened(&self, purpose: Purpose, realm: &str, sealed: &Sealed) -> Option<Secret> {
        sealed.open(&self.sealer, &purpose.of(realm))
    }
}

/// An approved request that gives no tokens.
struct Failed {
    error: Error,
    /// Its client is told by somebody else.
    told_elsewhere: bool,
}

impl Failed {
    const fn here(error: Error) -> Self {
        Self { error, told_elsewhere: false }
    }
}

const SEALED_OTHERWISE: &str = "the request was sealed with another key";

fn sealed_otherwise() -> Error {
    Error::server_error(SEALED_OTHERWISE)
}

fn gone() -> Error {
    Error::new(Code::InvalidClient, "The client is not registered").because("the client was removed or disabled")
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

const fn mode(delivery: &grant::Delivery) -> &'static str {
    match delivery {
        grant::Delivery::Poll => "poll",
        grant::Delivery::Ping(_) => "ping",
        grant::Delivery::Push(_) => "push",
    }
}

fn json(body: &impl Serialize) -> Bytes {
    serde_json::to_vec(body).map(Bytes::from).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        authorization::{Issuer, RefreshKey},
        event::{Audit, Events},
        http::{Http, Outbound},
        keys::KeySet,
        outbox::Limits,
        random::Random,
        realm::Realm,
        store::Table,
        upstream::lookup::Lookups,
    };

    /// Of a realm without keys, for tests of what does not notify anybody.
    pub(crate) fn notifier(realm: &Arc<Realm>, grants: &Arc<Table<Grant>>, sealer: &Arc<Sealer>) -> Notifier {
        let (clock, random) = (Clock::manual(Timestamp::from_seconds(0)), Random::counting());
        let (http, events) = (Http::new(&Outbound::default()).unwrap(), Events::new(Audit::Off, clock.clone()));
        let lookups = Lookups::new(realm, http.clone(), events.clone(), clock.clone());
        let issuer = Issuer::new(
            Arc::clone(realm),
            Arc::new(KeySet::new(Vec::new())),
            RefreshKey::derive(&[7; 32], &realm.name),
            Arc::new(Table::in_memory(clock.clone())),
            random.clone(),
        );
        let outbox = Outbox::start(http, events.clone(), clock.clone(), Limits::default());
        let (realm, grants) = (Arc::clone(realm), Arc::clone(grants));
        let redemption = Redemption::new(realm, Arc::new(lookups), grants, Arc::new(issuer), events, random);
        Notifier::new(redemption, Served::default(), outbox, Arc::clone(sealer), clock)
    }

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
}
