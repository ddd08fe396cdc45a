//! Sign-in at the upstream, there and back (OpenID Connect Core 3.1; the protocol itself is `upstream`'s).
//!
//! Signing in starts from a link, since `form-action 'self'` also blocks a form post that redirects to the provider. The
//! link is the page's own address with `?sign-in=start`, so the page that an anonymous visitor sees is the same for every
//! request; what the redirect asks for is the same, too: no hint leaks to whoever holds a link. `again` asks for a fresh
//! sign-in, `switch` for another account. There is no return address: the handle waits, with state, nonce and PKCE
//! verifier, in one sealed cookie for each sign-in that is under way, and nothing is stored here before the person is back.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Answer, Approval, Trouble, Visit,
    cookies::{self, Cookies},
};
use crate::{
    clock::Timestamp,
    event::Event,
    oauth::Params,
    random::NoRandomness,
    realm::SignIn,
    secret::{Digest, Sealer},
    upstream::{Prompt, Returned, SignInFault, Wish},
};

/// How long a person may take at the provider.
const LIFE: Duration = Duration::from_secs(10 * 60);
/// Sign-ins that one browser may have under way.
const MOST: usize = 5;

/// How somebody wants to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Start,
    Again,
    Switch,
}

impl Way {
    pub(super) fn of(query: &Params) -> Option<Self> {
        match query.get("sign-in")? {
            "start" => Some(Self::Start),
            "again" => Some(Self::Again),
            "switch" => Some(Self::Switch),
            _ => None,
        }
    }
}

/// A sign-in that is under way, as its cookie holds it.
#[derive(Serialize, Deserialize)]
struct Flow {
    began: Timestamp,
    handle: Option<String>,
    /// Whether a fresh sign-in was asked for.
    fresh: bool,
    acr_values: Option<String>,
    secrets: Value,
}

/// The sealed cookies of one realm.
pub(super) struct Flows {
    purpose: String,
    sealer: Arc<Sealer>,
    cookies: Cookies,
}

impl Flows {
    pub(super) fn new(realm: Arc<str>, sealer: Arc<Sealer>, cookies: Cookies) -> Self {
        Self { purpose: format!("sign-in {realm}"), sealer, cookies }
    }

    /// The values of `Set-Cookie` that keep this flow, and drop the oldest where a browser has too many.
    fn keep(&self, visit: &Visit<'_>, state: &str, flow: &Flow) -> Result<Vec<String>, NoRandomness> {
        let text = serde_json::to_vec(flow).map_err(|_| NoRandomness)?;
        let sealed = self.sealer.seal(&self.purpose, &text)?;
        let mut others: Vec<(Option<Timestamp>, String)> = cookies::each(visit.cookie)
            .filter(|(name, _)| self.is_name(name))
            .map(|(name, value)| (self.open(&value).map(|flow| flow.began), name))
            .collect();
        others.sort();
        let surplus = (others.len() + 1).saturating_sub(MOST);
        let mut cookies = vec![self.cookies.set(&self.name(state), &sealed, Some(LIFE))];
        cookies.extend(others.into_iter().take(surplus).map(|(_, name)| self.cookies.forget(&name)));
        Ok(cookies)
    }

    /// The flow of this state, if this browser began it; with what removes its cookie.
    fn take(&self, visit: &Visit<'_>, state: &str) -> Option<(Flow, String)> {
        let name = self.name(state);
        let flow = self.open(&cookies::get(visit.cookie, &name)?)?;
        Some((flow, self.cookies.forget(&name)))
    }

    fn open(&self, sealed: &str) -> Option<Flow> {
        serde_json::from_slice(&self.sealer.open(&self.purpose, sealed)?).ok()
    }

    fn name(&self, state: &str) -> String {
        let id = Digest::of(state.as_bytes()).base64url();
        format!("{}-{}", self.cookies.name("sign-in"), &id[..8])
    }

    /// Of equal length for one realm, so that no realm's name can be taken for part of another's.
    fn is_name(&self, name: &str) -> bool {
        name.len() == self.name("").len() && name.starts_with(&self.cookies.name("sign-in"))
    }
}

/// What a sign-in is for, and what it has to be like.
struct Aim<'a> {
    handle: Option<&'a str>,
    prompt: Option<Prompt>,
    acr_values: Option<&'a str>,
}

impl Approval {
    /// To the provider, and from there back to the request or the inbox.
    pub(super) async fn start(&self, visit: &Visit<'_>, handle: Option<&str>, way: Way) -> Result<Answer, Trouble> {
        let handle = handle.filter(|handle| is_handle(handle));
        let wanted = match (way, handle) {
            (Way::Again, Some(handle)) => self.wanted_acr(visit, handle).await?,
            _ => None,
        };
        let prompt = match way {
            // the provider may still know who has just left
            Way::Start if self.sessions.was_left(visit) => Some(Prompt::SelectAccount),
            Way::Start => None,
            Way::Again => Some(Prompt::Login),
            Way::Switch => Some(Prompt::SelectAccount),
        };
        self.begin(visit, Aim { handle, prompt, acr_values: wanted.as_deref() }).await
    }

    /// The `acr_values` of a request, for the person that it is for and nobody else.
    async fn wanted_acr(&self, visit: &Visit<'_>, handle: &str) -> Result<Option<Box<str>>, Trouble> {
        let Some(current) = self.sessions.current(visit).await? else { return Ok(None) };
        let grant = self.decisions.find(handle).await?.filter(|grant| grant.is_for(current.person()));
        Ok(grant.and_then(|grant| grant.request.acr_values.clone()))
    }

    async fn begin(&self, visit: &Visit<'_>, aim: Aim<'_>) -> Result<Answer, Trouble> {
        let Some(provider) = &self.provider else { return Ok(self.nowhere(visit)) };
        let Aim { handle, prompt, acr_values } = aim;
        let wish = Wish { login_hint: None, max_age: self.max_age(), acr_values, prompt };
        let begun = provider.begin(&self.realm.addresses.sign_in_callback(), &wish).await;
        let (url, secrets) = match begun {
            Ok(begun) => begun,
            Err(fault) => return Ok(self.provider_down(visit, handle, &fault)),
        };
        let Some(state) = url.query_pairs().find(|(name, _)| name == "state").map(|(_, state)| state.into_owned())
        else {
            return Ok(self.provider_down(visit, handle, "the authorization request has no state"));
        };
        let flow = Flow {
            began: visit.now,
            handle: handle.map(Into::into),
            fresh: prompt == Some(Prompt::Login),
            acr_values: acr_values.map(Into::into),
            secrets,
        };
        let cookies = self.flows.keep(visit, &state, &flow)?;
        Ok(Answer::Redirect { location: url.into(), cookies })
    }

    /// `GET /{realm}/sign-in/callback`: back from the provider. Makes this browser's session; without the cookie that this
    /// browser got when it left, nothing happens and the provider is not asked.
    pub async fn sign_in_callback(&self, visit: &Visit<'_>) -> Answer {
        let answer = self.come_back(visit).await;
        self.finish(visit, answer)
    }

    async fn come_back(&self, visit: &Visit<'_>) -> Result<Answer, Trouble> {
        let Some(provider) = &self.provider else { return Ok(self.nowhere(visit)) };
        let state = visit.query.get("state");
        let Some((flow, forget)) = state.and_then(|state| self.flows.take(visit, state)) else {
            self.failed("no cookie");
            return Ok(self.cookie_lost(visit));
        };
        let handle = flow.handle.as_deref();
        if visit.now.since(flow.began) > LIFE {
            self.failed("took too long");
            return Ok(self.took_too_long(visit, handle).with_cookie(forget));
        }
        let [code, iss, error] = ["code", "iss", "error"].map(|name| visit.query.get(name));
        let redirect_uri = self.realm.addresses.sign_in_callback();
        let signed_in = provider.finish(&redirect_uri, &Returned { code, state, iss, error }, flow.secrets).await;
        match signed_in {
            Ok(person) => {
                let acr_values = flow.acr_values.as_deref();
                self.signed_in(visit, handle, person, acr_values).await.map(|answer| answer.with_cookie(forget))
            }
            // a provider that minds no `max_age` is asked for a fresh sign-in, once
            Err(SignInFault::NoAuthTime | SignInFault::TooOld) if !flow.fresh => {
                let aim = Aim { handle, prompt: Some(Prompt::Login), acr_values: flow.acr_values.as_deref() };
                self.begin(visit, aim).await.map(|answer| answer.with_cookie(forget))
            }
            Err(fault) => {
                self.failed(match fault {
                    SignInFault::Cancelled => "cancelled",
                    SignInFault::Refused(_) => "refused",
                    SignInFault::WrongState => "wrong state",
                    SignInFault::TooOld => "too old",
                    SignInFault::NoAuthTime => "no auth_time",
                    SignInFault::Unavailable(_) => "unavailable",
                });
                Ok(self.sign_in_failed(visit, handle, &fault).with_cookie(forget))
            }
        }
    }

    async fn signed_in(
        &self,
        visit: &Visit<'_>,
        handle: Option<&str>,
        person: SignIn,
        acr_values: Option<&str>,
    ) -> Result<Answer, Trouble> {
        let sub = person.identity.sub.clone();
        let Some(cookie) = self.sessions.open(visit, person, acr_values).await? else {
            self.failed("too many sessions");
            return Ok(self.too_many_sessions(visit));
        };
        self.events.tell(Event::SignedIn { realm: &self.realm.name, sub: Some(&sub), failure: None });
        Ok(Answer::redirect(self.site.path_of(handle)).with_cookie(cookie))
    }

    /// How old a sign-in may be: the least of all clients, since the redirect must not tell whose request a link is for.
    fn max_age(&self) -> Duration {
        let clients = self.realm.clients.values().filter(|client| client.enabled && client.grant_types.ciba);
        clients.map(|client| client.max_age()).min().unwrap_or(Duration::from_secs(15 * 60))
    }

    fn failed(&self, failure: &str) {
        self.events.tell(Event::SignedIn { realm: &self.realm.name, sub: None, failure: Some(failure) });
    }
}

/// Whether a text has the shape of a handle: 256 bits in base64url.
pub(super) fn is_handle(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
