//! What a client is told of its request: ping (CIBA Core 10.2), push of tokens (10.3) and of errors (12).
//!
//! It begins when the decision stands in the store and never changes it: what cannot be told is logged. A ping is the
//! client's cue to poll. For a push client the approved grant is redeemed here, and tokens that could not be delivered do
//! not count any more. How a message is sent stands in `message`.

mod message;

use std::sync::Arc;

use self::message::Messenger;
use crate::{
    authorization::Possession,
    ciba::{
        Redemption,
        grant::{Delivery, Grant, Notification, State},
        redeem::By,
    },
    clock::{Clock, Timestamp},
    event::{Ended, Event},
    oauth::{Code, Error, response::TokenResponse},
    outbox::{NotTaken, Outbox},
    random::NoRandomness,
    realm::{Client, Served},
    secret::Sealer,
    store::{Change, Key, Unavailable},
};

/// Tells the clients of one realm what became of their requests. Cheap to clone.
#[derive(Clone)]
pub struct Notifier(Arc<Inner>);

struct Inner {
    redemption: Arc<Redemption>,
    served: Served,
    messenger: Messenger,
    outbox: Outbox,
    clock: Clock,
}

impl Notifier {
    pub fn new(redemption: Arc<Redemption>, served: Served, outbox: Outbox, sealer: Arc<Sealer>, clock: Clock) -> Self {
        let messenger = Messenger {
            realm: Arc::clone(&redemption.realm),
            served: served.clone(),
            outbox: outbox.clone(),
            sealer,
            events: redemption.events.clone(),
            clock: clock.clone(),
        };
        Self(Arc::new(Inner { redemption, served, messenger, outbox, clock }))
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
    ) -> Result<Delivery, NoRandomness> {
        self.0.messenger.delivery(client, auth_req_id, token)
    }

    /// A push client is told when its request expires.
    pub(super) fn tell_of_expiry(&self, key: Key, grant: &Grant) -> Result<(), NotTaken> {
        if !matches!(grant.request.delivery, Delivery::Push(_)) {
            return Ok(());
        }
        let inner = Arc::clone(&self.0);
        self.0.outbox.at(grant.request.expires_at, async move { inner.expire(key).await })
    }

    /// Tells of a decision that was taken at `now` and stands. Returns at once; to be called on the async runtime.
    pub(super) fn tell(&self, key: Key, grant: &Grant, now: Timestamp) {
        match (&grant.request.delivery, &grant.state) {
            (Delivery::Ping(notification), _) => self.0.messenger.ping(grant, notification),
            (Delivery::Push(_), State::Approved(_)) => {
                // a task of its own: whoever waits for the answer to the decision may go away
                let (inner, grant) = (Arc::clone(&self.0), grant.clone());
                tokio::spawn(async move { inner.push(key, &grant, now).await });
            }
            (Delivery::Push(notification), State::Denied { .. }) => {
                self.0.messenger.push_error(grant, notification, Code::AccessDenied.as_str());
            }
            (Delivery::Poll | Delivery::Push(_), _) => {}
        }
    }
}

impl Inner {
    /// Redeems an approved request and pushes its tokens; one that cannot be redeemed has failed for good.
    async fn push(&self, key: Key, grant: &Grant, now: Timestamp) {
        let Delivery::Push(notification) = &grant.request.delivery else { return };
        match self.redeem(key, grant, notification, now).await {
            Ok((tokens, sid)) => {
                if !self.messenger.push(grant, notification, &tokens).await {
                    self.end(grant, &sid).await;
                }
            }
            Err(error) => {
                let (realm, client) = (&*grant.request.realm, &*grant.request.client_id);
                self.redemption.events.tell(Event::PushFailed { realm, client, error: &error });
                if let Err(fault) = self.close(key).await {
                    tracing::error!(%fault, "An approval that gave no tokens cannot be closed");
                }
                self.messenger.push_error(grant, notification, "transaction_failed");
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
    ) -> Result<(TokenResponse, String), Error> {
        let (realm, client_id) = (&*grant.request.realm, &*grant.request.client_id);
        let gone = || Error::new(Code::InvalidClient, "The client is not registered").because("removed or disabled");
        let client = self.served.client(realm, client_id).ok_or_else(gone)?;
        let auth_req_id = self.messenger.auth_req_id(notification).map_err(Error::server_error)?;
        // what must be bound cannot be pushed: nobody shows anything here
        let nothing = Possession::default();
        let (grant, approval, bound_to) = self.redemption.verdict(&client, key, By::Push, &nothing, now).await?;
        self.redemption.mint(&client, &grant, &approval, &bound_to, Some(auth_req_id.reveal()), now).await
    }

    /// An approval that gave no tokens never will, and its page says so.
    async fn close(&self, key: Key) -> Result<(), Unavailable> {
        let closed = self.redemption.grants.change(key, |grant| match grant.and_then(Grant::fail) {
            Some(closed) => Change::Put(closed, ()),
            None => Change::Keep(()),
        });
        closed.await
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
                if let Delivery::Push(notification) = &grant.request.delivery {
                    self.messenger.push_error(&grant, notification, Code::ExpiredToken.as_str());
                }
            }
            Ok(None) => {}
            Err(fault) => tracing::error!(%fault, "A push client cannot be told that its request has expired"),
        }
    }

    /// Tokens that the client did not get must not count.
    async fn end(&self, grant: &Grant, sid: &str) {
        let (realm, client) = (&*grant.request.realm, &*grant.request.client_id);
        match self.redemption.issuer.end(sid, client).await {
            Ok(Some(authorization)) => self.redemption.events.tell(Event::AuthorizationEnded {
                realm,
                client,
                sub: &authorization.sub,
                sid,
                how: Ended::NotDelivered,
            }),
            Ok(None) => {}
            Err(fault) => tracing::error!(%fault, "Tokens that could not be pushed cannot be revoked"),
        }
    }
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
}
