//! The gateway over its routes, without a socket: one file for each feature, tables for matrices. Each row bears its number
//! in `docs/cases.md`.

mod callback;
mod client_authentication;
mod http_rules;
mod metadata;
mod parameters;
mod token;
mod world;
