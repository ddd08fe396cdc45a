//! The realms as they are served now: for what is done long after its request, by a version of a feature that a reload may
//! have replaced since (I4: today's configuration).

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;

use super::{Client, Realm};

/// Today's realms, by name. Cheap to clone.
#[derive(Clone, Default)]
pub struct Served(Arc<ArcSwap<HashMap<Arc<str>, Arc<Realm>>>>);

impl Served {
    /// From now on it is these.
    pub fn replace(&self, realms: impl Iterator<Item = Arc<Realm>>) {
        self.0.store(Arc::new(realms.map(|realm| (Arc::clone(&realm.name), realm)).collect()));
    }

    /// The client as it is registered today, unless it is disabled.
    pub fn client(&self, realm: &str, client_id: &str) -> Option<Arc<Client>> {
        let realms = self.0.load();
        realms.get(realm)?.clients.get(client_id).filter(|client| client.enabled).map(Arc::clone)
    }
}
