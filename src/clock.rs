//! Time, passed in. A [`Timestamp`] is milliseconds since the Unix epoch; a [`Clock`] says what time it is.
//! Endpoint functions read the clock once and hand `now` down; nothing below them asks for the time.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// An instant, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// From a JWT `NumericDate` (whole seconds).
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    pub const fn millis(self) -> u64 {
        self.0
    }

    /// As a JWT `NumericDate` (whole seconds, rounded down).
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// As RFC 3339 in UTC with whole seconds, such as `2026-11-24T14:32:00Z`.
    pub fn rfc3339(self) -> String {
        self.utc().map(|t| t.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
    }

    /// For people: the time of day in UTC, such as `14:32`.
    pub fn time_of_day(self) -> String {
        self.utc().map(|t| t.format("%H:%M").to_string()).unwrap_or_default()
    }

    fn utc(self) -> Option<DateTime<Utc>> {
        i64::try_from(self.0).ok().and_then(DateTime::from_timestamp_millis)
    }
}

/// Says what time it is. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Manual(Arc<watch::Sender<u64>>),
}

impl Clock {
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock for tests: it stands still until [`Clock::advance`] moves it.
    pub fn manual(now: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(watch::Sender::new(now.0))))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that asks the operating system for the time")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
            }
            Source::Manual(now) => Timestamp(*now.borrow()),
        }
    }

    /// Moves a manual clock forward; does nothing to the system's.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(now) = &self.0 {
            now.send_modify(|now| *now = Timestamp(*now).plus(by).0);
        }
    }

    /// Returns as soon as it is `then` or later: at once where that is so already.
    pub async fn sleep_until(&self, then: Timestamp) {
        match &self.0 {
            Source::System => loop {
                // Asked again after the sleep: the system's time may have been set meanwhile.
                let left = then.since(self.now());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left).await;
            },
            Source::Manual(now) => {
                let _ = now.subscribe().wait_for(|now| *now >= then.0).await; // the sender is ours and lives
            }
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleeping_ends_when_the_time_has_come() {
        let clock = Clock::system();
        let then = clock.now().plus(Duration::from_millis(5));
        clock.sleep_until(then).await;
        assert!(clock.now() >= then);

        let clock = Clock::manual(Timestamp::from_seconds(1));
        clock.sleep_until(Timestamp::from_seconds(1)).await;
        let other = clock.clone();
        let sleeping = tokio::spawn(async move { other.sleep_until(Timestamp::from_seconds(2)).await });
        clock.advance(Duration::from_secs(1));
        sleeping.await.unwrap();
    }
}
