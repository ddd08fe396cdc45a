//! The backchannel authentication feature (OpenID CIBA Core 1.0), one file per step.

pub mod decide;
pub mod grant;
