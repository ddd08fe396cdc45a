//! The gateway over its routes, without a socket: one file for each feature, tables for matrices. Each row bears its number
//! in `docs/cases.md`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so by a panic")]

mod addresses;
mod anything;
mod app;
mod browser;
mod callback;
mod client_authentication;
mod http_rules;
mod long_poll;
mod metadata;
mod parameters;
mod person;
mod ping;
mod prefix;
mod push;
mod quiet;
mod receiver;
mod token;
mod webhook;
mod world;
