//! The gateway over its routes, without a socket: one file for each feature, tables for matrices. Each row bears its number
//! in `docs/cases.md`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so by a panic")]

mod addresses;
mod anything;
mod app;
mod authorization_endpoint;
mod browser;
mod callback;
mod certificate_bound;
mod client_authentication;
mod confusion;
mod details;
mod dpop;
mod hints;
mod holder;
mod http_rules;
mod introspection;
mod logout;
mod long_poll;
mod metadata;
mod parameters;
mod person;
mod ping;
mod prefix;
mod push;
mod quiet;
mod receiver;
mod refresh;
mod request_object;
mod revocation;
mod signer;
mod token;
mod userinfo;
mod webhook;
mod world;
