//! One authentication request from the client's side (OpenID CIBA Core, poll mode): sent, asked for, and remembered under a
//! random identifier for ten minutes after its end. Nothing here is verified: the page shows what came, and decides nothing.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::Page;
use crate::{
    clock::Timestamp,
    http::{Answer, Fault, Limit},
    oauth::CIBA_GRANT_TYPE,
    store::{Change, Group, Quota, Record, Table},
};

/// Requests that are remembered.
const MOST: usize = 200;

const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// Between two polls at least, whatever the gateway says.
const LEAST_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Started {
    pub(super) person: String,
    pub(super) message: Option<String>,
    pub(super) started_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Outcome {
    Pending,
    Approved {
        id_token: Map<String, Value>,
        /// Empty where the access token is no JWT.
        access_token: Map<String, Value>,
    },
    Denied,
    Expired,
    /// The gateway's error code.
    Failed(String),
}

impl Record for Started {
    const KIND: &'static str = "demo.request";

    fn keep_until(&self) -> Timestamp {
        self.expires_at.plus(REMEMBERED_FOR)
    }

    fn groups(&self) -> Vec<Group> {
        vec![all()]
    }
}

fn all() -> Group {
    Group::Realm("demo".into())
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotStarted {
    #[error("The gateway said no: {error} ({description})")]
    Refused { error: String, description: String },
    #[error("The gateway did not answer as it should: {0}.")]
    NoAnswer(#[from] Fault),
    #[error("Too many requests were started in the last minutes. Wait a little.")]
    Full,
}

#[derive(Deserialize)]
struct Acknowledgement {
    auth_req_id: String,
    expires_in: u64,
    /// 5 where it is left out (CIBA Core 7.3).
    interval: Option<u64>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: String,
}

/// A request whose answer is to be waited for.
pub(super) struct Waiting {
    page: Arc<Page>,
    pub(super) id: String,
    auth_req_id: String,
    pub(super) interval: Duration,
    expires_at: Timestamp,
}

/// What a poll brought.
enum Polled {
    Wait,
    SlowDown,
    End(Outcome),
}

impl Page {
    /// Sends the authentication request and remembers it. Whoever calls this runs [`Waiting::run`] then.
    pub(super) async fn ask(self: &Arc<Self>, person: &str, message: Option<&str>) -> Result<Waiting, NotStarted> {
        if self.requests.count(&all()).await.is_ok_and(|count| count >= MOST) {
            self.requests.tidy();
        }
        if self.requests.count(&all()).await.is_ok_and(|count| count >= MOST) {
            return Err(NotStarted::Full);
        }
        let mut form = vec![("scope", "openid profile email"), ("login_hint", person)];
        form.extend(message.map(|message| ("binding_message", message)));
        let answer = self.post(self.at_realm("bc-authorize"), form).await?;
        if answer.status != http::StatusCode::OK {
            let Refusal { error, error_description } = answer.json()?;
            return Err(NotStarted::Refused { error, description: error_description });
        }
        let acknowledgement: Acknowledgement = answer.json()?;
        let id = self.random.identifier().map_err(|_| NotStarted::Full)?;
        let started_at = self.clock.now();
        let expires_at = started_at.plus(Duration::from_secs(acknowledgement.expires_in));
        let (person, message) = (person.to_owned(), message.map(str::to_owned));
        let started = Started { person, message, started_at, expires_at, outcome: Outcome::Pending };
        self.requests
            .insert(Table::<Started>::key("demo", &id), started, &[Quota { group: all(), most: MOST }])
            .await
            .map_err(|_| NotStarted::Full)?;
        Ok(Waiting {
            page: Arc::clone(self),
            id,
            auth_req_id: acknowledgement.auth_req_id,
            interval: Duration::from_secs(acknowledgement.interval.unwrap_or(5)).max(LEAST_INTERVAL),
            expires_at,
        })
    }

    pub(super) async fn started(&self, id: &str) -> Option<Started> {
        self.requests.get(Table::<Started>::key("demo", id)).await.ok()?
    }

    async fn post(&self, url: Url, mut form: Vec<(&str, &str)>) -> Result<Answer, Fault> {
        form.extend([("client_id", self.client_id.as_str()), ("client_secret", self.client_secret.reveal())]);
        self.http.send(self.http.post(url).form(&form), Limit::API).await
    }
}

impl Waiting {
    /// Polls until there is an answer, or until a little after the request's end.
    pub(super) async fn run(mut self) {
        let give_up_at = self.expires_at.plus(Duration::from_secs(15));
        let outcome = loop {
            tokio::time::sleep(self.interval).await;
            match self.poll().await {
                // a gateway that does not answer now may answer the next time
                Ok(Polled::Wait) | Err(_) if self.page.clock.now() < give_up_at => {}
                Ok(Polled::SlowDown) => self.interval += Duration::from_secs(5),
                Ok(Polled::End(outcome)) => break outcome,
                Ok(Polled::Wait) | Err(_) => break Outcome::Expired,
            }
        };
        let ended = self.page.requests.change(Table::<Started>::key("demo", &self.id), |started| match started {
            Some(started) => Change::Put(Started { outcome: outcome.clone(), ..started.clone() }, ()),
            None => Change::Keep(()),
        });
        if let Err(error) = ended.await {
            tracing::warn!(%error, "The demo's page lost a request");
        }
    }

    async fn poll(&self) -> Result<Polled, Fault> {
        let form = vec![("grant_type", CIBA_GRANT_TYPE), ("auth_req_id", self.auth_req_id.as_str())];
        let answer = self.page.post(self.page.at_realm("token"), form).await?;
        if answer.status == http::StatusCode::OK {
            let Tokens { id_token, access_token } = answer.json()?;
            return Ok(Polled::End(Outcome::Approved {
                id_token: claims(&id_token).unwrap_or_default(),
                access_token: claims(&access_token).unwrap_or_default(),
            }));
        }
        let refusal: Refusal = answer.json()?;
        Ok(match refusal.error.as_str() {
            "authorization_pending" | "temporarily_unavailable" | "server_error" => Polled::Wait,
            "slow_down" => Polled::SlowDown,
            "access_denied" => Polled::End(Outcome::Denied),
            "expired_token" => Polled::End(Outcome::Expired),
            _ => Polled::End(Outcome::Failed(refusal.error)),
        })
    }
}

/// What a compact JWS says, unverified, for show.
fn claims(token: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?).ok()
}
