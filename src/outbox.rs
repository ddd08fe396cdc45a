//! What must be sent later: a bounded queue of deliveries, each with the time before which and after which it is not sent.
//!
//! Every delivery is a task that waits until it is due, then for its turn (`destination`), so that dead destinations neither
//! delay others nor take their places. An attempt that has begun is finished, even if the delivery expires meanwhile.
//! Nothing is kept on disk: what is not delivered when the process stops is lost. What is sent, and what an answer means, is
//! the sender's to say.

mod destination;
#[cfg(test)]
pub(crate) mod stub;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use tokio::sync::{oneshot, watch};
use url::Url;

pub use self::destination::Limits;
use self::destination::{Destinations, Place, Turn};
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
    pub realm: Arc<str>,
    /// For the event that tells how the delivery ended, and those of attempts that are made again.
    pub about: About,
    pub not_before: Timestamp,
    /// No attempt begins at or after this.
    pub not_after: Timestamp,
    /// How long to wait between the attempts; there is one attempt more than pauses.
    pub pauses: &'static [Duration],
    /// What an answer means. Where there is none, it is tried again.
    pub judge: fn(StatusCode) -> Verdict,
    /// Asked before each attempt, for what may change while the delivery waits; a word for the log where it is wanted no more.
    pub unwanted: Option<Unwanted>,
}

/// Names and values of an attempt at this time.
pub type Headers = Box<dyn Fn(Timestamp) -> Vec<(&'static str, String)> + Send + Sync>;
/// Why a delivery is not to be made any more, if so.
pub type Unwanted = Box<dyn Fn() -> Option<&'static str> + Send + Sync>;

/// Whom a delivery is for.
#[derive(Clone, Debug)]
pub enum About {
    /// A person is to be asked by this channel.
    Person { channel: &'static str },
    /// A client is told of its request: `ping` or `push`.
    Client { client_id: Arc<str>, mode: &'static str },
}

/// What an answer's status means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    TryAgain,
    /// The other side does not want it.
    Refused,
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
    #[error("{0}")]
    Unwanted(&'static str),
    #[error("status {0}")]
    Status(u16),
    #[error("status {0}")]
    Refused(u16),
    #[error(transparent)]
    Fault(#[from] crate::http::Fault),
}

/// How a delivery ends. Nobody need wait for it.
#[derive(Debug)]
pub struct Ending(oneshot::Receiver<bool>);

impl Ending {
    /// Whether it was delivered, once that is certain.
    pub async fn is_delivered(self) -> bool {
        self.0.await.unwrap_or(false)
    }
}

/// Takes deliveries. Cheap to clone.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    http: Http,
    events: Events,
    clock: Clock,
    destinations: Arc<Destinations>,
    /// How many jobs wait for their time.
    jobs: AtomicUsize,
    stopping: watch::Sender<bool>,
    left: AtomicUsize,
}

impl Outbox {
    pub fn start(http: Http, events: Events, clock: Clock, limits: Limits) -> Self {
        Self(Arc::new(Inner {
            http,
            events,
            clock,
            destinations: Destinations::new(limits),
            jobs: AtomicUsize::new(0),
            stopping: watch::Sender::new(false),
            left: AtomicUsize::new(0),
        }))
    }

    /// Takes a delivery; returns at once. To be called on the async runtime.
    pub fn put(&self, delivery: Delivery) -> Result<Ending, NotTaken> {
        if *self.0.stopping.borrow() {
            return Err(NotTaken::Stopping);
        }
        let place = self.0.destinations.place(&delivery.url).ok_or(NotTaken::Full)?;
        let (tell, ending) = oneshot::channel();
        let outbox = Arc::clone(&self.0);
        tokio::spawn(async move {
            let ended = outbox.deliver(&delivery, &place).await;
            if matches!(ended, Err(NotDelivered::Left)) {
                outbox.left.fetch_add(1, Ordering::SeqCst);
            }
            let fault = ended.as_ref().err().map(ToString::to_string);
            outbox.events.tell(delivery.about.ended(&delivery.realm, fault.as_deref()));
            let _ = tell.send(ended.is_ok());
        });
        Ok(Ending(ending))
    }

    /// Does something at this time; returns at once. A stop forgets what is not due by then. To be called on the async runtime.
    pub fn at(&self, time: Timestamp, job: impl Future<Output = ()> + Send + 'static) -> Result<(), NotTaken> {
        if *self.0.stopping.borrow() {
            return Err(NotTaken::Stopping);
        }
        let job_of = JobOf::begin(&self.0).ok_or(NotTaken::Full)?;
        tokio::spawn(async move {
            let inner = &job_of.0;
            if inner.is_due(time).await.is_ok() {
                job.await;
            }
        });
        Ok(())
    }

    /// Takes nothing more, and finishes what is due by now, for at most this long. Returns how many deliveries were left.
    pub async fn drain(&self, within: Duration) -> usize {
        self.0.stopping.send_replace(true);
        let mut taken = self.0.destinations.taken();
        let _ = tokio::time::timeout(within, taken.wait_for(|taken| *taken == 0)).await;
        *taken.borrow() + self.0.left.load(Ordering::SeqCst)
    }
}

/// One of the jobs that wait for their time; given back when it is dropped.
struct JobOf(Arc<Inner>);

impl JobOf {
    fn begin(outbox: &Arc<Inner>) -> Option<Self> {
        let job = Self(Arc::clone(outbox));
        let before = outbox.jobs.fetch_add(1, Ordering::SeqCst);
        (before < outbox.destinations.limits.jobs).then_some(job)
    }
}

impl Drop for JobOf {
    fn drop(&mut self) {
        self.0.jobs.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Inner {
    async fn deliver(&self, delivery: &Delivery, place: &Place) -> Result<(), NotDelivered> {
        let mut due = delivery.not_before;
        let mut pauses = delivery.pauses.iter();
        loop {
            let turn = tokio::select! {
                biased;
                () = self.clock.sleep_until(delivery.not_after) => return Err(NotDelivered::Expired),
                turn = self.turn(due, place) => turn?,
            };
            if let Some(reason) = delivery.unwanted.as_ref().and_then(|unwanted| unwanted()) {
                return Err(NotDelivered::Unwanted(reason));
            }
            let ended = self.attempt(delivery).await;
            place.answered(!matches!(ended, Err(NotDelivered::Fault(_))));
            drop(turn);
            let Err(fault) = ended else { return Ok(()) };
            let Some(pause) = pauses.next().filter(|_| fault.may_pass()) else { return Err(fault) };
            due = self.clock.now().plus(*pause);
            if due >= delivery.not_after {
                return Err(fault);
            }
            self.events.tell(delivery.about.retried(&delivery.realm, &fault.to_string()));
        }
    }

    /// Waits for the due time, then for a turn.
    async fn turn<'a>(&self, due: Timestamp, place: &'a Place) -> Result<Turn<'a>, NotDelivered> {
        self.is_due(due).await?;
        place.turn().await.ok_or(NotDelivered::Left)
    }

    /// Returns when the time has come, or the gateway stops before.
    async fn is_due(&self, time: Timestamp) -> Result<(), NotDelivered> {
        let mut stopping = self.stopping.subscribe();
        tokio::select! {
            biased;
            () = self.clock.sleep_until(time) => Ok(()),
            _ = stopping.wait_for(|stopping| *stopping) => Err(NotDelivered::Left),
        }
    }

    async fn attempt(&self, delivery: &Delivery) -> Result<(), NotDelivered> {
        let mut request = self.http.post(delivery.url.clone()).body(delivery.body.clone());
        for (name, value) in (delivery.headers)(self.clock.now()) {
            let Ok(mut value) = HeaderValue::try_from(value) else { continue };
            value.set_sensitive(name.eq_ignore_ascii_case(header::AUTHORIZATION.as_str()));
            request = request.header(name, value);
        }
        let status = self.http.status(request, Limit::DELIVERY, delivery.to).await?;
        match (delivery.judge)(status) {
            Verdict::Delivered => Ok(()),
            Verdict::TryAgain => Err(NotDelivered::Status(status.as_u16())),
            Verdict::Refused => Err(NotDelivered::Refused(status.as_u16())),
        }
    }
}

impl NotDelivered {
    /// Whether another attempt may end otherwise.
    const fn may_pass(&self) -> bool {
        match self {
            Self::Status(_) => true,
            Self::Fault(fault) => !matches!(fault, crate::http::Fault::Private),
            Self::Expired | Self::Left | Self::Unwanted(_) | Self::Refused(_) => false,
        }
    }
}

impl About {
    fn ended<'a>(&'a self, realm: &'a str, fault: Option<&'a str>) -> Event<'a> {
        match self {
            Self::Person { channel } => Event::Channel { realm, channel, fault },
            Self::Client { client_id: client, mode } => Event::Notified { realm, client, mode, fault },
        }
    }

    fn retried<'a>(&'a self, realm: &'a str, fault: &'a str) -> Event<'a> {
        match self {
            Self::Person { channel } => Event::DeliveryRetried { realm, channel, fault },
            Self::Client { client_id: client, mode } => Event::NotificationRetried { realm, client, mode, fault },
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outbox({} deliveries)", *self.0.destinations.taken().borrow())
    }
}

#[cfg(test)]
mod tests;
