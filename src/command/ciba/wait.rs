//! Waiting for the person: polling the token endpoint (CIBA Core 10.1 and 11) until there is an answer.
//!
//! Polls never overlap and are never closer than the interval, counted from when one is sent. What may pass (no answer, 5xx,
//! 429) is tried again with growing pauses until the request expires; anything else that is not understood ends it.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    client::Client,
    delivery::Waiting,
    failure::{Failure, Refusal, retry_after},
    issuer::Endpoints,
    show::Show,
};
use crate::http::{Answer, Fault};

/// CIBA Core 11: what `slow_down` adds, from then on.
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// The longest pause after a fault that we choose ourselves.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What one poll brought.
#[derive(Debug, PartialEq)]
enum Verdict {
    Tokens(Map<String, Value>),
    Pending,
    SlowDown,
    /// Perhaps better next time, at the earliest after `retry_after`.
    Trouble {
        what: String,
        retry_after: Option<Duration>,
    },
    Final(Failure),
}

/// Polls until the deadline, once more then, and not again; for the first time after `first`.
pub(super) async fn wait(
    &Waiting { client, endpoints, accepted, deadline }: &Waiting<'_>,
    first: Duration,
    show: &mut Show<'_>,
    sleep: &impl AsyncFn(Duration),
) -> Result<Map<String, Value>, Failure> {
    let mut interval = accepted.interval();
    let (mut pause, mut polls, mut faults) = (first, 0, 0);
    loop {
        let mut left = pause.min(deadline.since(client.clock.now()));
        while !left.is_zero() {
            let step = left.min(Duration::from_secs(1));
            show.waiting(deadline.since(client.clock.now()), Some(polls));
            sleep(step).await;
            left -= step;
        }
        let sent = client.clock.now();
        let verdict = judge(client.poll(endpoints, &accepted.auth_req_id).await);
        polls += 1;
        let is_last = sent >= deadline;
        if !matches!(verdict, Verdict::Trouble { .. }) {
            faults = 0;
        }
        pause = match verdict {
            Verdict::Tokens(tokens) => return Ok(tokens),
            Verdict::Final(Failure::Refused(refusal)) if is_last && refusal.error == "invalid_grant" => {
                return Err(Failure::Expired(refusal)); // the server has forgotten it already
            }
            Verdict::Final(failure) => return Err(failure),
            Verdict::Trouble { what, .. } if is_last => return Err(Failure::Network(what)),
            Verdict::Pending | Verdict::SlowDown if is_last => {
                return Err(Failure::Expired(Refusal::of("expired_token")));
            }
            Verdict::Pending => {
                show.pending();
                interval
            }
            Verdict::SlowDown => {
                interval = interval.saturating_add(SLOW_DOWN);
                show.slow_down(interval);
                interval
            }
            Verdict::Trouble { what, retry_after } => {
                let pause = retry_after.unwrap_or_else(|| backoff(interval, faults)).max(interval);
                faults += 1;
                show.trouble(&what, pause);
                pause
            }
        }
        .saturating_sub(client.clock.now().since(sent));
    }
}

impl Client {
    /// One request to the token endpoint (CIBA Core 10.1).
    async fn poll(&self, endpoints: &Endpoints, auth_req_id: &str) -> Result<Answer, Fault> {
        let form =
            vec![("grant_type", crate::oauth::CIBA_GRANT_TYPE.to_owned()), ("auth_req_id", auth_req_id.to_owned())];
        let url = &endpoints.token;
        self.send_proved("POST", url, None, async |proof| self.post(url, form.clone(), proof).await).await
    }
}

/// The interval, doubled with each fault in a row (RFC 8628 3.5).
fn backoff(interval: Duration, faults: u32) -> Duration {
    interval.saturating_mul(2_u32.saturating_pow(faults)).min(LONGEST_PAUSE)
}

fn judge(answer: Result<Answer, Fault>) -> Verdict {
    let answer = match answer {
        Ok(answer) => answer,
        Err(fault @ Fault::NoAnswer(_)) => return Verdict::Trouble { what: fault.to_string(), retry_after: None },
        Err(fault) => return Verdict::Final(Failure::Network(fault.to_string())),
    };
    let status = answer.status.as_u16();
    match status {
        200 => match answer.json::<Map<String, Value>>() {
            Ok(tokens) if tokens.get("access_token").is_some_and(Value::is_string) => Verdict::Tokens(tokens),
            Ok(_) => Verdict::Final(Failure::Network("the token response holds no access_token".into())),
            Err(fault) => Verdict::Final(Failure::Network(fault.to_string())),
        },
        429 | 500..=599 => {
            let retry_after = retry_after(&answer).map(Duration::from_secs);
            Verdict::Trouble { what: Fault::Status(status).to_string(), retry_after }
        }
        _ => match answer.json::<Refusal>() {
            Err(_) => Verdict::Final(Failure::Network(Fault::Status(status).to_string())),
            Ok(refusal) => match refusal.error.as_str() {
                "authorization_pending" => Verdict::Pending,
                "slow_down" => Verdict::SlowDown,
                "access_denied" => Verdict::Final(Failure::Denied(refusal)),
                "expired_token" => Verdict::Final(Failure::Expired(refusal)),
                _ => Verdict::Final(Failure::Refused(refusal)),
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_cases() {
        let network = |what: &str| Verdict::Final(Failure::Network(what.into()));
        let trouble = |status| Verdict::Trouble { what: format!("unexpected status {status}"), retry_after: None };
        let table = [
            ("pending", 400, r#"{"error":"authorization_pending"}"#, Verdict::Pending),
            ("slow down", 400, r#"{"error":"slow_down"}"#, Verdict::SlowDown),
            (
                "denied",
                400,
                r#"{"error":"access_denied"}"#,
                Verdict::Final(Failure::Denied(Refusal::of("access_denied"))),
            ),
            (
                "expired",
                400,
                r#"{"error":"expired_token"}"#,
                Verdict::Final(Failure::Expired(Refusal::of("expired_token"))),
            ),
            (
                "another client's or spent",
                400,
                r#"{"error":"invalid_grant"}"#,
                Verdict::Final(Failure::Refused(Refusal::of("invalid_grant"))),
            ),
            (
                "polled too fast too often",
                400,
                r#"{"error":"invalid_request"}"#,
                Verdict::Final(Failure::Refused(Refusal::of("invalid_request"))),
            ),
            (
                "client unknown",
                401,
                r#"{"error":"invalid_client"}"#,
                Verdict::Final(Failure::Refused(Refusal::of("invalid_client"))),
            ),
            ("overloaded", 503, r#"{"error":"temporarily_unavailable"}"#, trouble(503)),
            ("a proxy without a server", 502, "<html>", trouble(502)),
            ("throttled", 429, "", trouble(429)),
            ("a page", 404, "<html>", network("unexpected status 404")),
            ("moved", 302, "", network("unexpected status 302")),
            ("tokens without a token", 200, "{}", network("the token response holds no access_token")),
        ];
        for (case, status, body, expected) in table {
            let answer = Answer {
                version: http::Version::HTTP_11,
                status: http::StatusCode::from_u16(status).unwrap(),
                headers: http::HeaderMap::new(),
                body: body.into(),
            };
            assert_eq!(judge(Ok(answer)), expected, "{case}");
        }
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        let seconds: Vec<u64> = (0..6).map(|faults| backoff(Duration::from_secs(5), faults).as_secs()).collect();
        assert_eq!(seconds, [5, 10, 20, 40, 60, 60]);
        assert_eq!(backoff(Duration::from_secs(5), u32::MAX), LONGEST_PAUSE);
    }
}
