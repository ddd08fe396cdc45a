//! Identifiers that count once: the `jti` of an assertion, a request object or a DPoP proof (RFC 7519 4.1.7).
//!
//! Remembered until what they stand in has expired; a party that fills its quota is refused, nothing is forgotten early
//! (CVE-2025-2559).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Group, NotInserted, Quota, Record, Table, Unavailable};
use crate::clock::Timestamp;

/// How many identifiers of one client are remembered at a time.
const MOST_OF_CLIENT: usize = 100_000;
/// The longest identifier that is taken, in bytes.
pub const LONGEST_JTI: usize = 512;

/// An identifier that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    realm: Arc<str>,
    client: Arc<str>,
    until: Timestamp,
}

/// Why an identifier does not count.
#[derive(Debug, thiserror::Error)]
pub enum NotUsed {
    #[error("jti was used before")]
    Again,
    #[error("too many identifiers of this client are remembered")]
    Full,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Record for Used {
    const KIND: &'static str = "used jti";
    /// Some 600 bytes each.
    const MOST: u64 = 1_000_000;

    fn keep_until(&self) -> Timestamp {
        self.until
    }

    fn groups(&self) -> Vec<Group> {
        vec![Group::Client(Arc::clone(&self.realm), Arc::clone(&self.client))]
    }
}

impl Table<Used> {
    /// Uses `jti` up, for one client and one kind of thing (`purpose`), until `until`.
    pub async fn use_up(
        &self,
        purpose: &'static str,
        realm: &Arc<str>,
        client: &Arc<str>,
        jti: &str,
        until: Timestamp,
    ) -> Result<(), NotUsed> {
        let key = Self::key(realm, &format!("{purpose}\0{client}\0{jti}"));
        let used = Used { realm: Arc::clone(realm), client: Arc::clone(client), until };
        let group = Group::Client(Arc::clone(realm), Arc::clone(client));
        match self.insert(key, used, &[Quota { group, most: MOST_OF_CLIENT }]).await {
            Ok(()) => Ok(()),
            Err(NotInserted::Exists) => Err(NotUsed::Again),
            Err(NotInserted::Full(_)) => Err(NotUsed::Full),
            Err(NotInserted::Unavailable(fault)) => Err(fault.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;

    #[tokio::test]
    async fn once_for_each_purpose_client_and_realm() {
        let clock = Clock::manual(Timestamp::from_seconds(1_000));
        let table = Table::in_memory(clock.clone());
        let until = clock.now().plus(Duration::from_secs(60));
        let (realm, client): (Arc<str>, Arc<str>) = ("r".into(), "c".into());
        let other: Arc<str> = "other".into();
        assert!(table.use_up("assertion", &realm, &client, "1", until).await.is_ok());
        assert!(matches!(table.use_up("assertion", &realm, &client, "1", until).await, Err(NotUsed::Again)));
        assert!(table.use_up("assertion", &realm, &client, "2", until).await.is_ok());
        assert!(table.use_up("request", &realm, &client, "1", until).await.is_ok());
        assert!(table.use_up("assertion", &realm, &other, "1", until).await.is_ok());
        assert!(table.use_up("assertion", &other, &client, "1", until).await.is_ok());
    }
}
