//! Guesses of secrets, counted: after 20 wrong ones in a minute of one client from one address, no more is compared until
//! that minute is over (T-E3).
//!
//! - Counted for the address, so that nobody locks a client out from elsewhere. An IPv6 address stands for its /64, which
//!   one party has whole.
//! - A right secret does not set the count back: it may come from another behind the same address.
//! - Unknown clients are counted alike, or the answer would tell which exist. Their number is bounded; with no room left
//!   nothing more is counted, since a guess is hopeless all the same and a stranger must not shut everybody out.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    oauth::{Code, Error},
    peer::Peer,
    store::{Change, Key, Record, Table, Unavailable},
};

const MOST_FAILURES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(60);

/// The failures of one client from one address, since the first of a minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedAttempts {
    count: u32,
    since: Timestamp,
}

impl Record for FailedAttempts {
    const KIND: &'static str = "failed client authentication";
    const MOST: u64 = 100_000;

    fn keep_until(&self) -> Timestamp {
        self.since.plus(WINDOW)
    }
}

/// Counts in one realm.
pub(super) struct Attempts {
    realm: Arc<str>,
    table: Arc<Table<FailedAttempts>>,
}

/// One attempt; of an address that is not known (in tests) nothing is counted.
pub(super) struct Attempt<'a> {
    table: &'a Table<FailedAttempts>,
    key: Option<Key>,
}

impl Attempts {
    pub(super) const fn new(realm: Arc<str>, table: Arc<Table<FailedAttempts>>) -> Self {
        Self { realm, table }
    }

    pub(super) fn of(&self, client_id: &str, peer: Option<&Peer>) -> Attempt<'_> {
        let address = peer.and_then(|peer| peer.address);
        let identifier = |address| format!("{}\0{client_id}", party(address));
        let key = address.map(|address| Table::<FailedAttempts>::key(&self.realm, &identifier(address)));
        Attempt { table: &self.table, key }
    }
}

impl Attempt<'_> {
    /// # Errors
    /// 429 with `Retry-After` while there were too many failures.
    pub(super) async fn is_allowed(&self, now: Timestamp) -> Result<(), Error> {
        let Some(key) = self.key else { return Ok(()) };
        let failed = self.table.get(key).await.map_err(unavailable)?;
        match failed.filter(|failed| failed.count >= MOST_FAILURES && now < failed.keep_until()) {
            None => Ok(()),
            Some(failed) => {
                let left = failed.keep_until().since(now).as_millis().div_ceil(1000);
                let error = Error::new(Code::TemporarilyUnavailable, "Client authentication failed too often");
                let error = error.because("wrong secrets of this client from this address");
                Err(error.with_status(429).retry_after(u64::try_from(left).unwrap_or(60)))
            }
        }
    }

    pub(super) async fn failed(&self, now: Timestamp) -> Result<(), Error> {
        let Some(key) = self.key.filter(|_| self.table.has_room()) else { return Ok(()) };
        let one_more = |before: Option<&FailedAttempts>| match before {
            Some(before) if now < before.keep_until() => {
                FailedAttempts { count: before.count.saturating_add(1), since: before.since }
            }
            _ => FailedAttempts { count: 1, since: now },
        };
        self.table.change(key, |before| Change::Put(one_more(before), ())).await.map_err(unavailable)
    }
}

fn unavailable(fault: Unavailable) -> Error {
    Error::unavailable(fault.to_string())
}

/// Who has this address.
fn party(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn table_of_parties() {
        let table = [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ];
        for (one, other, expected) in table {
            assert_eq!(party(one.parse().unwrap()) == party(other.parse().unwrap()), expected, "{one} {other}");
        }
    }

    #[tokio::test]
    async fn the_twenty_first_attempt_of_a_minute_is_refused() {
        let start = Timestamp::from_seconds(1_000);
        let attempts = Attempts::new("r".into(), Arc::new(Table::in_memory(Clock::manual(start))));
        let from = |address: &str| Peer { address: Some(address.parse().unwrap()), certificate: None };
        let (here, elsewhere) = (from("192.0.2.1"), from("192.0.2.2"));
        let at = |seconds| start.plus(Duration::from_secs(seconds));
        for seconds in 0..20 {
            let attempt = attempts.of("c", Some(&here));
            assert!(attempt.is_allowed(at(seconds)).await.is_ok(), "{seconds}");
            attempt.failed(at(seconds)).await.unwrap();
        }
        let refused = attempts.of("c", Some(&here)).is_allowed(at(20)).await.unwrap_err();
        assert_eq!((refused.status(), refused.retry_after_seconds()), (429, Some(40)));
        assert!(attempts.of("c", Some(&elsewhere)).is_allowed(at(20)).await.is_ok());
        assert!(attempts.of("other", Some(&here)).is_allowed(at(20)).await.is_ok());
        assert!(attempts.of("c", None).is_allowed(at(20)).await.is_ok());
        let last = attempts.of("c", Some(&here)).is_allowed(at(59)).await.unwrap_err();
        assert_eq!(last.retry_after_seconds(), Some(1));
        assert!(attempts.of("c", Some(&here)).is_allowed(at(60)).await.is_ok());
    }
}
