//! What must be sent later: a bounded queue of deliveries, each with the time before which and after which it is not sent.
//!
//! Every delivery is a task that waits until it is due, then for its turn. Turns are limited for each destination (host and
//! port) and for all together, and so is what may wait, so that one dead destination neither delays others nor takes their
//! places. An attempt that has begun is finished, even if the delivery expires meanwhile. Nothing is kept on disk: what is
//! not delivered when the process stops is lost. What is sent, and what an answer means, is the sender's to say.

#[cfg(test)]
pub(crate) mod stub;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use url::Url;

use crate::{
    clock::{Clock, Timestamp},
    event::{Event, Events},
    http::{Http, Limit, Trust},
};

/// One `POST`, to be made when it is due.
pub struct Delivery {
    pub url: Url,
    pub to: Trust,
    /// Made anew for each attempt, since some sign the time at which they are sent.
    pub headers: Headers,
    pub body: Bytes,
    /// For [`Event::Channel`], which tells how the delivery ended, and [`Event::DeliveryRetried`].
    pub realm: Arc<str>,
    pub channel: &'static str,
    pub not_before: Timestamp,
    /// No attempt begins at or after this.
    pub not_after: Timestamp,
    /// How long to wait between the attempts; there is one attempt more than pauses.
    pub pauses: &'static [Duration],
    /// Which answers end the delivery well. After any other, and after none, it is tried again.
    pub is_delivered: fn(StatusCode) -> bool,
}

/// Names and values of an attempt at this time.
pub type Headers = Box<dyn Fn(Timestamp) -> Vec<(&'static str, String)> + Send + Sync>;

/// How many deliveries may be taken and not yet ended, and how many may be sent at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub taken: usize,
    pub taken_per_destination: usize,
    pub sending: usize,
    pub sending_per_destination: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { taken: 10_000, taken_per_destination: 2_500, sending: 64, sending_per_destination: 4 }
    }
}

/// Why a delivery was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error("the outbox is full")]
    Full,
    #[error("the gateway is stopping")]
    Stopping,
}

/// Why a delivery was taken and not delivered.
#[derive(Debug, thiserror::Error)]
enum NotDelivered {
    #[error("it expired before it could be sent")]
    Expired,
    #[error("the gateway stopped before it was due")]
    Left,
    #[error("status {0}")]
    Status(u16),
    #[error(transparent)]
    Fault(#[from] crate::http::Fault),
}

/// Takes deliveries. Cheap to clone.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    http: Http,
    events: Events,
    clock: Clock,
    limits: Limits,
    /// Those that have deliveries now, by host and port.
    destinations: Mutex<HashMap<String, Destination>>,
    taken: watch::Sender<usize>,
    sending: Semaphore,
    stopping: watch::Sender<bool>,
    left: AtomicUsize,
}

struct Destination {
    taken: usize,
    sending: Arc<Semaphore>,
}

/// One of the turns of the delivery's destination, and one of all.
type Turn<'a> = (SemaphorePermit<'a>, SemaphorePermit<'a>);

/// A delivery's place in the outbox, given back when it is dropped.
struct Place {
    outbox: Arc<Inner>,
    destination: String,
    sending: Arc<Semaphore>,
}

impl Outbox {
    pub fn start(http: Http, events: Events, clock: Clock, limits: Limits) -> Self {
        Self(Arc::new(Inner {
            http,
            events,
            clock,
            limits,
            destinations: Mutex::default(),
            taken: watch::Sender::new(0),
            sending: Semaphore::new(limits.sending),
            stopping: watch::Sender::new(false),
            left: AtomicUsize::new(0),
        }))
    }

    /// Takes a delivery; returns at once. To be called on the async runtime.
    pub fn put(&self, delivery: Delivery) -> Result<(), NotTaken> {
        let place = Inner::place(&self.0, &delivery.url)?;
        tokio::spawn(async move {
            let ended = place.outbox.deliver(&delivery, &place.sending).await;
            if matches!(ended, Err(NotDelivered::Left)) {
                place.outbox.left.fetch_add(1, Ordering::SeqCst);
            }
            let fault = ended.err().map(|fault| fault.to_string());
            let event = Event::Channel { realm: &delivery.realm, channel: delivery.channel, fault: fault.as_deref() };
            place.outbox.events.tell(event);
        });
        Ok(())
    }

    /// Takes nothing more, and finishes what is due by now, for at most this long. Returns how many deliveries were left.
    pub async fn drain(&self, within: Duration) -> usize {
        self.0.stopping.send_replace(true);
        let mut taken = self.0.taken.subscribe();
        let _ = tokio::time::timeout(within, taken.wait_for(|taken| *taken == 0)).await;
        *self.0.taken.borrow() + self.0.left.load(Ordering::SeqCst)
    }
}

impl Inner {
    fn place(outbox: &Arc<Self>, url: &Url) -> Result<Place, NotTaken> {
        if *outbox.stopping.borrow() {
            return Err(NotTaken::Stopping);
        }
        let key = format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
        let mut destinations = outbox.destinations();
        let there = destinations.get(&key).map_or(0, |destination| destination.taken);
        if *outbox.taken.borrow() >= outbox.limits.taken || there >= outbox.limits.taken_per_destination {
            return Err(NotTaken::Full);
        }
        let destination = destinations.entry(key.clone()).or_insert_with(|| Destination {
            taken: 0,
            sending: Arc::new(Semaphore::new(outbox.limits.sending_per_destination)),
        });
        destination.taken += 1;
        outbox.taken.send_modify(|taken| *taken += 1);
        Ok(Place { outbox: Arc::clone(outbox), destination: key, sending: Arc::clone(&destination.sending) })
    }

    fn destinations(&self) -> MutexGuard<'_, HashMap<String, Destination>> {
        self.destinations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn deliver(&self, delivery: &Delivery, destination: &Semaphore) -> Result<(), NotDelivered> {
        let mut due = delivery.not_before;
        let mut pauses = delivery.pauses.iter();
        loop {
            let turn = tokio::select! {
                biased;
                () = self.clock.sleep_until(delivery.not_after) => return Err(NotDelivered::Expired),
                turn = self.turn(due, destination) => turn?,
            };
            let Err(fault) = self.attempt(delivery).await else { return Ok(()) };
            drop(turn);
            let Some(pause) = pauses.next() else { return Err(fault) };
            due = self.clock.now().plus(*pause);
            if due >= delivery.not_after {
                return Err(fault);
            }
            let (realm, channel, fault) = (&*delivery.realm, delivery.channel, fault.to_string());
            self.events.tell(Event::DeliveryRetried { realm, channel, fault: &fault });
        }
    }

    /// Waits for the due time, then for a free place among those that are sent.
    async fn turn<'a>(&'a self, due: Timestamp, destination: &'a Semaphore) -> Result<Turn<'a>, NotDelivered> {
        let mut stopping = self.stopping.subscribe();
        tokio::select! {
            biased;
            () = self.clock.sleep_until(due) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return Err(NotDelivered::Left),
        }
        // The destination's own limit first: who waits for a slow one holds nothing that others need.
        let there = destination.acquire().await.map_err(|_| NotDelivered::Left)?; // neither is ever closed
        let everywhere = self.sending.acquire().await.map_err(|_| NotDelivered::Left)?;
        Ok((there, everywhere))
    }

    async fn attempt(&self, delivery: &Delivery) -> Result<(), NotDelivered> {
        let mut request = self.http.post(delivery.url.clone()).body(delivery.body.clone());
        for (name, value) in (delivery.headers)(self.clock.now()) {
            request = request.header(name, value);
        }
        let status = self.http.status(request, Limit::DELIVERY, delivery.to).await?;
        if (delivery.is_delivered)(status) { Ok(()) } else { Err(NotDelivered::Status(status.as_u16())) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut destinations = self.outbox.destinations();
        if let Some(destination) = destinations.get_mut(&self.destination) {
            destination.taken -= 1;
            if destination.taken == 0 {
                destinations.remove(&self.destination);
            }
        }
        self.outbox.taken.send_modify(|taken| *taken -= 1);
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outbox({} deliveries)", *self.0.taken.borrow())
    }
}

#[cfg(test)]
mod tests {
    use super::{
        stub::{Answer, Stub},
        *,
    };
    use crate::{event::Audit, http::Outbound};

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);
    const SECOND: Duration = Duration::from_secs(1);
    const OK: Answer = Answer::Status(200, 0);

    struct World {
        outbox: Outbox,
        clock: Clock,
        events: Events,
    }

    fn world(limits: Limits) -> World {
        let clock = Clock::manual(NOW);
        let events = Events::new(Audit::Off, clock.clone());
        let http = Http::new(&Outbound::default()).unwrap();
        World { outbox: Outbox::start(http, events.clone(), clock.clone(), limits), clock, events }
    }

    impl World {
        /// Waits until the outbox has this many deliveries.
        async fn holds(&self, count: usize) {
            let mut taken = self.outbox.0.taken.subscribe();
            let waiting = tokio::time::timeout(10 * SECOND, taken.wait_for(|taken| *taken == count));
            waiting.await.expect("not within 10 s").unwrap();
        }

        /// How many deliveries ended well and badly, once all have ended.
        async fn ended(&self) -> (u32, u32) {
            assert_eq!(self.outbox.drain(10 * SECOND).await, 0, "left");
            (self.counted("ok"), self.counted("fault"))
        }

        fn counted(&self, result: &str) -> u32 {
            let label = format!(r#"result="{result}"}}"#);
            let metrics = self.events.metrics(&[]);
            let mut lines = metrics.lines();
            let line = lines.find(|line| line.starts_with("channel_requests_total{") && line.contains(&label));
            line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
        }
    }

    /// Due now, for two minutes, three attempts.
    fn delivery(to: &Stub) -> Delivery {
        Delivery {
            url: to.url.clone(),
            to: Trust::Configured,
            headers: Box::new(|now| vec![("at", now.seconds().to_string())]),
            body: Bytes::from_static(b"body"),
            realm: "acme".into(),
            channel: "webhook",
            not_before: NOW,
            not_after: NOW.plus(120 * SECOND),
            pauses: &[SECOND, SECOND],
            is_delivered: |status| status.is_success(),
        }
    }

    #[tokio::test]
    async fn what_is_due_is_sent_at_once_and_once() {
        let mut stub = Stub::answering(&[OK]).await;
        let world = world(Limits::default());
        world.outbox.put(delivery(&stub)).unwrap();
        let request = stub.next().await;
        assert_eq!((request.line.as_str(), request.body.as_slice()), ("POST /hook", &b"body"[..]));
        assert_eq!(request.headers["at"], "1000000");
        assert_eq!(world.ended().await, (1, 0));
        assert_eq!(stub.rest(), 0);
    }

    #[tokio::test]
    async fn a_large_answer_is_an_answer() {
        let mut stub = Stub::answering(&[Answer::Status(200, 100_000)]).await;
        let world = world(Limits::default());
        world.outbox.put(delivery(&stub)).unwrap();
        stub.next().await;
        assert_eq!(world.ended().await, (1, 0));
    }

    #[tokio::test]
    async fn it_is_tried_again_after_a_pause_and_no_more_than_it_says() {
        let mut stub =
            Stub::answering(&[Answer::Status(500, 0), Answer::RedirectToItself, Answer::Status(404, 0)]).await;
        let world = world(Limits::default());
        world.outbox.put(delivery(&stub)).unwrap();
        let mut at = Vec::new();
        for _ in 0..3 {
            let request = stub.next_as_time_passes(&world.clock).await;
            at.push(request.headers["at"].to_str().unwrap().parse::<u64>().unwrap());
        }
        assert!(at[0] < at[1] && at[1] < at[2], "{at:?}: each attempt has headers of its own time");
        assert_eq!(world.ended().await, (0, 1));
        assert_eq!(world.counted("retry"), 2, "each failure is told when it happens");
        assert_eq!(stub.rest(), 0);
    }

    #[tokio::test]
    async fn nothing_is_sent_before_it_is_due() {
        let mut stub = Stub::answering(&[OK]).await;
        let world = world(Limits::default());
        world.outbox.put(Delivery { not_before: NOW.plus(60 * SECOND), ..delivery(&stub) }).unwrap();
        for advance in [0, 59, 1] {
            world.clock.advance(advance * SECOND);
            world.outbox.put(delivery(&stub)).unwrap(); // is sent at once, and shows that nothing else was
            assert_eq!(stub.next().await.headers["at"], world.clock.now().seconds().to_string());
        }
        assert_eq!(stub.next().await.headers["at"], "1000060");
    }

    #[tokio::test]
    async fn nothing_is_sent_once_it_has_expired() {
        let mut stub = Stub::answering(&[Answer::Status(500, 0)]).await;
        let world = world(Limits::default());
        world.outbox.put(Delivery { not_after: NOW, ..delivery(&stub) }).unwrap();
        world.outbox.put(Delivery { not_after: NOW.plus(SECOND), ..delivery(&stub) }).unwrap();
        stub.next().await; // the second one, whose next attempt would be too late
        assert_eq!(world.ended().await, (0, 2));
        assert_eq!(world.counted("retry"), 0);
        assert_eq!(stub.rest(), 0);
    }

    #[tokio::test]
    async fn what_waits_for_its_turn_expires_in_the_queue() {
        let mut dead = Stub::answering(&[Answer::Never]).await;
        let world = world(Limits { sending_per_destination: 1, ..Limits::default() });
        world.outbox.put(delivery(&dead)).unwrap();
        dead.next().await;
        world.outbox.put(delivery(&dead)).unwrap();
        world.clock.advance(120 * SECOND);
        world.holds(1).await;
        assert_eq!(dead.rest(), 0);
    }

    #[tokio::test]
    async fn a_dead_destination_neither_delays_others_nor_takes_their_places() {
        let mut dead = Stub::answering(&[Answer::Never]).await;
        let mut live = Stub::answering(&[OK]).await;
        let limits = Limits { taken: 30, taken_per_destination: 20, sending: 5, sending_per_destination: 4 };
        let world = world(limits);
        for _ in 0..20 {
            world.outbox.put(delivery(&dead)).unwrap();
        }
        assert_eq!(world.outbox.put(delivery(&dead)), Err(NotTaken::Full), "the destination's share");
        for _ in 0..10 {
            world.outbox.put(delivery(&live)).unwrap();
        }
        assert_eq!(world.outbox.put(delivery(&live)), Err(NotTaken::Full), "all");
        for _ in 0..10 {
            live.next().await;
        }
        assert!(dead.rest() <= 4, "no turn of the dead one had to end first");
        world.holds(20).await;
        world.outbox.put(delivery(&live)).unwrap();
        assert_eq!(world.outbox.0.destinations().len(), 2);
    }

    #[tokio::test]
    async fn draining_finishes_what_is_due_and_leaves_the_rest() {
        let mut stub = Stub::answering(&[OK]).await;
        let world = world(Limits { sending_per_destination: 1, ..Limits::default() });
        for _ in 0..3 {
            world.outbox.put(delivery(&stub)).unwrap();
        }
        world.outbox.put(Delivery { not_before: NOW.plus(SECOND), ..delivery(&stub) }).unwrap();
        assert_eq!(world.outbox.drain(10 * SECOND).await, 1);
        assert_eq!(world.outbox.put(delivery(&stub)), Err(NotTaken::Stopping));
        stub.next().await;
        assert_eq!(stub.rest(), 2);
        assert!(world.outbox.0.destinations().is_empty());
    }

    #[tokio::test]
    async fn draining_ends_at_its_deadline() {
        let mut dead = Stub::answering(&[Answer::Never]).await;
        let world = world(Limits::default());
        world.outbox.put(delivery(&dead)).unwrap();
        dead.next().await;
        assert_eq!(world.outbox.drain(Duration::from_millis(10)).await, 1);
    }
}
