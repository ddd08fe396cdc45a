//! The delegation request of Keycloak's HTTP authentication channel: what a device service is sent, and the sentences with
//! which Keycloak answers the client when that fails.

use serde::{Serialize, Serializer};

use crate::oauth::AuthorizationDetails;

/// 503: the device service was not reached, or gave no answer.
pub const FAILED_TO_SEND: &str = "Failed to send authentication request";
/// 503: the device service answered with anything but 201.
pub const UNEXPECTED_RESPONSE: &str = "Unexpected response from authentication device";

/// The body of the delegation request. Absent members are left out.
#[derive(Debug, Serialize)]
pub struct DelegationRequest<'a> {
    pub scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding_message: Option<&'a str>,
    /// The user's name: what the hint was resolved to, not the hint.
    pub login_hint: &'a str,
    /// The client's `consentRequired`.
    pub is_consent_required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr_values: Option<&'a str>,
    /// Not Keycloak's, which knows none: who decides must know what is decided.
    #[serde(skip_serializing_if = "AuthorizationDetails::is_empty")]
    pub authorization_details: &'a AuthorizationDetails,
    /// Beside the others, as [`additional_parameters`] let them through.
    #[serde(flatten, serialize_with = "members")]
    pub additional: &'a [(String, String)],
}

/// The claims of the bearer token that comes with it, and comes back with the callback. Times are `NumericDate`s.
#[derive(Debug, Serialize)]
pub struct BearerClaims<'a> {
    /// The request's expiry.
    pub exp: u64,
    pub iat: u64,
    /// The channel token.
    pub jti: &'a str,
    /// The realm's issuer, and `aud` the same.
    pub iss: &'a str,
    pub aud: &'a str,
    /// The user.
    pub sub: &'a str,
    /// [`BEARER`].
    pub typ: &'a str,
    /// The client.
    pub azp: &'a str,
}

/// The `typ` claim of a channel's token, as of an access token.
pub const BEARER: &str = "Bearer";

/// Keycloak's limits; that of names is ours.
const MOST_ADDITIONAL: usize = 5;
const LONGEST_ADDITIONAL: usize = 200;

/// Parameters that are never additional: those of the protocol, of client authentication (Keycloak hands short assertions
/// on), and the members that the body has anyway, which a client could else send twice.
const KNOWN: [&str; 19] = [
    "acr_values",
    "auth_req_id",
    "authorization_details",
    "binding_message",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_notification_token",
    "client_secret",
    "grant_type",
    "id_token_hint",
    "is_consent_required",
    "login_hint",
    "login_hint_token",
    "request",
    "request_uri",
    "requested_expiry",
    "scope",
    "user_code",
];

/// What of a client's parameters the device service is told besides: at most five that are not known otherwise, in the order
/// of the request, name and value of 1 to 200 characters.
pub fn additional_parameters<'a>(params: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    let fits = |text: &str| !text.trim().is_empty() && text.chars().count() <= LONGEST_ADDITIONAL;
    params
        .filter(|(name, value)| !KNOWN.contains(name) && fits(name) && fits(value))
        .take(MOST_ADDITIONAL)
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn members<S: Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn bodies_as_recorded() {
        let recorded: Value =
            serde_json::from_str(include_str!("../../tests/recorded/keycloak/ciba-channel.json")).unwrap();
        // exchange, binding message, user name, consent, acr_values, additional
        let table: [(&str, &str, &str, bool, Option<&str>, &[(&str, &str)]); 4] = [
            ("request-as-received", "hold-A1", "alice", false, Some("gold"), &[("color", "red")]),
            ("request-minimal-as-received", "hold", "bob", false, None, &[]),
            ("request-consent-as-received", "hold", "alice", true, None, &[]),
            ("request-es256-client-as-received", "hold", "alice", false, None, &[]),
        ];
        for (name, binding_message, login_hint, is_consent_required, acr_values, additional) in table {
            let exchange = recorded.as_array().unwrap().iter().find(|exchange| exchange["name"] == name).unwrap();
            let additional = additional_parameters(additional.iter().copied());
            let body = DelegationRequest {
                // Keycloak adds the client's default scopes to those that were asked for.
                scope: exchange["received"]["json"]["scope"].as_str().unwrap(),
                binding_message: Some(binding_message),
                login_hint,
                is_consent_required,
                acr_values,
                authorization_details: &AuthorizationDetails::default(),
                additional: &additional,
            };
            let body = serde_json::to_string(&body).unwrap();
            assert_eq!(body.len().to_string(), exchange["received"]["headers"]["content-length"], "{name}: {body}");
            assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), exchange["received"]["json"], "{name}");
            let members = ["\"scope\"", "\"binding_m", "\"login_h", "\"is_consent", "\"acr_values", "\"color"];
            assert!(members.map(|member| body.find(member)).into_iter().flatten().is_sorted(), "{name}: order");
        }
    }

    #[test]
    fn which_parameters_are_additional() {
        let long = "x".repeat(201);
        let fits = "é".repeat(200);
        let table: &[(&str, &[(&str, &str)], &[&str])] = &[
            ("in the order of the request", &[("b", "1"), ("a", "2")], &["b", "a"]),
            (
                "at most five",
                &[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), ("e", "1"), ("f", "1")],
                &["a", "b", "c", "d", "e"],
            ),
            ("a skipped one takes no seat", &[("scope", "1"), ("a", "1"), ("b", &long), ("c", "1")], &["a", "c"]),
            ("200 characters fit", &[("a", &fits), ("b", &long), (&long, "1")], &["a"]),
            ("empty and blank", &[("a", ""), ("b", " "), ("", "1")], &[]),
            ("client authentication", &[("client_secret", "1"), ("client_assertion", "1")], &[]),
            ("a member of the body", &[("is_consent_required", "false"), ("login_hint", "mallory")], &[]),
        ];
        for (case, params, expected) in table {
            let names: Vec<_> =
                additional_parameters(params.iter().copied()).into_iter().map(|(name, _)| name).collect();
            assert_eq!(&names, expected, "{case}");
        }
    }
}
