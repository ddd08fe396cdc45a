//! What a profile restricts: one table, read by configuration, client authentication, requests and metadata alike.
//!
//! `fapi-ciba` is the FAPI-CIBA profile (FAPI 1.0 Part 2 5.2.2 and 8.6; FAPI-CIBA 5.2.2).

use super::client::{Authentication, Delivery, SenderConstraint};
use crate::{jose::JwsAlgorithm, keys::Algorithm};

/// What a realm's answers follow where authorities differ (`docs/configuration.md` has the table).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// CIBA Core's codes.
    Standard,
    /// The same, with the restrictions of FAPI-CIBA.
    FapiCiba,
}

/// What is allowed and what is asked for.
#[derive(Debug)]
pub struct Restrictions {
    /// What tokens are signed with; the first is the default.
    pub token_algorithms: &'static [Algorithm],
    /// What clients sign assertions, requests and proofs with.
    pub client_algorithms: &'static [JwsAlgorithm],
    /// Whether the issuer must be https; loopback apart, where there is no network.
    pub https: bool,
    /// Whether secrets prove who a client is.
    pub client_secrets: bool,
    pub push: bool,
    /// Whether every authentication request is signed.
    pub signed_requests: bool,
    /// Whether every authentication request has a `binding_message`.
    pub binding_message: bool,
    /// Whether every access token is bound to who presents it.
    pub sender_constraint: bool,
    /// Whether userinfo takes an access token in a form (RFC 6750 2.2).
    pub access_token_in_form: bool,
    /// Whether a notification that failed is sent again.
    pub notified_again: bool,
}

const STANDARD: Restrictions = Restrictions {
    token_algorithms: &[Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA],
    client_algorithms: &JwsAlgorithm::ASYMMETRIC,
    https: false,
    client_secrets: true,
    push: true,
    signed_requests: false,
    binding_message: false,
    sender_constraint: false,
    access_token_in_form: true,
    notified_again: true,
};

const FAPI_CIBA: Restrictions = Restrictions {
    token_algorithms: &[Algorithm::PS256, Algorithm::ES256],
    client_algorithms: &[JwsAlgorithm::PS256, JwsAlgorithm::ES256],
    https: true,
    client_secrets: false,
    push: false,
    signed_requests: true,
    binding_message: true,
    sender_constraint: true,
    access_token_in_form: false,
    notified_again: false,
};

impl Profile {
    pub const fn restrictions(self) -> &'static Restrictions {
        match self {
            Self::Standard => &STANDARD,
            Self::FapiCiba => &FAPI_CIBA,
        }
    }
}

impl Restrictions {
    pub const fn allows_authentication(&self, authentication: &Authentication) -> bool {
        use Authentication::{ClientSecretBasic, ClientSecretJwt, ClientSecretPost};
        let is_secret = matches!(authentication, ClientSecretBasic(_) | ClientSecretPost(_) | ClientSecretJwt(..));
        self.client_secrets || !is_secret
    }

    pub const fn allows_delivery(&self, delivery: &Delivery) -> bool {
        self.push || !matches!(delivery, Delivery::Push(_))
    }

    pub const fn allows_constraint(&self, constraint: Option<SenderConstraint>) -> bool {
        !self.sender_constraint || constraint.is_some()
    }
}
