//! Keys that another party publishes at an address (`jwks_uri`), fetched when first needed and kept.
//!
//! - They are fetched again after 10 minutes; a fetch that fails never drops the last good copy, which serves for up to
//!   24 hours. After a failure there is none for 5 seconds.
//! - A token with an unknown key has them fetched once more, at most once in 30 seconds, whatever comes of it (T-H7).
//! - One fetch at a time for each address; whoever else needs the keys waits for it.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use moka::sync::Cache;
use tokio::sync::Mutex;
use url::Url;

use super::{Claims, ForeignKeys, Jws, NotVerified};
use crate::{
    clock::{Clock, Timestamp},
    http::{Http, Limit},
};

const FRESH: Duration = Duration::from_secs(10 * 60);
const MAX_STALE: Duration = Duration::from_secs(24 * 60 * 60);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);
const PAUSE_BETWEEN_FETCHES: Duration = Duration::from_secs(30);
/// Addresses are configuration, so this many are never reached by requests.
const MOST_ADDRESSES: u64 = 10_000;

/// Where a party's public keys are.
#[derive(Clone, Debug)]
pub enum PublicKeys {
    /// `jwks`, `jwks_file`
    Listed(Arc<ForeignKeys>),
    /// `jwks_uri`
    At(Url),
}

/// The key sets that were fetched. One for the process; cheap to clone.
#[derive(Clone)]
pub struct RemoteKeys {
    http: Http,
    clock: Clock,
    sources: Cache<Url, Arc<Source>>,
}

#[derive(Default)]
struct Source {
    kept: ArcSwapOption<Kept>,
    attempts: Mutex<Attempts>,
}

struct Kept {
    keys: Arc<ForeignKeys>,
    fetched: Timestamp,
}

#[derive(Default)]
struct Attempts {
    failed: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl RemoteKeys {
    pub fn new(http: Http, clock: Clock) -> Self {
        Self { http, clock, sources: Cache::new(MOST_ADDRESSES) }
    }

    /// The claims of a JWS that one of the party's keys signed.
    pub async fn verify(&self, keys: &PublicKeys, jws: &Jws<'_>) -> Result<Claims, NotVerified> {
        let url = match keys {
            PublicKeys::Listed(keys) => return keys.verify_jws(jws),
            PublicKeys::At(url) => url,
        };
        let source = self.source(url);
        let known = self.current(&source, url).await?;
        let verified = known.verify_jws(jws);
        // a new key may have been published since; one that has the header's name has been tried
        if verified.is_err()
            && (jws.kid().is_none() || !known.has_key_for(jws))
            && let Some(newer) = self.newer(&source, url, &known).await
        {
            return newer.verify_jws(jws);
        }
        verified
    }

    /// Whether one of the party's keys has this RFC 7638 thumbprint (SHA-256, base64url).
    pub async fn has_key(&self, keys: &PublicKeys, thumbprint: &str) -> Result<bool, NotVerified> {
        let url = match keys {
            PublicKeys::Listed(keys) => return Ok(keys.has(thumbprint)),
            PublicKeys::At(url) => url,
        };
        let source = self.source(url);
        let known = self.current(&source, url).await?;
        if known.has(thumbprint) {
            return Ok(true);
        }
        // a new key may have been published since
        Ok(self.newer(&source, url, &known).await.is_some_and(|newer| newer.has(thumbprint)))
    }

    fn source(&self, url: &Url) -> Arc<Source> {
        self.sources.get_with_by_ref(url, Arc::default)
    }

    async fn current(&self, source: &Source, url: &Url) -> Result<Arc<ForeignKeys>, NotVerified> {
        if let Some(keys) = source.kept_for(FRESH, self.clock.now()) {
            return Ok(keys);
        }
        let mut attempts = source.attempts.lock().await;
        let now = self.clock.now();
        if let Some(keys) = source.kept_for(FRESH, now) {
            return Ok(keys); // somebody else has fetched them meanwhile
        }
        let paused = attempts.failed.is_some_and(|at| now.since(at) < PAUSE_AFTER_FAILURE);
        if !paused && let Some(keys) = self.fetch(source, &mut attempts, url, now).await {
            return Ok(keys);
        }
        source.kept_for(MAX_STALE, now).ok_or(NotVerified("the keys at jwks_uri cannot be had"))
    }

    /// Newer keys than those that were `tried`: nothing where the party has just been asked.
    async fn newer(&self, source: &Source, url: &Url, tried: &Arc<ForeignKeys>) -> Option<Arc<ForeignKeys>> {
        let mut attempts = source.attempts.lock().await;
        let now = self.clock.now();
        if let Some(keys) = source.kept_for(FRESH, now).filter(|keys| !Arc::ptr_eq(keys, tried)) {
            return Some(keys);
        }
        if attempts.last.is_some_and(|at| now.since(at) < PAUSE_BETWEEN_FETCHES) {
            return None;
        }
        self.fetch(source, &mut attempts, url, now).await
    }

    async fn fetch(
        &self,
        source: &Source,
        attempts: &mut Attempts,
        url: &Url,
        now: Timestamp,
    ) -> Option<Arc<ForeignKeys>> {
        attempts.last = Some(now);
        let answer = self.http.send_to_registered(self.http.get(url.clone()), Limit::API).await;
        let keys = answer.ok().filter(|answer| answer.status.is_success());
        let keys = keys.and_then(|answer| ForeignKeys::parse(&answer.body).ok()).filter(|keys| !keys.is_empty());
        attempts.failed = keys.is_none().then_some(now);
        let keys = Arc::new(keys?);
        source.kept.store(Some(Arc::new(Kept { keys: Arc::clone(&keys), fetched: now })));
        Some(keys)
    }
}

impl Source {
    fn kept_for(&self, age: Duration, now: Timestamp) -> Option<Arc<ForeignKeys>> {
        let kept = self.kept.load_full()?;
        (now.since(kept.fetched) < age).then(|| Arc::clone(&kept.keys))
    }
}
