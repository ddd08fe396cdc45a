//! The gateway over its routes, without a socket: one file for each feature, tables for matrices. Each row bears its number
//! in `docs/cases.md`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so by a panic")]

mod addresses;
mod anything;
mod browser;
mod callback;
mod client_authentication;
mod details;
mod hints;
mod http_rules;
mod metadata;
mod parameters;
mod person;
mod prefix;
mod quiet;
mod receiver;
mod request_object;
mod signer;
mod token;
mod webhook;
mod world;
