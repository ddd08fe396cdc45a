//! The confidential OAuth client: the consumption device's side, in the words of RFC 7591 and CIBA Core 4.

use std::{sync::Arc, time::Duration};

use crate::{keys::Algorithm, oauth::Scope, secret::Secret};

#[derive(Debug)]
pub struct Client {
    pub client_id: Arc<str>,
    /// Shown to the person; the client id where absent.
    pub client_name: Option<String>,
    pub enabled: bool,
    pub authentication: Authentication,
    pub grant_types: GrantTypes,
    /// What the client may ask for.
    pub scope: Scope,
    pub backchannel_user_code_parameter: bool,
    /// The realm's `signing_alg` where absent.
    pub id_token_signed_response_alg: Option<Algorithm>,
    /// How old the person's sign-in may be; 15 minutes where absent.
    pub default_max_age: Option<Duration>,
}

impl Client {
    /// The name that a person is shown.
    pub fn display_name(&self) -> &str {
        self.client_name.as_deref().unwrap_or(&self.client_id)
    }

    /// How old the person's sign-in may be when they decide (I7).
    pub fn max_age(&self) -> Duration {
        self.default_max_age.unwrap_or(Duration::from_secs(15 * 60))
    }
}

/// How the client proves who it is (`token_endpoint_auth_method`).
#[derive(Debug)]
pub enum Authentication {
    ClientSecretBasic(Secret),
    ClientSecretPost(Secret),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantTypes {
    pub ciba: bool,
    pub refresh_token: bool,
}
