//! The backchannel authentication feature (OpenID CIBA Core 1.0), one file per step: `request_object` reads what is signed,
//! `request` parses, `hint` finds the user, `authenticate` makes the grant and asks the person, `decide` takes the decision,
//! `notify` tells the client, `redeem` gives the tokens, `held` lets a poll wait for them. `grant` is the state machine.

mod authenticate;
mod callback;
pub mod decide;
mod details;
pub mod grant;
mod held;
mod hint;
mod limits;
pub mod notify;
mod redeem;
mod request;
mod request_object;
mod visible;

use std::sync::Arc;

pub use self::{
    grant::Grant, held::HeldPolls, hint::Hints, limits::WrongCodes, redeem::Redemption, request_object::RequestObjects,
};
use crate::{
    authorization::Issuer,
    channel::Channels,
    ciba::{authenticate::Hashing, decide::Decisions, limits::UserCodeLimit, notify::Notifier},
    clock::Clock,
    event::Events,
    oauth::Error,
    random::Random,
    realm::{Realm, Served},
    store::{Table, Unavailable},
};

/// CIBA in one realm.
pub struct Ciba {
    realm: Arc<Realm>,
    request_objects: RequestObjects,
    hints: Hints,
    channels: Channels,
    grants: Arc<Table<Grant>>,
    decisions: Decisions,
    user_codes: UserCodeLimit,
    hashing: Hashing,
    notifier: Notifier,
    redemption: Arc<Redemption>,
    held: Arc<HeldPolls>,
    served: Served,
    issuer: Arc<Issuer>,
    events: Events,
    clock: Clock,
    random: Random,
}

impl Ciba {
    pub fn new(
        request_objects: RequestObjects,
        hints: Hints,
        channels: Channels,
        decisions: Decisions,
        notifier: Notifier,
        redemption: Arc<Redemption>,
        wrong_codes: Arc<Table<WrongCodes>>,
        held: Arc<HeldPolls>,
        clock: Clock,
    ) -> Self {
        let realm = Arc::clone(&redemption.realm);
        Self {
            request_objects,
            hints,
            channels,
            grants: Arc::clone(&redemption.grants),
            decisions,
            user_codes: UserCodeLimit::new(Arc::clone(&realm.name), wrong_codes),
            hashing: Hashing::new(),
            served: notifier.served().clone(),
            notifier,
            held,
            issuer: Arc::clone(&redemption.issuer),
            events: redemption.events.clone(),
            clock,
            random: redemption.random.clone(),
            redemption,
            realm,
        }
    }
}

impl From<Unavailable> for Error {
    fn from(fault: Unavailable) -> Self {
        Self::unavailable(fault.to_string())
    }
}
