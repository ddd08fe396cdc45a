//! The protocol's vocabulary: error codes, form parameters, scopes, replies. It imports nothing of ours.

pub mod details;
pub mod error;
pub mod json;
pub mod params;
pub mod response;
pub mod scope;

pub use details::AuthorizationDetails;
pub use error::{Code, Error};
pub use params::Params;
pub use scope::Scope;

/// The grant type of OpenID CIBA Core 10.1.
pub const CIBA_GRANT_TYPE: &str = "urn:openid:params:grant-type:ciba";

/// The grant types that the token endpoint serves.
pub const GRANT_TYPES: [&str; 2] = [CIBA_GRANT_TYPE, REFRESH_TOKEN_GRANT_TYPE];

/// The grant type of RFC 6749 6.
pub const REFRESH_TOKEN_GRANT_TYPE: &str = "refresh_token";
