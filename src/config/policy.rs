//! `[ciba]`, `[limits]`, `[tokens]` and `[[keys]]`, with their defaults and bounds.

use std::{sync::Arc, time::Duration};

use super::{fault::Problem, table::Table, text};
use crate::{
    keys::{Algorithm, KeySource, SigningKey},
    realm::{CibaPolicy, Limits, Profile, TokenPolicy},
};

/// The longest life of an authentication request, in seconds.
const DAY: u64 = 24 * 60 * 60;
const YEAR: u64 = 366 * DAY;

fn seconds(table: Option<&Table<'_>>, key: &'static str, least: u64, most: u64, default: u64) -> Duration {
    let number = table.and_then(|table| table.number(key, least..=most, "seconds"));
    Duration::from_secs(number.unwrap_or(default))
}

pub(super) fn ciba(table: Option<Table<'_>>) -> CibaPolicy {
    let policy = CibaPolicy {
        expires_in: seconds(table.as_ref(), "expires_in", 1, DAY, 120),
        interval: seconds(table.as_ref(), "interval", 0, 60, 5),
        min_requested_expiry: seconds(table.as_ref(), "min_requested_expiry", 1, DAY, 10),
        max_requested_expiry: seconds(table.as_ref(), "max_requested_expiry", 1, DAY, 600),
        long_poll: seconds(table.as_ref(), "long_poll", 0, 30, 0),
    };
    let Some(table) = table else { return policy };
    if policy.min_requested_expiry > policy.max_requested_expiry {
        let cause = "it is above `max_requested_expiry`, whose default is 600";
        table.fault("min_requested_expiry", Problem::new(cause, "lower it, or raise `max_requested_expiry`"));
    }
    table.choice("unknown_user", &[("error", ())], &["decoy"]);
    table.choice("user_code", &[("static", ())], &["upstream-password"]);
    table.finish();
    policy
}

pub(super) fn limits(table: Option<Table<'_>>) -> Limits {
    let number = |key, default: usize| {
        let number = table.as_ref().and_then(|table| table.number(key, 1..=10_000_000, "requests"));
        number.and_then(|number| usize::try_from(number).ok()).unwrap_or(default)
    };
    let limits = Limits {
        pending: number("pending", 100_000),
        pending_per_client: number("pending_per_client", 10_000),
        pending_per_user: number("pending_per_user", 10),
    };
    if let Some(table) = table {
        table.finish();
    }
    limits
}

/// `available` are the algorithms that `[[keys]]` holds keys for; nothing where all keys are generated.
pub(super) fn tokens(root: &Table<'_>, profile: Profile, available: Option<&[Algorithm]>) -> TokenPolicy {
    let table = root.table("tokens");
    let allowed = profile.restrictions().token_algorithms;
    let signing_alg = table.as_ref().and_then(|table| table.parsed("signing_alg", text::algorithm));
    let policy = TokenPolicy {
        access_token_lifespan: seconds(table.as_ref(), "access_token_lifespan", 1, DAY, 300),
        refresh_token_lifespan: seconds(table.as_ref(), "refresh_token_lifespan", 1, YEAR, 1800),
        signing_alg: signing_alg.unwrap_or(allowed[0]),
    };
    if let (Some(table), false) = (&table, allowed.contains(&policy.signing_alg)) {
        let cause = "tokens must not be signed with this algorithm (profile `fapi-ciba`)";
        table.fault("signing_alg", Problem::new(cause, "write `PS256` or `ES256`"));
    }
    if let Err(problem) = has_key(available, policy.signing_alg) {
        // the default has no place in the file: the section's keys are what is missing
        match &table {
            Some(table) => table.fault("signing_alg", problem),
            None => root.fault("keys", problem),
        }
    }
    if let Some(table) = table {
        table.finish();
    }
    policy
}

pub(super) fn has_key(available: Option<&[Algorithm]>, algorithm: Algorithm) -> Result<(), Problem> {
    if available.is_none_or(|available| available.contains(&algorithm)) {
        return Ok(());
    }
    let cause = format!("tokens are to be signed with {algorithm}, and [[keys]] holds no key for it");
    Err(Problem::new(cause, format!("add [[keys]] with alg = \"{algorithm}\", or choose another algorithm")))
}

/// The realm's own keys; nothing where one of them is faulty.
pub(super) fn keys(root: &Table<'_>) -> Option<Vec<KeySource>> {
    let mut keys: Vec<KeySource> = Vec::new();
    let mut all = true;
    for table in root.tables("keys") {
        match key(table, &keys) {
            Some(key) => keys.push(key),
            None => all = false,
        }
    }
    all.then_some(keys)
}

fn key(table: Table<'_>, others: &[KeySource]) -> Option<KeySource> {
    table.require(&["alg", "private_key"]);
    let (alg, pem) = (table.parsed("alg", text::algorithm), table.secret("private_key"));
    let key = SigningKey::from_pem(alg?, &pem?);
    let key = key.map_err(|fault| Problem::new(fault.to_string(), "write { file = \"path\" } of a key for this `alg`"));
    let key = key.and_then(|key| {
        let twice = others.iter().any(|other| other.kid() == key.kid());
        let problem = || Problem::new("the same key is listed before", "use a key of its own for each algorithm");
        if twice { Err(problem()) } else { Ok(Arc::new(key)) }
    });
    let key = key.map_err(|problem| table.fault("private_key", problem)).ok();
    table.finish();
    key
}
