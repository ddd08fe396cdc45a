//! The memory engine: moka holds the records, an index beside it counts admissions.
//!
//! moka's own capacity is never set: it drops live entries. Its time-to-live is garbage collection only, and lazy, so counts
//! fall when [`Memory::tidy`] runs: once a second, and once more before a group is called full.

use std::{
    collections::{HashMap, hash_map::Entry as MapEntry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use moka::{Expiry, notification::RemovalCause, ops::compute::Op, sync::Cache};
use tokio::sync::watch;

use super::{Change, Group, Key, NotInserted, Quota, Record, Unavailable};
use crate::clock::Clock;

pub(super) struct Memory<V: Record> {
    cache: Cache<Key, Arc<Kept<V>>>,
    index: Arc<Mutex<Index>>,
    watchers: Mutex<HashMap<Key, watch::Sender<()>>>,
}

/// A record with what the index knows of it.
struct Kept<V> {
    value: V,
    aliases: Arc<[Key]>,
    groups: Vec<Group>,
}

#[derive(Default)]
struct Index {
    aliases: HashMap<Key, Key>,
    groups: HashMap<Group, Members>,
}

#[derive(Default)]
struct Members {
    count: usize,
    /// Of a user's group alone; a handful.
    keys: Vec<Key>,
}

impl Index {
    fn join(&mut self, key: Key, groups: &[Group]) {
        for group in groups {
            let members = self.groups.entry(group.clone()).or_default();
            members.count += 1;
            if matches!(group, Group::User(..)) {
                members.keys.push(key);
            }
        }
    }

    fn leave(&mut self, key: Key, groups: &[Group]) {
        for group in groups {
            if let MapEntry::Occupied(mut entry) = self.groups.entry(group.clone()) {
                let members = entry.get_mut();
                members.count = members.count.saturating_sub(1);
                members.keys.retain(|other| *other != key);
                if members.count == 0 {
                    entry.remove();
                }
            }
        }
    }

    fn forget<V>(&mut self, key: Key, kept: &Kept<V>) {
        self.leave(key, &kept.groups);
        for alias in &*kept.aliases {
            if self.aliases.get(alias) == Some(&key) {
                self.aliases.remove(alias);
            }
        }
    }

    fn full(&self, quotas: &[Quota]) -> Option<Group> {
        quotas
            .iter()
            .find(|quota| self.groups.get(&quota.group).map_or(0, |members| members.count) >= quota.most)
            .map(|quota| quota.group.clone())
    }
}

/// How long moka keeps an entry; our clock may be a test's, moka's is the machine's.
struct Life(Clock);

impl Life {
    fn of<V: Record>(&self, kept: &Kept<V>) -> Duration {
        kept.value.keep_until().since(self.0.now()) + Duration::from_secs(1)
    }
}

impl<V: Record> Expiry<Key, Arc<Kept<V>>> for Life {
    fn expire_after_create(&self, _: &Key, kept: &Arc<Kept<V>>, _: Instant) -> Option<Duration> {
        Some(self.of(kept))
    }

    fn expire_after_update(&self, _: &Key, kept: &Arc<Kept<V>>, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(self.of(kept))
    }
}

impl<V: Record> Memory<V> {
    pub(super) fn new(clock: Clock) -> Self {
        let index = Arc::<Mutex<Index>>::default();
        let of_listener = Arc::clone(&index);
        let cache = Cache::builder()
            .expire_after(Life(clock))
            .eviction_listener(move |key: Arc<Key>, kept: Arc<Kept<V>>, cause| {
                // removals and replacements of ours have told the index already
                if cause == RemovalCause::Expired {
                    lock(&of_listener).forget(*key, &kept);
                }
            })
            .build();
        Self { cache, index, watchers: Mutex::default() }
    }

    pub(super) fn insert(&self, key: Key, value: V, quotas: &[Quota]) -> Result<(), NotInserted> {
        if !self.has_room() {
            return Err(NotInserted::Full(Group::All));
        }
        let kept = Arc::new(Kept { aliases: value.aliases().into(), groups: value.groups(), value });
        if lock(&self.index).full(quotas).is_some() {
            self.tidy();
        }
        {
            let mut index = lock(&self.index);
            if let Some(group) = index.full(quotas) {
                return Err(NotInserted::Full(group));
            }
            if kept.aliases.iter().any(|alias| index.aliases.contains_key(alias)) {
                return Err(NotInserted::Exists);
            }
            index.join(key, &kept.groups);
            index.aliases.extend(kept.aliases.iter().map(|alias| (*alias, key)));
        }
        let mut exists = false;
        self.cache.entry(key).and_compute_with(|entry| {
            exists = entry.is_some();
            if exists { Op::Nop } else { Op::Put(Arc::clone(&kept)) }
        });
        if exists {
            lock(&self.index).forget(key, &kept);
            return Err(NotInserted::Exists);
        }
        Ok(())
    }

    /// By moka's own count, which is right to within what a second brings.
    pub(super) fn has_room(&self) -> bool {
        self.cache.entry_count() < V::MOST
    }

    pub(super) fn get(&self, key: Key) -> Option<V> {
        self.cache.get(&key).map(|kept| kept.value.clone())
    }

    pub(super) fn find(&self, alias: Key) -> Option<(Key, V)> {
        let key = lock(&self.index).aliases.get(&alias).copied()?;
        Some((key, self.get(key)?))
    }

    pub(super) fn list(&self, group: &Group, most: usize) -> Vec<(Key, V)> {
        let keys: Vec<Key> = lock(&self.index)
            .groups
            .get(group)
            .map(|members| members.keys.iter().take(most).copied().collect())
            .unwrap_or_default();
        keys.into_iter().filter_map(|key| Some((key, self.get(key)?))).collect()
    }

    pub(super) fn count(&self, group: &Group) -> usize {
        lock(&self.index).groups.get(group).map_or(0, |members| members.count)
    }

    pub(super) fn change<T>(&self, key: Key, decide: impl Fn(Option<&V>) -> Change<V, T>) -> Result<T, Unavailable> {
        let mut outcome = None;
        let mut changed = false;
        self.cache.entry(key).and_compute_with(|entry| {
            let before = entry.as_ref().map(|entry| entry.value());
            let (op, result) = match decide(before.map(|kept| &kept.value)) {
                Change::Keep(result) => (Op::Nop, result),
                Change::Remove(result) => {
                    if let Some(kept) = before {
                        lock(&self.index).forget(key, kept);
                    }
                    changed = before.is_some();
                    (if changed { Op::Remove } else { Op::Nop }, result)
                }
                Change::Put(value, result) => {
                    changed = true;
                    (Op::Put(self.replace(key, before, value)), result)
                }
            };
            outcome = Some(result);
            op
        });
        if changed && let Some(watcher) = lock(&self.watchers).get(&key) {
            watcher.send_replace(());
        }
        outcome.ok_or_else(|| Unavailable("the change did not run".into()))
    }

    /// The entry that follows `before`, with the index brought up to date. Aliases stay as they were inserted.
    fn replace(&self, key: Key, before: Option<&Arc<Kept<V>>>, value: V) -> Arc<Kept<V>> {
        let groups = value.groups();
        match before {
            Some(before) => {
                if groups != before.groups {
                    let mut index = lock(&self.index);
                    index.leave(key, &before.groups);
                    index.join(key, &groups);
                }
                Arc::new(Kept { value, aliases: Arc::clone(&before.aliases), groups })
            }
            None => {
                let aliases: Arc<[Key]> = value.aliases().into();
                let mut index = lock(&self.index);
                index.join(key, &groups);
                index.aliases.extend(aliases.iter().map(|alias| (*alias, key)));
                Arc::new(Kept { value, aliases, groups })
            }
        }
    }

    pub(super) fn watch(&self, key: Key) -> watch::Receiver<()> {
        lock(&self.watchers).entry(key).or_insert_with(|| watch::Sender::new(())).subscribe()
    }

    pub(super) fn tidy(&self) {
        self.cache.run_pending_tasks();
        lock(&self.watchers).retain(|_, watcher| watcher.receiver_count() > 0);
    }
}

/// A panic while the index was held cannot leave it half-changed in a way that admits more than it counts.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
