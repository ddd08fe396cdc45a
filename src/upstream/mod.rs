//! One OpenID provider behind one realm: its metadata and keys (OpenID Connect Discovery 1.0), the sign-in (OpenID Connect
//! Core 3.1, authorization code with PKCE S256 as RFC 7636 has it, `iss` as RFC 9207) and [`lookup`], from a hint to a user.
//!
//! Nothing is asked before it is needed, and a provider that is down delays nobody but those who need it. What it did not
//! answer is a [`Fault`], which says nothing about any user (I10). Sessions, cookies and pages are the caller's; so is
//! whether the person who signed in is the one that was looked up.

mod begin;
mod caller;
mod claims;
mod discovery;
mod exchange;
mod finish;
mod hint;
mod id_token;
pub mod lookup;
#[cfg(test)]
mod stub;
#[cfg(test)]
mod tests;
mod userinfo;

use std::{
    fmt,
    sync::{Arc, atomic::AtomicBool},
};

use url::Url;

pub use begin::{Begun, Prompt, Secrets, Wish};
pub use finish::{Returned, SignInFault};
pub use hint::NotItsToken;
pub use lookup::{Found, Lookups};

use crate::{
    clock::Clock,
    event::Events,
    http::{self, Http},
    random::{NoRandomness, Random},
    realm,
};
use caller::Caller;
use discovery::Discovery;

/// The upstream did not answer, or not as its protocol says. That says nothing about any user (I10). The text is for the
/// log; it holds no secret, hint or claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(Arc<str>);

impl Fault {
    fn new(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().into())
    }

    /// The same, after the name of what was asked.
    fn of(self, what: &str) -> Self {
        Self::new(format!("{what}: {self}"))
    }
}

impl From<http::Fault> for Fault {
    fn from(fault: http::Fault) -> Self {
        Self::new(fault.to_string())
    }
}

impl From<NoRandomness> for Fault {
    fn from(fault: NoRandomness) -> Self {
        Self::new(fault.to_string())
    }
}

/// The OpenID provider where the people of a realm sign in.
pub struct Upstream {
    settings: realm::Upstream,
    display_name: String,
    caller: Caller,
    discovery: Discovery,
    random: Random,
    /// The provider left `auth_time` out although it was asked for: from then on people are asked to sign in afresh.
    sends_no_auth_time: AtomicBool,
}

impl Upstream {
    /// Asks nobody anything yet.
    pub fn new(
        settings: realm::Upstream,
        realm: Arc<str>,
        http: Http,
        events: Events,
        clock: Clock,
        random: Random,
    ) -> Self {
        Self::with_caller(settings, Caller::new(realm, http, events, clock), random)
    }

    fn with_caller(settings: realm::Upstream, caller: Caller, random: Random) -> Self {
        let host = Url::parse(&settings.issuer).ok().and_then(|url| url.host_str().map(str::to_owned));
        Self {
            display_name: host.unwrap_or_else(|| settings.issuer.clone()),
            discovery: Discovery::new(settings.issuer.clone(), caller.clone()),
            settings,
            caller,
            random,
            sends_no_auth_time: AtomicBool::new(false),
        }
    }

    /// What people know the provider by: the host of its issuer.
    pub fn display_name(&self) -> &str {
        &self.display_name
    }

    /// As configured, which is byte for byte what the provider states.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// As whom the gateway is registered there.
    pub fn client_id(&self) -> &str {
        &self.settings.client_id
    }

    /// Fetches metadata and keys ahead of the first sign-in. Nothing depends on it: a failure is an event, and the first
    /// sign-in tries again.
    pub async fn warm_up(&self) {
        let _ = self.discovery.current().await;
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstream({})", self.settings.issuer)
    }
}
