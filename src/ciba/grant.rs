//! The stored authentication request and its states: pure transitions that take `now` (I2).
//!
//! `pending -> approved | denied`, `approved -> redeemed`. Expiry is a function of the grant and `now`, not a state: a denial
//! stays a denial after expiry; an approval that was not collected in time is expired. Only where the end is *told*, by push,
//! it is an edge: `pending -> closed`, and `approved -> closed` where there will be no tokens; so a client is told one thing.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    clock::Timestamp,
    event::Via,
    oauth::{AuthorizationDetails, Scope},
    realm::{
        client::SenderConstraint,
        user::{Claims, Identity, SignIn, User},
    },
    secret::{Digest, Sealed},
    store::{Group, Key, Record},
};

/// For how long an expired or denied request is still answered as such, not as unknown.
const RETENTION: Duration = Duration::from_secs(30);
/// For how long a redeemed grant is remembered, so that its page can still say what was decided.
const REMEMBRANCE: Duration = Duration::from_secs(60);
/// What `slow_down` adds to the interval from then on (CIBA Core 11).
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// After so many polls in a row that came too early, only the decision is answered (CIBA Core 11).
const MOST_TOO_EARLY: u8 = 10;

/// An authentication request with its state. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    pub request: Arc<AuthenticationRequest>,
    pub state: State,
    polling: Polling,
}

/// What was asked for; never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuthenticationRequest {
    pub realm: Arc<str>,
    pub client_id: Arc<str>,
    pub user: Arc<User>,
    pub scope: Scope,
    pub authorization_details: AuthorizationDetails,
    pub delivery: Delivery,
    /// How the tokens must be bound.
    pub sender_constraint: Option<SenderConstraint>,
    pub binding_message: Option<Box<str>>,
    pub acr_values: Option<Box<str>>,
    pub requested_at: Timestamp,
    pub expires_at: Timestamp,
    /// The person's pointer to this request (I1); a link, never a right.
    pub handle: Box<str>,
    /// The alias of the token that a device service was given, where one was asked; the token itself is not kept.
    pub channel_token: Option<Key>,
}

/// How the client gets to know of the decision, as it was registered when it asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    Poll,
    Ping(Notification),
    Push(Notification),
}

/// Where and with what a client is notified (CIBA Core 10.2, 10.3). What is secret is sealed (I1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    pub endpoint: Url,
    pub auth_req_id: Sealed,
    pub client_notification_token: Sealed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum State {
    Pending,
    Approved(Arc<Approval>),
    Denied {
        at: Timestamp,
        via: Via,
    },
    Redeemed {
        approval: Arc<Approval>,
        at: Timestamp,
    },
    /// A push client is told that there are no tokens: the request expired, or the approval could not be redeemed.
    Closed(Option<Arc<Approval>>),
}

/// An approval, with what the tokens will say of the person and of how they signed in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    pub at: Timestamp,
    pub via: Via,
    /// The `sub` of the tokens.
    pub sub: Box<str>,
    pub identity: Option<Identity>,
    pub claims: Claims,
    /// When the person authenticated: at the upstream, or, where a device service decided, when it did.
    pub auth_time: Timestamp,
    pub acr: Option<Box<str>>,
    pub amr: Vec<Box<str>>,
    /// The digest of what the person was shown.
    pub shown: Option<Digest>,
}

/// When the client polled last, how long it has to wait, and how many polls in a row came too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Polling {
    interval: Duration,
    last: Option<Timestamp>,
    too_early: u8,
}

/// The request is not open any more.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NotOpen {
    #[error("the request has expired")]
    Expired,
    #[error("the request is decided already")]
    Decided,
}

/// What a poll is answered with, and what it leaves.
#[derive(Clone, Debug, PartialEq)]
pub enum Poll {
    /// Nothing is decided; the grant that follows.
    Pending(Grant),
    /// Polled too early; the grant that follows, with a longer interval.
    SlowDown(Grant),
    /// Polled too early again and again; the client must stop.
    TooFast,
    Denied,
    Expired,
    /// The one redemption: the grant that follows, and the approval to mint from.
    Redeemed(Grant, Arc<Approval>),
    /// Redeemed before, or past its retention.
    Spent,
}

impl Grant {
    /// A new, undecided request. `interval` zero: no throttle.
    pub fn new(request: AuthenticationRequest, interval: Duration) -> Self {
        Self {
            request: Arc::new(request),
            state: State::Pending,
            polling: Polling { interval, last: None, too_early: 0 },
        }
    }

    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.request.expires_at
    }

    /// Whether a person can still decide.
    pub fn is_open(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Pending) && !self.is_expired(now)
    }

    fn open(&self, now: Timestamp) -> Result<(), NotOpen> {
        match self.state {
            State::Pending if self.is_expired(now) => Err(NotOpen::Expired),
            State::Pending => Ok(()),
            _ => Err(NotOpen::Decided),
        }
    }

    fn with(&self, state: State) -> Self {
        Self { state, ..self.clone() }
    }

    pub fn approve(&self, approval: Arc<Approval>, now: Timestamp) -> Result<Self, NotOpen> {
        self.open(now)?;
        Ok(self.with(State::Approved(approval)))
    }

    pub fn deny(&self, via: Via, now: Timestamp) -> Result<Self, NotOpen> {
        self.open(now)?;
        Ok(self.with(State::Denied { at: now, via }))
    }

    /// What nobody decided in time is closed when a push client is told of it. What was approved in time is not: whoever
    /// redeems it tells.
    pub fn expire(&self, now: Timestamp) -> Option<Self> {
        let is_over = matches!(self.state, State::Pending) && self.is_expired(now);
        is_over.then(|| self.with(State::Closed(None)))
    }

    /// An approval that cannot be redeemed for a push client.
    pub fn fail(&self) -> Option<Self> {
        match &self.state {
            State::Approved(approval) => Some(self.with(State::Closed(Some(Arc::clone(approval))))),
            _ => None,
        }
    }

    /// What the client's poll at `now` is answered with. After a decision it is always that, however early it comes. One that
    /// `overlaps` another, which is held, is too early.
    pub fn poll(&self, now: Timestamp, overlaps: bool) -> Poll {
        match &self.state {
            _ if now >= self.keep_until() => Poll::Spent,
            State::Redeemed { .. } => Poll::Spent,
            State::Denied { .. } => Poll::Denied,
            State::Closed(_) => Poll::Expired,
            State::Pending | State::Approved(_) if self.is_expired(now) => Poll::Expired,
            State::Approved(approval) => {
                let state = State::Redeemed { approval: Arc::clone(approval), at: now };
                Poll::Redeemed(self.with(state), Arc::clone(approval))
            }
            State::Pending if self.polling.too_early >= MOST_TOO_EARLY => Poll::TooFast,
            State::Pending if overlaps || self.polling.is_too_early(now) => {
                Poll::SlowDown(Self { polling: self.polling.slower(now), ..self.clone() })
            }
            State::Pending => {
                let polling = Polling { last: Some(now), too_early: 0, ..self.polling };
                Poll::Pending(Self { polling, ..self.clone() })
            }
        }
    }

    /// How long the client has to wait at `now` before it polls again; nothing where polls are not throttled.
    pub fn until_next_poll(&self, now: Timestamp) -> Option<Duration> {
        let Polling { interval, last, .. } = self.polling;
        (!interval.is_zero()).then(|| last.map_or(Duration::ZERO, |last| last.plus(interval).since(now)))
    }

    /// How long the client has to wait between polls now.
    pub const fn interval(&self) -> Duration {
        self.polling.interval
    }

    /// Whether the person who signed in is the one who is asked.
    pub fn is_for(&self, sign_in: &SignIn) -> bool {
        self.request.user.is(sign_in)
    }
}

impl Polling {
    fn is_too_early(&self, now: Timestamp) -> bool {
        self.last.is_some_and(|last| now < last.plus(self.interval))
    }

    fn slower(self, now: Timestamp) -> Self {
        let interval = self.interval + SLOW_DOWN;
        Self { interval, last: Some(now), too_early: self.too_early.saturating_add(1) }
    }
}

/// The alias under which a grant is found by the person's handle.
pub fn handle_alias(realm: &str, handle: &str) -> Key {
    Key::new("approval handle", realm, handle)
}

/// The alias under which a grant is found by the device service's token.
pub fn channel_alias(realm: &str, token: &str) -> Key {
    Key::new("channel token", realm, token)
}

impl Record for Grant {
    const KIND: &'static str = "auth_req_id";

    fn keep_until(&self) -> Timestamp {
        match self.state {
            State::Redeemed { at, .. } => at.plus(REMEMBRANCE),
            _ => self.request.expires_at.plus(RETENTION),
        }
    }

    fn aliases(&self) -> Vec<Key> {
        let handle = handle_alias(&self.request.realm, &self.request.handle);
        [handle].into_iter().chain(self.request.channel_token).collect()
    }

    fn groups(&self) -> Vec<Group> {
        if !matches!(self.state, State::Pending) {
            return Vec::new();
        }
        groups(&self.request).into()
    }
}

/// The groups in which an undecided request counts: its realm's, its client's and its user's.
pub fn groups(request: &AuthenticationRequest) -> [Group; 3] {
    let realm = &request.realm;
    [
        Group::Realm(Arc::clone(realm)),
        Group::Client(Arc::clone(realm), Arc::clone(&request.client_id)),
        Group::User(Arc::clone(realm), request.user.group()),
    ]
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::realm::user::SamePerson;

    pub(in crate::ciba) const START: Timestamp = Timestamp::from_seconds(1_000);

    fn at(seconds: f64) -> Timestamp {
        START.plus(Duration::from_secs_f64(seconds))
    }

    pub(in crate::ciba) fn grant() -> Grant {
        let identity = Identity { iss: "https://op".into(), sub: "1".into() };
        let user = User {
            sub: Some("1".into()),
            same_person: SamePerson::Identity(identity),
            claims: Claims::default(),
            user_code: None,
        };
        let request = AuthenticationRequest {
            realm: "r".into(),
            client_id: "c".into(),
            user: Arc::new(user),
            scope: Scope::parse("openid").unwrap(),
            authorization_details: AuthorizationDetails::default(),
            delivery: Delivery::Poll,
            sender_constraint: None,
            binding_message: None,
            acr_values: None,
            requested_at: START,
            expires_at: at(120.0),
            handle: "h".into(),
            channel_token: Some(channel_alias("r", "t")),
        };
        Grant::new(request, Duration::from_secs(5))
    }

    pub(in crate::ciba) fn approval(now: Timestamp) -> Arc<Approval> {
        Arc::new(Approval {
            at: now,
            via: Via::Page,
            sub: "1".into(),
            identity: None,
            claims: Claims::default(),
            auth_time: now,
            acr: None,
            amr: Vec::new(),
            shown: None,
        })
    }

    #[derive(Clone, Debug)]
    enum Act {
        Approve,
        Deny,
        Poll,
        Overlap,
        Expire,
        Fail,
    }

    /// What the table below says: one word for an answer.
    fn word(poll: &Poll) -> &'static str {
        match poll {
            Poll::Pending(_) => "pending",
            Poll::SlowDown(_) => "slow_down",
            Poll::TooFast => "too fast",
            Poll::Denied => "denied",
            Poll::Expired => "expired",
            Poll::Redeemed(..) => "tokens",
            Poll::Spent => "spent",
        }
    }

    fn act(grant: &mut Grant, act: &Act, now: Timestamp) -> &'static str {
        let (next, word) = match act {
            Act::Approve => (grant.approve(approval(now), now).ok(), "approve"),
            Act::Deny => (grant.deny(Via::Page, now).ok(), "deny"),
            Act::Expire => (grant.expire(now), "closed"),
            Act::Fail => (grant.fail(), "closed"),
            Act::Poll | Act::Overlap => {
                let poll = grant.poll(now, matches!(act, Act::Overlap));
                let said = word(&poll);
                let next = match poll {
                    Poll::Pending(next) | Poll::SlowDown(next) | Poll::Redeemed(next, _) => Some(next),
                    _ => None,
                };
                (next.or_else(|| Some(grant.clone())), said)
            }
        };
        let word = if next.is_some() { word } else { "refused" };
        if let Some(next) = next {
            *grant = next;
        }
        word
    }

    #[test]
    fn table_of_cases() {
        use Act::*;
        let table: &[(&str, &[(f64, Act, &str)])] = &[
            ("K9 first poll at once", &[(0.0, Poll, "pending")]),
            ("K10 after the interval", &[(0.0, Poll, "pending"), (5.0, Poll, "pending")]),
            (
                "K11, K12 too early, each time five seconds more",
                &[
                    (0.0, Poll, "pending"),
                    (4.999, Poll, "slow_down"),
                    (14.998, Poll, "slow_down"),
                    (29.998, Poll, "pending"),
                ],
            ),
            ("K14 approved, polled early", &[(0.0, Poll, "pending"), (1.0, Approve, "approve"), (1.1, Poll, "tokens")]),
            ("K16 redeemed twice", &[(1.0, Approve, "approve"), (2.0, Poll, "tokens"), (9.0, Poll, "spent")]),
            ("K19 denied, again and again", &[(1.0, Deny, "deny"), (2.0, Poll, "denied"), (2.1, Poll, "denied")]),
            ("K20 expired while pending", &[(121.0, Poll, "expired"), (149.0, Poll, "expired")]),
            ("K21 approved, collected too late", &[(1.0, Approve, "approve"), (120.0, Poll, "expired")]),
            ("K22 the instant of expiry", &[(119.999, Poll, "pending"), (120.0, Poll, "expired")]),
            ("K23 denied, then past expiry", &[(1.0, Deny, "deny"), (130.0, Poll, "denied")]),
            ("K24 after retention", &[(150.0, Poll, "spent")]),
            (
                "K34 an overlapping poll; the first one's interval begins anew",
                &[(0.0, Poll, "pending"), (5.0, Overlap, "slow_down"), (14.9, Poll, "slow_down")],
            ),
            (
                "K34 an overlapping poll after the decision",
                &[(0.0, Poll, "pending"), (1.0, Approve, "approve"), (1.0, Overlap, "tokens")],
            ),
            ("N16 expired, and the push client is told", &[(120.0, Expire, "closed"), (119.9, Approve, "refused")]),
            ("N16 told once", &[(120.0, Expire, "closed"), (120.1, Expire, "refused"), (120.2, Poll, "expired")]),
            (
                "N16 decided in time",
                &[(119.9, Approve, "approve"), (119.9, Poll, "tokens"), (120.0, Expire, "refused")],
            ),
            ("N16 denied in time", &[(119.9, Deny, "deny"), (120.0, Expire, "refused")]),
            ("N16 not before its time", &[(119.9, Expire, "refused")]),
            (
                "N17 approved, and not redeemed",
                &[(1.0, Fail, "refused"), (2.0, Approve, "approve"), (2.0, Fail, "closed"), (120.0, Expire, "refused")],
            ),
            (
                "N18 approved in time, and redeemed a moment later",
                &[(119.9, Approve, "approve"), (120.0, Expire, "refused"), (119.9, Poll, "tokens")],
            ),
            ("B6 decided already", &[(1.0, Approve, "approve"), (2.0, Deny, "refused"), (3.0, Approve, "refused")]),
            ("B5 decided too late", &[(120.0, Approve, "refused"), (120.0, Deny, "refused")]),
        ];
        for (number, steps) in table {
            let mut grant = grant();
            for (step, (seconds, what, expected)) in steps.iter().enumerate() {
                assert_eq!(act(&mut grant, what, at(*seconds)), *expected, "{number}, step {step}");
            }
        }
    }

    #[test]
    fn an_interval_of_zero_never_slows_down() {
        let mut grant = Grant::new(Arc::unwrap_or_clone(grant().request), Duration::ZERO);
        for _ in 0..10 {
            assert_eq!(act(&mut grant, &Act::Poll, at(1.0)), "pending");
        }
    }

    #[test]
    fn k13_a_client_that_polls_too_fast_again_and_again_must_stop() {
        let mut grant = grant();
        assert_eq!(act(&mut grant, &Act::Poll, at(0.0)), "pending");
        for _ in 0..9 {
            assert_eq!(act(&mut grant, &Act::Poll, at(0.1)), "slow_down");
        }
        let patient = at(0.1).plus(grant.interval());
        assert_eq!(act(&mut grant.clone(), &Act::Poll, patient), "pending", "nine are forgiven");
        assert_eq!(act(&mut grant, &Act::Poll, at(0.1)), "slow_down");
        for seconds in [0.1, 60.0, 119.0] {
            assert_eq!(act(&mut grant, &Act::Poll, at(seconds)), "too fast", "however long it waits");
        }
        assert_eq!(act(&mut grant.clone(), &Act::Poll, at(120.0)), "expired");
        assert_eq!(act(&mut grant, &Act::Approve, at(119.0)), "approve", "the person still decides");
        assert_eq!(act(&mut grant, &Act::Poll, at(119.0)), "tokens");
    }

    #[test]
    fn how_long_to_wait() {
        let mut polled = grant();
        assert_eq!(polled.until_next_poll(at(1.0)), Some(Duration::ZERO));
        act(&mut polled, &Act::Poll, at(1.0));
        for (seconds, wait) in [(1.0, 5.0), (3.5, 2.5), (6.0, 0.0), (30.0, 0.0)] {
            assert_eq!(polled.until_next_poll(at(seconds)), Some(Duration::from_secs_f64(wait)), "{seconds}");
        }
        act(&mut polled, &Act::Poll, at(2.0));
        assert_eq!(polled.until_next_poll(at(2.0)), Some(Duration::from_secs(10)));
        let free = Grant::new(Arc::unwrap_or_clone(grant().request), Duration::ZERO);
        assert_eq!(free.until_next_poll(at(1.0)), None);
    }

    #[test]
    fn a_decided_grant_counts_nowhere() {
        let grant = grant();
        assert_eq!(grant.groups().len(), 3);
        assert!(grant.deny(Via::Page, at(1.0)).unwrap().groups().is_empty());
    }

    proptest! {
        /// One 200 at most; states only move forward; no `pending` at or after expiry; the interval never shrinks; a push
        /// client is told one thing.
        #[test]
        fn invariants_hold_under_any_interleaving(
            steps in prop::collection::vec((0u32..40_000, prop_oneof![
                2 => Just(Act::Approve), 2 => Just(Act::Deny), 8 => Just(Act::Poll), 1 => Just(Act::Overlap),
                1 => Just(Act::Expire), 1 => Just(Act::Fail),
            ]), 1..40)
        ) {
            let mut grant = grant();
            let (mut now, mut tokens, mut told, mut decided) = (START, 0, 0, false);
            for (millis, what) in steps {
                now = now.plus(Duration::from_millis(millis.into()));
                let interval = grant.interval();
                let said = act(&mut grant, &what, now);
                tokens += u32::from(said == "tokens");
                told += u32::from(matches!(said, "tokens" | "closed" | "deny"));
                prop_assert!(tokens <= 1);
                prop_assert!(told <= 1);
                prop_assert!(grant.interval() >= interval);
                prop_assert!(!(matches!(said, "pending" | "slow_down" | "too fast") && (now >= grant.request.expires_at || decided)));
                prop_assert!(!(matches!(said, "approve" | "deny") && (decided || now >= grant.request.expires_at)));
                decided |= matches!(said, "approve" | "deny" | "closed");
            }
        }
    }
}
