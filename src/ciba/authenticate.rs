//! An authentication request from its parameters to its acknowledgement (CIBA Core 7), in the order of 7.2: read the signed
//! object where there is one, parse, find the user, check the user code, judge, keep the grant, ask the person, answer.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::{
    channel::Ask,
    ciba::{
        Ciba,
        grant::{AuthenticationRequest, Delivery, Grant, channel_alias, groups},
        request::Parameters,
    },
    client_auth::AuthenticatedClient,
    clock::Timestamp,
    event::Event,
    keycloak,
    oauth::{Code, Error, Params, response::Acknowledgement},
    realm::{
        User,
        policy::{self, Status},
    },
    secret::verify_user_code,
    store::{Change, Group, Key, NotInserted, Quota, Table},
};

/// After how many seconds a client that met a full group may try again.
const TRY_AGAIN: u64 = 10;

impl Ciba {
    /// # Errors
    /// Those of CIBA Core 13; `temporarily_unavailable` where a lookup, the store or every channel fails, or a group is full.
    pub async fn authenticate(
        &self,
        client: &AuthenticatedClient,
        params: &Params,
        now: Timestamp,
    ) -> Result<Acknowledgement, Error> {
        policy::may_use(client.grant_types.ciba)?;
        let object = self.request_objects.read(client, params, now).await?;
        let params = object.as_ref().map_or(params, |object| &object.params);
        let parameters = Parameters::parse(params, client, &self.realm)?;
        if let Some(object) = &object {
            self.request_objects.use_up(client, object).await?;
        }
        let user = self.hints.user(client, parameters.hint, now).await?;
        self.check_user_code(client, &user, parameters.user_code, now).await?;
        policy::judge(client, Status::Active, &parameters.scope, &parameters.authorization_details)?;

        let auth_req_id = self.identifier()?;
        let expires_at = now.plus(parameters.expires_in);
        let delivery = self
            .notifier
            .delivery(client, &auth_req_id, parameters.client_notification_token)
            .map_err(|fault| Error::unavailable(fault.to_string()))?;
        let bearer = self
            .channels
            .bearer(client, &user, &self.identifier()?, now, expires_at)
            .map_err(|fault| Error::unavailable(fault.to_string()))?;
        let request = AuthenticationRequest {
            realm: Arc::clone(&self.realm.name),
            client_id: Arc::clone(&client.client_id),
            user,
            scope: parameters.scope,
            authorization_details: parameters.authorization_details,
            delivery,
            sender_constraint: client.sender_constraint,
            binding_message: parameters.binding_message.map(Into::into),
            acr_values: parameters.acr_values.map(Into::into),
            requested_at: now,
            expires_at,
            handle: self.identifier()?.into(),
            channel_token: bearer.as_deref().map(|bearer| channel_alias(&self.realm.name, bearer)),
        };
        let grant = Grant::new(request, self.realm.ciba.interval);
        let key = Table::<Grant>::key(&self.realm.name, &auth_req_id);
        self.keep(key, &grant).await?;
        if let Err(fault) = self.notifier.tell_of_expiry(key, &grant) {
            self.grants.change(key, |_| Change::Remove(())).await?;
            return Err(Error::unavailable(fault.to_string()));
        }
        self.ask(client, &grant, bearer.as_deref(), params, key).await?;

        let request = &grant.request;
        self.events.tell(Event::Requested {
            realm: &self.realm.name,
            client: &client.client_id,
            sub: request.user.sub.as_deref(),
            scope: &request.scope,
        });
        Ok(Acknowledgement { auth_req_id, expires_in: parameters.expires_in.as_secs(), interval: interval(&grant) })
    }

    /// A code is required exactly when the client is registered for it and the user has one.
    async fn check_user_code(
        &self,
        client: &AuthenticatedClient,
        user: &User,
        code: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some(hash) = user.user_code.clone().filter(|_| client.backchannel_user_code_parameter) else {
            return Ok(());
        };
        let Some(code) = code.map(str::to_owned) else {
            return Err(Error::new(Code::MissingUserCode, "user_code is missing"));
        };
        let invalid = |cause| Error::new(Code::InvalidUserCode, "user_code is not valid").because(cause);
        // Argon2id takes tens of milliseconds and 19 MiB: off the async threads, a few at a time, and not for a request that
        // will be refused anyway
        self.has_room(user).await?;
        let busy = |_| Error::unavailable("too many user codes wait to be verified").retry_after(1);
        let _waiting = self.hashing.waiting.try_acquire().map_err(busy)?;
        let _permit = self.hashing.at_work.acquire().await.map_err(|_| Error::unavailable("stopping"))?;
        if !self.user_codes.may_try(&client.client_id, user.group(), now).await? {
            return Err(invalid("too many wrong codes in a row"));
        }
        let right = tokio::task::spawn_blocking(move || verify_user_code(&hash, &code))
            .await
            .map_err(|error| Error::server_error(error.to_string()))?;
        if !right {
            return Err(invalid("wrong code"));
        }
        self.user_codes.was_right(&client.client_id, user.group()).await?;
        Ok(())
    }

    /// Whether the user may have one more undecided request now. Judged again, for certain, when it is kept.
    async fn has_room(&self, user: &User) -> Result<(), Error> {
        let group = Group::User(Arc::clone(&self.realm.name), user.group());
        if self.grants.count(&group).await? < self.realm.limits.pending_per_user { Ok(()) } else { Err(full(&group)) }
    }

    async fn keep(&self, key: Key, grant: &Grant) -> Result<(), Error> {
        let limits = &self.realm.limits;
        let most = [limits.pending, limits.pending_per_client, limits.pending_per_user];
        let quotas: Vec<Quota> =
            groups(&grant.request).into_iter().zip(most).map(|(group, most)| Quota { group, most }).collect();
        // a redeemed grant leaves an authorization, for which there must be room
        if !self.issuer.has_room() {
            return Err(full(&Group::All));
        }
        match self.grants.insert(key, grant.clone(), &quotas).await {
            Ok(()) => Ok(()),
            Err(NotInserted::Full(group)) => Err(full(&group)),
            Err(NotInserted::Exists) => Err(Error::server_error("an identifier came twice")),
            Err(NotInserted::Unavailable(fault)) => Err(fault.into()),
        }
    }

    /// Asks by all channels; where all of them fail the grant is removed.
    async fn ask(
        &self,
        client: &AuthenticatedClient,
        grant: &Grant,
        bearer: Option<&str>,
        params: &Params,
        key: Key,
    ) -> Result<(), Error> {
        let request = &grant.request;
        let additional = keycloak::channel::additional_parameters(params.iter());
        let webhook_id = key.label();
        let ask = Ask {
            client,
            user: &request.user,
            scope: &request.scope,
            authorization_details: &request.authorization_details,
            binding_message: request.binding_message.as_deref(),
            acr_values: request.acr_values.as_deref(),
            handle: &request.handle,
            bearer,
            webhook_id: &webhook_id,
            now: request.requested_at,
            expires: request.expires_at,
            additional: &additional,
        };
        let Err(failure) = self.channels.ask(&ask).await else { return Ok(()) };
        self.grants.change(key, |_| Change::Remove(())).await?;
        Err(Error::unavailable(failure.cause))
    }

    fn identifier(&self) -> Result<String, Error> {
        self.random.identifier().map_err(|fault| Error::unavailable(fault.to_string()))
    }
}

/// CIBA Core 7.3: for whoever polls, where polls are throttled.
fn interval(grant: &Grant) -> Option<u64> {
    let polls = !matches!(grant.request.delivery, Delivery::Push(_)) && !grant.interval().is_zero();
    polls.then(|| grant.interval().as_secs())
}

/// A group that takes no more undecided requests. Nothing of it is dropped (I12).
fn full(group: &Group) -> Error {
    let description = match group {
        Group::User(..) => "Too many requests are waiting for this person's decision",
        Group::Client(..) => "Too many requests of this client are waiting for a decision",
        Group::Realm(_) | Group::All => "Too many requests are waiting for a decision",
    };
    let error = Error::new(Code::TemporarilyUnavailable, description).because(format!("full: {group:?}"));
    let error = if matches!(group, Group::User(..)) { error.with_status(429) } else { error };
    error.retry_after(TRY_AGAIN)
}

/// Verification of user codes: how many are at work, and how many may wait for it besides.
pub(super) struct Hashing {
    waiting: Semaphore,
    at_work: Semaphore,
}

impl Hashing {
    pub(super) fn new() -> Self {
        Self { waiting: Semaphore::new(64), at_work: Semaphore::new(2) }
    }
}
