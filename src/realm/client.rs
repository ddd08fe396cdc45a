//! The confidential OAuth client: the consumption device's side, in the words of RFC 7591 and CIBA Core 4.

use std::{sync::Arc, time::Duration};

use crate::{clock::Timestamp, keys::Algorithm, oauth::Scope, secret::Secret};

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

    /// How old the person's sign-in may be when they approve (I7).
    pub fn max_age(&self) -> Duration {
        self.default_max_age.unwrap_or(Duration::from_secs(15 * 60))
    }

    /// Whether a sign-in is fresh enough at `now` to approve a request that came at `requested_at`. One that was made for this
    /// very request is good for a minute at least, or else nobody could approve for a client with `default_max_age = 0`.
    pub fn accepts_sign_in(&self, auth_time: Timestamp, requested_at: Timestamp, now: Timestamp) -> bool {
        let age = now.since(auth_time);
        let made_for_it = auth_time.seconds() >= requested_at.seconds();
        age <= self.max_age() || (made_for_it && age <= Duration::from_secs(60))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_fresh_a_sign_in_must_be() {
        let client = |default_max_age: u64| Client {
            client_id: "c".into(),
            client_name: None,
            enabled: true,
            authentication: Authentication::ClientSecretBasic(Secret::new("s")),
            grant_types: GrantTypes { ciba: true, refresh_token: false },
            scope: Scope::default(),
            backchannel_user_code_parameter: false,
            id_token_signed_response_alg: None,
            default_max_age: Some(Duration::from_secs(default_max_age)),
        };
        // max_age, auth_time, requested_at, now
        let table = [
            (300, 0, 100, 300, true),
            (300, 0, 100, 301, false),
            (0, 99, 100, 100, false),
            (0, 100, 100, 160, true),
            (0, 100, 100, 161, false),
            (10, 100, 50, 110, true),
            (10, 100, 101, 111, false),
        ];
        for (max_age, auth_time, requested_at, now, expected) in table {
            let at = Timestamp::from_seconds;
            let accepted = client(max_age).accepts_sign_in(at(auth_time), at(requested_at), at(now));
            assert_eq!(accepted, expected, "{max_age} {auth_time} {requested_at} {now}");
        }
    }
}
