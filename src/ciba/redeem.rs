//! The token request with the CIBA grant (CIBA Core 10.1, 11): fetch what the verdict needs, then one change that answers
//! pending, slow down, denied, expired or "yours, once", then mint.

use std::sync::Arc;

use crate::{
    authorization::{Authorization, Confirmation, Possession},
    ciba::{
        Ciba,
        grant::{Approval, Grant, Poll},
    },
    client_auth::AuthenticatedClient,
    clock::Timestamp,
    event::Event,
    oauth::{Code, Error, Params, response::TokenResponse},
    realm::{
        User,
        policy::{self, Status},
    },
    store::{Change, Table},
};

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
        let answer = self.verdict(client, params, possession, now).await;
        match answer {
            Ok((grant, approval, bound_to)) => self.mint(client, &grant, &approval, &bound_to, now).await,
            Err(error) => {
                let (realm, client) = (&*self.realm.name, &*client.client_id);
                self.events.tell(Event::Polled { realm, client, error: &error });
                Err(error)
            }
        }
    }

    async fn verdict(
        &self,
        client: &AuthenticatedClient,
        params: &Params,
        possession: &Possession<'_>,
        now: Timestamp,
    ) -> Result<(Grant, Arc<Approval>, Confirmation), Error> {
        policy::may_use(client.grant_types.ciba)?;
        let auth_req_id = params.get("auth_req_id").ok_or_else(|| Error::invalid_request("auth_req_id is missing"))?;
        let key = Table::<Grant>::key(&self.realm.name, auth_req_id);

        // an approved grant is only looked at: first comes what can fail outside, and if it does, nothing is spent
        let looked = self.grants.change(key, |grant| Self::answer(grant, client, now, Commit::No)).await?;
        let (grant, _) = looked?;
        let demanded = client.sender_constraint.into_iter().chain(grant.request.sender_constraint);
        let bound_to = possession.bind(demanded)?;
        let status = self.status(&grant.request.user).await?;
        policy::judge(client, status, &grant.request.scope)?;
        let (grant, approval) =
            self.grants.change(key, |grant| Self::answer(grant, client, now, Commit::Yes)).await??;
        Ok((grant, approval, bound_to))
    }

    /// What this poll is answered with, and what it leaves of the grant.
    fn answer(
        grant: Option<&Grant>,
        client: &AuthenticatedClient,
        now: Timestamp,
        commit: Commit,
    ) -> Change<Grant, Result<(Grant, Arc<Approval>), Error>> {
        // a grant of another client is as unknown as none (CIBA Core 11); its polling clock stays untouched
        let Some(grant) = grant.filter(|grant| grant.request.client_id == client.client_id) else {
            return Change::Keep(Err(unknown()));
        };
        match grant.poll(now) {
            Poll::Pending(next) => Change::Put(next, Err(pending())),
            Poll::SlowDown(next) => Change::Put(next, Err(slow_down())),
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
    pub async fn status(&self, user: &User) -> Result<Status, Error> {
        self.lookups.status(user).await.map_err(|fault| Error::unavailable(format!("the user's status: {fault}")))
    }

    async fn mint(
        &self,
        client: &AuthenticatedClient,
        grant: &Grant,
        approval: &Approval,
        bound_to: &Confirmation,
        now: Timestamp,
    ) -> Result<TokenResponse, Error> {
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
        let tokens = self.issuer.issue(client, authorization, &sid, bound_to, now).await?;
        self.events.tell(Event::Redeemed {
            realm: &self.realm.name,
            client: &client.client_id,
            sub: &approval.sub,
            scope: &grant.request.scope,
            sid: &sid,
        });
        Ok(tokens)
    }
}

fn unknown() -> Error {
    Error::new(Code::InvalidGrant, "auth_req_id is not known, or its tokens were collected")
}

fn pending() -> Error {
    Error::new(Code::AuthorizationPending, "The person has not decided yet")
}

fn slow_down() -> Error {
    Error::new(Code::SlowDown, "The client polls too often: 5 seconds more between polls")
}

fn denied() -> Error {
    Error::new(Code::AccessDenied, "The request was denied")
}

fn expired() -> Error {
    Error::new(Code::ExpiredToken, "The request has expired")
}
