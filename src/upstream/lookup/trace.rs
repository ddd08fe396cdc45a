//! How a hint became a user, step by step, for `realmgate lookup`. Holds the hint and what was found; no secret, no token.

use std::time::Duration;

use super::{Fault, Found};
use crate::clock::{Clock, Timestamp};

/// All steps and what they led to.
#[derive(Debug)]
pub struct Trace {
    pub steps: Vec<Step>,
    pub outcome: Result<Found, Fault>,
    pub took: Duration,
}

#[derive(Debug)]
pub struct Step {
    /// The lookup's `kind`.
    pub lookup: &'static str,
    /// What was done and what came of it. May hold what a provider sent; no secret.
    pub text: String,
    /// Since the step before it.
    pub took: Duration,
}

/// Takes the steps down where somebody wants to see them.
pub(super) struct Steps(Option<Kept>);

struct Kept {
    clock: Clock,
    started: Timestamp,
    last: Timestamp,
    lookup: &'static str,
    steps: Vec<Step>,
}

impl Steps {
    pub(super) const fn none() -> Self {
        Self(None)
    }

    pub(super) fn kept(clock: Clock) -> Self {
        let now = clock.now();
        Self(Some(Kept { clock, started: now, last: now, lookup: "", steps: Vec::new() }))
    }

    /// The steps that follow are those of this kind of lookup.
    pub(super) fn begin(&mut self, lookup: &'static str) {
        if let Some(kept) = &mut self.0 {
            kept.lookup = lookup;
        }
    }

    pub(super) fn say(&mut self, text: impl FnOnce() -> String) {
        if let Some(kept) = &mut self.0 {
            let now = kept.clock.now();
            kept.steps.push(Step { lookup: kept.lookup, text: text(), took: now.since(kept.last) });
            kept.last = now;
        }
    }

    pub(super) fn end(self, outcome: Result<Found, Fault>) -> Trace {
        match self.0 {
            None => Trace { steps: Vec::new(), outcome, took: Duration::ZERO },
            Some(kept) => Trace { took: kept.clock.now().since(kept.started), steps: kept.steps, outcome },
        }
    }
}
