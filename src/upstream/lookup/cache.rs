//! Answers of a provider, kept for a short time: that somebody is there for 60 seconds, that nobody is for 10 (somebody new
//! must not wait), faults not at all. Questions for one hint at the same time are one call.
//!
//! The keys are digests, so that no hint stays in memory. A true cache: what it drops is asked for again.

use std::{future::Future, sync::Arc, time::Duration};

use moka::future::Cache;

use super::{Fault, Found, keycloak::Keycloak, trace::Steps};
use crate::{
    clock::Timestamp,
    realm::{policy::Status, user::Identity},
    secret::Digest,
    upstream::caller::Caller,
};

const FOR_SOMEBODY: Duration = Duration::from_secs(60);
const FOR_NOBODY: Duration = Duration::from_secs(10);
const CAPACITY: u64 = 50_000;

pub(super) struct Cached {
    keycloak: Keycloak,
    caller: Caller,
    found: Cache<Digest, Known<Found>>,
    status: Cache<Digest, Known<Status>>,
}

/// An answer, and until when it is believed.
#[derive(Clone)]
struct Known<T> {
    answer: T,
    until: Timestamp,
}

impl Cached {
    pub(super) fn new(keycloak: Keycloak, caller: Caller) -> Self {
        Self { keycloak, caller, found: cache(), status: cache() }
    }

    pub(super) const fn keycloak(&self) -> &Keycloak {
        &self.keycloak
    }

    pub(super) async fn find(&self, hint: &str) -> Result<Found, Fault> {
        let key = Digest::of_parts(&[b"hint ", hint.as_bytes()]);
        self.user(key, self.keycloak.find(hint, &mut Steps::none())).await
    }

    pub(super) async fn find_by_sub(&self, sub: &str) -> Result<Found, Fault> {
        let key = Digest::of_parts(&[b"sub ", sub.as_bytes()]);
        self.user(key, self.keycloak.find_by_sub(sub)).await
    }

    async fn user(&self, key: Digest, ask: impl Future<Output = Result<Found, Fault>> + Send) -> Result<Found, Fault> {
        self.known(&self.found, key, async {
            let now = self.caller.clock.now();
            let found = ask.await;
            self.caller.tell("lookup", &found);
            let answer = found?;
            let Found::User(user) = &answer else { return Ok(Known { answer, until: now.plus(FOR_NOBODY) }) };
            let until = now.plus(FOR_SOMEBODY);
            if let Some(sub) = &user.sub {
                self.status.insert(Digest::of(sub.as_bytes()), Known { answer: Status::Active, until }).await;
            }
            Ok(Known { answer, until })
        })
        .await
    }

    pub(super) async fn status(&self, identity: &Identity) -> Result<Status, Fault> {
        self.known(&self.status, Digest::of(identity.sub.as_bytes()), async {
            let now = self.caller.clock.now();
            let status = self.keycloak.status(identity).await;
            self.caller.tell("lookup", &status);
            Ok(Known { answer: status?, until: now.plus(FOR_SOMEBODY) })
        })
        .await
    }

    /// What is known, or what `ask` says. Life is judged by our clock; the cache's own time limit only frees memory.
    async fn known<T: Clone + Send + Sync + 'static>(
        &self,
        cache: &Cache<Digest, Known<T>>,
        key: Digest,
        ask: impl Future<Output = Result<Known<T>, Fault>> + Send,
    ) -> Result<T, Fault> {
        if let Some(known) = cache.get(&key).await {
            if self.caller.clock.now() < known.until {
                return Ok(known.answer);
            }
            cache.invalidate(&key).await;
        }
        let known = cache.try_get_with(key, ask).await;
        known.map(|known| known.answer).map_err(|fault: Arc<Fault>| Fault::clone(&fault))
    }
}

fn cache<T: Clone + Send + Sync + 'static>() -> Cache<Digest, T> {
    Cache::builder().max_capacity(CAPACITY).time_to_live(FOR_SOMEBODY).build()
}
