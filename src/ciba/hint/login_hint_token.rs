//! `login_hint_token` (CIBA Core 7.1): a JWT of one of the realm's `[[login_hint_token_issuers]]`, for this realm, not expired.
//!
//! CIBA leaves its claims to the deployment. Here the person is named by the first of these that is there:
//!
//! - `login_hint`: what the parameter of that name would hold;
//! - `sub_id` (RFC 9493) of format `iss_sub` with `iss` this realm's or the upstream's issuer, `opaque` (its `id` is a `sub` of
//!   this realm's tokens), or `email` (what a `login_hint` would hold);
//! - `sub`: a `sub` of this realm's tokens.

use serde_json::{Map, Value};

use super::{Hints, Named, can_be_looked_up};
use crate::{
    clock::Timestamp,
    jose::{Claims, Jws, LEEWAY, NotVerified},
    oauth::{Code, Error},
};

impl Hints {
    pub(super) async fn login_hint_token(&self, token: &str, now: Timestamp) -> Result<Named<'static>, Error> {
        let issuers = &self.realm.login_hint_token_issuers;
        if issuers.is_empty() {
            return Err(Error::invalid_request("login_hint_token is not supported in this realm"));
        }
        let claims = self.genuine(token).await.map_err(refused)?;
        if self.expires(&claims, now).map_err(refused)?.plus(LEEWAY) <= now {
            return Err(Error::new(Code::ExpiredLoginHintToken, "login_hint_token has expired"));
        }
        self.named(claims).ok_or_else(|| refused(NotVerified::because("it names nobody in a way that is understood")))
    }

    /// The claims, if they are those of one of the issuers.
    async fn genuine(&self, token: &str) -> Result<Claims, NotVerified> {
        let jws = Jws::parse(token)?;
        if !jws.is_untyped() {
            return Err(NotVerified::because("typ"));
        }
        let claimed = jws.claimed_issuer();
        let issuer = self.realm.login_hint_token_issuers.iter().find(|known| Some(&known.issuer) == claimed.as_ref());
        let issuer = issuer.ok_or(NotVerified::because("its issuer is not known here"))?;
        let claims = self.foreign.verify(&issuer.keys, &jws).await?;
        if claims.text("iss")? == Some(&*issuer.issuer) { Ok(claims) } else { Err(NotVerified::because("iss")) }
    }

    /// When claims that are for this realm expire.
    fn expires(&self, claims: &Claims, now: Timestamp) -> Result<Timestamp, NotVerified> {
        if !claims.audience()?.contains(&self.realm.issuer) {
            return Err(NotVerified::because("aud"));
        }
        for name in ["iat", "nbf"] {
            if claims.time(name)?.is_some_and(|time| time > now.plus(LEEWAY)) {
                return Err(NotVerified::because("it is not good yet"));
            }
        }
        claims.time("exp")?.ok_or(NotVerified::because("exp"))
    }

    fn named(&self, claims: Claims) -> Option<Named<'static>> {
        let mut claims = claims.into_map();
        if let Some(hint) = claims.remove("login_hint") {
            return text(hint).map(|hint| Named::Hint(hint.into()));
        }
        if let Some(subject) = claims.remove("sub_id") {
            let Value::Object(subject) = subject else { return None };
            return self.identified(subject);
        }
        claims.remove("sub").and_then(text).map(Named::Sub)
    }

    /// RFC 9493 3.2.
    fn identified(&self, mut subject: Map<String, Value>) -> Option<Named<'static>> {
        let format = subject.remove("format")?;
        let mut member = |name| subject.remove(name).and_then(text);
        match format.as_str()? {
            "iss_sub" => {
                let (iss, sub) = (member("iss")?, member("sub")?);
                let is_upstream = self.upstream.as_ref().is_some_and(|upstream| upstream.issuer() == iss);
                (iss == self.realm.issuer || is_upstream).then_some(Named::Sub(sub))
            }
            "opaque" => member("id").map(Named::Sub),
            "email" => member("email").map(|email| Named::Hint(email.into())),
            _ => None,
        }
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) if can_be_looked_up(&text) => Some(text),
        _ => None,
    }
}

fn refused(fault: NotVerified) -> Error {
    Error::invalid_request(format!("login_hint_token is not accepted: {}", fault.reason()))
}
