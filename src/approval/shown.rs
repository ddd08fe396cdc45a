//! What the decision page shows of a request, and the digest of it (I6). The page is rendered from this and from sentences
//! that never change; the posted form carries the digest, and the decision is recorded with it. How far away an instant is
//! stands beside it on the page and is no part of it, since it changes from minute to minute.

use serde::Serialize;

use super::{details::Detail, page::Site, wording};
use crate::{
    ciba::grant::Grant,
    clock::Timestamp,
    realm::{Client, Realm, SignIn, user::Claims},
    secret::Digest,
};

#[derive(Debug, Serialize)]
pub(super) struct Shown {
    pub(super) realm: String,
    pub(super) host: String,
    /// Who asks, by its registered name.
    pub(super) client: String,
    pub(super) account: Account,
    /// What the client says that the other screen shows.
    pub(super) message: Option<String>,
    /// What it asks for beyond scopes.
    pub(super) details: Vec<Detail>,
    /// The same to the letter: two values may look alike and not be.
    details_digest: Digest,
    /// What the client gets, one sentence for each scope.
    pub(super) gets: Vec<String>,
    /// How long the access lasts.
    pub(super) lasts: String,
    /// For how long it can be renewed without asking again.
    pub(super) renewable: Option<String>,
    pub(super) started: Timestamp,
    pub(super) open_until: Timestamp,
    pub(super) reference: String,
}

/// The account that somebody is signed in with, in the person's own words.
#[derive(Debug, Serialize)]
pub(super) struct Account {
    pub(super) name: String,
    /// The user name, where it says more than the name.
    pub(super) user_name: Option<String>,
}

impl Shown {
    pub(super) fn of(realm: &Realm, site: &Site, client: &Client, grant: &Grant, person: &SignIn) -> Self {
        let request = &grant.request;
        let tokens = &realm.tokens;
        let exact = serde_json::to_vec(&request.authorization_details).unwrap_or_default();
        Self {
            realm: site.realm.clone(),
            host: site.host.clone(),
            client: client.display_name().to_owned(),
            account: Account::of(person),
            message: request.binding_message.as_deref().map(Into::into),
            details: details(realm, grant),
            details_digest: Digest::of(&exact),
            gets: request.scope.iter().map(|scope| wording::scope(&realm.scope_texts, scope)).collect(),
            lasts: wording::lasting(tokens.access_token_lifespan),
            renewable: client.grant_types.refresh_token.then(|| wording::lasting(tokens.refresh_token_lifespan)),
            started: request.requested_at,
            open_until: request.expires_at,
            reference: wording::reference(&request.handle),
        }
    }

    pub(super) fn digest(&self) -> Digest {
        // a structure of texts and numbers can always be written as JSON
        Digest::of_parts(&[b"shown ", &serde_json::to_vec(self).unwrap_or_default()])
    }
}

/// What a request asks for beyond scopes, in words.
pub(super) fn details(realm: &Realm, grant: &Grant) -> Vec<Detail> {
    let details = &grant.request.authorization_details;
    let kind = |name: &str| realm.authorization_details_types.get(name).map(AsRef::as_ref);
    details.types().zip(details.iter()).map(|(name, item)| Detail::of(kind(name), item)).collect()
}

impl Account {
    pub(super) fn of(person: &SignIn) -> Self {
        let Claims { name, given_name, family_name, preferred_username, email, .. } = &person.claims;
        let full_name = match (name, given_name, family_name) {
            (Some(name), ..) => Some(name.to_string()),
            (None, Some(given), Some(family)) => Some(format!("{given} {family}")),
            (None, given, family) => given.as_ref().or(family.as_ref()).map(ToString::to_string),
        };
        let user_name = preferred_username.as_ref().or(email.as_ref()).map(ToString::to_string);
        match (full_name, user_name) {
            (Some(name), user_name) => Self { user_name: user_name.filter(|other| *other != name), name },
            (None, Some(user_name)) => Self { name: user_name, user_name: None },
            (None, None) => Self { name: person.identity.sub.to_string(), user_name: None },
        }
    }
}
