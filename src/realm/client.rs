//! The confidential OAuth client: the consumption device's side, in the words of RFC 7591, RFC 8705 and CIBA Core 4.

use std::{sync::Arc, time::Duration};

use url::Url;

use crate::{
    certificate::RegisteredName,
    clock::Timestamp,
    jose::{JwsAlgorithm, PublicKeys},
    keys::Algorithm,
    oauth::Scope,
    secret::Secret,
};

#[derive(Debug)]
pub struct Client {
    pub client_id: Arc<str>,
    /// Shown to the person; the client id where absent.
    pub client_name: Option<String>,
    pub enabled: bool,
    pub authentication: Authentication,
    /// `jwks`, `jwks_file` or `jwks_uri`: what the client signs assertions and requests with, and self-signed certificates.
    pub keys: Option<PublicKeys>,
    pub grant_types: GrantTypes,
    /// What the client may ask for.
    pub scope: Scope,
    /// The types of `authorization_details` that the client may ask for.
    pub authorization_details_types: Vec<String>,
    pub delivery: Delivery,
    /// Set: every authentication request is signed, with this algorithm.
    pub backchannel_authentication_request_signing_alg: Option<JwsAlgorithm>,
    pub backchannel_user_code_parameter: bool,
    /// The kinds of hint that the client may send.
    pub hints: HintKinds,
    pub sender_constraint: Option<SenderConstraint>,
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
    /// With the one algorithm (`token_endpoint_auth_signing_alg`), any HMAC one where it is absent.
    ClientSecretJwt(Secret, Option<JwsAlgorithm>),
    /// With a key of [`Client::keys`], and the one algorithm, any asymmetric one where it is absent.
    PrivateKeyJwt(Option<JwsAlgorithm>),
    /// RFC 8705 2.1: a certificate of the realm's authorities with this name.
    TlsClientAuth(RegisteredName),
    /// RFC 8705 2.2: a certificate of a key of [`Client::keys`].
    SelfSignedTlsClientAuth,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantTypes {
    pub ciba: bool,
    pub refresh_token: bool,
}

/// How the client gets to know of a decision (`backchannel_token_delivery_mode`). The address is the client's notification
/// endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    Poll,
    Ping(Url),
    Push(Url),
}

/// The kinds of hint that a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HintKinds {
    pub login_hint: bool,
    pub login_hint_token: bool,
    pub id_token_hint: bool,
}

impl HintKinds {
    pub const ALL: Self = Self { login_hint: true, login_hint_token: true, id_token_hint: true };
}

/// What binds a client's access tokens to whoever presents them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum SenderConstraint {
    /// `dpop_bound_access_tokens` (RFC 9449 5.2)
    Dpop,
    /// `tls_client_certificate_bound_access_tokens` (RFC 8705 3.4)
    Certificate,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A client with a secret that polls.
    pub(crate) fn client() -> Client {
        Client {
            client_id: "c".into(),
            client_name: None,
            enabled: true,
            authentication: Authentication::ClientSecretBasic(Secret::new("s")),
            keys: None,
            grant_types: GrantTypes { ciba: true, refresh_token: false },
            scope: Scope::default(),
            authorization_details_types: Vec::new(),
            delivery: Delivery::Poll,
            backchannel_authentication_request_signing_alg: None,
            backchannel_user_code_parameter: false,
            hints: HintKinds::ALL,
            sender_constraint: None,
            id_token_signed_response_alg: None,
            default_max_age: None,
        }
    }

    #[test]
    fn how_fresh_a_sign_in_must_be() {
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
            let client = Client { default_max_age: Some(Duration::from_secs(max_age)), ..client() };
            let accepted = client.accepts_sign_in(at(auth_time), at(requested_at), at(now));
            assert_eq!(accepted, expected, "{max_age} {auth_time} {requested_at} {now}");
        }
    }
}
