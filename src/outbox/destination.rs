//! Where deliveries go (host and port): who has a place, and whose turn it is.
//!
//! A destination whose last attempt was answered gets several deliveries at once. One that is new or was silent gets one at
//! a time, and its turns are taken from others than those of destinations that answer: so any number of dead destinations
//! delay each other alone, each found out by one delivery. One that was silent may have fewer deliveries waiting, too.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Semaphore, SemaphorePermit, watch};
use url::Url;

/// How many deliveries may be taken and not yet ended, and how many may be sent at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub taken: usize,
    pub taken_per_destination: usize,
    /// The same for a destination that does not answer.
    pub taken_per_silent_destination: usize,
    /// To destinations that answer.
    pub sending: usize,
    pub sending_per_destination: usize,
    /// To those that are new or do not answer, one for each of them.
    pub trying: usize,
    /// Things to be done later.
    pub jobs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            taken: 20_000,
            taken_per_destination: 2_500,
            taken_per_silent_destination: 250,
            sending: 64,
            sending_per_destination: 8,
            trying: 128,
            jobs: 1_000_000,
        }
    }
}

pub(super) struct Destinations {
    pub(super) limits: Limits,
    /// Those that have deliveries now, by host and port.
    by_name: Mutex<HashMap<String, Destination>>,
    taken: watch::Sender<usize>,
    sending: Semaphore,
    trying: Semaphore,
}

struct Destination {
    taken: usize,
    gate: Arc<Gate>,
}

/// What the deliveries to one destination share.
struct Gate {
    standing: Mutex<Standing>,
    /// Who waits stands in one line here.
    next: Semaphore,
    at_once: Semaphore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Unknown,
    Answers,
    Silent,
}

/// A turn of the delivery's destination, and one of all.
pub(super) type Turn<'a> = (SemaphorePermit<'a>, SemaphorePermit<'a>);

/// A delivery's place, given back when it is dropped.
pub(super) struct Place {
    destinations: Arc<Destinations>,
    name: String,
    gate: Arc<Gate>,
}

impl Destinations {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            by_name: Mutex::default(),
            taken: watch::Sender::new(0),
            sending: Semaphore::new(limits.sending),
            trying: Semaphore::new(limits.trying),
        })
    }

    /// How many deliveries have a place.
    pub(super) fn taken(&self) -> watch::Receiver<usize> {
        self.taken.subscribe()
    }

    /// A place for a delivery to this address, if there is one.
    pub(super) fn place(self: &Arc<Self>, url: &Url) -> Option<Place> {
        let name =
            format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
        let limits = &self.limits;
        let mut by_name = self.by_name();
        let (there, most) = match by_name.get(&name) {
            None => (0, limits.taken_per_destination),
            Some(it) if it.gate.standing() == Standing::Silent => (it.taken, limits.taken_per_silent_destination),
            Some(it) => (it.taken, limits.taken_per_destination),
        };
        if *self.taken.borrow() >= limits.taken || there >= most {
            return None;
        }
        let destination = by_name.entry(name.clone()).or_insert_with(|| Destination {
            taken: 0,
            gate: Arc::new(Gate {
                standing: Mutex::new(Standing::Unknown),
                next: Semaphore::new(1),
                at_once: Semaphore::new(limits.sending_per_destination),
            }),
        });
        destination.taken += 1;
        self.taken.send_modify(|taken| *taken += 1);
        Some(Place { destinations: Arc::clone(self), name, gate: Arc::clone(&destination.gate) })
    }

    /// How many destinations have deliveries.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_name().len()
    }

    fn by_name(&self) -> MutexGuard<'_, HashMap<String, Destination>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Waits for a turn. What the destination has of its own comes first: who waits for a slow one holds nothing that others
    /// need.
    pub(super) async fn turn(&self) -> Option<Turn<'_>> {
        let next = self.gate.next.acquire().await.ok()?; // none of these is ever closed
        if self.gate.standing() == Standing::Answers {
            let there = self.gate.at_once.acquire().await.ok()?;
            // it may have fallen silent while this one waited
            if self.gate.standing() == Standing::Answers {
                drop(next);
                return Some((there, self.destinations.sending.acquire().await.ok()?));
            }
        }
        Some((next, self.destinations.trying.acquire().await.ok()?))
    }

    /// What the last attempt showed.
    pub(super) fn answered(&self, answered: bool) {
        let standing = if answered { Standing::Answers } else { Standing::Silent };
        *self.gate.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }
}

impl Gate {
    fn standing(&self) -> Standing {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_name = self.destinations.by_name();
        if let Some(destination) = by_name.get_mut(&self.name) {
            destination.taken -= 1;
            if destination.taken == 0 {
                by_name.remove(&self.name);
            }
        }
        drop(by_name);
        self.destinations.taken.send_modify(|taken| *taken -= 1);
    }
}
