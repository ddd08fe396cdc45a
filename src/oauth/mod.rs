//! The protocol's vocabulary: error codes, form parameters, scopes, replies. It imports nothing of ours.

pub mod error;
pub mod params;
pub mod response;
pub mod scope;

pub use error::{Code, Error};
pub use params::Params;
pub use scope::Scope;

/// The grant type of OpenID CIBA Core 10.1.
pub const CIBA_GRANT_TYPE: &str = "urn:openid:params:grant-type:ciba";
