//! Long polling (CIBA Core 10.1): a poll that would be answered "pending" is held until the person has decided, the request
//! has expired, the realm's `long_poll` is over or the gateway stops.
//!
//! A held poll counts as one poll, made when it came: by CIBA Core 5 the client counts the interval from when it sends. One
//! poll of a request is held at a time. A client that goes away takes its poll with it: the future is dropped, nothing is
//! spent. What is not here: the verdict itself (`redeem`).

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::{
    authorization::Possession,
    ciba::{
        Ciba,
        redeem::{By, pending},
    },
    clock::Timestamp,
    oauth::{Code, Error, response::TokenResponse},
    realm::Client,
    store::{Key, Unavailable},
};

/// The polls that the process holds now; a reload keeps them.
pub struct HeldPolls {
    /// By request and client: what a client sends for another's request keeps nobody out.
    places: Mutex<HashSet<(Key, Arc<str>)>>,
    stopping: watch::Sender<bool>,
}

/// The right to be the one poll of a request that is held; given back when it is dropped.
pub(super) struct Place {
    polls: Arc<HeldPolls>,
    of: (Key, Arc<str>),
}

impl HeldPolls {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { places: Mutex::default(), stopping: watch::Sender::new(false) })
    }

    /// Answers all that are held, and holds none from now on.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// How many polls are held or about to be.
    pub fn count(&self) -> usize {
        self.places().len()
    }

    /// Nothing where a poll of this request is held already.
    pub(super) fn place(self: &Arc<Self>, key: Key, client_id: &Arc<str>) -> Option<Place> {
        let of = (key, Arc::clone(client_id));
        let is_free = self.places().insert(of.clone());
        is_free.then(|| Place { polls: Arc::clone(self), of })
    }

    fn places(&self) -> MutexGuard<'_, HashSet<(Key, Arc<str>)>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.polls.places().remove(&self.of);
    }
}

impl Ciba {
    /// Holds a poll that came at `came` while nobody has decided, then answers it.
    pub(super) async fn hold(
        &self,
        client: &Client,
        key: Key,
        _place: Place,
        possession: &Possession<'_>,
        came: Timestamp,
    ) -> Result<TokenResponse, Error> {
        if let Some(answer) = self.settled(key, came).await? {
            return Err(answer);
        }
        // the client as it is today: this may be half a minute later
        let client = self.served.client(&self.realm.name, &client.client_id).ok_or_else(gone)?;
        self.redemption.redeem(&client, key, By::Poll { overlaps: false }, possession, self.clock.now()).await
    }

    /// Returns when there is something to answer: nothing where the request is decided, expired or gone, "pending" where it
    /// is still open and must be answered all the same.
    async fn settled(&self, key: Key, came: Timestamp) -> Result<Option<Error>, Unavailable> {
        let mut stopping = self.held.stopping.subscribe();
        // before the record is read, so that no decision is missed
        let mut watch = self.grants.watch(key);
        let mut until = came.plus(self.realm.ciba.long_poll);
        loop {
            let now = self.clock.now();
            let Some(grant) = self.grants.get(key).await?.filter(|grant| grant.is_open(now)) else { return Ok(None) };
            if now >= until || *stopping.borrow() {
                return Ok(Some(pending(grant.until_next_poll(now))));
            }
            until = until.min(grant.request.expires_at);
            drop(grant);
            tokio::select! {
                () = watch.changed() => {}
                () = self.clock.sleep_until(until) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        }
    }
}

fn gone() -> Error {
    Error::new(Code::InvalidClient, "Client authentication failed").because("the client is gone")
}
