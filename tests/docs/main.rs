//! README.md and the pages in `docs/` say what is so: the files in them pass `realmgate check`, the commands for the demo run
//! as they stand and print what is shown below them, the samples in Python run, flags and links lead somewhere.
//!
//! What needs a tool that is not there (bash and curl; python3; openssl) is told on standard error and left out.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test that fails says so by a panic")]

mod commands;
mod files;
mod flags;
mod links;
mod page;
mod python;

#[path = "../process/program.rs"]
#[expect(dead_code, reason = "not all of it is needed here")]
mod program;

use std::process::{Command, Output, Stdio};

use program::{Folder, Running};
use serde_json::Value;

/// The demo's address, as the pages write it.
const DEMO: &str = "http://127.0.0.1:8080";
/// Good for every secret that a page's file or sample takes from the environment.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The demo on any free port; it approves everything.
fn demo() -> Running {
    Running::start(Folder::new("").program(&["demo", "--listen", "127.0.0.1:0", "--answer", "approve"]))
}

/// Runs a page's script in this folder; a program in it is found first.
fn run(folder: &Folder, script: &str) -> Output {
    let mut path = folder.path().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", script]).current_dir(folder.path()).env("PATH", path);
    bash.stdin(Stdio::null()).output().unwrap()
}

/// Says so where one of them is missing.
fn are_there(tools: &[&str]) -> bool {
    let missing = tools.iter().find(|tool| Command::new(tool).arg("--version").output().is_err());
    if let Some(tool) = missing {
        eprintln!("{tool} is not here, so this is not tested");
    }
    missing.is_none()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|fault| panic!("{fault}: {text}"))
}
