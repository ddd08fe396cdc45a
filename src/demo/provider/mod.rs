//! The demo provider: an OpenID provider (OpenID Connect Core 1.0, authorization code flow with PKCE S256) where a visitor
//! says who they want to be. No passwords, no consent, no refresh tokens, no dynamic registration.
//!
//! Only codes are kept, so that each is used once; the browser's cookie, the choice page's form and access tokens are sealed
//! texts with a key of this run. Signing is ES256 with a key of this run.

mod authorize;
mod choose;
mod code;
mod metadata;
mod token;
mod userinfo;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use url::{Host, Url};
use warp::Filter;

use super::{
    call::{Routes, any_of, at, only_at, route},
    people::Person,
    reply,
};
use crate::{
    clock::{Clock, Timestamp},
    keys::{Algorithm, KeyFault, KeySet, SigningKey},
    oauth::Scope,
    random::{NoRandomness, Random},
    secret::{Sealer, Secret},
    store::Table,
};

/// A relying party, confidential.
#[derive(Clone, Debug)]
pub struct Registration {
    pub client_id: String,
    /// As people are shown it.
    pub client_name: String,
    pub client_secret: Secret,
    /// Its redirect URIs are all on this machine whose path ends so, at any port (as RFC 8252 7.3 has it): a gateway that
    /// somebody tries may be anywhere there.
    pub redirect_path: &'static str,
}

impl Registration {
    /// The text as a redirect URI, if it is one of this client's. It must be written as a browser would write it.
    fn redirect_uri(&self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok().filter(|url| url.as_str() == text)?;
        let is_loopback = match url.host()? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        let is_plain = url.username().is_empty() && url.query().is_none() && url.fragment().is_none();
        let is_web = matches!(url.scheme(), "http" | "https");
        (is_web && is_loopback && is_plain && url.path().ends_with(self.redirect_path)).then_some(url)
    }
}

/// The provider could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Key(#[from] KeyFault),
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

pub struct Provider {
    base: Url,
    /// `base` without the slash at its end.
    issuer: String,
    people: &'static [Person],
    registrations: Vec<Registration>,
    keys: KeySet,
    sealer: Sealer,
    codes: Table<code::Code>,
    clock: Clock,
    random: Random,
}

/// What an access token means, for as long as it lives.
#[derive(Serialize, Deserialize)]
struct Access {
    sub: String,
    scope: Scope,
    expires_at: Timestamp,
}

impl Provider {
    /// `issuer` is an origin, such as `http://127.0.0.1:8081`.
    pub fn new(
        issuer: Url,
        people: &'static [Person],
        registrations: Vec<Registration>,
        clock: Clock,
        random: Random,
    ) -> Result<Self, Fault> {
        let (key, _) = SigningKey::generate(Algorithm::ES256)?;
        Ok(Self {
            issuer: issuer.as_str().trim_end_matches('/').to_owned(),
            base: issuer,
            people,
            registrations,
            keys: KeySet::new(vec![Arc::new(key)]),
            sealer: Sealer::new(&random.bytes()?, random.clone())?,
            codes: Table::in_memory(clock.clone()),
            clock,
            random,
        })
    }

    /// As it stands in `iss`, such as `http://127.0.0.1:8081`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Answers every request.
    pub fn routes(self) -> Routes {
        let base = self.base.clone();
        let provider = Arc::new(self);
        let routes = any_of([
            route(&provider, at("/.well-known/openid-configuration"), "GET, HEAD", |provider, _| {
                Box::pin(async move { provider.discovery() })
            }),
            route(&provider, at("/jwks"), "GET, HEAD", |provider, _| Box::pin(async move { provider.jwks() })),
            route(&provider, at("/authorize"), "GET, HEAD, POST", |provider, call| {
                Box::pin(async move { provider.authorize(&call).await })
            }),
            route(&provider, at("/choose"), "POST", |provider, call| {
                Box::pin(async move { provider.choose(&call).await })
            }),
            route(&provider, at("/token"), "POST", |provider, call| {
                Box::pin(async move { provider.token(&call).await.unwrap_or_else(|error| reply::error(&error)) })
            }),
            route(&provider, at("/userinfo"), "GET, HEAD, POST", |provider, call| {
                Box::pin(async move { provider.userinfo(&call).unwrap_or_else(|error| reply::error(&error)) })
            }),
            route(&provider, at("/style.css"), "GET, HEAD", |_, _| Box::pin(async { reply::style() })),
            route(&provider, at("/"), "GET, HEAD", |_, _| {
                Box::pin(async {
                    reply::message(
                        StatusCode::OK,
                        "The demo's OpenID provider",
                        "Here the made-up people of the demo sign in when an application sends them. There is nothing to do \
                         on this page.",
                    )
                })
            }),
            warp::any().map(reply::not_found).boxed(),
        ]);
        only_at(&base, routes)
    }

    fn registration(&self, client_id: &str) -> Option<&Registration> {
        self.registrations.iter().find(|registration| registration.client_id == client_id)
    }

    fn person(&self, sub: &str) -> Option<&'static Person> {
        self.people.iter().find(|person| person.sub == sub)
    }

    /// Somebody who can sign in now.
    fn able(&self, sub: &str) -> Option<&'static Person> {
        self.person(sub).filter(|person| !person.disabled)
    }
}
