//! The decision: policy, one edge, one event, and the client is told. The page and the device service's callback both end
//! here.

use std::sync::Arc;

use crate::{
    ciba::{
        grant::{Approval, Grant, NotOpen, State, channel_alias, handle_alias},
        notify::Notifier,
    },
    clock::Timestamp,
    event::{self, Event, Events, Via},
    oauth::{self, Code},
    realm::{
        Realm,
        policy::{self, Status},
        user::{Claims, SamePerson, SignIn},
    },
    secret::Digest,
    store::{Change, Group, Key, Table, Unavailable},
};

/// At most this many cards in an inbox.
const MOST_PENDING: usize = 50;

/// The realm's requests as those see them who decide.
#[derive(Clone)]
pub struct Decisions {
    realm: Arc<Realm>,
    grants: Arc<Table<Grant>>,
    notifier: Notifier,
    events: Events,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Approve,
    Deny,
}

/// Why a decision was not taken. None of these changes the grant.
#[derive(Debug, thiserror::Error)]
pub enum NotDecided {
    #[error("there is no such request")]
    Unknown,
    /// Somebody else was asked; they must learn nothing of the request.
    #[error("the request is for another person")]
    OtherPerson,
    #[error("the sign-in is too old for this client")]
    SignInTooOld,
    #[error("the request has expired")]
    Expired,
    /// With the grant as it is, so that the page can say what was decided.
    #[error("the request is decided already")]
    Decided(Box<Grant>),
    #[error("policy forbids it: {}", .0.code().as_str())]
    Policy(oauth::Error),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Decisions {
    pub const fn new(realm: Arc<Realm>, grants: Arc<Table<Grant>>, notifier: Notifier, events: Events) -> Self {
        Self { realm, grants, notifier, events }
    }

    /// The request behind a person's link, whoever it is for.
    pub async fn find(&self, handle: &str) -> Result<Option<Grant>, Unavailable> {
        Ok(self.grants.find(handle_alias(&self.realm.name, handle)).await?.map(|(_, grant)| grant))
    }

    /// The person's undecided requests, the one that ends first on top.
    pub async fn pending_of(&self, person: &SignIn, now: Timestamp) -> Result<Vec<Grant>, Unavailable> {
        let mut pending: Vec<Grant> = Vec::new();
        for group in person.groups() {
            let group = Group::User(Arc::clone(&self.realm.name), group);
            for (_, grant) in self.grants.list(&group, MOST_PENDING).await? {
                if grant.is_open(now) && grant.is_for(person) {
                    pending.push(grant);
                }
            }
        }
        pending.sort_by_key(|grant| grant.request.expires_at);
        pending.dedup_by(|a, b| a.request.handle == b.request.handle);
        Ok(pending)
    }

    /// The person who signed in decides. `shown` is the digest of what their page showed.
    pub async fn by_person(
        &self,
        handle: &str,
        person: &SignIn,
        decision: Decision,
        shown: Digest,
        now: Timestamp,
    ) -> Result<Grant, NotDecided> {
        let found = self.grants.find(handle_alias(&self.realm.name, handle)).await?;
        let (key, grant) = found.ok_or(NotDecided::Unknown)?;
        if !grant.is_for(person) {
            self.refused(&grant, Via::Page, "other person");
            return Err(NotDecided::OtherPerson);
        }
        let request = &grant.request;
        let approval = Approval {
            at: now,
            via: Via::Page,
            sub: request.user.sub.clone().unwrap_or_else(|| person.identity.sub.clone()),
            identity: Some(person.identity.clone()),
            claims: person.claims.clone().or(&request.user.claims),
            auth_time: person.auth_time,
            acr: person.acr.clone(),
            amr: person.amr.clone(),
            shown: Some(shown),
        };
        // the sign-in itself is the freshest status there is (I4)
        self.judge(&grant, Status::Active, &approval, decision, now)?;
        self.decide(key, &grant, decision, approval, now).await
    }

    /// The request that this token of a device service is for.
    pub(super) async fn of_device_service(&self, bearer: &str) -> Result<Option<(Key, Grant)>, Unavailable> {
        self.grants.find(channel_alias(&self.realm.name, bearer)).await
    }

    /// The device service decides the request that its token is for. It vouches for the person, whose status was just asked.
    pub(super) async fn by_device_service(
        &self,
        (key, grant): (Key, Grant),
        decision: Decision,
        status: Status,
        now: Timestamp,
    ) -> Result<Grant, NotDecided> {
        let user = &grant.request.user;
        let Some(sub) = user.sub.clone() else {
            return Err(NotDecided::OtherPerson);
        };
        let identity = match &user.same_person {
            SamePerson::Identity(identity) => Some(identity.clone()),
            _ => None,
        };
        let approval = Approval {
            at: now,
            via: Via::DeviceService,
            sub,
            identity,
            claims: user.claims.clone(),
            auth_time: now,
            acr: None,
            amr: Vec::new(),
            shown: None,
        };
        self.judge(&grant, status, &approval, decision, now)?;
        self.decide(key, &grant, decision, approval, now).await
    }

    /// Whether this may be decided now. Nobody needs to sign in anew to say no.
    fn judge(
        &self,
        grant: &Grant,
        status: Status,
        approval: &Approval,
        decision: Decision,
        now: Timestamp,
    ) -> Result<(), NotDecided> {
        let Some(client) = self.realm.clients.get(&*grant.request.client_id) else {
            self.refused(grant, approval.via, "client gone");
            return Err(NotDecided::Policy(oauth::Error::new(
                Code::UnauthorizedClient,
                "The client is not registered",
            )));
        };
        if decision == Decision::Deny {
            return Ok(());
        }
        if !client.accepts_sign_in(approval.auth_time, grant.request.requested_at, now) {
            return Err(NotDecided::SignInTooOld);
        }
        let request = &grant.request;
        policy::judge(client, status, &request.scope, &request.authorization_details).map_err(|error| {
            self.refused(grant, approval.via, "policy");
            NotDecided::Policy(error)
        })
    }

    async fn decide(
        &self,
        key: Key,
        grant: &Grant,
        decision: Decision,
        approval: Approval,
        now: Timestamp,
    ) -> Result<Grant, NotDecided> {
        let (via, shown, sub) = (approval.via, approval.shown, approval.sub.clone());
        let approval = Arc::new(approval);
        let decided = self
            .grants
            .change(key, |current| {
                let Some(current) = current else { return Change::Keep(Err(NotDecided::Unknown)) };
                let next = match decision {
                    Decision::Approve => current.approve(Arc::clone(&approval), now),
                    Decision::Deny => current.deny(via, now),
                };
                match next {
                    Ok(next) => Change::Put(next.clone(), Ok(next)),
                    Err(NotOpen::Expired) => Change::Keep(Err(NotDecided::Expired)),
                    Err(NotOpen::Decided) => Change::Keep(Err(NotDecided::Decided(Box::new(current.clone())))),
                }
            })
            .await?;
        match &decided {
            Ok(decided) => {
                self.events.tell(Event::Decided {
                    realm: &self.realm.name,
                    client: &grant.request.client_id,
                    sub: &sub,
                    decision: decision.into(),
                    via,
                    shown,
                });
                self.notifier.tell(key, decided, now);
            }
            Err(NotDecided::Expired) => self.refused(grant, via, "expired"),
            Err(_) => self.refused(grant, via, "decided already"),
        }
        decided
    }

    fn refused(&self, grant: &Grant, via: Via, reason: &'static str) {
        let client = Some(&*grant.request.client_id);
        self.events.tell(Event::DecisionRefused { realm: &self.realm.name, client, via, reason });
    }
}

impl From<Decision> for event::Decision {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Approve => Self::Approved,
            Decision::Deny => Self::Denied,
        }
    }
}

impl Grant {
    /// The approval, if there is one, redeemed or not.
    pub fn approval(&self) -> Option<&Approval> {
        match &self.state {
            State::Approved(approval) | State::Redeemed { approval, .. } => Some(approval),
            _ => None,
        }
    }
}

impl Claims {
    /// These claims, and those of `other` where these say nothing.
    #[must_use]
    fn or(self, other: &Self) -> Self {
        let of = |mine: Option<Box<str>>, theirs: &Option<Box<str>>| mine.or_else(|| theirs.clone());
        // an address and its verification belong together
        let (email, email_verified) = match self.email {
            Some(email) => (Some(email), self.email_verified),
            None => (other.email.clone(), other.email_verified),
        };
        let (phone_number, phone_number_verified) = match self.phone_number {
            Some(phone_number) => (Some(phone_number), self.phone_number_verified),
            None => (other.phone_number.clone(), other.phone_number_verified),
        };
        Self {
            name: of(self.name, &other.name),
            given_name: of(self.given_name, &other.given_name),
            family_name: of(self.family_name, &other.family_name),
            preferred_username: of(self.preferred_username, &other.preferred_username),
            locale: of(self.locale, &other.locale),
            email,
            email_verified,
            phone_number,
            phone_number_verified,
        }
    }
}
