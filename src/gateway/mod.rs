//! One [`LiveRealm`] of feature structs for each realm, all behind one swap, so that a reload is one swap. Tables, sessions,
//! held polls and the outbox belong to the process and survive it.

mod live;
mod tables;

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;

pub use self::{
    live::{LiveRealm, NotBuilt},
    tables::Tables,
};
use crate::{
    ciba::HeldPolls,
    clock::Clock,
    event::Events,
    http::Http,
    jose::RemoteKeys,
    keys::folder::StateFolder,
    outbox::Outbox,
    random::Random,
    realm::{Realm, Served},
    secret::Sealer,
    store::Group,
};

/// What all realms share.
pub struct Parts {
    pub http: Http,
    /// The key sets that clients and issuers of hints publish.
    pub remote_keys: RemoteKeys,
    pub events: Events,
    pub clock: Clock,
    pub random: Random,
    pub outbox: Outbox,
    pub state: StateFolder,
    pub sealing_key: [u8; 32],
    pub sealer: Arc<Sealer>,
    pub tables: Tables,
}

type Realms = HashMap<Arc<str>, Arc<LiveRealm>>;

/// The running gateway.
pub struct Gateway {
    parts: Parts,
    held: Arc<HeldPolls>,
    served: Served,
    realms: ArcSwap<Realms>,
}

impl Gateway {
    pub fn new(parts: Parts) -> Self {
        Self { parts, held: HeldPolls::new(), served: Served::default(), realms: ArcSwap::default() }
    }

    pub const fn parts(&self) -> &Parts {
        &self.parts
    }

    pub fn realm(&self, name: &str) -> Option<Arc<LiveRealm>> {
        self.realms.load().get(name).map(Arc::clone)
    }

    pub fn realms(&self) -> Vec<Arc<LiveRealm>> {
        self.realms.load().values().map(Arc::clone).collect()
    }

    /// Serves these realms from now on. `faulty` realms keep the version that runs (I14); any other that is not named is
    /// not served any more. Blocking: keys may have to be generated.
    pub fn serve(&self, realms: Vec<Arc<Realm>>, faulty: &[String]) -> Vec<NotBuilt> {
        let running = self.realms.load();
        let mut next = Realms::new();
        let mut not_built = Vec::new();
        let built: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                realms.into_iter().map(|realm| scope.spawn(|| LiveRealm::build(realm, self))).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        for built in built {
            match built {
                Ok(live) => {
                    next.insert(Arc::clone(&live.realm.name), Arc::new(live));
                }
                Err(fault) => {
                    if let Some(live) = running.get(&fault.realm) {
                        next.insert(Arc::clone(&fault.realm), Arc::clone(live));
                    }
                    not_built.push(fault);
                }
            }
        }
        for name in faulty {
            if let Some((name, live)) = running.get_key_value(name.as_str()) {
                next.insert(Arc::clone(name), Arc::clone(live));
            }
        }
        self.served.replace(next.values().map(|live| Arc::clone(&live.realm)));
        self.realms.store(Arc::new(next));
        not_built
    }

    /// The gateway is about to stop: polls that are held are answered, and none is held any more.
    pub fn stop(&self) {
        self.held.stop();
    }

    /// How many polls are held now.
    pub fn held_polls(&self) -> usize {
        self.held.count()
    }

    /// The undecided requests of each realm now.
    pub async fn pending(&self) -> Vec<(Arc<str>, usize)> {
        let mut pending = Vec::new();
        for live in self.realms() {
            let name = &live.realm.name;
            if let Ok(count) = self.parts.tables.grants.count(&Group::Realm(Arc::clone(name))).await {
                pending.push((Arc::clone(name), count));
            }
        }
        pending.sort();
        pending
    }
}
