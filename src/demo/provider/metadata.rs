//! Discovery (OpenID Connect Discovery 1.0, RFC 8414, RFC 9207) and the key set.

use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use warp::reply::Response;

use super::Provider;
use crate::{demo::reply, keys::Algorithm};

impl Provider {
    pub(super) fn discovery(&self) -> Response {
        let issuer = &self.issuer;
        public(reply::json(&json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "jwks_uri": format!("{issuer}/jwks"),
            "scopes_supported": ["openid", "profile", "email"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code"],
            "acr_values_supported": [super::token::ACR],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [Algorithm::ES256.as_str()],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "claims_supported": [
                "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash",
                "name", "preferred_username", "email", "email_verified"
            ],
            "claims_parameter_supported": false,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
            "authorization_response_iss_parameter_supported": true,
        })))
    }

    pub(super) fn jwks(&self) -> Response {
        let keys = String::from_utf8_lossy(&self.keys.published()).into_owned();
        public(reply::content(StatusCode::OK, "application/json", keys))
    }
}

fn public(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    response
}
