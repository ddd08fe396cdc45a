//! The authentication request (CIBA Core 7.1), plain or signed (7.1.1), and its acknowledgement (7.3).

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{
    client::Client,
    failure::{Failure, Refusal, retry_after},
    issuer::Endpoints,
    request_object,
};
use crate::{http::Fault, secret::Secret};

/// What to ask for.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) hint: Hint,
    pub(super) scope: String,
    pub(super) binding_message: Option<String>,
    pub(super) requested_expiry: Option<u32>,
    pub(super) user_code: Option<Secret>,
    pub(super) acr_values: Option<String>,
    /// An array of objects, each with a `type` (RFC 9396 2).
    pub(super) authorization_details: Option<Value>,
}

/// Who is asked: always exactly one of these.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hint {
    Login(String),
    LoginToken(String),
    IdToken(String),
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

impl Question {
    /// The parameters, as a signed request holds them; a form holds their text.
    fn parameters(&self, notification_token: Option<&Secret>) -> Vec<(&'static str, Value)> {
        let (hint, value) = match &self.hint {
            Hint::Login(hint) => ("login_hint", hint),
            Hint::LoginToken(token) => ("login_hint_token", token),
            Hint::IdToken(token) => ("id_token_hint", token),
        };
        let optional = [
            ("binding_message", self.binding_message.as_deref().map(Value::from)),
            ("requested_expiry", self.requested_expiry.map(Value::from)),
            ("user_code", self.user_code.as_ref().map(|code| code.reveal().into())),
            ("acr_values", self.acr_values.as_deref().map(Value::from)),
            ("client_notification_token", notification_token.map(|token| token.reveal().into())),
            ("authorization_details", self.authorization_details.clone()),
        ];
        let mut parameters = vec![("scope", self.scope.as_str().into()), (hint, value.as_str().into())];
        parameters.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        parameters
    }
}

impl Client {
    /// Sends the authentication request, once: a second one would alert the person again.
    /// The token is what the server must show with its notifications.
    pub(super) async fn ask(
        &self,
        endpoints: &Endpoints,
        question: &Question,
        notification_token: Option<&Secret>,
    ) -> Result<Accepted, Failure> {
        let parameters = question.parameters(notification_token);
        let url = &endpoints.backchannel_authentication;
        let wrong = |fault: Fault| Failure::Network(format!("{url}: {fault}"));
        let form = match &self.request_signer {
            None => parameters.into_iter().map(|(name, value)| (name, text(value))).collect(),
            Some(signer) => {
                let signed = request_object::signed(signer, self, parameters);
                vec![("request", signed.map_err(|fault| wrong(Fault::Setup(fault.to_string())))?)]
            }
        };
        let answer = self.post(url, form, None).await.map_err(wrong)?;
        if answer.status == 200 {
            return answer.json().map_err(wrong);
        }
        Err(match answer.json::<Refusal>() {
            Ok(refusal) => Failure::Refused(Refusal { retry_after: retry_after(&answer), ..refusal }),
            Err(_) => wrong(Fault::Status(answer.status.as_u16())),
        })
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
