//! Records that live for minutes: one [`Table`] per kind over an engine. The memory engine is first; an engine over a
//! network is a second variant with the same tests (`conformance`).
//!
//! Keys are digests (I1, I13): `SHA-256(kind, realm, identifier)`; no identifier can be read from a table. Life is judged by
//! a record's state and `now`; [`Record::keep_until`] is for garbage collection alone. A full group refuses new records and
//! never drops one (I12).

#[cfg(test)]
mod conformance;
mod memory;
mod used;

use std::sync::Arc;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use used::{LONGEST_JTI, NotUsed, Used};

use crate::{
    clock::{Clock, Timestamp},
    secret::Digest,
};

/// Something that a table keeps.
pub trait Record: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Part of every key: a record of one kind cannot be found as another.
    const KIND: &'static str;

    /// At most this many records of the kind in the process, whatever groups they are in: what is decided or redeemed counts
    /// in no quota and still takes room.
    const MOST: u64 = 4_000_000;

    /// When the record may be forgotten.
    fn keep_until(&self) -> Timestamp;

    /// Other keys under which the record is found; unique, and fixed when it is inserted.
    fn aliases(&self) -> Vec<Key> {
        Vec::new()
    }

    /// The groups that the record counts in now.
    fn groups(&self) -> Vec<Group> {
        Vec::new()
    }
}

/// Where a record stands: a digest of kind, realm and identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key(Digest);

impl Key {
    pub fn new(kind: &str, realm: &str, identifier: &str) -> Self {
        Self(Digest::of_parts(&[kind.as_bytes(), b"\0", realm.as_bytes(), b"\0", identifier.as_bytes()]))
    }
}

impl Key {
    /// A name for the record that is no secret: the key cannot be found from it.
    pub fn label(&self) -> String {
        Digest::of(self.0.bytes()).base64url()
    }
}

/// What records are counted by. Those of a [`Group::User`] can be listed, too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// All records of the kind.
    All,
    Realm(Arc<str>),
    /// realm, client
    Client(Arc<str>, Arc<str>),
    /// realm, user
    User(Arc<str>, Digest),
}

/// At most this many records in the group.
#[derive(Clone, Debug)]
pub struct Quota {
    pub group: Group,
    pub most: usize,
}

/// The engine does not answer; nothing is known of the record (I10).
#[derive(Debug, thiserror::Error)]
#[error("the store is not available: {0}")]
pub struct Unavailable(pub String);

/// Why a record was not inserted.
#[derive(Debug, thiserror::Error)]
pub enum NotInserted {
    #[error("the key or an alias is taken")]
    Exists,
    #[error("{0:?} is full")]
    Full(Group),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What a closure given to [`Table::change`] decides.
#[derive(Debug)]
pub enum Change<V, T> {
    Keep(T),
    Put(V, T),
    Remove(T),
}

/// Wakes when a record changes. Subscribe first, then read: so no wake-up is lost.
pub struct Watch(tokio::sync::watch::Receiver<()>);

impl Watch {
    /// Returns after the next change since [`Table::watch`] or the last return.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// All records of one kind.
pub struct Table<V: Record>(Engine<V>);

enum Engine<V: Record> {
    Memory(memory::Memory<V>),
}

impl<V: Record> Table<V> {
    /// A table in the process's memory: a restart forgets it.
    pub fn in_memory(clock: Clock) -> Self {
        Self(Engine::Memory(memory::Memory::new(clock)))
    }

    /// The key of a record of this kind.
    pub fn key(realm: &str, identifier: &str) -> Key {
        Key::new(V::KIND, realm, identifier)
    }

    /// Puts a new record in, if the key and all aliases are free and every quota's group has room: all or nothing.
    pub async fn insert(&self, key: Key, value: V, quotas: &[Quota]) -> Result<(), NotInserted> {
        match &self.0 {
            Engine::Memory(memory) => memory.insert(key, value, quotas),
        }
    }

    pub async fn get(&self, key: Key) -> Result<Option<V>, Unavailable> {
        match &self.0 {
            Engine::Memory(memory) => Ok(memory.get(key)),
        }
    }

    /// The record that has this alias, with its key.
    pub async fn find(&self, alias: Key) -> Result<Option<(Key, V)>, Unavailable> {
        match &self.0 {
            Engine::Memory(memory) => Ok(memory.find(alias)),
        }
    }

    /// The records of a user, in no order; at most `most`.
    pub async fn list(&self, group: &Group, most: usize) -> Result<Vec<(Key, V)>, Unavailable> {
        match &self.0 {
            Engine::Memory(memory) => Ok(memory.list(group, most)),
        }
    }

    /// How many records the group has now.
    pub async fn count(&self, group: &Group) -> Result<usize, Unavailable> {
        match &self.0 {
            Engine::Memory(memory) => Ok(memory.count(group)),
        }
    }

    /// Decides and changes in one step: nobody changes the record between what `decide` sees and what it leaves. `decide`
    /// may run more than once and must have no effect of its own. It sees `None` where there is no record, and may then put
    /// one in (without quotas).
    pub async fn change<T>(
        &self,
        key: Key,
        decide: impl Fn(Option<&V>) -> Change<V, T> + Send + Sync,
    ) -> Result<T, Unavailable> {
        match &self.0 {
            Engine::Memory(memory) => memory.change(key, decide),
        }
    }

    /// Whether one more record of the kind would be taken now.
    pub fn has_room(&self) -> bool {
        match &self.0 {
            Engine::Memory(memory) => memory.has_room(),
        }
    }

    pub fn watch(&self, key: Key) -> Watch {
        match &self.0 {
            Engine::Memory(memory) => Watch(memory.watch(key)),
        }
    }

    /// Forgets what is past its time; to be called once a second.
    pub fn tidy(&self) {
        match &self.0 {
            Engine::Memory(memory) => memory.tidy(),
        }
    }
}
