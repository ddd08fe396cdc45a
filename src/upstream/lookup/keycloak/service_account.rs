//! The service account's access token (RFC 6749 4.4, client credentials), kept until shortly before it expires.

use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use crate::{
    clock::Timestamp,
    secret::Secret,
    upstream::{
        Fault,
        caller::{Caller, ok, private_json},
        lookup::trace::Steps,
    },
};

/// A token with less time than this left is not used any more.
const LEFT: Duration = Duration::from_secs(10);
/// Who waited while the endpoint did not answer shares that fault: else each would wait for the time limit after the other.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

pub(super) struct ServiceAccount {
    token_endpoint: Url,
    client_id: String,
    client_secret: Secret,
    caller: Caller,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    token: Option<Token>,
    failed: Option<(Timestamp, Fault)>,
}

struct Token {
    access_token: Secret,
    until: Timestamp,
}

#[derive(Deserialize)]
struct TokenResponse {
    access_token: String,
    /// Seconds; recommended, not required (RFC 6749 5.1).
    #[serde(default = "one_minute")]
    expires_in: u64,
}

const fn one_minute() -> u64 {
    60
}

impl ServiceAccount {
    pub(super) fn new(token_endpoint: Url, client_id: String, client_secret: Secret, caller: Caller) -> Self {
        Self { token_endpoint, client_id, client_secret, caller, kept: Mutex::default() }
    }

    /// A token that is not `refused`. Whoever else needs one meanwhile waits for the same.
    pub(super) async fn token(&self, refused: Option<&Secret>, steps: &mut Steps) -> Result<Secret, Fault> {
        let mut kept = self.kept.lock().await;
        let now = self.caller.clock.now();
        if let Some(token) = &kept.token
            && token.until > now
            && refused.is_none_or(|refused| !refused.matches(token.access_token.reveal()))
        {
            return Ok(token.access_token.clone());
        }
        if let Some((at, fault)) = &kept.failed
            && now.since(*at) < PAUSE_AFTER_FAILURE
        {
            return Err(fault.clone());
        }
        let response = self.request().await;
        self.caller.tell("token", &response);
        steps.say(|| {
            let of = format!("POST {} as client {} (secret not shown)", self.token_endpoint, self.client_id);
            match &response {
                Ok(response) => format!("{of}: an access token for {} s", response.expires_in),
                Err(fault) => format!("{of}: {fault}"),
            }
        });
        kept.failed = response.as_ref().err().map(|fault| (self.caller.clock.now(), fault.clone()));
        let response = response?;
        let access_token = Secret::new(response.access_token);
        let until = now.plus(Duration::from_secs(response.expires_in)).minus(LEFT);
        kept.token = Some(Token { access_token: access_token.clone(), until });
        Ok(access_token)
    }

    /// With `client_secret_post`: what `client_secret_basic` does to characters outside of ASCII is understood in two ways.
    async fn request(&self) -> Result<TokenResponse, Fault> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("client_secret", self.client_secret.reveal()),
        ];
        let request = self.caller.http.post(self.token_endpoint.clone()).form(&form);
        let answer = self.caller.send(request.header("accept", "application/json")).await;
        answer.and_then(|answer| private_json(&ok(answer)?)).map_err(|fault| fault.of("token endpoint"))
    }
}
