//! The userinfo endpoint (OpenID Connect Core 5.3), for claims that the ID token leaves out. A plain JSON answer is read;
//! signed ones are not: an ordinary registration does not ask for them.
//!
//! Asked without the library, which panics where an access token is not a header value, and drops the whole answer for one
//! claim of the wrong type.

use openidconnect::AccessToken;
use serde_json::{Map, Value};

use super::{
    Fault, SignInFault, Upstream,
    caller::{ok, private_json},
    claims,
    discovery::Provider,
};
use crate::realm::user::Claims;

impl Upstream {
    /// `claims`, and what the provider's userinfo endpoint, if there is one, adds to them.
    pub(super) async fn complete(
        &self,
        claims: Claims,
        provider: &Provider,
        access_token: &AccessToken,
        sub: &str,
    ) -> Result<Claims, SignInFault> {
        let Some(endpoint) = provider.metadata.userinfo_endpoint() else { return Ok(claims) };
        let request = self
            .caller
            .http
            .get(endpoint.url().clone())
            .header("accept", "application/json")
            .bearer_auth(access_token.secret());
        let answer = self.caller.send(request).await.and_then(|answer| Ok(ok(answer)?));
        let members: Result<Map<String, Value>, Fault> = answer.and_then(|answer| private_json(&answer));
        let members = members.map_err(|fault| fault.of("userinfo endpoint"));
        self.caller.tell("userinfo", &members);
        let members = members?;
        if members.get("sub").and_then(Value::as_str) != Some(sub) {
            return Err(SignInFault::refused("userinfo: sub is another person's")); // Core 5.3.2
        }
        Ok(claims::merged(claims, claims::of(&members)))
    }
}
