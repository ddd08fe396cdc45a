//! End to end with real parts: the built program as it is shipped, a real Keycloak as upstream, a real browser.
//!
//! Harness: [`keycloak`], [`browser`], [`gateway`], [`client`], [`receiver`], [`realm`]; for clients with stock libraries
//! [`world`], [`program`], [`credentials`]. `tests/setup` installs what they need; a part that is missing fails the tests
//! that need it and never skips them. Pages are photographed into `target/screenshots/`.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "tests")]

mod browser;
mod client;
mod credentials;
mod gateway;
mod keycloak;
mod program;
mod realm;
mod receiver;
mod world;

mod approve;
mod authlib;
mod cli;
mod cli_bank;
mod demo;
mod expired;
mod harness;
mod keycloak_down;
mod nimbus;
mod profile_page;
mod wrong_person;

use std::{
    net::TcpListener,
    process::{Child, ExitStatus},
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::Duration,
};

/// A port that nobody listens on now, below those that the system gives to outgoing connections: one of those could be taken
/// before the program for which it is meant listens.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 500).unwrap() * 10;
    (0..2_000)
        .map(|_| first + NEXT.fetch_add(1, Ordering::Relaxed))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}

/// Waits at most 15 s for a process to end.
fn end_of(process: &mut Child) -> Option<ExitStatus> {
    for _ in 0..300 {
        if let Some(status) = process.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(50));
    }
    None
}
