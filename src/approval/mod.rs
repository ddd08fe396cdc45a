//! The person's side: sign-in at the upstream, session, inbox, decision page, result. Server-rendered pages that work
//! without JavaScript; the words on them are plain ones, without the protocol's.
//!
//! | address | what |
//! |---|---|
//! | `GET /{realm}/approvals` | [`Approval::inbox`]: what waits for the person |
//! | `GET /{realm}/approvals/{handle}` | [`Approval::request`]: one request, or what became of it |
//! | the same two with `?sign-in=start` (`again`, `switch`) | the way to the upstream (`sign_in`) |
//! | `POST /{realm}/approvals/{handle}` | [`Approval::decide`] |
//! | `GET /{realm}/sign-in/callback` | [`Approval::sign_in_callback`]: makes the session |
//! | `POST /{realm}/sign-out` | [`Approval::sign_out`]: ends it |
//! | `GET /{realm}/logout`, `/{realm}/authorize` | where applications send browsers: pages that say what came of it |
//!
//! GET is inert but for the callback (I5). A request is shown to nobody but the person it is for (I7), from the grant and
//! the configuration alone; the form carries a digest of what was shown (I6, `shown`). No credential of a client is
//! looked at here. Deciding itself is `ciba::decide`; turning an [`Answer`] into a response is `web`'s.

mod cookies;
mod decision;
mod details;
mod fault;
mod front_channel;
mod inbox;
mod notice;
mod page;
mod provider;
mod request;
mod session;
mod shown;
mod sign_in;
mod sign_out;
mod visit;
mod wording;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use cookies::Cookies;
use page::Site;
use provider::Provider;
pub use session::Session;
use session::Sessions;
use sign_in::Flows;
pub use visit::Visit;

use crate::{
    ciba::decide::Decisions,
    event::{Event, Events, Via},
    random::{NoRandomness, Random},
    realm::Realm,
    secret::Sealer,
    store::{Table, Unavailable},
    upstream::Upstream,
};

/// Headers of every page. `Referrer-Policy` is not `no-referrer`: with that, browsers send `Origin: null` on form posts.
pub const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("x-robots-tag", "noindex"),
];

/// Content type and bytes of `/{realm}/approvals.css`.
pub const fn stylesheet() -> (&'static str, &'static [u8]) {
    ("text/css; charset=utf-8", include_bytes!("style.css"))
}

/// Content type and bytes of `/{realm}/approvals.js`: local times and a countdown; the pages work without it.
pub const fn script() -> (&'static str, &'static [u8]) {
    ("text/javascript; charset=utf-8", include_bytes!("script.js"))
}

/// What a browser is answered with.
#[derive(Debug)]
pub enum Answer {
    Page {
        status: u16,
        html: String,
        /// Values of `Set-Cookie`.
        cookies: Vec<String>,
        /// `ok`, or a word for the access log.
        outcome: &'static str,
        /// For the log alone.
        cause: Option<String>,
    },
    /// 303. The location is a path of ours, or the upstream's authorization endpoint.
    Redirect { location: String, cookies: Vec<String> },
}

/// The person's side of one realm.
pub struct Approval {
    realm: Arc<Realm>,
    decisions: Decisions,
    provider: Option<Provider>,
    sessions: Sessions,
    flows: Flows,
    events: Events,
    site: Site,
}

/// Something that we depend on does not work (I10). Nothing was decided.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Store(#[from] Unavailable),
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

impl Approval {
    /// Without an upstream nobody can sign in, and every page is a 404: so for a realm without pages hand in none. Cookies are `__Host-` cookies where the public URL
    /// is HTTPS.
    pub fn new(
        realm: Arc<Realm>,
        decisions: Decisions,
        upstream: Option<Arc<Upstream>>,
        sessions: Arc<Table<Session>>,
        sealer: Arc<Sealer>,
        events: Events,
        random: Random,
    ) -> Self {
        Self::with_provider(realm, decisions, upstream.map(Provider::Upstream), sessions, sealer, events, random)
    }

    fn with_provider(
        realm: Arc<Realm>,
        decisions: Decisions,
        provider: Option<Provider>,
        sessions: Arc<Table<Session>>,
        sealer: Arc<Sealer>,
        events: Events,
        random: Random,
    ) -> Self {
        let site = Site::of(&realm);
        let cookies = Cookies::new(&realm.name, site.is_https());
        let sessions = Sessions::new(Arc::clone(&realm.name), sessions, cookies.clone(), random);
        let flows = Flows::new(Arc::clone(&realm.name), sealer, cookies);
        Self { realm, decisions, provider, sessions, flows, events, site }
    }

    /// What `web` answers with where a form or a query cannot be read, or has not arrived: `status` says which.
    pub fn bad_request(&self, visit: &Visit<'_>, status: u16) -> Answer {
        self.unreadable(visit, None, status)
    }

    fn finish(&self, visit: &Visit<'_>, answer: Result<Answer, Trouble>) -> Answer {
        answer.unwrap_or_else(|trouble| self.trouble(visit, &trouble))
    }

    fn refused(&self, reason: &'static str) {
        self.events.tell(Event::DecisionRefused { realm: &self.realm.name, client: None, via: Via::Page, reason });
    }
}

impl Answer {
    fn redirect(location: String) -> Self {
        Self::Redirect { location, cookies: Vec::new() }
    }

    /// With `cookie` (a value of `Set-Cookie`) besides.
    #[must_use]
    fn with_cookie(mut self, cookie: String) -> Self {
        let (Self::Page { cookies, .. } | Self::Redirect { cookies, .. }) = &mut self;
        cookies.push(cookie);
        self
    }
}
