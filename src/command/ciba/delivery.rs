//! How the outcome comes (CIBA Core 5): by asking for it (poll), by asking once the server has said that it is there (ping),
//! or with what the server says (push).

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};

use super::{
    ask::Accepted,
    client::Client,
    failure::{Failure, Refusal},
    issuer::Endpoints,
    notification::Inbox,
    show::Show,
    wait,
};
use crate::{clock::Timestamp, server::ServerConfig};

/// How long after the deadline a push of `expired_token` may still come.
const LATE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) enum Delivery {
    Poll,
    Ping(Listen),
    Push(Listen),
}

/// Where notifications are taken.
#[derive(Clone, Debug)]
pub(super) struct Listen {
    pub(super) address: std::net::SocketAddr,
    /// Absent: plain HTTP.
    pub(super) tls: Option<Arc<ServerConfig>>,
}

/// What is waited for.
pub(super) struct Waiting<'a> {
    pub(super) client: &'a Client,
    pub(super) endpoints: &'a Endpoints,
    pub(super) accepted: &'a Accepted,
    pub(super) deadline: Timestamp,
}

impl Delivery {
    /// As metadata names it.
    pub(super) const fn mode(&self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Ping(_) => "ping",
            Self::Push(_) => "push",
        }
    }

    /// Takes notifications from now on, where the mode has any.
    pub(super) async fn open(&self, client: &Client) -> Result<Option<Inbox>, Failure> {
        match self {
            Self::Poll => Ok(None),
            Self::Ping(listen) | Self::Push(listen) => Inbox::open(listen, &client.random).await.map(Some),
        }
    }

    /// The token response, or what stands in its place.
    pub(super) async fn tokens(
        &self,
        waiting: &Waiting<'_>,
        inbox: Option<&mut Inbox>,
        show: &mut Show<'_>,
        sleep: &impl AsyncFn(Duration),
    ) -> Result<Map<String, Value>, Failure> {
        let Some(inbox) = inbox else {
            return wait::wait(waiting, waiting.accepted.interval(), show, sleep).await;
        };
        inbox.expect(&waiting.accepted.auth_req_id);
        if let Self::Push(_) = self {
            let until = waiting.deadline.plus(LATE);
            let pushed = notification(inbox, waiting, until, show, sleep).await;
            return pushed.map_or_else(|| Err(Failure::Expired(Refusal::of("expired_token"))), pushed_tokens);
        }
        // A ping may be lost, and what is approved but not collected at the deadline is lost as well (5: ping clients may poll).
        let until = waiting.deadline.minus(waiting.accepted.interval().saturating_mul(2));
        let ping = notification(inbox, waiting, until, show, sleep).await;
        if ping.as_ref().is_some_and(|ping| ping.contains_key("access_token") || ping.contains_key("error")) {
            return Err(another_mode("the notification holds the outcome", "push"));
        }
        show.pinged(ping.is_some());
        wait::wait(waiting, Duration::ZERO, show, sleep).await
    }
}

/// The first notification, if one comes in time.
async fn notification(
    inbox: &mut Inbox,
    waiting: &Waiting<'_>,
    until: Timestamp,
    show: &Show<'_>,
    sleep: &impl AsyncFn(Duration),
) -> Option<Map<String, Value>> {
    loop {
        let now = waiting.client.clock.now();
        let left = until.since(now);
        if left.is_zero() {
            return None;
        }
        show.waiting(waiting.deadline.since(now), None);
        tokio::select! {
            biased;
            Some(notification) = inbox.next() => return Some(notification),
            () = sleep(left.min(Duration::from_secs(1))) => {}
        }
    }
}

/// CIBA Core 10.3.1 and 12.
fn pushed_tokens(pushed: Map<String, Value>) -> Result<Map<String, Value>, Failure> {
    if pushed.get("access_token").is_some_and(Value::is_string) {
        return Ok(pushed);
    }
    let refusal: Refusal = serde_json::from_value(Value::Object(pushed))
        .map_err(|_| another_mode("the notification holds neither tokens nor an error", "ping"))?;
    Err(match refusal.error.as_str() {
        "access_denied" => Failure::Denied(refusal),
        "expired_token" => Failure::Expired(refusal),
        _ => Failure::Refused(refusal),
    })
}

fn another_mode(what: &str, mode: &str) -> Failure {
    Failure::Network(format!("{what}: the client seems to be registered for --mode {mode}"))
}
