//! Lookup of kind `keycloak`: the admin API of the upstream's realm, asked as a service account that may search users
//! (`query-users` and `view-users`).
//!
//! What must be known of that API: without `exact` a search matches parts of names; user names are kept in lower case; a
//! disabled user is found like any other; a user name may look like another user's e-mail address. Whether a user is locked
//! out for wrong passwords is a second question that is not asked: Keycloak refuses such a sign-in itself.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use super::{Fault, Found, trace::Steps};
use crate::{
    http::Answer,
    realm::{
        User,
        policy::Status,
        user::{Claims, Identity, SamePerson},
    },
    secret::Secret,
    upstream::{
        caller::{Caller, ok, private_json},
        claims::bounded,
    },
};

mod service_account;

use service_account::ServiceAccount;

pub(super) struct Keycloak {
    iss: Box<str>,
    /// `https://host/admin/realms/acme`
    url: Url,
    account: ServiceAccount,
    caller: Caller,
}

/// As much of Keycloak's `UserRepresentation` as is needed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Representation {
    id: Box<str>,
    username: Box<str>,
    enabled: bool,
    first_name: Option<Box<str>>,
    last_name: Option<Box<str>>,
    email: Option<Box<str>>,
    email_verified: Option<bool>,
    #[serde(default)]
    attributes: HashMap<String, Vec<Box<str>>>,
}

impl Keycloak {
    /// Each user must sign in as the user id at `iss`.
    pub(super) fn new(
        iss: &str,
        url: Url,
        token_endpoint: Url,
        client_id: String,
        client_secret: Secret,
        caller: Caller,
    ) -> Self {
        let account = ServiceAccount::new(token_endpoint, client_id, client_secret, caller.clone());
        Self { iss: iss.into(), url, account, caller }
    }

    /// By user name, and by e-mail address where the hint may be one: if these are two users, neither is meant for certain.
    pub(super) async fn find(&self, hint: &str, steps: &mut Steps) -> Result<Found, Fault> {
        let lower = hint.to_lowercase();
        let mut users = self.search("username", hint, steps).await?;
        users.retain(|user| *user.username == *lower);
        if hint.contains('@') {
            let mut by_email = self.search("email", hint, steps).await?;
            by_email.retain(|user| user.email.as_ref().is_some_and(|email| email.to_lowercase() == lower));
            by_email.retain(|user| users.iter().all(|other| other.id != user.id));
            users.append(&mut by_email);
        }
        let Some(user) = users.pop() else { return Ok(Found::Nobody) };
        if !users.is_empty() {
            return Ok(Found::Ambiguous);
        }
        Ok(self.found(user))
    }

    pub(super) async fn find_by_sub(&self, sub: &str) -> Result<Found, Fault> {
        Ok(self.user(sub).await?.map_or(Found::Nobody, |user| self.found(user)))
    }

    pub(super) async fn status(&self, identity: &Identity) -> Result<Status, Fault> {
        if identity.iss != self.iss {
            return Ok(Status::Gone);
        }
        Ok(match self.user(&identity.sub).await? {
            None => Status::Gone,
            Some(user) if user.enabled => Status::Active,
            Some(_) => Status::Disabled,
        })
    }

    fn found(&self, user: Representation) -> Found {
        if user.enabled { Found::User(Arc::new(user.into_user(&self.iss))) } else { Found::Disabled }
    }

    /// The user of this id.
    async fn user(&self, id: &str) -> Result<Option<Representation>, Fault> {
        if matches!(id, "." | "..") {
            return Ok(None); // no segment of a path
        }
        let answer = self.get(&self.users(Some(id))?, &mut Steps::none()).await?;
        if is_no_such_user(&answer) {
            return Ok(None);
        }
        let user: Representation = read(answer)?;
        if *user.id == *id { Ok(Some(user)) } else { Err(Fault::new("users: the answer is about another user")) }
    }

    async fn search(&self, by: &str, hint: &str, steps: &mut Steps) -> Result<Vec<Representation>, Fault> {
        let mut url = self.users(None)?;
        url.query_pairs_mut().append_pair(by, hint).append_pair("exact", "true");
        read(self.get(&url, steps).await?)
    }

    fn users(&self, id: Option<&str>) -> Result<Url, Fault> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| Fault::new("the lookup's url cannot be one of an admin API"))?
            .pop_if_empty()
            .push("users")
            .extend(id);
        Ok(url)
    }

    /// An access token may have been revoked before its time: one that is refused is replaced, once.
    async fn get(&self, url: &Url, steps: &mut Steps) -> Result<Answer, Fault> {
        let token = self.account.token(None, steps).await?;
        let answer = self.get_with(url, &token, steps).await?;
        if answer.status != http::StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let token = self.account.token(Some(&token), steps).await?;
        self.get_with(url, &token, steps).await
    }

    async fn get_with(&self, url: &Url, token: &Secret, steps: &mut Steps) -> Result<Answer, Fault> {
        let request = self.caller.http.get(url.clone()).bearer_auth(token.reveal());
        let answer = self.caller.send(request.header("accept", "application/json")).await;
        let answer = answer.map_err(|fault| fault.of("users"));
        steps.say(|| match &answer {
            Ok(answer) => format!("GET {url}: {}", answer.status.as_u16()),
            Err(fault) => format!("GET {url}: {fault}"),
        });
        answer
    }
}

fn read<T: DeserializeOwned>(answer: Answer) -> Result<T, Fault> {
    ok(answer).map_err(Fault::from).and_then(|answer| private_json(&answer)).map_err(|fault| fault.of("users"))
}

/// A 404 that Keycloak means: one of a proxy, or for an unknown realm, says nothing about the user (I10).
fn is_no_such_user(answer: &Answer) -> bool {
    #[derive(Deserialize)]
    struct Body {
        error: String,
    }
    answer.status == http::StatusCode::NOT_FOUND
        && answer.json::<Body>().is_ok_and(|body| body.error == "User not found")
}

impl Representation {
    /// Attributes as Keycloak's own scopes `phone` and `profile` map them.
    fn into_user(self, iss: &str) -> User {
        let attribute = |name: &str| self.attributes.get(name).and_then(|values| values.first()).and_then(bounded);
        let names = [&self.first_name, &self.last_name].map(|name| name.as_deref().unwrap_or_default());
        let claims = Claims {
            name: bounded(names.join(" ").trim()),
            given_name: self.first_name.as_ref().and_then(bounded),
            family_name: self.last_name.as_ref().and_then(bounded),
            preferred_username: bounded(&self.username),
            locale: attribute("locale"),
            email: self.email.as_ref().and_then(bounded),
            email_verified: self.email_verified,
            phone_number: attribute("phoneNumber"),
            phone_number_verified: attribute("phoneNumberVerified").map(|text| *text == *"true"),
        };
        User {
            sub: Some(self.id.clone()),
            same_person: SamePerson::Identity(Identity { iss: iss.into(), sub: self.id }),
            claims,
            user_code: None,
        }
    }
}
