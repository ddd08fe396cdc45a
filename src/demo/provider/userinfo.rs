//! The userinfo endpoint (OpenID Connect Core 5.3). The token comes in the `Authorization` header (RFC 6750 2.1) alone.

use http::header;
use warp::reply::Response;

use super::{Access, Provider, token::claims};
use crate::{
    demo::{call::Call, reply},
    oauth::{Code, Error, error::Challenge},
};

impl Provider {
    pub(super) fn userinfo(&self, call: &Call) -> Result<Response, Error> {
        let invalid = || Error::new(Code::InvalidToken, "The access token is not valid");
        let Some(header) = call.header(header::AUTHORIZATION.as_str()) else {
            return Err(invalid().challenge_with(Challenge::Bearer));
        };
        let token = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let access = token.and_then(|(_, token)| self.sealer.open("access token", token.trim()));
        let access: Option<Access> = access.and_then(|text| serde_json::from_slice(&text).ok());
        let access = access.filter(|access| self.clock.now() < access.expires_at).ok_or_else(invalid)?;
        let person = self.able(&access.sub).ok_or_else(invalid)?;
        Ok(reply::json(&claims(person, &access.scope)))
    }
}
