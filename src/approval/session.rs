//! The browser's session: who signed in at the upstream. The cookie holds 256 random bits, the table their digest.
//!
//! A sign-in always makes a new session and ends the browser's old one, so nothing that was planted or kept before is worth
//! anything after. A session belongs to one realm. It ends 15 minutes after it was last used to sign in or decide (looking
//! does not count: GET is inert), and after eight hours in any case.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{
    Trouble, Visit,
    cookies::{self, Cookies},
};
use crate::{
    clock::Timestamp,
    random::Random,
    realm::{SignIn, user::Identity},
    secret::{Digest, Secret, hmac_sha256},
    store::{Change, Group, Key, NotInserted, Quota, Record, Table, Unavailable},
};

const IDLE: Duration = Duration::from_secs(15 * 60);
const LONGEST: Duration = Duration::from_secs(8 * 60 * 60);
/// Sessions of a realm (I12).
const MOST: usize = 100_000;
/// Sessions of one person: nobody has more browsers than this.
const MOST_OF_PERSON: usize = 50;

/// The cookie's value after a sign-out; no session has it.
const LEFT: &str = "left";

/// A person who signed in with a browser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    realm: Arc<str>,
    person: Arc<SignIn>,
    /// The `acr_values` that this sign-in was asked for.
    asked_acr: Option<Box<str>>,
    began: Timestamp,
    used: Timestamp,
}

impl Record for Session {
    const KIND: &'static str = "session";

    fn keep_until(&self) -> Timestamp {
        self.used.plus(IDLE).min(self.began.plus(LONGEST))
    }

    fn groups(&self) -> Vec<Group> {
        groups(&self.realm, &self.person.identity).into()
    }
}

fn groups(realm: &Arc<str>, Identity { iss, sub }: &Identity) -> [Group; 2] {
    let person = Digest::of_parts(&[iss.as_bytes(), b"\0", sub.as_bytes()]);
    [Group::Realm(Arc::clone(realm)), Group::User(Arc::clone(realm), person)]
}

/// The sessions of one realm.
pub(super) struct Sessions {
    realm: Arc<str>,
    table: Arc<Table<Session>>,
    cookies: Cookies,
    random: Random,
}

/// The session that a browser showed, alive.
pub(super) struct Current {
    id: String,
    key: Key,
    session: Session,
}

/// What a form of this session is for; a token made for one is worthless for another.
#[derive(Clone, Copy)]
pub(super) enum Purpose<'a> {
    Decide { handle: &'a str },
    SignOut,
}

/// What the form that ends the session holds.
pub(super) struct SignOut<'a> {
    pub(super) token: String,
    /// The request to come back to.
    pub(super) handle: Option<&'a str>,
}

impl Sessions {
    pub(super) const fn new(realm: Arc<str>, table: Arc<Table<Session>>, cookies: Cookies, random: Random) -> Self {
        Self { realm, table, cookies, random }
    }

    pub(super) async fn current(&self, visit: &Visit<'_>) -> Result<Option<Current>, Unavailable> {
        let Some(id) = cookies::get(visit.cookie, &self.cookies.name("session")) else { return Ok(None) };
        let key = Table::<Session>::key(&self.realm, &id);
        let session = self.table.get(key).await?.filter(|session| visit.now < session.keep_until());
        Ok(session.map(|session| Current { id, key, session }))
    }

    /// A new session in place of the browser's old one. Returns its cookie, or nothing when there are too many.
    pub(super) async fn open(
        &self,
        visit: &Visit<'_>,
        person: SignIn,
        asked_acr: Option<&str>,
    ) -> Result<Option<String>, Trouble> {
        if let Some(old) = self.current(visit).await? {
            self.close(&old).await?;
        }
        let [of_realm, of_person] = groups(&self.realm, &person.identity);
        let quotas = [Quota { group: of_realm, most: MOST }, Quota { group: of_person, most: MOST_OF_PERSON }];
        let id = self.random.identifier()?;
        let session = Session {
            realm: Arc::clone(&self.realm),
            person: Arc::new(person),
            asked_acr: asked_acr.map(Into::into),
            began: visit.now,
            used: visit.now,
        };
        match self.table.insert(Table::<Session>::key(&self.realm, &id), session, &quotas).await {
            Ok(()) => Ok(Some(self.cookies.set(&self.cookies.name("session"), &id, None))),
            Err(NotInserted::Full(_) | NotInserted::Exists) => Ok(None),
            Err(NotInserted::Unavailable(error)) => Err(error.into()),
        }
    }

    /// Ends a session. Returns the cookie that takes the place of its own: this browser's next sign-in asks who it is.
    pub(super) async fn close(&self, current: &Current) -> Result<String, Unavailable> {
        self.table.change(current.key, |_| Change::Remove(())).await?;
        Ok(self.cookies.set(&self.cookies.name("session"), LEFT, None))
    }

    /// Whether somebody signed out in this browser, and nobody has signed in since.
    pub(super) fn was_left(&self, visit: &Visit<'_>) -> bool {
        cookies::get(visit.cookie, &self.cookies.name("session")).as_deref() == Some(LEFT)
    }

    /// The person decided something: the session is in use.
    pub(super) async fn touch(&self, current: &Current, now: Timestamp) -> Result<(), Unavailable> {
        self.table
            .change(current.key, |session| match session {
                Some(session) => Change::Put(Session { used: now, ..session.clone() }, ()),
                None => Change::Keep(()),
            })
            .await
    }
}

impl Current {
    pub(super) fn person(&self) -> &SignIn {
        &self.session.person
    }

    /// Whether this sign-in has one of the `acr_values` or was at least asked for them: they are a voluntary wish
    /// (OpenID Connect Core 3.1.2.1), so one try is enough.
    pub(super) fn meets(&self, acr_values: &str) -> bool {
        let acr = self.person().acr.as_deref();
        acr_values.split(' ').any(|wanted| acr == Some(wanted)) || self.session.asked_acr.as_deref() == Some(acr_values)
    }

    /// The token of a form: only a page that this session was shown holds it.
    pub(super) fn token(&self, purpose: Purpose<'_>) -> String {
        let message = match purpose {
            Purpose::Decide { handle } => format!("decide {handle}"),
            Purpose::SignOut => "sign out".to_owned(),
        };
        URL_SAFE_NO_PAD.encode(hmac_sha256(self.id.as_bytes(), message.as_bytes()))
    }

    pub(super) fn sign_out<'a>(&self, handle: Option<&'a str>) -> SignOut<'a> {
        SignOut { token: self.token(Purpose::SignOut), handle }
    }

    pub(super) fn vouches(&self, purpose: Purpose<'_>, token: Option<&str>) -> bool {
        token.is_some_and(|token| Secret::new(self.token(purpose)).matches(token))
    }
}
