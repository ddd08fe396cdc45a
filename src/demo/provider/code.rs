//! Authorization codes (RFC 6749 4.1.2): 60 seconds, bound to client, redirect URI and PKCE challenge, spent by the first
//! attempt of their client.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Provider,
    authorize::{Request, SignedIn},
};
use crate::{
    clock::Timestamp,
    oauth::{Error, Scope},
    store::{Change, Group, Quota, Record, Table},
};

const LIFE: Duration = Duration::from_secs(60);

/// Codes that wait to be exchanged.
const MOST: usize = 1000;

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Code {
    client_id: String,
    pub(super) redirect_uri: String,
    pub(super) code_challenge: String,
    pub(super) scope: Scope,
    pub(super) nonce: Option<String>,
    pub(super) sub: String,
    pub(super) auth_time: Timestamp,
    pub(super) expires_at: Timestamp,
}

impl Record for Code {
    const KIND: &'static str = "demo.code";

    fn keep_until(&self) -> Timestamp {
        self.expires_at
    }

    fn groups(&self) -> Vec<Group> {
        vec![all()]
    }
}

fn all() -> Group {
    Group::Realm("demo".into())
}

impl Provider {
    pub(super) async fn new_code(
        &self,
        request: &Request,
        signed_in: &SignedIn,
        now: Timestamp,
    ) -> Result<String, Error> {
        let code = self.random.identifier().map_err(|error| Error::unavailable(error.to_string()))?;
        let record = Code {
            client_id: request.client_id.clone(),
            redirect_uri: request.redirect_uri.to_string(),
            code_challenge: request.code_challenge.clone(),
            scope: request.scope.clone(),
            nonce: request.nonce.clone(),
            sub: signed_in.sub.clone(),
            auth_time: signed_in.auth_time,
            expires_at: now.plus(LIFE),
        };
        self.codes
            .insert(Table::<Code>::key("demo", &code), record, &[Quota { group: all(), most: MOST }])
            .await
            .map_err(|error| Error::unavailable(error.to_string()))?;
        Ok(code)
    }

    /// The code's record, once, if it is this client's.
    pub(super) async fn spend(&self, code: &str, client_id: &str) -> Result<Option<Code>, Error> {
        self.codes
            .change(Table::<Code>::key("demo", code), |record| match record {
                Some(record) if record.client_id == client_id => Change::Remove(Some(record.clone())),
                _ => Change::Keep(None),
            })
            .await
            .map_err(|error| Error::unavailable(error.to_string()))
    }
}
