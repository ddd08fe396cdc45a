//! What is Keycloak's and nobody else's, as pure translation: nothing here asks anybody or moves a grant.
//!
//! What is sent and answered is as recorded of Keycloak 26.7.1 (`tests/recorded/keycloak`).

pub mod callback;
pub mod channel;
