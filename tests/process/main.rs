//! The built program, run as an operator runs it: files in a folder, signals, exit codes, what it prints. No provider, no
//! browser; each test has ports and a folder of its own.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test that fails says so by a panic")]

mod client_certificates;
mod commands;
mod demo;
mod faults;
mod limits;
mod management;
mod program;
mod quiet;
mod reload;
mod serve;
mod tls;

#[path = "../it/receiver.rs"]
#[expect(dead_code, reason = "not all of it is needed here")]
mod receiver;
