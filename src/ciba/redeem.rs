//! A grant becomes tokens, once: by the token request with the CIBA grant (CIBA Core 10.1, 11), or for a push client when it
//! is approved (`notify`). Fetch what the verdict needs, then one change that answers pending, slow down, denied, expired or
//! "yours, once", then mint.

use std::{sync::Arc, time::Duration};

use crate::{
    authorization::{Authorization, Confirmation, Issuer, Possession},
    ciba::{
        Ciba,
        grant::{Approval, Delivery, Grant, Poll},
    },
    client_auth::AuthenticatedClient,
    clock::Timestamp,
    event::{Event, Events},
    oauth::{Code, Error, Params, response::TokenResponse},
    random::Random,
    realm::{
        self, Client, Realm, User,
        policy::{self, Status},
    },
    store::{Change, Key, Table},
    upstream::lookup::Lookups,
};

/// Gives the tokens of a realm's approved requests.
pub struct Redemption {
    pub(super) realm: Arc<Realm>,
    pub(super) lookups: Arc<Lookups>,
    pub(super) grants: Arc<Table<Grant>>,
    pub(super) issuer: Arc<Issuer>,
    pub(super) events: Events,
    pub(super) random: Random,
}

/// Who redeems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The client at the token endpoint, perhaps while another poll of the same request is held.
    Poll { overlaps: bool },
    /// The gateway, for a push client.
    Push,
}

/// Whether an approved grant becomes a redeemed one now.
#[derive(Clone, Copy)]
enum Commit {
    Yes,
    No,
}

impl Ciba {
    /// `possession` is what the tokens are bound to: today's registration has been judged, that at the time of asking counts
    /// besides.
    ///
    /// # Errors
    /// Those of CIBA Core 11. Nothing is spent where the answer is an error.
    pub async fn redeem(
        &self,
        client: &AuthenticatedClient,
        params: &Params,
        possession: &Possession<'_>,
        now: Timestamp,
    ) -> Result<TokenResponse, Error> {
        let answer = self.poll(client, params, possession, now).await;
        if let Err(error) = &answer {
            let (realm, client) = (&*self.realm.name, &*client.client_id);
            self.events.tell(Event::Polled { realm, client, error });
        }
        answer
    }

    async fn poll(
        &self,
        client: &Client,
        params: &Params,
        possession: &Possession<'_>,
        now: Timestamp,
    ) -> Result<TokenResponse, Error> {
        policy::may_use(client.grant_types.ciba)?;
        if matches!(client.delivery, realm::client::Delivery::Push(_)) {
            return Err(pushed());
        }
        let auth_req_id = params.get("auth_req_id").ok_or_else(|| Error::invalid_request("auth_req_id is missing"))?;
        let key = Table::<Grant>::key(&self.realm.name, auth_req_id);
        if self.realm.ciba.long_poll.is_zero() {
            return self.redemption.redeem(client, key, By::Poll { overlaps: false }, possession, now).await;
        }
        let place = self.held.place(key, &client.client_id);
        let overlaps = place.is_none();
        match (place, self.redemption.redeem(client, key, By::Poll { overlaps }, possession, now).await) {
            (Some(place), Err(error)) if error.code() == Code::AuthorizationPending => {
                self.hold(client, key, place, possession, now).await
            }
            (_, answer) => answer,
        }
    }

    /// The user's status now, at most 60 seconds old.
    pub async fn status(&self, user: &User) -> Result<Status, Error> {
        self.redemption.status(user).await
    }
}

impl Redemption {
    pub fn new(
        realm: Arc<Realm>,
        lookups: Arc<Lookups>,
        grants: Arc<Table<Grant>>,
        issuer: Arc<Issuer>,
        events: Events,
        random: Random,
    ) -> Arc<Self> {
        Arc::new(Self { realm, lookups, grants, issuer, events, random })
    }

    /// Tokens for a poll.
    pub(super) async fn redeem(
        &self,
        client: &Client,
        key: Key,
        by: By,
        possession: &Possession<'_>,
        now: Timestamp,
    ) -> Result<TokenResponse, Error> {
        let (grant, approval, bound_to) = self.verdict(client, key, by, possession, now).await?;
        // boxed: minting is large, and must not make the future of every poll that is held so
        let minted = Box::pin(self.mint(client, &grant, &approval, &bound_to, None, now)).await;
        minted.map(|(tokens, _)| tokens)
    }

    pub(super) async fn verdict(
        &self,
        client: &Client,
        key: Key,
        by: By,
        possession: &Possession<'_>,
        now: Timestamp,
    ) -> Result<(Grant, Arc<Approval>, Confirmation), Error> {
        // an approved grant is only looked at: first comes what can fail outside, and if it does, nothing is spent
        let looked = self.grants.change(key, |grant| Self::answer(grant, client, by, now, Commit::No)).await?;
        let (grant, _) = looked?;
        let demanded = client.sender_constraint.into_iter().chain(grant.request.sender_constraint);
        let bound_to = possession.bind(demanded)?;
        let status = self.status(&grant.request.user).await?;
        policy::judge(client, status, &grant.request.scope, &grant.request.authorization_details)?;
        let redeemed = self.grants.change(key, |grant| Self::answer(grant, client, by, now, Commit::Yes)).await?;
        redeemed.map(|(grant, approval)| (grant, approval, bound_to))
    }

    /// What this client is answered, and what that leaves of the grant.
    fn answer(
        grant: Option<&Grant>,
        client: &Client,
        by: By,
        now: Timestamp,
        commit: Commit,
    ) -> Change<Grant, Result<(Grant, Arc<Approval>), Error>> {
        // a grant of another client is as unknown as none (CIBA Core 11); its polling clock stays untouched
        let Some(grant) = grant.filter(|grant| grant.request.client_id == client.client_id) else {
            return Change::Keep(Err(unknown()));
        };
        let overlaps = match by {
            // also where the client has become one that polls since
            By::Poll { .. } if matches!(grant.request.delivery, Delivery::Push(_)) => {
                return Change::Keep(Err(pushed()));
            }
            By::Poll { overlaps } => overlaps,
            By::Push => false,
        };
        match grant.poll(now, overlaps) {
            Poll::Pending(next) => {
                let wait = next.until_next_poll(now);
                Change::Put(next, Err(pending(wait)))
            }
            Poll::SlowDown(next) => {
                let wait = next.until_next_poll(now);
                Change::Put(next, Err(slow_down(wait)))
            }
            Poll::TooFast => Change::Keep(Err(too_fast())),
            Poll::Denied => Change::Keep(Err(denied())),
            Poll::Expired => Change::Keep(Err(expired())),
            Poll::Spent => Change::Keep(Err(unknown())),
            Poll::Redeemed(next, approval) => match commit {
                Commit::Yes => Change::Put(next.clone(), Ok((next, approval))),
                Commit::No => Change::Keep(Ok((next, approval))),
            },
        }
    }

    /// The user's status now, at most 60 seconds old; asked for before anything is spent.
    async fn status(&self, user: &User) -> Result<Status, Error> {
        self.lookups.status(user).await.map_err(|fault| Error::unavailable(format!("the user's status: {fault}")))
    }

    /// The tokens of a redeemed grant, and their `sid`. `pushed`: the `auth_req_id` that they are pushed for.
    pub(super) async fn mint(
        &self,
        client: &Client,
        grant: &Grant,
        approval: &Approval,
        bound_to: &Confirmation,
        pushed: Option<&str>,
        now: Timestamp,
    ) -> Result<(TokenResponse, String), Error> {
        let sid = self.random.identifier().map_err(|fault| Error::unavailable(fault.to_string()))?;
        let authorization = Authorization {
            realm: Arc::clone(&self.realm.name),
            client_id: Arc::clone(&client.client_id),
            user: Arc::clone(&grant.request.user),
            sub: approval.sub.clone(),
            scope: grant.request.scope.clone(),
            authorization_details: grant.request.authorization_details.clone(),
            sender_constraint: grant.request.sender_constraint,
            claims: approval.claims.clone(),
            auth_time: approval.auth_time,
            acr: approval.acr.clone(),
            amr: approval.amr.clone(),
            issued_at: now,
            refresh: None,
            keep_until: now,
        };
        let tokens = self.issuer.issue(client, authorization, &sid, bound_to, pushed, now).await?;
        self.events.tell(Event::Redeemed {
            realm: &self.realm.name,
            client: &client.client_id,
            sub: &approval.sub,
            scope: &grant.request.scope,
            sid: &sid,
        });
        Ok((tokens, sid))
    }
}

fn unknown() -> Error {
    Error::new(Code::InvalidGrant, "auth_req_id is not known, or its tokens were collected")
}

/// CIBA Core 11.
fn pushed() -> Error {
    Error::new(Code::UnauthorizedClient, "Tokens of this client's requests are pushed, not collected")
}

/// With the time after which the client may poll again.
pub(super) fn pending(wait: Option<Duration>) -> Error {
    after(wait, Error::new(Code::AuthorizationPending, "The person has not decided yet"))
}

fn slow_down(wait: Option<Duration>) -> Error {
    after(wait, Error::new(Code::SlowDown, "The client polls too often: 5 seconds more between polls"))
}

fn too_fast() -> Error {
    Error::invalid_request("The client polled too often again and again: it must not use this auth_req_id any more")
}

fn denied() -> Error {
    Error::new(Code::AccessDenied, "The request was denied")
}

fn expired() -> Error {
    Error::new(Code::ExpiredToken, "The request has expired")
}

/// In whole seconds, rounded up.
fn after(wait: Option<Duration>, error: Error) -> Error {
    match wait {
        Some(wait) => error.retry_after(u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)),
        None => error,
    }
}
