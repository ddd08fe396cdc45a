//! The userinfo endpoint (OpenID Connect Core 5.3): what it says of the person, and that it takes the access token.

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use serde_json::{Map, Value};
use url::Url;

use super::{client::Client, failure::Failure};
use crate::http::{Fault, Limit};

impl Client {
    /// `sub` is who the ID token is about; anybody else's claims are refused (OpenID Connect Core 5.3.2).
    pub(super) async fn userinfo(
        &self,
        url: &Url,
        access_token: &str,
        sub: Option<&str>,
    ) -> Result<Map<String, Value>, Failure> {
        let wrong = |fault: Fault| Failure::Network(format!("{url}: {fault}"));
        let scheme = if self.dpop.is_some() { "DPoP" } else { "Bearer" };
        let answer = self
            .send_proved("GET", url, Some(access_token), async |proof| {
                let request = self.http.get(url.clone()).header(AUTHORIZATION, format!("{scheme} {access_token}"));
                let request = proof.into_iter().fold(request, |request, proof| request.header("DPoP", proof));
                self.http.send(request, Limit::API).await
            })
            .await
            .map_err(wrong)?;
        match answer.status.as_u16() {
            200 => {}
            401 | 403 => {
                let why = answer.headers.get(WWW_AUTHENTICATE).and_then(|why| why.to_str().ok());
                let why = why.map_or_else(String::new, |why| format!(": {why}"));
                return Err(Failure::NotVerified(format!("the userinfo endpoint refuses the access token{why}")));
            }
            status => return Err(wrong(Fault::Status(status))),
        }
        let claims: Map<String, Value> = answer.json().map_err(wrong)?;
        match claims.get("sub").and_then(Value::as_str) {
            Some(other) if Some(other) == sub => Ok(claims),
            _ => Err(Failure::NotVerified("what the userinfo endpoint says is about somebody else".into())),
        }
    }
}
