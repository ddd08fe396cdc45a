//! What happened, said once. The log line, the counter and the audit record are all made here from one [`Event`].
//!
//! No event holds a token, a secret, a hint, a binding message, an e-mail address or a telephone number. Log lines go to
//! standard error, audit records (one JSON object a line) to the sink that the program chose.

mod audit;
mod metrics;

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

pub use audit::{Audit, Line};
use metrics::Metrics;
use serde::{Deserialize, Serialize};

use crate::{clock::Clock, oauth, secret::Digest};

/// Something that happened in a realm or to the program.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// An authentication request was accepted.
    Requested { realm: &'a str, client: &'a str, sub: Option<&'a str>, scope: &'a oauth::Scope },
    /// An authentication request was refused; the client is known if it has proved who it is.
    RequestRefused { realm: &'a str, client: Option<&'a str>, error: &'a oauth::Error },
    /// The person or the device service decided.
    Decided { realm: &'a str, client: &'a str, sub: &'a str, decision: Decision, via: Via, shown: Option<Digest> },
    /// Somebody tried to decide and may not.
    DecisionRefused { realm: &'a str, client: Option<&'a str>, via: Via, reason: &'static str },
    /// A poll was answered without tokens.
    Polled { realm: &'a str, client: &'a str, error: &'a oauth::Error },
    /// A grant was redeemed for tokens.
    Redeemed { realm: &'a str, client: &'a str, sub: &'a str, scope: &'a oauth::Scope, sid: &'a str },
    /// A refresh token was exchanged for new tokens.
    Refreshed { realm: &'a str, client: &'a str, sub: &'a str, scope: &'a oauth::Scope, sid: &'a str },
    /// A token request that is no poll was refused: the client could not prove who it is, or may not refresh.
    TokenRefused { realm: &'a str, client: Option<&'a str>, error: &'a oauth::Error },
    /// An authorization ended before its time: none of its tokens counts any more.
    AuthorizationEnded { realm: &'a str, client: &'a str, sub: &'a str, sid: &'a str, how: Ended },
    /// A person signed in at the upstream, or failed to.
    SignedIn { realm: &'a str, sub: Option<&'a str>, failure: Option<&'a str> },
    /// The upstream was asked for something (`discovery`, `keys`, `token`, `lookup`, ...).
    Upstream { realm: &'a str, operation: &'static str, fault: Option<&'a str> },
    /// A channel was asked to alert somebody, or a delivery of the outbox ended.
    Channel { realm: &'a str, channel: &'static str, fault: Option<&'a str> },
    /// An attempt to deliver failed, and is made again.
    DeliveryRetried { realm: &'a str, channel: &'static str, fault: &'a str },
    /// A client was told of its request at its notification endpoint (`mode` is `ping` or `push`), or could not be.
    Notified { realm: &'a str, client: &'a str, mode: &'static str, fault: Option<&'a str> },
    /// An attempt to tell a client failed, and is made again.
    NotificationRetried { realm: &'a str, client: &'a str, mode: &'static str, fault: &'a str },
    /// An approved request of a push client could not be redeemed.
    PushFailed { realm: &'a str, client: &'a str, error: &'a oauth::Error },
    /// A request was answered.
    Answered(Answered<'a>),
    /// The configuration was read again.
    Reloaded { faults: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Approved,
    Denied,
}

/// Where a decision came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Via {
    Page,
    DeviceService,
}

/// What ended an authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its client revoked a token.
    Revocation,
    /// Its client logged the person out.
    Logout,
    /// The person's browser came with the ID token.
    IdTokenHint,
    /// A refresh token was used a second time.
    Replay,
    /// Its client was to be sent the tokens, and did not get them.
    NotDelivered,
}

/// One answered request, for the access log.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    pub method: &'a str,
    /// The route's template, never the path that was sent.
    pub route: &'a str,
    pub status: u16,
    pub took: Duration,
    pub peer: Option<IpAddr>,
    pub realm: Option<&'a str>,
    pub client: Option<&'a str>,
    /// The error code, or `ok`.
    pub outcome: &'a str,
    /// Why, where the answer is an error whose cause is for the log alone.
    pub cause: Option<&'a str>,
}

/// Takes events. Cheap to clone.
#[derive(Clone)]
pub struct Events(Arc<Inner>);

struct Inner {
    metrics: Metrics,
    audit: Audit,
    clock: Clock,
}

impl Events {
    pub fn new(audit: Audit, clock: Clock) -> Self {
        Self(Arc::new(Inner { metrics: Metrics::new(), audit, clock }))
    }

    pub fn tell(&self, event: Event<'_>) {
        self.0.metrics.count(&event);
        self.0.audit.record(&event, &self.0.clock);
        log(&event);
    }

    /// Waits until every audit record is written, two seconds at most. Blocking; for the end of the program.
    pub fn written(&self) {
        self.0.audit.written();
    }

    /// All counters in the Prometheus text format. `pending` are the undecided requests of each realm now.
    pub fn metrics(&self, pending: &[(Arc<str>, usize)]) -> String {
        self.0.metrics.text(pending)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

impl Decision {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Denied => "denied",
        }
    }
}

impl Via {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::DeviceService => "device_service",
        }
    }
}

impl Ended {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revocation => "revocation",
            Self::Logout => "logout",
            Self::IdTokenHint => "id_token_hint",
            Self::Replay => "replay",
            Self::NotDelivered => "not_delivered",
        }
    }
}

fn log(event: &Event<'_>) {
    match *event {
        // the access line says it
        Event::Requested { .. }
        | Event::RequestRefused { .. }
        | Event::Polled { .. }
        | Event::Refreshed { .. }
        | Event::TokenRefused { .. } => {}
        Event::Decided { realm, client, decision, via, .. } => {
            tracing::info!(
                realm.name = realm,
                client.id = client,
                via = via.as_str(),
                "The request was {}",
                decision.as_str()
            );
        }
        Event::DecisionRefused { realm, client, via, reason } => {
            tracing::warn!(
                realm.name = realm,
                client.id = client,
                via = via.as_str(),
                reason,
                "A decision was refused"
            );
        }
        Event::Redeemed { realm, client, sid, .. } => {
            tracing::info!(realm.name = realm, client.id = client, sid, "Tokens were issued");
        }
        Event::AuthorizationEnded { realm, client, sid, how: Ended::Replay, .. } => {
            tracing::warn!(
                realm.name = realm,
                client.id = client,
                sid,
                "A refresh token was used again: its authorization has ended"
            );
        }
        Event::AuthorizationEnded { realm, client, sid, how, .. } => {
            tracing::info!(realm.name = realm, client.id = client, sid, via = how.as_str(), "An authorization ended");
        }
        Event::SignedIn { realm, failure: None, .. } => tracing::info!(realm.name = realm, "A person signed in"),
        Event::SignedIn { realm, failure: Some(failure), .. } => {
            tracing::warn!(realm.name = realm, failure, "A sign-in failed");
        }
        Event::Upstream { realm, operation, fault: None } => {
            tracing::debug!(realm.name = realm, operation, "The upstream answered");
        }
        Event::Upstream { realm, operation, fault: Some(fault) } => {
            tracing::warn!(realm.name = realm, operation, fault, "The upstream did not answer as it should");
        }
        Event::Channel { realm, channel, fault: None } => {
            tracing::debug!(realm.name = realm, channel, "The person was asked");
        }
        Event::Channel { realm, channel, fault: Some(fault) } => {
            tracing::warn!(realm.name = realm, channel, fault, "The person could not be asked");
        }
        Event::DeliveryRetried { realm, channel, fault } => {
            tracing::warn!(realm.name = realm, channel, fault, "The person could not be asked and is tried again");
        }
        Event::Notified { realm, client, mode, fault: None } => {
            tracing::debug!(realm.name = realm, client.id = client, mode, "The client was told of its request");
        }
        Event::Notified { realm, client, mode, fault: Some(fault) } => {
            let (name, id) = (realm, client);
            tracing::warn!(realm.name = name, client.id = id, mode, fault, "The client was not told of its request");
        }
        Event::NotificationRetried { realm, client, mode, fault } => {
            let (name, id) = (realm, client);
            tracing::warn!(realm.name = name, client.id = id, mode, fault, "The client is told of its request again");
        }
        Event::PushFailed { realm, client, error } => {
            let (code, cause) = (error.code().as_str(), error.cause());
            tracing::warn!(realm.name = realm, client.id = client, code, cause, "An approved request gave no tokens");
        }
        Event::Answered(answered) => answered.log(),
        Event::Reloaded { faults: 0 } => tracing::info!("The configuration was read again"),
        Event::Reloaded { faults } => tracing::warn!(faults, "The configuration was read again and has faults"),
    }
}

impl Answered<'_> {
    fn log(&self) {
        let took = u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX);
        if self.status >= 500 {
            tracing::error!(
                http.method = self.method,
                http.route = self.route,
                http.status = self.status,
                took_us = took,
                peer = self.peer.map(tracing::field::display),
                realm.name = self.realm,
                client.id = self.client,
                outcome = self.outcome,
                cause = self.cause,
                "A request was answered with a fault"
            );
        } else {
            tracing::info!(
                http.method = self.method,
                http.route = self.route,
                http.status = self.status,
                took_us = took,
                peer = self.peer.map(tracing::field::display),
                realm.name = self.realm,
                client.id = self.client,
                outcome = self.outcome,
                cause = self.cause,
                "A request was answered"
            );
        }
    }
}
