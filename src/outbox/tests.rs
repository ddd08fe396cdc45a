//! What is sent, when, and what a dead destination costs the others.

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
        let mut taken = self.outbox.0.destinations.taken();
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
        about: About::Person { channel: "webhook" },
        not_before: NOW,
        not_after: NOW.plus(120 * SECOND),
        pauses: &[SECOND, SECOND],
        judge: |status| if status.is_success() { Verdict::Delivered } else { Verdict::TryAgain },
        unwanted: None,
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
    let mut stub = Stub::answering(&[Answer::Status(500, 0), Answer::RedirectToItself, Answer::Status(404, 0)]).await;
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
    let limits = Limits { taken: 30, taken_per_destination: 20, sending: 1, trying: 2, ..Limits::default() };
    let world = world(limits);
    for _ in 0..20 {
        world.outbox.put(delivery(&dead)).unwrap();
    }
    assert_eq!(world.outbox.put(delivery(&dead)).unwrap_err(), NotTaken::Full, "the destination's share");
    for _ in 0..10 {
        world.outbox.put(delivery(&live)).unwrap();
    }
    assert_eq!(world.outbox.put(delivery(&live)).unwrap_err(), NotTaken::Full, "all");
    for _ in 0..10 {
        live.next().await;
    }
    assert!(dead.rest() <= 1, "no turn of the dead one had to end first");
    world.holds(20).await;
    world.outbox.put(delivery(&live)).unwrap();
    assert_eq!(world.outbox.0.destinations.len(), 2);
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
    assert_eq!(world.outbox.put(delivery(&stub)).unwrap_err(), NotTaken::Stopping);
    stub.next().await;
    assert_eq!(stub.rest(), 2);
    assert_eq!(world.outbox.0.destinations.len(), 0);
}

#[tokio::test]
async fn draining_ends_at_its_deadline() {
    let mut dead = Stub::answering(&[Answer::Never]).await;
    let world = world(Limits::default());
    world.outbox.put(delivery(&dead)).unwrap();
    dead.next().await;
    assert_eq!(world.outbox.drain(Duration::from_millis(10)).await, 1);
}

#[tokio::test]
async fn thirty_percent_dead_destinations_delay_none_of_the_others() {
    let world = world(Limits { sending: 4, trying: 100, ..Limits::default() });
    let (mut dead, mut live) = (Vec::new(), Vec::new());
    for n in 0..100 {
        let answers: &'static [Answer] = if n % 10 < 3 { &[Answer::Never] } else { &[OK] };
        let stub = Stub::answering(answers).await;
        if n % 10 < 3 { dead.push(stub) } else { live.push(stub) }
    }
    let started = std::time::Instant::now();
    for _ in 0..20 {
        for stub in dead.iter().chain(&live) {
            world.outbox.put(delivery(stub)).unwrap();
        }
    }
    for stub in &mut live {
        for _ in 0..20 {
            stub.next().await;
        }
    }
    assert!(started.elapsed() < Limit::DELIVERY.time, "no attempt at a dead one had to end first");
    assert!(dead.iter_mut().all(|stub| stub.rest() <= 1), "each of them is tried by one delivery at a time");
}

#[tokio::test]
async fn a_destination_that_answers_gets_several_at_once_and_one_that_is_silent_fewer_places() {
    let mut stub = Stub::answering(&[OK, Answer::Never]).await;
    let world = world(Limits { sending_per_destination: 3, taken_per_silent_destination: 2, ..Limits::default() });
    world.outbox.put(Delivery { not_before: NOW.plus(SECOND), ..delivery(&stub) }).unwrap(); // keeps the destination known
    world.outbox.put(delivery(&stub)).unwrap();
    stub.next().await;
    world.holds(1).await;
    for _ in 0..6 {
        world.outbox.put(Delivery { pauses: &[], ..delivery(&stub) }).unwrap();
    }
    for _ in 0..3 {
        stub.next().await;
    }
    assert_eq!(stub.rest(), 0, "three at once");
    stub.next().await; // after the time limit: it is silent
    assert_eq!(world.outbox.put(delivery(&stub)).unwrap_err(), NotTaken::Full);
    assert_eq!(stub.rest(), 0, "one at a time");
}

#[tokio::test]
async fn what_cannot_end_otherwise_is_not_tried_again() {
    let refusing = |status: StatusCode| if status.is_success() { Verdict::Delivered } else { Verdict::Refused };
    let mut stub = Stub::answering(&[Answer::Status(401, 0), OK]).await;
    let world = world(Limits::default());
    let refused = world.outbox.put(Delivery { judge: refusing, ..delivery(&stub) }).unwrap();
    assert!(!refused.is_delivered().await);
    stub.next().await;
    let private = world.outbox.put(Delivery { to: Trust::Registered, ..delivery(&stub) }).unwrap();
    assert!(!private.is_delivered().await, "a client's address on loopback");
    let unwanted: Option<Unwanted> = Some(Box::new(|| Some("the client is gone")));
    let unwanted = world.outbox.put(Delivery { unwanted, ..delivery(&stub) }).unwrap();
    assert!(!unwanted.is_delivered().await);
    assert_eq!(stub.rest(), 0);
    assert!(world.outbox.put(delivery(&stub)).unwrap().is_delivered().await);
    assert_eq!((world.counted("ok"), world.counted("fault"), world.counted("retry")), (1, 3, 0));
}

#[tokio::test]
async fn a_delivery_that_is_wanted_no_more_between_two_attempts_is_not_made_again() {
    let mut stub = Stub::answering(&[Answer::Status(500, 0), OK]).await;
    let world = world(Limits::default());
    let gone = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&gone);
    let unwanted: Unwanted = Box::new(move || (asked.load(Ordering::SeqCst) > 0).then_some("gone"));
    world.outbox.put(Delivery { unwanted: Some(unwanted), ..delivery(&stub) }).unwrap();
    stub.next().await;
    gone.store(1, Ordering::SeqCst);
    while world.counted("fault") == 0 {
        world.clock.advance(SECOND);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(stub.rest(), 0);
}

#[tokio::test]
async fn jobs_are_done_at_their_time_and_bounded_and_a_stop_forgets_them() {
    let world = world(Limits { jobs: 2, ..Limits::default() });
    let done = Arc::new(watch::Sender::new(0));
    let job = || {
        let done = Arc::clone(&done);
        async move { done.send_modify(|done| *done += 1) }
    };
    world.outbox.at(NOW.plus(SECOND), job()).unwrap();
    world.outbox.at(NOW.plus(2 * SECOND), job()).unwrap();
    assert_eq!(world.outbox.at(NOW, job()).unwrap_err(), NotTaken::Full);
    tokio::task::yield_now().await;
    assert_eq!(*done.borrow(), 0, "not before its time");
    world.clock.advance(SECOND);
    done.subscribe().wait_for(|done| *done == 1).await.unwrap();
    assert_eq!(world.outbox.drain(10 * SECOND).await, 0, "a job is no delivery");
    tokio::task::yield_now().await;
    world.clock.advance(SECOND);
    tokio::task::yield_now().await;
    assert_eq!(*done.borrow(), 1);
    assert_eq!(world.outbox.at(NOW, job()).unwrap_err(), NotTaken::Stopping);
}
