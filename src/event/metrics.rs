//! Counters in the Prometheus text format. Labels are names from the configuration and codes of ours, so their number is
//! bounded; no client id, no user.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::Event;
use crate::oauth::{self, Code};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    realm: Arc<str>,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfOperation {
    realm: Arc<str>,
    operation: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfMode {
    realm: Arc<str>,
    mode: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfDecision {
    realm: Arc<str>,
    decision: &'static str,
    via: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfEnd {
    realm: Arc<str>,
    via: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRealm {
    realm: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStatus {
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfResult {
    result: &'static str,
}

pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Of, Counter>,
    decisions: Family<OfDecision, Counter>,
    refused_decisions: Family<OfRealm, Counter>,
    polls: Family<Of, Counter>,
    token_requests: Family<Of, Counter>,
    ended: Family<OfEnd, Counter>,
    pending: Family<OfRealm, Gauge>,
    sign_ins: Family<Of, Counter>,
    upstream: Family<OfOperation, Counter>,
    channels: Family<OfOperation, Counter>,
    callbacks: Family<OfMode, Counter>,
    answers: Family<OfStatus, Counter>,
    took: Histogram,
    reloads: Family<OfResult, Counter>,
    /// Realm names as the labels hold them, so that counting allocates nothing.
    names: Mutex<Vec<Arc<str>>>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::default();
        let metrics = Self {
            requests: Family::default(),
            decisions: Family::default(),
            refused_decisions: Family::default(),
            polls: Family::default(),
            token_requests: Family::default(),
            ended: Family::default(),
            pending: Family::default(),
            sign_ins: Family::default(),
            upstream: Family::default(),
            channels: Family::default(),
            callbacks: Family::default(),
            answers: Family::default(),
            took: Histogram::new([
                0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
            ]),
            reloads: Family::default(),
            names: Mutex::default(),
            registry: Registry::default(),
        };
        registry.register("ciba_requests", "Authentication requests by result", metrics.requests.clone());
        registry.register("ciba_decisions", "Decisions by kind and origin", metrics.decisions.clone());
        registry.register("ciba_refused_decisions", "Decisions that were refused", metrics.refused_decisions.clone());
        registry.register("ciba_polls", "Token requests with the CIBA grant by result", metrics.polls.clone());
        registry.register(
            "token_requests",
            "Token requests that are no poll by result",
            metrics.token_requests.clone(),
        );
        registry.register(
            "authorizations_ended",
            "Authorizations that ended before their time by what ended them",
            metrics.ended.clone(),
        );
        registry.register("ciba_pending_requests", "Undecided requests", metrics.pending.clone());
        registry.register("sign_ins", "Sign-ins at the upstream by result", metrics.sign_ins.clone());
        registry.register(
            "upstream_requests",
            "Calls of the upstream by operation and result",
            metrics.upstream.clone(),
        );
        registry.register("channel_requests", "Calls of channels by result", metrics.channels.clone());
        registry.register(
            "ciba_client_callbacks",
            "Calls of clients' notification endpoints by mode and result",
            metrics.callbacks.clone(),
        );
        registry.register("http_server_requests", "Answers by status", metrics.answers.clone());
        registry.register("http_server_request_seconds", "Time to answer", metrics.took.clone());
        registry.register("config_reloads", "Reloads of the configuration by result", metrics.reloads.clone());
        Self { registry, ..metrics }
    }

    pub(super) fn count(&self, event: &Event<'_>) {
        match *event {
            Event::Requested { realm, .. } => self.of(&self.requests, realm, "accepted"),
            Event::RequestRefused { realm, error, .. } => self.of(&self.requests, realm, error.code().as_str()),
            Event::Decided { realm, decision, via, .. } => {
                let labels = OfDecision { realm: self.name(realm), decision: decision.as_str(), via: via.as_str() };
                self.decisions.get_or_create(&labels).inc();
            }
            Event::DecisionRefused { realm, .. } => {
                self.refused_decisions.get_or_create(&OfRealm { realm: self.name(realm) }).inc();
            }
            Event::Polled { realm, error, .. } => self.of(&self.polls, realm, error.code().as_str()),
            Event::Redeemed { realm, .. } => self.of(&self.polls, realm, "tokens"),
            Event::Refreshed { realm, .. } => self.of(&self.token_requests, realm, "refreshed"),
            Event::TokenRefused { realm, error, .. } => self.of(&self.token_requests, realm, error.code().as_str()),
            Event::AuthorizationEnded { realm, how, .. } => {
                self.ended.get_or_create(&OfEnd { realm: self.name(realm), via: how.as_str() }).inc();
            }
            Event::SignedIn { realm, failure, .. } => self.of(&self.sign_ins, realm, result(failure)),
            Event::Upstream { realm, operation, fault } => self.operation(&self.upstream, realm, operation, fault),
            Event::Channel { realm, channel, fault } => self.operation(&self.channels, realm, channel, fault),
            Event::DeliveryRetried { realm, channel, .. } => {
                let labels = OfOperation { realm: self.name(realm), operation: channel, result: "retry" };
                self.channels.get_or_create(&labels).inc();
            }
            Event::Notified { realm, mode, fault, .. } => self.callback(realm, mode, result(fault)),
            Event::NotificationRetried { realm, mode, .. } => self.callback(realm, mode, "retry"),
            Event::PushFailed { realm, error, .. } => self.of(&self.polls, realm, error.code().as_str()),
            Event::Answered(answered) => {
                self.answers.get_or_create(&OfStatus { status: answered.status }).inc();
                self.took.observe(answered.took.as_secs_f64());
            }
            Event::Reloaded { faults } => {
                self.reloads.get_or_create(&OfResult { result: if faults == 0 { "ok" } else { "faults" } }).inc();
            }
        }
    }

    pub(super) fn text(&self, pending: &[(Arc<str>, usize)]) -> String {
        for (realm, count) in pending {
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            self.pending.get_or_create(&OfRealm { realm: Arc::clone(realm) }).set(count);
        }
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }

    fn of(&self, family: &Family<Of, Counter>, realm: &str, result: &'static str) {
        family.get_or_create(&Of { realm: self.name(realm), result }).inc();
    }

    fn operation(
        &self,
        family: &Family<OfOperation, Counter>,
        realm: &str,
        operation: &'static str,
        fault: Option<&str>,
    ) {
        family.get_or_create(&OfOperation { realm: self.name(realm), operation, result: result(fault) }).inc();
    }

    fn callback(&self, realm: &str, mode: &'static str, result: &'static str) {
        self.callbacks.get_or_create(&OfMode { realm: self.name(realm), mode, result }).inc();
    }

    fn name(&self, realm: &str) -> Arc<str> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = names.iter().find(|name| ***name == *realm) {
            return Arc::clone(name);
        }
        let name: Arc<str> = realm.into();
        names.push(Arc::clone(&name));
        name
    }
}

const fn result(fault: Option<&str>) -> &'static str {
    if fault.is_some() { "fault" } else { "ok" }
}

/// Whether a poll's answer only says that nothing is decided yet.
pub(super) const fn is_waiting(error: &oauth::Error) -> bool {
    matches!(error.code(), Code::AuthorizationPending | Code::SlowDown)
}
