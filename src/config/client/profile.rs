//! Whether a client contradicts its realm's profile; each contradiction is a fault at the key that must change.

use super::{Problem, Table};
use crate::{
    jose::JwsAlgorithm,
    realm::{Client, Profile, client::Authentication},
};

pub(super) fn check(table: &Table<'_>, client: &Client, profile: Profile) {
    let restrictions = profile.restrictions();
    let fault = |key: &'static str, cause: &str, remedy: &str| {
        table.fault(key, Problem::new(format!("{cause} (profile `fapi-ciba`)"), remedy));
    };
    if !restrictions.allows_authentication(&client.authentication) {
        let remedy = "write `private_key_jwt`, `tls_client_auth` or `self_signed_tls_client_auth`";
        fault("token_endpoint_auth_method", "the client must not prove who it is with a secret", remedy);
    }
    let allows = |algorithm: &JwsAlgorithm| restrictions.client_algorithms.contains(algorithm);
    if let Authentication::PrivateKeyJwt(Some(algorithm)) = &client.authentication
        && !allows(algorithm)
    {
        fault("token_endpoint_auth_signing_alg", "this algorithm is not allowed", "write `PS256` or `ES256`");
    }
    let key = "backchannel_authentication_request_signing_alg";
    match &client.backchannel_authentication_request_signing_alg {
        None if restrictions.signed_requests && client.grant_types.ciba => {
            fault(key, "the client must sign its requests", "add it: `PS256` or `ES256`, with the client's keys");
        }
        Some(algorithm) if !allows(algorithm) => {
            fault(key, "this algorithm is not allowed", "write `PS256` or `ES256`");
        }
        _ => {}
    }
    if !restrictions.allows_delivery(&client.delivery) {
        fault("backchannel_token_delivery_mode", "tokens must not be pushed", "write `poll` or `ping`");
    }
    if !restrictions.allows_constraint(client.sender_constraint) {
        let remedy = "add `dpop_bound_access_tokens = true` or `tls_client_certificate_bound_access_tokens = true`";
        fault("dpop_bound_access_tokens", "the client's tokens must be bound to it", remedy);
    }
    if client.id_token_signed_response_alg.is_some_and(|it| !restrictions.token_algorithms.contains(&it)) {
        fault("id_token_signed_response_alg", "this algorithm is not allowed", "write `PS256` or `ES256`");
    }
}
