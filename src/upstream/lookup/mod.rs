//! From a hint to a user: the realm's lookups, asked in order.
//!
//! The first definite answer wins. "Nobody" falls to the next, two hits stop the chain, and a fault of one is a fault of the
//! answer: that a provider is down never makes somebody unknown (I10). One file for each kind; [`trace`] shows an operator
//! what happens.

mod cache;
mod keycloak;
mod sign_in;
mod static_users;
#[cfg(test)]
mod tests;
pub mod trace;

use std::{fmt, sync::Arc};

pub use trace::Trace;

use super::{Fault, caller::Caller};
use crate::{
    clock::Clock,
    event::Events,
    http::Http,
    realm::{Lookup, Realm, User, policy::Status, user::SamePerson},
};
use cache::Cached;
use keycloak::Keycloak;
use sign_in::BySignIn;
use static_users::StaticUsers;
use trace::Steps;

/// In characters. The endpoint refuses longer hints before they come here.
const LONGEST_HINT: usize = 255;

/// What a hint leads to.
#[derive(Clone, Debug)]
pub enum Found {
    User(Arc<User>),
    Nobody,
    /// More than one user; none of them is taken.
    Ambiguous,
    /// The one user may not sign in.
    Disabled,
}

/// The lookups of one realm.
pub struct Lookups {
    kinds: Vec<Kind>,
    clock: Clock,
}

enum Kind {
    Static(StaticUsers),
    Keycloak(Box<Cached>),
    SignIn(BySignIn),
}

impl Lookups {
    /// Asks nobody anything yet.
    pub fn new(realm: &Realm, http: Http, events: Events, clock: Clock) -> Self {
        Self::with_caller(realm, Caller::new(Arc::clone(&realm.name), http, events, clock))
    }

    pub(super) fn with_caller(realm: &Realm, caller: Caller) -> Self {
        // Without an upstream nobody signs in: then the realm itself vouches for its users.
        let iss = realm.upstream.as_ref().map_or(realm.issuer.as_str(), |upstream| upstream.issuer.as_str());
        let kind = |lookup: &Lookup| match lookup {
            Lookup::Static { users } => Kind::Static(StaticUsers::new(iss, users)),
            Lookup::Keycloak { url, token_endpoint, client_id, client_secret } => {
                let (url, token_endpoint) = (url.clone(), token_endpoint.clone());
                let (client_id, client_secret) = (client_id.clone(), client_secret.clone());
                let keycloak = Keycloak::new(iss, url, token_endpoint, client_id, client_secret, caller.clone());
                Kind::Keycloak(Box::new(Cached::new(keycloak, caller.clone())))
            }
            Lookup::SignIn { matching } => Kind::SignIn(BySignIn::new(iss, matching.clone())),
        };
        Self { kinds: realm.lookups.iter().map(kind).collect(), clock: caller.clock.clone() }
    }

    /// The user for a hint, as known at most 60 seconds ago; that nobody is there, at most 10.
    pub async fn find(&self, hint: &str) -> Result<Found, Fault> {
        check(hint)?;
        for kind in &self.kinds {
            let found = match kind {
                Kind::Static(users) => users.find(hint),
                // boxed: a call over the network is large, and must not make every request's future so
                Kind::Keycloak(cached) => Box::pin(cached.find(hint)).await?,
                Kind::SignIn(matching) => matching.find(hint),
            };
            if !matches!(found, Found::Nobody) {
                return Ok(found);
            }
        }
        Ok(Found::Nobody)
    }

    /// The user whom this realm's tokens name by this `sub`, which is the upstream's for every kind of lookup. As known as
    /// [`Lookups::find`] knows it.
    pub async fn find_by_sub(&self, sub: &str) -> Result<Found, Fault> {
        check(sub)?;
        for kind in &self.kinds {
            let found = match kind {
                Kind::Static(users) => users.find_by_sub(sub),
                Kind::Keycloak(cached) => Box::pin(cached.find_by_sub(sub)).await?,
                Kind::SignIn(matching) => matching.find_by_sub(sub),
            };
            if !matches!(found, Found::Nobody) {
                return Ok(found);
            }
        }
        Ok(Found::Nobody)
    }

    /// Whether the user, as [`Lookups::find`] gave it, may sign in; as known at most 60 seconds ago.
    pub async fn status(&self, user: &User) -> Result<Status, Fault> {
        let SamePerson::Identity(identity) = &user.same_person else { return Ok(Status::Untracked) };
        let mut status = Status::Untracked;
        for kind in &self.kinds {
            status = match kind {
                Kind::Static(users) => users.status(identity),
                Kind::Keycloak(cached) => Box::pin(cached.status(identity)).await?,
                Kind::SignIn(_) => continue,
            };
            if status != Status::Gone {
                break;
            }
        }
        Ok(status)
    }

    /// What [`Lookups::find`] does for this hint, step by step, asking anew.
    pub async fn trace(&self, hint: &str) -> Trace {
        let mut steps = Steps::kept(self.clock.clone());
        let outcome = self.find_in_steps(hint, &mut steps).await;
        steps.end(outcome)
    }

    async fn find_in_steps(&self, hint: &str, steps: &mut Steps) -> Result<Found, Fault> {
        check(hint)?;
        for kind in &self.kinds {
            let found = match kind {
                Kind::Static(users) => {
                    steps.begin("static");
                    let found = users.find(hint);
                    steps.say(|| format!("{} among the realm file's {} users", found.in_words(), users.len()));
                    found
                }
                Kind::Keycloak(cached) => {
                    steps.begin("keycloak");
                    let found = cached.keycloak().find(hint, steps).await?;
                    steps.say(|| found.in_words().to_owned());
                    found
                }
                Kind::SignIn(matching) => {
                    steps.begin("sign-in");
                    let found = matching.find(hint);
                    steps.say(|| matching.in_words(&found));
                    found
                }
            };
            if !matches!(found, Found::Nobody) {
                return Ok(found);
            }
        }
        Ok(Found::Nobody)
    }
}

impl Found {
    pub(super) const fn in_words(&self) -> &'static str {
        match self {
            Self::User(_) => "one user",
            Self::Nobody => "nobody",
            Self::Ambiguous => "more than one user",
            Self::Disabled => "one user, who is disabled",
        }
    }
}

/// "Nobody" would be a lie about a hint that was never looked for.
fn check(hint: &str) -> Result<(), Fault> {
    if hint.is_empty() || hint.chars().nth(LONGEST_HINT).is_some() {
        return Err(Fault::new("a hint has 1 to 255 characters"));
    }
    Ok(())
}

impl fmt::Debug for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lookups({})", self.kinds.len())
    }
}
