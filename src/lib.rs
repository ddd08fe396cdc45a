//! realmgate: OpenID CIBA in front of any OpenID Connect provider.
#![forbid(unsafe_code)]

pub mod approval;
pub mod authorization;
pub mod channel;
pub mod ciba;
pub mod client_auth;
pub mod clock;
pub mod command;
pub mod config;
pub mod demo;
pub mod event;
pub mod gateway;
pub mod http;
pub mod jose;
pub mod keycloak;
pub mod keys;
pub mod metadata;
pub mod oauth;
pub mod outbox;
pub mod peer;
pub mod random;
pub mod realm;
pub mod secret;
pub mod server;
pub mod store;
pub mod token;
pub mod upstream;
pub mod web;
