//! The authentication request (CIBA Core 7.1) and its acknowledgement (7.3).

use std::time::Duration;

use serde::Deserialize;

use super::{
    client::Client,
    failure::{Failure, Refusal, retry_after},
    issuer::Endpoints,
};
use crate::{http::Fault, secret::Secret};

/// What to ask for.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) login_hint: String,
    pub(super) scope: String,
    pub(super) binding_message: Option<String>,
    pub(super) requested_expiry: Option<u32>,
    pub(super) user_code: Option<Secret>,
}

/// The acknowledgement. Times in seconds.
#[derive(Debug, Deserialize)]
pub(super) struct Accepted {
    pub(super) auth_req_id: String,
    pub(super) expires_in: u64,
    interval: Option<u64>,
}

impl Accepted {
    /// The least time between two polls: 5 s where the server states none (CIBA Core 7.3).
    pub(super) fn interval(&self) -> Duration {
        Duration::from_secs(self.interval.unwrap_or(5).max(1))
    }
}

impl Client {
    /// Sends the authentication request, once: a second one would alert the person again.
    pub(super) async fn ask(&self, endpoints: &Endpoints, question: &Question) -> Result<Accepted, Failure> {
        let mut form = vec![("scope", question.scope.clone()), ("login_hint", question.login_hint.clone())];
        form.extend(question.binding_message.clone().map(|message| ("binding_message", message)));
        form.extend(question.requested_expiry.map(|seconds| ("requested_expiry", seconds.to_string())));
        form.extend(question.user_code.as_ref().map(|code| ("user_code", code.reveal().to_owned())));

        let url = &endpoints.backchannel_authentication;
        let wrong = |fault: Fault| Failure::Network(format!("{url}: {fault}"));
        let answer = self.post(url, form).await.map_err(wrong)?;
        if answer.status == 200 {
            return answer.json().map_err(wrong);
        }
        Err(match answer.json::<Refusal>() {
            Ok(refusal) => Failure::Refused(Refusal { retry_after: retry_after(&answer), ..refusal }),
            Err(_) => wrong(Fault::Status(answer.status.as_u16())),
        })
    }
}
