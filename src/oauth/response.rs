//! Successful replies of the protocol, as they are sent.

use serde::Serialize;

use super::AuthorizationDetails;

/// The acknowledgement of an authentication request (CIBA Core 7.3). Times in seconds.
#[derive(Debug, Serialize)]
pub struct Acknowledgement {
    pub auth_req_id: String,
    pub expires_in: u64,
    /// Absent where the realm does not throttle (`interval = 0`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<u64>,
}

/// A successful token response (RFC 6749 5.1, OpenID Connect Core 3.1.3.3). Times in seconds.
#[derive(Debug, Serialize)]
pub struct TokenResponse {
    pub access_token: String,
    pub token_type: &'static str,
    pub expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    pub scope: String,
    /// RFC 9396 7: as they were granted.
    #[serde(skip_serializing_if = "AuthorizationDetails::is_empty")]
    pub authorization_details: AuthorizationDetails,
}
