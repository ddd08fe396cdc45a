//! What a redeemed grant leaves: the record that its tokens name by `sid`, and the tokens minted from it.
//!
//! Access and ID tokens are signed by the realm's keys, in Keycloak's shape; refresh tokens are HMAC-signed JWTs that only
//! this gateway reads. The record says whether a token still counts; the token alone does not.

mod claims;
mod confirmation;
mod issue;
mod read;
mod refresh;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::{
    claims::released,
    confirmation::{Confirmation, Possession},
    issue::{Issuer, NotRotated, not_refreshed},
    read::{AccessToken, IdToken, NotCounted, PresentedRefreshToken},
    refresh::RefreshKey,
};
use crate::{
    clock::Timestamp,
    oauth::{AuthorizationDetails, Scope},
    realm::{
        client::SenderConstraint,
        user::{Claims, User},
    },
    store::Record,
};

/// The record that tokens name by `sid`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Authorization {
    pub realm: Arc<str>,
    pub client_id: Arc<str>,
    /// As the lookup knew the person when they were asked; asked again for their status.
    pub user: Arc<User>,
    pub sub: Box<str>,
    pub scope: Scope,
    pub authorization_details: AuthorizationDetails,
    /// How its tokens must be bound, as registered when the person was asked.
    pub sender_constraint: Option<SenderConstraint>,
    pub claims: Claims,
    pub auth_time: Timestamp,
    pub acr: Option<Box<str>>,
    pub amr: Vec<Box<str>>,
    pub issued_at: Timestamp,
    /// The one refresh token that counts, by its `jti`.
    pub refresh: Option<RefreshToken>,
    /// When the last of its tokens has expired.
    pub keep_until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshToken {
    pub jti: Box<str>,
    pub expires_at: Timestamp,
}

impl Record for Authorization {
    const KIND: &'static str = "authorization";

    fn keep_until(&self) -> Timestamp {
        self.keep_until
    }
}
