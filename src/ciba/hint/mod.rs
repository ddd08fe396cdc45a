//! Step 2 of an authentication request: exactly one hint (CIBA Core 7.1), of a kind that the client may send, and whom it
//! names.
//!
//! A `login_hint` is a text for the realm's lookups. The other two are JWTs, which end here as such a text or as a `sub`; who
//! that is, the lookups say alike for all three.

mod id_token;
mod login_hint_token;

use std::{borrow::Cow, sync::Arc};

use crate::{
    clock::Timestamp,
    jose::RemoteKeys,
    keys::KeySet,
    oauth::{Code, Error, Params},
    realm::{Client, Realm, User},
    upstream::{Found, Lookups, Upstream},
};

/// The longest hint that is looked up, in characters.
const LONGEST: usize = 255;

/// A hint, as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint<'a> {
    Login(&'a str),
    LoginToken(&'a str),
    IdToken(&'a str),
}

/// Whom a hint names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named<'a> {
    /// Somebody whom the lookups find by this text.
    Hint(Cow<'a, str>),
    /// Somebody whom this realm's tokens name so.
    Sub(String),
}

impl<'a> Hint<'a> {
    /// # Errors
    /// `invalid_request` for no hint, several, or one that is not the client's.
    pub(super) fn of(params: &'a Params, client: &Client) -> Result<Self, Error> {
        let hints = ["login_hint", "login_hint_token", "id_token_hint"].map(|name| params.get(name));
        let (hint, allowed) = match hints {
            [Some(hint), None, None] => (Self::Login(hint), client.hints.login_hint),
            [None, Some(hint), None] => (Self::LoginToken(hint), client.hints.login_hint_token),
            [None, None, Some(hint)] => (Self::IdToken(hint), client.hints.id_token_hint),
            [None, None, None] => return Err(Error::invalid_request("A hint is missing, such as login_hint")),
            _ => return Err(Error::invalid_request("The request has more than one hint")),
        };
        match hint {
            _ if !allowed => Err(Error::invalid_request("The client may not send a hint of this kind")),
            Self::Login(text) if !can_be_looked_up(text) => Err(Error::invalid_request("login_hint is too long")),
            _ => Ok(hint),
        }
    }
}

/// Turns a realm's hints into users.
pub struct Hints {
    realm: Arc<Realm>,
    lookups: Arc<Lookups>,
    /// The realm's own, with which its ID tokens are signed.
    keys: Arc<KeySet>,
    /// Whose ID tokens count, too.
    upstream: Option<Arc<Upstream>>,
    /// Those of the issuers of `login_hint_token`s.
    foreign: RemoteKeys,
}

impl Hints {
    pub const fn new(
        realm: Arc<Realm>,
        lookups: Arc<Lookups>,
        keys: Arc<KeySet>,
        upstream: Option<Arc<Upstream>>,
        foreign: RemoteKeys,
    ) -> Self {
        Self { realm, lookups, keys, upstream, foreign }
    }

    /// # Errors
    /// `invalid_request` for a token that does not count here, `expired_login_hint_token`, `unknown_user_id`;
    /// `temporarily_unavailable` where somebody who must be asked does not answer (I10).
    pub(super) async fn user(&self, client: &Client, hint: Hint<'_>, now: Timestamp) -> Result<Arc<User>, Error> {
        let named = match hint {
            Hint::Login(text) => Named::Hint(text.into()),
            // boxed: these may go over the network, and must not make every request's future so large
            Hint::LoginToken(token) => Box::pin(self.login_hint_token(token, now)).await?,
            Hint::IdToken(token) => Box::pin(self.id_token(client, token, now)).await?,
        };
        let found = match &named {
            Named::Hint(text) => self.lookups.find(text).await,
            Named::Sub(sub) => self.lookups.find_by_sub(sub).await,
        };
        let unknown = |cause| Error::new(Code::UnknownUserId, "The hint does not identify a user").because(cause);
        match found {
            Ok(Found::User(user)) => Ok(user),
            Ok(Found::Nobody) => Err(unknown("no user")),
            Ok(Found::Ambiguous) => Err(unknown("ambiguous: more than one user")),
            Ok(Found::Disabled) => Err(unknown("the user is disabled")),
            Err(fault) => Err(Error::unavailable(format!("lookup: {fault}"))),
        }
    }
}

/// Whether the lookups take this text. The form's parser has refused control characters already, a JSON string may hold some.
fn can_be_looked_up(text: &str) -> bool {
    !text.is_empty() && text.chars().nth(LONGEST).is_none() && !text.contains(char::is_control)
}
