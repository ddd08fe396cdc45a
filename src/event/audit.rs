//! The audit trail: one JSON object for each request, decision, redemption, notification, refresh, end of an authorization
//! and refusal.
//!
//! Members: `time` (RFC 3339), `type`, `realm`, and as known `client`, `sub`, `scope`, `decision`, `via`, `shown` (the digest
//! of what the person was shown), `sid`, `error`. Writing never holds a request up: lines wait in a bounded queue for a
//! thread that writes them; when the queue is full the line is dropped and the log says so.

use std::{
    io::{BufWriter, Write},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    time::Duration,
};

use serde::Serialize;

use super::Event;
use crate::clock::Clock;

/// Where audit records go.
pub enum Audit {
    Off,
    Queue(SyncSender<Line>),
}

/// What waits in the queue.
#[derive(Debug)]
pub enum Line {
    Record(String),
    /// Somebody wants to know when all lines before it are written.
    Written(SyncSender<()>),
}

/// How long the writer lets lines gather: a thread that is woken for each one costs more than what the line is about.
const GATHER: Duration = Duration::from_millis(20);
/// How long the end of the program waits for the last lines.
const LAST: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Record<'a> {
    time: String,
    r#type: &'static str,
    realm: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl Audit {
    /// Lines to standard output, written by a thread of their own.
    pub fn to_standard_output() -> Self {
        let (sender, lines) = sync_channel(10_000);
        std::thread::spawn(move || write_lines(&lines, std::io::stdout()));
        Self::Queue(sender)
    }

    pub(super) fn record(&self, event: &Event<'_>, clock: &Clock) {
        if matches!(self, Self::Off) {
            return;
        }
        let Some(record) = record_of(event, clock) else { return };
        let Ok(line) = serde_json::to_string(&record) else { return };
        match self {
            Self::Off => {}
            Self::Queue(sender) => {
                if sender.try_send(Line::Record(line)).is_err() {
                    tracing::error!("An audit record was dropped: standard output does not take them");
                }
            }
        }
    }

    /// Waits until what was recorded is written, two seconds at most. Blocking.
    pub(super) fn written(&self) {
        let Self::Queue(sender) = self else { return };
        let (all, written) = sync_channel(1);
        if sender.try_send(Line::Written(all)).is_err() || written.recv_timeout(LAST).is_err() {
            tracing::error!("The last audit records may not have been written");
        }
    }
}

fn record_of<'a>(event: &Event<'a>, clock: &Clock) -> Option<Record<'a>> {
    let empty = |r#type, realm| Record {
        time: clock.now().rfc3339(),
        r#type,
        realm,
        client: None,
        sub: None,
        scope: None,
        decision: None,
        via: None,
        shown: None,
        sid: None,
        error: None,
    };
    Some(match *event {
        Event::Requested { realm, client, sub, scope } => {
            Record { client: Some(client), sub, scope: Some(scope.to_string()), ..empty("request", realm) }
        }
        Event::RequestRefused { realm, client, error } => {
            Record { client, error: Some(error.code().as_str()), ..empty("request_refused", realm) }
        }
        Event::Decided { realm, client, sub, decision, via, shown } => Record {
            client: Some(client),
            sub: Some(sub),
            decision: Some(decision.as_str()),
            via: Some(via.as_str()),
            shown: shown.map(|digest| digest.base64url()),
            ..empty("decision", realm)
        },
        Event::DecisionRefused { realm, client, via, reason } => {
            Record { client, via: Some(via.as_str()), error: Some(reason), ..empty("decision_refused", realm) }
        }
        Event::Polled { realm, client, error } if !super::metrics::is_waiting(error) => {
            Record { client: Some(client), error: Some(error.code().as_str()), ..empty("redemption_refused", realm) }
        }
        Event::PushFailed { realm, client, error } => {
            Record { client: Some(client), error: Some(error.code().as_str()), ..empty("redemption_refused", realm) }
        }
        Event::Notified { realm, client, mode, fault } => Record {
            client: Some(client),
            via: Some(mode),
            error: fault.map(|_| "not_delivered"),
            ..empty("notification", realm)
        },
        Event::Redeemed { realm, client, sub, scope, sid } => Record {
            client: Some(client),
            sub: Some(sub),
            scope: Some(scope.to_string()),
            sid: Some(sid),
            ..empty("redemption", realm)
        },
        Event::Refreshed { realm, client, sub, scope, sid } => Record {
            client: Some(client),
            sub: Some(sub),
            scope: Some(scope.to_string()),
            sid: Some(sid),
            ..empty("refresh", realm)
        },
        Event::AuthorizationEnded { realm, client, sub, sid, how } => Record {
            client: Some(client),
            sub: Some(sub),
            via: Some(how.as_str()),
            sid: Some(sid),
            ..empty("authorization_ended", realm)
        },
        Event::TokenRefused { realm, client, error } => {
            Record { client, error: Some(error.code().as_str()), ..empty("token_refused", realm) }
        }
        _ => return None,
    })
}

/// Writes what is queued: waits for a line, lets more gather, writes and flushes all of them.
fn write_lines(lines: &Receiver<Line>, to: impl Write) {
    let mut to = BufWriter::new(to);
    while let Ok(first) = lines.recv() {
        if matches!(first, Line::Record(_)) {
            std::thread::sleep(GATHER);
        }
        for line in [first].into_iter().chain(lines.try_iter()) {
            let done = match line {
                Line::Record(record) => writeln!(to, "{record}"),
                Line::Written(all) => to.flush().map(|()| {
                    let _ = all.send(());
                }),
            };
            if done.is_err() {
                tracing::error!("Audit records cannot be written to standard output");
            }
        }
        let _ = to.flush();
    }
}
