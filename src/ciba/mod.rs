//! The backchannel authentication feature (OpenID CIBA Core 1.0), one file per step: `request` parses, `authenticate` makes
//! the grant and asks the person, `decide` takes the decision, `redeem` gives the tokens. `grant` is the state machine.

mod authenticate;
mod callback;
pub mod decide;
pub mod grant;
mod limits;
mod redeem;
mod request;

use std::sync::Arc;

use tokio::sync::Semaphore;

pub use self::{grant::Grant, limits::WrongCodes};
use crate::{
    authorization::Issuer,
    channel::Channels,
    ciba::{decide::Decisions, limits::UserCodeLimit},
    event::Events,
    oauth::Error,
    random::Random,
    realm::Realm,
    store::{Table, Unavailable},
    upstream::lookup::Lookups,
};

/// CIBA in one realm.
pub struct Ciba {
    realm: Arc<Realm>,
    lookups: Lookups,
    channels: Channels,
    grants: Arc<Table<Grant>>,
    decisions: Decisions,
    user_codes: UserCodeLimit,
    hashing: Semaphore,
    issuer: Arc<Issuer>,
    events: Events,
    random: Random,
}

impl Ciba {
    #[expect(clippy::too_many_arguments, reason = "each is one of the parts that the feature is made of")]
    pub fn new(
        realm: Arc<Realm>,
        lookups: Lookups,
        channels: Channels,
        grants: Arc<Table<Grant>>,
        decisions: Decisions,
        wrong_codes: Arc<Table<WrongCodes>>,
        issuer: Arc<Issuer>,
        events: Events,
        random: Random,
    ) -> Self {
        let user_codes = UserCodeLimit::new(Arc::clone(&realm.name), wrong_codes);
        let hashing = Semaphore::new(authenticate::HASHING);
        Self { realm, lookups, channels, grants, decisions, user_codes, hashing, issuer, events, random }
    }
}

impl From<Unavailable> for Error {
    fn from(fault: Unavailable) -> Self {
        Self::unavailable(fault.to_string())
    }
}
