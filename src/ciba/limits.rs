//! What is counted against guessing: wrong user codes in a row, for each client and user.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    secret::Digest,
    store::{Change, Key, Record, Table, Unavailable},
};

/// After this many wrong codes in a row the right one is refused, too ...
const MOST_FAILURES: u32 = 5;
/// ... for this long after the last of them.
const LOCKED_FOR: Duration = Duration::from_secs(15 * 60);

/// Wrong user codes of one client for one user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrongCodes {
    in_a_row: u32,
    last: Timestamp,
}

impl WrongCodes {
    fn locked(&self, now: Timestamp) -> bool {
        self.in_a_row >= MOST_FAILURES && now < self.last.plus(LOCKED_FOR)
    }
}

impl Record for WrongCodes {
    const KIND: &'static str = "wrong user codes";

    fn keep_until(&self) -> Timestamp {
        self.last.plus(LOCKED_FOR)
    }
}

/// Counts wrong user codes in a realm.
#[derive(Clone)]
pub(super) struct UserCodeLimit {
    realm: Arc<str>,
    table: Arc<Table<WrongCodes>>,
}

impl UserCodeLimit {
    pub(super) const fn new(realm: Arc<str>, table: Arc<Table<WrongCodes>>) -> Self {
        Self { realm, table }
    }

    fn key(&self, client_id: &str, user: Digest) -> Key {
        Table::<WrongCodes>::key(&self.realm, &format!("{client_id}\0{}", user.base64url()))
    }

    /// Whether a code may be tried now. Each try counts as a wrong one until [`Self::was_right`], so that many at the same
    /// time are counted, too.
    pub(super) async fn may_try(&self, client_id: &str, user: Digest, now: Timestamp) -> Result<bool, Unavailable> {
        self.table
            .change(self.key(client_id, user), |before| match before {
                Some(before) if before.locked(now) => Change::Keep(false),
                Some(before) if now < before.keep_until() => {
                    Change::Put(WrongCodes { in_a_row: before.in_a_row.saturating_add(1), last: now }, true)
                }
                _ => Change::Put(WrongCodes { in_a_row: 1, last: now }, true),
            })
            .await
    }

    /// Forgets the tries after a right code.
    pub(super) async fn was_right(&self, client_id: &str, user: Digest) -> Result<(), Unavailable> {
        self.table.change(self.key(client_id, user), |_| Change::Remove(())).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[tokio::test]
    async fn the_sixth_try_is_refused_for_a_quarter_of_an_hour() {
        let table = Arc::new(Table::in_memory(Clock::system()));
        let limit = UserCodeLimit::new("r".into(), table);
        let (user, start) = (Digest::of(b"u"), Clock::system().now());
        for _ in 0..5 {
            assert!(limit.may_try("c", user, start).await.unwrap());
        }
        assert!(!limit.may_try("c", user, start.plus(Duration::from_secs(899))).await.unwrap());
        assert!(limit.may_try("other", user, start).await.unwrap(), "another client is not locked");
        assert!(limit.may_try("c", user, start.plus(LOCKED_FOR)).await.unwrap());
    }

    #[tokio::test]
    async fn a_right_code_starts_anew() {
        let limit = UserCodeLimit::new("r".into(), Arc::new(Table::in_memory(Clock::system())));
        let (user, now) = (Digest::of(b"u"), Clock::system().now());
        for _ in 0..20 {
            assert!(limit.may_try("c", user, now).await.unwrap());
            limit.was_right("c", user).await.unwrap();
        }
    }
}
